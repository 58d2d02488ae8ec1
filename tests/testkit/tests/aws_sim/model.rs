//! Requests with every member that the model has, and the replies to them.

use super::*;

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
async fn every_member_of_a_transcription_job_is_accepted_and_every_reply_is_of_the_model() {
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

/// Start requests that between them have every member that the model has for their kinds.
fn full_requests() -> Vec<(&'static Kind, Value)> {
    let [_, medical, analytics, scribe] = &KINDS;
    let key = Key::default().arn();
    let tags = json!([{"Key": "k", "Value": "v"}]);
    let channels = |roles: [&str; 2]| json!([{"ChannelId": 0, "ParticipantRole": roles[0]}, {"ChannelId": 1, "ParticipantRole": roles[1]}]);
    let vocabulary = json!({"VocabularyName": "v", "VocabularyFilterName": "f"});
    let every = |base: Value, more: Value| {
        with(
            with(base, &json!({"OutputEncryptionKMSKeyId": key, "Tags": tags})),
            &more,
        )
    };
    vec![
        (
            medical,
            every(
                json!({"KMSEncryptionContext": {"team": "a"}, "OutputKey": "out/", "MediaFormat": "wav"}),
                json!({
            "MediaSampleRateHertz": 16_000, "ContentIdentificationType": "PHI",
            "Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "ChannelIdentification": true,
                "ShowAlternatives": true, "MaxAlternatives": 2, "VocabularyName": "v"}}),
            ),
        ),
        (
            analytics,
            every(
                json!({"OutputLocation": "s3://results/out/", "DataAccessRoleArn": kinds::ROLE}),
                json!({
            "ChannelDefinitions": channels(["AGENT", "CUSTOMER"]),
            "Settings": with(vocabulary.clone(), &json!({"VocabularyFilterMethod": "mask", "LanguageModelName": "m",
                "ContentRedaction": {"RedactionType": "PII", "RedactionOutput": "redacted_and_unredacted", "PiiEntityTypes": ["SSN"]},
                "LanguageOptions": ["de-DE", "en-US"], "Summarization": {"GenerateAbstractiveSummary": true},
                "LanguageIdSettings": {"de-DE": with(vocabulary.clone(), &json!({"LanguageModelName": "m"}))}})),
            "Media": {"MediaFileUri": "s3://media/skip-safety.wav"}}),
            ),
        ),
        (
            scribe,
            every(
                json!({"KMSEncryptionContext": {"team": "a"}, "ChannelDefinitions": channels(["PATIENT", "CLINICIAN"])}),
                json!({
            "MedicalScribeContext": {"PatientContext": {"Pronouns": "SHE_HER"}},
            "Settings": with(vocabulary, &json!({"ChannelIdentification": true, "VocabularyFilterMethod": "mask",
                "ClinicalNoteGenerationSettings": {"NoteTemplate": "DAP"}}))}),
            ),
        ),
    ]
}

#[tokio::test]
async fn every_member_of_the_other_kinds_is_accepted_and_every_reply_is_of_the_model() {
    let (sim, model) = (sim().await, Model::transcribe().unwrap());
    for (kind, members) in full_requests() {
        let entity = kind.entity;
        let body = kind.request("full", members);
        let used: BTreeSet<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        let all = model.input_members(&kind.start()).into_iter().collect();
        assert_eq!(used, all, "the request of {entity} leaves no member out");
        let answer = call(&sim, &kind.start(), body).await;
        assert_eq!(answer.status, 200, "{entity}: {}", answer.text);
        model.check_output(&kind.start(), &answer.json()).unwrap();
        for finished in [false, true] {
            if finished {
                sim.finish_all();
            }
            for (operation, body) in [(kind.get(), kind.named("full")), (kind.list(), json!({}))] {
                let answer = call(&sim, &operation, body).await;
                model.check_output(&operation, &answer.json()).unwrap();
                let hidden = [
                    "kms",
                    "KMS",
                    "OutputBucket",
                    "OutputKey",
                    "OutputLocation\"",
                    "arn:aws:transcribe",
                    "Pronouns",
                ];
                assert!(hidden.iter().all(|part| !answer.text.contains(part)), "{}", answer.text);
            }
        }
        let answer = call(&sim, &kind.delete(), kind.named("full")).await;
        model.check_output(&kind.delete(), &answer.json()).unwrap();
    }
}

#[tokio::test]
async fn what_was_asked_for_is_shown_from_the_start() {
    let sim = sim().await;
    for (kind, members) in full_requests() {
        let begun = kind.begin(&sim, "full", members.clone()).await.json()[kind.entity].clone();
        sim.finish_all();
        let done = kind.shown(&sim, "full").await;
        for member in [
            "Settings",
            "Specialty",
            "Type",
            "ContentIdentificationType",
            "ChannelDefinitions",
            "DataAccessRoleArn",
        ] {
            let asked = kind.request("full", members.clone())[member].clone();
            assert_eq!(
                (&begun[member], &done[member]),
                (&asked, &asked),
                "{} {member}",
                kind.entity
            );
        }
    }
    let scribe = &KINDS[3];
    let [with, without] = [scribe.shown(&sim, "full").await, {
        scribe.begin(&sim, "plain", json!({})).await;
        scribe.shown(&sim, "plain").await
    }];
    assert_eq!(with["MedicalScribeContextProvided"], true);
    assert_eq!(
        (&without["MedicalScribeContextProvided"], &without["LanguageCode"]),
        (&json!(false), &json!("en-US"))
    );
    let call = KINDS[2].shown(&sim, "full").await;
    assert_eq!(
        (&call["LanguageCode"], call["IdentifiedLanguageScore"].is_f64()),
        (&json!("de-DE"), true)
    );
}
