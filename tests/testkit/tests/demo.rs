//! The demo, as `make demo` and `make demo KEEP=1` run it: its end, and that nothing is left of it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test"
)]

use std::path::Path;

use tempfile::TempDir;
use testkit::control_plane::program;
use testkit::wait::{Look, until_blocking};
use tokio::process::Command;

async fn demo(folder: &TempDir, argument: Option<&str>) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(argument)
        .env("TMPDIR", folder.path())
        .env("DEMO_STATE", folder.path().join("state"))
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{argument:?}: {stdout}\n{stderr}");
    stdout
}

/// The processes that name a folder in their arguments or, as the operator does, in their environment. Not those that have
/// ended and wait to be waited for.
fn processes(folder: &Path) -> Vec<String> {
    let mentions = |pid: &Path| {
        let read = |file| std::fs::read(pid.join(file)).unwrap_or_default();
        let (command, environment) = (read("cmdline"), read("environ"));
        let text = String::from_utf8_lossy(&[&command[..], &environment].concat()).into_owned();
        let named = text.contains(folder.to_str().unwrap());
        named.then(|| String::from_utf8_lossy(&command).replace('\0', " "))
    };
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| mentions(&entry.unwrap().path())).collect()
}

/// A process and a folder may go a moment after the demo.
fn nothing_is_left(folder: &TempDir) {
    until_blocking("nothing is left of the demo", || {
        let entries = std::fs::read_dir(folder.path())?;
        let folders: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "state")
            .collect();
        let processes = processes(folder.path());
        let gone = folders.is_empty() && processes.is_empty();
        Ok(Look::at(gone, format!("left: {folders:?} {processes:?}")))
    })
    .unwrap();
}

#[tokio::test]
async fn the_demo_tells_its_story_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let said = demo(&folder, None).await;
    for part in [
        "helm install",
        "Completed",
        "\"mode\":\"SSE-KMS\"",
        "unknown field \"spec.encription\"",
        "the key (RSA_2048, SIGN_VERIFY)",
        "the key is in us-east-1",
        "looks like a bearer token",
        "The operator is dead",
        "Done.",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    all_kinds_finish_and_each_job_is_started_once(&said);
    nothing_is_left(&folder);
}

fn all_kinds_finish_and_each_job_is_started_once(said: &str) {
    for (kind, name) in [
        ("TranscriptionJob", "earnings-call"),
        ("MedicalTranscriptionJob", "visit"),
        ("CallAnalyticsJob", "complaint"),
        ("MedicalScribeJob", "therapy"),
    ] {
        let object = format!("    {}.transcribe-operator.io/{name} ", kind.to_lowercase());
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with(&object)).collect();
        for part in ["created", "condition met", "Completed   finance"] {
            assert!(lines.iter().any(|line| line.contains(part)), "{object} {part}: {said}");
        }
        let ledger = said.split(&format!("    Start{kind} {name} ")).collect::<Vec<_>>();
        let [_, start] = ledger[..] else {
            panic!("{kind} {name}: {said}");
        };
        let members: Vec<&str> = start.lines().skip(1).take(2).map(str::trim).collect();
        assert!(
            members[0].contains("arn:aws:kms:eu-west-1:111122223333:key/"),
            "{members:?}"
        );
        let has_context = members[1].contains("\"namespace\":\"finance\"");
        assert_eq!(has_context, kind != "CallAnalyticsJob", "{members:?}");
    }
    assert_eq!(said.matches("    StartTranscriptionJob ").count(), 3, "{said}");
}

#[tokio::test]
async fn a_demo_that_is_kept_is_up_until_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let said = demo(&folder, Some("keep")).await;
    let kubeconfig = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("export KUBECONFIG="))
        .unwrap();
    let get = Command::new(program("kubectl").unwrap())
        .args(["get", "tj"])
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", folder.path())
        .output()
        .await
        .unwrap();
    assert!(get.status.success(), "{get:?}");
    let up = processes(folder.path());
    for part in [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "transcribe-operator run",
    ] {
        assert!(up.iter().any(|command| command.contains(part)), "{part}: {up:#?}");
    }
    assert!(demo(&folder, Some("down")).await.contains("is down"));
    std::fs::remove_dir_all(folder.path().join(".kube")).ok();
    nothing_is_left(&folder);
    assert!(demo(&folder, Some("down")).await.contains("is not up"));
}
