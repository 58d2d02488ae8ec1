//! What is finished or unchanged costs nothing: no call of AWS, no request to the API server.

use std::time::Duration;

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};
use testkit::aws_sim::{Calls, Config};
use testkit::fault_proxy::{Class, FaultProxy, Seen};
use testkit::stage::Stage;
use tokio::time::sleep;

use crate::scene::{PROGRAM, SHORT_BOUNDS, Tenant, job, lists, says};

const KIND: &str = "TranscriptionJob";
/// Longer than any of the operator's short intervals here.
const WHILE: Duration = Duration::from_secs(4);
/// As many Lists as there are in about that time.
const LISTS: u64 = 16;

/// The requests that are about jobs: not the operator's own watches and first lists, and not the class that it makes.
fn about_objects(proxy: &FaultProxy) -> Vec<String> {
    let of_objects = |seen: &Seen| {
        let about_one = seen.method != Method::GET || seen.object().is_some();
        seen.class != Class::Watch && about_one && !seen.path.contains("/transcriptionclasses")
    };
    let told = |seen: Seen| format!("{} {}", seen.method, seen.path);
    proxy.requests().into_iter().filter(of_objects).map(told).collect()
}

/// The calls but those of STS, which are the operator's own.
fn about_jobs(calls: Calls) -> Calls {
    calls
        .into_iter()
        .filter(|(operation, _)| operation != "GetCallerIdentity")
        .collect()
}

pub async fn finished_held_and_stalled_objects_cost_nothing_not_even_after_a_restart() -> Result<()> {
    let stage = Stage::start(Config {
        run_ms: 300,
        ..Config::default()
    })
    .await?;
    let proxy = FaultProxy::kubernetes(&stage.plane).await?;
    let operator = stage.operator_at(PROGRAM, &proxy.url(), stage.sim.url());
    // A refused key is not judged again while this scenario runs.
    let operator = operator
        .args(SHORT_BOUNDS)
        .args(["--key-recheck-interval", "3600s"])
        .start()?;
    operator.wait_ready().await?;
    let tenant = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "silence").await?
    };

    for n in 0..3 {
        tenant.apply(&job(&format!("completed-{n}"), json!({}))).await?;
    }
    tenant.apply(&job("fail-channels", json!({}))).await?;
    tenant
        .apply(&job("no-class", json!({"transcriptionClassName": "finance"})))
        .await?;
    tenant
        .apply(&job("alias", json!({"encryption": {"kmsKeyId": "alias/finance"}})))
        .await?;
    tenant.apply(&job("no-access", json!({}))).await?;
    tenant.hold("held", json!({})).await?;
    until_told(&tenant).await?;
    until_refused_for_long(&tenant).await?;
    let table = tenant.kubectl(&["get", "tj"]).await?;
    says(
        &table,
        &[
            "Completed",
            "JobFailed",
            "NoClass",
            "KeyNotFound",
            "Refused",
            "Suspended",
        ],
    )?;

    silent(&stage, &proxy).await;
    proxy.forget();
    operator.restart()?;
    operator.wait_ready().await?;
    silent(&stage, &proxy).await;
    assert_eq!(about_objects(&proxy), Vec::<String>::new(), "after the restart");
    Ok(())
}

/// Waits until each object has come to rest. The Event about that is the last that the operator writes.
async fn until_told(tenant: &Tenant<'_>) -> Result<()> {
    for n in 0..3 {
        let name = format!("completed-{n}");
        tenant.until_finished(&name, "Completed").await?;
        tenant.until_told(&name, "Completed").await?;
    }
    tenant.until_finished("fail-channels", "JobFailed").await?;
    for (name, reason) in [
        ("no-class", "NoClass"),
        ("alias", "KeyNotFound"),
        ("no-access", "Refused"),
    ] {
        tenant.until_reason(name, "Stalled", reason).await?;
    }
    for (name, reason) in [
        ("fail-channels", "JobFailed"),
        ("no-class", "NoClass"),
        ("alias", "KeyNotFound"),
        ("no-access", "Refused"),
        ("held", "Suspended"),
    ] {
        tenant.until_told(name, reason).await?;
    }
    Ok(())
}

/// What AWS has refused is submitted again after a minute, and then ever later. Lets AWS refuse it until that is after a
/// quarter of an hour: later than this scenario ends.
async fn until_refused_for_long(tenant: &Tenant<'_>) -> Result<()> {
    for refusals in 1..=5 {
        let refused = |seen: &Value| {
            seen["status"]["rejection"]["count"].as_i64() >= Some(refusals) && seen["status"]["submission"].is_null()
        };
        tenant.until("no-access", refused).await?;
        if refusals < 5 {
            tenant.look_now("no-access", &refusals.to_string()).await?;
        }
    }
    Ok(())
}

/// Nothing is asked for a while.
async fn silent(stage: &Stage, proxy: &FaultProxy) {
    let (requests, calls) = (about_objects(proxy), about_jobs(stage.sim.calls()));
    sleep(WHILE).await;
    assert_eq!(about_objects(proxy), requests, "requests to the API server");
    assert_eq!(about_jobs(stage.sim.calls()), calls, "calls of AWS");
}

pub async fn a_job_costs_few_requests_and_calls_and_a_running_one_none_of_its_own() -> Result<()> {
    let stage = Stage::start(Config {
        run_ms: 3_600_000,
        ..Config::default()
    })
    .await?;
    let proxy = FaultProxy::kubernetes(&stage.plane).await?;
    let operator = stage.operator_at(PROGRAM, &proxy.url(), stage.sim.url());
    let operator = operator.args(SHORT_BOUNDS).start()?;
    operator.wait_ready().await?;
    let tenant = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "cost").await?
    };
    tenant.apply(&job("job", json!({}))).await?;
    tenant.until_reason("job", "Ready", "InProgress").await?;
    tenant.until_told("job", "InProgress").await?;
    lists(&stage.sim, KIND, 4).await?;
    let (running, gets) = (about_objects(&proxy), stage.sim.called("GetTranscriptionJob"));
    let begun = running
        .iter()
        .filter(|request| request.contains("/job") && !request.starts_with("GET"));
    assert_eq!(begun.count(), 3, "finalizer, intent, outcome: {running:#?}");
    lists(&stage.sim, KIND, LISTS).await?;
    assert_eq!(about_objects(&proxy), running, "while the job runs");
    assert_eq!(gets, 0, "a running job is followed by lists");
    proxy.forget();
    operator.restart()?;
    operator.wait_ready().await?;
    lists(&stage.sim, KIND, LISTS).await?;
    let (running, gets) = (about_objects(&proxy), stage.sim.called("GetTranscriptionJob"));
    assert_eq!((running, gets), (Vec::new(), 0), "after a restart");
    stage.sim.finish_all();
    tenant.until_finished("job", "Completed").await?;
    tenant.until_told("job", "Completed").await?;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.sim.called("StartTranscriptionJob"), 1);
    assert_eq!(stage.sim.called("GetTranscriptionJob"), 1);
    let whole = about_objects(&proxy);
    let writes = whole
        .iter()
        .filter(|request| request.contains("/job") && !request.starts_with("GET"))
        .count();
    assert!(writes == 1, "the end is written once: {whole:#?}");
    Ok(())
}
