//! Validates an object against the schema of its CRD, as strictly as an API server with `fieldValidation=Strict`.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Map, Value, json};

use crate::api::crds;

/// The largest edit distance between an unknown field and the one that is suggested.
const MAX_DISTANCE: usize = 2;

/// A field that breaks the schema.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Breach {
    /// The field's path, such as `spec.settings.maxSpeakerLabels`.
    pub field: String,
    /// What is wrong. It never holds the value, which may be secret.
    pub message: String,
    /// The parser of the field describes better what is expected.
    pub vague: bool,
}

/// The schema of a kind, and its compiled form.
struct Schema {
    strict: Value,
    validator: Validator,
}

static SCHEMAS: LazyLock<HashMap<String, Schema>> = LazyLock::new(|| {
    let compiled = crds().into_iter().filter_map(|crd| {
        let kind = crd.spec.names.kind;
        let version = crd.spec.versions.into_iter().next()?;
        let root = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
        let strict = strict_object(root);
        let validator = jsonschema::options().offline().build(&strict).ok()?;
        Some((kind, Schema { strict, validator }))
    });
    compiled.collect()
});

/// The fields of an object that break the schema of its kind.
pub(super) fn breaches(kind: &str, object: &Value) -> Vec<Breach> {
    let Some(schema) = SCHEMAS.get(kind) else {
        return vec![breach(
            String::new(),
            "the schema of this kind cannot be used".to_owned(),
        )];
    };
    let errors = schema.validator.iter_errors(object);
    let mut found: Vec<_> = errors.flat_map(|error| describe(&schema.strict, &error)).collect();
    found.sort();
    found.dedup_by(|a, b| a.field == b.field);
    found
}

/// Drops the fields that are null, known to the schema and not nullable, as an API server does before it validates.
pub(super) fn without_nulls(kind: &str, object: &mut Value) {
    if let Some(schema) = SCHEMAS.get(kind) {
        drop_nulls(&schema.strict["properties"]["spec"], &mut object["spec"]);
    }
}

fn drop_nulls(schema: &Value, value: &mut Value) {
    for item in value.as_array_mut().into_iter().flatten() {
        drop_nulls(&schema["items"], item);
    }
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, value| !(value.is_null() && member(schema, name).is_some()));
        for (name, value) in members {
            if let Some(schema) = member(schema, name) {
                drop_nulls(schema, value);
            }
        }
    }
}

fn member<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let of_a_map = || schema.get("additionalProperties").filter(|schema| schema.is_object());
    schema["properties"].get(name).or_else(of_a_map)
}

/// The schema of a whole object. Any status is accepted, because an API server ignores it: only the operator writes it.
fn strict_object(mut root: Value) -> Value {
    root["properties"]["apiVersion"] = json!({"type": "string"});
    root["properties"]["kind"] = json!({"type": "string"});
    root["properties"]["metadata"] = metadata();
    root["properties"]["status"] = json!({});
    root["required"] = json!(["metadata", "spec"]);
    strict(&mut root);
    root["properties"]["metadata"]["additionalProperties"] = json!(true);
    root
}

/// The schema of the metadata that an API server requires of any object.
fn metadata() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let name = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 253, "pattern": name},
            "generateName": {"type": "string"},
            "namespace": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            "labels": texts, "annotations": texts,
        },
        "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
    })
}

/// Forbids unknown fields, and drops the keywords that only Kubernetes knows, because the parser checks their rules.
fn strict(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    members.retain(|name, _| !name.starts_with("x-kubernetes-") && name != "format" && name != "default");
    if let Some(Value::Object(fields)) = members.get_mut("properties") {
        fields.values_mut().for_each(strict);
        members.insert("additionalProperties".to_owned(), json!(false));
    }
    for inner in ["items", "additionalProperties"] {
        members.get_mut(inner).into_iter().for_each(strict);
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is another crate's, and may grow"
)]
fn describe(schema: &Value, error: &ValidationError<'_>) -> Vec<Breach> {
    let field = path(error.instance_path());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = fields_at(schema, error.instance_path());
            unexpected.iter().map(|name| unknown(&field, name, known)).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![breach(join(&field, name), "required".to_owned())]
        }
        ValidationErrorKind::AnyOf { .. } => vec![breach(join(&field, "name"), "required".to_owned())],
        kind => vec![Breach {
            field,
            message: wording(kind, error.instance()),
            vague: is_vague(kind),
        }],
    }
}

fn breach(field: String, message: String) -> Breach {
    Breach {
        field,
        message,
        vague: false,
    }
}

/// Whether the parser describes an error better: a malformed string, or a list or map of the wrong size.
fn is_vague(kind: &ValidationErrorKind) -> bool {
    use ValidationErrorKind as K;
    matches!(
        kind,
        K::Pattern { .. }
            | K::MinLength { .. }
            | K::MaxLength { .. }
            | K::MinItems { .. }
            | K::MaxItems { .. }
            | K::MinProperties { .. }
            | K::MaxProperties { .. }
    )
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is another crate's, and may grow"
)]
fn wording(kind: &ValidationErrorKind, value: &Value) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => format!("must be {}, and is {}", wanted(kind), name_of(value)),
        ValidationErrorKind::Enum { options } => format!("must be one of {}", list(options)),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {}", bound(limit)),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {}", bound(limit)),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::MinProperties { limit } => format!("must have at least {limit} entries"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} entries"),
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        other => format!("breaks the schema's rule '{}'", other.keyword()),
    }
}

/// Formats a bound. CRDs hold bounds as floats, and 10.0 has to be printed as 10.
fn bound(limit: &Value) -> String {
    limit
        .as_f64()
        .map_or_else(|| limit.to_string(), |limit| limit.to_string())
}

fn wanted(kind: &TypeKind) -> String {
    let kinds: Vec<_> = match kind {
        TypeKind::Single(kind) => vec![*kind],
        TypeKind::Multiple(kinds) => kinds.iter().collect(),
    };
    let names = kinds.into_iter().map(|kind| match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    });
    names.collect::<Vec<_>>().join(" or ")
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn list(options: &Value) -> String {
    let texts = options.as_array().into_iter().flatten();
    texts
        .map(|option| option.as_str().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(", ")
}

fn unknown(parent: &str, name: &str, known: Option<&Map<String, Value>>) -> Breach {
    let near = |candidate: &&String| {
        let (candidate, name) = (candidate.to_lowercase(), name.to_lowercase());
        strsim::osa_distance(&candidate, &name)
    };
    let meant = known
        .into_iter()
        .flat_map(Map::keys)
        .min_by_key(near)
        .filter(|name| near(name) <= MAX_DISTANCE);
    let message = match meant {
        Some(meant) => format!("unknown field; did you mean {}?", join(parent, meant)),
        None => "unknown field".to_owned(),
    };
    breach(join(parent, name), message)
}

/// The fields that the schema knows at a location in the object.
fn fields_at<'a>(schema: &'a Value, location: &Location) -> Option<&'a Map<String, Value>> {
    let schema = location.segments().try_fold(schema, |schema, segment| match segment {
        LocationSegment::Property(name) => member(schema, &name),
        LocationSegment::Index(_) => schema.get("items"),
    });
    schema?["properties"].as_object()
}

fn path(location: &Location) -> String {
    location.segments().fold(String::new(), |path, segment| match segment {
        LocationSegment::Property(name) => join(&path, &name),
        LocationSegment::Index(index) => format!("{path}[{index}]"),
    })
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}
