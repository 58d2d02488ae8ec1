//! What YAML does to a manifest, as an API server would see it.

use serde_json::{Value, json};

use crate::rig::{check, item};

fn manifest(spec: &str) -> String {
    format!(
        "apiVersion: transcribe-operator.io/v1alpha1\nkind: TranscriptionJob\nmetadata:\n  name: a\nspec:\n  \
         languageCode: en-US\n  outputBucketName: transcripts\n  media: {{mediaFileUri: s3://media/a.wav}}\n{spec}\n"
    )
}

fn message(spec: &str) -> Value {
    item(&[], &manifest(spec))["message"].clone()
}

#[test]
fn unquoted_words_and_numbers_are_what_kubectl_makes_of_them() {
    for (value, is) in [
        ("yes", "a boolean"),
        ("No", "a boolean"),
        ("ON", "a boolean"),
        ("y", "a boolean"),
        ("true", "a boolean"),
        ("0755", "a number"),
        ("4711", "a number"),
        ("1_000", "a number"),
        ("1__000", "a number"),
        ("0x1F", "a number"),
        ("1e3", "a number"),
        ("1.5", "a number"),
        ("~", ""),
        ("yEs", ""),
        ("1:30", ""),
        ("2001-01-01", ""),
        ("0o8", ""),
        ("'yes'", ""),
        ("\"0755\"", ""),
        ("!!str 0755", ""),
        ("|-\n      yes", ""),
        ("1.2.3", ""),
    ] {
        let expected = match is {
            "" => Value::Null,
            is => json!(format!("spec.tags.key: must be a string, and is {is}")),
        };
        assert_eq!(message(&format!("  tags:\n    key: {value}")), expected, "{value}");
    }
}

#[test]
fn booleans_are_those_of_kubectl() {
    for value in ["true", "yes", "On", "n", "FALSE"] {
        assert_eq!(message(&format!("  suspend: {value}")), Value::Null, "{value}");
    }
    for value in ["yEs", "oFF", "tRUE", "'true'", "\"yes\""] {
        let expected = "spec.suspend: must be a boolean, and is a string";
        assert_eq!(message(&format!("  suspend: {value}")), expected, "{value}");
    }
}

#[test]
fn numbers_are_whole_when_they_have_no_fraction_and_octal_when_they_begin_with_zero() {
    let speakers = |value: &str| {
        message(&format!(
            "  settings: {{showSpeakerLabels: true, maxSpeakerLabels: {value}}}"
        ))
    };
    for value in ["2", "3.0", "3e0", "0x3", "0b11", "036", "0o36", "+3", "1_0"] {
        assert_eq!(speakers(value), Value::Null, "{value}");
    }
    assert_eq!(speakers("037"), "spec.settings.maxSpeakerLabels: must be at most 30");
    assert_eq!(
        speakers("2.5"),
        "spec.settings.maxSpeakerLabels: must be a whole number, and is a number"
    );
    assert_eq!(
        speakers("'3'"),
        "spec.settings.maxSpeakerLabels: must be a whole number, and is a string"
    );
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let text = manifest(
        "  tags: &tags {team: finance, stage: on-call}\n  encryption:\n    kmsKeyId: alias/a\n    context:\n      <<: *tags\n      stage: &s 'yes'\n      other: *s",
    );
    assert_eq!(item(&[], &text)["message"], Value::Null);
    let text = manifest("  tags: &tags {team: yes}\n  encryption:\n    kmsKeyId: alias/a\n    context: {<<: *tags}");
    let message = item(&[], &text)["message"].clone();
    let expected = "spec.encryption.context.team: must be a string, and is a boolean; spec.tags.team: must be a string, and is a boolean";
    assert_eq!(message, expected);
}

#[test]
fn a_credential_is_found_however_it_is_written() {
    for value in ["\"AKIA\\x49OSFODNN7EXAMPLE\"", ">-\n        AKIAIOSFODNN7EXAMPLE"] {
        let text = manifest(&format!(
            "  encryption:\n    kmsKeyId: alias/a\n    context:\n      key: {value}"
        ));
        let ran = check(&["-f", "-"], &text);
        assert_eq!(ran.status, 1, "{value}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("looks like an AWS access key id"), "{}", ran.stdout);
    }
}
