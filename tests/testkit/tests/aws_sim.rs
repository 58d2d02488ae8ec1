//! The AWS simulator over real sockets: through the AWS SDK, and by raw requests for what the SDK would not send.
#![allow(clippy::unwrap_used, clippy::panic, clippy::too_many_lines, missing_docs)]

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_transcribe::config::retry::RetryConfig;
use aws_sdk_transcribe::config::timeout::TimeoutConfig;
use aws_sdk_transcribe::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_transcribe::error::ProvideErrorMetadata;
use aws_sdk_transcribe::types::{LanguageCode, Media, Tag, TranscriptionJobStatus};
use aws_smithy_async::time::StaticTimeSource;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use testkit::aws_sim::{
    AwsSim, Config, FaultRule, ForeignJob, LedgerLine, Model, OutcomeRule, Statuses, What, When, outcomes,
};

const START: &str = "StartTranscriptionJob";
const GET: &str = "GetTranscriptionJob";
const ABSENT: &str = "The requested job couldn't be found. Check the job name and try your request again.";

/// A simulator whose jobs run until they are finished by hand.
async fn sim() -> AwsSim {
    sim_with(|_| {}).await
}

async fn sim_with(change: impl FnOnce(&mut Config)) -> AwsSim {
    let mut config = Config {
        run_ms: i64::MAX,
        rates: false,
        ..Config::default()
    };
    change(&mut config);
    AwsSim::start(config).await.unwrap()
}

fn sdk(sim: &AwsSim) -> aws_sdk_transcribe::Client {
    aws_sdk_transcribe::Client::from_conf(sdk_config(sim).build())
}

fn sdk_config(sim: &AwsSim) -> aws_sdk_transcribe::config::Builder {
    aws_sdk_transcribe::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(sim.url())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(Duration::from_secs(2))
                .build(),
        )
}

async fn start(client: &aws_sdk_transcribe::Client, name: &str, uri: &str) -> Result<(), String> {
    let media = Media::builder().media_file_uri(uri).build();
    let call = client
        .start_transcription_job()
        .transcription_job_name(name)
        .language_code(LanguageCode::EnUs);
    call.media(media)
        .send()
        .await
        .map(drop)
        .map_err(|error| error.code().unwrap_or("none").to_owned())
}

/// A raw request: everything that goes over the wire can be chosen.
struct Raw<'s> {
    sim: &'s AwsSim,
    key: &'s str,
    region: &'s str,
    service: &'s str,
    signed_at: Timestamp,
    headers: Vec<(&'s str, Option<String>)>,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    fn code(&self) -> String {
        self.json()["__type"].as_str().unwrap_or("none").to_owned()
    }

    fn message(&self) -> String {
        self.json()["Message"].as_str().unwrap_or("none").to_owned()
    }
}

impl<'s> Raw<'s> {
    fn new(sim: &'s AwsSim) -> Self {
        let signed_at = Timestamp::now();
        Self {
            sim,
            key: "AKIDEXAMPLE",
            region: "us-east-1",
            service: "transcribe",
            signed_at,
            headers: Vec::new(),
        }
    }

    fn header(mut self, name: &'s str, value: Option<&str>) -> Self {
        self.headers.push((name, value.map(str::to_owned)));
        self
    }

    async fn send(&self, operation: &str, body: impl Into<bytes::Bytes>) -> Answer {
        self.try_send(operation, body).await.unwrap()
    }

    async fn try_send(&self, operation: &str, body: impl Into<bytes::Bytes>) -> Result<Answer, String> {
        let date = self.signed_at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!(
            "{}/{}/{}/{}/aws4_request",
            self.key,
            &date[..8],
            self.region,
            self.service
        );
        let names = "content-type;host;x-amz-date;x-amz-target";
        let signature = "0".repeat(64);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}");
        let mut headers = vec![
            ("authorization", Some(authorization)),
            ("x-amz-date", Some(date)),
            ("x-amz-target", Some(format!("Transcribe.{operation}"))),
            ("content-type", Some("application/x-amz-json-1.1".to_owned())),
        ];
        for (name, value) in &self.headers {
            headers.retain(|(other, _)| other != name);
            headers.push((name, value.clone()));
        }
        let mut request = http::Request::post(self.sim.url());
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
        let answer = client
            .request(request.body(Full::new(body.into())).unwrap())
            .await
            .map_err(|e| e.to_string())?;
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        })
    }

    async fn call(&self, operation: &str, body: Value) -> Answer {
        self.send(operation, body.to_string()).await
    }
}

async fn call(sim: &AwsSim, operation: &str, body: Value) -> Answer {
    Raw::new(sim).call(operation, body).await
}

/// A Start request that AWS accepts, changed by the members of `change`; a null takes a member away.
fn request(name: &str, change: Value) -> Value {
    let mut request = json!({
        "TranscriptionJobName": name, "LanguageCode": "en-US", "Media": {"MediaFileUri": "s3://media/a.wav"},
    });
    let Value::Object(change) = change else {
        panic!("not an object")
    };
    let members = request.as_object_mut().unwrap();
    for (member, value) in change {
        if value.is_null() {
            members.remove(&member)
        } else {
            members.insert(member, value)
        };
    }
    request
}

async fn names(sim: &AwsSim, body: Value) -> (Vec<String>, Value) {
    let mut reply = call(sim, "ListTranscriptionJobs", body).await.json();
    let token = reply["NextToken"].take();
    let name = |job: &Value| job["TranscriptionJobName"].as_str().unwrap().to_owned();
    (
        reply["TranscriptionJobSummaries"]
            .as_array()
            .unwrap()
            .iter()
            .map(name)
            .collect(),
        token,
    )
}

#[tokio::test]
async fn a_job_lives_from_start_to_delete() {
    let (sim, uri) = (sim().await, "s3://media/a.mp3");
    let client = sdk(&sim);
    let tag = Tag::builder()
        .key("transcribe-operator.io/uid")
        .value("u-1")
        .build()
        .unwrap();
    let media = Media::builder().media_file_uri(uri).build();
    let call = client
        .start_transcription_job()
        .transcription_job_name("job-1")
        .language_code(LanguageCode::EnUs);
    let call = call
        .media(media)
        .tags(tag.clone())
        .output_bucket_name("results")
        .output_key("a/b/");
    let started = call.send().await.unwrap().transcription_job.unwrap();
    assert_eq!(
        started.transcription_job_status,
        Some(TranscriptionJobStatus::InProgress)
    );
    assert!(started.creation_time.is_some() && started.start_time.is_some());

    let get = || client.get_transcription_job().transcription_job_name("job-1").send();
    let running = get().await.unwrap().transcription_job.unwrap();
    assert_eq!(running.tags(), [tag]);
    assert_eq!(running.transcript.unwrap().transcript_file_uri, None);
    assert_eq!(running.settings.unwrap().channel_identification, Some(false));
    assert_eq!((running.media_format, running.completion_time), (None, None));

    let delete = || client.delete_transcription_job().transcription_job_name("job-1").send();
    let refused = delete().await.unwrap_err();
    assert_eq!(refused.code(), Some("BadRequestException"));
    assert!(refused.message().unwrap().contains("couldn't be deleted"));

    sim.finish_all();
    let done = get().await.unwrap().transcription_job.unwrap();
    assert_eq!(done.transcription_job_status, Some(TranscriptionJobStatus::Completed));
    let uri = done.transcript.unwrap().transcript_file_uri.unwrap();
    assert_eq!(uri, "https://s3.us-east-1.amazonaws.com/results/a/b/job-1.json");
    assert_eq!(done.media_format.unwrap().as_str(), "mp3");
    assert!(done.completion_time >= done.start_time);

    assert_eq!(
        start(&client, "job-1", uri.as_str()).await,
        Err("ConflictException".to_owned())
    );
    delete().await.unwrap();
    let absent = get().await.unwrap_err();
    assert_eq!(
        (absent.code(), absent.message()),
        (Some("BadRequestException"), Some(ABSENT))
    );
    assert_eq!(absent.raw_response().unwrap().status().as_u16(), 400);
    assert_eq!(delete().await.unwrap_err().message(), Some(ABSENT));
    start(&client, "job-1", "s3://media/again.wav").await.unwrap();

    let applied: Vec<_> = sim.ledger().into_iter().map(|line| line.operation).collect();
    assert_eq!(applied, [START, "DeleteTranscriptionJob", START]);
    assert_eq!(sim.calls()[START]["ConflictException"], 1);
    assert_eq!(sim.called("DeleteTranscriptionJob"), 3);
}

#[tokio::test]
async fn the_sdk_pages_through_a_list_newest_first() {
    let sim = sim().await;
    let client = sdk(&sim);
    for n in 0..12 {
        start(&client, &format!("op-{n:02}"), "s3://media/a.wav").await.unwrap();
    }
    let first = client.list_transcription_jobs().send().await.unwrap();
    assert_eq!(first.transcription_job_summaries().len(), 5, "the default page");
    assert_eq!(
        first.transcription_job_summaries()[0].transcription_job_name(),
        Some("op-11")
    );
    let mut pages = client.list_transcription_jobs().into_paginator().page_size(5).send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        seen.extend(
            page.transcription_job_summaries()
                .iter()
                .map(|job| job.transcription_job_name.clone().unwrap()),
        );
    }
    let wanted: Vec<_> = (0..12).rev().map(|n| format!("op-{n:02}")).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_dead_letter_is_refused_by_its_signing_time() {
    let sim = sim().await;
    let at = |minutes: u64| SystemTime::now() - Duration::from_secs(minutes * 60);
    for (minutes, wanted) in [(14, Ok(())), (16, Err("InvalidSignatureException".to_owned()))] {
        let client = aws_sdk_transcribe::Client::from_conf(
            sdk_config(&sim).time_source(StaticTimeSource::new(at(minutes))).build(),
        );
        assert_eq!(
            start(&client, &format!("job-{minutes}"), "s3://media/a.wav").await,
            wanted,
            "{minutes} min."
        );
    }
    sim.set_config(|config| config.signature_window_ms = 5_000);
    let mut raw = Raw::new(&sim);
    for (seconds, wanted) in [
        (-7, "Signature expired: "),
        (7, "Signature not yet current: "),
        (-3, "none"),
        (3, "none"),
    ] {
        raw.signed_at = Timestamp::now() + SignedDuration::from_secs(seconds);
        let answer = raw.call(START, request(&format!("job{seconds}"), json!({}))).await;
        assert!(answer.message().starts_with(wanted), "{seconds}: {}", answer.text);
    }
    let applied: Vec<_> = sim.ledger().iter().map(|line| line.job_name.clone()).collect();
    assert_eq!(applied, ["job-14", "job-3", "job3"]);
}

#[tokio::test]
async fn the_date_header_tells_the_simulators_clock() {
    let sim = sim_with(|config| config.clock_offset_ms = 3_600_000).await;
    let answer = call(&sim, START, request("job", json!({}))).await;
    assert_eq!(
        answer.code(),
        "InvalidSignatureException",
        "the caller's clock is an hour behind"
    );
    let date = answer.headers["date"].to_str().unwrap();
    let date = Timestamp::strptime("%a, %d %b %Y %H:%M:%S %z", date.replace("GMT", "+0000")).unwrap();
    let ahead = date.duration_since(Timestamp::now()).as_secs();
    assert!((3595..=3600).contains(&ahead), "{ahead} s");
    assert_eq!(answer.headers["x-amzn-requestid"].len(), 36);

    let mut raw = Raw::new(&sim);
    raw.signed_at = Timestamp::now() + SignedDuration::from_hours(1);
    let created = raw.call(START, request("job", json!({}))).await.json()["TranscriptionJob"]["CreationTime"].clone();
    let ahead = created.as_f64().unwrap() - Timestamp::now().as_duration().as_secs_f64();
    assert!((3590.0..3601.0).contains(&ahead), "{ahead} s");
}

#[tokio::test]
async fn the_authorization_header_must_be_whole() {
    let sim = sim().await;
    let raw = || Raw::new(&sim);
    let date = Timestamp::now().strftime("%Y%m%d").to_string();
    let header = |credential: String| {
        let signature = "0".repeat(64);
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={signature}")
    };
    let credential = |text: &str| raw().header("authorization", Some(&header(text.to_owned())));
    let table = [
        (
            raw().header("authorization", None),
            "MissingAuthenticationTokenException",
        ),
        (
            raw().header("authorization", Some("Bearer x")),
            "IncompleteSignatureException",
        ),
        (raw().header("x-amz-date", None), "IncompleteSignatureException"),
        (
            raw().header("x-amz-date", Some("yesterday")),
            "IncompleteSignatureException",
        ),
        (
            credential("AKID/20200101/us-east-1/transcribe/aws4_request"),
            "InvalidSignatureException",
        ),
        (
            credential(&format!("AKID/{date}/us-east-1/s3/aws4_request")),
            "InvalidSignatureException",
        ),
        (
            credential(&format!("AKID/{date}/nowhere/transcribe/aws4_request")),
            "InvalidSignatureException",
        ),
        (
            credential(&format!("AKID/{date}/us-east-1/transcribe")),
            "IncompleteSignatureException",
        ),
        (
            credential(&format!("AKID/{date}/us-east-1/transcribe/aws4_request")),
            "none",
        ),
        (
            raw().header("x-amz-target", Some("Transcribe.CancelTranscriptionJob")),
            "UnknownOperationException",
        ),
        (
            raw().header("x-amz-target", Some("DynamoDB_20120810.GetItem")),
            "UnknownOperationException",
        ),
        (
            raw().header("content-type", Some("application/json")),
            "UnknownOperationException",
        ),
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
    let table = [
        ("", "not JSON"),
        ("[]", "ARRAY_VALUE"),
        (r#"{"TranscriptionJobName":1}"#, "NUMBER_VALUE"),
        (
            r#"{"TranscriptionJobName":"a","ClientToken":"x"}"#,
            "Unknown member: ClientToken",
        ),
        (
            r#"{"Media":{"MediaFileUri":"s3://a/b","Bucket":"a"}}"#,
            "Unknown member: Bucket",
        ),
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
    let table = [
        (
            json!({"TranscriptionJobName": "a/b"}),
            "Value 'a/b' at 'transcriptionJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+",
        ),
        (json!({"TranscriptionJobName": "a\n"}), "at 'transcriptionJobName'"),
        (
            json!({"TranscriptionJobName": ""}),
            "Member must have length greater than or equal to 1",
        ),
        (
            json!({"TranscriptionJobName": long}),
            "Member must have length less than or equal to 200",
        ),
        (
            json!({"TranscriptionJobName": null}),
            "1 validation error detected: Value null at 'transcriptionJobName' failed to satisfy constraint: Member must not be null",
        ),
        (json!({"Media": null}), "Value null at 'media' failed"),
        (
            json!({"Media": {"MediaFileUri": "S3://a/b"}}),
            "at 'media.mediaFileUri'",
        ),
        (
            json!({"LanguageCode": "xx-XX"}),
            "Value 'xx-XX' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set: [af-ZA, ",
        ),
        (
            json!({"MediaFormat": "wma"}),
            "Member must satisfy enum value set: [mp3, mp4, wav, flac, ogg, amr, webm, m4a]",
        ),
        (
            json!({"MediaSampleRateHertz": 7999}),
            "Value '7999' at 'mediaSampleRateHertz' failed to satisfy constraint: Member must have value greater than or equal to 8000",
        ),
        (
            json!({"MediaSampleRateHertz": 48001}),
            "Member must have value less than or equal to 48000",
        ),
        (
            json!({"Settings": {"MaxSpeakerLabels": 31}}),
            "Value '31' at 'settings.maxSpeakerLabels'",
        ),
        (
            json!({"OutputKey": "a=b"}),
            "Value 'a=b' at 'outputKey' failed to satisfy constraint: Member must satisfy regular expression pattern: ",
        ),
        (json!({"OutputBucketName": "My_Bucket"}), "at 'outputBucketName'"),
        (
            json!({"KMSEncryptionContext": {}}),
            "Value '{}' at 'kMSEncryptionContext' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!({"KMSEncryptionContext": many}),
            "Member must have length less than or equal to 10",
        ),
        (
            json!({"KMSEncryptionContext": {"ä": "b"}}),
            "Map keys must satisfy constraint: [Member must satisfy regular expression pattern",
        ),
        (
            json!({"KMSEncryptionContext": {"a": ""}}),
            "Map value must satisfy constraint: [Member must have length greater than or equal to 1",
        ),
        (json!({"Tags": []}), "at 'tags' failed"),
        (
            json!({"Tags": [{"Key": "", "Value": "v"}]}),
            "Value '' at 'tags.1.member.key'",
        ),
        (
            json!({"Tags": [{"Key": "a", "Value": "v"}, {"Key": "b"}]}),
            "Value null at 'tags.2.member.value'",
        ),
        (
            json!({"LanguageOptions": ["en-US", "xx"]}),
            "Value '[en-US, xx]' at 'languageOptions' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum",
        ),
        (
            json!({"LanguageIdSettings": {"en-US": {"VocabularyName": "a b"}}}),
            "Value 'a b' at 'languageIdSettings.en-US.member.vocabularyName'",
        ),
        (
            json!({"ContentRedaction": {"RedactionType": "PII"}}),
            "Value null at 'contentRedaction.redactionOutput'",
        ),
        (json!({"ToxicityDetection": []}), "at 'toxicityDetection' failed"),
        (
            json!({"JobExecutionSettings": {"DataAccessRoleArn": "arn:aws:iam::1:user/x"}}),
            "at 'jobExecutionSettings.dataAccessRoleArn'",
        ),
        (
            json!({"MediaFormat": "wma", "OutputKey": " "}),
            "2 validation errors detected: ",
        ),
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
    let table = [
        (
            json!({"LanguageCode": null}),
            "The language code is missing. Either add a language code or turn on language identification.",
        ),
        (
            json!({"LanguageCode": null, "IdentifyLanguage": false}),
            "The language code is missing.",
        ),
        (json!({"Media": {}}), "media file URI is missing"),
        (
            json!({"Media": {"MediaFileUri": "s3://a/b", "RedactedMediaFileUri": "s3://a/b"}}),
            "only supported for Call Analytics",
        ),
        (json!({"LanguageOptions": ["en-US", "de-DE"]}), "LanguageOptions"),
        (
            with(identify.clone(), json!({"LanguageOptions": ["en-US"]})),
            "at least two",
        ),
        (json!({"LanguageIdSettings": {"en-US": {}}}), "LanguageIdSettings"),
        (
            json!({"LanguageCode": null, "IdentifyMultipleLanguages": true, "LanguageIdSettings": {"en-US": {"LanguageModelName": "m"}}}),
            "Custom language models",
        ),
        (
            with(identify.clone(), json!({"ModelSettings": {"LanguageModelName": "m"}})),
            "ModelSettings",
        ),
        (json!({"ModelSettings": {}}), "ModelSettings"),
        (json!({"OutputKey": "a"}), "outputBucketName when you specify outputKey"),
        (
            json!({"OutputEncryptionKMSKeyId": "alias/a"}),
            "outputBucketName when you specify outputEncryptionKMSKeyId",
        ),
        (
            json!({"OutputBucketName": "bucket", "KMSEncryptionContext": {"a": "b"}}),
            "encryption context",
        ),
        (
            json!({"JobExecutionSettings": {"AllowDeferredExecution": true}}),
            "JobExecutionSettings needs both",
        ),
        (
            json!({"JobExecutionSettings": {"DataAccessRoleArn": role}}),
            "JobExecutionSettings needs both",
        ),
        (json!({"Settings": {"ShowSpeakerLabels": true}}), "MaxSpeakerLabels"),
        (json!({"Settings": {"MaxSpeakerLabels": 2}}), "MaxSpeakerLabels"),
        (json!({"Settings": {"ShowAlternatives": true}}), "MaxAlternatives"),
        (
            json!({"Settings": {"MaxAlternatives": 2, "ShowAlternatives": false}}),
            "MaxAlternatives",
        ),
        (
            json!({"Settings": {"VocabularyFilterName": "f"}}),
            "VocabularyFilterMethod",
        ),
        (
            json!({"LanguageCode": "ja-JP", "ContentRedaction": redaction}),
            "Content redaction",
        ),
        (
            with(identify.clone(), json!({"ContentRedaction": redaction})),
            "Content redaction",
        ),
        (
            json!({"LanguageCode": "en-GB", "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}]}),
            "Toxicity",
        ),
        (
            json!({"Settings": {"VocabularyName": "missing"}}),
            "The requested vocabulary couldn't be found",
        ),
        (json!({"Tags": tags(51)}), "at most 50"),
        (json!({"Tags": [{"Key": "aws:x", "Value": ""}]}), "aws:"),
        (
            json!({"Tags": [{"Key": "x", "Value": ""}, {"Key": "x", "Value": "2"}]}),
            "unique",
        ),
        (
            json!({"Media": {"MediaFileUri": "s3://no-access/a.wav"}}),
            "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try your request again.",
        ),
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

    let accepted = [
        json!({"Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2, "ChannelIdentification": true}}),
        json!({"Settings": {"VocabularyFilterName": "f", "VocabularyFilterMethod": "mask"}}),
        with(
            identify,
            json!({"LanguageOptions": ["en-US", "de-DE"], "LanguageIdSettings": {"en-US": {}}}),
        ),
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
    let (sim, model) = (sim().await, Model::load().unwrap());
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

#[tokio::test]
async fn output_goes_where_aws_puts_it() {
    let sim = sim().await;
    let own = "https://s3.us-east-1.amazonaws.com/results";
    let redact = |output: &str| json!({"RedactionType": "PII", "RedactionOutput": output});
    let table = [
        (json!({}), Some(format!("{own}/j0.json")), None),
        (json!({"OutputKey": "a/b.json"}), Some(format!("{own}/a/b.json")), None),
        (json!({"OutputKey": "a/b"}), Some(format!("{own}/a/b/j2.json")), None),
        (
            json!({"OutputKey": "a/", "ContentRedaction": redact("redacted")}),
            None,
            Some(format!("{own}/a/redacted-j3.json")),
        ),
        (
            json!({"ContentRedaction": redact("redacted_and_unredacted")}),
            Some(format!("{own}/j4.json")),
            Some(format!("{own}/redacted-j4.json")),
        ),
    ];
    for (index, (change, ..)) in table.iter().enumerate() {
        let mut body = request(&format!("j{index}"), change.clone());
        body["OutputBucketName"] = json!("results");
        body["Subtitles"] = json!({"Formats": ["vtt", "srt"]});
        assert_eq!(call(&sim, START, body).await.status, 200);
    }
    call(&sim, START, request("service", json!({}))).await;
    sim.finish_all();
    for (index, (_, plain, redacted)) in table.iter().enumerate() {
        let job = call(&sim, GET, json!({"TranscriptionJobName": format!("j{index}")}))
            .await
            .json()["TranscriptionJob"]
            .clone();
        assert_eq!(
            job["Transcript"]["TranscriptFileUri"].as_str().map(str::to_owned),
            *plain
        );
        assert_eq!(
            job["Transcript"]["RedactedTranscriptFileUri"]
                .as_str()
                .map(str::to_owned),
            *redacted
        );
        let stem = plain
            .as_ref()
            .or(redacted.as_ref())
            .unwrap()
            .strip_suffix(".json")
            .unwrap();
        assert_eq!(
            job["Subtitles"]["SubtitleFileUris"],
            json!([format!("{stem}.vtt"), format!("{stem}.srt")])
        );
    }
    let uri = async || {
        let job = call(&sim, GET, json!({"TranscriptionJobName": "service"})).await.json();
        job["TranscriptionJob"]["Transcript"]["TranscriptFileUri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (uri().await, uri().await);
    assert!(
        first.contains("X-Amz-Expires=900") && first.contains("/aws-transcribe-us-east-1-prod/"),
        "{first}"
    );
    assert_ne!(first, second, "each Get signs anew");
    let list = call(&sim, "ListTranscriptionJobs", json!({})).await.json();
    assert_eq!(
        list["TranscriptionJobSummaries"][0]["OutputLocationType"],
        "SERVICE_BUCKET"
    );
    assert_eq!(
        list["TranscriptionJobSummaries"][1]["OutputLocationType"],
        "CUSTOMER_BUCKET"
    );
}

#[tokio::test]
async fn jobs_fail_by_their_media_or_by_rule() {
    let sim = sim().await;
    for (part, reason) in outcomes::FAILURES
        .into_iter()
        .chain([("fail-internal", outcomes::INTERNAL)])
    {
        let media = json!({"Media": {"MediaFileUri": format!("s3://media/{part}.wav")}});
        call(&sim, START, request(part, media)).await;
        sim.finish_all();
        let job = call(&sim, GET, json!({"TranscriptionJobName": part})).await.json()["TranscriptionJob"].clone();
        assert_eq!(
            (job["TranscriptionJobStatus"].as_str(), job["FailureReason"].as_str()),
            (Some("FAILED"), Some(reason))
        );
        assert_eq!(job["Transcript"], json!({}));
    }
    sim.set_config(|config| {
        let rule = OutcomeRule {
            job_name_contains: Some("bad".into()),
            times: Some(1),
            ..OutcomeRule::default()
        };
        config.outcomes.push(OutcomeRule {
            fail: Some("out of paper".into()),
            ..rule
        });
    });
    for name in ["bad-1", "bad-2", "good"] {
        call(&sim, START, request(name, json!({}))).await;
    }
    for name in ["first-1", "first-2", "first-3"] {
        call(
            &sim,
            START,
            request(name, json!({"Media": {"MediaFileUri": "s3://m/fail-first-2"}})),
        )
        .await;
    }
    sim.finish_all();
    let failed = names(&sim, json!({"Status": "FAILED", "MaxResults": 4})).await.0;
    assert_eq!(failed[..3], ["first-2", "first-1", "bad-1"]);

    let answer = call(
        &sim,
        START,
        request("long", json!({"Media": {"MediaFileUri": "s3://m/too-long.wav"}})),
    )
    .await;
    assert_eq!((answer.code().as_str(), answer.status), ("LimitExceededException", 400));
    sim.set_config(|config| config.statuses = Statuses::Modelled);
    let answer = call(
        &sim,
        START,
        request("long", json!({"Media": {"MediaFileUri": "s3://m/too-long.wav"}})),
    )
    .await;
    assert_eq!((answer.code().as_str(), answer.status), ("LimitExceededException", 429));
    assert_eq!(call(&sim, START, request("good", json!({}))).await.status, 409);
}

#[tokio::test]
async fn jobs_pass_through_their_states_in_scaled_time() {
    let sim = sim_with(|config| (config.queue_ms, config.run_ms) = (300, 300)).await;
    let begun = Instant::now();
    let first = call(&sim, START, request("job", json!({}))).await.json()["TranscriptionJob"].clone();
    assert_eq!(
        (&first["TranscriptionJobStatus"], &first["StartTime"]),
        (&json!("QUEUED"), &Value::Null)
    );
    let mut seen = vec!["QUEUED".to_owned()];
    while begun.elapsed() < Duration::from_secs(10) && seen.last().unwrap() != "COMPLETED" {
        let job = call(&sim, GET, json!({"TranscriptionJobName": "job"})).await.json();
        seen.push(
            job["TranscriptionJob"]["TranscriptionJobStatus"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        seen.dedup();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen, ["QUEUED", "IN_PROGRESS", "COMPLETED"]);
    assert!(begun.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn slots_are_limited_and_deferred_jobs_wait_in_order() {
    let sim = sim_with(|config| (config.concurrent, config.queued) = (Some(2), 2)).await;
    let defer = json!({"JobExecutionSettings": {"AllowDeferredExecution": true,
        "DataAccessRoleArn": "arn:aws:iam::111122223333:role/data-access"}});
    for name in ["a", "b"] {
        assert_eq!(call(&sim, START, request(name, json!({}))).await.status, 200);
    }
    assert_eq!(
        call(&sim, START, request("c", json!({}))).await.code(),
        "LimitExceededException"
    );
    assert!(sim.jobs().iter().all(|job| job.name != "c"));
    sim.set_config(|config| config.run_ms = 200);
    for name in ["d", "e"] {
        let answer = call(&sim, START, request(name, defer.clone())).await.json();
        assert_eq!(answer["TranscriptionJob"]["TranscriptionJobStatus"], "QUEUED");
    }
    let answer = call(&sim, START, request("f", defer)).await;
    assert_eq!(answer.code(), "LimitExceededConcurrentJobException");
    let mut other = Raw::new(&sim);
    other.region = "eu-west-1";
    assert_eq!(
        other.call(START, request("a", json!({}))).await.status,
        200,
        "another Region has slots of its own"
    );

    sim.set_config(|config| config.concurrent = Some(3));
    let status = |name: &str| sim.jobs().into_iter().find(|job| job.name == name).unwrap().status;
    assert_eq!((status("d").as_str(), status("e").as_str()), ("IN_PROGRESS", "QUEUED"));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(
        (status("d").as_str(), status("e").as_str()),
        ("COMPLETED", "IN_PROGRESS")
    );
    sim.finish_all();
    assert!(sim.jobs().iter().all(|job| job.status == "COMPLETED"));
}

#[tokio::test]
async fn rates_are_per_account_region_and_operation() {
    let sim = sim_with(|config| {
        config.rates = true;
        config.seed = 2;
        config.accounts.insert("OTHER".into(), "444455556666".into());
    })
    .await;
    let raw = Raw::new(&sim);
    let mut limited = 0;
    let begun = Instant::now();
    for _ in 0..8 {
        let answer = raw.call("ListTranscriptionJobs", json!({})).await;
        limited += usize::from(answer.status != 200 && answer.code() == "LimitExceededException");
    }
    if begun.elapsed() < Duration::from_millis(900) {
        assert_eq!(limited, 3, "5 of 8 calls within a second");
    }
    let other = Raw {
        key: "OTHER",
        ..Raw::new(&sim)
    };
    assert_eq!(other.call("ListTranscriptionJobs", json!({})).await.status, 200);
    let other = Raw {
        region: "eu-west-1",
        ..Raw::new(&sim)
    };
    assert_eq!(other.call("ListTranscriptionJobs", json!({})).await.status, 200);
    assert_eq!(
        raw.call(GET, json!({"TranscriptionJobName": "x"})).await.message(),
        ABSENT
    );
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let sim = sim_with(|config| drop(config.accounts.insert("OTHER".into(), "444455556666".into()))).await;
    call(&sim, START, request("job", json!({}))).await;
    for other in [
        Raw {
            key: "OTHER",
            ..Raw::new(&sim)
        },
        Raw {
            region: "eu-west-1",
            ..Raw::new(&sim)
        },
    ] {
        assert_eq!(
            other.call(GET, json!({"TranscriptionJobName": "job"})).await.message(),
            ABSENT
        );
        assert_eq!(other.call(START, request("job", json!({}))).await.status, 200);
    }
    let line = sim.ledger().pop().unwrap();
    assert_eq!(
        (&*line.account, &*line.region, &*line.access_key),
        ("111122223333", "eu-west-1", "AKIDEXAMPLE")
    );
}

#[tokio::test]
async fn a_list_filters_and_its_tokens_hold_while_records_move() {
    let sim = sim().await;
    for name in ["op-A-1", "op-a-2", "other", "op-a-3", "op-a-4"] {
        call(&sim, START, request(name, json!({}))).await;
    }
    let filter = json!({"JobNameContains": "OP-a", "MaxResults": 2});
    let (first, token) = names(&sim, filter.clone()).await;
    assert_eq!(first, ["op-a-4", "op-a-3"]);
    call(&sim, START, request("op-a-5", json!({}))).await;
    sim.remove_job("op-a-3");
    let next = |token: &Value| {
        let mut body = filter.clone();
        body["NextToken"] = token.clone();
        body
    };
    let (second, end) = names(&sim, next(&token)).await;
    assert_eq!(
        (second, end),
        (vec!["op-a-2".to_owned(), "op-A-1".to_owned()], Value::Null)
    );
    assert_eq!(
        call(&sim, "ListTranscriptionJobs", next(&json!("nonsense")))
            .await
            .code(),
        "BadRequestException"
    );
    let other = json!({"NextToken": token, "MaxResults": 2});
    assert_eq!(
        call(&sim, "ListTranscriptionJobs", other).await.code(),
        "BadRequestException"
    );

    let old = Timestamp::now() - SignedDuration::from_hours(24 * 30);
    let foreign = ForeignJob {
        name: "op-a-old".into(),
        created: Some(old),
        ..ForeignJob::default()
    };
    sim.put_foreign_job(&foreign).unwrap();
    assert_eq!(
        names(&sim, json!({})).await.0.last().unwrap(),
        "op-A-1",
        "order is by creation, not by arrival"
    );
    assert_eq!(names(&sim, json!({"Status": "COMPLETED"})).await.0, ["op-a-old"]);

    sim.set_config(|config| (config.short_pages, config.seed) = (true, 5));
    let (mut seen, mut token, mut pages) = (Vec::new(), Value::Null, Vec::new());
    loop {
        let body = if token.is_null() {
            json!({})
        } else {
            json!({"NextToken": token})
        };
        let (page, next) = names(&sim, body).await;
        pages.push(page.len());
        seen.extend(page);
        if next.is_null() {
            break;
        }
        token = next;
    }
    assert_eq!(seen, ["op-a-5", "op-a-4", "other", "op-a-2", "op-A-1", "op-a-old"]);
    assert_eq!((pages.len() > 2, pages.last()), (true, Some(&0)));
}

#[tokio::test]
async fn reads_can_lag() {
    let sim = sim_with(|config| (config.get_lag_ms, config.list_lag_ms) = (400, 800)).await;
    let begun = Instant::now();
    call(&sim, START, request("job", json!({}))).await;
    let get = async || call(&sim, GET, json!({"TranscriptionJobName": "job"})).await;
    assert_eq!(get().await.message(), ABSENT);
    assert_eq!(
        call(&sim, START, request("job", json!({}))).await.code(),
        "ConflictException",
        "writes do not lag"
    );
    while get().await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(400));
    while names(&sim, json!({})).await.0.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(800));
    sim.finish_all();
    assert_eq!(
        get().await.json()["TranscriptionJob"]["TranscriptionJobStatus"],
        "IN_PROGRESS"
    );
    call(&sim, "DeleteTranscriptionJob", json!({"TranscriptionJobName": "job"})).await;
    assert_eq!(get().await.status, 200, "a deleted record is still seen for a while");
}

#[tokio::test]
async fn tags_can_be_changed_and_are_in_the_ledger() {
    let sim = sim().await;
    call(
        &sim,
        START,
        request(
            "job",
            json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]}),
        ),
    )
    .await;
    let arn = "arn:aws:transcribe:us-east-1:111122223333:transcription-job/job";
    let answer = call(
        &sim,
        "TagResource",
        json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}]}),
    )
    .await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    call(
        &sim,
        "UntagResource",
        json!({"ResourceArn": arn, "TagKeys": ["b", "c"]}),
    )
    .await;
    let tags = call(&sim, "ListTagsForResource", json!({"ResourceArn": arn}))
        .await
        .json();
    assert_eq!(tags, json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}]}));
    let line = |n: usize| sim.ledger()[n].clone();
    assert_eq!(
        (line(1).job_name, line(1).tags.len(), line(2).tags.len()),
        ("job".into(), 2, 1)
    );

    let table = [
        (arn.replace("/job", "/nobody"), "NotFoundException"),
        (arn.replace("transcription-job", "vocabulary"), "NotFoundException"),
        (arn.replace("us-east-1", "eu-west-1"), "BadRequestException"),
        (arn.replace("1111", "9999"), "BadRequestException"),
        ("arn:aws:s3:::bucket".to_owned(), "BadRequestException"),
    ];
    for (arn, code) in table {
        assert_eq!(
            call(&sim, "ListTagsForResource", json!({"ResourceArn": arn}))
                .await
                .code(),
            code,
            "{arn}"
        );
    }
    sim.set_config(|config| config.get_tags = false);
    let job = call(&sim, GET, json!({"TranscriptionJobName": "job"})).await.json();
    assert_eq!(job["TranscriptionJob"]["Tags"], Value::Null);
}

#[tokio::test]
async fn faults_hit_before_or_after_the_call_is_applied() {
    let sim = sim().await;
    let client = sdk(&sim);
    let error = |code: &str| What::Error {
        status: 500,
        code: code.to_owned(),
        message: "no".to_owned(),
    };
    let table = [
        (
            When::Before,
            error("InternalFailureException"),
            "InternalFailureException",
            0,
        ),
        (
            When::After,
            error("InternalFailureException"),
            "InternalFailureException",
            1,
        ),
        (When::Before, error("ThrottlingException"), "ThrottlingException", 0),
        (When::Before, What::Drop, "none", 0),
        (When::After, What::Drop, "none", 1),
        (When::Before, What::BlackHole, "none", 0),
        (When::After, What::BlackHole, "none", 1),
        (When::After, What::Garbage, "none", 1),
        (
            When::Before,
            What::Raw {
                status: 502,
                body: "<html>".into(),
            },
            "none",
            0,
        ),
    ];
    let mut applied = 0;
    for (index, (when, what, code, lines)) in table.into_iter().enumerate() {
        let fault = sim.fault(FaultRule::next(START, when, what));
        let name = format!("job-{index}");
        assert_eq!(
            start(&client, &name, "s3://media/a.wav").await,
            Err(code.to_owned()),
            "row {index}"
        );
        applied += lines;
        assert_eq!((sim.ledger().len(), sim.fired(fault)), (applied, 1), "row {index}");
    }
    start(&client, "after-all", "s3://media/a.wav").await.unwrap();
    assert_eq!(sim.calls()[START]["fault"], 5);
}

#[tokio::test]
async fn a_dropped_call_ends_the_connection_without_a_byte() {
    let sim = sim().await;
    sim.fault(FaultRule::next(START, When::After, What::Drop));
    let lost = Raw::new(&sim)
        .try_send(START, request("job", json!({})).to_string())
        .await;
    assert!(lost.is_err());
    assert_eq!(sim.ledger().len(), 1);
}

#[tokio::test]
async fn a_delayed_call_happens_although_its_client_has_gone() {
    let sim = sim().await;
    let rule = FaultRule {
        job_name_contains: Some("late".into()),
        ..FaultRule::default()
    };
    sim.fault(FaultRule {
        what: What::Delay(600),
        ..rule
    });
    let config = sdk_config(&sim).timeout_config(
        TimeoutConfig::builder()
            .operation_timeout(Duration::from_millis(200))
            .build(),
    );
    let client = aws_sdk_transcribe::Client::from_conf(config.build());
    assert_eq!(start(&client, "late", "s3://media/a.wav").await, Err("none".to_owned()));
    start(&client, "next", "s3://media/a.wav").await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let order: Vec<_> = sim.ledger().into_iter().map(|line| line.job_name).collect();
    assert_eq!(order, ["next", "late"]);
}

#[tokio::test]
async fn foreign_records_take_names_and_records_can_vanish() {
    let sim = sim().await;
    let foreign = ForeignJob {
        name: "job".into(),
        status: "IN_PROGRESS".into(),
        ..ForeignJob::default()
    };
    sim.put_foreign_job(&ForeignJob {
        tags: [("owner".to_owned(), "me".to_owned())].into(),
        ..foreign
    })
    .unwrap();
    assert!(
        sim.put_foreign_job(&ForeignJob {
            status: "DONE".into(),
            ..ForeignJob::default()
        })
        .is_err()
    );
    assert_eq!(
        call(&sim, START, request("job", json!({}))).await.code(),
        "ConflictException"
    );
    let job = call(&sim, GET, json!({"TranscriptionJobName": "job"})).await.json()["TranscriptionJob"].clone();
    assert_eq!(
        (&job["TranscriptionJobStatus"], &job["Tags"][0]["Key"]),
        (&json!("IN_PROGRESS"), &json!("owner"))
    );
    assert_eq!((sim.remove_job("job"), sim.remove_job("job")), (1, 0));
    assert_eq!(call(&sim, START, request("job", json!({}))).await.status, 200);
    assert_eq!(sim.ledger().len(), 1, "what others do is in no ledger");
}

#[tokio::test]
async fn the_ledger_is_whole_and_also_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let sim = sim_with(|config| config.ledger = Some(path.clone())).await;
    let body = request("job", json!({"Tags": [{"Key": "a", "Value": "1"}]}));
    call(&sim, START, body.clone()).await;
    call(&sim, START, body.clone()).await;
    sim.finish_all();
    call(&sim, "DeleteTranscriptionJob", json!({"TranscriptionJobName": "job"})).await;
    let lines: Vec<LedgerLine> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, sim.ledger());
    assert_eq!((lines.len(), lines[0].seq, lines[1].seq), (2, 1, 2));
    assert_eq!((&lines[0].body, &lines[1].tags["a"]), (&body, &"1".to_owned()));
    assert_eq!(lines[0].signed_at.subsec_nanosecond(), 0);
}

#[tokio::test]
async fn sts_tells_the_account_of_the_access_key() {
    let sim = sim_with(|config| drop(config.accounts.insert("AKIDEXAMPLE".into(), "444455556666".into()))).await;
    let config = |at| {
        aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
            .endpoint_url(sim.url())
            .region(aws_sdk_sts::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_sts::config::Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                None,
                None,
                "test",
            ))
            .time_source(StaticTimeSource::new(at))
            .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
            .disable_clock_skew_correction(true)
            .build()
    };
    let client = aws_sdk_sts::Client::from_conf(config(SystemTime::now()));
    let identity = client.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some("444455556666"));
    assert_eq!(identity.arn(), Some("arn:aws:iam::444455556666:user/AKIDEXAMPLE"));
    let stale = aws_sdk_sts::Client::from_conf(config(SystemTime::now() - Duration::from_hours(1)));
    let error = stale.get_caller_identity().send().await.unwrap_err();
    assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
    assert_eq!(sim.calls()["GetCallerIdentity"]["ok"], 1);

    let raw = Raw {
        service: "sts",
        ..Raw::new(&sim)
    }
    .header("x-amz-target", None);
    let answer = raw.send("", "Action=AssumeRole&Version=2011-06-15").await;
    assert!(answer.text.contains("<Code>InvalidAction</Code>"), "{}", answer.text);
}

#[tokio::test]
async fn tls_works_for_who_trusts_the_ca() {
    let sim = sim_with(|config| config.tls = true).await;
    let fetch = async |roots: rustls::RootCertStore| {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
        let tls = tls.unwrap().with_root_certificates(roots).with_no_client_auth();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build::<_, Full<bytes::Bytes>>(https);
        let uri = sim.url().replace("127.0.0.1", "localhost") + "/_sim/calls";
        client
            .get(uri.parse().unwrap())
            .await
            .map(|answer| answer.status().as_u16())
    };
    let ca = rustls::pki_types::CertificateDer::from_pem_slice(sim.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    assert!(fetch(roots.clone()).await.is_err());
    roots.add(ca).unwrap();
    assert_eq!(fetch(roots).await.unwrap(), 200);
}

#[tokio::test]
async fn the_program_is_controlled_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("port");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_aws-sim"))
        .args([
            "--run-ms",
            "3600000",
            "--no-rates",
            "--signature-window-seconds",
            "60",
            "--port-file",
        ])
        .arg(&port)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim().to_owned();
    assert!(url.ends_with(&std::fs::read_to_string(&port).unwrap()));
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let ask = async |method: &str, path: &str, body: Value| {
        let body = Full::new(bytes::Bytes::from(body.to_string()));
        let request = http::Request::builder().method(method).uri(format!("{url}/_sim{path}"));
        let answer = client
            .request(request.header("content-type", "application/json").body(body).unwrap())
            .await
            .unwrap();
        let (status, body) = (
            answer.status().as_u16(),
            answer.into_body().collect().await.unwrap().to_bytes(),
        );
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    assert_eq!(ask("GET", "/config", json!({})).await.1["signature_window_ms"], 60_000);
    assert_eq!(ask("POST", "/config", json!({"run_ms": 5})).await.1["run_ms"], 5);
    assert_eq!(ask("POST", "/config", json!({"run_minutes": 5})).await.0, 400);
    assert_eq!(
        ask("POST", "/jobs", json!({"name": "theirs", "status": "IN_PROGRESS"}))
            .await
            .0,
        200
    );
    assert_eq!(ask("GET", "/jobs", json!({})).await.1[0]["status"], "IN_PROGRESS");
    assert_eq!(ask("POST", "/finish", json!({})).await.0, 200);
    assert_eq!(ask("GET", "/jobs", json!({})).await.1[0]["status"], "COMPLETED");
    let fault = json!({"operation": "GetTranscriptionJob", "where": "after", "what": {"delay": 10}});
    assert_eq!(ask("POST", "/faults", fault).await.0, 200);
    assert_eq!(ask("GET", "/faults", json!({})).await.1[0]["fired"], 0);
    assert_eq!(ask("DELETE", "/faults", json!({})).await.0, 200);
    assert_eq!(ask("DELETE", "/jobs/theirs", json!({})).await.1["removed"], 1);
    assert_eq!(ask("GET", "/ledger", json!({})).await.1, json!([]));
    assert_eq!(ask("GET", "/nothing", json!({})).await.0, 404);
    program.kill().unwrap();
    program.wait().unwrap();
}
