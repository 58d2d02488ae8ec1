//! How long an admission review takes: with the key's answer cached and not, at 1 and at 200 reviews a second. Prints figures,
//! asserts none.
//!
//! The reviews go straight to the operator over one TLS client, as an API server sends them; KMS is the AWS simulator on the
//! same machine. `make bench` runs it against the release build.

#![allow(clippy::print_stdout, reason = "it prints figures")]

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::aws_sim::{Config, Key};
use testkit::stage::{REGION, Stage};
use testkit::webhook::{Caller, Webhook};
use tokio::time::interval;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok()
        .context("TLS is set up already")?;
    let stage = Stage::start(Config::default()).await?;
    let webhook = Webhook::new()?;
    let operator = stage
        .operator(env!("CARGO_BIN_EXE_transcribe-operator"))
        .args(webhook.args())
        .args(["--log", "warn"])
        .start()?;
    operator.wait_ready().await?;
    let caller = webhook.caller()?;
    let known = key(0);
    for number in 0..4000 {
        stage.sim.put_key(Key::new(REGION, &key(number)))?;
    }
    caller.post(review(&known)).await?;
    println!("reviews                      p50        p99        worst      admitted with a warning");
    for (rate, count) in [(1, 20), (200, 2000)] {
        measure(&caller, "key cached", rate, (0..count).map(|_| known.clone())).await?;
        let fresh = (0..count).map(|number| key(number + 1000 * u32::from(rate > 1) + 1));
        measure(&caller, "key not cached", rate, fresh).await?;
    }
    Ok(())
}

fn key(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// Sends reviews at a rate, each on time whatever became of the ones before.
async fn measure(caller: &Caller, what: &str, rate: u32, keys: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut tick = interval(Duration::from_secs(1) / rate);
    let mut under_way = Vec::new();
    for key in keys {
        tick.tick().await;
        let caller = caller.clone();
        under_way.push(tokio::spawn(async move {
            let begun = Instant::now();
            let (_, body) = caller.post(review(&key)).await?;
            anyhow::Ok((begun.elapsed(), serde_json::from_str::<Value>(&body)?))
        }));
    }
    let mut took = Vec::new();
    let mut warned = 0;
    for answer in join_all(under_way).await {
        let (time, body) = answer??;
        anyhow::ensure!(body["response"]["allowed"] == true, "{body:#}");
        warned += usize::from(body["response"]["warnings"].is_array());
        took.push(time);
    }
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "{what:15} {rate:4} a second {:>9.1?}  {:>9.1?}  {:>9.1?}  {warned} of {}",
        at(50),
        at(99),
        at(100),
        took.len()
    );
    Ok(())
}

fn review(key: &str) -> String {
    let object = json!({
        "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
        "metadata": {"name": "bench", "namespace": "default", "uid": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        "spec": {
            "languageCode": "en-US", "media": {"mediaFileUri": "s3://media/bench.wav"},
            "encryption": {"kmsKeyId": key, "context": {"department": "finance"}},
        },
    });
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "0f8fad5b-d9cb-469f-a165-70867728950f", "name": "bench", "namespace": "default", "operation": "CREATE",
            "kind": {"group": "transcribe-operator.io", "version": "v1alpha1", "kind": "TranscriptionJob"},
            "resource": {"group": "transcribe-operator.io", "version": "v1alpha1", "resource": "transcriptionjobs"},
            "userInfo": {}, "dryRun": false, "object": object,
        },
    })
    .to_string()
}
