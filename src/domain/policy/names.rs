//! Guardrails for what a request names: media, vocabularies, roles, tags.

use std::collections::BTreeMap;

use crate::{
    api::{
        Spec, TAG_CLUSTER, TAG_NAME, TAG_NAMESPACE, TAG_UID,
        class_patterns::{UriPattern, expand, matches},
        common::Tags,
        conditions::Reason,
        types::S3Uri,
    },
    domain::{
        class::selection::Class,
        job::{name::NamePrefix, view::JobView},
        policy::allow::{allows, not_of, refused},
        rejection::Rejection,
    },
};

/// The largest number of tags that AWS accepts.
const MOST_TAGS: usize = 50;

/// Checks that the class allows the media, because it is read with the class's rights. The key must be canonical, and a pattern
/// matches at a path boundary only.
pub(in crate::domain) fn media(spec: &Spec, class: &Class, job: &JobView) -> Result<(), Rejection> {
    let allowed = class
        .spec
        .input
        .as_ref()
        .and_then(|input| input.allowed_uris.as_deref());
    let patterns = || allowed.unwrap_or_default().iter().map(UriPattern::as_str);
    if patterns().any(|pattern| pattern == "*") {
        return Ok(());
    }
    let namespace = [("namespace", job.namespace.as_str())];
    for (field, uri) in spec.media_uris() {
        if let Some(problem) = not_canonical(uri.parts().1) {
            let message = format!("the key {problem}; name the object by its plain key");
            return Err(refused(field, message));
        }
        if !patterns().any(|pattern| is_within(&expand(pattern, &namespace), uri)) {
            let what = not_of(class, "media");
            let message = format!(
                "{what}; use media at a URI that it allows for namespace '{}'",
                job.namespace
            );
            return Err(refused(field, message));
        }
    }
    Ok(())
}

/// Whether a URI is at or below another: the same bucket, and the same key or one below it.
fn is_within(pattern: &str, uri: &S3Uri) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/') || pattern.ends_with('/');
    uri.as_str().strip_prefix(pattern).is_some_and(below)
}

/// Returns why a key is not canonical: software that resolves paths or decodes URLs could read it as another key.
pub(super) fn not_canonical(key: &str) -> Option<&'static str> {
    if key.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
        return Some("has a segment of dots");
    }
    let inner = key.trim_end_matches('/');
    if key.starts_with('/') || inner.contains("//") || key.len() > inner.len() + 1 {
        return Some("has an empty segment");
    }
    let is_encoded = |after: &str| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    key.split('%')
        .skip(1)
        .any(is_encoded)
        .then_some("has a percent-encoded character")
}

/// Checks that the class allows the vocabularies, filters and language models, because they may belong to another tenant of the
/// account.
pub(in crate::domain) fn resource_names(spec: &Spec, class: &Class, job: &JobView) -> Result<(), Rejection> {
    let allowed = class.spec.resource_names.as_deref().unwrap_or_default();
    let denied = spec.resource_names().into_iter().find(|(_, name)| {
        !allowed
            .iter()
            .any(|pattern| allows(pattern.as_str(), job, name.as_str()))
    });
    match denied {
        Some((field, _)) => Err(refused(
            &field,
            format!("{}; remove it, or ask for it to be allowed", not_of(class, "name")),
        )),
        None => Ok(()),
    }
}

/// Returns the role that Amazon Transcribe assumes. Only a role that the class names is passed on, because a role is a
/// privilege. The class's default role is used where the spec names none but has the block, or AWS requires one.
pub(in crate::domain) fn data_access_role(spec: &Spec, class: &Class) -> Result<Option<String>, Rejection> {
    let Some(wanted) = spec.data_access() else {
        return Ok(None);
    };
    let rules = class.spec.data_access.as_ref();
    let default = rules.and_then(|rules| rules.default_role_arn.as_ref());
    let Some(role) = wanted.named else {
        if wanted.required && default.is_none() {
            let message = format!(
                "required: AWS runs no {} without a data-access role, and class '{}' has no default one; name a role that it \
                 allows",
                spec.kind().name(),
                class.name()
            );
            return Err(Rejection::field(Reason::RoleRequired, wanted.field, message));
        }
        return Ok(default.map(ToString::to_string));
    };
    let allowed = rules
        .and_then(|rules| rules.allowed_role_arns.as_deref())
        .unwrap_or_default();
    if default.is_some_and(|default| default.as_str() == role.as_str())
        || allowed.iter().any(|pattern| matches(pattern.as_str(), role.as_str()))
    {
        return Ok(Some(role.to_string()));
    }
    Err(refused(
        wanted.field,
        format!("{}; leave it out or ask for it to be allowed", not_of(class, "role")),
    ))
}

/// Returns the tags: the tenant's, the class's, and those that identify the job as ours.
pub(in crate::domain) fn tags(
    spec: &Spec,
    class: &Class,
    prefix: &NamePrefix,
    job: &JobView,
) -> Result<BTreeMap<String, String>, Rejection> {
    let (mut tags, of_class) = (texts(spec.tags()), texts(class.spec.tags.as_ref()));
    let shadows = |key: &&String| of_class.keys().any(|other| folded(other) == folded(key));
    if let Some(taken) = tags.keys().find(shadows) {
        let message = format!("class '{}' sets the tag '{taken}' itself; remove it", class.name());
        return Err(refused("spec.tags", message));
    }
    tags.extend(of_class);
    let ours = [
        (TAG_UID, job.uid.as_str()),
        (TAG_CLUSTER, prefix.cluster_id()),
        (TAG_NAMESPACE, job.namespace.as_str()),
        (TAG_NAME, job.name.as_str()),
    ];
    tags.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
    if tags.len() > MOST_TAGS {
        let more = tags.len() - MOST_TAGS;
        let message = format!("AWS takes {MOST_TAGS} tags, the class's and the operator's among them; remove {more}");
        return Err(refused("spec.tags", message));
    }
    Ok(tags)
}

fn texts(tags: Option<&Tags>) -> BTreeMap<String, String> {
    let pairs = tags.into_iter().flat_map(|tags| tags.iter());
    pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// Folds the case of a tag key, in any script, because IAM compares tag keys without regard to case.
fn folded(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_within_a_uri_is_so_at_a_path_boundary() {
        let within = |pattern: &str, uri: &str| is_within(pattern, &uri.parse().unwrap());
        for (pattern, uri) in [
            ("s3://media/", "s3://media/a.wav"),
            ("s3://media/fin", "s3://media/fin/a.wav"),
            ("s3://media/fin", "s3://media/fin"),
            ("s3://media/fin/", "s3://media/fin/a.wav"),
        ] {
            assert!(within(pattern, uri), "{pattern} {uri}");
        }
        for (pattern, uri) in [
            ("s3://media/", "s3://media2/a.wav"),
            ("s3://media/fin", "s3://media/finance/a.wav"),
            ("s3://media/fin/", "s3://media/fin"),
            ("s3://media/fin/", "s3://media/Fin/a.wav"),
            ("s3://media/fin/", "s3://media/x/fin/a.wav"),
        ] {
            assert!(!within(pattern, uri), "{pattern} {uri}");
        }
    }

    #[test]
    fn a_key_that_may_be_read_in_two_ways_is_not_canonical() {
        for key in [
            "a.wav",
            "a/b c/größe=1.wav",
            "a..b/.c",
            "100%.wav",
            "a/",
            "50% of it",
            "%",
            "a%2",
            "a%zz",
        ] {
            assert_eq!(not_canonical(key), None, "{key}");
        }
        for key in [
            "../b", "a/../b", "a/./b", "a//b", "/a", "a/..", "a%2Fb", "%2e%2e/b", "a//", "a%5cb", "a%252fb", r"a/..\b",
            r"a\..\b", "a%c0%afb", "100%%2f",
        ] {
            assert!(not_canonical(key).is_some(), "{key}");
        }
    }
}
