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
use testkit::wait;
use transcribe_operator::api::{GROUP, Kind, VERSION, render_crds, transcription_class::TranscriptionClass};

/// The shared control plane with the CRDs, and a namespace of its own.
struct Server {
    kubectl: Kubectl,
    namespace: String,
    client: kube::Client,
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
        let established = await_condition(crds, &name, conditions::is_crd_established());
        wait::on("the CRD is established", established).await.unwrap().unwrap();
    }
    let namespace = plane.namespace("crds").await.unwrap();
    Server {
        kubectl,
        namespace,
        client,
    }
}

impl Server {
    async fn kubectl(&self, args: &[&str]) -> String {
        let args = [&["--namespace", &self.namespace], args].concat();
        self.kubectl.run(&args).await.unwrap().ok().unwrap().stdout
    }

    fn classes(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &ApiResource::erase::<TranscriptionClass>(&()))
    }

    fn jobs(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }

    async fn create_class(&self, name: &str, spec: &Value) -> Result<DynamicObject, Box<Status>> {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "TranscriptionClass", "metadata": {"name": name}, "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        self.classes()
            .create(&PostParams::default(), &object)
            .await
            .map_err(refusal)
    }

    async fn create(&self, kind: Kind, name: &str, spec: &Value) -> Result<DynamicObject, Box<Status>> {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind.name(), "metadata": {"name": name}, "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        let created = self.jobs(kind).create(&PostParams::default(), &object).await;
        created.map_err(refusal)
    }

    async fn set_status(&self, kind: Kind, name: &str, status: Value) -> DynamicObject {
        let patch = Patch::Merge(json!({"status": status}));
        let written = self
            .jobs(kind)
            .patch_status(name, &PatchParams::default(), &patch)
            .await;
        written.unwrap()
    }

    /// What the server says to this spec in place of the object's: nothing is stored.
    async fn edit(&self, kind: Kind, object: &DynamicObject, spec: &Value) -> Result<(), Box<Status>> {
        let mut edited = object.clone();
        edited.data["spec"] = spec.clone();
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let name = object.metadata.name.as_ref().unwrap();
        let answer = self.jobs(kind).replace(name, &dry_run, &edited).await;
        answer.map(drop).map_err(refusal)
    }
}

const TJ: Kind = Kind::TranscriptionJob;

/// Every sample with its kind and a name.
fn samples() -> impl Iterator<Item = (Kind, String, Value)> {
    Kind::ALL.iter().flat_map(|kind| {
        let samples = samples::all(*kind).into_iter().enumerate();
        samples.map(|(n, sample)| (*kind, format!("sample-{n}"), sample))
    })
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
    for (kind, name, sample) in samples() {
        let stored = server.create(kind, &name, &sample).await.unwrap();
        assert_eq!(stored.data["status"], json!({"observedGeneration": -1}));
        for path in samples::paths(&sample) {
            assert_eq!(
                stored.data["spec"].pointer(&path),
                sample.pointer(&path),
                "{kind} {path} was pruned or changed"
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
    for (kind, name, sample) in samples() {
        let open = server.create(kind, &format!("open-{name}"), &sample).await.unwrap();
        server.create(kind, &name, &sample).await.unwrap();
        let submitted = server.set_status(kind, &name, submission()).await;
        for path in samples::paths(&sample) {
            let removed = (path != "/media").then(|| samples::without(&sample, &path));
            for spec in removed.into_iter().chain(samples::edited(&sample, &path)) {
                let (before, after) =
                    tokio::join!(server.edit(kind, &open, &spec), server.edit(kind, &submitted, &spec));
                assert!(!frozen(&before), "{kind} {path} before: {before:?}");
                let open_to_change = mutable.contains(&path.as_str());
                assert_eq!(after.is_ok(), open_to_change, "{kind} {path} after: {after:?}");
                // What the schema itself refuses is not held against the rules.
                let malformed = before.is_err_and(|status| status.message.contains("rules were not checked"));
                assert!(
                    open_to_change || malformed || frozen(&after),
                    "{kind} {path} after: {after:?}"
                );
                frozen_changes += usize::from(!open_to_change);
            }
        }
    }
    assert!(frozen_changes > 200, "{frozen_changes}");
}

/// Adding is tried on objects that lack the member. Some lack what the rules ask for, and so are stored as they were
/// before: with another kind of language, or with the whole branch gone.
#[tokio::test]
async fn freezes_additions_once_submitted() {
    let server = server().await;
    let controls = [
        "suspend",
        "startDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ];
    let mut added = 0;
    for kind in Kind::ALL.iter().copied() {
        let minimal = samples::minimal(kind);
        let open = server.create(kind, "open", &minimal).await.unwrap();
        server.create(kind, "submitted", &minimal).await.unwrap();
        let submitted = server.set_status(kind, "submitted", submission()).await;
        let samples = samples::all(kind).into_iter();
        let additions = samples.flat_map(|sample| sample.as_object().unwrap().clone());
        for (name, value) in additions.filter(|(name, _)| minimal.get(name).is_none()) {
            let mut spec = minimal.clone();
            spec[&name] = value;
            let before = server.edit(kind, &open, &spec).await;
            let after = server.edit(kind, &submitted, &spec).await;
            assert!(!frozen(&before), "{kind} {name} before: {before:?}");
            let mutable = controls.contains(&name.as_str());
            assert_eq!(frozen(&after), !mutable, "{kind} {name} after: {after:?}");
            added += 1;
        }
    }
    assert!(added > 50, "{added}");
}

#[tokio::test]
async fn lets_the_operator_work_on_a_submitted_object() {
    let server = server().await;
    server.create(TJ, "a", &samples::all(TJ)[0]).await.unwrap();
    server.set_status(TJ, "a", submission()).await;
    server
        .set_status(TJ, "a", json!({"observedGeneration": 1, "jobStatus": "QUEUED"}))
        .await;
    let finalizer =
        Patch::Merge(json!({"metadata": {"finalizers": ["transcribe-operator.io/job"], "labels": {"a": "b"}}}));
    server
        .jobs(TJ)
        .patch("a", &PatchParams::default(), &finalizer)
        .await
        .unwrap();
    let withdrawn = server.set_status(TJ, "a", json!({"submission": null})).await;
    let mut spec = samples::all(TJ)[0].clone();
    spec["outputKey"] = json!("elsewhere/");
    server.edit(TJ, &withdrawn, &spec).await.unwrap();
}

#[tokio::test]
async fn refuses_with_the_message_of_the_rule() {
    let server = server().await;
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
    let of_the_others = [
        (
            Kind::MedicalTranscriptionJob,
            json!({"languageCode": "de-DE"}),
            "spec.languageCode: Invalid value: medical transcription knows en-US only",
        ),
        (
            Kind::MedicalTranscriptionJob,
            json!({"specialty": "CARDIOLOGY"}),
            "spec.specialty: Unsupported value: CARDIOLOGY: supported values: PRIMARYCARE",
        ),
        (
            Kind::CallAnalyticsJob,
            json!({"encryption": {"kmsKeyId": "alias/a", "context": {"a": "b"}}}),
            "spec.encryption.context: Invalid value: StartCallAnalyticsJob has no parameter",
        ),
        (
            Kind::CallAnalyticsJob,
            json!({"outputLocation": "s3://bucket/folder"}),
            "must end in a slash when it is a folder",
        ),
        (
            Kind::CallAnalyticsJob,
            json!({"channelDefinitions": [{"channelId": 0}, {"channelId": 0}]}),
            "spec.channelDefinitions: Invalid value: the two definitions must be of different channels",
        ),
        (
            Kind::MedicalScribeJob,
            json!({"settings": {}}),
            "spec.settings: Invalid value: exactly one of showSpeakerLabels: true and channelIdentification: true",
        ),
        (
            Kind::MedicalScribeJob,
            json!({"settings": {"channelIdentification": true}}),
            "spec.channelDefinitions: Invalid value: channelDefinitions and settings.channelIdentification: true",
        ),
    ];
    let cases = cases.map(|(patch, expected)| (TJ, patch, expected));
    for (kind, patch, expected) in cases.into_iter().chain(of_the_others) {
        let mut spec = samples::minimal(kind);
        spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let Err(status) = server.create(kind, "refused", &spec).await else {
            panic!("{kind} {patch} is accepted")
        };
        let said = status
            .message
            .replace('"', "")
            .replace("Invalid value: object: ", "Invalid value: ");
        assert!(said.contains(expected), "{kind} {patch}: {said}");
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
    let explained = server.kubectl(&["explain", "caj.spec.encryption"]).await;
    assert!(explained.contains("none for a CallAnalyticsJob"), "{explained}");
    for (kind, short) in Kind::ALL.iter().zip(["tj", "mtj", "caj", "msj"]) {
        let name = format!("the-{short}");
        server.create(*kind, &name, &samples::minimal(*kind)).await.unwrap();
        for resource in [short, &kind.name().to_lowercase(), kind.plural(), "transcribe"] {
            let table = server.kubectl(&["get", resource]).await;
            assert!(table.contains(&name), "{resource}: {table}");
        }
    }
}

#[tokio::test]
async fn shows_its_columns_in_120_characters() {
    let server = server().await;
    let name = "earnings-call-2026-q1-emea-english";
    server.create(TJ, name, &samples::all(TJ)[0]).await.unwrap();
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
    server.set_status(TJ, name, status).await;
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
        let changed = server.classes().patch(name, &PatchParams::default(), &patch).await;
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
        .classes()
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
        ("tcls", ["A job only names its class", "TranscriptionClass"]),
        ("tcls.spec", ["fails closed", "No namespace when omitted"]),
        ("tcls.spec.input", ["at or below them", "Nothing when omitted"]),
        (
            "tcls.spec.encryption",
            ["as an ARN", "can neither override nor shadow them"],
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
    // Tenants, who may not read classes, ask for the category.
    assert!(!server.kubectl(&["get", "transcribe"]).await.contains("shown"));
}
