//! Building blocks of [`types`](super::types): bounded integers, lists and maps.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::text::{Invalid, Text, cel_text};

/// An integer from `MIN` to `MAX`, both included.
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

/// The `MAX` of a [`List`] that has no upper bound.
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

/// A map of `MIN` to `MAX` entries. An invalid key is an error of the whole map, as it is for the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, V>", into = "BTreeMap<K, V>")]
#[serde(bound(
    deserialize = "K: Text + Ord, V: Deserialize<'de>",
    serialize = "K: Ord + Clone + Serialize, V: Clone + Serialize"
))]
pub struct Map<K, V, const MIN: usize, const MAX: usize>(BTreeMap<K, V>);

impl<K: Text + Ord, V, const MIN: usize, const MAX: usize> TryFrom<BTreeMap<String, V>> for Map<K, V, MIN, MAX> {
    type Error = Invalid;

    fn try_from(entries: BTreeMap<String, V>) -> Result<Self, Invalid> {
        check_size(entries.len(), MIN, MAX, "entries")?;
        let entry = |(key, value)| Ok((K::try_from(key)?, value));
        let entries: Result<_, Invalid> = entries.into_iter().map(entry).collect();
        entries
            .map(Self)
            .map_err(|error| Invalid::new(format!("each key {error}")))
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
    /// The rules about keys are CEL, because a structural schema cannot constrain keys.
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
