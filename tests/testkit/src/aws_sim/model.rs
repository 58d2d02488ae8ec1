//! The AWS model and the check of a request against it.
//!
//! AWS checks on its side and matches patterns against the whole value, although the model does not anchor them. All
//! violations are reported together; a body that is not of the operation's shape is refused before any of them.

mod query;

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::error::AwsError;

/// The extracts that `aws-model/extract.py` makes.
const TRANSCRIBE: &str = include_str!("../../aws-model/transcribe.json");
const KMS: &str = include_str!("../../aws-model/kms.json");
const STS: &str = include_str!("../../aws-model/sts.json");

/// The operations and shapes of one service.
#[derive(Debug, Deserialize)]
pub struct Model {
    metadata: Metadata,
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
    #[serde(skip)]
    patterns: HashMap<String, Regex>,
    /// The code of a violation.
    #[serde(skip)]
    invalid: &'static str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    endpoint_prefix: String,
    /// Empty in the Query protocol, which has no targets.
    #[serde(default)]
    target_prefix: String,
}

#[derive(Debug, Deserialize)]
struct Operation {
    input: Reference,
    output: Option<Reference>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    shape: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Shape {
    Structure {
        #[serde(default)]
        members: BTreeMap<String, Reference>,
        #[serde(default)]
        required: Vec<String>,
    },
    List {
        member: Reference,
        #[serde(flatten)]
        bounds: Bounds,
    },
    Map {
        key: Reference,
        value: Reference,
        #[serde(flatten)]
        bounds: Bounds,
    },
    String {
        pattern: Option<String>,
        #[serde(rename = "enum")]
        values: Option<Vec<String>>,
        #[serde(flatten)]
        bounds: Bounds,
    },
    Integer {
        #[serde(flatten)]
        bounds: Bounds,
    },
    Blob {
        #[serde(flatten)]
        bounds: Bounds,
    },
    Float {},
    Boolean {},
    Timestamp {},
}

#[derive(Debug, Deserialize)]
struct Bounds {
    min: Option<i64>,
    max: Option<i64>,
}

impl Model {
    /// The model of Amazon Transcribe.
    pub fn transcribe() -> anyhow::Result<Self> {
        Self::load(TRANSCRIBE, "BadRequestException")
    }

    /// The model of AWS KMS.
    pub fn kms() -> anyhow::Result<Self> {
        Self::load(KMS, "ValidationException")
    }

    /// The model of AWS STS.
    pub fn sts() -> anyhow::Result<Self> {
        Self::load(STS, "ValidationError")
    }

    /// Read an extract and compile its patterns.
    fn load(extract: &str, invalid: &'static str) -> anyhow::Result<Self> {
        let mut model: Self = serde_json::from_str(extract).context("the extract of the AWS model")?;
        model.invalid = invalid;
        for shape in model.shapes.values() {
            if let Shape::String {
                pattern: Some(pattern), ..
            } = shape
            {
                // A word character of AWS is one of ASCII.
                let ascii = pattern.replace(r"\w", "0-9A-Za-z_");
                let whole = Regex::new(&format!("^(?:{ascii})$"))?;
                model.patterns.insert(pattern.clone(), whole);
            }
        }
        Ok(model)
    }

    /// The service's name in a credential scope.
    pub(super) fn service(&self) -> &str {
        &self.metadata.endpoint_prefix
    }

    /// Whether an `X-Amz-Target` is of this service, be there such an operation or not.
    pub(super) fn is_target(&self, target: &str) -> bool {
        target.split('.').next() == Some(&self.metadata.target_prefix)
    }

    /// The operation that an `X-Amz-Target` names.
    pub(super) fn operation<'t>(&self, target: &'t str) -> Option<&'t str> {
        let name = target.strip_prefix(&self.metadata.target_prefix)?.strip_prefix('.')?;
        self.operations.contains_key(name).then_some(name)
    }

    /// The member names of an operation's input.
    pub fn input_members(&self, operation: &str) -> Vec<&str> {
        self.operations
            .get(operation)
            .map_or_else(Vec::new, |found| self.members(&found.input.shape))
    }

    /// The member names of a structure; none for any other shape.
    pub fn members(&self, shape: &str) -> Vec<&str> {
        match self.shapes.get(shape) {
            Some(Shape::Structure { members, .. }) => members.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Check an operation's input.
    pub fn check_input(&self, operation: &str, body: &Value) -> Result<(), AwsError> {
        match self.operations.get(operation) {
            Some(found) => self.check(&found.input.shape, body),
            None => Err(AwsError::new("UnknownOperationException", "")),
        }
    }

    /// Check an operation's output; one without an output shape answers an empty object.
    pub fn check_output(&self, operation: &str, body: &Value) -> Result<(), AwsError> {
        match self.operations.get(operation).map(|found| &found.output) {
            Some(Some(output)) => self.check(&output.shape, body),
            Some(None) if body.as_object().is_some_and(serde_json::Map::is_empty) => Ok(()),
            _ => Err(AwsError::serialization("no such output")),
        }
    }

    fn check(&self, shape: &str, value: &Value) -> Result<(), AwsError> {
        self.types(shape, value)?;
        let mut found = Vec::new();
        self.violations(shape, value, "", &mut found);
        let text = match found.len() {
            0 => return Ok(()),
            1 => format!("1 validation error detected: {}", found[0]),
            n => format!("{n} validation errors detected: {}", found.join("; ")),
        };
        Err(AwsError::new(self.invalid, text))
    }

    /// Types and member names. A null member counts as absent.
    fn types(&self, shape: &str, value: &Value) -> Result<(), AwsError> {
        match (self.shapes.get(shape), value) {
            (Some(Shape::Structure { members, .. }), Value::Object(given)) => given
                .iter()
                .filter(|(_, value)| !value.is_null())
                .try_for_each(|(name, value)| {
                    let member = members.get(name);
                    let member = member.ok_or_else(|| AwsError::serialization(format!("Unknown member: {name}")))?;
                    self.types(&member.shape, value)
                }),
            (Some(Shape::List { member, .. }), Value::Array(given)) => {
                given.iter().try_for_each(|value| self.types(&member.shape, value))
            }
            (Some(Shape::Map { value: member, .. }), Value::Object(given)) => {
                given.values().try_for_each(|value| self.types(&member.shape, value))
            }
            (Some(Shape::String { .. }), Value::String(_))
            | (Some(Shape::Boolean {}), Value::Bool(_))
            | (Some(Shape::Float {} | Shape::Timestamp {}), Value::Number(_)) => Ok(()),
            (Some(Shape::Integer { .. }), Value::Number(number)) if number.is_i64() => Ok(()),
            (Some(Shape::Blob { .. }), Value::String(text)) if decoded_length(text).is_some() => Ok(()),
            (_, given) => Err(AwsError::serialization(format!(
                "{} can not be converted to {shape}",
                type_name(given)
            ))),
        }
    }

    /// Required members, bounds, patterns and enums, below structures and down to the leaves.
    fn violations(&self, shape: &str, value: &Value, path: &str, found: &mut Vec<String>) {
        for constraint in self.broken(shape, value) {
            found.push(violation(value, path, &constraint));
        }
        match (self.shapes.get(shape), value) {
            (Some(Shape::Structure { members, required }), Value::Object(given)) => {
                for name in required
                    .iter()
                    .filter(|name| given.get(*name).is_none_or(Value::is_null))
                {
                    found.push(violation(
                        &Value::Null,
                        &join(path, &member_path(name)),
                        "Member must not be null",
                    ));
                }
                for (name, member) in members {
                    if let Some(value) = given.get(name).filter(|value| !value.is_null()) {
                        self.violations(&member.shape, value, &join(path, &member_path(name)), found);
                    }
                }
            }
            (Some(Shape::List { member, .. }), Value::Array(given)) if self.nested(&member.shape) => {
                for (index, item) in given.iter().enumerate() {
                    self.violations(&member.shape, item, &format!("{path}.{}.member", index + 1), found);
                }
            }
            (Some(Shape::Map { value: member, .. }), Value::Object(given)) if self.nested(&member.shape) => {
                for (key, item) in given {
                    self.violations(&member.shape, item, &format!("{path}.{key}.member"), found);
                }
            }
            _ => {}
        }
    }

    fn nested(&self, shape: &str) -> bool {
        matches!(self.shapes.get(shape), Some(Shape::Structure { .. }))
    }

    /// The constraints of the shape itself that the value breaks, and for lists and maps those of their scalars.
    fn broken(&self, shape: &str, value: &Value) -> Vec<String> {
        let mut broken = Vec::new();
        match (self.shapes.get(shape), value) {
            (
                Some(Shape::String {
                    pattern,
                    values,
                    bounds,
                }),
                Value::String(text),
            ) => {
                broken.extend(bounds.broken("length", text.encode_utf16().count()));
                if let Some(values) = values.as_ref().filter(|values| !values.contains(text)) {
                    broken.push(format!("Member must satisfy enum value set: [{}]", values.join(", ")));
                }
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !self.matches(pattern, text)) {
                    broken.push(format!("Member must satisfy regular expression pattern: {pattern}"));
                }
            }
            (Some(Shape::Integer { bounds }), Value::Number(number)) => {
                broken.extend(number.as_i64().and_then(|number| bounds.broken("value", number)));
            }
            (Some(Shape::Blob { bounds }), Value::String(text)) => {
                broken.extend(decoded_length(text).and_then(|length| bounds.broken("length", length)));
            }
            (Some(Shape::List { member, bounds }), Value::Array(given)) => {
                broken.extend(bounds.broken("length", given.len()));
                broken.extend(
                    given
                        .iter()
                        .find_map(|item| self.broken_inside("Member", &member.shape, item)),
                );
            }
            (
                Some(Shape::Map {
                    key,
                    value: member,
                    bounds,
                }),
                Value::Object(given),
            ) => {
                broken.extend(bounds.broken("length", given.len()));
                let mut keys = given.keys().map(|key| Value::from(key.as_str()));
                broken.extend(keys.find_map(|name| self.broken_inside("Map keys", &key.shape, &name)));
                broken.extend(
                    given
                        .values()
                        .find_map(|item| self.broken_inside("Map value", &member.shape, item)),
                );
            }
            _ => {}
        }
        broken
    }

    fn broken_inside(&self, what: &str, shape: &str, item: &Value) -> Option<String> {
        let broken = self.broken(shape, item);
        (!broken.is_empty()).then(|| format!("{what} must satisfy constraint: [{}]", broken.join(", ")))
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        self.patterns.get(pattern).is_some_and(|pattern| pattern.is_match(text))
    }
}

impl Bounds {
    fn broken(&self, of: &str, given: impl TryInto<i64>) -> Option<String> {
        let given = given.try_into().unwrap_or(i64::MAX);
        match (self.min, self.max) {
            (Some(min), _) if given < min => Some(format!("Member must have {of} greater than or equal to {min}")),
            (_, Some(max)) if given > max => Some(format!("Member must have {of} less than or equal to {max}")),
            _ => None,
        }
    }
}

fn violation(value: &Value, path: &str, constraint: &str) -> String {
    let value = if value.is_null() {
        "null".to_owned()
    } else {
        format!("'{}'", plain(value))
    };
    format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}")
}

/// A value as AWS prints it in a violation: no quotes, `[a, b]`, `{k=v}`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|(key, value)| format!("{key}={}", plain(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// How many bytes a text in base64 stands for; none if it is not base64.
fn decoded_length(text: &str) -> Option<usize> {
    let digits = text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text);
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    let well_formed = text.len().is_multiple_of(4) && digits.bytes().all(digit);
    well_formed.then_some(digits.len() * 3 / 4)
}

/// Members appear in violations with a small first letter.
pub(super) fn member_path(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn join(path: &str, member: &str) -> String {
    if path.is_empty() {
        member.to_owned()
    } else {
        format!("{path}.{member}")
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(_) => "BOOLEAN_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "ARRAY_VALUE",
        Value::Object(_) => "OBJECT_VALUE",
    }
}
