//! What the operator itself refuses, and what cannot be judged without a cluster.

use serde_json::{Value, json};

use crate::rig::{denial, item, judged};

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIAS_ARN: &str = "arn:aws:kms:eu-west-1:111122223333:alias/a";

fn warnings(flags: &[&str], members: Value) -> Vec<String> {
    let item = judged(flags, members);
    assert_eq!(item["message"], Value::Null, "{item}");
    serde_json::from_value(item["warnings"].clone()).unwrap()
}

#[test]
fn cross_field_rules_are_those_of_the_operator() {
    for (members, message) in [
        (json!({"languageCode": null}), "spec: exactly one of languageCode"),
        (
            json!({"settings": {"maxSpeakerLabels": 2}}),
            "spec.settings.maxSpeakerLabels: showSpeakerLabels: true and",
        ),
        (
            json!({"encryption": {"context": {"department": "finance"}}}),
            "spec.encryption.context: an encryption context needs a key",
        ),
        (
            json!({"encryption": {"kmsKeyId": "alias/aws/s3"}}),
            "spec.encryption.kmsKeyId: must not be an AWS managed key",
        ),
        (
            json!({"encryption": {"kmsKeyId": "alias/a", "context": {"aws:x": "y"}}}),
            "spec.encryption.context",
        ),
    ] {
        let told = denial(members);
        assert!(told.starts_with(message), "{told}");
    }
}

#[test]
fn the_schemas_and_the_operators_denials_are_given_together() {
    let told = denial(json!({"encription": {}, "encryption": {"context": {"department": "finance"}}}));
    assert!(
        told.starts_with("spec.encription: unknown field; did you mean spec.encryption?; spec.encryption.context: "),
        "{told}"
    );
}

#[test]
fn without_the_region_and_the_account_rules_about_them_are_not_judged() {
    let region = "not judged: spec.encryption.kmsKeyId: whether the key is in the Region of the job (give --region)";
    let account = "not judged: spec.encryption.kmsKeyId: whether the key is in the account of the job (give --account)";
    for key in [ARN, ALIAS_ARN] {
        let job = || json!({"encryption": {"kmsKeyId": key}});
        assert_eq!(warnings(&[], job()), [region, account]);
        assert_eq!(warnings(&["--region", "eu-west-1"], job()), [account]);
        assert_eq!(warnings(&["--account", "111122223333"], job()), [region]);
        assert_eq!(
            warnings(&["--region", "eu-west-1", "--account", "111122223333"], job()),
            [""; 0]
        );
        let elsewhere = ["--region", "eu-west-1", "--account", "444455556666"];
        let told = judged(&elsewhere, job());
        let message = told["message"].as_str().unwrap();
        assert!(message.contains("does not allow this key"), "{message}");
        assert!(!message.contains("4444") && !message.contains("1111"), "{message}");
        let allowed = [&elsewhere[..], &["--key-account", "111122223333"]].concat();
        assert_eq!(warnings(&allowed, job()), [""; 0]);
        let told = judged(&["--region", "us-east-1"], job());
        let message = told["message"].as_str().unwrap();
        assert!(
            message.starts_with("spec.encryption.kmsKeyId: the key is in eu-west-1, but the job runs in us-east-1"),
            "{message}"
        );
    }
    for key in ["alias/a", "1234abcd-12ab-34cd-56ef-1234567890ab"] {
        assert_eq!(warnings(&[], json!({"encryption": {"kmsKeyId": key}})), [""; 0]);
    }
}

#[test]
fn what_a_class_may_supply_or_allow_is_not_judged() {
    let bucket =
        "not judged: spec.outputBucketName: whether the class supplies an output bucket (give --output-bucket)";
    assert_eq!(warnings(&[], json!({"outputBucketName": null})), [bucket]);
    assert_eq!(
        warnings(&["--output-bucket", "transcripts"], json!({"outputBucketName": null})),
        [""; 0]
    );
    let role = json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": "arn:aws:iam::111122223333:role/a"}});
    let expected = "not judged: spec.jobExecutionSettings.dataAccessRoleArn: whether the class allows this role";
    assert_eq!(warnings(&[], role), [expected]);
    assert_eq!(warnings(&[], json!({"transcriptionClassName": "any"})), [""; 0]);
}

#[test]
fn what_only_a_class_can_say_of_a_kind_is_not_judged() {
    let example = |name: &str| {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(name);
        let item = item(&[], &std::fs::read_to_string(file).unwrap());
        assert_eq!(item["allowed"], true, "{item}");
        let warnings = item["warnings"].as_array().unwrap().clone();
        warnings
            .iter()
            .map(|warning| warning.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let no_prefix =
        "not judged: spec: whether the class accepts this kind, whose output has no prefix (unprefixedKinds)";
    let no_context = "not judged: spec: whether the class accepts this kind, which takes no encryption context (kindsWithoutContext)";
    let role = "not judged: spec.dataAccessRoleArn: whether the class";
    for (name, expected) in [
        ("transcription-job-rich.yaml", vec![]),
        ("medical-transcription-job-rich.yaml", vec![]),
        ("call-analytics-job-rich.yaml", vec![no_context.to_owned()]),
        (
            "medical-scribe-job-rich.yaml",
            vec![no_prefix.to_owned(), format!("{role} allows this role")],
        ),
    ] {
        assert_eq!(example(name), expected, "{name}");
    }
    let scribe = example("medical-scribe-job.yaml");
    assert_eq!(scribe.last(), Some(&format!("{role} supplies a data-access role")));
    let bucket = "spec.outputLocation: whether the class supplies an output bucket";
    let call = example("call-analytics-job.yaml");
    assert!(call.iter().any(|warning| warning.contains(bucket)), "{call:?}");
}

#[test]
fn output_without_a_key_is_warned_of() {
    for members in [json!({"encryption": null}), json!({"encryption": {}})] {
        let warnings = warnings(&[], members);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("SSE-S3"), "{warnings:?}");
        assert!(
            warnings[1].contains("whether the class has a default key"),
            "{warnings:?}"
        );
    }
}
