//! The demo: a real control plane, a simulated AWS, the operator, and a job from `kubectl apply` to its transcript.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Duration;

use anyhow::Context as _;
use testkit::aws_sim::Config;
use testkit::stage::Stage;

const KEY: &str = "alias/ExampleAlias";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok()
        .context("TLS is set up already")?;
    say("Starting kube-apiserver, etcd and a simulated Amazon Transcribe on this machine");
    let stage = Stage::start(Config {
        queue_ms: 800,
        run_ms: 2500,
        ..Config::default()
    })
    .await?;
    let folder = std::env::current_exe()?;
    let operator = folder.with_file_name("transcribe-operator");
    let operator = stage
        .operator(operator.to_str().context("the path of the operator is not UTF-8")?)
        .start()?;
    operator.wait_ready().await?;

    say("A tenant applies a job whose transcript is to be encrypted with a key and an encryption context");
    let manifest = manifest();
    println!("{}", indented(&manifest));
    show(&stage, &["apply", "-f", "-"], &manifest).await?;
    show(&stage, &["get", "transcriptionjobs"], "").await?;

    say("... and waits for it");
    show(
        &stage,
        &["wait", "tj/standup", "--for=condition=Finished", "--timeout=60s"],
        "",
    )
    .await?;
    show(&stage, &["get", "tj"], "").await?;
    show(&stage, &["describe", "tj", "standup"], "").await?;

    say("What Amazon Transcribe was asked to do: one job, encrypted as the manifest says");
    for line in stage.sim.ledger() {
        println!("    {} {}", line.operation, line.job_name);
        println!("        OutputBucketName          {}", line.body["OutputBucketName"]);
        println!(
            "        OutputEncryptionKMSKeyId  {}",
            line.body["OutputEncryptionKMSKeyId"]
        );
        println!(
            "        KMSEncryptionContext      {}",
            line.body["KMSEncryptionContext"]
        );
    }
    let starts = stage
        .sim
        .ledger()
        .iter()
        .filter(|line| line.operation == "StartTranscriptionJob")
        .count();
    anyhow::ensure!(starts == 1, "{starts} jobs were started, not one");

    say("The tenant deletes the object; the record in AWS goes with it, the transcript in S3 stays");
    show(&stage, &["delete", "tj", "standup", "--timeout=60s"], "").await?;
    stage.until_gone("default", "standup", Duration::from_secs(30)).await?;
    anyhow::ensure!(stage.sim.jobs().is_empty(), "the record is still there");
    say("Done: one apply, one paid job, nothing left behind");
    Ok(())
}

fn manifest() -> String {
    format!(
        "apiVersion: transcribe-operator.io/v1alpha1
kind: TranscriptionJob
metadata:
  name: standup
spec:
  languageCode: en-US
  media:
    mediaFileUri: s3://demo-media/standup.wav
  encryption:
    kmsKeyId: {KEY}
    context:
      department: finance
"
    )
}

fn say(text: &str) {
    println!("\n=== {text}\n");
}

async fn show(stage: &Stage, args: &[&str], input: &str) -> anyhow::Result<()> {
    println!("  $ kubectl {}", args.join(" "));
    let output = stage.kubectl.run_with(args, input).await?.ok()?;
    println!("{}", indented(&format!("{}{}", output.stdout, output.stderr)));
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}
