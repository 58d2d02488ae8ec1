//! Checks values against the types of a schema. The API server has already done so for a spec, but not for the input of
//! the offline check, nor for a status that another version stored. Serde alone is not enough, because its errors name
//! Rust types and repeat the value, and it reads a list where an object is expected.

use serde_json::Value;

use crate::api::{schema::schema_of, violation::Violation};

/// Finds every place where `value` has the wrong type, lacks a required member, or is not one of the values of an enum.
/// `path` is the path of `value`. No message repeats a value, because it may be secret.
pub(super) fn faults(schema: &Value, value: &Value, path: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    walk(schema, value, path, &mut found);
    found
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<Violation>) {
    let mut fault = |path: &str, message: String| found.push(Violation::new(path, message));
    if let Some(wanted) = schema["type"].as_str().filter(|wanted| !is_of(wanted, value)) {
        fault(path, format!("must be {}, and is {}", article(wanted), name_of(value)));
        return;
    }
    if let Some(values) = schema["enum"].as_array().filter(|values| !values.contains(value)) {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        fault(path, format!("must be one of {}", values.join(", ")));
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.get(name).is_none_or(Value::is_null) {
            fault(&format!("{path}.{name}"), "required".to_owned());
        }
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        walk(&schema["items"], item, &format!("{path}[{i}]"), found);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        // The API server drops nulls before it validates.
        if let Some(schema) = schema_of(schema, name).filter(|_| !member.is_null()) {
            walk(schema, member, &format!("{path}.{name}"), found);
        }
    }
}

fn is_of(wanted: &str, value: &Value) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn article(wanted: &str) -> &'static str {
    match wanted {
        "object" => "an object",
        "array" => "a list",
        "string" => "a string",
        "boolean" => "a boolean",
        "integer" => "a whole number",
        _ => "a number",
    }
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
