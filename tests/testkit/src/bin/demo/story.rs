//! The walk-through.

use std::process::Stdio;

use anyhow::Context as _;
use testkit::control_plane::program;
use testkit::fault_proxy::{Fault, Rule};
use testkit::kubectl::Kubectl;
use testkit::wait::{self, TIMEOUT};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::account::{KEY, SIGNING_KEY};
use crate::kinds;
use crate::parts::Parts;

const START: &str = "StartTranscriptionJob";
/// The tag with the name of the object.
const NAME: &str = "transcribe-operator.io/name";

/// A heading.
pub(crate) fn say(text: &str) {
    println!("\n=== {text}\n");
}

/// Text as part of the story: indented.
pub(crate) fn shown(text: &str) -> String {
    let indent = |line: &str| {
        if line.is_empty() {
            "\n".to_owned()
        } else {
            format!("    {line}\n")
        }
    };
    text.lines().map(indent).collect()
}

/// Tells it from the first job to the last.
pub(crate) async fn tell(parts: &Parts) -> anyhow::Result<()> {
    first_job(parts).await?;
    refused(parts).await?;
    killed(parts).await?;
    kinds::tell(parts).await?;
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
    show(&parts.tenant, &["apply", "-f", "standup.yaml"]).await?;

    say("... and watches it");
    watch(parts, "standup", "Completed").await?;

    say(
        "How it went, and how the transcript is encrypted: the alias is resolved once, and the key's ARN is what was sent",
    );
    show(
        &parts.tenant,
        &["wait", "tj/standup", "--for=condition=Finished", TIMEOUT],
    )
    .await?;
    show(&parts.tenant, &["get", "tj", "standup", "-o", "wide"]).await?;
    show(
        &parts.tenant,
        &["get", "tj", "standup", "-o", "jsonpath={.status.encryption}{'\\n'}"],
    )
    .await?;
    show(&parts.tenant, &["describe", "tj", "standup"]).await
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
    show(&parts.tenant, &["apply", "-f", "retro.yaml"]).await?;
    parts.operator.wait().await?;
    kill.remove();
    println!("  The operator is dead. AWS has the job ...\n");
    let jobs = parts.aws.jobs();
    let job = jobs.iter().find(|job| job.tags[NAME] == "retro");
    let job = job.context("AWS does not have the job")?;
    println!("    {} {}", job.name, job.status);
    println!("\n  ... and the object has no jobStatus: only what was written before AWS was asked.\n");
    let path = "jsonpath=jobName {.status.jobName}, jobStatus {.status.jobStatus}{'\\n'}";
    show(&parts.tenant, &["get", "tj", "retro", "-o", path]).await?;

    say("It is started again, asks AWS what became of the job, and goes on");
    parts.operator.restart()?;
    parts.operator.wait_ready().await?;
    watch(parts, "retro", "Completed").await
}

fn ledger(parts: &Parts) -> anyhow::Result<()> {
    say("What AWS was asked to do: six objects, six jobs, each encrypted as its manifest and its class say");
    let mut started = Vec::new();
    for line in parts.aws.ledger() {
        if !line.operation.starts_with("Start") {
            continue;
        }
        let name = &line.tags[NAME];
        println!("    {} {name} as {}", line.operation, line.job_name);
        for member in ["OutputEncryptionKMSKeyId", "KMSEncryptionContext"] {
            let value = line.body.get(member).map_or("none".to_owned(), ToString::to_string);
            println!("        {member:<25} {value}");
        }
        started.push(name.clone());
    }
    started.sort();
    let each_once = ["complaint", "earnings-call", "retro", "standup", "therapy", "visit"];
    anyhow::ensure!(started == each_once, "{started:?} were started");
    Ok(())
}

async fn deleted(parts: &Parts) -> anyhow::Result<()> {
    say(
        "The tenant deletes the objects. Their records in AWS go with them, but for one that is to stay (deletionPolicy: Retain); \
         what is in S3 stays",
    );
    show(&parts.tenant, &["delete", "transcribe", "--all", TIMEOUT]).await?;
    let left = parts.aws.jobs();
    println!("  What AWS still has:\n");
    for job in &left {
        println!("    {} {}", job.name, job.status);
    }
    let retained = left.iter().map(|job| job.kind.as_str());
    anyhow::ensure!(retained.eq(["MedicalScribeJob"]), "left: {left:?}");
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

/// Writes a file that commands can name.
pub(crate) fn write(parts: &Parts, file: &str, manifest: &str) -> anyhow::Result<()> {
    Ok(std::fs::write(parts.manifests.path().join(file), manifest)?)
}

/// A command, and what it prints.
pub(crate) async fn show(kubectl: &Kubectl, args: &[&str]) -> anyhow::Result<()> {
    let quoted = args.iter().map(|arg| {
        if arg.contains([' ', '{']) {
            format!("\"{arg}\"")
        } else {
            (*arg).to_owned()
        }
    });
    let command = quoted.collect::<Vec<_>>().join(" ");
    let several = command.matches(" -f ").count() > 1;
    let separator = if several { " \\\n      -f " } else { " -f " };
    println!("  $ kubectl {}", command.replace(" -f ", separator));
    let output = kubectl.run(args).await?.ok()?;
    println!("{}", shown(&format!("{}{}", output.stdout, output.stderr)));
    Ok(())
}

/// Shows how a job changes, until its line says `until`. Each line is progress.
async fn watch(parts: &Parts, name: &str, until: &str) -> anyhow::Result<()> {
    println!("  $ kubectl get tj {name} --watch");
    let mut kubectl = Command::new(program("kubectl")?);
    kubectl
        .args(["get", "tj", name, "--watch"])
        .env("KUBECONFIG", &parts.kubeconfig);
    let mut kubectl = kubectl.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(kubectl.stdout.take().context("stdout is piped")?).lines();
    while let Some(line) = wait::on(&format!("{name} is {until}"), lines.next_line()).await?? {
        println!("    {line}");
        if line.contains(until) {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended")
}
