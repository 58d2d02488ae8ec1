//! The chart: installed by the real helm, and the operator run with exactly the rights that it gives.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::time::Duration;

use testkit::aws_sim::{AwsSim, Config};
use testkit::control_plane::ControlPlane;
use testkit::kubectl::{Helm, Kubectl};
use testkit::rights::Account;
use testkit::stage::{Stage, repository};

const JOB: &str = "apiVersion: transcribe-operator.io/v1alpha1
kind: TranscriptionJob
metadata:
  name: charted
spec:
  languageCode: en-US
  media:
    mediaFileUri: s3://media/charted.wav
";

#[tokio::test]
async fn the_operator_works_with_the_rights_of_its_chart_and_no_others() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let plane = ControlPlane::builder().controllers().start().await.unwrap();
    let sim = AwsSim::start(Config {
        run_ms: 500,
        ..Config::default()
    })
    .await
    .unwrap();
    let helm = Helm::new(&plane).unwrap();
    let chart = repository().join("charts/transcribe-operator");
    let chart = chart.to_str().unwrap();
    helm.run(&["lint", "--strict", chart, "--set", "region=eu-west-1"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    let install = [
        "install",
        "transcribe-operator",
        chart,
        "--namespace",
        "transcribe",
        "--create-namespace",
    ];
    let installed = helm
        .run(&[&install[..], &["--set", "region=eu-west-1"]].concat())
        .await
        .unwrap()
        .ok()
        .unwrap();
    assert!(
        installed.stdout.contains("kubectl wait tj/first"),
        "{}",
        installed.stdout
    );

    let typo = helm
        .run(&["template", "t", chart, "--set", "region=eu-west-1,outputBuket=x"])
        .await
        .unwrap();
    assert!(!typo.success && typo.stderr.contains("outputBuket"), "{}", typo.stderr);

    let account = Account::of(&plane, "transcribe", "transcribe-operator").await.unwrap();
    let kubeconfig = plane.kubeconfig_with(&plane.url(), account.token()).unwrap();
    let tenantless = Kubectl::with_kubeconfig(&plane, &kubeconfig).unwrap();
    for forbidden in [["get", "secrets", "-A"], ["create", "tj", "x"], ["get", "pods", "-A"]] {
        let answer = tenantless
            .run(&["auth", "can-i", forbidden[0], forbidden[1]])
            .await
            .unwrap();
        assert!(
            !answer.success && answer.stdout.starts_with("no"),
            "{forbidden:?}: {}",
            answer.stdout
        );
    }

    let stage = Stage::of(plane, sim, account).unwrap();
    let operator = stage
        .operator(env!("CARGO_BIN_EXE_transcribe-operator"))
        .start()
        .unwrap();
    operator.wait_ready().await.unwrap();
    stage.kubectl.apply(JOB).await.unwrap().ok().unwrap();
    stage
        .until_reason("default", "charted", "Finished", "Completed")
        .await
        .unwrap();
    let events = [
        "get",
        "events",
        "--field-selector",
        "involvedObject.name=charted",
        "-o",
        "name",
    ];
    let events = stage.kubectl.run(&events).await.unwrap().ok().unwrap();
    assert!(!events.stdout.is_empty(), "no event was stored");

    let ttl = r#"{"spec":{"ttlSecondsAfterFinished":0}}"#;
    stage
        .kubectl
        .run(&["patch", "tj", "charted", "--type=merge", "-p", ttl])
        .await
        .unwrap()
        .ok()
        .unwrap();
    stage
        .until_gone("default", "charted", Duration::from_secs(20))
        .await
        .unwrap();
    assert!(stage.sim.jobs().is_empty(), "the record is left");
}
