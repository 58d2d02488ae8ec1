//! The verdict on one object: the schema, then the operator's own parser and binding.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::schema::Breach;
use super::{Install, schema};
use crate::api::conditions::Reason;
use crate::api::status::ClassRef;
use crate::api::types::{KeyForm, KmsKeyRef};
use crate::api::{GROUP, Kind, Spec, VERSION};
use crate::lifecycle::{Class, Desired, Job, NameHead, Refusal, Request, Subject};

/// Whether an object may be stored, and what its author should know.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Why it is denied.
    pub message: Option<String>,
    /// What is not wrong but worth knowing, and what could not be judged.
    pub warnings: Vec<String>,
}

impl Verdict {
    fn denied(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            warnings: Vec::new(),
        }
    }
}

/// Judges an object of any type.
pub(super) fn judge(mut object: Value, install: &Install) -> Verdict {
    let (Some(api_version), Some(name)) = (object["apiVersion"].as_str(), object["kind"].as_str()) else {
        return Verdict::denied("apiVersion and kind: required; every object says what it is");
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if group != GROUP {
        let warning = format!("not judged: {api_version} {name} is not a kind of {GROUP}");
        return Verdict {
            message: None,
            warnings: vec![warning],
        };
    }
    if version != VERSION {
        return Verdict::denied(format!("apiVersion: there is only {GROUP}/{VERSION}"));
    }
    let Some(kind) = Kind::from_name(name) else {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        return Verdict::denied(format!("kind: {GROUP}/{VERSION} has {}", kinds.join(", ")));
    };
    schema::without_nulls(kind, &mut object);
    let broken = schema::breaches(kind, &object);
    merge(&broken, verdict(kind, &object, install))
}

/// What the operator says of an object: its parser's refusal, or that of binding it to a class.
pub(crate) fn verdict(kind: Kind, object: &Value, install: &Install) -> Verdict {
    let request = match Request::parse(kind, &object["spec"]) {
        Ok(request) => request,
        Err(refusal) => return Verdict::denied(refusal.to_string()),
    };
    let warnings = warnings(&request.spec, install);
    let message = bind(request, object, install).err();
    Verdict { message, warnings }
}

fn bind(request: Request, object: &Value, install: &Install) -> Result<(), String> {
    let head = NameHead::new("check").map_err(|error| error.to_string())?;
    let class = class(&request.spec, install);
    in_region(&request.spec, install)
        .and_then(|()| Desired::bind(request, &class, &head, &subject(object)))
        .map(drop)
        .map_err(|refusal| refusal.to_string())
}

fn class(spec: &Spec, install: &Install) -> Class {
    let unknown = String::new;
    Class {
        reference: ClassRef {
            name: spec
                .class_name()
                .map_or_else(|| "default".to_owned(), ToString::to_string),
            uid: None,
            generation: None,
            region: install.region.clone().unwrap_or_else(unknown),
            account_id: install.account.clone(),
        },
        // What cannot be judged is taken to be supplied and allowed, and a warning says so.
        output_bucket: Some(install.output_bucket.clone().unwrap_or_else(unknown)),
        data_access_roles: spec
            .data_access_role()
            .into_iter()
            .map(|(_, role)| role.to_string())
            .collect(),
    }
}

fn subject(object: &Value) -> Subject {
    let text = |name: &str| object["metadata"][name].as_str().map(ToOwned::to_owned);
    let metadata = ObjectMeta {
        name: text("name"),
        namespace: text("namespace"),
        ..ObjectMeta::default()
    };
    Subject::of(&Job {
        types: None,
        metadata,
        spec: object["spec"].clone(),
        status: None,
    })
}

const KEY: &str = "spec.encryption.kmsKeyId";

fn warnings(spec: &Spec, install: &Install) -> Vec<String> {
    let mut warnings = of_the_key(spec, install);
    if spec.output_bucket().is_none() && install.output_bucket.is_none() {
        warnings.push(not_judged(
            "spec.outputBucketName",
            "whether the class supplies an output bucket (give --output-bucket)",
        ));
    }
    if let Some((field, _)) = spec.data_access_role() {
        warnings.push(not_judged(field, "whether the class allows this role"));
    }
    warnings
}

fn of_the_key(spec: &Spec, install: &Install) -> Vec<String> {
    let Some(key) = spec.encryption().and_then(|encryption| encryption.kms_key_id.as_ref()) else {
        return vec![format!(
            "{KEY}: there is none, so unless the class has a default key the output is encrypted with keys that Amazon S3 \
             manages (SSE-S3)"
        )];
    };
    let account = match key.form() {
        KeyForm::KeyId(_) | KeyForm::AliasName(_) => return Vec::new(),
        KeyForm::KeyArn { account, .. } | KeyForm::AliasArn { account, .. } => account,
    };
    let region = install
        .region
        .is_none()
        .then_some("whether the key is in the Region of the job (give --region)");
    let account = match &install.account {
        None => Some("whether the key is in the account of the job (give --account)"),
        Some(ours) => (ours != account).then_some("whether the class allows a key of another account"),
    };
    region
        .into_iter()
        .chain(account)
        .map(|rule| not_judged(KEY, rule))
        .collect()
}

fn not_judged(field: &str, rule: &str) -> String {
    format!("not judged: {field}: {rule}")
}

/// A key of another Region can never encrypt the output.
fn in_region(spec: &Spec, install: &Install) -> Result<(), Refusal> {
    let key = spec.encryption().and_then(|encryption| encryption.kms_key_id.as_ref());
    let region = match key.map(KmsKeyRef::form) {
        Some(KeyForm::KeyArn { region, .. } | KeyForm::AliasArn { region, .. }) => region,
        Some(KeyForm::KeyId(_) | KeyForm::AliasName(_)) | None => return Ok(()),
    };
    match &install.region {
        Some(ours) if ours != region => {
            let message = format!("the key is not in {ours}, the Region of the job; name a key of that Region");
            Err(Refusal::field(Reason::InvalidSpec, KEY, message))
        }
        Some(_) | None => Ok(()),
    }
}

/// What serde says by itself: it repeats values, and speaks of our types.
const OF_SERDE: [&str; 7] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown variant",
    "unknown field",
    "missing field",
    "duplicate field",
];

/// Puts together what the schema and the operator say. Of what both say of one field, the one that teaches more is kept.
fn merge(broken: &[Breach], verdict: Verdict) -> Verdict {
    let Verdict { message, warnings } = verdict;
    let (mut told, mut messages) = (message, Vec::new());
    if let Some(message) = &told {
        let (field, rest) = message.split_once(": ").unwrap_or(("spec", message));
        if OF_SERDE.iter().any(|prefix| rest.starts_with(prefix)) {
            told = broken
                .is_empty()
                .then(|| format!("{field}: is not what this field takes"));
        }
    }
    for Breach { field, message, vague } in broken {
        let same = told
            .as_ref()
            .is_some_and(|told| told.starts_with(&format!("{field}: ")));
        if same && !vague {
            told = None;
        }
        if !same || !vague {
            messages.push(format!("{field}: {message}"));
        }
    }
    messages.extend(told);
    let message = Some(messages.join("; ")).filter(|_| !messages.is_empty());
    Verdict { message, warnings }
}
