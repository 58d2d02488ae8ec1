//! What looks like a secret never appears in any output.

use serde_json::{Value, json};

use crate::rig::{check, job};

const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";

#[test]
fn a_credential_in_a_context_is_denied() {
    let object = job(json!({"encryption": {"kmsKeyId": "alias/a", "context": {"key": SECRET}}}));
    let ran = check(&["-f", "-"], &object.to_string());
    assert_eq!(ran.status, 1);
    assert!(
        ran.stdout
            .contains("the value of 'key' looks like an AWS access key id"),
        "{}",
        ran.stdout
    );
}

/// Puts the secret into every place of a spec, as a text and within other types.
#[test]
fn a_secret_in_any_place_and_type_is_not_repeated() {
    let full = json!({
        "languageCode": "en-US", "mediaSampleRateHertz": 8000, "mediaFormat": "wav", "outputBucketName": "b", "outputKey": "k",
        "media": {"mediaFileUri": "s3://b/k"}, "encryption": {"kmsKeyId": "k", "context": {"department": "finance"}},
        "settings": {"maxSpeakerLabels": 2, "showSpeakerLabels": true}, "subtitles": {"formats": ["vtt"]}, "suspend": true,
        "contentRedaction": {"redactionType": "PII", "piiEntityTypes": ["SSN"]}, "tags": {"a": "b"}, "backoffLimit": 1,
        "deletionPolicy": "Delete", "transcriptionClassName": "c", "languageOptions": ["en-US"], "unknown": 1,
    });
    let mut texts: Vec<String> = vec![
        format!("a: {SECRET}\n  b: {SECRET}"),
        format!("a: \"{SECRET}"),
        format!("a: \"\\q{SECRET}\""),
        format!("{{\"a\": \"{SECRET}\", \"a\": 1}}"),
        format!("{SECRET}"),
        format!("{SECRET}: 1\n{SECRET}: 2"),
        format!("a: *{SECRET}"),
        format!("a: !{SECRET}!x b"),
        format!("%{SECRET}\n---\na: @{SECRET}"),
        format!("a: !!int {SECRET}"),
        format!("a: !!binary {SECRET}?"),
        format!("- {SECRET}"),
    ];
    let mut objects = Vec::new();
    for path in paths(&full, "") {
        for value in [
            json!(SECRET),
            json!([SECRET]),
            json!({"name": SECRET}),
            json!([[{"a": SECRET}]]),
        ] {
            let mut object = job(json!({}));
            object["spec"] = full.clone();
            *object["spec"].pointer_mut(&path).unwrap() = value;
            objects.push(object.to_string());
        }
    }
    assert!(objects.len() > 100);
    texts.push(objects.join(
        "
---
",
    ));
    for text in texts {
        for format in [&["-f", "-"][..], &["-f", "-", "-o", "json"]] {
            let ran = check(format, &text);
            assert!(ran.status > 0, "{text}");
            for output in [&ran.stdout, &ran.stderr] {
                let line = output.lines().find(|line| line.contains(SECRET));
                assert_eq!(line, None, "{format:?}");
            }
        }
    }
}

fn paths(value: &Value, path: &str) -> Vec<String> {
    let members = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value));
    let items = value
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(i, value)| (i.to_string(), value));
    let below = members.chain(items).flat_map(|(name, value)| {
        let path = format!("{path}/{name}");
        let mut all = paths(value, &path);
        all.push(path);
        all
    });
    below.collect()
}

#[test]
fn a_number_out_of_bounds_is_not_repeated() {
    let object = job(json!({"backoffLimit": 4_916_338_506_i64}));
    let ran = check(&["-f", "-"], &object.to_string());
    assert_eq!(ran.status, 1);
    assert!(!ran.stdout.contains("4916338506"), "{}", ran.stdout);
}
