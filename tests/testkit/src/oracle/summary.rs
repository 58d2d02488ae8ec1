//! Comparing a run with faults to one without: what was done per object, and how the objects ended.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws_sim::LedgerLine;

/// Per name of an object, how often each operation was applied.
pub type Summary = BTreeMap<String, BTreeMap<String, usize>>;

/// What was applied for each object of a namespace, by the tags of the jobs. Two runs of the same work must agree, faults
/// or none.
pub fn summary(ledger: &[LedgerLine], namespace: &str) -> Summary {
    let mut summary = Summary::new();
    for line in ledger {
        let tag = |key: &str| {
            line.tags
                .get(&format!("transcribe-operator.io/{key}"))
                .map_or("", String::as_str)
        };
        if tag("namespace") == namespace {
            *summary
                .entry(tag("name").to_owned())
                .or_default()
                .entry(line.operation.clone())
                .or_default() += 1;
        }
    }
    summary
}

/// The object without what differs from run to run: times, durations, versions, managers of fields; its own uid reads
/// `UID` and its namespace `NAMESPACE`, wherever they stand. Ends of two runs can be compared after this.
pub fn masked(object: &Value) -> Value {
    let words = [("/metadata/uid", "UID"), ("/metadata/namespace", "NAMESPACE")];
    let word = |(pointer, mask)| Some((object.pointer(pointer)?.as_str()?, mask));
    mask(object, &words.into_iter().filter_map(word).collect::<Vec<_>>())
}

fn mask(value: &Value, words: &[(&str, &str)]) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(key, _)| !differs(key));
            kept.map(|(key, value)| (key.clone(), mask(value, words))).collect()
        }
        Value::Array(items) => items.iter().map(|item| mask(item, words)).collect(),
        Value::String(text) => Value::String(
            words
                .iter()
                .fold(text.clone(), |text, (word, mask)| text.replace(word, mask)),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn differs(key: &str) -> bool {
    let times = ["Time", "Timestamp", "At", "Until", "Since"]
        .iter()
        .any(|end| key.ends_with(end));
    times || matches!(key, "managedFields" | "resourceVersion" | "duration" | "requestHash")
}
