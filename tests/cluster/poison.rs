//! Poisoned objects: each says what is wrong where it can, can be deleted, and holds up nobody else.
//!
//! An object hangs because AWS STS never answers for the role of its class, and a reconcile may take less time here than the
//! operator waits for that answer. That a reconcile which panics is contained too is a unit test of the controller.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::aws_sim::{Config, FaultRule, What, When};
use testkit::operator::Operator;
use testkit::stage::{REGION, Stage, condition};
use testkit::wait::{self, Look};

use crate::scene::{PROGRAM, SHORT_BOUNDS, Tenant, bare, job, message, says};

/// How many jobs are to finish undisturbed.
const HEALTHY: usize = 24;
/// How many objects are worked on at the same time.
const CONCURRENCY: usize = 4;
/// How many objects hang for ever: more than are worked on at the same time, so that the others have a turn only because
/// reconciles that hang are given up.
const HANGING: usize = CONCURRENCY + 2;
/// The class of the objects that hang.
const HANGING_CLASS: &str = "hanging";
/// When a reconcile that hangs is given up. A healthy one takes far less on a slow machine too, and is only begun
/// anew where it does not.
const RECONCILE_TIMEOUT: &str = "2s";
/// Objects of which the API server stores no status: a rule of the CRD cannot even be evaluated on them.
const UNWRITABLE: [(&str, &str); 2] = [("spec-number", "got int64"), ("spec-text", "expected a map")];

pub async fn poisoned_objects_say_so_can_be_deleted_and_do_not_hold_up_the_others() -> Result<()> {
    let stage = Stage::start(Config {
        run_ms: 300,
        ..Config::default()
    })
    .await?;
    stage
        .sim
        .fault(FaultRule::next("AssumeRole", When::Before, What::BlackHole).always());
    let operator = stage.operator(PROGRAM).args(SHORT_BOUNDS);
    let operator = operator
        .args([
            "--reconcile-timeout",
            RECONCILE_TIMEOUT,
            "--concurrency",
            &CONCURRENCY.to_string(),
        ])
        .env("RUST_BACKTRACE", "0")
        .start()?;
    operator.wait_ready().await?;
    // After the default class, which is made only where there is no other.
    stage.class(HANGING_CLASS, false, &hanging_class()).await?;
    let tenant = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "poisoned").await?
    };

    let poisoned = poison(&tenant, &operator).await?;
    all_finish(&tenant).await?;

    for (name, parts) in UNWRITABLE {
        says(
            &tenant.until_told(name, "InvalidSpec").await?,
            &["correct the spec or delete the object", parts],
        )?;
    }
    for (name, reason, parts) in &poisoned {
        let seen = tenant.until_reason(name, "Stalled", reason).await?;
        says(&message(&seen, "Stalled", "True", reason)?, parts)?;
        message(&seen, "Ready", "False", reason)?;
        says(&tenant.kubectl(&["get", "tj", name]).await?, &[reason])?;
    }
    still_runs(&tenant).await?;
    let all = poisoned
        .iter()
        .map(|(name, ..)| &**name)
        .chain(UNWRITABLE.map(|(name, _)| name));
    for name in all.clone() {
        tenant.delete(name).await?;
    }
    for name in all {
        tenant.until_gone(name).await?;
    }
    assert_eq!(operator.exited()?, None, "one process lived through all of it");
    Ok(())
}

/// A new job still runs.
async fn still_runs(tenant: &Tenant<'_>) -> Result<()> {
    tenant.apply(&job("another", json!({}))).await?;
    tenant.until_finished("another", "Completed").await.map(drop)
}

/// Waits until all healthy jobs are complete. Each one is progress.
async fn all_finish(tenant: &Tenant<'_>) -> Result<()> {
    let jobs = tenant.stage.jobs(&tenant.namespace);
    let log = || tenant.operator.map(Operator::log_tail).unwrap_or_default();
    wait::until("the healthy jobs are complete", async || {
        let all = jobs.list(&kube::api::ListParams::default()).await?;
        let complete = |job: &Value| condition(job, "Complete").is_some_and(|c| c["status"] == "True");
        let values = all.items.into_iter().filter_map(|job| serde_json::to_value(job).ok());
        let finished = values.filter(complete).count();
        Ok(Look::at(finished == HEALTHY, format!("{finished} of {HEALTHY}")))
    })
    .await
    .with_context(log)
}

/// A manifest of several objects.
fn list(items: impl IntoIterator<Item = Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items.into_iter().collect::<Vec<_>>()})
}

/// A class whose role AWS STS never gives.
fn hanging_class() -> Value {
    json!({
        "region": REGION,
        "identity": {"roleArn": "arn:aws:iam::111122223333:role/never"},
        "namespaceSelector": {},
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "transcripts"},
    })
}

/// The spec of an object that is held back.
fn held_spec(name: &str) -> Value {
    if name.starts_with("hangs") {
        json!({"suspend": true, "transcriptionClassName": HANGING_CLASS})
    } else {
        json!({"suspend": true})
    }
}

type Poison = (String, &'static str, &'static [&'static str]);

/// Makes objects of every poison, and the healthy ones. Those that the CRD would refuse come in while it is loosened and the
/// operator is stopped, as if an older or a newer one had let them in. It finds all of them together when it goes on.
async fn poison(tenant: &Tenant<'_>, operator: &Operator) -> Result<Vec<Poison>> {
    let hangs: &[_] = &["longer than allowed"];
    let mut made: Vec<Poison> = (0..HANGING)
        .map(|n| (format!("hangs-{n}"), "InternalError", hangs))
        .collect();
    let held: Vec<_> = made
        .iter()
        .map(|(name, ..)| &**name)
        .chain(["status-text", "status-submission"])
        .collect();
    tenant
        .apply(&list(held.iter().map(|name| job(name, held_spec(name)))))
        .await?;
    for name in held {
        tenant.until_reason(name, "Ready", "Suspended").await?;
    }
    operator.stop()?;
    loosen(tenant).await?;
    let media = json!({"mediaFileUri": "s3://media/a.wav"});
    let specs = [
        ("spec-number", json!({"languageCode": 17, "media": media})),
        ("spec-text", json!("not an object")),
        ("spec-rule", json!({"media": media})),
        (
            "spec-bound",
            json!({"languageCode": "en-US", "media": media, "mediaSampleRateHertz": 1}),
        ),
    ];
    tenant
        .apply(&list(specs.iter().map(|(name, spec)| bare(name, spec))))
        .await?;
    for (name, status) in [
        ("status-text", json!({"attempts": "many"})),
        (
            "status-submission",
            json!({"submission": {"attempt": "first", "outcome": "Sent"}}),
        ),
    ] {
        let patch = json!({"status": status}).to_string();
        tenant
            .kubectl(&[
                "patch",
                "tj",
                name,
                "--subresource=status",
                "--type=merge",
                "-p",
                &patch,
            ])
            .await?;
    }
    tenant.stage.install_crds().await?;
    until(tenant, false).await?;
    for (name, ..) in &made {
        tenant.edit_now(name, json!({"suspend": false})).await?;
    }
    tenant
        .apply(&list((0..HEALTHY).map(|n| job(&format!("healthy-{n}"), json!({})))))
        .await?;
    operator.cont()?;
    made.extend([
        (
            "spec-rule".to_owned(),
            "InvalidSpec",
            ["exactly one of languageCode"].as_slice(),
        ),
        ("spec-bound".to_owned(), "InvalidSpec", &["spec.mediaSampleRateHertz"]),
        (
            "status-text".to_owned(),
            "Unreadable",
            &["status.attempts", "--subresource=status"],
        ),
        (
            "status-submission".to_owned(),
            "Unreadable",
            &["status.submission.attempt"],
        ),
    ]);
    Ok(made)
}

/// Puts a CRD in place that takes anything.
async fn loosen(tenant: &Tenant<'_>) -> Result<()> {
    let crd = transcribe_operator::api::crds().into_iter().next().context("a CRD")?;
    let mut crd = serde_json::to_value(crd)?;
    let anything = json!({"x-kubernetes-preserve-unknown-fields": true});
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "properties": {"spec": anything, "status": anything}});
    let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    tenant.stage.kubectl.run_with(&args, &crd.to_string()).await?.ok()?;
    until(tenant, true).await
}

/// Waits until the API server takes, or refuses, what no real CRD would take.
async fn until(tenant: &Tenant<'_>, takes: bool) -> Result<()> {
    let probe = bare("probe", &json!(17)).to_string();
    let args = [
        "--namespace",
        &tenant.namespace,
        "create",
        "--dry-run=server",
        "--validate=false",
        "-f",
        "-",
    ];
    wait::until("the CRD changes", async || {
        let seen = tenant.stage.kubectl.run_with(&args, &probe).await?;
        Ok(Look::at(seen.success == takes, seen.stderr))
    })
    .await
}
