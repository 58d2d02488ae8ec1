//! moto, the AWS emulator in Python that others know, as a second opinion beside [`crate::aws_sim`].
//!
//! It checks less than AWS does: no signature, no request member, no Region or account inside an ARN.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, remove_at_exit};
use crate::wait::{self, Look};

/// Where it notes every request.
const RECORDING: &str = "requests.jsonl";

/// The account that moto gives to credentials it does not know.
pub const ACCOUNT: &str = "123456789012";

/// A moto server on the loopback address. It ends when this is dropped.
#[derive(Debug)]
pub struct Moto {
    process: Process,
    port: u16,
    folder: TempDir,
}

/// A key that was made, by its four names.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key id.
    pub id: String,
    /// The key's ARN.
    pub arn: String,
    /// The alias, with its prefix.
    pub alias: String,
    /// The alias's ARN.
    pub alias_arn: String,
}

impl Moto {
    /// Starts a server (`scripts/moto` installs it when it has to) whose transcription jobs take about a second.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("moto-").tempdir()?;
        remove_at_exit(folder.path());
        let port = ports::free()?;
        let mut command = Command::new(tokio::task::spawn_blocking(program).await??);
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_ENABLE_RECORDING", "true")
            .env("MOTO_RECORDER_FILEPATH", folder.path().join(RECORDING));
        let mut moto = Self {
            process: Process::start("moto", command, &folder.path().join("moto.log"))?,
            port,
            folder,
        };
        moto.wait_ready().await?;
        for model in ["transcribe::transcriptionjob", "transcribe::medicaltranscriptionjob"] {
            let transition = json!({"progression": "time", "seconds": 1});
            moto.set_transition(model, transition).await?;
        }
        Ok(moto)
    }

    /// The endpoint of every service.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Says how the state of a model's records moves on.
    ///
    /// By `time` and `immediate` a job is done without transcript, start and completion; by `manual` each step takes a
    /// number of Gets and all is filled in.
    pub async fn set_transition(&self, model: &str, transition: Value) -> anyhow::Result<()> {
        let body = json!({"model_name": model, "transition": transition});
        let request = self.request(Method::POST, "/moto-api/state-manager/set-transition");
        let request = request.header("content-type", "application/json");
        answer(request.body(body.to_string().into())?).await.map(drop)
    }

    /// One awsJson call, such as `TrentService.DescribeKey` of `kms`. moto takes the Region from the signature's scope and
    /// verifies nothing else of it.
    pub async fn call(&self, service: &str, region: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/{region}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let request = self
            .request(Method::POST, "/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .header("authorization", authorization);
        let text = answer(request.body(body.to_string().into())?).await?;
        Ok(if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text)?
        })
    }

    /// Makes a symmetric key for encryption, and an alias (`alias/…`) of it.
    pub async fn create_key(&self, region: &str, alias: &str) -> anyhow::Result<Key> {
        // Without KeyUsage moto says null, which AWS never does.
        let wanted = json!({"KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"});
        let made = self.call("kms", region, "TrentService.CreateKey", &wanted).await?;
        let member = |name: &str| -> anyhow::Result<String> {
            let value = made["KeyMetadata"][name].as_str().context("no metadata")?;
            Ok(value.to_owned())
        };
        let (id, arn) = (member("KeyId")?, member("Arn")?);
        let wanted = json!({"AliasName": alias, "TargetKeyId": id});
        self.call("kms", region, "TrentService.CreateAlias", &wanted).await?;
        Ok(Key {
            alias_arn: format!("arn:aws:kms:{region}:{ACCOUNT}:{alias}"),
            alias: alias.to_owned(),
            id,
            arn,
        })
    }

    /// The calls of an operation that it was sent, such as `Transcribe.StartTranscriptionJob`, as their bodies: it keeps less of
    /// a job than it is told.
    pub fn sent(&self, target: &str) -> anyhow::Result<Vec<Value>> {
        let of_body = |request: Value| {
            let body: ByteString = serde_json::from_value(request["body"].clone())?;
            Ok(serde_json::from_slice(&body.0)?)
        };
        self.recorded(target)?.into_iter().map(of_body).collect()
    }

    /// When those calls were signed, in whole seconds.
    pub fn signed(&self, target: &str) -> anyhow::Result<Vec<Timestamp>> {
        let of_head = |request: Value| {
            let date = request["headers"]["X-Amz-Date"]
                .as_str()
                .context("a call without a date")?;
            Ok(DateTime::strptime("%Y%m%dT%H%M%SZ", date)?
                .to_zoned(TimeZone::UTC)?
                .timestamp())
        };
        self.recorded(target)?.into_iter().map(of_head).collect()
    }

    fn recorded(&self, target: &str) -> anyhow::Result<Vec<Value>> {
        let recording = std::fs::read_to_string(self.folder.path().join(RECORDING))?;
        let requests: Vec<Value> = recording.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let is_meant = |request: &Value| request["headers"]["X-Amz-Target"] == target;
        Ok(requests.into_iter().filter(is_meant).collect())
    }

    /// The end of the log, for messages of failing tests.
    pub fn log_tail(&self) -> String {
        self.process.log_tail(40)
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        wait::until("moto answers", async || {
            let request = self.request(Method::GET, "/moto-api/data.json").body(Full::default())?;
            let Err(error) = answer(request).await else {
                return Ok(Look::Done(()));
            };
            if let Some(status) = self.process.exited()? {
                anyhow::bail!("moto ended ({status})\n{}", self.log_tail());
            }
            Ok(Look::Not(format!("{error:#}\n{}", self.log_tail())))
        })
        .await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.url()))
    }
}

/// The body of an answer that is a success; the error holds the body of any other.
async fn answer(request: Request<Full<Bytes>>) -> anyhow::Result<String> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let whole = Box::pin(async {
        let answer = client.request(request).await?;
        let status = answer.status();
        anyhow::Ok((status, answer.into_body().collect().await?.to_bytes()))
    });
    let (status, body) = wait::on("moto answers", whole).await??;
    let body = String::from_utf8_lossy(&body).into_owned();
    anyhow::ensure!(status.is_success(), "{status}: {body}");
    Ok(body)
}

/// The server's program, installed when it is not there.
fn program() -> anyhow::Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/moto");
    let output = Command::new(script)
        .stderr(Stdio::inherit())
        .output()
        .context("scripts/moto")?;
    anyhow::ensure!(output.status.success(), "scripts/moto failed; what it said is above");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
