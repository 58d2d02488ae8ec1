//! The verdict on one object, from the schema and from the operator's own parser and binding.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::{
    api::{
        GROUP, Kind, Spec, VERSION,
        class_patterns::RegionName,
        conditions::Reason,
        status::ClassRef,
        transcription_class::{ClassOutput, DataAccess, TranscriptionClassSpec},
        types::{Invalid, KmsKeyRef},
    },
    cli::check::{
        Install, class,
        names::{CLASS, DEFAULT_NAMESPACE},
        outcome::{Verdict, merge},
        schema,
    },
    domain::{
        Class, Desired, Job, JobView, NamePrefix, Rejection, Request,
        key::{KEY_FIELD, KeyVerdict},
        review::review,
    },
    tenancy::default_class::DefaultClass,
};

/// Judges an object of any type.
pub(super) fn judge(mut object: Value, install: &Install) -> Verdict {
    let (Some(api_version), Some(name)) = (object["apiVersion"].as_str(), object["kind"].as_str()) else {
        return Verdict::denied("apiVersion and kind", "required; every manifest sets both");
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if group != GROUP {
        let warning = format!("not judged: {api_version} {name} is not a kind of {GROUP}");
        return Verdict {
            violations: Vec::new(),
            warnings: vec![warning],
        };
    }
    if version != VERSION {
        return Verdict::denied("apiVersion", format!("there is only {GROUP}/{VERSION}"));
    }
    if name == CLASS {
        return class::judge(object);
    }
    let Some(kind) = Kind::from_name(name) else {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).chain([CLASS]).collect();
        return Verdict::denied("kind", format!("{GROUP}/{VERSION} has {}", kinds.join(", ")));
    };
    schema::without_nulls(kind.name(), &mut object);
    let broken = schema::breaches(kind.name(), &object);
    merge(broken, verdict(kind, &object, install))
}

/// The operator's verdict on an object, without AWS KMS.
fn verdict(kind: Kind, object: &Value, install: &Install) -> Verdict {
    let bound = Request::parse(kind, &object["spec"]).and_then(|request| bind(request, object, install));
    let (bound, not_judged) = match bound {
        Ok((desired, not_judged)) => (Ok(desired), not_judged),
        Err(rejection) => (Err(rejection), Vec::new()),
    };
    let judged = review(&bound, &KeyVerdict::NotNeeded);
    Verdict {
        violations: judged.denial.map(|denial| denial.violations()).unwrap_or_default(),
        warnings: judged.warnings.into_iter().chain(not_judged).collect(),
    }
}

fn bind(request: Request, object: &Value, install: &Install) -> Result<(Desired, Vec<String>), Rejection> {
    let head = NamePrefix::new("check").map_err(|error| Rejection::new(Reason::InternalError, error.to_string()))?;
    let job = job_view(object);
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

/// The class that the flags describe. What cannot be judged is assumed to be supplied and allowed, and a warning says
/// so.
fn class_of_flags(spec: &Spec, install: &Install) -> Result<Class, Rejection> {
    let of_the_key = key(spec).and_then(KmsKeyRef::region);
    let given = install.region.as_ref().map(RegionName::as_str);
    let region = given.or(of_the_key).unwrap_or(ANY_REGION);
    let named = spec.class_name().map(ToString::to_string);
    let of_flags = region.parse().and_then(|region| {
        let class = DefaultClass {
            region,
            output_bucket: install.output_bucket.clone().or_else(|| NOT_JUDGED.parse().ok()),
            data_access_roles: "*".parse().into_iter().collect(),
            default_kms_key: None,
            added_context: Vec::new(),
            key_accounts: install.key_accounts.clone(),
        };
        permissive(class.spec(install.account.as_deref())?)
    });
    Ok(Class {
        reference: ClassRef {
            name: named.unwrap_or_else(|| "default".to_owned()),
            region: region.to_owned(),
            account_id: install.account.clone(),
            ..ClassRef::default()
        },
        spec: of_flags.map_err(|error| Rejection::new(Reason::InternalError, error.to_string()))?,
    })
}

/// The same class, but it supplies a role and accepts every kind.
fn permissive(class: TranscriptionClassSpec) -> Result<TranscriptionClassSpec, Invalid> {
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

fn job_view(object: &Value) -> JobView {
    let text = |name: &str| object["metadata"][name].as_str().map(ToOwned::to_owned);
    let metadata = ObjectMeta {
        name: text("name").or_else(|| Some(text("generateName")? + GENERATED)),
        namespace: text("namespace").or_else(|| Some(DEFAULT_NAMESPACE.to_owned())),
        uid: Some(ANY_UID.to_owned()),
        ..ObjectMeta::default()
    };
    JobView::of(&Job {
        types: None,
        metadata,
        spec: object["spec"].clone(),
        status: None,
    })
}

/// Warnings about the rules that cannot be judged because a flag or the class is not given.
fn unknowns(spec: &Spec, install: &Install) -> Vec<String> {
    let key_region = key(spec).and_then(KmsKeyRef::region);
    let output = spec.output();
    let role = spec.data_access();
    let unknown = |is: bool, field: &str, rule: &str| is.then(|| format!("not judged: {field}: {rule}"));
    [
        unknown(key(spec).is_none(), KEY_FIELD, "whether the class has a default key"),
        unknown(
            key_region.is_some() && install.region.is_none(),
            KEY_FIELD,
            "whether the key is in the Region of the job (give --region)",
        ),
        unknown(
            key_region.is_some() && install.account.is_none(),
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

/// A placeholder for a Region that is not given. No rule is judged by it.
const ANY_REGION: &str = "us-east-1";
/// A placeholder for the suffix that an API server appends to `generateName`.
const GENERATED: &str = "xxxxx";
/// A placeholder for the uid, with the length of a real one.
const ANY_UID: &str = "00000000-0000-0000-0000-000000000000";
/// A placeholder for the role that a class may supply.
const ANY_ROLE: &str = "arn:aws:iam::000000000000:role/not-judged";
/// A placeholder for a bucket that is not given.
const NOT_JUDGED: &str = "not-judged";
