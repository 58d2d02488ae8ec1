//! The verdict on one object: the schema, then the operator's own parser and binding.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::class::{self, CLASS};
use super::output::DEFAULT_NAMESPACE;
use super::schema::Breach;
use super::{Install, schema};
use crate::api::class_words::RegionName;
use crate::api::conditions::Reason;
use crate::api::status::ClassRef;
use crate::api::transcription_class::{ClassOutput, DataAccess, TranscriptionClassSpec};
use crate::api::types::{Invalid, KmsKeyRef};
use crate::api::{GROUP, Kind, Spec, VERSION};
use crate::config::InstallArgs;
use crate::lifecycle::key::KEY_FIELD;
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
    pub(super) fn denied(message: impl Into<String>) -> Self {
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
    if name == CLASS {
        return class::judge(object);
    }
    let Some(kind) = Kind::from_name(name) else {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).chain([CLASS]).collect();
        return Verdict::denied(format!("kind: {GROUP}/{VERSION} has {}", kinds.join(", ")));
    };
    schema::without_nulls(kind.name(), &mut object);
    let broken = schema::breaches(kind.name(), &object);
    merge(&broken, verdict(kind, &object, install))
}

/// What the operator says of an object: its parser's refusal, or that of binding it to a class.
fn verdict(kind: Kind, object: &Value, install: &Install) -> Verdict {
    let bound = Request::parse(kind, &object["spec"]).and_then(|request| bind(request, object, install));
    match bound {
        Ok((desired, not_judged)) => Verdict {
            message: None,
            warnings: desired.warnings().into_iter().chain(not_judged).collect(),
        },
        Err(refusal) => Verdict::denied(refusal.to_string()),
    }
}

fn bind(request: Request, object: &Value, install: &Install) -> Result<(Desired, Vec<String>), Refusal> {
    let head = NameHead::new("check").map_err(|error| Refusal::new(Reason::InternalError, error.to_string()))?;
    let job = subject(object);
    if let Some(classes) = &install.classes {
        let Some((class, mut not_judged)) = class::chosen(classes, &job, install.account.as_deref())? else {
            let class = class_of_flags(&request.spec, install)?;
            return Ok((
                Desired::bind(request, &class, &head, &job)?,
                vec![class::not_given(&job)],
            ));
        };
        let desired = Desired::bind(request, &class, &head, &job)?;
        let key = desired.key.as_ref().filter(|_| !desired.key_is_judged());
        not_judged.extend(class::key_not_judged(key));
        return Ok((desired, not_judged));
    }
    let not_judged = unknowns(&request.spec, install);
    let class = class_of_flags(&request.spec, install)?;
    Ok((Desired::bind(request, &class, &head, &job)?, not_judged))
}

/// The class that the flags make. What cannot be judged is taken to be supplied and allowed, and a warning says so.
fn class_of_flags(spec: &Spec, install: &Install) -> Result<Class, Refusal> {
    let of_the_key = key(spec).and_then(KmsKeyRef::region);
    let given = install.region.as_ref().map(RegionName::as_str);
    let region = given.or(of_the_key).unwrap_or(ANY_REGION);
    let named = spec.class_name().map(ToString::to_string);
    let flags = InstallArgs {
        output_bucket: install.output_bucket.clone().or_else(|| NOT_JUDGED.parse().ok()),
        data_access_roles: "*".parse().into_iter().collect(),
        key_accounts: install.key_accounts.clone(),
        ..InstallArgs::default()
    };
    let of_flags = region
        .parse()
        .and_then(|region| flags.class(&region, install.account.as_deref()))
        .and_then(generous);
    Ok(Class {
        reference: ClassRef {
            name: named.unwrap_or_else(|| "default".to_owned()),
            region: region.to_owned(),
            account_id: install.account.clone(),
            ..ClassRef::default()
        },
        spec: of_flags.map_err(|error| Refusal::new(Reason::InternalError, error.to_string()))?,
    })
}

/// A class that supplies a role, and takes every kind.
fn generous(class: TranscriptionClassSpec) -> Result<TranscriptionClassSpec, Invalid> {
    Ok(TranscriptionClassSpec {
        output: Some(ClassOutput {
            unprefixed_kinds: Some(Kind::ALL.to_vec().try_into()?),
            ..class.output.unwrap_or_default()
        }),
        data_access: Some(DataAccess {
            default_role_arn: Some(ANY_ROLE.parse()?),
            ..class.data_access.unwrap_or_default()
        }),
        ..class
    })
}

fn key(spec: &Spec) -> Option<&KmsKeyRef> {
    spec.encryption().and_then(|encryption| encryption.kms_key_id.as_ref())
}

fn subject(object: &Value) -> Subject {
    let text = |name: &str| object["metadata"][name].as_str().map(ToOwned::to_owned);
    let metadata = ObjectMeta {
        name: text("name").or_else(|| Some(text("generateName")? + GENERATED)),
        namespace: text("namespace").or_else(|| Some(DEFAULT_NAMESPACE.to_owned())),
        uid: Some(ANY_UID.to_owned()),
        ..ObjectMeta::default()
    };
    Subject::of(&Job {
        types: None,
        metadata,
        spec: object["spec"].clone(),
        status: None,
    })
}

/// The rules that need something of the install that is not given.
fn unknowns(spec: &Spec, install: &Install) -> Vec<String> {
    let place = key(spec).and_then(KmsKeyRef::region);
    let output = spec.output();
    let role = spec.data_access();
    let unknown = |is: bool, field: &str, rule: &str| is.then(|| format!("not judged: {field}: {rule}"));
    [
        unknown(key(spec).is_none(), KEY_FIELD, "whether the class has a default key"),
        unknown(
            place.is_some() && install.region.is_none(),
            KEY_FIELD,
            "whether the key is in the Region of the job (give --region)",
        ),
        unknown(
            place.is_some() && install.account.is_none(),
            KEY_FIELD,
            "whether the key is in the account of the job (give --account)",
        ),
        unknown(
            output.bucket.is_none() && install.output_bucket.is_none(),
            output.bucket_field,
            "whether the class supplies an output bucket (give --output-bucket)",
        ),
        unknown(
            output.key.is_none(),
            "spec",
            "whether the class accepts this kind, whose output has no prefix (unprefixedKinds)",
        ),
        unknown(
            !spec.takes_context(),
            "spec",
            "whether the class accepts this kind, which takes no encryption context (kindsWithoutContext)",
        ),
        unknown(
            role.is_some_and(|role| role.named.is_some()),
            role.map_or("", |role| role.field),
            "whether the class allows this role",
        ),
        unknown(
            role.is_some_and(|role| role.named.is_none() && role.required),
            role.map_or("", |role| role.field),
            "whether the class supplies a data-access role",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A Region in the place of one that is not given and that nothing is judged by.
const ANY_REGION: &str = "us-east-1";
/// What an API server makes of a prefix.
const GENERATED: &str = "xxxxx";
/// A uid, as long as every one is.
const ANY_UID: &str = "00000000-0000-0000-0000-000000000000";
/// A role in the place of the one that a class may supply.
const ANY_ROLE: &str = "arn:aws:iam::000000000000:role/not-judged";
/// A bucket in the place of one that is not given.
const NOT_JUDGED: &str = "not-judged";

/// What serde says by itself: it repeats values, and speaks of our types.
const OF_SERDE: [&str; 6] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown variant",
    "unknown field",
    "duplicate field",
];

/// Puts together what the schema and the operator say. Of what both say of one field, the one that teaches more is kept.
pub(super) fn merge(broken: &[Breach], verdict: Verdict) -> Verdict {
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
