//! Two ends for a connection: canned replies without a network, and a server that breaks on command.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::HttpClient;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};
use transcribe_operator::{
    api::{
        Kind, Spec,
        status::{PinnedRequest, Submission, SubmissionOutcome},
    },
    aws::{Connection, Settings},
    runtime::{clock, metrics::Metrics},
};

/// No answer takes so long, on a slow machine either.
pub const PATIENCE: Duration = Duration::from_mins(1);
pub const REGION: &str = "eu-west-1";
pub const JOB: &str = "tro-c1-0f8fad5b-d9cb-469f-a165-70867728950e-1";

/// A configuration that knows the Region and credentials.
pub fn config() -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    providing(SharedCredentialsProvider::new(credentials))
}

/// A configuration with these credentials.
pub fn providing(credentials: SharedCredentialsProvider) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(PATIENCE)
                .read_timeout(PATIENCE)
                .operation_timeout(PATIENCE)
                .build(),
        )
        .build()
}

/// The same over another client than a real one.
pub fn over(client: impl HttpClient + 'static) -> SdkConfig {
    config().into_builder().http_client(client).build()
}

/// A clock for the time-outs of a client. It goes on only when the test says so.
#[derive(Clone, Debug, Default)]
pub struct Timer {
    passed: Arc<watch::Sender<Duration>>,
}

impl Timer {
    /// So much time is over: whoever waits for no longer than that has waited enough.
    pub fn pass(&self, time: Duration) {
        self.passed.send_replace(time);
    }
}

impl AsyncSleep for Timer {
    fn sleep(&self, duration: Duration) -> Sleep {
        let mut passed = self.passed.subscribe();
        // When the timer has gone, so has the test.
        Sleep::new(async move { drop(passed.wait_for(|passed| *passed >= duration).await) })
    }
}

/// The same configuration with time-outs by this timer.
pub fn timed(config: &SdkConfig, timer: &Timer) -> SdkConfig {
    config.clone().into_builder().sleep_impl(timer.clone()).build()
}

/// A connection of this configuration to this endpoint.
pub fn connect(config: &SdkConfig, endpoint: Option<String>) -> Connection {
    let settings = Settings {
        region: REGION.to_owned(),
        kms_endpoint: endpoint.clone(),
        sts_endpoint: endpoint.clone(),
        transcribe_endpoint: endpoint,
    };
    Connection::from_config(config, &settings, Metrics::new())
}

/// One reply: the HTTP status and the JSON body.
pub fn reply(status: u16, body: &Value) -> http::Response<SdkBody> {
    http::Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .body(SdkBody::from(body.to_string()))
        .unwrap()
}

/// An error as awsJson 1.1 has it.
pub fn error(status: u16, code: &str, message: &str) -> http::Response<SdkBody> {
    reply(
        status,
        &json!({"__type": format!("com.amazonaws.transcribe#{code}"), "message": message}),
    )
}

/// A connection whose requests get these replies, in this order.
pub fn replaying(replies: Vec<http::Response<SdkBody>>) -> (Connection, StaticReplayClient) {
    let anything = || {
        http::Request::builder()
            .uri("https://example.com")
            .body(SdkBody::empty())
            .unwrap()
    };
    let events = replies.into_iter().map(|reply| ReplayEvent::new(anything(), reply));
    let client = StaticReplayClient::new(events.collect());
    (connect(&over(client.clone()), None), client)
}

/// A request as it was made: the operation, its time of signing and its JSON body.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub operation: String,
    pub date: String,
    pub authorization: String,
    pub body: Value,
}

/// The requests that were made of a replaying client.
pub fn asked(client: &StaticReplayClient) -> Vec<Asked> {
    let asked = |request: &aws_smithy_runtime_api::client::orchestrator::HttpRequest| {
        let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
        Asked {
            operation: header("x-amz-target"),
            date: header("x-amz-date"),
            authorization: header("authorization"),
            body: serde_json::from_slice(request.body().bytes().unwrap()).unwrap(),
        }
    };
    client.actual_requests().map(asked).collect()
}

/// How a peer treats a request.
#[derive(Clone, Debug)]
pub enum Treat {
    /// These bytes, and the end of the connection.
    Bytes(String),
    /// The end of the connection, once the request was read.
    Close,
    /// Nothing.
    Silence,
}

/// A server on the loopback that treats all requests alike and keeps them.
pub struct Peer {
    pub endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
    asked: Arc<Notify>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Peer {
    pub async fn that(treat: Treat) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (requests, asked) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Notify>::default());
        let (kept, told) = (requests.clone(), asked.clone());
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, treat.clone(), kept.clone(), told.clone()));
            }
        });
        Self {
            endpoint,
            requests,
            asked,
            server,
        }
    }

    /// Waits until a request has been received.
    pub async fn until_asked(&self) {
        self.asked.notified().await;
    }

    /// What was received, headers and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, treat: Treat, kept: Arc<Mutex<Vec<String>>>, told: Arc<Notify>) {
    let request = read(&mut stream).await;
    kept.lock().unwrap().push(request);
    told.notify_one();
    match treat {
        Treat::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
        Treat::Close => {}
        Treat::Silence => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&request);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.to_lowercase();
            let length = length
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.parse().ok());
            length.is_none_or(|length: usize| body.len() >= length)
        });
        if whole || length == 0 {
            return text.into_owned();
        }
    }
}

/// A reply on the wire.
pub fn http(status: &str, headers: &str, body: &str) -> Treat {
    let length = body.len();
    Treat::Bytes(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    ))
}

/// An intent with a key, a context, an output, a role and two tags.
pub fn intent(started_at: Timestamp) -> Submission {
    let request = json!({
        "kmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "context": {"department": "finance"},
        "outputBucketName": "pinned-bucket",
        "outputKey": "pinned/",
        "dataAccessRoleArn": "arn:aws:iam::111122223333:role/pinned",
        "tags": {"team": "finance", "transcribe-operator.io/uid": "0f8fad5b"},
    });
    pinned(started_at, serde_json::from_value(request).unwrap())
}

pub fn pinned(started_at: Timestamp, request: PinnedRequest) -> Submission {
    Submission {
        attempt: 1,
        job_name: JOB.to_owned(),
        account: "111122223333".to_owned(),
        region: REGION.to_owned(),
        request,
        request_hash: "v1:0".to_owned(),
        first_started_at: MicroTime(started_at),
        started_at: MicroTime(started_at),
        outcome: SubmissionOutcome::Sent,
        acknowledged_at: None,
        in_flight_until: None,
        absent_since: None,
    }
}

pub fn spec(spec: &Value) -> Spec {
    Spec::parse(Kind::TranscriptionJob, spec).unwrap()
}

pub fn plain() -> Spec {
    spec(&json!({"media": {"mediaFileUri": "s3://media/a.wav"}, "languageCode": "en-US"}))
}

/// The time, as an intent has it.
pub fn now() -> Timestamp {
    clock::now()
}
