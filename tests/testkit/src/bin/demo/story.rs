//! The walk-through.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use testkit::control_plane::program;
use testkit::fault_proxy::{Fault, Rule};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::parts::{KEY, Parts, SIGNING_KEY};

const START: &str = "StartTranscriptionJob";

/// A heading.
pub(crate) fn say(text: &str) {
    println!("\n=== {text}\n");
}

/// Text as part of the story: indented.
pub(crate) fn shown(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

/// Tells it from the first job to the last.
pub(crate) async fn tell(parts: &Parts) -> anyhow::Result<()> {
    first_job(parts).await?;
    refused(parts).await?;
    killed(parts).await?;
    ledger(parts)?;
    deleted(parts).await
}

async fn first_job(parts: &Parts) -> anyhow::Result<()> {
    say(
        "A tenant applies a job whose transcript is to be encrypted with a key, by its alias, and an encryption context",
    );
    let manifest = job("standup", KEY, "department: finance");
    write(parts, "standup.yaml", &manifest)?;
    println!("  $ cat standup.yaml\n{}", shown(&manifest));
    show(parts, &["apply", "-f", "standup.yaml"]).await?;

    say("... and watches it");
    watch(parts, "standup", "Completed").await?;

    say(
        "How it went, and how the transcript is encrypted: the alias is resolved once, and the key's ARN is what was sent",
    );
    show(
        parts,
        &["wait", "tj/standup", "--for=condition=Finished", "--timeout=60s"],
    )
    .await?;
    show(parts, &["get", "tj", "standup", "-o", "wide"]).await?;
    show(
        parts,
        &["get", "tj", "standup", "-o", "jsonpath={.status.encryption}{'\\n'}"],
    )
    .await?;
    show(parts, &["describe", "tj", "standup"]).await
}

async fn refused(parts: &Parts) -> anyhow::Result<()> {
    say("What cannot be right is refused at once, with the field, what is wrong with it, and the way out");
    let elsewhere = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    for (what, file, manifest) in [
        (
            "A misspelt field, which would have left the transcript unencrypted by the key",
            "misspelt.yaml",
            job("misspelt", KEY, "department: finance").replace("encryption", "encription"),
        ),
        (
            "A key that signs and does not encrypt; AWS KMS is asked",
            "signing.yaml",
            job("signing", SIGNING_KEY, "department: finance"),
        ),
        (
            "A key in another Region",
            "elsewhere.yaml",
            job("elsewhere", elsewhere, "department: finance"),
        ),
        (
            "A password in the encryption context, which AWS CloudTrail would show to many",
            "password.yaml",
            job(
                "password",
                KEY,
                "token: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N",
            ),
        ),
    ] {
        write(parts, file, &manifest)?;
        println!("  # {what}");
        println!("  $ kubectl apply -f {file}");
        let output = parts.tenant.run(&["apply", "-f", file]).await?;
        anyhow::ensure!(!output.success, "{file} was accepted");
        println!("{}", shown(&output.stderr));
    }
    anyhow::ensure!(parts.aws.jobs().len() == 1, "a job was started that was refused");
    Ok(())
}

async fn killed(parts: &Parts) -> anyhow::Result<()> {
    say("The worst moment: AWS has accepted the job, and the operator is killed (SIGKILL) before it hears of it");
    let kill = Fault::kill(parts.operator.killer());
    let kill = parts.way_to_aws.add(Rule::new(kill).operation(START).times(1).after());
    write(parts, "retro.yaml", &job("retro", KEY, "department: finance"))?;
    show(parts, &["apply", "-f", "retro.yaml"]).await?;
    parts.operator.wait(Duration::from_secs(30)).await?;
    kill.remove();
    println!("  The operator is dead. AWS has the job (the second of these) ...\n");
    for job in parts.aws.jobs() {
        println!("    {} {}", job.name, job.status);
    }
    println!("\n  ... and the object has no jobStatus: only what was written before AWS was asked.\n");
    let path = "jsonpath=jobName {.status.jobName}, jobStatus {.status.jobStatus}{'\\n'}";
    show(parts, &["get", "tj", "retro", "-o", path]).await?;

    say("It is started again, asks AWS what became of the job, and goes on");
    parts.operator.restart()?;
    parts.operator.wait_ready().await?;
    watch(parts, "retro", "Completed").await
}

fn ledger(parts: &Parts) -> anyhow::Result<()> {
    say("What AWS was asked to do: two objects, two jobs, each encrypted as its manifest says");
    let starts: Vec<_> = parts
        .aws
        .ledger()
        .into_iter()
        .filter(|line| line.operation == START)
        .collect();
    for line in &starts {
        println!("    {} {}", line.operation, line.job_name);
        for member in ["OutputBucketName", "OutputEncryptionKMSKeyId", "KMSEncryptionContext"] {
            println!("        {member:<25} {}", line.body[member]);
        }
    }
    anyhow::ensure!(starts.len() == 2, "{} jobs were started, not two", starts.len());
    Ok(())
}

async fn deleted(parts: &Parts) -> anyhow::Result<()> {
    say("The tenant deletes the objects; their records in AWS go with them, the transcripts in S3 stay");
    show(parts, &["delete", "tj", "--all", "--timeout=60s"]).await?;
    anyhow::ensure!(parts.aws.jobs().is_empty(), "a record is still there");
    Ok(())
}

fn job(name: &str, key: &str, context: &str) -> String {
    format!(
        "apiVersion: transcribe-operator.io/v1alpha1
kind: TranscriptionJob
metadata:
  name: {name}
spec:
  languageCode: en-US
  media:
    mediaFileUri: s3://finance-media/{name}.wav
  encryption:
    kmsKeyId: {key}
    context:
      {context}
"
    )
}

fn write(parts: &Parts, file: &str, manifest: &str) -> anyhow::Result<()> {
    Ok(std::fs::write(parts.manifests.path().join(file), manifest)?)
}

/// A command of the tenant's, and what it prints.
async fn show(parts: &Parts, args: &[&str]) -> anyhow::Result<()> {
    let quoted = args.iter().map(|arg| {
        if arg.contains([' ', '{']) {
            format!("\"{arg}\"")
        } else {
            (*arg).to_owned()
        }
    });
    println!("  $ kubectl {}", quoted.collect::<Vec<_>>().join(" "));
    let output = parts.tenant.run(args).await?.ok()?;
    println!("{}", shown(&format!("{}{}", output.stdout, output.stderr)));
    Ok(())
}

/// Shows how a job changes, until its line says `until`.
async fn watch(parts: &Parts, name: &str, until: &str) -> anyhow::Result<()> {
    println!("  $ kubectl get tj {name} --watch");
    let mut kubectl = Command::new(program("kubectl")?);
    kubectl
        .args(["get", "tj", name, "--watch"])
        .env("KUBECONFIG", &parts.kubeconfig);
    let mut kubectl = kubectl.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(kubectl.stdout.take().context("stdout is piped")?).lines();
    let watched = async {
        while let Some(line) = lines.next_line().await? {
            println!("    {line}");
            if line.contains(until) {
                return Ok(());
            }
        }
        anyhow::bail!("the watch ended")
    };
    timeout(Duration::from_mins(1), watched)
        .await
        .with_context(|| format!("{name} is not {until}"))?
}
