//! The operator as users run it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, Config, DEFAULT_KEY_ALIAS, OutcomeRule};
use testkit::control_plane::ControlPlane;
use testkit::kubectl::{Helm, Kubectl};
use testkit::node::{self, Node};
use testkit::rights::Account;
use testkit::stage::{Stage, repository};
use testkit::wait::{self, Look};

const NAMESPACE: &str = "apiVersion: v1
kind: Namespace
metadata:
  name: transcribe
  labels:
    pod-security.kubernetes.io/enforce: restricted
";
/// The operator in its image.
const PROGRAM: &str = "/usr/local/bin/transcribe-operator";
/// The user of the image.
const NONROOT: &str = "65532";

pub(crate) fn the_chart_runs_the_image_as_a_restricted_pod_that_outlives_a_kill() -> anyhow::Result<()> {
    let node = Node::enter()?;
    tokio::runtime::Runtime::new()?.block_on(scenario(node));
    Ok(())
}

async fn scenario(node: Node) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let plane = node::control_plane().start().await.unwrap();
    let image = plane.folder().join("operator.tar");
    node::image(
        &image,
        "localhost/transcribe-operator:test",
        env!("CARGO_BIN_EXE_transcribe-operator"),
    )
    .unwrap();
    let node = node.join(&plane, &[&image]).await.unwrap();
    let sim = AwsSim::start(Config {
        listen: format!("{}:0", node::ADDRESS).parse().unwrap(),
        outcomes: vec![OutcomeRule {
            uri_contains: Some("long".to_owned()),
            run_ms: Some(3_600_000),
            ..OutcomeRule::default()
        }],
        ..Config::default()
    })
    .await
    .unwrap();
    install(&plane, &sim).await;
    let account = Account::of(&plane, "transcribe", "transcribe-operator").await.unwrap();
    let stage = Stage::of(plane, sim, account).unwrap();
    is_restricted(&stage.kubectl).await;
    for process in node.processes(PROGRAM).unwrap() {
        is_confined(process);
    }
    has_no_shell(&stage.kubectl).await;

    stage.kubectl.apply(&job("first", "short")).await.unwrap().ok().unwrap();
    stage
        .until_reason("default", "first", "Finished", "Completed")
        .await
        .unwrap();
    let logs = stage
        .kubectl
        .run(&["logs", "-n", "transcribe", "deploy/transcribe-operator"])
        .await;
    let logs = logs.unwrap().ok().unwrap().stdout;
    assert!(logs.lines().any(|line| line.starts_with('{')), "{logs}");

    stage.kubectl.apply(&job("second", "long")).await.unwrap().ok().unwrap();
    let submitted = |job: &Value| job["status"]["submission"]["outcome"] == "Acknowledged";
    stage.until("default", "second", submitted).await.unwrap();
    node.kill(PROGRAM).unwrap();
    until_restarted(&stage.kubectl).await;
    stage.sim.finish_all();
    stage
        .until_reason("default", "second", "Finished", "Completed")
        .await
        .unwrap();

    let starts: Vec<_> = stage
        .sim
        .ledger()
        .into_iter()
        .filter(|line| line.operation == "StartTranscriptionJob")
        .collect();
    assert_eq!(starts.len(), 2, "one for each job: {starts:#?}");
    for start in starts {
        assert_eq!(start.body["KMSEncryptionContext"], json!({"department": "finance"}));
        let key = start.body["OutputEncryptionKMSKeyId"].as_str().unwrap();
        assert!(key.starts_with("arn:aws:kms:eu-west-1:"), "{key}");
    }
}

/// `helm install --wait`: it returns when the Pod is ready.
async fn install(plane: &ControlPlane, sim: &AwsSim) {
    let (kubectl, helm) = (Kubectl::new(plane).unwrap(), Helm::new(plane).unwrap());
    kubectl.apply(NAMESPACE).await.unwrap().ok().unwrap();
    let aws = sim.url();
    let values = json!({
        "defaultClass": {"region": "eu-west-1", "outputBucket": "transcripts"},
        "image": {"repository": "localhost/transcribe-operator", "tag": "test", "pullPolicy": "Never"},
        "extraArgs": [
            format!("--transcribe-endpoint={aws}"),
            format!("--kms-endpoint={aws}"),
            format!("--sts-endpoint={aws}"),
            "--allow-insecure-endpoints",
            "--poll-interval=300ms",
        ],
        "env": [
            {"name": "AWS_ACCESS_KEY_ID", "value": "AKIAIOSFODNN7EXAMPLE"},
            {"name": "AWS_SECRET_ACCESS_KEY", "value": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
            {"name": "AWS_EC2_METADATA_DISABLED", "value": "true"},
        ],
    });
    let file = plane.folder().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let chart = repository().join("charts/transcribe-operator");
    let (chart, file) = (chart.to_str().unwrap(), file.to_str().unwrap());
    let flags = ["--namespace", "transcribe", "--values", file, "--wait", wait::TIMEOUT];
    let installed = helm
        .run(&[&["install", "transcribe-operator", chart], &flags[..]].concat())
        .await
        .unwrap();
    if !installed.success {
        let pods = kubectl
            .run(&["describe", "replicasets,pods", "-n", "transcribe"])
            .await
            .unwrap();
        let logs = kubectl
            .run(&["logs", "-n", "transcribe", "deploy/transcribe-operator"])
            .await
            .unwrap();
        panic!("{}{}\n{}{}", installed.stderr, pods.stdout, logs.stdout, logs.stderr);
    }
}

/// The namespace takes no Pod that is less restricted.
async fn is_restricted(kubectl: &Kubectl) {
    let run = [
        "run",
        "plain",
        "--image=localhost/pause:test",
        "-n",
        "transcribe",
        "--dry-run=server",
    ];
    let answer = kubectl.run(&run).await.unwrap();
    assert!(
        !answer.success && answer.stderr.contains("violates PodSecurity"),
        "{}",
        answer.stderr
    );
}

/// What the kernel says of a process of the operator: not what the manifest asks for, but what came of it.
fn is_confined(process: u32) {
    let process = PathBuf::from(format!("/proc/{process}"));
    let status = fs::read_to_string(process.join("status")).unwrap();
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!(value("Uid:"), [NONROOT; 4].join("\t"));
    assert_eq!(value("Gid:"), [NONROOT; 4].join("\t"));
    assert_eq!(value("CapEff:"), "0000000000000000");
    assert_eq!(value("CapBnd:"), "0000000000000000");
    assert_eq!(value("NoNewPrivs:"), "1");
    assert_eq!(value("Seccomp:"), "2", "no filter of system calls");
    let mounts = fs::read_to_string(process.join("mountinfo")).unwrap();
    let root = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|mount| mount[4] == "/")
        .unwrap();
    assert!(
        root[5].split(',').any(|option| option == "ro"),
        "the root can be written: {root:?}"
    );
}

async fn has_no_shell(kubectl: &Kubectl) {
    let exec = ["exec", "-n", "transcribe", "deploy/transcribe-operator", "--"];
    let version = kubectl
        .run(&[&exec[..], &[PROGRAM, "--version"]].concat())
        .await
        .unwrap()
        .ok()
        .unwrap();
    assert!(version.stdout.starts_with("transcribe-operator "), "{}", version.stdout);
    for shell in ["/bin/sh", "/bin/bash", "/busybox/sh"] {
        let answer = kubectl
            .run(&[&exec[..], &[shell, "-c", "true"]].concat())
            .await
            .unwrap();
        assert!(
            !answer.success && answer.stderr.contains("no such file"),
            "{shell}: {}",
            answer.stderr
        );
    }
}

/// Waits until the kubelet has started the killed container again, once and in the same Pod, and it is ready.
async fn until_restarted(kubectl: &Kubectl) {
    let status = r#"jsonpath={range .items[*].status.containerStatuses[*]}{.restartCount} {.ready} {.lastState.terminated.exitCode}{"\n"}{end}"#;
    wait::until("the killed container is started again", async || {
        let pods = kubectl.run(&["get", "pods", "-n", "transcribe", "-o", status]).await?;
        let pods = pods.ok()?.stdout;
        let restarted = !pods.is_empty() && pods.lines().all(|pod| pod == "1 true 137");
        Ok(Look::at(restarted, pods))
    })
    .await
    .unwrap();
}

fn job(name: &str, media: &str) -> String {
    format!(
        "apiVersion: transcribe-operator.io/v1alpha1
kind: TranscriptionJob
metadata:
  name: {name}
spec:
  languageCode: en-US
  media:
    mediaFileUri: s3://media/{media}.wav
  encryption:
    kmsKeyId: {DEFAULT_KEY_ALIAS}
    context:
      department: finance
"
    )
}
