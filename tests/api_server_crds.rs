//! The CRDs in a real API server.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    reason = "test code"
)]

#[path = "crds/samples.rs"]
mod samples;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use testkit::control_plane::ControlPlane;
use testkit::kubectl::Kubectl;
use transcribe_operator::api::transcription_class::TranscriptionClass;
use transcribe_operator::api::{GROUP, Kind, VERSION, render_crds};

/// The shared control plane with the CRDs, a namespace of its own, and clients for the kind in it and for classes.
struct Server {
    kubectl: Kubectl,
    namespace: String,
    jobs: Api<DynamicObject>,
    classes: Api<DynamicObject>,
}

async fn server() -> Server {
    let plane = ControlPlane::shared().await.unwrap();
    let (kubectl, client) = (Kubectl::new(plane).unwrap(), plane.client().unwrap());
    for (_, yaml) in render_crds().unwrap() {
        let applied = kubectl
            .run_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &yaml)
            .await
            .unwrap()
            .ok()
            .unwrap();
        assert_eq!(applied.stderr, "", "warnings");
    }
    let plurals = Kind::ALL
        .iter()
        .map(|kind| kind.plural())
        .chain(["transcriptionclasses"]);
    for plural in plurals {
        let crds = Api::<CustomResourceDefinition>::all(client.clone());
        let name = format!("{plural}.{GROUP}");
        await_condition(crds, &name, conditions::is_crd_established())
            .await
            .unwrap();
    }
    let namespace = plane.namespace("crds").await.unwrap();
    let jobs = Api::namespaced_with(client.clone(), &namespace, &Kind::TranscriptionJob.resource());
    let class = ApiResource::erase::<TranscriptionClass>(&());
    Server {
        kubectl,
        namespace,
        jobs,
        classes: Api::all_with(client, &class),
    }
}

impl Server {
    async fn kubectl(&self, args: &[&str]) -> String {
        let args = [&["--namespace", &self.namespace], args].concat();
        self.kubectl.run(&args).await.unwrap().ok().unwrap().stdout
    }

    async fn create(&self, name: &str, spec: &Value) -> Result<DynamicObject, Box<Status>> {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "TranscriptionJob", "metadata": {"name": name}, "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        self.jobs.create(&PostParams::default(), &object).await.map_err(refusal)
    }

    async fn create_class(&self, name: &str, spec: &Value) -> Result<DynamicObject, Box<Status>> {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "TranscriptionClass", "metadata": {"name": name}, "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        self.classes
            .create(&PostParams::default(), &object)
            .await
            .map_err(refusal)
    }

    async fn set_status(&self, name: &str, status: Value) -> DynamicObject {
        let patch = Patch::Merge(json!({"status": status}));
        self.jobs
            .patch_status(name, &PatchParams::default(), &patch)
            .await
            .unwrap()
    }

    /// What the server says to this spec in place of the object's: nothing is stored.
    async fn edit(&self, object: &DynamicObject, spec: &Value) -> Result<(), Box<Status>> {
        let mut edited = object.clone();
        edited.data["spec"] = spec.clone();
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        self.jobs
            .replace(object.metadata.name.as_ref().unwrap(), &dry_run, &edited)
            .await
            .map(drop)
            .map_err(refusal)
    }
}

fn refusal(error: kube::Error) -> Box<Status> {
    match error {
        kube::Error::Api(status) => status,
        other => panic!("{other}"),
    }
}

fn frozen(answer: &Result<(), Box<Status>>) -> bool {
    answer
        .as_ref()
        .is_err_and(|status| status.message.contains("spec: Forbidden: the job is submitted"))
}

/// A status with an intent, as the operator writes it.
fn submission() -> Value {
    let time = "2026-01-01T00:00:00.000000Z";
    json!({"submission": {
        "attempt": 1, "jobName": "j", "account": "111122223333", "region": "eu-west-1", "request": {},
        "requestHash": "h", "firstStartedAt": time, "startedAt": time, "outcome": "Sent",
    }})
}

#[tokio::test]
async fn accepts_the_samples_and_gives_them_a_status_that_observed_nothing() {
    let server = server().await;
    for (n, sample) in samples::all().iter().enumerate() {
        let stored = server.create(&format!("sample-{n}"), sample).await.unwrap();
        assert_eq!(stored.data["status"], json!({"observedGeneration": -1}));
        for path in samples::paths(sample) {
            assert_eq!(
                stored.data["spec"].pointer(&path),
                sample.pointer(&path),
                "{path} was pruned or changed"
            );
        }
    }
}

#[tokio::test]
async fn freezes_every_member_but_the_controls_once_submitted() {
    let server = server().await;
    let mutable = [
        "/suspend",
        "/startDeadlineSeconds",
        "/backoffLimit",
        "/ttlSecondsAfterFinished",
    ];
    let mut frozen_changes = 0;
    for (n, sample) in samples::all().iter().enumerate() {
        let open = server.create(&format!("open-{n}"), sample).await.unwrap();
        let name = format!("submitted-{n}");
        server.create(&name, sample).await.unwrap();
        let submitted = server.set_status(&name, submission()).await;
        for path in samples::paths(sample) {
            let removed = (path != "/media").then(|| samples::without(sample, &path));
            for spec in removed.into_iter().chain(samples::edited(sample, &path)) {
                let (before, after) = tokio::join!(server.edit(&open, &spec), server.edit(&submitted, &spec));
                assert!(!frozen(&before), "{path} before: {before:?}");
                let open_to_change = mutable.contains(&path.as_str());
                assert_eq!(after.is_ok(), open_to_change, "{path} after: {after:?}");
                // What the schema itself refuses is not held against the rules.
                let malformed = before.is_err_and(|status| status.message.contains("rules were not checked"));
                assert!(open_to_change || malformed || frozen(&after), "{path} after: {after:?}");
                frozen_changes += usize::from(!open_to_change);
            }
        }
    }
    assert!(frozen_changes > 70, "{frozen_changes}");
}

/// Adding is tried on objects that lack the member. Some lack what the rules ask for, and so are stored as they were
/// before: with another kind of language, or with the whole branch gone.
#[tokio::test]
async fn freezes_additions_once_submitted() {
    let server = server().await;
    let minimal = json!({"languageCode": "en-US", "media": {"mediaFileUri": "s3://media/call.wav"}});
    server.create("open", &minimal).await.unwrap();
    let open = server.jobs.get("open").await.unwrap();
    server.create("submitted", &minimal).await.unwrap();
    let submitted = server.set_status("submitted", submission()).await;
    let controls = [
        "suspend",
        "startDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ];
    let additions = samples::all()
        .into_iter()
        .flat_map(|sample| sample.as_object().unwrap().clone());
    let mut added = 0;
    for (name, value) in additions.filter(|(name, _)| minimal.get(name).is_none()) {
        let mut spec = minimal.clone();
        spec[&name] = value;
        let (before, after) = (server.edit(&open, &spec).await, server.edit(&submitted, &spec).await);
        assert!(!frozen(&before), "{name} before: {before:?}");
        assert_eq!(
            frozen(&after),
            !controls.contains(&name.as_str()),
            "{name} after: {after:?}"
        );
        added += 1;
    }
    assert!(added > 20, "{added}");
}

#[tokio::test]
async fn lets_the_operator_work_on_a_submitted_object() {
    let server = server().await;
    server.create("a", &samples::known_language()).await.unwrap();
    server.set_status("a", submission()).await;
    server
        .set_status("a", json!({"observedGeneration": 1, "jobStatus": "QUEUED"}))
        .await;
    let finalizer =
        Patch::Merge(json!({"metadata": {"finalizers": ["transcribe-operator.io/job"], "labels": {"a": "b"}}}));
    server
        .jobs
        .patch("a", &PatchParams::default(), &finalizer)
        .await
        .unwrap();
    let withdrawn = server.set_status("a", json!({"submission": null})).await;
    let mut spec = samples::known_language();
    spec["outputKey"] = json!("elsewhere/");
    server.edit(&withdrawn, &spec).await.unwrap();
}

#[tokio::test]
async fn refuses_with_the_message_of_the_rule() {
    let server = server().await;
    let minimal = |patch: Value| {
        let mut spec = json!({"languageCode": "en-US", "media": {"mediaFileUri": "s3://media/call.wav"}});
        spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        spec
    };
    let cases = [
        (
            json!({"identifyLanguage": true}),
            "spec: Invalid value: exactly one of languageCode, identifyLanguage: true",
        ),
        (
            json!({"settings": {"showSpeakerLabels": true}}),
            "spec.settings.maxSpeakerLabels: Invalid value: showSpeakerLabels: true and",
        ),
        (
            json!({"encryption": {"kmsKeyId": "alias/aws/s3"}}),
            "must not be an AWS managed key",
        ),
        (
            json!({"encryption": {"context": {"aws:x": "y"}}}),
            "each key must not begin with aws:",
        ),
        (
            json!({"encryption": {"context": {"a\tb": "y"}}}),
            "each key must be printable ASCII",
        ),
        (
            json!({"encryption": {"context": {"a": "x", "A": "y"}}}),
            "keys must differ in more than upper and lower case",
        ),
        (
            json!({"tags": {"transcribe-operator.io/uid": "x"}}),
            "each key must not begin with aws: or transcribe-operator.io/",
        ),
        (
            json!({"media": {"mediaFileUri": "https://media/call.wav"}}),
            "should match '^s3://",
        ),
        (json!({"languageCode": null}), "exactly one of languageCode"),
    ];
    for (patch, expected) in cases {
        let Err(status) = server.create("a", &minimal(patch.clone())).await else {
            panic!("{patch} is accepted")
        };
        let said = status
            .message
            .replace('"', "")
            .replace("Invalid value: object: ", "Invalid value: ");
        assert!(said.contains(expected), "{patch}: {said}");
    }
}

#[tokio::test]
async fn teaches_with_explain_short_name_and_category() {
    let server = server().await;
    let explained = server.kubectl(&["explain", "tj.spec.encryption"]).await;
    for word in ["kmsKeyId", "context", "OutputEncryptionKMSKeyId", "CloudTrail"] {
        assert!(explained.contains(word), "{word}: {explained}");
    }
    assert!(
        server
            .kubectl(&["explain", "tj"])
            .await
            .contains("One batch job of Amazon Transcribe")
    );
    server.create("standup", &samples::identified_language()).await.unwrap();
    for resource in ["tj", "transcriptionjob", "transcriptionjobs", "transcribe"] {
        assert!(
            server.kubectl(&["get", resource]).await.contains("standup"),
            "{resource}"
        );
    }
}

#[tokio::test]
async fn shows_its_columns_in_120_characters() {
    let server = server().await;
    let name = "earnings-call-2026-q1-emea-english";
    server.create(name, &samples::known_language()).await.unwrap();
    let mut status = submission();
    let condition = json!({
        "type": "Ready", "status": "False", "reason": "StartDeadlineExceeded", "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
    });
    let more = json!({
        "conditions": [condition], "duration": "1h02m03s", "languageCode": "en-US", "jobName": "the-job",
        "class": {"name": "finance-production", "region": "eu-west-1"},
        "encryption": {"mode": "SSE-KMS", "kmsKeyArn": "the-key"}, "output": {"transcriptUri": "the-transcript"},
    });
    status
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    server.set_status(name, status).await;
    let table = server.kubectl(&["get", "tj"]).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "STATUS", "CLASS", "DURATION", "AGE"], "{table}");
    assert_eq!(
        lines[1][..4],
        [name, "StartDeadlineExceeded", "finance-production", "1h02m03s"],
        "{table}"
    );
    assert!(table.lines().all(|line| line.len() <= 120), "{table}");
    let wide = server.kubectl(&["get", "tj", "-o", "wide"]).await;
    let lines: Vec<Vec<&str>> = wide.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][5..], ["LANGUAGE", "KEY", "JOB", "TRANSCRIPT"], "{wide}");
    assert_eq!(
        lines[1][5..],
        ["en-US", "the-key", "the-job", "the-transcript"],
        "{wide}"
    );
}

#[tokio::test]
async fn takes_every_example() {
    let server = server().await;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let file = entry.unwrap().path();
        let dry_run = ["apply", "--dry-run=server", "--validate=strict", "-f"];
        let said = server
            .kubectl(&[&dry_run[..], &[file.to_str().unwrap()]].concat())
            .await;
        assert!(said.contains("created (server dry run)"), "{said}");
    }
}

#[tokio::test]
async fn stores_a_class_and_keeps_its_region_and_account() {
    let server = server().await;
    let stored = server.create_class("kept", &samples::class()).await.unwrap();
    assert_eq!(stored.data["spec"], samples::class(), "pruned or changed");
    server
        .create_class("least", &json!({"region": "eu-west-1"}))
        .await
        .unwrap();
    let change = async |name: &str, change: Value| {
        let patch = Patch::Merge(json!({"spec": change}));
        let changed = server.classes.patch(name, &PatchParams::default(), &patch).await;
        changed.map(drop).map_err(|error| refusal(error).message)
    };
    let role = |account: &str| json!({"identity": {"roleArn": format!("arn:aws:iam::{account}:role/other")}});
    for (name, changed, says) in [
        (
            "kept",
            json!({"region": "eu-central-1"}),
            "the Region of a class cannot change",
        ),
        ("kept", role("444455556666"), "the AWS account of a class cannot change"),
        (
            "kept",
            json!({"identity": null}),
            "the AWS account of a class cannot change",
        ),
        (
            "least",
            role("111122223333"),
            "the AWS account of a class cannot change",
        ),
    ] {
        let told = change(name, changed.clone()).await.unwrap_err();
        assert!(told.contains(says), "{name} {changed}: {told}");
    }
    for changed in [
        role("111122223333"),
        json!({"identity": {"externalId": null}, "tags": {"a": "b"}, "namespaceSelector": null, "encryption": null}),
    ] {
        change("kept", changed).await.unwrap();
    }
    // Status and finalizers are written whatever the class says.
    let status = Patch::Merge(json!({"status": {"accountId": "111122223333", "jobs": {"waiting": 0, "running": 1}}}));
    server
        .classes
        .patch_status("kept", &PatchParams::default(), &status)
        .await
        .unwrap();
}

#[tokio::test]
async fn refuses_a_wrong_class_and_says_why() {
    let server = server().await;
    for (n, (change, field, _)) in samples::refused_classes().into_iter().enumerate() {
        let spec = samples::merged(&samples::class(), &change);
        let Err(status) = server.create_class(&format!("wrong-{n}"), &spec).await else {
            panic!("{change} is accepted")
        };
        let near = field.trim_end_matches("[0]").trim_end_matches(".a");
        assert!(status.message.contains(near), "{change}: {}", status.message);
    }
}

#[tokio::test]
async fn teaches_classes_with_explain_short_name_and_columns() {
    let server = server().await;
    server.create_class("shown", &samples::class()).await.unwrap();
    for (place, words) in [
        ("tcls", ["tenants name the class", "TranscriptionClass"]),
        (
            "tcls.spec",
            ["fails closed", "None when omitted; every one when empty ({})"],
        ),
        ("tcls.spec.input", ["at or below these URIs", "Nothing when omitted"]),
        (
            "tcls.spec.encryption",
            ["written out as an ARN", "can neither override nor shadow one"],
        ),
    ] {
        let explained = server.kubectl(&["explain", place]).await;
        let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.iter().all(|words| explained.contains(words)),
            "{place}: {explained}"
        );
    }
    let table = server.kubectl(&["get", "tcls", "shown", "-o", "wide"]).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        ["NAME", "REGION", "ACCOUNT", "READY", "STATUS", "RUNNING", "AGE", "ROLE"],
        "{table}"
    );
    assert_eq!(lines[1][..2], ["shown", "eu-west-1"], "{table}");
    assert!(server.kubectl(&["get", "transcribe"]).await.contains("shown"));
}
