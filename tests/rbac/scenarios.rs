//! What each grant is for, seen from outside.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::aws_sim::{FaultRule, What, When};
use testkit::fault_proxy::{Class, Fault, FaultProxy, Rule};
use testkit::stage::condition;

use crate::scene::{Scene, TRIES};

pub async fn an_operator_without_a_cluster_id_starts(scene: &Scene<'_>) -> Result<bool> {
    the_operator_becomes_ready(scene).await
}

pub async fn the_operator_becomes_ready(scene: &Scene<'_>) -> Result<bool> {
    let operator = scene.builder(&scene.stage.plane.url()).start()?;
    let ready = async || Ok(matches!(operator.get("/readyz").await, Ok((200, _))));
    // It ends when it cannot learn which cluster it is in.
    let over = async |refused| Ok(refused >= TRIES || operator.exited()?.is_some());
    scene.comes_unless(ready, over, async || Ok(())).await
}

pub async fn a_job_that_is_made_later_is_seen(scene: &Scene<'_>) -> Result<bool> {
    a_job_runs(scene).await
}

pub async fn a_job_runs(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    scene.submit(json!({})).await?;
    scene.job_comes(|job| is(job, "Finished", "Completed")).await
}

pub async fn a_job_has_the_finalizer(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    scene.submit(json!({})).await?;
    scene.job_comes(|job| job["metadata"]["finalizers"].is_array()).await
}

pub async fn a_finished_job_goes_when_its_time_is_over(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    scene.submit(json!({})).await?;
    scene.until_reason("Finished", "Completed").await?;
    // Only then: it would go before it can be seen.
    scene.submit(json!({"ttlSecondsAfterFinished": 1})).await?;
    scene.job_comes(Value::is_null).await
}

pub async fn the_status_says_what_is_submitted(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    scene.submit(json!({})).await?;
    scene.job_comes(|job| job["status"]["submission"].is_object()).await
}

pub async fn a_job_that_breaks_a_pass_says_so(scene: &Scene<'_>) -> Result<bool> {
    let silence = FaultRule::next("StartTranscriptionJob", When::Before, What::BlackHole);
    scene.stage.sim.fault(silence.always());
    let _operator = scene.operator(&["--reconcile-timeout", "1s"]).await?;
    scene.submit(json!({})).await?;
    scene.job_comes(|job| is(job, "Stalled", "InternalError")).await
}

pub async fn a_job_has_an_event(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    scene.submit(json!({})).await?;
    let told = async || Ok(!scene.events().await?.is_empty());
    // There is one about its beginning and one about its end, and no other.
    let over = async |_| scene.job_is(|job| is(job, "Finished", "Completed")).await;
    scene.comes_unless(told, over, async || Ok(())).await
}

/// An API server that takes no status is told of by the same Event again and again.
pub async fn a_repeated_event_is_counted(scene: &Scene<'_>) -> Result<bool> {
    let proxy = FaultProxy::kubernetes(&scene.stage.plane).await?;
    proxy.add(Rule::new(Fault::Status(403)).classes(&[Class::StatusWrite]));
    let operator = scene.builder(&proxy.url()).start()?;
    operator.wait_ready().await?;
    scene.submit(json!({})).await?;
    let counted = async || Ok(scene.events().await?.iter().any(|event| event.series.is_some()));
    scene.comes(counted).await
}

pub async fn the_webhook_knows_its_name(scene: &Scene<'_>) -> Result<bool> {
    the_webhook_serves_a_certificate(scene).await
}

pub async fn the_api_server_trusts_the_webhook(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.with_webhook().await?;
    scene.comes(async || Ok(scene.trusts().await?)).await
}

pub async fn the_webhook_has_an_authority(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.with_webhook().await?;
    scene.comes(async || Ok(scene.authority().await?.is_some())).await
}

/// The operator is ready once it does.
pub async fn the_webhook_serves_a_certificate(scene: &Scene<'_>) -> Result<bool> {
    let operator = scene.with_webhook().await?;
    let ready = async || Ok(matches!(operator.get("/readyz").await, Ok((200, _))));
    scene.comes(ready).await
}

pub async fn a_spoilt_authority_is_replaced(scene: &Scene<'_>) -> Result<bool> {
    scene.spoil_authority().await?;
    let spoilt = scene.authority().await?;
    let _operator = scene.with_webhook().await?;
    scene.comes(async || Ok(scene.authority().await? != spoilt)).await
}

/// A condition has this reason.
pub fn is(job: &Value, type_: &str, reason: &str) -> bool {
    condition(job, type_).is_some_and(|c| c["reason"] == reason)
}
