//! Rules between the members of a Start: what is refused beyond the model, and what is not.

use super::*;

#[tokio::test]
async fn members_of_a_transcription_job_must_fit_each_other() {
    let sim = sim().await;
    let identify = json!({"LanguageCode": null, "IdentifyLanguage": true});
    let redaction = json!({"RedactionType": "PII", "RedactionOutput": "redacted"});
    let role = "arn:aws:iam::111122223333:role/data-access";
    #[rustfmt::skip]
    let table = [
        (json!({"LanguageCode": null}), "The language code is missing. Either add a language code or turn on language identification."),
        (json!({"LanguageCode": null, "IdentifyLanguage": false}), "The language code is missing."),
        (json!({"Media": {}}), "media file URI is missing"),
        (json!({"Media": {"MediaFileUri": "s3://a/b", "RedactedMediaFileUri": "s3://a/b"}}), "only supported for Call Analytics"),
        (json!({"LanguageOptions": ["en-US", "de-DE"]}), "LanguageOptions"),
        (with(identify.clone(), &json!({"LanguageOptions": ["en-US"]})), "at least two"),
        (json!({"LanguageIdSettings": {"en-US": {}}}), "LanguageIdSettings"),
        (json!({"LanguageCode": null, "IdentifyMultipleLanguages": true, "LanguageIdSettings": {"en-US": {"LanguageModelName": "m"}}}), "Custom language models"),
        (with(identify.clone(), &json!({"ModelSettings": {"LanguageModelName": "m"}})), "ModelSettings"),
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
        (with(identify.clone(), &json!({"ContentRedaction": redaction})), "Content redaction"),
        (json!({"LanguageCode": "en-GB", "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}]}), "Toxicity"),
        (json!({"Settings": {"VocabularyName": "missing"}}), "The requested vocabulary couldn't be found"),
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
        with(identify, &json!({"LanguageOptions": ["en-US", "de-DE"], "LanguageIdSettings": {"en-US": {}}})),
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
}

/// What is refused: the kind, the change of a good request, and a part of the text.
fn refused() -> Vec<(&'static Kind, Value, &'static str)> {
    let [_, medical, analytics, scribe] = &KINDS;
    let settings = |members: Value| json!({ "Settings": members });
    let channels = |first: Value, second: Value| json!({"ChannelDefinitions": [first, second]});
    let channel = |id: i64, role: &str| json!({"ChannelId": id, "ParticipantRole": role});
    let by_channel = json!({"Settings": {"ChannelIdentification": true}});
    let pair = channels(channel(0, "CLINICIAN"), channel(1, "PATIENT"));
    let both_media = json!({"Media": {"MediaFileUri": "s3://a/b", "RedactedMediaFileUri": "s3://a/b"}});
    let key = json!({"OutputEncryptionKMSKeyId": "alias/a"});
    let (ids, roles) = ("must define channel 0 and channel 1", "a ParticipantRole of its own");
    let (one_way, iff) = (
        "exactly one of ShowSpeakerLabels and ChannelIdentification",
        "if and only if ChannelIdentification",
    );
    #[rustfmt::skip]
    let table = vec![
        (medical, json!({"LanguageCode": "en-GB"}), "US English (en-US) is the only valid value"),
        (medical, json!({"Media": {}}), "media file URI is missing"),
        (medical, both_media.clone(), "only supported for Call Analytics"),
        (medical, json!({"KMSEncryptionContext": {"a": "b"}}), "encryption context"),
        (medical, settings(json!({"ShowSpeakerLabels": true})), "MaxSpeakerLabels"),
        (medical, settings(json!({"MaxSpeakerLabels": 2})), "MaxSpeakerLabels"),
        (medical, settings(json!({"ShowAlternatives": true})), "MaxAlternatives"),
        (medical, settings(json!({"MaxAlternatives": 2, "ShowAlternatives": false})), "MaxAlternatives"),
        (medical, settings(json!({"VocabularyName": "missing"})), "The requested vocabulary couldn't be found"),

        (analytics, json!({"Media": {}}), "media file URI is missing"),
        (analytics, both_media.clone(), "either MediaFileUri or RedactedMediaFileUri"),
        (analytics, json!({"OutputLocation": "https://s3.us-east-1.amazonaws.com/results"}), "output location isn't valid"),
        (analytics, json!({"OutputLocation": "s3://Results"}), "output location isn't valid"),
        (analytics, json!({"OutputLocation": "s3://results/folder"}), "output location isn't valid"),
        (analytics, json!({"OutputLocation": "s3://re/"}), "output location isn't valid"),
        (analytics, key, "outputLocation when you specify outputEncryptionKMSKeyId"),
        (analytics, channels(channel(0, "AGENT"), channel(0, "CUSTOMER")), ids),
        (analytics, channels(json!({"ChannelId": 1}), json!({"ParticipantRole": "AGENT"})), ids),
        (analytics, channels(channel(0, "AGENT"), channel(1, "AGENT")), roles),
        (analytics, settings(json!({"LanguageOptions": ["en-US"]})), "at least two"),
        (analytics, settings(json!({"VocabularyFilterName": "f"})), "VocabularyFilterMethod"),
        (analytics, settings(json!({"VocabularyName": "missing"})), "The requested vocabulary couldn't be found"),

        (scribe, json!({"Media": {}}), "media file URI is missing"),
        (scribe, both_media, "only supported for Call Analytics"),
        (scribe, json!({"KMSEncryptionContext": {"a": "b"}}), "encryption context"),
        (scribe, settings(json!({})), one_way),
        (scribe, settings(json!({"ShowSpeakerLabels": false, "ChannelIdentification": false})), one_way),
        (scribe, with(settings(json!({"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "ChannelIdentification": true})), &pair), one_way),
        (scribe, settings(json!({"ShowSpeakerLabels": true})), "MaxSpeakerLabels"),
        (scribe, with(settings(json!({"ChannelIdentification": true, "MaxSpeakerLabels": 2})), &pair), "MaxSpeakerLabels"),
        (scribe, by_channel.clone(), iff),
        (scribe, pair, iff),
        (scribe, with(by_channel.clone(), &channels(channel(1, "CLINICIAN"), channel(1, "PATIENT"))), ids),
        (scribe, with(by_channel, &channels(channel(0, "PATIENT"), channel(1, "PATIENT"))), roles),
        (scribe, settings(json!({"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "VocabularyFilterName": "f"})), "VocabularyFilterMethod"),
        (scribe, settings(json!({"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "VocabularyName": "missing"})), "vocabulary couldn't be found"),
    ];
    table
}

/// What is accepted, although it is near to what is refused.
fn accepted() -> Vec<(&'static Kind, Value)> {
    let [_, medical, analytics, scribe] = &KINDS;
    let channels = |first: Value, second: Value| json!({"ChannelDefinitions": [first, second]});
    let channel = |id: i64, role: &str| json!({"ChannelId": id, "ParticipantRole": role});
    let by_channel = json!({"Settings": {"ChannelIdentification": true, "ShowSpeakerLabels": false}});
    #[rustfmt::skip]
    let table = vec![
        (medical, json!({"Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "ChannelIdentification": true}})),
        (medical, json!({"ContentIdentificationType": "PHI", "Type": "CONVERSATION"})),
        (medical, json!({"Settings": {"ShowAlternatives": false}})),
        (analytics, json!({"OutputLocation": "s3://results"})),
        (analytics, json!({"OutputLocation": "s3://results/a/b.json"})),
        (analytics, json!({"Media": {"RedactedMediaFileUri": "s3://media/a.wav"}})),
        (analytics, channels(channel(1, "AGENT"), channel(0, "CUSTOMER"))),
        (analytics, channels(json!({"ChannelId": 0}), json!({"ChannelId": 1}))),
        (analytics, json!({"Settings": {"LanguageOptions": ["en-US", "de-DE"], "LanguageIdSettings": {"en-US": {}}}})),
        (scribe, with(by_channel, &channels(channel(1, "CLINICIAN"), channel(0, "PATIENT")))),
        (scribe, json!({"MedicalScribeContext": {"PatientContext": {"Pronouns": "THEY_THEM"}}})),
        (scribe, json!({"Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "ChannelIdentification": false,
            "ClinicalNoteGenerationSettings": {"NoteTemplate": "GIRPP"}}})),
    ];
    table
}

#[tokio::test]
async fn members_of_the_other_kinds_must_fit_each_other() {
    let sim = sim().await;
    for (kind, change, part) in refused() {
        let answer = kind.begin(&sim, "job", change.clone()).await;
        assert_eq!(
            answer.code(),
            "BadRequestException",
            "{} {change}: {}",
            kind.entity,
            answer.text
        );
        assert!(
            answer.message().contains(part),
            "{} {change}: {}",
            kind.entity,
            answer.message()
        );
    }
    assert_eq!(sim.ledger(), []);
    for (index, (kind, change)) in accepted().into_iter().enumerate() {
        let answer = kind.begin(&sim, &format!("job-{index}"), change.clone()).await;
        assert_eq!(answer.status, 200, "{} {change}: {}", kind.entity, answer.text);
    }
    sim.finish_all();
    assert!(sim.jobs().iter().all(|job| job.status == "COMPLETED"));
}

#[tokio::test]
async fn tags_of_each_kind_are_few_distinct_and_ones_own() {
    let sim = sim().await;
    let tags = |n: usize| {
        (0..n)
            .map(|n| json!({"Key": n.to_string(), "Value": ""}))
            .collect::<Value>()
    };
    #[rustfmt::skip]
    let table = [
        (tags(50), None),
        (tags(51), Some("at most 50")),
        (json!([{"Key": "aws:x", "Value": ""}]), Some("aws:")),
        (json!([{"Key": "x", "Value": ""}, {"Key": "x", "Value": "2"}]), Some("unique")),
    ];
    for kind in &KINDS {
        for (tags, part) in &table {
            let answer = kind.begin(&sim, "job", json!({ "Tags": tags })).await;
            let fits = part.map_or(answer.status == 200, |part| answer.message().contains(part));
            assert!(fits, "{} {tags}: {}", kind.entity, answer.text);
        }
    }
}
