//! Asks each layer about each row, for each kind.

use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use transcribe_operator::api::{GROUP, Kind, VERSION};

use super::classes::classes;
use super::row::{Row, least};
use super::{Answers, cells, keys};
use crate::layers::{ACCOUNT, Answer, Layers, NAMESPACE, answer, object, refusal_of_server};
use crate::live::{check_all, manifests};
use crate::verdict::Verdict;

/// How many questions are open at the same time.
const AT_A_TIME: usize = 8;
/// The job of each kind that is submitted.
const SUBMITTED: &str = "submitted";

/// The answers to every row, in order.
pub async fn judged(rows: &[Row]) -> anyhow::Result<Vec<Answers>> {
    let layers = Layers::start(&classes(), |stage| keys::put(&stage.sim)).await?;
    for kind in Kind::ALL {
        submitted(&layers, *kind, &least(*kind)).await?;
    }
    let asked: Vec<(&Row, Kind)> = cells(rows).map(|(row, kind, _)| (row, kind)).collect();
    let online = asked.iter().map(|(row, kind)| online(&layers, row, *kind));
    let online: Vec<_> = futures::stream::iter(online).buffered(AT_A_TIME).collect().await;
    let mut answers = online.into_iter().zip(checked(&asked).await?);
    let mut all = Vec::new();
    for row in rows {
        let mut of_row: Answers = [const { None }; Kind::ALL.len()];
        for kind in Kind::ALL.iter().filter(|kind| row.cell(**kind).is_some()) {
            let (online, check) = answers.next().context("an answer to each question")?;
            let [cel, webhook, reconciler] = online?;
            of_row[*kind as usize] = Some([cel, webhook, reconciler, check]);
        }
        all.push(of_row);
    }
    Ok(all)
}

/// CEL, the webhook and the reconciler.
async fn online(layers: &Layers, row: &Row, kind: Kind) -> anyhow::Result<[Answer; 3]> {
    let spec = row.spec(kind);
    if row.edit {
        let old = with_submission(object(kind, &least(kind)));
        let new = with_submission(object(kind, &spec));
        return Ok([
            edited(layers, kind, &row.change).await?,
            layers.webhook_on_edit(kind, &old, &new).await?,
            reconciler(layers, row, kind, &spec),
        ]);
    }
    let (cel, stored) = layers.server(kind, &spec).await?;
    Ok([
        cel,
        layers.webhook(kind, &stored).await?,
        reconciler(layers, row, kind, &stored),
    ])
}

/// Binds the request, and then judges its key.
fn reconciler(layers: &Layers, row: &Row, kind: Kind, spec: &Value) -> Answer {
    let bound = layers.reconciler(kind, spec);
    match keys::refused(spec, row.class()) {
        Some(refusal) if bound.verdict == Verdict::Allow => answer(true, refusal.field.clone(), &refusal.to_string()),
        Some(_) | None => bound,
    }
}

/// `check` with the classes, in one run.
async fn checked(asked: &[(&Row, Kind)]) -> anyhow::Result<Vec<Answer>> {
    let classes = classes().into_iter().map(|(name, spec)| {
        json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "TranscriptionClass", "metadata": {"name": name}, "spec": spec,
        })
    });
    let file = NamedTempFile::new()?;
    let classes: Vec<Value> = classes.collect();
    std::fs::write(file.path(), manifests(&classes))?;
    let path = file.path().to_str().context("a path in UTF-8")?;
    let objects: Vec<Value> = asked
        .iter()
        .map(|(row, kind)| object(*kind, &row.spec(*kind)))
        .collect();
    check_all(&["--class", path, "--account", ACCOUNT], &objects).await
}

/// A job that is submitted, as far as the API server knows.
async fn submitted(layers: &Layers, kind: Kind, spec: &Value) -> anyhow::Result<()> {
    let mut object = object(kind, spec);
    object["metadata"] = json!({"name": SUBMITTED, "namespace": NAMESPACE});
    object["spec"]["suspend"] = json!(true);
    layers.stage.kubectl.apply(&object.to_string()).await?.ok()?;
    let status = json!({"status": with_submission(json!({}))["status"]});
    let url = format!("{}/status?fieldValidation=Strict", place(kind));
    layers.ask(patch(&url, &status)?).await??;
    Ok(())
}

fn with_submission(mut object: Value) -> Value {
    let time = "2026-01-01T00:00:00.000000Z";
    object["status"] = json!({"submission": {
        "attempt": 1, "jobName": "j", "account": ACCOUNT, "region": "eu-west-1", "request": {}, "requestHash": "h",
        "firstStartedAt": time, "startedAt": time, "outcome": "Sent",
    }});
    object
}

/// The API server's answer to an edit of the job that is submitted.
async fn edited(layers: &Layers, kind: Kind, change: &Value) -> anyhow::Result<Answer> {
    let url = format!("{}?dryRun=All&fieldValidation=Strict", place(kind));
    Ok(match layers.ask(patch(&url, &json!({"spec": change}))?).await? {
        Ok(_) => answer(false, [], ""),
        Err(refused) => refusal_of_server(&refused),
    })
}

fn place(kind: Kind) -> String {
    format!(
        "/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{}/{SUBMITTED}",
        kind.plural()
    )
}

fn patch(url: &str, patch: &Value) -> anyhow::Result<http::Request<Vec<u8>>> {
    let request = http::Request::patch(url).header("content-type", "application/merge-patch+json");
    Ok(request.body(patch.to_string().into_bytes())?)
}
