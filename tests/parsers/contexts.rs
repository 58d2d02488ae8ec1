//! The encryption as a whole: a key and a context, of right and wrong types.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use transcribe_operator::api::{Kind, common::Encryption, crds};

use crate::oracle::Oracle;
use crate::{cases, corpus, fuzz, keys, making};

const NAMES: &[&str] = &[
    "department",
    "Department",
    "team",
    "a",
    "A",
    "_-/\\:.",
    "aws-team",
    "aws:s3:arn",
    "cost center",
];
const VALUES: &[&str] = &[
    "finance",
    "  finance  ",
    "_ - / \\ :",
    "a",
    "4711",
    "arn:aws:s3:::bucket/key",
    "{\"a\": 1}",
];

/// The schema of a kind's spec, from the CRD.
pub fn spec_schema() -> Value {
    let crd = crds()
        .into_iter()
        .find(|crd| crd.spec.names.kind == Kind::TranscriptionJob.name())
        .unwrap();
    let schema = crd.spec.versions[0]
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .as_ref()
        .unwrap();
    serde_json::to_value(schema).unwrap()["properties"]["spec"].take()
}

static SCHEMA: LazyLock<Oracle> = LazyLock::new(|| Oracle::new(spec_schema()["properties"]["encryption"].take()));

/// The parser and the schema agree. Whether the encryption is accepted.
pub fn agree(encryption: &Value) -> Result<bool, String> {
    let parsed = serde_json::from_value::<Encryption>(encryption.clone());
    // The one rule about a context as a whole, which the parser leaves to CEL: `specs` judges it there.
    let alike = encryption["context"].as_object().is_some_and(|context| {
        let alike = |key: &String| context.keys().filter(|other| other.eq_ignore_ascii_case(key)).count() > 1;
        context.keys().any(alike)
    });
    let (parser, schema) = (parsed.is_ok() && !alike, SCHEMA.accepts(encryption));
    if parser != schema {
        return Err(format!("the parser says {parsed:?}, and the schema {schema}"));
    }
    let lost = parsed.is_ok_and(|parsed| {
        let again = serde_json::to_value(parsed).unwrap();
        ["kmsKeyId", "context"]
            .iter()
            .any(|member| again.get(member) != encryption.get(member))
    });
    if lost {
        Err("it is read otherwise than written".to_owned())
    } else {
        Ok(parser)
    }
}

/// Encryptions: mostly objects with a key and a context of few pairs, now and then of other types or many pairs.
pub fn encryptions() -> impl Strategy<Value = Value> + Clone {
    let key = prop_oneof![
        8 => making::texts(keys::STOCK).prop_map(Value::from),
        30 => proptest::sample::select(keys::STOCK).prop_map(Value::from),
        1 => odd(),
    ];
    let value = prop_oneof![
        5 => making::texts(VALUES).prop_map(Value::from),
        40 => proptest::sample::select(VALUES).prop_map(Value::from),
        1 => odd(),
    ];
    let name = prop_oneof![
        1 => making::texts(NAMES).boxed(),
        8 => proptest::sample::select(&NAMES[..7]).prop_map(str::to_owned).boxed(),
    ];
    let pairs = prop_oneof![9 => 0..4_usize, 1 => 9..13_usize];
    let pairs = (pairs, prop::collection::vec((name, value), 3)).prop_map(|(count, some)| context(count, some));
    let context = prop_oneof![20 => pairs, 1 => odd()];
    let object = (prop::option::of(key), prop::option::of(context)).prop_map(|(key, context)| {
        let members = [("kmsKeyId", key), ("context", context)];
        let given = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(given.collect())
    });
    prop_oneof![60 => object, 1 => Just(json!("alias/a")), 1 => Just(json!(true)), 1 => Just(json!(7))]
}

/// The first pairs as made; what is wanted beyond them is filled up.
fn context(count: usize, some: Vec<(String, Value)>) -> Value {
    let filled = (some.len()..count).map(|n| (format!("filled-{n}"), json!("x")));
    Value::Object(some.into_iter().take(count).chain(filled).collect())
}

fn odd() -> impl Strategy<Value = Value> + Clone {
    proptest::sample::select(vec![
        json!(1),
        json!(1.5),
        json!(true),
        json!(["a"]),
        json!([]),
        json!({"a": "b"}),
        json!({}),
        json!(""),
    ])
}

#[test]
fn encryptions_of_the_corpus() {
    for (name, encryption) in corpus::values("context") {
        agree(&encryption).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

#[test]
fn whole_encryptions() {
    fuzz("encryptions", cases(), encryptions(), agree);
}
