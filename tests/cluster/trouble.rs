//! Trouble on the operator's side: other credentials, a wrong clock, an AWS that cannot be reached.

use anyhow::{Context as _, Result};
use serde_json::json;
use testkit::aws_sim::{Config, FaultRule, What, When};
use testkit::stage::{BUCKET, REGION, Stage};

use crate::scene::{PROGRAM, SHORT_BOUNDS, Scene, Tenant, eventually, job, message, operator, says};

/// The access key of the stage's operators, and one of another account.
const OURS: &str = "AKIAIOSFODNN7EXAMPLE";
const THEIRS: &str = "AKIAI44QH8DHBEXAMPLE";

pub async fn with_credentials_of_another_account_nothing_is_lost_and_with_the_right_ones_it_goes_on() -> Result<()> {
    let accounts = [(OURS, "111122223333"), (THEIRS, "444455556666")];
    let config = Config {
        run_ms: 3_600_000,
        accounts: accounts
            .map(|(key, account)| (key.to_owned(), account.to_owned()))
            .into(),
        ..Config::default()
    };
    let stage = Stage::start(config).await?;
    let tenant = Tenant::of(&stage, "identity").await?;
    let operator = operator(&stage).start()?;
    operator.wait_ready().await?;
    tenant.apply(&job("job", json!({}))).await?;
    let seen = tenant.until_reason("job", "Ready", "InProgress").await?;
    let uid = seen["metadata"]["uid"].as_str().context("a uid")?;
    operator.terminate()?;
    operator.wait().await?;

    let wrong = crate::scene::operator(&stage)
        .env("AWS_ACCESS_KEY_ID", THEIRS)
        .start()?;
    let seen = tenant.until_reason("job", "Ready", "IdentityChanged").await?;
    says(
        &message(&seen, "Reconciling", "True", "IdentityChanged")?,
        &["account 111122223333", REGION, "444455556666", "cannot be looked up"],
    )?;
    tenant.look_now("job", "1").await?;
    let seen = tenant
        .until("job", |seen| seen["status"]["lastHandledReconcileAt"] == "1")
        .await?;
    message(&seen, "Ready", "False", "IdentityChanged")?;
    assert_eq!(
        stage.sim.called("GetTranscriptionJob"),
        0,
        "the record is not looked for in the wrong account"
    );
    drop(wrong);

    operator.restart()?;
    tenant.until_reason("job", "Ready", "InProgress").await?;
    stage.sim.finish_all();
    tenant.until_finished("job", "Completed").await?;
    assert_eq!(tenant.starts(uid).len(), 1);
    Ok(())
}

pub async fn with_a_wrong_clock_nothing_is_submitted_and_with_the_right_one_it_is() -> Result<()> {
    let config = Config {
        clock_offset_ms: 60_000,
        ..Config::default()
    };
    let scene = Scene::start(config, &[]).await?;
    let tenant = scene.tenant("skew").await?;
    tenant.apply(&job("job", json!({}))).await?;
    let seen = tenant.until_reason("job", "Ready", "ClockSkew").await?;
    says(
        &message(&seen, "Reconciling", "True", "ClockSkew")?,
        &["clock", "must happen once"],
    )?;
    assert_eq!(tenant.sim().called("StartTranscriptionJob"), 0);
    tenant.sim().set_config(|config| config.clock_offset_ms = 0);
    tenant.until_finished("job", "Completed").await?;
    assert_eq!(tenant.starts(&tenant.uid("job").await?).len(), 1);
    Ok(())
}

pub async fn while_aws_cannot_be_reached_jobs_wait_and_say_so_and_then_run_once() -> Result<()> {
    let stage = Stage::start(Config::default()).await?;
    let tenant = Tenant::of(&stage, "down").await?;
    // While AWS has never said which account it is there is no default class.
    let class = json!({"region": REGION, "namespaceSelector": {}, "input": {"allowedUris": ["*"]},
                       "output": {"bucketName": BUCKET}});
    stage.class("by-hand", true, &class).await?;
    let down = stage.sim.fault(
        FaultRule {
            what: What::Drop,
            when: When::Before,
            ..FaultRule::default()
        }
        .always(),
    );
    let operator = operator(&stage).start()?;
    let tenant = Tenant {
        operator: Some(&operator),
        ..tenant
    };
    operator.wait_ready().await?;
    tenant.apply(&job("job", json!({}))).await?;
    let seen = tenant.until_reason("job", "Ready", "AwsUnreachable").await?;
    says(
        &message(&seen, "Reconciling", "True", "AwsUnreachable")?,
        &["AWS has not confirmed"],
    )?;
    assert!(stage.sim.fired(down) > 0 && stage.sim.ledger().is_empty());
    stage.sim.clear_faults();
    tenant.until_finished("job", "Completed").await?;
    assert_eq!(tenant.starts(&tenant.uid("job").await?).len(), 1);
    Ok(())
}

pub async fn an_endpoint_that_refuses_connections_is_proven_unsent_and_tried_again() -> Result<()> {
    let scene = Scene::start(Config::default(), &[]).await?;
    let tenant = scene.tenant("refused").await?;
    let uid = tenant.hold("job", json!({})).await?;
    // Nobody listens where this operator sends Starts; STS still answers.
    scene.operator.terminate()?;
    scene.operator.wait().await?;
    let unreachable = scene
        .stage
        .operator_at(PROGRAM, &scene.stage.plane.url(), "http://127.0.0.1:9");
    let unreachable = unreachable
        .args(SHORT_BOUNDS)
        .args(["--sts-endpoint", scene.stage.sim.url()])
        .start()?;
    unreachable.wait_ready().await?;
    tenant.resume("job").await?;
    let seen = tenant.until_reason("job", "Ready", "AwsUnreachable").await?;
    says(
        &message(&seen, "Reconciling", "True", "AwsUnreachable")?,
        &["no connection to AWS"],
    )?;
    assert_eq!(seen["status"]["submission"]["outcome"], "Refused");
    drop(unreachable);
    scene.operator.restart()?;
    tenant.until_finished("job", "Completed").await?;
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}

pub async fn an_api_server_that_restarts_holds_jobs_up_and_loses_none() -> Result<()> {
    // None ends before the API server is back, however long that takes.
    let config = Config {
        run_ms: 3_600_000,
        ..Config::default()
    };
    let scene = Scene::start(config, &[]).await?;
    let tenant = scene.tenant("restart").await?;
    for n in 0..5 {
        tenant.apply(&job(&format!("before-{n}"), json!({}))).await?;
    }
    scene.stage.plane.restart_apiserver().await?;
    tenant.apply(&job("after", json!({}))).await?;
    eventually("AWS has all of them", || tenant.sim().ledger().len() == 6).await?;
    tenant.sim().finish_all();
    for name in (0..5).map(|n| format!("before-{n}")).chain(["after".to_owned()]) {
        tenant.until_finished(&name, "Completed").await?;
    }
    assert_eq!(tenant.sim().ledger().len(), 6, "one Start each");
    assert_eq!(scene.operator.exited()?, None, "no restart of the operator was needed");
    Ok(())
}
