//! Decides which key encrypts the output, and with which encryption context.

use std::collections::BTreeMap;

use crate::{
    api::{
        Spec,
        class_patterns::{Permission, Severity, expand, matches},
        common::EncryptionContext,
        conditions::Reason,
        types::{ContextValue, KmsKeyRef, partition},
    },
    domain::{
        class::selection::Class,
        job::view::JobView,
        key::KEY_FIELD,
        policy::{
            allow::refused,
            sensitive::{credential, personal_data},
        },
        rejection::Rejection,
    },
};

pub(in crate::domain) const CONTEXT_FIELD: &str = "spec.encryption.context";
/// The largest number of pairs that AWS accepts in an encryption context.
const MOST_PAIRS: usize = 10;

/// The effective key and encryption context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::domain) struct Effective {
    pub(in crate::domain) key: Option<KmsKeyRef>,
    pub(in crate::domain) context: BTreeMap<String, String>,
}

/// Returns the key and the context of a job: its own, or those that its class supplies. AWS accepts a key only with an output
/// bucket.
pub(in crate::domain) fn effective(
    spec: &Spec,
    class: &Class,
    job: &JobView,
    bucket: Option<&String>,
) -> Result<Effective, Rejection> {
    let key = key(spec, class)?;
    let context = context(spec, class, job, key.is_some())?;
    if key.is_some() && bucket.is_none() {
        let message = "required: only output in a bucket of yours can be encrypted with a key, and Amazon Transcribe would keep \
                       this one in a bucket of its own";
        return Err(Rejection::field(
            Reason::OutputRequired,
            spec.output().bucket_field,
            message,
        ));
    }
    Ok(Effective { key, context })
}

fn key(spec: &Spec, class: &Class) -> Result<Option<KmsKeyRef>, Rejection> {
    let named = spec.encryption().and_then(|e| e.kms_key_id.as_ref());
    let key = named.or(class.default_key());
    let Some(key) = key else {
        if class.encryption().is_none_or(|rules| !rules.required) {
            return Ok(None);
        }
        let message = format!(
            "required: class '{}' accepts no job without a key, and has no default one",
            class.name()
        );
        return Err(Rejection::field(Reason::KeyRequired, KEY_FIELD, message));
    };
    check_region(key, class)?;
    if named.is_some() {
        check_allowed(key, class)?;
    }
    Ok(Some(key.clone()))
}

/// Checks that a key that is named by an ARN is in the job's Region and partition.
fn check_region(key: &KmsKeyRef, class: &Class) -> Result<(), Rejection> {
    let Some((in_partition, in_region, _)) = key.place() else {
        return Ok(());
    };
    let refused = |message| Err(Rejection::field(Reason::KeyRegionMismatch, KEY_FIELD, message));
    let region = &class.reference.region;
    if in_region != region {
        return refused(format!(
            "the key is in {in_region}, but the job runs in {region}; use a key of {region}"
        ));
    }
    let partition = partition(region);
    if in_partition != partition {
        return refused(format!(
            "the key's partition is {in_partition}, but {region} is in {partition}; correct the ARN"
        ));
    }
    Ok(())
}

/// Checks that the class allows the key, before AWS KMS is asked about it. All keys that are not allowed get the same
/// message, so that it does not reveal which keys exist. A bare key id or alias can only be checked once the account is known
/// ([`Desired::key_is_judged`](crate::domain::Desired::key_is_judged)).
fn check_allowed(key: &KmsKeyRef, class: &Class) -> Result<(), Rejection> {
    let account = class.reference.account_id.as_deref().or(key.account());
    let to_arn = |key: &KmsKeyRef| key.arn(account, &class.reference.region);
    let patterns = class.encryption().and_then(|rules| rules.allowed_kms_keys.as_deref());
    let is_allowed = to_arn(key).is_none_or(|arn| {
        class.default_key().and_then(to_arn).as_ref() == Some(&arn)
            || patterns
                .unwrap_or_default()
                .iter()
                .any(|pattern| matches(pattern.as_str(), &arn))
    });
    if is_allowed {
        return Ok(());
    }
    let message = format!(
        "class '{}' does not allow this key; use one that it allows, or leave it out for the class's own",
        class.name()
    );
    Err(Rejection::field(Reason::KeyNotAllowed, KEY_FIELD, message))
}

/// Returns the effective encryption context: the tenant's pairs and the class's.
fn context(spec: &Spec, class: &Class, job: &JobView, key: bool) -> Result<BTreeMap<String, String>, Rejection> {
    let invalid = |message: String| Err(Rejection::field(Reason::InvalidSpec, CONTEXT_FIELD, message));
    let given = spec.encryption().and_then(|e| e.context.as_ref());
    let mut context = given.map(texts).unwrap_or_default();
    if !spec.takes_context() {
        return without_context(spec, class);
    }
    if !key {
        if !context.is_empty() {
            return invalid(
                "an encryption context needs a key; set spec.encryption.kmsKeyId or remove the context".to_owned(),
            );
        }
        return complete(context, class);
    }
    if let Some(message) = leaks(&context) {
        return invalid(message);
    }
    let added = added(spec, class, job)?;
    let shadows = |key: &&String| added.keys().any(|other| other.eq_ignore_ascii_case(key));
    if let Some(taken) = context.keys().find(shadows) {
        let message = format!(
            "class '{}' sets '{}' itself; remove it from the context",
            class.name(),
            brief(taken)
        );
        return invalid(message);
    }
    let ours = added.len();
    context.extend(added);
    if context.len() > MOST_PAIRS {
        let message = format!(
            "AWS takes {MOST_PAIRS} pairs at most, of which class '{}' adds {ours}; remove {} of the context",
            class.name(),
            context.len() - MOST_PAIRS
        );
        return invalid(message);
    }
    personal(&context, class)?;
    complete(context, class)
}

/// Checks that a context has the keys that the class requires. The comparison ignores case, as IAM's does.
fn complete(context: BTreeMap<String, String>, class: &Class) -> Result<BTreeMap<String, String>, Rejection> {
    let required = class
        .encryption()
        .and_then(|rules| rules.required_context_keys.as_deref())
        .unwrap_or_default();
    let has = |wanted: &str| context.keys().any(|key| key.eq_ignore_ascii_case(wanted));
    let Some(missing) = required.iter().find(|wanted| !has(wanted.as_str())) else {
        return Ok(context);
    };
    let message = format!(
        "class '{}' requires the pair '{}'; add it, with a key",
        class.name(),
        brief(missing.as_str())
    );
    Err(refused(CONTEXT_FIELD, message))
}

/// Checks whether the class allows a kind of job for which AWS takes no encryption context.
fn without_context(spec: &Spec, class: &Class) -> Result<BTreeMap<String, String>, Rejection> {
    let asks = class.encryption().filter(|rules| {
        let required = rules.required_context_keys.as_deref().unwrap_or_default();
        rules.added_context.is_some() || !required.is_empty()
    });
    if asks.is_none_or(|rules| rules.kinds_without_context == Permission::Allow) {
        return Ok(BTreeMap::new());
    }
    let message = format!(
        "class '{}' asks for an encryption context, and AWS takes none for a {}; use a class that allows the kind \
         (kindsWithoutContext)",
        class.name(),
        spec.kind().name()
    );
    Err(refused("spec.encryption", message))
}

/// Returns the pairs that the class adds. An expanded template has to meet the same AWS limits as a tenant's value.
fn added(spec: &Spec, class: &Class, job: &JobView) -> Result<BTreeMap<String, String>, Rejection> {
    let values = [
        ("namespace", job.namespace.as_str()),
        ("name", job.name.as_str()),
        ("kind", spec.kind().name()),
    ];
    let added = class.encryption().and_then(|rules| rules.added_context.as_ref());
    let pairs = added.into_iter().flat_map(|added| added.iter());
    pairs
        .map(|(key, template)| {
            let value = expand(template.as_str(), &values);
            let value: ContextValue = value.parse().map_err(|error| {
                let (class, key) = (class.name(), brief(key.as_str()));
                refused(
                    CONTEXT_FIELD,
                    format!(
                        "the value that class '{class}' gives to '{key}' {error}; ask your platform team to shorten it"
                    ),
                )
            })?;
            Ok((key.to_string(), value.to_string()))
        })
        .collect()
}

fn personal(context: &BTreeMap<String, String>, class: &Class) -> Result<(), Rejection> {
    if class
        .encryption()
        .is_none_or(|rules| rules.personal_data_in_context == Severity::Warn)
    {
        return Ok(());
    }
    match personal_pairs(context).next() {
        Some(message) => Err(refused(
            CONTEXT_FIELD,
            format!("{message}; class '{}' does not allow that", class.name()),
        )),
        None => Ok(()),
    }
}

/// Returns a sentence for each value that looks like personal data. It does not repeat the value.
pub(in crate::domain) fn personal_pairs(context: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    context.iter().filter_map(|(key, value)| {
        let what = personal_data(value)?;
        let key = brief(key);
        Some(format!(
            "the value of '{key}' looks like {what}; CloudTrail records a context in plain text"
        ))
    })
}

/// Returns a message if the context contains what looks like a credential. It does not repeat it, because more people read a
/// status than a spec.
fn leaks(context: &BTreeMap<String, String>) -> Option<String> {
    const ADVICE: &str = "an encryption context is not secret (CloudTrail records it in plain text), so remove it and replace \
                          the credential";
    context
        .iter()
        .find_map(|(key, value)| match (credential(key), credential(value)) {
            (Some(what), _) => Some(format!("one of the keys looks like {what}; {ADVICE}")),
            (None, Some(what)) => Some(format!("the value of '{}' looks like {what}; {ADVICE}", brief(key))),
            (None, None) => None,
        })
}

/// Shortens a context key for a message.
fn brief(key: &str) -> String {
    const LONGEST: usize = 64;
    let mut brief: String = key.chars().take(LONGEST).collect();
    if brief.len() < key.len() {
        brief.push('…');
    }
    brief
}

fn texts(context: &EncryptionContext) -> BTreeMap<String, String> {
    context
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}
