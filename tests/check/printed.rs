//! How verdicts are printed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::rig::{check, command, item, job};

fn mixed() -> String {
    let mut denied = job(json!({"encryption": {"kmsKeyId": "ExampleAlias"}}));
    denied["metadata"] = json!({"generateName": "nightly-", "namespace": "finance"});
    let warned = job(json!({"encryption": null}));
    format!("{denied}\n---\n{warned}\n---\n{}", job(json!({})))
}

#[test]
fn people_get_a_line_for_each_object_and_what_there_is_to_say() {
    let ran = check(&["-f", "-"], &mixed());
    assert_eq!((ran.status, &*ran.stderr), (1, ""));
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{}", ran.stdout);
    assert_eq!(lines[0], "finance/nightly-*: denied");
    assert!(
        lines[1].starts_with("  error: spec.encryption.kmsKeyId: must be a KMS key: a key id"),
        "{}",
        lines[1]
    );
    assert_eq!(lines[2], "default/a: allowed");
    assert!(
        lines[3].starts_with("  warning: spec.encryption names no key"),
        "{}",
        lines[3]
    );
    assert_eq!(
        lines[4],
        "  warning: not judged: spec.encryption.kmsKeyId: whether the class has a default key"
    );
    assert_eq!(lines[5], "default/a: allowed");
}

#[test]
fn programs_get_exactly_these_members() {
    let ran = check(&["-f", "-", "-o", "json"], &mixed());
    assert_eq!(ran.status, 1);
    let items = ran.items();
    let message = items[0]["message"].as_str().unwrap();
    assert!(message.starts_with("spec.encryption.kmsKeyId: must be"), "{message}");
    let mut first = items[0].clone();
    first["message"] = Value::Null;
    let expected = json!({
        "file": "-", "document": 0, "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
        "namespace": "finance", "name": "nightly-*", "allowed": false, "message": null, "warnings": [],
    });
    assert_eq!(first, expected);
    let mut second = items[1].clone();
    assert_eq!(second["warnings"].as_array_mut().unwrap().drain(..).len(), 2);
    let expected = json!({
        "file": "-", "document": 1, "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
        "namespace": "default", "name": "a", "allowed": true, "message": null, "warnings": [],
    });
    assert_eq!(second, expected);
}

#[test]
fn there_is_no_colour_in_a_pipe_and_nothing_steers_a_terminal() {
    let mut steering = job(json!({}));
    steering["metadata"]["name"] = "a\u{1b}[2J\nb/c: allowed".into();
    let ran = check(&["-f", "-"], &format!("{}\n---\n{steering}", mixed()));
    assert!(!ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
    assert!(!ran.stdout.contains("\nb/c"), "{:?}", ran.stdout);
}

/// Gives a program a terminal, and ends as it does.
const ON_A_TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

#[test]
fn colour_is_for_terminals_and_only_when_it_is_wanted() {
    let folder = crate::rig::Folder::new(&[("a.json", &mixed())]);
    let program = command(&["-f", &folder.path("a.json")]);
    let on_a_terminal = |no_color: Option<&str>| {
        let mut python = std::process::Command::new("python3");
        python
            .args(["-c", ON_A_TERMINAL])
            .arg(program.get_program())
            .args(program.get_args())
            .env_remove("NO_COLOR");
        if let Some(value) = no_color {
            python.env("NO_COLOR", value);
        }
        let output = python.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let coloured = on_a_terminal(None);
    assert!(
        coloured.contains("finance/nightly-*: \u{1b}[31mdenied\u{1b}[0m"),
        "{coloured:?}"
    );
    assert!(coloured.contains("\u{1b}[32mallowed\u{1b}[0m"), "{coloured:?}");
    assert!(on_a_terminal(Some("")).contains('\u{1b}'));
    assert!(!on_a_terminal(Some("1")).contains('\u{1b}'));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let many = format!("{}\n---\n", job(json!({"encryption": null}))).repeat(3000);
    for format in [&[][..], &["-o", "json"]] {
        let mut child = command(&[&["-f", "-"], format].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(many.as_bytes()).unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn an_output_that_cannot_be_written_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command(&["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(mixed().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("standard output: cannot be written")
    );
}

#[test]
fn other_kinds_are_not_judged_and_unknown_ones_of_ours_are_denied() {
    let deployment = item(
        &[],
        r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}"#,
    );
    assert_eq!(deployment["allowed"], true);
    assert_eq!(
        deployment["warnings"],
        json!(["not judged: apps/v1 Deployment is not a kind of transcribe-operator.io"])
    );
    for (api_version, kind, message) in [
        (
            json!("transcribe-operator.io/v1alpha1"),
            json!("TranscribeJob"),
            "kind: transcribe-operator.io/v1alpha1 has TranscriptionJob",
        ),
        (
            json!("transcribe-operator.io/v1"),
            json!("TranscriptionJob"),
            "apiVersion: there is only transcribe-operator.io/v1alpha1",
        ),
        (json!(null), json!("TranscriptionJob"), "apiVersion and kind: required"),
        (json!("v1"), json!(1), "apiVersion and kind: required"),
    ] {
        let mut object = job(json!({}));
        (object["apiVersion"], object["kind"]) = (api_version, kind);
        let item = item(&[], &object.to_string());
        assert_eq!(item["allowed"], false, "{item}");
        assert!(item["message"].as_str().unwrap().starts_with(message), "{item}");
    }
}
