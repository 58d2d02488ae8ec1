//! What the schema refuses, in our words.

use serde_json::{Value, json};

use crate::rig::{denial, item, job, judged};

#[test]
fn an_unknown_field_is_denied_and_the_one_that_was_meant_is_named() {
    for (members, message) in [
        (
            json!({"encription": {"kmsKeyId": "alias/a"}}),
            "spec.encription: unknown field; did you mean spec.encryption?",
        ),
        (
            json!({"encryption": {"kmsKeyID": "alias/a"}}),
            "spec.encryption.kmsKeyID: unknown field; did you mean spec.encryption.kmsKeyId?",
        ),
        (
            json!({"settings": {"maxSpeakerLabel": 2}}),
            "spec.settings.maxSpeakerLabel: unknown field; did you mean spec.settings.maxSpeakerLabels?",
        ),
        (json!({"whatever": null}), ""),
        (json!({"somethingElse": 1}), "spec.somethingElse: unknown field"),
        (
            json!({"languageCode": null, "identifyLanguage": true, "languageOptions": ["de-DE", "en-US"], "languageIdSettings": {"de-DE": {"vocabularyname": "v"}}}),
            "spec.languageIdSettings.de-DE.vocabularyname: unknown field; did you mean spec.languageIdSettings.de-DE.vocabularyName?",
        ),
        (
            json!({"toxicityDetection": [{"toxicityCategories": ["ALL"], "x": 1}]}),
            "spec.toxicityDetection[0].x: unknown field",
        ),
    ] {
        if !message.is_empty() {
            assert_eq!(denial(members), message);
        }
    }
    let mut object = job(json!({}));
    object["specs"] = json!({});
    assert_eq!(
        item(&[], &object.to_string())["message"],
        "specs: unknown field; did you mean spec?"
    );
}

#[test]
fn the_keys_of_maps_are_free() {
    let members =
        json!({"encryption": {"kmsKeyId": "alias/a", "context": {"encription": "x"}}, "tags": {"any": "thing"}});
    assert_eq!(judged(&[], members)["message"], Value::Null);
}

#[test]
fn wrong_types_are_named() {
    for (members, message) in [
        (
            json!({"languageCode": 1}),
            "spec.languageCode: must be a string, and is a number",
        ),
        (
            json!({"languageCode": true}),
            "spec.languageCode: must be a string, and is a boolean",
        ),
        (
            json!({"suspend": "yes"}),
            "spec.suspend: must be a boolean, and is a string",
        ),
        (json!({"media": []}), "spec.media: must be an object, and is a list"),
        (
            json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": "2"}}),
            "spec.settings.maxSpeakerLabels: must be a whole number, and is a string",
        ),
        (
            json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": 2.5}}),
            "spec.settings.maxSpeakerLabels: must be a whole number, and is a number",
        ),
        (
            json!({"toxicityDetection": [{"toxicityCategories": "ALL"}]}),
            "spec.toxicityDetection[0].toxicityCategories: must be a list, and is a string",
        ),
        (
            json!({"encryption": {"kmsKeyId": "alias/a", "context": {"key": 4711}}}),
            "spec.encryption.context.key: must be a string, and is a number",
        ),
        (
            json!({"contentRedaction": {"redactionType": "PII", "redactionOutput": "redacted", "piiEntityTypes": [1]}}),
            "spec.contentRedaction.piiEntityTypes[0]: must be a string, and is a number",
        ),
        (
            json!({"media": "s3://a/b"}),
            "spec.media: must be an object, and is a string",
        ),
    ] {
        assert_eq!(denial(members), message);
    }
}

#[test]
fn missing_fields_enums_and_bounds_are_named() {
    for (members, message) in [
        (json!({"media": null}), "spec.media: required"),
        (
            json!({"mediaFormat": "aiff"}),
            "spec.mediaFormat: must be one of mp3, mp4, wav, flac, ogg, amr, webm, m4a",
        ),
        (json!({"backoffLimit": 11}), "spec.backoffLimit: must be at most 10"),
        (
            json!({"mediaSampleRateHertz": 7999}),
            "spec.mediaSampleRateHertz: must be at least 8000",
        ),
        (json!({"backoffLimit": 1e30}), "spec.backoffLimit: must be at most 10"),
        (
            json!({"contentRedaction": {}}),
            "spec.contentRedaction.redactionOutput: required; spec.contentRedaction.redactionType: required",
        ),
    ] {
        assert_eq!(denial(members), message);
    }
    let spec = |spec: Value| {
        let mut object = job(json!({}));
        object["spec"] = spec;
        item(&[], &object.to_string())["message"].clone()
    };
    assert_eq!(spec(Value::Null), "spec: must be an object, and is null");
    assert_eq!(spec(json!([])), "spec: must be an object, and is a list");
}

#[test]
fn a_text_of_the_wrong_form_is_told_in_the_parsers_words_and_once() {
    let message = denial(json!({"languageCode": "english", "outputBucketName": "ABC"}));
    assert_eq!(message.matches("spec.languageCode").count(), 1, "{message}");
    assert!(
        message.contains("spec.languageCode: must be a language code, such as en-US"),
        "{message}"
    );
    assert!(message.contains("spec.outputBucketName: must "), "{message}");
    let message = denial(json!({"languageCode": "english"}));
    assert_eq!(message, "spec.languageCode: must be a language code, such as en-US");
    let context: Value = (0..11)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let message = denial(json!({"encryption": {"kmsKeyId": "alias/a", "context": context}}));
    assert_eq!(
        message,
        "spec.encryption.context: must have at most 10 entries, and has 11"
    );
}

#[test]
fn nulls_are_absent_as_for_an_api_server() {
    let null = |path: &[&str], message: Value| {
        let mut object = job(json!({"settings": {"vocabularyName": "v"}}));
        let place = path.iter().fold(&mut object["spec"], |place, name| &mut place[*name]);
        *place = Value::Null;
        assert_eq!(item(&[], &object.to_string())["message"], message, "{path:?}");
    };
    null(&["outputKey"], Value::Null);
    null(&["suspend"], Value::Null);
    null(&["settings", "vocabularyName"], Value::Null);
    null(&["encryption", "context"], Value::Null);
    null(&["media"], json!("spec.media: required"));
    null(&["nothing"], json!("spec.nothing: unknown field"));
    let items = json!({"languageCode": null, "identifyLanguage": true, "languageOptions": ["de-DE", null]});
    assert_eq!(denial(items), "spec.languageOptions[1]: must be a string, and is null");
}

#[test]
fn the_metadata_that_every_object_needs_is_judged() {
    let with = |metadata: Value| {
        let mut object = job(json!({}));
        object["metadata"] = metadata;
        item(&[], &object.to_string())["message"].clone()
    };
    assert_eq!(
        with(json!({"name": "a", "anything": {"else": 1}, "labels": {"a": "b"}})),
        Value::Null
    );
    assert_eq!(with(json!({"generateName": "a-"})), Value::Null);
    assert_eq!(with(json!({})), "metadata.name: required");
    assert_eq!(with(Value::Null), "metadata: must be an object, and is null");
    assert_eq!(
        with(json!({"name": 1})),
        "metadata.name: must be a string, and is a number"
    );
    assert_eq!(
        with(json!({"name": "a", "labels": {"on": true}})),
        "metadata.labels.on: must be a string, and is a boolean"
    );
    assert!(
        with(json!({"name": "Not_A_Name"}))
            .as_str()
            .unwrap()
            .starts_with("metadata.name: must match")
    );
}

#[test]
fn a_status_is_ignored() {
    for status in [json!({"any": "thing"}), json!(1), Value::Null] {
        let mut object = job(json!({}));
        object["status"] = status;
        assert_eq!(item(&[], &object.to_string())["message"], Value::Null);
    }
}
