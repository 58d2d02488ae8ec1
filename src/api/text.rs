//! Building blocks of [`types`](super::types): strings with a pattern and rules, and enums.
//!
//! One definition gives a type its parser, its serde form and its JSON schema, so that what the API server accepts and
//! what the operator can parse do not drift apart.

use regex::Regex;
use schemars::{Schema, json_schema};
use serde_json::{Value, json};

/// Why a value is invalid. Says what is expected and never repeats the value, because it may be confidential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A string type with a bounded length, a pattern and rules. Implemented by [`text!`].
pub trait Text: Sized + TryFrom<String, Error = Invalid> {
    /// The pattern, anchored at both ends, in the syntax that Go's and Rust's regular expressions share. Empty where
    /// the rules cover everything, because the API server reports a pattern as the bare regex, but a rule with its
    /// message.
    const PATTERN: &'static str;
    /// The minimum length in characters.
    const MIN: usize;
    /// The maximum length in characters.
    const MAX: usize;
    /// What the text must be, in words: the error for a text that is too short or does not match the pattern.
    const EXPECTED: &'static str;
    /// Checks that are not part of the pattern, so that each has a message of its own.
    const RULES: &'static [TextRule];
}

/// A rule of a [`Text`] type. The API server (as CEL) and the parser use the same definition.
pub struct TextRule {
    /// The rule applies to texts that match this pattern; empty: to all.
    pub of: &'static str,
    /// The pattern that such a text must match. `None`: no such text is accepted.
    pub must_match: Option<&'static str>,
    /// What is wrong and what to do instead; begins with `must`.
    pub message: &'static str,
}

impl TextRule {
    /// The rule as a CEL expression about a variable.
    pub(super) fn cel(&self, variable: &str) -> String {
        let matches = |pattern: &str| format!("{variable}.matches('{}')", cel_text(pattern));
        match (self.of, self.must_match) {
            ("", pattern) => matches(pattern.unwrap_or_default()),
            (of, None) => format!("!{}", matches(of)),
            (of, Some(pattern)) => format!("!{} || {}", matches(of), matches(pattern)),
        }
    }
}

pub(super) fn cel_text(text: &str) -> String {
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

    /// Checks a value against the length, the pattern and the rules of its type.
    pub(super) fn check<T: Text>(&self, value: &str) -> Result<(), Invalid> {
        let length = value.chars().count();
        if length > T::MAX {
            return Err(Invalid::new(format!(
                "must be at most {} characters long, but has {length}",
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

/// Defines a string newtype: parser, serde form and schema from one definition.
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

/// Defines an enum whose variants are serialized as the given values.
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

        // Written by hand, because with a derived schema an optional enum would lose the description of its field.
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
