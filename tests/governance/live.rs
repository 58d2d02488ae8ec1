//! The layers that are the operator's program: its webhook and `check`.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::operator::Operator;
use testkit::stage::{BUCKET, Stage};
use testkit::webhook::Webhook;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::cases::{ACCOUNT, REGION};
use crate::layers::{Answer, answer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_transcribe-operator");

/// An operator whose webhook is asked as an API server would ask it. Its KMS has no keys.
pub struct Asked {
    _operator: Operator,
    webhook: Webhook,
}

impl Asked {
    pub async fn start(stage: &Stage) -> anyhow::Result<Self> {
        // Which classes a namespace may use is said by its labels, so it has to exist.
        stage.kubectl.run(&["create", "namespace", "finance"]).await?.ok()?;
        let webhook = Webhook::new()?;
        let operator = stage.operator(PROGRAM).args(webhook.args()).start()?;
        operator.wait_ready().await?;
        Ok(Self {
            _operator: operator,
            webhook,
        })
    }

    /// The webhook's answer to the creation of a job with this spec. That KMS does not know the key is beside the point of
    /// the table.
    pub async fn judge(&self, spec: &Value) -> anyhow::Result<Answer> {
        let (status, body) = self.webhook.post(review(spec).to_string()).await?;
        ensure!(status == 200, "{status}: {body}");
        let review: Value = serde_json::from_str(&body)?;
        let (response, result) = (&review["response"], &review["response"]["status"]);
        let said = result["message"].as_str().unwrap_or_default();
        let denied = response["allowed"] == false && !said.contains("there is no such key");
        let causes = result["details"]["causes"].as_array().into_iter().flatten();
        let fields = causes.filter_map(|cause| cause["field"].as_str().map(str::to_owned));
        Ok(answer(denied, fields.filter(|_| denied), said))
    }
}

fn review(spec: &Value) -> Value {
    let gvk = json!({"group": "transcribe-operator.io", "version": "v1alpha1", "kind": "TranscriptionJob"});
    let resource = json!({"group": "transcribe-operator.io", "version": "v1alpha1", "resource": "transcriptionjobs"});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": gvk, "resource": resource, "requestKind": gvk,
        "requestResource": resource, "name": "case", "namespace": "finance", "operation": "CREATE",
        "userInfo": {"username": "jane"}, "dryRun": true, "oldObject": null,
        "object": {
            "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
            "metadata": {"name": "case", "namespace": "finance", "uid": "0f8fad5b-d9cb-469f-a165-70867728950e"},
            "spec": spec,
        },
    }})
}

/// `check` that knows what the class of the table is.
pub async fn check(manifest: &str) -> anyhow::Result<Answer> {
    let flags = ["--region", REGION, "--account", ACCOUNT, "--output-bucket", BUCKET];
    run_check(&flags, manifest).await
}

/// `check` that knows nothing.
pub async fn check_alone(manifest: &str) -> anyhow::Result<Answer> {
    run_check(&[], manifest).await
}

async fn run_check(flags: &[&str], manifest: &str) -> anyhow::Result<Answer> {
    let mut child = Command::new(PROGRAM)
        .args(["check", "-f", "-", "-o", "json"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    stdin.write_all(manifest.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let items: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let Some(item) = items.get(0) else {
        return Ok(answer(true, ["manifest".to_owned()], &said));
    };
    let message = item["message"].as_str().unwrap_or_default();
    Ok(answer(item["allowed"] == false, fields(message), message))
}

/// The fields that a message of several parts (`field: what; field: what`) begins its parts with.
fn fields(message: &str) -> Vec<String> {
    let parts = message.split("; ").filter(|part| part.starts_with("spec"));
    parts
        .filter_map(|part| Some(part.split_once(": ")?.0.to_owned()))
        .collect()
}
