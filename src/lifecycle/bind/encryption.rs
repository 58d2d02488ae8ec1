//! Which key encrypts the output, and with which context.

use std::collections::BTreeMap;

use super::refused;
use crate::{
    admission::rules::{credential, personal_data},
    api::{
        Spec,
        class_words::{Permission, Severity, expand, matches},
        common::EncryptionContext,
        conditions::Reason,
        types::{ContextValue, KmsKeyRef, partition},
    },
    lifecycle::{Class, Refusal, Subject, key::KEY_FIELD},
};

pub(in crate::lifecycle) const CONTEXT_FIELD: &str = "spec.encryption.context";
/// How many pairs of encryption context AWS takes.
const MOST_PAIRS: usize = 10;

/// The key and the context in effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lifecycle) struct Effective {
    pub(in crate::lifecycle) key: Option<KmsKeyRef>,
    pub(in crate::lifecycle) context: BTreeMap<String, String>,
}

/// The key and the context of a job: its own, or what its class supplies. AWS takes a key only with an output bucket.
pub(in crate::lifecycle) fn effective(
    spec: &Spec,
    class: &Class,
    job: &Subject,
    bucket: Option<&String>,
) -> Result<Effective, Refusal> {
    let key = key(spec, class)?;
    let context = context(spec, class, job, key.is_some())?;
    if key.is_some() && bucket.is_none() {
        let message = "required: only output in a bucket of yours can be encrypted with a key, and Amazon Transcribe would keep \
                       this one in a bucket of its own";
        return Err(Refusal::field(
            Reason::OutputRequired,
            spec.output().bucket_field,
            message,
        ));
    }
    Ok(Effective { key, context })
}

fn key(spec: &Spec, class: &Class) -> Result<Option<KmsKeyRef>, Refusal> {
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
        return Err(Refusal::field(Reason::KeyRequired, KEY_FIELD, message));
    };
    place(key, class)?;
    if named.is_some() {
        allowed(key, class)?;
    }
    Ok(Some(key.clone()))
}

/// A key that is named by an ARN is in the job's Region and partition.
fn place(key: &KmsKeyRef, class: &Class) -> Result<(), Refusal> {
    let Some((in_partition, in_region, _)) = key.place() else {
        return Ok(());
    };
    let refused = |message| Err(Refusal::field(Reason::KeyRegionMismatch, KEY_FIELD, message));
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

/// The key is one that the class allows, before anybody is asked about it: one text for all that are not, so that nobody learns
/// from it which keys there are. While the account is not known, what a bare id or alias means is not either: it is judged
/// when it is ([`Desired::key_is_judged`](crate::lifecycle::Desired::key_is_judged)).
fn allowed(key: &KmsKeyRef, class: &Class) -> Result<(), Refusal> {
    let account = class.reference.account_id.as_deref().or(key.account());
    let written_out = |key: &KmsKeyRef| key.arn(account, &class.reference.region);
    let patterns = class.encryption().and_then(|rules| rules.allowed_kms_keys.as_deref());
    let is_allowed = written_out(key).is_none_or(|arn| {
        class.default_key().and_then(written_out).as_ref() == Some(&arn)
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
    Err(Refusal::field(Reason::KeyNotAllowed, KEY_FIELD, message))
}

/// The effective encryption context: the tenant's pairs and the class's.
fn context(spec: &Spec, class: &Class, job: &Subject, key: bool) -> Result<BTreeMap<String, String>, Refusal> {
    let invalid = |message: String| Err(Refusal::field(Reason::InvalidSpec, CONTEXT_FIELD, message));
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

/// A context has the keys that the class asks for. IAM compares them without regard to case.
fn complete(context: BTreeMap<String, String>, class: &Class) -> Result<BTreeMap<String, String>, Refusal> {
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

/// A kind that takes no context, under a class that may ask for one.
fn without_context(spec: &Spec, class: &Class) -> Result<BTreeMap<String, String>, Refusal> {
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

/// The pairs that the class adds. What a template became is held to AWS's bounds like what a tenant writes.
fn added(spec: &Spec, class: &Class, job: &Subject) -> Result<BTreeMap<String, String>, Refusal> {
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

fn personal(context: &BTreeMap<String, String>, class: &Class) -> Result<(), Refusal> {
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

/// What looks like personal data, each in one sentence that does not repeat it.
pub(in crate::lifecycle) fn personal_pairs(context: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    context.iter().filter_map(|(key, value)| {
        let what = personal_data(value)?;
        let key = brief(key);
        Some(format!(
            "the value of '{key}' looks like {what}; CloudTrail records a context in plain text"
        ))
    })
}

/// What looks like a credential is never repeated: what stands in a status is read by more people than what stands in a spec.
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

/// A key of a context as it may stand in a message.
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
