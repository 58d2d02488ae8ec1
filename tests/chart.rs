//! The chart: linted, rendered and installed by the real helm, and the operator run with exactly the rights that it gives.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use testkit::aws_sim::{AwsSim, Config};
use testkit::control_plane::ControlPlane;
use testkit::install::{Install, NAMESPACE, RELEASE, chart};
use testkit::kubectl::{Helm, Kubectl};
use testkit::stage::Stage;

const JOB: &str = "apiVersion: transcribe-operator.io/v1alpha1
kind: TranscriptionJob
metadata:
  name: charted
spec:
  languageCode: en-US
  media:
    mediaFileUri: s3://media/charted.wav
  encryption:
    kmsKeyId: alias/ExampleAlias
    context: {department: finance}
";

/// Values that go together.
const RENDERINGS: &[&[&str]] = &[
    &[],
    &[
        "defaultClass.outputBucket=my-transcripts",
        "defaultClass.defaultKmsKey=alias/ExampleAlias",
        "defaultClass.addedContext.team=a b",
        "clusterId=c1",
    ],
    &["webhook.url=https://operator.example:9443/validate"],
    &[
        "webhook.enabled=false",
        "tenantRoles.create=false",
        "crds.enabled=false",
    ],
    &[
        "webhook.certificateSecret=kept-by-others",
        "webhook.caBundle=LS0tCg==",
        "tenantRoles.aggregate=false",
    ],
    &[
        "defaultClass.keyAccounts={111122223333}",
        "defaultClass.dataAccessRoles={arn:aws:iam::111122223333:role/reader}",
        "extraArgs={--concurrency=4}",
    ],
];

/// An account id is a text of digits, and `--set` would make a number of it.
fn set(value: &str) -> &'static str {
    if value.starts_with("defaultClass.keyAccounts") {
        "--set-string"
    } else {
        "--set"
    }
}

#[tokio::test]
async fn every_rendering_is_what_the_api_server_takes() {
    let plane = ControlPlane::builder().start().await.unwrap();
    let (kubectl, helm, chart) = (
        Kubectl::new(&plane).unwrap(),
        Helm::new(&plane).unwrap(),
        chart().unwrap(),
    );
    for values in RENDERINGS {
        let region = ["defaultClass.region=eu-west-1"];
        let sets: Vec<&str> = region
            .iter()
            .chain(*values)
            .flat_map(|value| [set(value), value])
            .collect();
        helm.run(&[&["lint", "--strict", &chart], &sets[..]].concat())
            .await
            .unwrap()
            .ok()
            .unwrap();
        let template = ["template", RELEASE, &chart, "--namespace", "default"];
        let rendered = helm
            .run(&[&template[..], &sets].concat())
            .await
            .unwrap()
            .ok()
            .unwrap()
            .stdout;
        assert!(
            values.iter().any(|value| value.contains("caBundle")) || !rendered.contains("caBundle:"),
            "{values:?}"
        );
        let apply = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        let accepted = kubectl.run_with(&apply, &rendered).await.unwrap();
        assert!(accepted.success, "{values:?}: {}", accepted.stderr);
    }
}

#[tokio::test]
async fn a_value_that_is_misspelt_or_impossible_is_refused_by_its_name() {
    let plane = ControlPlane::builder().start().await.unwrap();
    let (helm, chart) = (Helm::new(&plane).unwrap(), chart().unwrap());
    for (value, named) in [
        ("outputBuket=x", "outputBuket"),
        ("webhook.uri=https://a/validate", "uri"),
        ("webhook.url=http://a/validate", "/webhook/url"),
        ("webhook.failurePolicy=Maybe", "/webhook/failurePolicy"),
        ("defaultClass.region=nowhere", "/defaultClass/region"),
        ("defaultClass.keyAccounts={12}", "/keyAccounts/0"),
        ("tenantRoles.agregate=true", "agregate"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
    ] {
        let refused = helm
            .run(&[
                "template",
                "t",
                &chart,
                "--set",
                "defaultClass.region=eu-west-1",
                "--set",
                value,
            ])
            .await
            .unwrap();
        assert!(
            !refused.success && refused.stderr.contains(named),
            "{value}: {}",
            refused.stderr
        );
    }
}

#[tokio::test]
async fn the_operator_works_with_the_rights_of_its_chart_and_no_others() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let plane = ControlPlane::builder().controllers().start().await.unwrap();
    let config = Config {
        run_ms: 500,
        ..Config::default()
    };
    let sim = AwsSim::start(config).await.unwrap();
    let install = Install::new(&plane, &["defaultClass.outputBucket=charted-transcripts"])
        .await
        .unwrap();
    assert!(install.notes.contains("kubectl wait tj/first"), "{}", install.notes);

    let kubeconfig = plane.kubeconfig_with(&plane.url(), install.account.token()).unwrap();
    let operator = Kubectl::with_kubeconfig(&plane, &kubeconfig).unwrap();
    for forbidden in [
        &["get", "secrets", "-A"][..],
        &["get", "secret/another", "-n", NAMESPACE],
        &["create", "tj"],
        &["update", "tj"],
        &["get", "pods", "-A"],
        &["update", "tcls"],
        &["delete", "tcls"],
        &["patch", "namespaces"],
        &["patch", "validatingwebhookconfigurations/another"],
        &["create", "validatingwebhookconfigurations"],
    ] {
        assert_eq!(can(&operator, forbidden, &[]).await, "no", "{forbidden:?}");
    }

    let stage = Stage::of(plane, sim, install.account.clone()).unwrap();
    let operator = install
        .operator(env!("CARGO_BIN_EXE_transcribe-operator"), stage.sim.url())
        .args(["--poll-interval", "300ms"])
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
    let patched = stage
        .kubectl
        .run(&["patch", "tj", "charted", "--type=merge", "-p", ttl])
        .await
        .unwrap();
    patched.ok().unwrap();
    stage.until_gone("default", "charted").await.unwrap();
    assert!(stage.sim.jobs().is_empty(), "the record is left");
}

#[tokio::test]
async fn tenants_may_edit_or_view_jobs_and_never_their_status() {
    let plane = ControlPlane::builder().controllers().start().await.unwrap();
    let kubectl = Kubectl::new(&plane).unwrap();
    Install::new(&plane, &[]).await.unwrap();
    for role in ["edit", "view"] {
        let bind = [
            "create",
            "rolebinding",
            role,
            &format!("--clusterrole={RELEASE}-jobs-{role}"),
            &format!("--user={role}er"),
        ];
        kubectl.run(&bind).await.unwrap().ok().unwrap();
    }
    for (user, verb, resource, answer) in [
        ("editer", "create", "transcriptionjobs", "yes"),
        ("editer", "create", "medicaltranscriptionjobs", "yes"),
        ("editer", "create", "callanalyticsjobs", "yes"),
        ("editer", "create", "medicalscribejobs", "yes"),
        ("editer", "update", "medicalscribejobs/status", "no"),
        ("editer", "deletecollection", "transcriptionjobs", "yes"),
        ("editer", "patch", "transcriptionjobs/status", "no"),
        ("editer", "update", "transcriptionjobs/status", "no"),
        ("editer", "update", "transcriptionjobs/finalizers", "no"),
        ("editer", "get", "secrets", "no"),
        ("editer", "get", "transcriptionclasses", "no"),
        ("viewer", "list", "transcriptionclasses", "no"),
        ("viewer", "watch", "transcriptionjobs", "yes"),
        ("viewer", "create", "transcriptionjobs", "no"),
        ("viewer", "patch", "transcriptionjobs", "no"),
        ("viewer", "delete", "transcriptionjobs", "no"),
    ] {
        let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let what = [
            verb,
            &format!("{resource}.transcribe-operator.io"),
            &format!("--subresource={sub}"),
        ];
        let plain = if resource == "secrets" {
            ["get", "secrets", "-ndefault"]
        } else {
            what
        };
        assert_eq!(
            can(&kubectl, &plain, &[&format!("--as={user}")]).await,
            answer,
            "{user} {verb} {resource} {sub}"
        );
    }
}

async fn can(kubectl: &Kubectl, what: &[&str], who: &[&str]) -> String {
    let answer = kubectl.run(&[&["auth", "can-i"], what, who].concat()).await.unwrap();
    answer.stdout.lines().next().unwrap_or_default().to_owned()
}
