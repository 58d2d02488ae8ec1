//! The machinery of [`types`](super::types): text with a pattern, and bounded numbers, lists and maps.
//!
//! Each type is one definition for its parser, its serde form and its JSON schema, so that what the API server accepts
//! and what the operator can read do not drift apart.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why a value is not of its type. Says what is expected and never repeats the value, which may be confidential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A text that must keep its length, match a pattern and hold its rules. Implemented by [`text!`].
pub trait Text: Sized + TryFrom<String, Error = Invalid> {
    /// The pattern, anchored at both ends, in the syntax that Go's and Rust's regular expressions share. Empty where the
    /// rules say it all: the API server shows a broken pattern bare, and a broken rule with its message.
    const PATTERN: &'static str;
    /// The least number of characters.
    const MIN: usize;
    /// The greatest number of characters.
    const MAX: usize;
    /// What the text is, for a person who broke the pattern.
    const EXPECTED: &'static str;
    /// What is told apart from the pattern, because it has a message of its own.
    const RULES: &'static [TextRule];
}

/// A rule of a [`Text`] type, once for the API server (as CEL) and for the parser.
pub struct TextRule {
    /// Which texts the rule is about, as a pattern; empty: all.
    pub of: &'static str,
    /// What such a text must match. `None`: no such text is accepted.
    pub must_match: Option<&'static str>,
    /// What is wrong and what to do instead; begins with `must`.
    pub message: &'static str,
}

impl TextRule {
    /// The rule in CEL, about a variable.
    fn cel(&self, variable: &str) -> String {
        let matches = |pattern: &str| format!("{variable}.matches('{}')", cel_text(pattern));
        match (self.of, self.must_match) {
            ("", pattern) => matches(pattern.unwrap_or_default()),
            (of, None) => format!("!{}", matches(of)),
            (of, Some(pattern)) => format!("!{} || {}", matches(of), matches(pattern)),
        }
    }
}

fn cel_text(text: &str) -> String {
    text.replace('\\', r"\\").replace('\'', r"\'")
}

/// The patterns of a [`Text`] type, compiled.
pub(super) struct Compiled {
    pattern: Regex,
    rules: Vec<(Regex, Option<Regex>, &'static str)>,
}

impl Compiled {
    /// `None` where a pattern does not compile; the tests compile every one.
    pub(super) fn new<T: Text>() -> Option<Self> {
        let rule = |rule: &TextRule| {
            let must_match = rule.must_match.map(Regex::new).transpose().ok()?;
            Some((Regex::new(rule.of).ok()?, must_match, rule.message))
        };
        Some(Self {
            pattern: Regex::new(T::PATTERN).ok()?,
            rules: T::RULES.iter().map(rule).collect::<Option<_>>()?,
        })
    }

    /// Checks a value against all that its type asks for.
    pub(super) fn check<T: Text>(&self, value: &str) -> Result<(), Invalid> {
        let length = value.chars().count();
        if length > T::MAX {
            return Err(Invalid::new(format!(
                "must be at most {} characters long, and has {length}",
                T::MAX
            )));
        }
        if length < T::MIN || !self.pattern.is_match(value) {
            return Err(Invalid::new(format!("must be {}", T::EXPECTED)));
        }
        let broken = self.rules.iter().find(|(of, must_match, _)| {
            of.is_match(value) && !must_match.as_ref().is_some_and(|pattern| pattern.is_match(value))
        });
        broken.map_or(Ok(()), |(_, _, message)| Err(Invalid::new(*message)))
    }
}

pub(super) fn text_schema<T: Text>() -> Schema {
    let mut schema = json_schema!({"type": "string", "minLength": T::MIN, "maxLength": T::MAX});
    if !T::PATTERN.is_empty() {
        schema.insert("pattern".to_owned(), json!(T::PATTERN));
    }
    let rules: Vec<Value> = T::RULES
        .iter()
        .map(|rule| json!({"rule": rule.cel("self"), "message": rule.message}))
        .collect();
    if !rules.is_empty() {
        schema.insert("x-kubernetes-validations".to_owned(), Value::Array(rules));
    }
    schema
}

/// Defines a text newtype: parser, serde and schema from one definition.
macro_rules! text {
    ($(#[$meta:meta])* $name:ident {
        $(pattern: $pattern:expr,)? length: $min:literal ..= $max:literal, expected: $expected:expr
        $(, rules: $rules:expr)? $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $crate::api::text::Text for $name {
            const PATTERN: &'static str = concat!($($pattern)?);
            const MIN: usize = $min;
            const MAX: usize = $max;
            const EXPECTED: &'static str = $expected;
            const RULES: &'static [$crate::api::text::TextRule] = $crate::api::text::rules![$($rules)?];
        }

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::api::text::Invalid;

            fn try_from(value: String) -> Result<Self, Self::Error> {
                static COMPILED: std::sync::LazyLock<Option<$crate::api::text::Compiled>> =
                    std::sync::LazyLock::new($crate::api::text::Compiled::new::<$name>);
                let compiled = COMPILED.as_ref().ok_or_else(|| Self::Error::new("has a pattern that cannot be read"))?;
                compiled.check::<Self>(&value)?;
                Ok(Self(value))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::api::text::Invalid;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::api::text::text_schema::<Self>()
            }
        }
    };
}
pub(super) use text;

macro_rules! rules {
    () => {
        &[]
    };
    ($rules:expr) => {
        &$rules
    };
}
pub(super) use rules;

/// Defines an enum that is written as the AWS values.
macro_rules! closed_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $value)] $variant),+
        }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $value),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        // Derived, the schema of an optional enum would lose the description of its field.
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "enum": [$($value),+]})
            }
        }
    };
}
pub(super) use closed_enum;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Int<const MIN: i32, const MAX: i32>(i32);

impl<const MIN: i32, const MAX: i32> Int<MIN, MAX> {
    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl<const MIN: i32, const MAX: i32> TryFrom<i64> for Int<MIN, MAX> {
    type Error = Invalid;

    fn try_from(value: i64) -> Result<Self, Invalid> {
        i32::try_from(value)
            .ok()
            .filter(|value| (MIN..=MAX).contains(value))
            .map(Self)
            .ok_or_else(|| Invalid::new(format!("must be from {MIN} to {MAX}, and is {value}")))
    }
}

impl<const MIN: i32, const MAX: i32> From<Int<MIN, MAX>> for i64 {
    fn from(value: Int<MIN, MAX>) -> Self {
        value.0.into()
    }
}

impl<const MAX: i32> Default for Int<0, MAX> {
    fn default() -> Self {
        Self(0)
    }
}

impl<const MIN: i32, const MAX: i32> fmt::Display for Int<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: i32, const MAX: i32> JsonSchema for Int<MIN, MAX> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Int{MIN}To{MAX}").into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "format": "int32", "minimum": MIN, "maximum": MAX})
    }
}

/// A list of `MIN` to `MAX` items ([`UNBOUNDED`]: any number).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>")]
#[serde(bound(deserialize = "T: Deserialize<'de>", serialize = "T: Clone + Serialize"))]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

/// No upper bound of a [`List`].
pub const UNBOUNDED: usize = usize::MAX;

impl<T, const MIN: usize, const MAX: usize> TryFrom<Vec<T>> for List<T, MIN, MAX> {
    type Error = Invalid;

    fn try_from(items: Vec<T>) -> Result<Self, Invalid> {
        check_size(items.len(), MIN, MAX, "items")?;
        Ok(Self(items))
    }
}

impl<T, const MIN: usize, const MAX: usize> From<List<T, MIN, MAX>> for Vec<T> {
    fn from(list: List<T, MIN, MAX>) -> Self {
        list.0
    }
}

impl<T, const MIN: usize, const MAX: usize> Deref for List<T, MIN, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: JsonSchema, const MIN: usize, const MAX: usize> JsonSchema for List<T, MIN, MAX> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("List{MIN}To{MAX}Of{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({"type": "array", "items": generator.subschema_for::<T>()});
        if MIN > 0 {
            schema.insert("minItems".to_owned(), json!(MIN));
        }
        if MAX < UNBOUNDED {
            schema.insert("maxItems".to_owned(), json!(MAX));
        }
        schema
    }
}

/// A map of `MIN` to `MAX` entries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<K, V>", into = "BTreeMap<K, V>")]
#[serde(bound(
    deserialize = "K: Ord + Deserialize<'de>, V: Deserialize<'de>",
    serialize = "K: Ord + Clone + Serialize, V: Clone + Serialize"
))]
pub struct Map<K, V, const MIN: usize, const MAX: usize>(BTreeMap<K, V>);

impl<K, V, const MIN: usize, const MAX: usize> TryFrom<BTreeMap<K, V>> for Map<K, V, MIN, MAX> {
    type Error = Invalid;

    fn try_from(entries: BTreeMap<K, V>) -> Result<Self, Invalid> {
        check_size(entries.len(), MIN, MAX, "entries")?;
        Ok(Self(entries))
    }
}

impl<K, V, const MIN: usize, const MAX: usize> From<Map<K, V, MIN, MAX>> for BTreeMap<K, V> {
    fn from(map: Map<K, V, MIN, MAX>) -> Self {
        map.0
    }
}

impl<K, V, const MIN: usize, const MAX: usize> Deref for Map<K, V, MIN, MAX> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.0
    }
}

impl<K: Text, V: JsonSchema, const MIN: usize, const MAX: usize> JsonSchema for Map<K, V, MIN, MAX> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Map{MIN}To{MAX}Of{}", V::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    /// A structural schema has no place for rules about keys, so they are CEL.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (min, max, pattern) = (K::MIN, K::MAX, cel_text(K::PATTERN));
        let keys = json!({
            "rule": format!("self.all(k, k.size() >= {min} && k.size() <= {max} && k.matches('{pattern}'))"),
            "message": format!("each key must be {}", K::EXPECTED),
        });
        let of_keys = K::RULES.iter().map(|rule| {
            json!({"rule": format!("self.all(k, {})", rule.cel("k")),
                   "message": format!("each key {}", rule.message)})
        });
        let rules: Vec<Value> = std::iter::once(keys).chain(of_keys).collect();
        let mut schema = json_schema!({
            "type": "object", "additionalProperties": generator.subschema_for::<V>(), "maxProperties": MAX,
            "x-kubernetes-validations": rules,
        });
        if MIN > 0 {
            schema.insert("minProperties".to_owned(), json!(MIN));
        }
        schema
    }
}

fn check_size(size: usize, min: usize, max: usize, what: &str) -> Result<(), Invalid> {
    if (min..=max).contains(&size) {
        return Ok(());
    }
    let bound = if size < min {
        format!("at least {min}")
    } else {
        format!("at most {max}")
    };
    Err(Invalid::new(format!("must have {bound} {what}, and has {size}")))
}
