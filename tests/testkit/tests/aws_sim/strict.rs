//! What is refused, with which code and text, and what is accepted.

use super::*;

#[tokio::test]
async fn the_authorization_header_must_be_whole() {
    let sim = sim().await;
    let raw = || Raw::new(&sim);
    let date = Timestamp::now().strftime("%Y%m%d").to_string();
    let header = |credential: String| {
        let signature = "0".repeat(64);
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={signature}")
    };
    let unsigned_date = header(format!("AKID/{date}/us-east-1/transcribe/aws4_request")).replace(";x-amz-date", "");
    let credential = |text: &str| raw().header("authorization", Some(&header(text.to_owned())));
    #[rustfmt::skip]
    let table = [
        (raw().header("authorization", None), "MissingAuthenticationTokenException"),
        (raw().header("authorization", Some("Bearer x")), "IncompleteSignatureException"),
        (raw().header("authorization", Some(&unsigned_date)), "InvalidSignatureException"),
        (raw().header("x-amz-date", None), "IncompleteSignatureException"),
        (raw().header("x-amz-date", Some("yesterday")), "IncompleteSignatureException"),
        (credential("AKID/20200101/us-east-1/transcribe/aws4_request"), "InvalidSignatureException"),
        (credential(&format!("AKID/{date}/us-east-1/s3/aws4_request")), "InvalidSignatureException"),
        (credential(&format!("AKID/{date}/nowhere/transcribe/aws4_request")), "InvalidSignatureException"),
        (credential(&format!("AKID/{date}/us-east-1/transcribe")), "IncompleteSignatureException"),
        (credential(&format!("AKID/{date}/us-east-1/transcribe/aws4_request")), "none"),
        (raw().header("x-amz-target", Some("Transcribe.CancelTranscriptionJob")), "UnknownOperationException"),
        (raw().header("x-amz-target", Some("DynamoDB_20120810.GetItem")), "UnknownOperationException"),
        (raw().header("content-type", Some("application/json")), "UnknownOperationException"),
    ];
    for (index, (raw, code)) in table.into_iter().enumerate() {
        let answer = raw.call(START, request(&format!("job-{index}"), json!({}))).await;
        assert_eq!(answer.code(), code, "row {index}: {}", answer.text);
    }
    assert_eq!(sim.ledger().len(), 1);
}

#[tokio::test]
async fn the_body_must_be_of_the_operations_shape() {
    let sim = sim().await;
    #[rustfmt::skip]
    let table = [
        ("", "not JSON"),
        ("[]", "ARRAY_VALUE"),
        (r#"{"TranscriptionJobName":1}"#, "NUMBER_VALUE"),
        (r#"{"TranscriptionJobName":"a","ClientToken":"x"}"#, "Unknown member: ClientToken"),
        (r#"{"Media":{"MediaFileUri":"s3://a/b","Bucket":"a"}}"#, "Unknown member: Bucket"),
        (r#"{"Settings":{"ShowSpeakerLabels":"true"}}"#, "STRING_VALUE"),
        (r#"{"Settings":{"MaxSpeakerLabels":2.5}}"#, "NUMBER_VALUE"),
        (r#"{"LanguageOptions":[null]}"#, "NULL_VALUE"),
        (r#"{"Tags":{"a":"b"}}"#, "OBJECT_VALUE"),
    ];
    for (body, part) in table {
        let answer = Raw::new(&sim).send(START, body).await;
        assert_eq!(
            (answer.code().as_str(), answer.status),
            ("SerializationException", 400),
            "{body}"
        );
        assert!(answer.message().contains(part), "{body}: {}", answer.message());
    }
    assert_eq!(sim.calls()[START]["SerializationException"], 9);
}

#[tokio::test]
async fn values_must_satisfy_the_model() {
    let sim = sim().await;
    let long = "x".repeat(201);
    let many: Vec<_> = (0..11).map(|n| (n.to_string(), json!("v"))).collect();
    let many: serde_json::Map<_, _> = many.into_iter().collect();
    #[rustfmt::skip]
    let table = [
        (json!({"TranscriptionJobName": "a/b"}), "Value 'a/b' at 'transcriptionJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+"),
        (json!({"TranscriptionJobName": "a\n"}), "at 'transcriptionJobName'"),
        (json!({"TranscriptionJobName": ""}), "Member must have length greater than or equal to 1"),
        (json!({"TranscriptionJobName": long}), "Member must have length less than or equal to 200"),
        (json!({"TranscriptionJobName": null}), "1 validation error detected: Value null at 'transcriptionJobName' failed to satisfy constraint: Member must not be null"),
        (json!({"Media": null}), "Value null at 'media' failed"),
        (json!({"Media": {"MediaFileUri": "S3://a/b"}}), "at 'media.mediaFileUri'"),
        (json!({"LanguageCode": "xx-XX"}), "Value 'xx-XX' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set: [af-ZA, "),
        (json!({"MediaFormat": "wma"}), "Member must satisfy enum value set: [mp3, mp4, wav, flac, ogg, amr, webm, m4a]"),
        (json!({"MediaSampleRateHertz": 7999}), "Value '7999' at 'mediaSampleRateHertz' failed to satisfy constraint: Member must have value greater than or equal to 8000"),
        (json!({"MediaSampleRateHertz": 48001}), "Member must have value less than or equal to 48000"),
        (json!({"Settings": {"MaxSpeakerLabels": 31}}), "Value '31' at 'settings.maxSpeakerLabels'"),
        (json!({"OutputKey": "a=b"}), "Value 'a=b' at 'outputKey' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
        (json!({"OutputBucketName": "My_Bucket"}), "at 'outputBucketName'"),
        (json!({"KMSEncryptionContext": {}}), "Value '{}' at 'kMSEncryptionContext' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        (json!({"KMSEncryptionContext": many}), "Member must have length less than or equal to 10"),
        (json!({"KMSEncryptionContext": {"ä": "b"}}), "Map keys must satisfy constraint: [Member must satisfy regular expression pattern"),
        (json!({"KMSEncryptionContext": {"a": ""}}), "Map value must satisfy constraint: [Member must have length greater than or equal to 1"),
        (json!({"Tags": []}), "at 'tags' failed"),
        (json!({"Tags": [{"Key": "", "Value": "v"}]}), "Value '' at 'tags.1.member.key'"),
        (json!({"Tags": [{"Key": "a", "Value": "v"}, {"Key": "b"}]}), "Value null at 'tags.2.member.value'"),
        (json!({"LanguageOptions": ["en-US", "xx"]}), "Value '[en-US, xx]' at 'languageOptions' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum"),
        (json!({"LanguageIdSettings": {"en-US": {"VocabularyName": "a b"}}}), "Value 'a b' at 'languageIdSettings.en-US.member.vocabularyName'"),
        (json!({"LanguageIdSettings": {"xx": {}}}), "Map keys must satisfy constraint: [Member must satisfy enum value set: [af-ZA, "),
        (json!({"ContentRedaction": {"RedactionType": "PII"}}), "Value null at 'contentRedaction.redactionOutput'"),
        (json!({"ToxicityDetection": []}), "at 'toxicityDetection' failed"),
        (json!({"JobExecutionSettings": {"DataAccessRoleArn": "arn:aws:iam::1:user/x"}}), "at 'jobExecutionSettings.dataAccessRoleArn'"),
        (json!({"MediaFormat": "wma", "OutputKey": " "}), "2 validation errors detected: "),
    ];
    for (change, part) in table {
        let answer = call(&sim, START, request("job", change.clone())).await;
        assert_eq!(
            (answer.code().as_str(), answer.status),
            ("BadRequestException", 400),
            "{change}"
        );
        assert!(answer.message().contains(part), "{change}: {}", answer.message());
        assert!(answer.message().contains("detected: "), "{change}");
    }
    let answer = call(
        &sim,
        "ListTranscriptionJobs",
        json!({"MaxResults": 101, "Status": "DONE"}),
    )
    .await;
    assert!(
        answer.message().starts_with("2 validation errors detected: "),
        "{}",
        answer.message()
    );
    assert_eq!(sim.ledger(), []);
}

#[tokio::test]
async fn values_of_the_other_kinds_must_satisfy_the_model() {
    let sim = sim().await;
    let [_, medical, analytics, scribe] = &KINDS;
    let channels = |count: usize| {
        (0..count)
            .map(|_| json!({"ChannelId": 0, "ParticipantRole": "AGENT"}))
            .collect::<Value>()
    };
    let roles = |role: &str| json!([{"ChannelId": 0, "ParticipantRole": role}, {"ChannelId": 2}]);
    let redaction = |members: Value| json!({"Settings": {"ContentRedaction": members}});
    #[rustfmt::skip]
    let table = [
        (medical, json!({"LanguageCode": null}), "Value null at 'languageCode' failed"),
        (medical, json!({"OutputBucketName": null}), "Value null at 'outputBucketName' failed"),
        (medical, json!({"Specialty": null}), "Value null at 'specialty' failed"),
        (medical, json!({"Specialty": "CARDIOLOGY"}), "Value 'CARDIOLOGY' at 'specialty' failed to satisfy constraint: Member must satisfy enum value set: [PRIMARYCARE]"),
        (medical, json!({"Type": null}), "Value null at 'type' failed"),
        (medical, json!({"Type": "SPEECH"}), "Member must satisfy enum value set: [CONVERSATION, DICTATION]"),
        (medical, json!({"MediaSampleRateHertz": 15_999}), "Member must have value greater than or equal to 16000"),
        (medical, json!({"ContentIdentificationType": "PII"}), "Member must satisfy enum value set: [PHI]"),
        (medical, json!({"Settings": {"MaxAlternatives": 11}}), "Value '11' at 'settings.maxAlternatives'"),
        (medical, json!({"KMSEncryptionContext": {}}), "at 'kMSEncryptionContext' failed"),
        (medical, json!({"OutputKey": "a=b"}), "Value 'a=b' at 'outputKey'"),
        (analytics, json!({"Media": null}), "Value null at 'media' failed"),
        (analytics, json!({"OutputLocation": "results/a"}), "Value 'results/a' at 'outputLocation' failed"),
        (analytics, json!({"DataAccessRoleArn": "arn:aws:iam::1:user/someone"}), "at 'dataAccessRoleArn' failed"),
        (analytics, json!({"ChannelDefinitions": channels(1)}), "Member must have length greater than or equal to 2"),
        (analytics, json!({"ChannelDefinitions": channels(3)}), "Member must have length less than or equal to 2"),
        (analytics, json!({"ChannelDefinitions": roles("CLINICIAN")}), "2 validation errors detected: "),
        (analytics, json!({"Settings": {"Summarization": {}}}), "Value null at 'settings.summarization.generateAbstractiveSummary' failed"),
        (analytics, redaction(json!({"RedactionType": "PII"})), "Value null at 'settings.contentRedaction.redactionOutput'"),
        (analytics, redaction(json!({"RedactionType": "PHI", "RedactionOutput": "redacted"})), "Member must satisfy enum value set: [PII]"),
        (analytics, json!({"Settings": {"LanguageIdSettings": {"xx": {}}}}), "Map keys must satisfy constraint"),
        (scribe, json!({"OutputBucketName": null}), "Value null at 'outputBucketName' failed"),
        (scribe, json!({"DataAccessRoleArn": null}), "Value null at 'dataAccessRoleArn' failed"),
        (scribe, json!({"Settings": null}), "Value null at 'settings' failed"),
        (scribe, json!({"Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 1}}), "Value '1' at 'settings.maxSpeakerLabels'"),
        (scribe, json!({"Settings": {"ClinicalNoteGenerationSettings": {"NoteTemplate": "SOAP"}}}), "[HISTORY_AND_PHYSICAL, GIRPP, BIRP, SIRP, DAP, BEHAVIORAL_SOAP, PHYSICAL_SOAP]"),
        (scribe, json!({"ChannelDefinitions": [{"ChannelId": 0}, {"ParticipantRole": "PATIENT"}]}), "2 validation errors detected: "),
        (scribe, json!({"ChannelDefinitions": roles("AGENT")}), "3 validation errors detected: "),
        (scribe, json!({"MedicalScribeContext": {"PatientContext": {"Pronouns": "IT_ITS"}}}), "[HE_HIM, SHE_HER, THEY_THEM]"),
    ];
    for (kind, change, part) in table {
        let answer = kind.begin(&sim, "job", change.clone()).await;
        assert_eq!(
            answer.code(),
            "BadRequestException",
            "{} {change}: {}",
            kind.entity,
            answer.text
        );
        let text = answer.message();
        assert!(
            text.contains(part) && text.contains("detected: "),
            "{} {change}: {text}",
            kind.entity
        );
    }
    assert_eq!(sim.ledger(), []);
}

#[tokio::test]
async fn members_of_another_kind_are_unknown_and_each_list_and_name_is_checked() {
    let sim = sim().await;
    let [_, medical, analytics, scribe] = &KINDS;
    #[rustfmt::skip]
    let not_theirs = [
        (medical, "JobExecutionSettings"), (medical, "IdentifyLanguage"), (medical, "ContentRedaction"),
        (medical, "DataAccessRoleArn"), (analytics, "LanguageCode"), (analytics, "KMSEncryptionContext"),
        (analytics, "OutputBucketName"), (analytics, "OutputKey"), (scribe, "OutputKey"), (scribe, "LanguageCode"),
        (scribe, "OutputLocation"), (scribe, "MediaFormat"),
    ];
    for (kind, member) in not_theirs {
        let answer = kind.begin(&sim, "job", json!({ member: "a" })).await;
        assert_eq!(answer.code(), "SerializationException", "{} {member}", kind.entity);
    }
    for kind in &KINDS {
        let call = async |body: Value| call(&sim, &kind.list(), body).await.code();
        assert_eq!(call(json!({"Status": "DONE"})).await, "BadRequestException");
        assert_eq!(call(json!({"MaxResults": 101})).await, "BadRequestException");
        assert_eq!(kind.begin(&sim, "a/b", json!({})).await.code(), "BadRequestException");
        let get = call(json!({"JobNameContains": "a b"})).await;
        assert_eq!(get, "BadRequestException", "{}", kind.entity);
    }
    assert_eq!(sim.ledger(), []);
}
