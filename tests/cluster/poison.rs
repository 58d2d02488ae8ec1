//! Poisoned objects: each says what is wrong where it can, can be deleted, and holds up nobody else.
//!
//! The operator of these scenarios is this very program, called with the operator's arguments: the operator as it ships, but
//! for classes that panic, hang or are gone for objects of certain names.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use testkit::aws_sim::Config;
use testkit::operator::Operator;
use testkit::stage::{Stage, condition};
use testkit::wait::{self, Look};
use transcribe_operator::class::{ClassStore, Classes};
use transcribe_operator::config::{Cli, Command};
use transcribe_operator::lifecycle::{Class, Refusal, Subject};
use transcribe_operator::operator::{Clients, run_with};
use transcribe_operator::runtime::telemetry;

use crate::scene::{SHORT_BOUNDS, Tenant, bare, job, message, says};

/// How many jobs are to finish undisturbed.
const HEALTHY: usize = 24;
/// How many objects are worked on at the same time.
const CONCURRENCY: usize = 4;
/// How many objects hang for ever: more than are worked on at the same time, so that the others have a turn only because
/// passes that hang are given up.
const HANGING: usize = CONCURRENCY + 2;
/// After how many seconds a pass that hangs is given up. A healthy one takes far less on a slow machine too, and is only begun
/// anew where it does not.
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
    let operator = stage.operator(program.to_str().context("a path")?).args(SHORT_BOUNDS);
    let operator = operator
        .args([
            "--pass-timeout",
            PASS_TIMEOUT,
            "--concurrency",
            &CONCURRENCY.to_string(),
        ])
        .env("RUST_BACKTRACE", "0")
        .start()?;
    operator.wait_ready().await?;
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
    operator_lives(&tenant).await?;
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

type Poison = (String, &'static str, &'static [&'static str]);

/// Makes objects of every poison, and the healthy ones. Those that the CRD would refuse come in while it is loosened and the
/// operator is stopped, as if an older or a newer one had let them in. It finds all of them together when it goes on.
async fn poison(tenant: &Tenant<'_>, operator: &Operator) -> Result<Vec<Poison>> {
    let panics: &[_] = &["the pass panicked"];
    let hangs: &[_] = &["longer than allowed"];
    let panicking = (0..3).map(|n| (format!("panics-{n}"), "InternalError", panics));
    let hanging = (0..HANGING).map(|n| (format!("hangs-{n}"), "InternalError", hangs));
    let mut made: Vec<Poison> = panicking.chain(hanging).collect();
    let held: Vec<_> = made
        .iter()
        .map(|(name, ..)| &**name)
        .chain(["status-text", "status-submission"])
        .collect();
    tenant
        .apply(&list(held.iter().map(|name| job(name, json!({"suspend": true})))))
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
