//! What is the same for all kinds, kind by kind: the requests by AWS's names, and what is read of the replies.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use transcribe_operator::{
    api::{
        Kind, Spec,
        status::{OutputStatus, PinnedRequest, SkippedFeature},
    },
    aws::transcribe::ListOf,
    domain::{AwsErrorKind, RemoteJob},
};

use crate::{
    peer::{JOB, asked, error, intent, now, pinned, replaying, reply},
    samples,
};

/// How AWS names things of a kind.
struct Names {
    kind: Kind,
    /// The operations, after their verbs.
    one: &'static str,
    many: &'static str,
    /// The member with the job's name, and with its status.
    name: &'static str,
    status: &'static str,
    /// The member with the summaries.
    summaries: &'static str,
}

const KINDS: [Names; 4] = [
    Names {
        kind: Kind::TranscriptionJob,
        one: "TranscriptionJob",
        many: "TranscriptionJobs",
        name: "TranscriptionJobName",
        status: "TranscriptionJobStatus",
        summaries: "TranscriptionJobSummaries",
    },
    Names {
        kind: Kind::MedicalTranscriptionJob,
        one: "MedicalTranscriptionJob",
        many: "MedicalTranscriptionJobs",
        name: "MedicalTranscriptionJobName",
        status: "TranscriptionJobStatus",
        summaries: "MedicalTranscriptionJobSummaries",
    },
    Names {
        kind: Kind::CallAnalyticsJob,
        one: "CallAnalyticsJob",
        many: "CallAnalyticsJobs",
        name: "CallAnalyticsJobName",
        status: "CallAnalyticsJobStatus",
        summaries: "CallAnalyticsJobSummaries",
    },
    Names {
        kind: Kind::MedicalScribeJob,
        one: "MedicalScribeJob",
        many: "MedicalScribeJobs",
        name: "MedicalScribeJobName",
        status: "MedicalScribeJobStatus",
        summaries: "MedicalScribeJobSummaries",
    },
];

#[test]
fn the_list_holds_every_kind() {
    let listed: Vec<_> = KINDS.iter().map(|names| names.kind).collect();
    assert_eq!(listed, Kind::ALL);
}

/// The members of AWS's Start request.
fn modelled(names: &Names) -> BTreeSet<String> {
    let model: Value = serde_json::from_str(include_str!("../testkit/aws-model/transcribe.json")).unwrap();
    let request = &model["shapes"][format!("Start{}Request", names.one)]["members"];
    request.as_object().unwrap().keys().cloned().collect()
}

/// A spec under AWS's names: all of it, so that a member which is not sent shows up.
fn in_aws_names(spec: &Value) -> Value {
    match spec {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let (first, rest) = name.split_at(1);
                // Languages are the keys of a map, and no members.
                let name = if name.contains('-') {
                    name.clone()
                } else {
                    first.to_uppercase() + rest
                };
                (name, in_aws_names(value))
            })
            .collect(),
        Value::Array(items) => items.iter().map(in_aws_names).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => spec.clone(),
    }
}

/// What a Start of a spec is to say, with the pinned values in the place of the spec's own.
fn expected(names: &Names, spec: &Value) -> Value {
    let known = modelled(names);
    let mut request = in_aws_names(spec);
    let members = request.as_object_mut().unwrap();
    let ours = [
        "Encryption",
        "TranscriptionClassName",
        "Suspend",
        "StartDeadlineSeconds",
        "BackoffLimit",
    ];
    for name in ours.into_iter().chain(["TtlSecondsAfterFinished", "DeletionPolicy"]) {
        members.remove(name);
    }
    let role = "arn:aws:iam::111122223333:role/pinned";
    if let Some(execution) = members.get_mut("JobExecutionSettings") {
        execution["DataAccessRoleArn"] = json!(role);
    }
    for (name, value) in [
        (names.name, json!(JOB)),
        ("OutputBucketName", json!("pinned-bucket")),
        ("OutputKey", json!("pinned/")),
        ("OutputLocation", json!("s3://pinned-bucket/pinned/")),
        (
            "OutputEncryptionKMSKeyId",
            json!("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ),
        ("KMSEncryptionContext", json!({"department": "finance"})),
        ("DataAccessRoleArn", json!(role)),
        (
            "Tags",
            json!([{"Key": "team", "Value": "finance"}, {"Key": "transcribe-operator.io/uid", "Value": "0f8fad5b"}]),
        ),
    ] {
        if known.contains(name) {
            members.insert(name.to_owned(), value);
        }
    }
    request
}

async fn body(names: &Names, spec: &Value, request: PinnedRequest) -> Value {
    let accepted = json!({names.one: {names.name: JOB, names.status: "IN_PROGRESS", "CreationTime": 1_700_000_000}});
    let (aws, client) = replaying(vec![reply(200, &accepted)]);
    let spec = Spec::parse(names.kind, spec).unwrap();
    let facts = aws.start(&spec, &pinned(now(), request)).await.unwrap();
    assert_eq!(facts.job_status, "IN_PROGRESS");
    assert_eq!(facts.creation_time, Some(at(1_700_000_000)));
    let [request] = &asked(&client)[..] else {
        panic!("not one request")
    };
    assert_eq!(request.operation, format!("Transcribe.Start{}", names.one));
    // The SDK sends some empty lists for nothing.
    let mut body = request.body.clone();
    let members = body.as_object_mut().unwrap();
    members.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    body
}

#[tokio::test]
async fn a_start_is_the_spec_under_awss_names_and_what_the_intent_pins() {
    for names in &KINDS {
        let mut sent = BTreeSet::new();
        for sample in samples::all(names.kind) {
            let body = body(names, &sample, intent(now()).request).await;
            assert_eq!(body, expected(names, &sample), "{}", names.kind);
            sent.extend(body.as_object().unwrap().keys().cloned());
        }
        assert_eq!(sent, modelled(names), "{}: every member is sent", names.kind);
    }
}

#[tokio::test]
async fn what_is_not_pinned_is_not_sent() {
    for names in &KINDS {
        let spec = samples::minimal(names.kind);
        let body = body(names, &spec, PinnedRequest::default()).await;
        let mut expected = in_aws_names(&spec);
        expected[names.name] = json!(JOB);
        assert_eq!(body, expected, "{}", names.kind);
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn times() -> Value {
    json!({"CreationTime": 1_700_000_000, "StartTime": 1_700_000_001, "CompletionTime": 1_700_000_100})
}

fn timed(facts: RemoteJob) -> RemoteJob {
    RemoteJob {
        creation_time: Some(at(1_700_000_000)),
        start_time: Some(at(1_700_000_001)),
        completion_time: Some(at(1_700_000_100)),
        ..facts
    }
}

/// What AWS says of a job, in addition to names, times and status.
async fn got(names: &Names, status: &str, more: Value) -> RemoteJob {
    let mut job = times();
    let members = job.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    members.insert(names.name.to_owned(), json!(JOB));
    members.insert(names.status.to_owned(), json!(status));
    let (aws, client) = replaying(vec![reply(200, &json!({names.one: job}))]);
    let facts = aws.get(names.kind, JOB).await.unwrap().unwrap();
    let request = &asked(&client)[0];
    assert_eq!(request.operation, format!("Transcribe.Get{}", names.one));
    assert_eq!(request.body, json!({names.name: JOB}));
    facts
}

fn url(key: &str) -> String {
    format!("https://s3.eu-west-1.amazonaws.com/bucket/{key}")
}

fn place(key: &str) -> String {
    format!("s3://bucket/{key}")
}

#[tokio::test]
async fn the_results_of_a_medical_transcription() {
    let more = json!({"LanguageCode": "en-US", "Transcript": {"TranscriptFileUri": url("a.json")}});
    let expected = timed(RemoteJob {
        job_status: "COMPLETED".to_owned(),
        language_code: Some("en-US".to_owned()),
        output: OutputStatus {
            transcript_uri: Some(place("a.json")),
            ..OutputStatus::default()
        },
        ..RemoteJob::default()
    });
    assert_eq!(got(&KINDS[1], "COMPLETED", more).await, expected);
}

#[tokio::test]
async fn the_results_of_a_call() {
    let more = json!({
        "LanguageCode": "en-GB",
        "IdentifiedLanguageScore": 0.9,
        "Media": {"MediaFileUri": "s3://media/call.wav", "RedactedMediaFileUri": url("redacted.wav")},
        "Transcript": {"TranscriptFileUri": url("a.json"), "RedactedTranscriptFileUri": url("redacted-a.json")},
        "CallAnalyticsJobDetails": {"Skipped": [{
            "Feature": "GENERATIVE_SUMMARIZATION", "ReasonCode": "FAILED_SAFETY_GUIDELINES", "Message": "too\nrude",
        }, {}]},
        "Tags": [{"Key": "a", "Value": "b"}],
    });
    let text = |text: &str| Some(text.to_owned());
    let expected = timed(RemoteJob {
        job_status: "COMPLETED".to_owned(),
        language_code: text("en-GB"),
        tags: Some([("a".to_owned(), "b".to_owned())].into()),
        output: OutputStatus {
            transcript_uri: Some(place("a.json")),
            redacted_transcript_uri: Some(place("redacted-a.json")),
            redacted_media_uri: Some(place("redacted.wav")),
            ..OutputStatus::default()
        },
        skipped: vec![
            SkippedFeature {
                feature: text("GENERATIVE_SUMMARIZATION"),
                reason_code: text("FAILED_SAFETY_GUIDELINES"),
                message: text("too rude"),
            },
            SkippedFeature::default(),
        ],
        ..RemoteJob::default()
    });
    assert_eq!(got(&KINDS[2], "COMPLETED", more).await, expected);
}

/// A record repeats the media of its request: that is no result.
#[tokio::test]
async fn the_redacted_media_that_a_tenant_gave_is_no_output() {
    let more = json!({"Media": {"RedactedMediaFileUri": "s3://media/call.wav"}});
    assert_eq!(got(&KINDS[2], "COMPLETED", more).await.output, OutputStatus::default());
}

#[tokio::test]
async fn the_results_of_a_medical_conversation() {
    let more = json!({
        "LanguageCode": "en-US",
        "MedicalScribeOutput": {"TranscriptFileUri": url("a/transcript.json"), "ClinicalDocumentUri": url("a/summary.json")},
    });
    let expected = timed(RemoteJob {
        job_status: "COMPLETED".to_owned(),
        language_code: Some("en-US".to_owned()),
        output: OutputStatus {
            transcript_uri: Some(place("a/transcript.json")),
            clinical_document_uri: Some(place("a/summary.json")),
            ..OutputStatus::default()
        },
        ..RemoteJob::default()
    });
    assert_eq!(got(&KINDS[3], "COMPLETED", more).await, expected);
}

#[tokio::test]
async fn little_is_enough_for_any_kind() {
    for names in &KINDS {
        let failed = got(names, "FAILED", json!({"FailureReason": "Unsupported\nmedia format"})).await;
        assert_eq!(
            failed.failure_reason.as_deref(),
            Some("Unsupported media format"),
            "{}",
            names.kind
        );
        assert_eq!(
            (failed.output, failed.tags),
            (OutputStatus::default(), None),
            "{}",
            names.kind
        );
        let (aws, _) = replaying(vec![reply(200, &json!({names.one: {}}))]);
        assert_eq!(aws.get(names.kind, JOB).await.unwrap().unwrap().job_status, "QUEUED");
        let (aws, _) = replaying(vec![reply(200, &json!({}))]);
        assert_eq!(
            aws.get(names.kind, JOB).await.unwrap_err().kind,
            AwsErrorKind::Ambiguous
        );
        let (aws, _) = replaying(vec![error(
            400,
            "BadRequestException",
            "The requested job couldn't be found.",
        )]);
        assert_eq!(aws.get(names.kind, JOB).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_list_of_any_kind() {
    for names in &KINDS {
        let mut summary = times();
        summary[names.name] = json!("a");
        summary[names.status] = json!("FAILED");
        summary["FailureReason"] = json!("no\nsound");
        summary["LanguageCode"] = json!("en-US");
        let nameless = json!({names.status: "FAILED"});
        let stateless = json!({names.name: "b"});
        let page = json!({names.summaries: [summary, nameless, stateless], "NextToken": "more"});
        let (aws, client) = replaying(vec![reply(200, &page)]);
        let page = aws
            .list(names.kind, ListOf::Failed, "tro-c1-", Some("from".to_owned()))
            .await
            .unwrap();
        let request = &asked(&client)[0];
        assert_eq!(request.operation, format!("Transcribe.List{}", names.many));
        let wanted = json!({"Status": "FAILED", "JobNameContains": "tro-c1-", "MaxResults": 100, "NextToken": "from"});
        assert_eq!(request.body, wanted, "{}", names.kind);
        let expected = timed(RemoteJob {
            job_status: "FAILED".to_owned(),
            failure_reason: Some("no sound".to_owned()),
            language_code: Some("en-US".to_owned()),
            ..RemoteJob::default()
        });
        assert_eq!(page.jobs, [("a".to_owned(), expected)].into(), "{}", names.kind);
        assert_eq!(page.next.as_deref(), Some("more"));
    }
}

#[tokio::test]
async fn a_record_of_any_kind_is_deleted() {
    for names in &KINDS {
        let (aws, client) = replaying(vec![reply(200, &json!({}))]);
        aws.delete(names.kind, JOB).await.unwrap();
        let request = &asked(&client)[0];
        assert_eq!(request.operation, format!("Transcribe.Delete{}", names.one));
        assert_eq!(request.body, json!({names.name: JOB}));
    }
}
