//! What a schema says, without the parsers: its keywords by hand, and its rules either as CEL or, far faster, by the few forms
//! in which our rules are written.

use std::collections::HashMap;
use std::sync::OnceLock;

use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use regex::Regex;
use serde_json::Value;

/// A schema, ready to judge.
pub struct Oracle {
    schema: Value,
    cel: OnceLock<CompiledSchema>,
    rules: HashMap<String, Condition>,
    patterns: HashMap<String, Regex>,
}

impl Oracle {
    pub fn new(schema: Value) -> Self {
        let mut oracle = Self {
            cel: OnceLock::new(),
            rules: HashMap::new(),
            patterns: HashMap::new(),
            schema: Value::Null,
        };
        oracle.prepare(&schema);
        oracle.schema = schema;
        oracle
    }

    /// By keywords and by the forms of rules. Panics at a rule of another form.
    pub fn accepts(&self, value: &Value) -> bool {
        self.shape(&self.schema, value) && self.keeps_rules(&self.schema, value)
    }

    /// By keywords and by CEL.
    pub fn accepts_by_cel(&self, value: &Value) -> bool {
        let cel = self.cel.get_or_init(|| compile_schema(&self.schema));
        self.shape(&self.schema, value) && validate_compiled(cel, value, None).is_ok()
    }

    fn prepare(&mut self, schema: &Value) {
        if let Some(pattern) = schema["pattern"].as_str() {
            self.patterns.insert(pattern.to_owned(), Regex::new(pattern).unwrap());
        }
        for rule in rules(schema) {
            // Those about whole specs have other forms, and are left to CEL.
            if let Some(condition) = Condition::read(rule) {
                self.rules.insert(rule.to_owned(), condition);
            }
        }
        match schema {
            Value::Object(members) => members.values().for_each(|member| self.prepare(member)),
            Value::Array(items) => items.iter().for_each(|item| self.prepare(item)),
            _ => {}
        }
    }

    /// Types, bounds and patterns, here and below. Members that the schema does not know are pruned, and so accepted.
    fn shape(&self, schema: &Value, value: &Value) -> bool {
        if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
            return false;
        }
        let within = |least: &str, most: &str, size: usize| {
            let bound = |keyword: &str| schema[keyword].as_u64().map(|bound| bound as usize);
            bound(least).is_none_or(|least| size >= least) && bound(most).is_none_or(|most| size <= most)
        };
        match (schema["type"].as_str().unwrap_or_default(), value) {
            ("string", Value::String(text)) => {
                within("minLength", "maxLength", text.chars().count())
                    && schema["pattern"]
                        .as_str()
                        .is_none_or(|pattern| self.patterns[pattern].is_match(text))
            }
            ("boolean", Value::Bool(_)) => true,
            ("integer", Value::Number(number)) => number.as_i64().is_some_and(|number| {
                let bound = |keyword: &str| schema[keyword].as_f64().map(|bound| bound as i64);
                bound("minimum").is_none_or(|least| number >= least)
                    && bound("maximum").is_none_or(|most| number <= most)
            }),
            ("array", Value::Array(items)) => {
                within("minItems", "maxItems", items.len())
                    && items.iter().all(|item| self.shape(&schema["items"], item))
            }
            ("object", Value::Object(members)) => {
                let required = schema["required"].as_array().into_iter().flatten();
                required
                    .filter_map(Value::as_str)
                    .all(|name| members.contains_key(name))
                    && within("minProperties", "maxProperties", members.len())
                    && members
                        .iter()
                        .all(|(name, member)| child(schema, name).is_none_or(|child| self.shape(child, member)))
            }
            _ => false,
        }
    }

    /// The rules, here and below, of a value that has the right shape.
    fn keeps_rules(&self, schema: &Value, value: &Value) -> bool {
        let holds = |rule: &str| match self.rules.get(rule) {
            Some(condition) => condition.holds(value),
            None => panic!("a rule of an unknown form: {rule}"),
        };
        rules(schema).all(holds)
            && match value {
                Value::Object(members) => members
                    .iter()
                    .all(|(name, member)| child(schema, name).is_none_or(|child| self.keeps_rules(child, member))),
                _ => true,
            }
    }
}

fn child<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema["properties"]
        .get(name)
        .or_else(|| schema.get("additionalProperties"))
}

fn rules(schema: &Value) -> impl Iterator<Item = &str> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.filter_map(|rule| rule["rule"].as_str())
}

/// A rule of one of our forms.
enum Condition {
    Matches(Regex),
    Not(Box<Self>),
    Any(Vec<Self>),
    All(Vec<Self>),
    AtLeast(usize),
    AtMost(usize),
    EachKey(Box<Self>),
    KeysDifferInMoreThanCase,
}

impl Condition {
    fn read(rule: &str) -> Option<Self> {
        if rule == "self.all(k, self.exists_one(o, o.lowerAscii() == k.lowerAscii()))" {
            return Some(Self::KeysDifferInMoreThanCase);
        }
        match rule
            .strip_prefix("self.all(k, ")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            Some(of_key) => Some(Self::EachKey(Box::new(Self::about(of_key, "k")?))),
            None => Self::about(rule, "self"),
        }
    }

    fn about(text: &str, variable: &str) -> Option<Self> {
        let parts = |separator: &str| -> Option<Vec<Self>> {
            text.split(separator).map(|part| Self::about(part, variable)).collect()
        };
        if text.contains(" || ") {
            return parts(" || ").map(Self::Any);
        }
        if text.contains(" && ") {
            return parts(" && ").map(Self::All);
        }
        if let Some(negated) = text.strip_prefix('!') {
            return Some(Self::Not(Box::new(Self::about(negated, variable)?)));
        }
        let call = text.strip_prefix(variable)?;
        if let Some(bound) = call.strip_prefix(".size() >= ") {
            return bound.parse().ok().map(Self::AtLeast);
        }
        if let Some(bound) = call.strip_prefix(".size() <= ") {
            return bound.parse().ok().map(Self::AtMost);
        }
        let literal = call.strip_prefix(".matches('")?.strip_suffix("')")?;
        Regex::new(&unescaped(literal)?).ok().map(Self::Matches)
    }

    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::EachKey(condition), Value::Object(members)) => members.keys().all(|key| condition.holds_for(key)),
            (Self::KeysDifferInMoreThanCase, Value::Object(members)) => members
                .keys()
                .all(|key| members.keys().filter(|other| other.eq_ignore_ascii_case(key)).count() == 1),
            (condition, Value::String(text)) => condition.holds_for(text),
            (_, value) => panic!("a rule about another type: {value}"),
        }
    }

    fn holds_for(&self, text: &str) -> bool {
        match self {
            Self::Matches(pattern) => pattern.is_match(text),
            Self::Not(condition) => !condition.holds_for(text),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds_for(text)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds_for(text)),
            Self::AtLeast(least) => text.chars().count() >= *least,
            Self::AtMost(most) => text.chars().count() <= *most,
            Self::EachKey(_) | Self::KeysDifferInMoreThanCase => panic!("a rule about a map"),
        }
    }
}

/// The text of a literal of CEL. `None`: it has an escape that our rules do not use.
fn unescaped(literal: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = literal.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(|c| matches!(c, '\\' | '\''))?),
            '\'' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}
