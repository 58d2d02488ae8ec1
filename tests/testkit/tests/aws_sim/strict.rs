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
async fn members_must_fit_each_other() {
    let sim = sim().await;
    let identify = json!({"LanguageCode": null, "IdentifyLanguage": true});
    let with = |mut base: Value, more: Value| {
        base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        base
    };
    let tags = |n: usize| {
        (0..n)
            .map(|n| json!({"Key": n.to_string(), "Value": ""}))
            .collect::<Value>()
    };
    let redaction = json!({"RedactionType": "PII", "RedactionOutput": "redacted"});
    let role = "arn:aws:iam::111122223333:role/data-access";
    #[rustfmt::skip]
    let table = [
        (json!({"LanguageCode": null}), "The language code is missing. Either add a language code or turn on language identification."),
        (json!({"LanguageCode": null, "IdentifyLanguage": false}), "The language code is missing."),
        (json!({"Media": {}}), "media file URI is missing"),
        (json!({"Media": {"MediaFileUri": "s3://a/b", "RedactedMediaFileUri": "s3://a/b"}}), "only supported for Call Analytics"),
        (json!({"LanguageOptions": ["en-US", "de-DE"]}), "LanguageOptions"),
        (with(identify.clone(), json!({"LanguageOptions": ["en-US"]})), "at least two"),
        (json!({"LanguageIdSettings": {"en-US": {}}}), "LanguageIdSettings"),
        (json!({"LanguageCode": null, "IdentifyMultipleLanguages": true, "LanguageIdSettings": {"en-US": {"LanguageModelName": "m"}}}), "Custom language models"),
        (with(identify.clone(), json!({"ModelSettings": {"LanguageModelName": "m"}})), "ModelSettings"),
        (json!({"ModelSettings": {}}), "ModelSettings"),
        (json!({"OutputKey": "a"}), "outputBucketName when you specify outputKey"),
        (json!({"OutputEncryptionKMSKeyId": "alias/a"}), "outputBucketName when you specify outputEncryptionKMSKeyId"),
        (json!({"OutputBucketName": "bucket", "KMSEncryptionContext": {"a": "b"}}), "encryption context"),
        (json!({"JobExecutionSettings": {"AllowDeferredExecution": true}}), "JobExecutionSettings needs both"),
        (json!({"JobExecutionSettings": {"DataAccessRoleArn": role}}), "JobExecutionSettings needs both"),
        (json!({"Settings": {"ShowSpeakerLabels": true}}), "MaxSpeakerLabels"),
        (json!({"Settings": {"MaxSpeakerLabels": 2}}), "MaxSpeakerLabels"),
        (json!({"Settings": {"ShowAlternatives": true}}), "MaxAlternatives"),
        (json!({"Settings": {"MaxAlternatives": 2, "ShowAlternatives": false}}), "MaxAlternatives"),
        (json!({"Settings": {"VocabularyFilterName": "f"}}), "VocabularyFilterMethod"),
        (json!({"LanguageCode": "ja-JP", "ContentRedaction": redaction}), "Content redaction"),
        (with(identify.clone(), json!({"ContentRedaction": redaction})), "Content redaction"),
        (json!({"LanguageCode": "en-GB", "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}]}), "Toxicity"),
        (json!({"Settings": {"VocabularyName": "missing"}}), "The requested vocabulary couldn't be found"),
        (json!({"Tags": tags(51)}), "at most 50"),
        (json!({"Tags": [{"Key": "aws:x", "Value": ""}]}), "aws:"),
        (json!({"Tags": [{"Key": "x", "Value": ""}, {"Key": "x", "Value": "2"}]}), "unique"),
        (json!({"Media": {"MediaFileUri": "s3://no-access/a.wav"}}), "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try your request again."),
    ];
    for (change, part) in table {
        let answer = call(&sim, START, request("job", change.clone())).await;
        assert_eq!(
            (answer.code().as_str(), answer.status),
            ("BadRequestException", 400),
            "{change}"
        );
        assert!(answer.message().contains(part), "{change}: {}", answer.message());
    }
    assert_eq!(sim.ledger(), []);

    #[rustfmt::skip]
    let accepted = [
        json!({"Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "ChannelIdentification": true}}),
        json!({"Settings": {"VocabularyFilterName": "f", "VocabularyFilterMethod": "mask"}}),
        with(identify, json!({"LanguageOptions": ["en-US", "de-DE"], "LanguageIdSettings": {"en-US": {}}})),
        json!({"Tags": tags(50)}),
        json!({"LanguageCode": null, "IdentifyMultipleLanguages": true}),
        json!({"MediaFormat": null, "Settings": {"VocabularyName": null}}),
    ];
    for (index, change) in accepted.into_iter().enumerate() {
        let answer = call(&sim, START, request(&format!("job-{index}"), change.clone())).await;
        assert_eq!(answer.status, 200, "{change}: {}", answer.text);
    }
    let answer = call(&sim, START, request("both", json!({"IdentifyLanguage": true}))).await;
    assert_eq!(answer.status, 200);
    sim.finish_all();
    let status = |name: &str| sim.jobs().into_iter().find(|job| job.name == name).unwrap().status;
    assert_eq!(
        (status("both").as_str(), status("job-0").as_str()),
        ("FAILED", "COMPLETED")
    );

    let mut wideband = Raw::new(&sim);
    wideband.region = "af-south-1";
    let arabic = json!({"LanguageCode": "ar-SA", "MediaSampleRateHertz": 8000});
    assert_eq!(
        wideband.call(START, request("ar", arabic.clone())).await.code(),
        "BadRequestException"
    );
    assert_eq!(call(&sim, START, request("ar", arabic)).await.status, 200);

    sim.set_config(|config| config.opted_out = true);
    let answer = call(&sim, START, request("opted-out", json!({}))).await;
    assert!(answer.message().starts_with(
        "You must specify a value for outputBucketName because your account, 111122223333, has opted out"
    ));
    assert_eq!(
        call(&sim, START, request("opted-out", json!({"OutputBucketName": "own"})))
            .await
            .status,
        200
    );
}

/// A Start request with every member that the model has.
fn full_request() -> Value {
    json!({
        "TranscriptionJobName": "full", "LanguageCode": "en-US", "MediaSampleRateHertz": 16000, "MediaFormat": "wav",
        "Media": {"MediaFileUri": "s3://media/a.wav"}, "OutputBucketName": "results", "OutputKey": "out/",
        "OutputEncryptionKMSKeyId": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "KMSEncryptionContext": {"team": "a"},
        "Settings": {"VocabularyName": "v", "ShowSpeakerLabels": true, "MaxSpeakerLabels": 2,
            "ChannelIdentification": true, "ShowAlternatives": true, "MaxAlternatives": 2,
            "VocabularyFilterName": "f", "VocabularyFilterMethod": "tag"},
        "ModelSettings": {"LanguageModelName": "m"},
        "JobExecutionSettings": {"AllowDeferredExecution": true,
            "DataAccessRoleArn": "arn:aws:iam::111122223333:role/data-access"},
        "ContentRedaction": {"RedactionType": "PII", "RedactionOutput": "redacted_and_unredacted",
            "PiiEntityTypes": ["SSN"]},
        "Subtitles": {"Formats": ["vtt", "srt"], "OutputStartIndex": 1},
        "Tags": [{"Key": "k", "Value": "v"}],
        "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}],
        "IdentifyLanguage": false, "IdentifyMultipleLanguages": false,
    })
}

#[tokio::test]
async fn every_member_of_the_start_request_is_accepted_and_every_reply_is_of_the_model() {
    let (sim, model) = (sim().await, Model::transcribe().unwrap());
    let mut identifying = full_request();
    let members = identifying.as_object_mut().unwrap();
    for member in ["LanguageCode", "ModelSettings", "ContentRedaction", "ToxicityDetection"] {
        members.remove(member);
    }
    members.extend([
        ("TranscriptionJobName".to_owned(), json!("identifying")),
        ("IdentifyLanguage".to_owned(), json!(true)),
        ("LanguageOptions".to_owned(), json!(["de-DE", "en-US"])),
        (
            "LanguageIdSettings".to_owned(),
            json!({"de-DE": {"VocabularyName": "v", "VocabularyFilterName": "f", "LanguageModelName": "m"}}),
        ),
    ]);
    let mut several = request(
        "several",
        json!({"LanguageCode": null, "IdentifyMultipleLanguages": true}),
    );
    several["Subtitles"] = json!({});
    let sent = [full_request(), identifying, several];
    let used: BTreeSet<_> = sent
        .iter()
        .flat_map(|body| body.as_object().unwrap().keys())
        .map(String::as_str)
        .collect();
    assert_eq!(
        used,
        model.input_members(START).into_iter().collect(),
        "the requests below leave no member out"
    );

    for body in &sent {
        let answer = call(&sim, START, body.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        model.check_output(START, &answer.json()).unwrap();
    }
    let arn = "arn:aws:transcribe:us-east-1:111122223333:transcription-job/full";
    for finished in [false, true] {
        if finished {
            sim.finish_all();
        }
        for name in ["full", "identifying", "several"] {
            let answer = call(&sim, GET, json!({"TranscriptionJobName": name})).await.json();
            model.check_output(GET, &answer).unwrap();
            let text = answer.to_string();
            assert!(
                !["kms", "KMS", "OutputBucket", "OutputKey", "arn:aws:transcribe"]
                    .iter()
                    .any(|s| text.contains(s))
            );
        }
        for (operation, body) in [
            (
                "ListTranscriptionJobs",
                json!({"Status": if finished { "COMPLETED" } else { "IN_PROGRESS" }, "MaxResults": 1}),
            ),
            ("ListTagsForResource", json!({"ResourceArn": arn})),
            (
                "TagResource",
                json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": ""}]}),
            ),
            ("UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a"]})),
        ] {
            let answer = call(&sim, operation, body).await;
            assert_eq!(answer.status, 200, "{operation}: {}", answer.text);
            model.check_output(operation, &answer.json()).unwrap();
        }
    }
    let answer = call(&sim, "DeleteTranscriptionJob", json!({"TranscriptionJobName": "full"})).await;
    model.check_output("DeleteTranscriptionJob", &answer.json()).unwrap();

    let found = call(&sim, GET, json!({"TranscriptionJobName": "identifying"}))
        .await
        .json()["TranscriptionJob"]
        .clone();
    assert_eq!(
        (
            found["LanguageCode"].as_str(),
            found["IdentifiedLanguageScore"].is_f64()
        ),
        (Some("de-DE"), true)
    );
    let found = call(&sim, GET, json!({"TranscriptionJobName": "several"})).await.json()["TranscriptionJob"].clone();
    assert_eq!(found["LanguageCodes"][0]["LanguageCode"], "en-US");
}
