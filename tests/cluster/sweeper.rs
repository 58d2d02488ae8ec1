//! The sweeper: removes the records of objects that are gone, and nothing else.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::json;
use testkit::aws_sim::{AwsSim, Config, FaultRule, ForeignJob, When};
use testkit::fault_proxy::{Class, Fault, FaultProxy, Rule};
use testkit::stage::{CLUSTER_ID, Stage};
use testkit::wait::{self, Look};

use crate::scene::{
    PROGRAM, SHORT_BOUND, SHORT_BOUNDS, Tenant, error, eventually, foreign, job, job_name, lists, operator,
};

const SWEEPS: [&str; 2] = ["--gc-interval", "700ms"];
const UID: &str = "transcribe-operator.io/uid";
const CLUSTER: &str = "transcribe-operator.io/cluster";

/// The n-th uid that no object has.
fn uid(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// An old record of somebody's in this name, tagged as the n-th uid's in a cluster.
fn record(name: String, n: usize, cluster: &str) -> ForeignJob {
    foreign(&name, &[(UID, &uid(n)), (CLUSTER, cluster)])
}

/// An orphan of our cluster: an old record in our name and with our tags.
fn orphan(n: usize) -> ForeignJob {
    record(job_name(&uid(n), 1), n, CLUSTER_ID)
}

/// Each lacks one thing that makes an orphan.
fn no_orphans() -> Vec<ForeignJob> {
    vec![
        foreign("my-own-job", &[]),
        foreign(&job_name(&uid(20), 1), &[("team", "others")]),
        record(job_name(&uid(21), 1), 22, CLUSTER_ID),
        record(format!("my-{}", job_name(&uid(23), 1)), 23, CLUSTER_ID),
        record(job_name(&uid(24), 1).to_uppercase(), 24, CLUSTER_ID),
        record(format!("{}x", job_name(&uid(25), 1)), 25, CLUSTER_ID),
        record(format!("{}r", job_name(&uid(26), 1)), 26, CLUSTER_ID),
        record(format!("tro-other-{}-1", uid(27)), 27, "other"),
        record(job_name(&uid(28), 1), 28, "other"),
        ForeignJob {
            status: "IN_PROGRESS".to_owned(),
            ..orphan(29)
        },
    ]
}

fn names(sim: &AwsSim) -> Vec<String> {
    let mut names: Vec<_> = sim.jobs().into_iter().map(|job| job.name).collect();
    names.sort();
    names
}

/// Waits until none of these records is there. Each that goes is progress.
async fn until_gone(sim: &AwsSim, gone: &[String]) -> Result<()> {
    wait::until("the orphans are gone", async || {
        let left: Vec<_> = names(sim).into_iter().filter(|name| gone.contains(name)).collect();
        Ok(Look::at(left.is_empty(), format!("{left:?} are left")))
    })
    .await
}

/// Waits until the sweeper has searched three times more. A search is a List for each of four states, and one may have begun.
async fn searches(sim: &AwsSim) -> Result<()> {
    lists(sim, "TranscriptionJob", 4 * 4).await
}

/// When the operator wrote a line.
fn written(line: &str) -> Result<Timestamp> {
    Ok(line.split_whitespace().next().context("an empty line")?.parse()?)
}

/// Removes the finalizer by hand, so that the object goes and its record stays.
async fn tear_out(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    tenant.delete(name).await?;
    tenant
        .kubectl(&[
            "patch",
            "tj",
            name,
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":null}}"#,
        ])
        .await?;
    tenant.until_gone(name).await
}

pub async fn orphans_are_removed_after_the_bound_and_everything_else_stays() -> Result<()> {
    let stage = Stage::start(Config {
        run_ms: 3_600_000,
        ..Config::default()
    })
    .await?;
    let sim = &stage.sim;
    let tenant = Tenant::of(&stage, "sweeper").await?;
    let torn = three_jobs_two_torn(&stage, &tenant).await?;
    sim.finish_all();
    for job in no_orphans().iter().chain([&orphan(1)]) {
        sim.put_foreign_job(job)?;
    }
    let all = names(sim);
    assert_eq!(all.len(), 3 + 1 + no_orphans().len(), "{all:#?}");
    let gone = [job_name(&torn, 1), job_name(&uid(1), 1)];

    // A dry run finds the two and touches nothing.
    let dry = operator(&stage).args(SWEEPS).arg("--gc-dry-run").start()?;
    let found = dry.wait_log(&gone[0]).await?;
    let age = written(&found)?.duration_since(tenant.records(&torn)[0].created);
    assert!(age > SHORT_BOUND, "found at the age of {age}");
    let found = dry.metric("transcribe_operator_orphans_total{what=\"left\"}").await?;
    assert!(found >= Some(2.0), "{found:?}");
    assert_eq!((names(sim), sim.called("DeleteTranscriptionJob")), (all.clone(), 0));
    drop(dry);

    let sweeper = operator(&stage).args(SWEEPS).start()?;
    until_gone(sim, &gone).await?;
    tenant.until_finished("kept", "Completed").await?;
    searches(sim).await?;
    let stay: Vec<_> = all.into_iter().filter(|name| !gone.contains(name)).collect();
    assert_eq!(names(sim), stay);
    let deleted = sweeper
        .metric("transcribe_operator_orphans_total{what=\"deleted\"}")
        .await?;
    assert_eq!(deleted, Some(2.0));
    Ok(())
}

/// Three jobs that run; the objects of two, of which one is to be retained, are torn out. The uid of the other.
async fn three_jobs_two_torn(stage: &Stage, tenant: &Tenant<'_>) -> Result<String> {
    let operator = operator(stage).start()?;
    operator.wait_ready().await?;
    for (name, policy) in [("kept", "Delete"), ("torn", "Delete"), ("retained", "Retain")] {
        tenant.apply(&job(name, json!({"deletionPolicy": policy}))).await?;
    }
    for name in ["kept", "torn", "retained"] {
        tenant
            .until(name, |seen| seen["status"]["submission"]["outcome"] == "Acknowledged")
            .await?;
    }
    let uid = tenant.uid("torn").await?;
    operator.kill();
    for name in ["torn", "retained"] {
        tear_out(tenant, name).await?;
    }
    Ok(uid)
}

pub async fn a_record_whose_object_went_before_its_end_is_removed_when_it_has_ended() -> Result<()> {
    let stage = Stage::start(Config {
        run_ms: 3_600_000,
        ..Config::default()
    })
    .await?;
    let operator = operator(&stage)
        .args(SWEEPS)
        .args(["--deletion-max-wait", "1s"])
        .start()?;
    operator.wait_ready().await?;
    let tenant = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "left").await?
    };
    tenant.apply(&job("job", json!({}))).await?;
    tenant.until_reason("job", "Ready", "InProgress").await?;
    let uid = tenant.uid("job").await?;
    tenant.delete("job").await?;
    tenant.until_gone("job").await?;
    // For longer than anything can be on its way.
    tokio::time::sleep(SHORT_BOUND.unsigned_abs()).await;
    searches(&stage.sim).await?;
    assert_eq!(tenant.records(&uid).len(), 1, "it still runs");
    stage.sim.finish_all();
    eventually("the record is removed", || tenant.records(&uid).is_empty()).await?;
    assert_eq!((tenant.starts(&uid).len(), tenant.deletes(&uid).len()), (1, 1));
    Ok(())
}

pub async fn a_list_that_breaks_off_removes_nothing() -> Result<()> {
    let stage = Stage::start(Config::default()).await?;
    let sim = &stage.sim;
    // The orphans are the newest and so on the first page of two; what fills the pages is retained.
    for n in 0..110 {
        sim.put_foreign_job(&record(format!("{}r", job_name(&uid(n), 1)), n, CLUSTER_ID))?;
    }
    for n in 200..203 {
        sim.put_foreign_job(&orphan(n))?;
    }
    // QUEUED, IN_PROGRESS and the first page of COMPLETED are answered; from the second page on nothing is.
    let rule = FaultRule::next(
        "ListTranscriptionJobs",
        When::Before,
        error("InternalFailureException", "no"),
    );
    let aws = sim.fault(FaultRule { nth: 4, ..rule }.always());
    let proxy = FaultProxy::kubernetes(&stage.plane).await?;
    let operator = stage.operator_at(PROGRAM, &proxy.url(), sim.url());
    let operator = operator.args(SHORT_BOUNDS).args(SWEEPS).start()?;
    operator.wait_ready().await?;
    operator
        .wait_log("the search for records without an object failed")
        .await?;
    eventually("several rounds are given up", || sim.fired(aws) >= 3).await?;
    assert_eq!(names(sim).len(), 113, "AWS answered in part");

    // Now AWS answers whole, and the API server has no such resource: every record looks like an orphan.
    let objects = Rule::new(Fault::Status(404))
        .classes(&[Class::Read])
        .path("/transcriptionjobs$");
    let absent = proxy.add(objects);
    sim.clear_faults();
    wait::on("the objects are listed in vain", absent.until(2)).await?;
    assert_eq!(names(sim).len(), 113, "the API server has no objects to compare with");
    absent.remove();
    until_gone(sim, &(200..203).map(|n| orphan(n).name).collect::<Vec<_>>()).await?;
    assert_eq!(names(sim).len(), 110, "what is retained stays");
    assert_eq!(sim.called("DeleteTranscriptionJob"), 3);
    Ok(())
}
