//! The layers that are the operator's program: its webhook and `check`.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::operator::Operator;
use testkit::stage::{CLUSTER_ID, Stage};
use testkit::wait::{self, Look};
use testkit::webhook::{Caller, Webhook};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use transcribe_operator::api::{GROUP, Kind, VERSION};

use crate::layers::{Answer, NAMESPACE, answer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_transcribe-operator");

/// An operator whose webhook is asked as an API server would ask it.
pub struct Asked {
    _operator: Operator,
    _webhook: Webhook,
    caller: Caller,
}

impl Asked {
    /// By the classes that the stage has.
    pub async fn start(stage: &Stage) -> anyhow::Result<Self> {
        // Which classes a namespace may use is said by its labels, so it has to exist.
        stage.kubectl.run(&["create", "namespace", NAMESPACE]).await?.ok()?;
        let webhook = Webhook::new()?;
        let operator = stage
            .classless_operator_at(PROGRAM, &stage.plane.url(), stage.sim.url())
            .args(["--cluster-id", CLUSTER_ID])
            .args(webhook.args())
            .start()?;
        operator.wait_ready().await?;
        Ok(Self {
            _operator: operator,
            caller: webhook.caller()?,
            _webhook: webhook,
        })
    }

    /// The webhook's answer to the creation of an object, or to an edit of an old one. The webhook does not wait for AWS KMS for
    /// long; on a slow machine it is asked again.
    pub async fn judge(&self, kind: Kind, object: &Value, old: Option<&Value>) -> anyhow::Result<Answer> {
        let judged = wait::until("the webhook judges in time", async || {
            let (status, body) = self.caller.post(review(kind, object, old).to_string()).await?;
            let late = status == 503 || body.contains("(Timeout)");
            ensure!(late || status == 200, "{status}: {body}");
            Ok(if late {
                Look::Not(body)
            } else {
                Look::Done(read(&body)?)
            })
        });
        Box::pin(judged).await
    }
}

/// What an answer of the webhook says.
fn read(review: &str) -> anyhow::Result<Answer> {
    let review: Value = serde_json::from_str(review)?;
    let (response, result) = (&review["response"], &review["response"]["status"]);
    let said = result["message"].as_str().unwrap_or_default();
    let denied = response["allowed"] == false;
    let causes = result["details"]["causes"].as_array().into_iter().flatten();
    let fields = causes.filter_map(|cause| cause["field"].as_str().map(str::to_owned));
    Ok(Answer {
        warnings: texts(&response["warnings"]),
        ..answer(denied, fields, said)
    })
}

fn review(kind: Kind, object: &Value, old: Option<&Value>) -> Value {
    let gvk = json!({"group": GROUP, "version": VERSION, "kind": kind.name()});
    let resource = json!({"group": GROUP, "version": VERSION, "resource": kind.plural()});
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": gvk, "resource": resource, "requestKind": gvk,
        "requestResource": resource, "name": "case", "namespace": NAMESPACE, "operation": operation,
        "userInfo": {"username": "jane"}, "dryRun": true, "oldObject": old, "object": object,
    }})
}

/// What `check` with these flags says to manifests, in their order, in one run. Each is a file with one object at most.
pub async fn check_each(flags: &[&str], manifests: &[String]) -> anyhow::Result<Vec<Answer>> {
    let folder = tempfile::tempdir()?;
    let mut files = Vec::new();
    for (n, manifest) in manifests.iter().enumerate() {
        let file = folder.path().join(format!("{n}.yaml"));
        std::fs::write(&file, manifest)?;
        files.push(file.display().to_string());
    }
    let place = folder.path().display().to_string();
    let (items, said) = run_check(&[&["-f", &place], flags].concat(), "").await?;
    let answer_of = |file: &String| {
        let item = items.iter().find(|item| item["file"] == **file);
        let unread = said
            .lines()
            .find(|line| line.contains(file.as_str()))
            .unwrap_or_default();
        item.map_or_else(|| answer(true, ["manifest".to_owned()], unread), verdict)
    };
    Ok(files.iter().map(answer_of).collect())
}

/// What `check` with these flags says to objects, in their order, in one run.
pub async fn check_all(flags: &[&str], objects: &[Value]) -> anyhow::Result<Vec<Answer>> {
    let (items, said) = run_check(&[&["-f", "-"], flags].concat(), &manifests(objects)).await?;
    // Those of the classes come first.
    let others = items.len().checked_sub(objects.len()).with_context(|| said.clone())?;
    ensure!(said.is_empty(), "{said}");
    Ok(items[others..].iter().map(verdict).collect())
}

/// Objects as the documents of one file.
pub fn manifests(objects: &[Value]) -> String {
    let objects: Vec<String> = objects.iter().map(Value::to_string).collect();
    objects.join("\n---\n")
}

fn verdict(item: &Value) -> Answer {
    let message = item["message"].as_str().unwrap_or_default();
    Answer {
        warnings: texts(&item["warnings"]),
        ..answer(item["allowed"] == false, fields(message), message)
    }
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The items, and what is written to standard error.
async fn run_check(args: &[&str], manifests: &str) -> anyhow::Result<(Vec<Value>, String)> {
    let mut child = Command::new(PROGRAM)
        .args(["check", "-o", "json"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    stdin.write_all(manifests.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((serde_json::from_slice(&output.stdout).unwrap_or_default(), said))
}

/// The fields that a message of several parts (`field: what; field: what`) begins its parts with.
fn fields(message: &str) -> Vec<String> {
    let parts = message.split("; ").filter(|part| part.starts_with("spec"));
    parts
        .filter_map(|part| Some(part.split_once(": ")?.0.to_owned()))
        .collect()
}
