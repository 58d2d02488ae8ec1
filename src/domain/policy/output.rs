//! Guardrails for the output location.

use crate::{
    api::{
        Spec,
        class_patterns::{expand, matches},
        conditions::Reason,
        transcription_class::DEFAULT_KEY_PREFIX,
    },
    domain::{
        class::selection::Class,
        job::view::JobView,
        policy::{
            allow::{not_of, refused},
            names::not_canonical,
        },
        rejection::Rejection,
    },
};

/// The longest output key that AWS accepts, in bytes.
const LONGEST_KEY: usize = 1024;
/// An attempt number with the largest possible number of digits.
const LONGEST_ATTEMPT: &str = "99";

/// The output location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::domain) struct Output {
    /// The bucket. `None`: Amazon Transcribe's own.
    pub(in crate::domain) bucket: Option<String>,
    /// The key. In its prefix, `{attempt}` is not yet replaced by the number.
    pub(in crate::domain) key: Option<String>,
}

/// Returns the output location: a bucket that the class allows, and a key below the class's prefix.
pub(in crate::domain) fn output(spec: &Spec, class: &Class, job: &JobView) -> Result<Output, Rejection> {
    let rules = class.output();
    let default = rules.and_then(|rules| rules.bucket_name.as_ref());
    let wanted = spec.output();
    let bucket = match wanted.bucket {
        Some(named) => {
            let allowed = rules
                .and_then(|rules| rules.allowed_buckets.as_deref())
                .unwrap_or_default();
            let is_default = default.is_some_and(|default| default.as_str() == named);
            if !is_default && !allowed.iter().any(|pattern| matches(pattern.as_str(), named)) {
                let message = format!(
                    "{}; leave it out for the class's own, or use one that it allows",
                    not_of(class, "bucket")
                );
                return Err(refused(wanted.bucket_field, message));
            }
            Some(named.to_owned())
        }
        None => default.map(ToString::to_string),
    };
    if bucket.is_some() {
        return Ok(Output {
            bucket,
            key: key(spec, class, job)?,
        });
    }
    let service_managed = rules.is_some_and(|rules| rules.allow_service_managed) && !wanted.required;
    let key = wanted.key.filter(|key| key.named.is_some());
    let message = match (service_managed, key) {
        (true, None) => return Ok(Output::default()),
        (true, Some(key)) => format!(
            "required: {} is a place in an output bucket; name one, or remove the key",
            key.field
        ),
        (false, _) => format!(
            "required: without an output bucket the transcript would be out of your reach, and class '{}' has no bucket of \
             its own",
            class.name()
        ),
    };
    Err(Rejection::field(Reason::OutputRequired, wanted.bucket_field, message))
}

fn key(spec: &Spec, class: &Class, job: &JobView) -> Result<Option<String>, Rejection> {
    let rules = class.output();
    let Some(wanted) = spec.output().key else {
        let kind = spec.kind().name();
        let unprefixed = rules
            .and_then(|rules| rules.unprefixed_kinds.as_deref())
            .unwrap_or_default();
        if unprefixed.iter().any(|allowed| allowed.as_str() == kind) {
            return Ok(None);
        }
        let message = format!(
            "class '{}' keeps the output of namespaces apart, and AWS lets nobody choose where a {kind}'s goes; use a class \
             that allows the kind (unprefixedKinds)",
            class.name()
        );
        return Err(refused("spec", message));
    };
    let named = wanted.named.unwrap_or_default();
    if let Some(problem) = not_canonical(named) {
        return Err(refused(
            wanted.field,
            format!("the key {problem}; write a plain key, which goes below the class's prefix"),
        ));
    }
    let prefix = prefix(spec, class, job);
    if expand(&prefix, &[("attempt", LONGEST_ATTEMPT)]).len() + named.len() > LONGEST_KEY {
        let message = format!("together with the class's prefix the key has over {LONGEST_KEY} characters; shorten it");
        return Err(refused(wanted.field, message));
    }
    Ok(Some(prefix + named))
}

/// Returns the class's prefix for keys, in which `{attempt}` is not yet replaced by the number.
fn prefix(spec: &Spec, class: &Class, job: &JobView) -> String {
    let prefix = class.output().and_then(|rules| rules.key_prefix.as_ref());
    let values = [
        ("namespace", job.namespace.as_str()),
        ("kind", spec.kind().name()),
        ("name", job.name.as_str()),
        ("uid", job.uid.as_str()),
    ];
    expand(prefix.map_or(DEFAULT_KEY_PREFIX, |prefix| prefix.as_str()), &values)
}
