//! The classes that manifests are judged against, and a class's own manifest.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::input::Object;
use super::schema;
use super::verdict::{Verdict, merge};
use crate::api::{
    GROUP, VERSION,
    transcription_class::{TranscriptionClass, TranscriptionClassSpec},
    types::KmsKeyRef,
};
use crate::lifecycle::class::{default_class, select};
use crate::lifecycle::{Class, Refusal, Subject};

/// The kind.
pub(super) const CLASS: &str = "TranscriptionClass";
/// The label that every namespace has, and the only one that is known offline.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const CLASS_FIELD: &str = "spec.transcriptionClassName";

/// Judges the manifest of a class.
pub(super) fn judge(mut object: Value) -> Verdict {
    schema::without_nulls(CLASS, &mut object);
    let broken = schema::breaches(CLASS, &object);
    let verdict = match TranscriptionClassSpec::parse(&object["spec"]) {
        Ok(spec) => Verdict {
            message: None,
            warnings: warnings(&spec),
        },
        Err(violations) => {
            let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Verdict::denied(told.join("; "))
        }
    };
    merge(&broken, verdict)
}

fn warnings(spec: &TranscriptionClassSpec) -> Vec<String> {
    let nobody = spec
        .namespace_selector
        .is_none()
        .then(|| "spec.namespaceSelector: not set, so that no namespace may use the class".to_owned());
    nobody.into_iter().collect()
}

/// The classes among these objects that are themselves allowed.
pub(super) fn among(objects: &[Object]) -> Vec<TranscriptionClass> {
    let is_class = |value: &Value| value["apiVersion"] == format!("{GROUP}/{VERSION}") && value["kind"] == CLASS;
    let read = |object: &Object| {
        let mut value = object.value.clone();
        schema::without_nulls(CLASS, &mut value);
        judge(value.clone())
            .message
            .is_none()
            .then(|| serde_json::from_value(value).ok())?
    };
    objects
        .iter()
        .filter(|object| is_class(&object.value))
        .filter_map(read)
        .collect()
}

/// A class that a job is judged against, and what of it cannot be judged offline. `None`: it is not among these.
pub(super) fn chosen(
    classes: &[TranscriptionClass],
    job: &Subject,
    account: Option<&str>,
) -> Result<Option<(Class, Vec<String>)>, Refusal> {
    let name = |class: &TranscriptionClass| class.metadata.name.clone();
    let wanted = match (&job.class_name, classes) {
        (Some(wanted), _) => Some(wanted.clone()),
        // The one that there is, whether it is the default one or not.
        (None, [only]) => name(only),
        (None, several) => default_class(several).and_then(name),
    };
    if wanted.is_none() || !classes.iter().any(|class| name(class) == wanted) {
        return Ok(None);
    }
    let (classes, unknown): (Vec<_>, Vec<_>) = classes.iter().map(by_name_alone).unzip();
    let labels = [(NAME_LABEL.to_owned(), job.namespace.clone())].into();
    let class = select(&classes, wanted.as_deref(), Some(&labels))?;
    let of_the_role = class
        .spec
        .identity
        .as_ref()
        .and_then(|identity| identity.role_arn.account());
    let by_labels = unknown.contains(&name(class)).then(|| {
        format!(
            "not judged: {CLASS_FIELD}: whether the labels of namespace '{}' are those that the class selects",
            job.namespace
        )
    });
    Ok(Some((
        Class::new(class, of_the_role.or(account).map(ToOwned::to_owned)),
        by_labels.into_iter().collect(),
    )))
}

/// The class with as much of its selector as the name of a namespace decides; and its name, if there is more.
fn by_name_alone(class: &TranscriptionClass) -> (Arc<TranscriptionClass>, Option<String>) {
    let mut known = class.clone();
    if let Some(LabelSelector {
        match_expressions,
        match_labels,
    }) = &mut known.spec.namespace_selector
    {
        if let Some(all) = match_expressions {
            all.retain(|requirement| requirement.key == NAME_LABEL);
        }
        if let Some(all) = match_labels {
            all.retain(|key, _| key == NAME_LABEL);
        }
    }
    let more = known.spec != class.spec;
    let name = class.metadata.name.clone().filter(|_| more);
    (Arc::new(known), name)
}

/// There is no class to judge a job by.
pub(super) fn not_given(job: &Subject) -> String {
    let what = match &job.class_name {
        Some(name) => format!("class '{name}' is not given by --class, or is no valid one"),
        None => "which class is the default one is not given by --class".to_owned(),
    };
    format!("not judged: {CLASS_FIELD}: {what}")
}

/// Whether the class allows a key of which the account is not known.
pub(super) fn key_not_judged(key: Option<&KmsKeyRef>) -> Option<String> {
    let key_field = crate::lifecycle::key::KEY_FIELD;
    key.map(|_| format!("not judged: {key_field}: whether the class allows the key (give --account)"))
}
