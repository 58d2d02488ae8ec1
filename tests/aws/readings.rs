//! What is read of jobs: one by a Get, many by a List, and whose credentials read them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use transcribe_operator::{
    api::{
        Kind,
        status::{IdentifiedLanguage, OutputStatus},
    },
    aws::transcribe::ListOf,
    domain::RemoteJob,
};

use crate::peer::{JOB, asked, error, replaying, reply};

const KIND: Kind = Kind::TranscriptionJob;

async fn got(job: Value) -> RemoteJob {
    let (aws, client) = replaying(vec![reply(200, &json!({"TranscriptionJob": job}))]);
    let facts = aws.get(KIND, JOB).await.unwrap().unwrap();
    let request = &asked(&client)[0];
    assert_eq!(request.operation, "Transcribe.GetTranscriptionJob");
    assert_eq!(request.body, json!({"TranscriptionJobName": JOB}));
    facts
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[tokio::test]
async fn a_get_of_a_completed_job() {
    let facts = got(json!({
        "TranscriptionJobName": JOB,
        "TranscriptionJobStatus": "COMPLETED",
        "LanguageCode": "de-DE",
        "LanguageCodes": [{"LanguageCode": "de-DE", "DurationInSeconds": 12.5}, {"LanguageCode": "fr-FR"}],
        "CreationTime": 1_700_000_000.25,
        "StartTime": 1_700_000_001,
        "CompletionTime": 1_700_000_100,
        "Transcript": {
            "TranscriptFileUri": "https://s3.eu-west-1.amazonaws.com/bucket/a/b.json",
            "RedactedTranscriptFileUri": "https://s3.eu-west-1.amazonaws.com/bucket/a/redacted-b.json",
        },
        "Subtitles": {"SubtitleFileUris": ["https://s3.eu-west-1.amazonaws.com/bucket/a/b.vtt"]},
        "Tags": [{"Key": "transcribe-operator.io/uid", "Value": "x"}],
    }))
    .await;
    let language = |code: &str, seconds: Option<&str>| IdentifiedLanguage {
        language_code: code.to_owned(),
        duration_in_seconds: seconds.map(ToOwned::to_owned),
    };
    let expected = RemoteJob {
        job_status: "COMPLETED".to_owned(),
        creation_time: Some(Timestamp::from_millisecond(1_700_000_000_250).unwrap()),
        start_time: Some(at(1_700_000_001)),
        completion_time: Some(at(1_700_000_100)),
        tags: Some(BTreeMap::from([(
            "transcribe-operator.io/uid".to_owned(),
            "x".to_owned(),
        )])),
        failure_reason: None,
        language_code: Some("de-DE".to_owned()),
        identified_languages: vec![language("de-DE", Some("12.5")), language("fr-FR", None)],
        output: OutputStatus {
            transcript_uri: Some("s3://bucket/a/b.json".to_owned()),
            redacted_transcript_uri: Some("s3://bucket/a/redacted-b.json".to_owned()),
            subtitle_uris: vec!["s3://bucket/a/b.vtt".to_owned()],
            ..OutputStatus::default()
        },
        skipped: Vec::new(),
    };
    assert_eq!(facts, expected);
    assert!(facts.completed() && facts.terminal());
}

#[tokio::test]
async fn a_get_of_a_failed_job() {
    let facts = got(json!({"TranscriptionJobStatus": "FAILED", "FailureReason": "Unsupported\nmedia format"})).await;
    assert_eq!(facts.failure_reason.as_deref(), Some("Unsupported media format"));
    assert!(facts.terminal() && !facts.completed());
}

/// An emulator returns no tags and few times; AWS may add states.
#[tokio::test]
async fn little_is_enough() {
    let facts = got(json!({"TranscriptionJobStatus": "IN_PROGRESS"})).await;
    assert_eq!(
        (facts.tags, facts.creation_time, facts.output),
        (None, None, OutputStatus::default())
    );
    let facts = got(json!({"TranscriptionJobStatus": "PAUSED_BY_NOBODY_KNOWS"})).await;
    assert!(facts.job_status == "PAUSED_BY_NOBODY_KNOWS" && !facts.terminal());
}

#[tokio::test]
async fn a_presigned_uri_is_a_credential_and_is_not_kept() {
    let facts = got(json!({
        "TranscriptionJobStatus": "COMPLETED",
        "Transcript": {"TranscriptFileUri": "https://s3.eu-west-1.amazonaws.com/aws/x.json?X-Amz-Signature=abc"},
    }))
    .await;
    assert_eq!(facts.output, OutputStatus::default());
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let summary = |name: &str| json!({"TranscriptionJobName": name, "TranscriptionJobStatus": "QUEUED", "CreationTime": 1_700_000_000});
    let page = |names: &[&str], next: Option<&str>| {
        let summaries: Vec<_> = names.iter().map(|name| summary(name)).collect();
        reply(
            200,
            &json!({"Status": "QUEUED", "NextToken": next, "TranscriptionJobSummaries": summaries}),
        )
    };
    let (aws, client) = replaying(vec![
        page(&["a", "b"], Some("more")),
        page(&[], Some("yet")),
        page(&["c"], None),
    ]);
    let (mut names, mut from) = (Vec::new(), None);
    loop {
        let page = aws.list(KIND, ListOf::Queued, "tro-c1-", from).await.unwrap();
        names.extend(page.jobs.into_keys());
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c"], "an empty page in the middle is not the end");
    let requests = asked(&client);
    let request = |token: Option<&str>| {
        let mut body = json!({"Status": "QUEUED", "JobNameContains": "tro-c1-", "MaxResults": 100});
        if let Some(token) = token {
            body["NextToken"] = json!(token);
        }
        body
    };
    let bodies: Vec<_> = requests.iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies, [request(None), request(Some("more")), request(Some("yet"))]);
    assert!(
        requests
            .iter()
            .all(|r| r.operation == "Transcribe.ListTranscriptionJobs")
    );
}

#[tokio::test]
async fn each_list_is_about_one_state() {
    for (of, status) in [
        (ListOf::Queued, "QUEUED"),
        (ListOf::InProgress, "IN_PROGRESS"),
        (ListOf::Completed, "COMPLETED"),
        (ListOf::Failed, "FAILED"),
    ] {
        let (aws, client) = replaying(vec![reply(200, &json!({}))]);
        let page = aws.list(KIND, of, "x", None).await.unwrap();
        assert!(page.jobs.is_empty() && page.next.is_none());
        assert_eq!(asked(&client)[0].body["Status"], status);
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_had_is_a_fault() {
    let (aws, _) = replaying(vec![error(400, "ThrottlingException", "Rate exceeded")]);
    aws.list(KIND, ListOf::Queued, "x", None).await.unwrap_err();
}

#[tokio::test]
async fn whose_credentials_these_are() {
    let xml = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
               <Arn>arn:aws:iam::111122223333:role/x</Arn><UserId>A</UserId><Account>111122223333</Account>\
               </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let ok = http::Response::builder()
        .status(200)
        .body(aws_smithy_types::body::SdkBody::from(xml))
        .unwrap();
    let (aws, _) = replaying(vec![ok]);
    let identity = aws.verify_identity().await.unwrap();
    assert_eq!(
        (identity.account.as_str(), identity.region.as_str()),
        ("111122223333", crate::peer::REGION)
    );
}

/// An identity without an account would compare equal to another such one.
#[tokio::test]
async fn an_identity_without_an_account_is_none() {
    let xml = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
               </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let ok = http::Response::builder()
        .status(200)
        .body(aws_smithy_types::body::SdkBody::from(xml))
        .unwrap();
    let (aws, _) = replaying(vec![ok]);
    aws.verify_identity().await.unwrap_err();
}
