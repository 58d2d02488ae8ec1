//! A Start: what it says, when it is signed, and that it is sent once.

use std::collections::BTreeSet;

use aws_config::retry::RetryConfig;
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_types::body::SdkBody;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use transcribe_operator::{api::status::PinnedRequest, domain::AwsErrorKind};

use crate::peer::{
    JOB, Peer, Treat, asked, config, connect, error, http, intent, now, over, pinned, plain, replaying, reply, spec,
};

/// What AWS answers when it has accepted a job.
fn accepted() -> ::http::Response<SdkBody> {
    reply(
        200,
        &json!({"TranscriptionJob": {"TranscriptionJobName": JOB, "TranscriptionJobStatus": "QUEUED"}}),
    )
}

fn known_language() -> Value {
    json!({
        "languageCode": "en-US",
        "mediaSampleRateHertz": 16000,
        "mediaFormat": "wav",
        "media": {"mediaFileUri": "s3://media/call.wav"},
        "outputBucketName": "transcripts",
        "outputKey": "calls/",
        "encryption": {"kmsKeyId": "alias/calls", "context": {"other": "context"}},
        "settings": {
            "vocabularyName": "terms", "showSpeakerLabels": true, "maxSpeakerLabels": 4, "channelIdentification": true,
            "showAlternatives": true, "maxAlternatives": 2, "vocabularyFilterName": "words",
            "vocabularyFilterMethod": "mask",
        },
        "modelSettings": {"languageModelName": "model"},
        "jobExecutionSettings": {
            "allowDeferredExecution": true, "dataAccessRoleArn": "arn:aws:iam::111122223333:role/data",
        },
        "contentRedaction": {"redactionType": "PII", "redactionOutput": "redacted", "piiEntityTypes": ["NAME", "SSN"]},
        "subtitles": {"formats": ["vtt", "srt"], "outputStartIndex": 1},
        "tags": {"unpinned": "tag"},
        "toxicityDetection": [{"toxicityCategories": ["ALL"]}],
        "suspend": false,
        "backoffLimit": 1,
    })
}

fn known_language_request() -> Value {
    json!({
        "TranscriptionJobName": JOB,
        "LanguageCode": "en-US",
        "MediaSampleRateHertz": 16000,
        "MediaFormat": "wav",
        "Media": {"MediaFileUri": "s3://media/call.wav"},
        "OutputBucketName": "pinned-bucket",
        "OutputKey": "pinned/",
        "OutputEncryptionKMSKeyId": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "KMSEncryptionContext": {"department": "finance"},
        "Settings": {
            "VocabularyName": "terms", "ShowSpeakerLabels": true, "MaxSpeakerLabels": 4, "ChannelIdentification": true,
            "ShowAlternatives": true, "MaxAlternatives": 2, "VocabularyFilterName": "words",
            "VocabularyFilterMethod": "mask",
        },
        "ModelSettings": {"LanguageModelName": "model"},
        "JobExecutionSettings": {
            "AllowDeferredExecution": true, "DataAccessRoleArn": "arn:aws:iam::111122223333:role/pinned",
        },
        "ContentRedaction": {"RedactionType": "PII", "RedactionOutput": "redacted", "PiiEntityTypes": ["NAME", "SSN"]},
        "Subtitles": {"Formats": ["vtt", "srt"], "OutputStartIndex": 1},
        "Tags": [
            {"Key": "team", "Value": "finance"},
            {"Key": "transcribe-operator.io/uid", "Value": "0f8fad5b"},
        ],
        "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}],
    })
}

fn identified_language() -> Value {
    json!({
        "identifyLanguage": true,
        "languageOptions": ["de-DE", "fr-FR"],
        "languageIdSettings": {
            "de-DE": {"vocabularyName": "terms", "vocabularyFilterName": "words", "languageModelName": "model"},
        },
        "media": {"mediaFileUri": "s3://media/call.wav"},
    })
}

fn identified_language_request() -> Value {
    json!({
        "TranscriptionJobName": JOB,
        "IdentifyLanguage": true,
        "LanguageOptions": ["de-DE", "fr-FR"],
        "LanguageIdSettings": {
            "de-DE": {"VocabularyName": "terms", "VocabularyFilterName": "words", "LanguageModelName": "model"},
        },
        "Media": {"MediaFileUri": "s3://media/call.wav"},
        "OutputBucketName": "pinned-bucket",
    })
}

/// The body of the one request that a Start of this spec makes.
async fn body(wanted: &Value, request: PinnedRequest) -> Value {
    let (aws, client) = replaying(vec![accepted()]);
    let facts = aws.start(&spec(wanted), &pinned(now(), request)).await.unwrap();
    assert_eq!(facts.job_status, "QUEUED");
    let [request] = &asked(&client)[..] else {
        panic!("not one request")
    };
    assert_eq!(request.operation, "Transcribe.StartTranscriptionJob");
    request.body.clone()
}

fn only_a_bucket() -> PinnedRequest {
    PinnedRequest {
        output_bucket_name: Some("pinned-bucket".to_owned()),
        ..PinnedRequest::default()
    }
}

fn without_empty_lists(mut body: Value) -> Value {
    let members = body.as_object_mut().unwrap();
    members.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    body
}

#[tokio::test]
async fn the_request_is_the_spec_and_what_the_intent_pins() {
    let with_everything = body(&known_language(), intent(now()).request).await;
    assert_eq!(with_everything, known_language_request());
    let identified = body(&identified_language(), only_a_bucket()).await;
    assert_eq!(without_empty_lists(identified), identified_language_request());
    let many = json!({"identifyMultipleLanguages": true, "media": {"mediaFileUri": "s3://media/call.wav"}});
    assert_eq!(body(&many, only_a_bucket()).await["IdentifyMultipleLanguages"], true);
}

#[tokio::test]
async fn what_is_absent_is_not_sent() {
    let plain = json!({"media": {"mediaFileUri": "s3://media/a.wav"}, "languageCode": "en-US"});
    let expected = json!({
        "TranscriptionJobName": JOB,
        "LanguageCode": "en-US",
        "Media": {"MediaFileUri": "s3://media/a.wav"},
        "OutputBucketName": "pinned-bucket",
    });
    assert_eq!(body(&plain, only_a_bucket()).await, expected);
}

/// A member that AWS adds to its operation shows up here.
#[test]
fn the_requests_above_hold_every_member_of_the_operation() {
    let model: Value = serde_json::from_str(include_str!("../testkit/aws-model/transcribe.json")).unwrap();
    let members = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let modelled = members(&model["shapes"]["StartTranscriptionJobRequest"]["members"]);
    let mut sent = members(&known_language_request());
    sent.extend(members(&identified_language_request()));
    sent.insert("IdentifyMultipleLanguages".to_owned());
    assert_eq!(sent, modelled);
}

fn amz_date(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[tokio::test]
async fn a_start_is_signed_with_the_time_of_its_intent() {
    for age in [0, 5, 3600] {
        let started_at = now() - SignedDuration::from_secs(age);
        let (aws, client) = replaying(vec![accepted()]);
        aws.start(&plain(), &intent(started_at)).await.unwrap();
        let [request] = &asked(&client)[..] else {
            panic!("not one request")
        };
        assert_eq!(request.date, amz_date(started_at));
        let scope = format!(
            "Credential=AKIDEXAMPLE/{}/eu-west-1/transcribe/aws4_request",
            &request.date[..8]
        );
        assert!(request.authorization.contains(&scope), "{}", request.authorization);
    }
}

/// AWS's clock is an hour ahead of the signature, and says so in the refusal.
#[tokio::test]
async fn an_old_signature_does_not_turn_the_clock_of_later_calls() {
    let mut too_old = error(403, "InvalidSignatureException", "Signature expired");
    let date = now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    too_old.headers_mut().insert("date", date.parse().unwrap());
    let absent = error(400, "NotFoundException", "no such job");
    let (aws, client) = replaying(vec![too_old, absent]);
    let fault = aws
        .start(&plain(), &intent(now() - SignedDuration::from_hours(1)))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, AwsErrorKind::NotSent, "AWS did not apply it: {fault:?}");
    let before = now();
    let found = aws
        .get(transcribe_operator::api::Kind::TranscriptionJob, JOB)
        .await
        .unwrap();
    assert_eq!(found, None);
    let signed = &asked(&client)[1].date;
    assert!((amz_date(before)..=amz_date(now())).contains(signed), "{signed}");
}

#[tokio::test]
async fn a_start_is_sent_once_whatever_becomes_of_it() {
    let patient = || {
        config()
            .into_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(5))
            .build()
    };
    for treat in [
        http(
            "500 Internal Server Error",
            "",
            r#"{"__type": "InternalFailureException", "message": "try again"}"#,
        ),
        http("503 Service Unavailable", "", ""),
        http(
            "400 Bad Request",
            "",
            r#"{"__type": "LimitExceededException", "message": "too many"}"#,
        ),
        http(
            "400 Bad Request",
            "",
            r#"{"__type": "ThrottlingException", "message": "slow down"}"#,
        ),
        Treat::Close,
    ] {
        let peer = Peer::that(treat.clone()).await;
        let aws = connect(&patient(), Some(peer.endpoint.clone()));
        aws.start(&plain(), &intent(now())).await.unwrap_err();
        assert_eq!(peer.requests().len(), 1, "{treat:?}");
    }
}

/// The other calls may be repeated, and are: this shows that the test above can tell.
#[tokio::test]
async fn a_get_is_repeated() {
    let body = r#"{"__type": "InternalFailureException", "message": "try again"}"#;
    let peer = Peer::that(http("500 Internal Server Error", "", body)).await;
    let patient = config()
        .into_builder()
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .build();
    let aws = connect(&patient, Some(peer.endpoint.clone()));
    aws.get(transcribe_operator::api::Kind::TranscriptionJob, JOB)
        .await
        .unwrap_err();
    assert_eq!(peer.requests().len(), 2);
}

#[tokio::test]
async fn an_acceptance_that_says_nothing_is_one() {
    let (aws, _) = replaying(vec![reply(200, &json!({}))]);
    assert_eq!(aws.start(&plain(), &intent(now())).await.unwrap().job_status, "QUEUED");
}

/// The environment and profiles may name endpoints; only the flags were checked for TLS.
#[tokio::test]
async fn an_endpoint_comes_from_the_flags_alone() {
    let client = StaticReplayClient::new(vec![ReplayEvent::new(
        ::http::Request::builder().body(SdkBody::empty()).unwrap(),
        accepted(),
    )]);
    let elsewhere = over(client.clone())
        .into_builder()
        .endpoint_url("http://elsewhere.example")
        .build();
    connect(&elsewhere, None).start(&plain(), &intent(now())).await.unwrap();
    let uris: Vec<_> = client
        .actual_requests()
        .map(|request| request.uri().to_owned())
        .collect();
    assert_eq!(uris, ["https://transcribe.eu-west-1.amazonaws.com/"]);
}
