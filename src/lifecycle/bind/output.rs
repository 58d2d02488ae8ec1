//! Where output goes.

use super::{names::not_canonical, not_of, refused};
use crate::{
    api::{
        Spec,
        class_words::{expand, matches},
        conditions::Reason,
        transcription_class::DEFAULT_KEY_PREFIX,
    },
    lifecycle::{Class, Refusal, Subject},
};

pub(super) const BUCKET_FIELD: &str = "spec.outputBucketName";
const KEY_FIELD: &str = "spec.outputKey";
/// The longest output key that AWS takes.
const LONGEST_KEY: usize = 1024;
/// An attempt's number with as many digits as one can have.
const LONGEST_ATTEMPT: &str = "99";

/// Where the output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lifecycle) struct Output {
    /// The bucket; `None`: the service's own.
    pub(in crate::lifecycle) bucket: Option<String>,
    /// The key, in which `{attempt}` still stands for the attempt's number.
    pub(in crate::lifecycle) key: Option<String>,
}

/// The bucket is one that the class allows, and the key is below the class's prefix.
pub(in crate::lifecycle) fn output(spec: &Spec, class: &Class, job: &Subject) -> Result<Output, Refusal> {
    let rules = class.output();
    let default = rules.and_then(|rules| rules.bucket_name.as_ref());
    let bucket = match spec.output_bucket() {
        Some(named) => {
            let allowed = rules
                .and_then(|rules| rules.allowed_buckets.as_deref())
                .unwrap_or_default();
            let is_allowed = allowed.iter().any(|pattern| matches(pattern.as_str(), named.as_str()));
            if default != Some(named) && !is_allowed {
                let message = format!(
                    "{}; leave it out for the class's own, or use one that it allows",
                    not_of(class, "bucket")
                );
                return Err(refused(BUCKET_FIELD, message));
            }
            Some(named.to_string())
        }
        None => default.map(ToString::to_string),
    };
    if bucket.is_some() {
        return Ok(Output {
            bucket,
            key: key(spec, class, job)?,
        });
    }
    let message = match (
        rules.is_some_and(|rules| rules.allow_service_managed),
        spec.output_key(),
    ) {
        (true, None) => return Ok(Output::default()),
        (true, Some(_)) => {
            "required: spec.outputKey is a place in an output bucket; name one, or remove the key".to_owned()
        }
        (false, _) => format!(
            "required: without an output bucket the transcript would be out of your reach, and class '{}' has no bucket of \
             its own",
            class.name()
        ),
    };
    Err(Refusal::field(Reason::OutputRequired, BUCKET_FIELD, message))
}

fn key(spec: &Spec, class: &Class, job: &Subject) -> Result<Option<String>, Refusal> {
    let rules = class.output();
    if !spec.takes_output_key() {
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
    }
    let named = spec.output_key().map_or("", |key| key.as_str());
    if let Some(problem) = not_canonical(named) {
        return Err(refused(
            KEY_FIELD,
            format!("the key {problem}; write a plain key, which goes below the class's prefix"),
        ));
    }
    let key = prefix(spec, class, job) + named;
    if expand(&key, &[("attempt", LONGEST_ATTEMPT)]).len() > LONGEST_KEY {
        let message = format!("together with the class's prefix the key has over {LONGEST_KEY} characters; shorten it");
        return Err(refused(KEY_FIELD, message));
    }
    Ok(Some(key))
}

/// What the class puts before every key, in which `{attempt}` still stands for the attempt's number.
fn prefix(spec: &Spec, class: &Class, job: &Subject) -> String {
    let prefix = class.output().and_then(|rules| rules.key_prefix.as_ref());
    let values = [
        ("namespace", job.namespace.as_str()),
        ("kind", spec.kind().name()),
        ("name", job.name.as_str()),
        ("uid", job.uid.as_str()),
    ];
    expand(prefix.map_or(DEFAULT_KEY_PREFIX, |prefix| prefix.as_str()), &values)
}
