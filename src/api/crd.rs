//! The custom resource definitions as users get them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::Kind;

/// All CRDs.
pub fn crds() -> Vec<CustomResourceDefinition> {
    Kind::ALL.iter().map(|kind| kind.crd()).collect()
}

/// All CRDs as YAML, each with the name of its file.
///
/// # Errors
/// Only where a CRD cannot be written as YAML, which is a fault of the program.
pub fn render_crds() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let render = |crd: CustomResourceDefinition| {
        let name = format!("{}.yaml", crd.spec.names.plural);
        let mut crd = serde_json::to_value(crd).unwrap_or_default();
        whole_numbers(&mut crd);
        Ok((name, serde_saphyr::to_string(&crd)?))
    };
    crds().into_iter().map(render).collect()
}

/// Writes bounds as whole numbers: the type of a CRD has them as floats.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "bounds are small")]
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0) {
                *number = (float as i64).into();
            }
        }
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Makes a derived CRD plain: `nullable` goes, since the API server drops nulls where it is not said; the formats that it
/// does not know go; and descriptions lose the line breaks of the source.
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

/// The paths of the members of a spec that its kind does not know, such as `spec.encription`: an API server drops them,
/// and only strict clients are told.
pub fn unknown_members(kind: Kind, spec: &Value) -> Vec<String> {
    fn walk(schema: &Value, value: &Value, path: &str, unknown: &mut Vec<String>) {
        if let Some(items) = value.as_array() {
            for (i, item) in items.iter().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{i}]"), unknown);
            }
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            match schema["properties"].get(name).or(schema.get("additionalProperties")) {
                Some(schema) => walk(schema, member, &path, unknown),
                None => unknown.push(path),
            }
        }
    }
    let mut unknown = Vec::new();
    walk(&spec_schema(&kind.crd()), spec, "spec", &mut unknown);
    unknown
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
