//! Poisoned objects: each says what is wrong where it can, can be deleted, and holds up nobody else.
//!
//! The operator of these scenarios is this very program, called with the operator's arguments: the operator as it ships, but
//! for classes that panic, hang or are gone for objects of certain names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use testkit::aws_sim::Config;
use testkit::stage::{Stage, condition};
use tokio::time::{Instant, sleep};
use transcribe_operator::class::{ClassStore, Classes};
use transcribe_operator::config::{Cli, Command};
use transcribe_operator::lifecycle::{Class, Refusal, Subject};
use transcribe_operator::operator::{Clients, run_with};
use transcribe_operator::runtime::telemetry;

use crate::scene::{BOUNDS, PATIENCE, Tenant, bare, job, message, says};

/// How many jobs are to finish undisturbed.
const HEALTHY: usize = 90;
/// After how many seconds a pass that hangs is given up.
const PASS_TIMEOUT: &str = "2";
/// Objects of which the API server stores no status: a rule of the CRD cannot even be evaluated on them.
const UNWRITABLE: [(&str, &str); 2] = [("spec-number", "got int64"), ("spec-text", "expected a map")];

/// Runs the operator with poisoned classes, as another process of this program.
pub fn operator() -> Result<()> {
    let Command::Run(args) = Cli::parse().command else {
        anyhow::bail!("not an operator's arguments");
    };
    telemetry::init(args.log_format, &args.log);
    let classes = |store: Arc<ClassStore>| -> Arc<dyn Classes> { Arc::new(Poisoned(store)) };
    crate::RUNTIME.block_on(async { run_with(*args, Clients::infer().await?, classes, std::future::pending()).await })
}

struct Poisoned(Arc<ClassStore>);

impl Classes for Poisoned {
    fn class_of<'a>(&'a self, job: &'a Subject) -> BoxFuture<'a, Result<Class, Refusal>> {
        async move {
            let named = |poison: &str| job.name.starts_with(poison) && !job.controls.suspend;
            let submitted = job
                .submission()
                .is_some_and(|submission| submission.acknowledged_at.is_some());
            if named("hangs") {
                std::future::pending::<()>().await;
            }
            let poisoned = named("panics") || (named("classless") && submitted);
            assert!(!poisoned, "a poisoned class");
            self.0.class_of(job).await
        }
        .boxed()
    }
}

pub async fn poisoned_objects_say_so_can_be_deleted_and_do_not_hold_up_the_others() -> Result<()> {
    let stage = Stage::start(Config {
        run_ms: 300,
        ..Config::default()
    })
    .await?;
    let program = std::env::current_exe()?;
    let operator = stage.operator(program.to_str().context("a path")?).args(BOUNDS);
    let operator = operator
        .args(["--pass-timeout", PASS_TIMEOUT])
        .env("RUST_BACKTRACE", "0")
        .start()?;
    operator.wait_ready().await?;
    let usual = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "usual").await?
    };
    let tenant = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "poisoned").await?
    };

    let without = all_finish(&usual).await?;
    let poisoned = poison(&tenant, &operator).await?;
    let with = all_finish(&tenant).await?;
    ensure!(
        with < without * 2 + Duration::from_secs(10),
        "{with:?} instead of {without:?}"
    );

    for (name, parts) in UNWRITABLE {
        says(
            &tenant.until_event(name, "InvalidSpec").await?,
            &["correct the spec or delete the object", parts],
        )?;
    }
    for (name, reason, parts) in &poisoned {
        let seen = tenant.until_reason(name, "Stalled", reason).await?;
        says(&message(&seen, "Stalled", "True", reason)?, parts)?;
        message(&seen, "Ready", "False", reason)?;
        says(&tenant.kubectl(&["get", "tj", name]).await?, &[reason])?;
    }
    tokio::time::timeout(PATIENCE, operator_lives(&tenant)).await??;
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
async fn operator_lives(tenant: &Tenant<'_>) -> Result<()> {
    tenant.apply(&job("classless", json!({}))).await?;
    tenant.until_finished("classless", "Completed").await.map(drop)
}

/// Applies the healthy jobs and says how long it takes until all of them are complete.
async fn all_finish(tenant: &Tenant<'_>) -> Result<Duration> {
    let items: Vec<Value> = (0..HEALTHY).map(|n| job(&format!("healthy-{n}"), json!({}))).collect();
    let begun = Instant::now();
    tenant
        .apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}))
        .await?;
    loop {
        let jobs = tenant
            .stage
            .jobs(&tenant.namespace)
            .list(&kube::api::ListParams::default())
            .await?;
        let complete = |job: &Value| condition(job, "Complete").is_some_and(|c| c["status"] == "True");
        let values = jobs.items.into_iter().filter_map(|job| serde_json::to_value(job).ok());
        let finished = values.filter(complete).count();
        if finished == HEALTHY {
            return Ok(begun.elapsed());
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "{finished} of {HEALTHY} are complete after {PATIENCE:?}"
        );
        sleep(Duration::from_millis(300)).await;
    }
}

type Poison = (String, &'static str, &'static [&'static str]);

/// Makes objects of every poison. Those that the CRD would refuse come in while it is loosened and the operator is stopped, as
/// if an older or a newer one had let them in.
async fn poison(tenant: &Tenant<'_>, operator: &testkit::operator::Operator) -> Result<Vec<Poison>> {
    let mut made: Vec<Poison> = Vec::new();
    for n in 0..3 {
        for (kind, part) in [
            ("panics", ["the pass panicked"].as_slice()),
            ("hangs", &["longer than allowed"]),
        ] {
            made.push((format!("{kind}-{n}"), "InternalError", part));
        }
    }
    for (name, ..) in &made {
        tenant.hold(name, json!({})).await?;
    }
    for name in ["status-text", "status-submission"] {
        tenant.hold(name, json!({})).await?;
    }
    operator.stop()?;
    loosen(tenant).await?;
    let media = json!({"mediaFileUri": "s3://media/a.wav"});
    for (name, spec) in [
        ("spec-number", json!({"languageCode": 17, "media": media})),
        ("spec-text", json!("not an object")),
        ("spec-rule", json!({"media": media})),
        (
            "spec-bound",
            json!({"languageCode": "en-US", "media": media, "mediaSampleRateHertz": 1}),
        ),
    ] {
        tenant.apply(&bare(name, &spec)).await?;
    }
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
    operator.cont()?;
    for (name, ..) in &made {
        tenant.resume(name).await?;
    }
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
    let begun = Instant::now();
    while tenant.stage.kubectl.run_with(&args, &probe).await?.success != takes {
        ensure!(begun.elapsed() < PATIENCE, "the CRD does not change");
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
