//! Schemas of custom resource definitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition,
};
use serde_json::Value;

/// The columns that `kubectl get` shows for a job of any kind: the name and the JSON path of each.
const COLUMNS: [(&str, &str); 4] = [
    ("Status", r#".status.conditions[?(@.type=="Ready")].reason"#),
    ("Class", ".status.class.name"),
    ("Duration", ".status.duration"),
    ("Age", ".metadata.creationTimestamp"),
];
/// The columns that only `kubectl get -o wide` shows.
const WIDE_COLUMNS: [(&str, &str); 4] = [
    ("Language", ".status.languageCode"),
    ("Key", ".status.encryption.kmsKeyArn"),
    ("Job", ".status.jobName"),
    ("Transcript", ".status.output.transcriptUri"),
];

/// Adds the columns that all jobs have to a CRD.
pub(super) fn with_columns(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let column = |(name, path): (&str, &str), priority| CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: if path.ends_with("Timestamp") { "date" } else { "string" }.to_owned(),
        json_path: path.to_owned(),
        priority,
        ..CustomResourceColumnDefinition::default()
    };
    let columns = COLUMNS.map(|it| column(it, None)).into_iter();
    let columns: Vec<_> = columns.chain(WIDE_COLUMNS.map(|it| column(it, Some(1)))).collect();
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = Some(columns.clone());
    }
    crd
}

/// Simplifies a derived CRD. Removes `nullable`, because without it the API server drops nulls; removes the formats
/// that the API server does not know; and removes the line breaks of the source from descriptions.
pub(super) fn tidy(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version
            .schema
            .take()
            .and_then(|schema| serde_json::to_value(schema).ok());
        version.schema = schema.and_then(|mut schema| {
            tidy_schema(&mut schema);
            serde_json::from_value(schema).ok()
        });
    }
    crd
}

/// The schema of the spec alone.
pub(super) fn spec_schema(crd: &CustomResourceDefinition) -> Value {
    let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
    let spec = schema.and_then(|schema| schema.open_api_v3_schema.as_ref()?.properties.as_ref()?.get("spec"));
    serde_json::to_value(spec).unwrap_or_default()
}

/// The schema of a member of an object: of a field, or of the entries of a map.
pub(super) fn schema_of<'a>(object: &'a Value, member: &str) -> Option<&'a Value> {
    object["properties"].get(member).or(object.get("additionalProperties"))
}

fn tidy_schema(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, value| !(name == "nullable" && value.is_boolean()));
            if let Some(Value::Array(values)) = members.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if members
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| format.starts_with("uint"))
            {
                members.remove("format");
            }
            if let Some(Value::String(description)) = members.get_mut("description") {
                let paragraphs: Vec<String> = description.split("\n\n").map(|text| text.replace('\n', " ")).collect();
                *description = paragraphs.join("\n\n");
            }
            members.values_mut().for_each(tidy_schema);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy_schema),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
