//! The classes that jobs are judged against, and the verdict on the manifest of a class.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use crate::{
    api::{
        GROUP, VERSION,
        transcription_class::{TranscriptionClass, TranscriptionClassSpec},
        types::KmsKeyRef,
    },
    cli::check::{
        input::Object,
        names::CLASS,
        outcome::{Verdict, merge},
        schema,
    },
    domain::{
        Class, JobView, Rejection,
        class::selection::{default_class, select},
    },
};

/// The label that every namespace has. It is the only one that is known offline.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const CLASS_FIELD: &str = "spec.transcriptionClassName";

/// Judges the manifest of a class.
pub(super) fn judge(mut object: Value) -> Verdict {
    schema::without_nulls(CLASS, &mut object);
    let broken = schema::breaches(CLASS, &object);
    let verdict = match TranscriptionClassSpec::parse(&object["spec"]) {
        Ok(spec) => Verdict {
            violations: Vec::new(),
            warnings: warnings(&spec),
        },
        Err(violations) => Verdict {
            violations,
            warnings: Vec::new(),
        },
    };
    merge(broken, verdict)
}

fn warnings(spec: &TranscriptionClassSpec) -> Vec<String> {
    let nobody = spec
        .namespace_selector
        .is_none()
        .then(|| "spec.namespaceSelector: not set, so that no namespace may use the class".to_owned());
    nobody.into_iter().collect()
}

/// The valid classes among these objects.
pub(super) fn among(objects: &[Object]) -> Vec<TranscriptionClass> {
    let is_class = |value: &Value| value["apiVersion"] == format!("{GROUP}/{VERSION}") && value["kind"] == CLASS;
    let read = |object: &Object| {
        let mut value = object.value.clone();
        schema::without_nulls(CLASS, &mut value);
        judge(value.clone())
            .violations
            .is_empty()
            .then(|| serde_json::from_value(value).ok())?
    };
    objects
        .iter()
        .filter(|object| is_class(&object.value))
        .filter_map(read)
        .collect()
}

/// The class that a job is judged against, and warnings about what cannot be judged offline. `None`: it is not among
/// these.
pub(super) fn chosen(
    classes: &[TranscriptionClass],
    job: &JobView,
    account: Option<&str>,
) -> Result<Option<(Class, Vec<String>)>, Rejection> {
    let name = |class: &TranscriptionClass| class.metadata.name.clone();
    let wanted = match (&job.class_name, classes) {
        (Some(wanted), _) => Some(wanted.clone()),
        // A single class applies whether it is the default class or not.
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

/// The class, with only those parts of its selector that the name of a namespace decides. Also returns its name if
/// other parts were dropped.
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

/// The warning that there is no class to judge a job by.
pub(super) fn not_given(job: &JobView) -> String {
    let what = match &job.class_name {
        Some(name) => format!("class '{name}' is not given by --class, or is not valid"),
        None => "which class is the default one is not given by --class".to_owned(),
    };
    format!("not judged: {CLASS_FIELD}: {what}")
}

/// The warning that the class could not judge a key, because the account of the key is not known.
pub(super) fn key_not_judged(key: Option<&KmsKeyRef>) -> Option<String> {
    let key_field = crate::domain::key::KEY_FIELD;
    key.map(|_| format!("not judged: {key_field}: whether the class allows the key (give --account)"))
}
