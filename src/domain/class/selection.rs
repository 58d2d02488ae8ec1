//! Classes: which one applies to a job, and who may use it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::{Selector, SelectorExt as _};

use crate::{
    api::{
        class_patterns::AccessCheck,
        conditions::Reason,
        status::ClassRef,
        transcription_class::{
            ClassEncryption, ClassIdentity, ClassOutput, DEFAULT_CLASS_ANNOTATION, TranscriptionClass,
            TranscriptionClassSpec,
        },
        types::{Int, KmsKeyRef},
    },
    domain::{account::AccountRegion, rejection::Rejection},
};

/// A class as jobs are bound to it: its spec, and the account that AWS confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// The class as a job's status names it. Its account is missing until it is verified.
    pub reference: ClassRef,
    /// The spec, as the platform team wrote it.
    pub spec: TranscriptionClassSpec,
}

impl Class {
    /// Makes it from a stored class and the account that AWS confirmed for it, if any.
    pub fn new(class: &TranscriptionClass, account_id: Option<String>) -> Self {
        let defaults = class.spec.job_defaults.as_ref();
        Self {
            reference: ClassRef {
                name: class.metadata.name.clone().unwrap_or_default(),
                uid: class.metadata.uid.clone(),
                generation: class.metadata.generation,
                region: class.spec.region.to_string(),
                account_id,
                ttl_seconds_after_finished: defaults.and_then(|d| d.ttl_seconds_after_finished).map(Int::get),
            },
            spec: class.spec.clone(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.reference.name
    }

    /// The AWS identity that it uses, if not the operator's own.
    pub fn identity(&self) -> Option<&ClassIdentity> {
        self.spec.identity.as_ref()
    }

    pub(in crate::domain) fn output(&self) -> Option<&ClassOutput> {
        self.spec.output.as_ref()
    }

    pub(in crate::domain) fn default_key(&self) -> Option<&KmsKeyRef> {
        self.encryption()?.default_kms_key_id.as_ref()
    }

    pub(in crate::domain) fn verify_access(&self) -> AccessCheck {
        self.encryption().map_or(AccessCheck::Warn, |rules| rules.verify_access)
    }

    pub(in crate::domain) fn encryption(&self) -> Option<&ClassEncryption> {
        self.spec.encryption.as_ref()
    }
}

/// The labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// Whether a namespace with these labels may use a class. An invalid selector selects nothing.
pub fn admits(spec: &TranscriptionClassSpec, namespace: &Labels) -> bool {
    let selects = |selector: &LabelSelector| {
        let has_values = selector.match_expressions.iter().flatten().all(has_values_if_any);
        has_values && Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(namespace))
    };
    spec.namespace_selector.as_ref().is_some_and(selects)
}

/// Whether the requirement has values exactly if its operator needs them, because `NotIn` without values would select
/// everything.
fn has_values_if_any(requirement: &LabelSelectorRequirement) -> bool {
    let wanted = matches!(requirement.operator.as_str(), "In" | "NotIn");
    wanted != requirement.values.as_ref().is_none_or(Vec::is_empty)
}

/// Returns the default class. Of several the newest is taken, as with a StorageClass, and of those of the same age the first by
/// name.
pub fn default_class<'a>(classes: impl IntoIterator<Item = &'a TranscriptionClass>) -> Option<&'a TranscriptionClass> {
    let is_default = |class: &&TranscriptionClass| {
        let annotations = class.metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(DEFAULT_CLASS_ANNOTATION))
            .is_some_and(|value| value == "true")
    };
    classes.into_iter().filter(is_default).min_by_key(|class| {
        let created = class.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (std::cmp::Reverse(created), class.metadata.name.clone())
    })
}

/// Returns the class that applies to a job. `namespace` has the labels of its namespace; `None` if they are not known yet.
///
/// # Errors
/// There is no such class, or the namespace may not use it. Both give the same message, which names only the classes that the
/// namespace may use, because tenants must not learn of others.
pub fn select<'a>(
    classes: &'a [impl AsRef<TranscriptionClass>],
    wanted: Option<&str>,
    namespace: Option<&Labels>,
) -> Result<&'a TranscriptionClass, Rejection> {
    let refused = |message: String| Rejection::field(Reason::NoClass, "spec.transcriptionClassName", message);
    let Some(labels) = namespace else {
        return Err(refused(
            "the job's namespace is not known yet; this passes by itself".to_owned(),
        ));
    };
    let live = || {
        classes
            .iter()
            .map(AsRef::as_ref)
            .filter(|class| class.metadata.deletion_timestamp.is_none())
    };
    let found = match wanted {
        Some(name) => live().find(|class| class.metadata.name.as_deref() == Some(name)),
        None => default_class(live()),
    };
    if let Some(class) = found.filter(|class| admits(&class.spec, labels)) {
        return Ok(class);
    }
    let usable = live().filter(|class| admits(&class.spec, labels));
    Err(refused(no_class(wanted, usable)))
}

/// The message for a class that does not exist, and also for one that the namespace may not use.
fn no_class<'a>(wanted: Option<&str>, usable: impl Iterator<Item = &'a TranscriptionClass>) -> String {
    let mut names: Vec<String> = usable.filter_map(|class| class.metadata.name.clone()).collect();
    names.sort();
    let what = match wanted {
        Some(name) => format!("there is no class '{name}' for this namespace"),
        None => "required: there is no default class for this namespace".to_owned(),
    };
    let advice = if names.is_empty() {
        "it may use none; ask your platform team".to_owned()
    } else {
        format!("it may use '{}'", names.join("', '"))
    };
    format!("{what}; {advice}")
}

/// Returns the class whose credentials are used for an object's records in an account and Region: the one that the object is
/// bound to if it is of that account and Region, or else the first one that is. `classes` gives each class's account and
/// Region.
pub fn works_at<'a>(
    classes: &'a [(String, Option<AccountRegion>)],
    bound: Option<&str>,
    at: &AccountRegion,
) -> Option<&'a str> {
    let mut there = classes
        .iter()
        .filter(|(_, works_in)| works_in.as_ref() == Some(at))
        .map(|(name, _)| name.as_str());
    there.clone().find(|name| Some(*name) == bound).or_else(|| there.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objects_own_class_looks_after_it_and_otherwise_one_of_the_same_place() {
        let place = |account: &str| AccountRegion {
            account: account.to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let classes = [
            ("a".to_owned(), Some(place("1"))),
            ("b".to_owned(), Some(place("1"))),
            ("c".to_owned(), Some(place("2"))),
            ("d".to_owned(), None),
        ];
        for (bound, account, works) in [
            (Some("b"), "1", Some("b")),
            (Some("gone"), "1", Some("a")),
            (None, "1", Some("a")),
            (Some("c"), "1", Some("a")),
            (Some("d"), "2", Some("c")),
            (Some("a"), "3", None),
        ] {
            assert_eq!(
                works_at(&classes, bound, &place(account)),
                works,
                "{bound:?} in {account}"
            );
        }
    }
}
