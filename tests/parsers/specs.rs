//! Whole specs: all that the reconciler reads, against all that the API server holds a manifest against, CEL included.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use transcribe_operator::api::{Kind, Spec};

use crate::contexts::{encryptions, spec_schema};
use crate::oracle::Oracle;
use crate::{CEL_SHARE, cases, corpus, fuzz};

static SCHEMA: LazyLock<Oracle> = LazyLock::new(|| Oracle::new(spec_schema()));

fn agree(spec: &Value) -> Result<bool, String> {
    let parsed = Spec::parse(Kind::TranscriptionJob, spec);
    let schema = SCHEMA.accepts_by_cel(spec);
    match parsed {
        Ok(_) if schema => Ok(true),
        Err(_) if !schema => Ok(false),
        parsed => Err(format!("the parser says {parsed:?}, and the schema {schema}")),
    }
}

fn specs() -> impl Strategy<Value = Value> {
    encryptions().prop_map(|encryption| {
        json!({"languageCode": "en-US", "media": {"mediaFileUri": "s3://media/a.wav"}, "encryption": encryption})
    })
}

#[test]
fn specs_of_the_corpus() {
    for (name, spec) in corpus::values("spec") {
        agree(&spec).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

#[test]
fn specs_by_cel() {
    fuzz("specs by CEL", cases() / CEL_SHARE, specs(), agree);
}
