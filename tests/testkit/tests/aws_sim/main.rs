//! The AWS simulator over real sockets: through the AWS SDK, and by raw requests for what the SDK would not send.
#![allow(clippy::unwrap_used, clippy::panic, clippy::too_many_lines, missing_docs)]

mod controls;
mod identity;
mod kinds;
mod kms;
mod kms_calls;
mod kms_jobs;
mod kms_policies;
mod lists;
mod members;
mod model;
mod objects;
mod output;
mod pods;
mod records;
mod resources;
mod rights;
mod sdk;
mod sessions;
mod slots;
mod strict;
mod tenants;
mod wire;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::BufRead as _;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use aws_sdk_transcribe::config::retry::RetryConfig;
use aws_sdk_transcribe::config::timeout::TimeoutConfig;
use aws_sdk_transcribe::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_transcribe::error::ProvideErrorMetadata;
use aws_sdk_transcribe::types::{LanguageCode, Media};
use aws_smithy_async::time::StaticTimeSource;
use futures::FutureExt as _;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use testkit::aws_sim::{
    AwsSim, Bucket, Config, DEFAULT_KEY_ALIAS, DEFAULT_KEY_ID, FaultRule, ForeignJob, Key, KeyFault, KeyState,
    LedgerLine, Model, OutcomeRule, Role, SessionCredentials, Statuses, User, What, When, outcomes,
};
use testkit::wait;

use kinds::{KINDS, Kind, with};

/// How long a client waits for an answer: it strikes only where the simulator hangs.
const ANSWER: Duration = Duration::from_mins(1);
/// Of the kind that stands for all where a test is not about the kind.
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
        .timeout_config(TimeoutConfig::builder().operation_timeout(ANSWER).build())
}

/// A client of KMS: in a Region, with an access key.
fn kms(sim: &AwsSim, region: &str, key: &str) -> aws_sdk_kms::Client {
    kms_as(sim, region, long_term(key))
}

/// The credentials of a user.
fn long_term(key: &str) -> Credentials {
    Credentials::new(key, "secret", None, None, "test")
}

/// A client of KMS with those credentials.
fn kms_as(sim: &AwsSim, region: &str, credentials: Credentials) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .endpoint_url(sim.url())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(ANSWER).build());
    aws_sdk_kms::Client::from_conf(config.build())
}

/// What DescribeKey says: the key's ARN, or the code and the text.
async fn described(client: &aws_sdk_kms::Client, id: &str) -> String {
    match client.describe_key().key_id(id).send().await {
        Ok(reply) => reply.key_metadata.unwrap().arn.unwrap(),
        Err(error) => told(&error),
    }
}

/// What a dry run of GenerateDataKey says: the code and the text.
async fn tried(client: &aws_sdk_kms::Client, id: &str, context: &[(&str, &str)]) -> String {
    let context = context
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let context: std::collections::HashMap<_, _> = context.collect();
    let call = client.generate_data_key().key_id(id).number_of_bytes(32).dry_run(true);
    let call = call.set_encryption_context((!context.is_empty()).then_some(context));
    told(&call.send().await.unwrap_err())
}

fn told(error: &impl ProvideErrorMetadata) -> String {
    format!(
        "{}: {}",
        error.code().unwrap_or("none"),
        error.message().unwrap_or("none")
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

/// A call that suffers a fault and gets no answer: there is none when the fault has struck, and none when later calls have been
/// answered.
async fn is_not_answered<T: Debug>(sim: &AwsSim, fault: usize, unanswered: impl Future<Output = T>) {
    let mut unanswered = pin!(unanswered);
    let struck = wait::until_so("the fault strikes", async || sim.fired(fault) == 1);
    tokio::select! {
        answer = &mut unanswered => panic!("an answer: {answer:?}"),
        struck = struck => struck.unwrap(),
    }
    for _ in 0..3 {
        call(sim, "ListTagsForResource", json!({})).await;
    }
    assert!(unanswered.now_or_never().is_none(), "an answer");
}

/// A Start request of a TranscriptionJob that AWS accepts, changed by the members of `change`; a null takes one away.
fn request(name: &str, change: Value) -> Value {
    KINDS[0].request(name, change)
}
