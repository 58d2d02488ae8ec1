//! Deletion: it ends, in every phase, and takes the AWS record with it where it may.

use anyhow::{Context as _, Result};
use serde_json::json;
use testkit::aws_sim::{Config, What, When};
use testkit::control_plane::ControlPlane;
use testkit::stage::Stage;
use testkit::wait;

use crate::scene::{
    BOUND, MAX_WAIT, Scene, Tenant, error, eventually, job, message, operator, says, slow, tenant, time,
};

const START: &str = "StartTranscriptionJob";
const GET: &str = "GetTranscriptionJob";
const DELETE: &str = "DeleteTranscriptionJob";

/// Deletes an object, and waits until it is gone.
async fn deleted(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    tenant.delete(name).await?;
    tenant.until_gone(name).await
}

pub async fn a_job_that_was_never_submitted_goes_at_once_and_aws_is_not_asked() -> Result<()> {
    let tenant = tenant("unsubmitted").await?;
    let held = tenant.hold("held", json!({})).await?;
    let refused = json!({"encryption": {"kmsKeyId": "alias/finance"}});
    tenant.apply(&job("key-refused", refused)).await?;
    tenant.until_reason("key-refused", "Stalled", "KeyNotFound").await?;
    tenant
        .apply(&job("no-class", json!({"transcriptionClassName": "finance"})))
        .await?;
    tenant.until_reason("no-class", "Stalled", "NoClass").await?;
    for name in ["held", "key-refused", "no-class"] {
        let uid = tenant.uid(name).await?;
        let calls = [GET, DELETE, START].map(|operation| tenant.count(&uid, operation));
        deleted(&tenant, name).await?;
        assert_eq!(calls.map(|call| tenant.sim().fired(call)), [0; 3], "{name}");
    }
    assert!(tenant.starts(&held).is_empty());
    Ok(())
}

pub async fn a_job_that_aws_refused_goes_at_once() -> Result<()> {
    let tenant = tenant("refused").await?;
    tenant.apply(&job("no-access", json!({}))).await?;
    tenant.until_reason("no-access", "Stalled", "Refused").await?;
    let uid = tenant.uid("no-access").await?;
    deleted(&tenant, "no-access").await?;
    assert!(tenant.starts(&uid).is_empty());
    Ok(())
}

pub async fn a_job_whose_reply_was_lost_waits_out_the_bound_and_leaves_nothing_behind() -> Result<()> {
    tokio::try_join!(lost_reply("arrived", When::After), lost_reply("lost", When::Before)).map(drop)
}

/// The job is deleted while the reply to its Start is awaited, which never comes.
async fn lost_reply(name: &str, when: When) -> Result<()> {
    let tenant = tenant("sent").await?;
    let uid = tenant.hold(name, json!({})).await?;
    let fault = tenant.fault(&uid, START, 1, when, What::BlackHole);
    tenant.resume(name).await?;
    eventually("the Start is sent", || tenant.sim().fired(fault) == 1).await?;
    tenant.delete_now(name).await?;
    let seen = tenant.until_reason(name, "Ready", "Deleting").await?;
    says(
        &message(&seen, "Reconciling", "True", "Deleting")?,
        &["reply to the submission was lost", "waits until"],
    )?;
    let sent = time(&seen["status"]["submission"]["startedAt"])?;
    tenant.until_gone(name).await?;
    let waited = tenant.last_look(&uid)?.duration_since(sent);
    assert!(waited >= BOUND, "{name} went after {waited}");
    let arrived = usize::from(when == When::After);
    assert_eq!(
        (
            tenant.starts(&uid).len(),
            tenant.deletes(&uid).len(),
            tenant.records(&uid).len()
        ),
        (arrived, arrived, 0),
        "{name}"
    );
    Ok(())
}

pub async fn a_running_job_goes_after_the_longest_wait_and_an_event_names_the_record_that_is_left() -> Result<()> {
    let tenant = Scene::hasty().await?.tenant("running").await?;
    tenant.apply(&job("slow", json!({}))).await?;
    let seen = tenant.until_reason("slow", "Ready", "InProgress").await?;
    let name = seen["status"]["jobName"].as_str().context("a name")?;
    let uid = tenant.uid("slow").await?;
    tenant.delete("slow").await?;
    let seen = tenant.until_reason("slow", "Ready", "Deleting").await?;
    says(
        &message(&seen, "Reconciling", "True", "Deleting")?,
        &[name, "still runs", "cannot stop it", "garbage collector"],
    )?;
    let deleted = time(&seen["metadata"]["deletionTimestamp"])?;
    tenant.until_gone("slow").await?;
    let left = tenant.until_event("slow", "RecordLeft").await?;
    says(
        left.message.as_deref().unwrap_or_default(),
        &[name, "garbage collector"],
    )?;
    let waited = left.event_time.context("a time")?.0.duration_since(deleted);
    assert!(waited >= MAX_WAIT, "left after {waited}");
    assert_eq!(
        tenant
            .records(&uid)
            .iter()
            .map(|record| &*record.status)
            .collect::<Vec<_>>(),
        ["IN_PROGRESS"]
    );
    Ok(())
}

pub async fn a_running_job_that_ends_while_it_is_deleted_takes_its_record_along() -> Result<()> {
    let tenant = tenant("ending").await?;
    tenant.apply(&job("slow", json!({}))).await?;
    tenant.until_reason("slow", "Ready", "InProgress").await?;
    let uid = tenant.uid("slow").await?;
    tenant.delete("slow").await?;
    let seen = tenant.until_reason("slow", "Ready", "Deleting").await?;
    says(&message(&seen, "Reconciling", "True", "Deleting")?, &["still runs"])?;
    tenant.sim().finish(|job| job.name.contains(&uid));
    tenant.until_gone("slow").await?;
    assert_eq!((tenant.starts(&uid).len(), tenant.records(&uid).len()), (1, 0));
    Ok(())
}

pub async fn a_completed_job_takes_its_record_along_at_once() -> Result<()> {
    let tenant = tenant("completed").await?;
    tenant.apply(&job("job", json!({}))).await?;
    tenant.until_finished("job", "Completed").await?;
    let uid = tenant.uid("job").await?;
    deleted(&tenant, "job").await?;
    assert_eq!((tenant.deletes(&uid).len(), tenant.records(&uid).len()), (1, 0));
    let events = tenant.events("job").await?;
    let left = events.iter().any(|event| event.reason.as_deref() == Some("RecordLeft"));
    assert!(!left, "no Event speaks of a record that is left");
    Ok(())
}

pub async fn a_retained_record_outlives_its_object() -> Result<()> {
    let tenant = tenant("retained").await?;
    tenant.apply(&job("job", json!({"deletionPolicy": "Retain"}))).await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    says(seen["status"]["jobName"].as_str().unwrap_or_default(), &["-1r"])?;
    let uid = tenant.uid("job").await?;
    deleted(&tenant, "job").await?;
    assert_eq!((tenant.deletes(&uid).len(), tenant.records(&uid).len()), (0, 1));
    Ok(())
}

pub async fn an_object_that_is_made_anew_under_its_name_is_another_job() -> Result<()> {
    let tenant = tenant("anew").await?;
    let mut uids = Vec::new();
    for _ in 0..2 {
        tenant.apply(&job("job", json!({}))).await?;
        let seen = tenant.until_finished("job", "Completed").await?;
        uids.push(seen["metadata"]["uid"].as_str().context("a uid")?.to_owned());
        deleted(&tenant, "job").await?;
    }
    assert_ne!(uids[0], uids[1]);
    for uid in uids {
        assert_eq!((tenant.starts(&uid).len(), tenant.deletes(&uid).len()), (1, 1));
    }
    Ok(())
}

pub async fn a_job_that_aws_does_not_answer_about_says_so_and_goes_all_the_same() -> Result<()> {
    let tenant = Scene::hasty().await?.tenant("unreachable").await?;
    tenant.apply(&job("job", json!({}))).await?;
    tenant.until_finished("job", "Completed").await?;
    let uid = tenant.uid("job").await?;
    tenant.fault(&uid, GET, u64::MAX, When::Before, What::Drop);
    tenant.delete("job").await?;
    let seen = tenant.until_reason("job", "Ready", "Deleting").await?;
    says(
        &message(&seen, "Reconciling", "True", "Deleting")?,
        &["could not be asked for", "ConnectionLost", "is removed at"],
    )?;
    tenant.until_gone("job").await?;
    tenant.until_told("job", "RecordLeft").await?;
    assert_eq!((tenant.deletes(&uid).len(), tenant.records(&uid).len()), (0, 1));
    Ok(())
}

pub async fn a_record_that_aws_does_not_delete_at_first_is_deleted_by_and_by() -> Result<()> {
    let tenant = tenant("delete-fails").await?;
    tenant.apply(&job("job", json!({}))).await?;
    tenant.until_finished("job", "Completed").await?;
    let uid = tenant.uid("job").await?;
    let fault = tenant.fault(
        &uid,
        DELETE,
        1,
        When::Before,
        error("ThrottlingException", "Rate exceeded"),
    );
    tenant.fault(&uid, DELETE, 1, When::Before, error("AccessDeniedException", "no"));
    tenant.delete("job").await?;
    let seen = tenant.until_reason("job", "Ready", "Deleting").await?;
    says(
        &message(&seen, "Reconciling", "True", "Deleting")?,
        &["did not delete the record", "tried again"],
    )?;
    tenant.until_gone("job").await?;
    assert!(tenant.sim().fired(fault) == 1 && tenant.records(&uid).is_empty());
    Ok(())
}

pub async fn a_record_that_aws_never_lets_go_is_left_and_asked_for_sparingly() -> Result<()> {
    let tenant = Scene::hasty().await?.tenant("delete-denied").await?;
    tenant.apply(&job("job", json!({}))).await?;
    tenant.until_finished("job", "Completed").await?;
    let uid = tenant.uid("job").await?;
    let fault = tenant.fault(
        &uid,
        DELETE,
        u64::MAX,
        When::Before,
        error("AccessDeniedException", "no"),
    );
    deleted(&tenant, "job").await?;
    says(&tenant.until_told("job", "RecordLeft").await?, &["may be left in AWS"])?;
    let asked = tenant.sim().fired(fault);
    assert!(asked <= 6, "AWS was asked {asked} times");
    Ok(())
}

pub async fn a_vanished_record_does_not_hold_up_a_deletion() -> Result<()> {
    let tenant = tenant("vanished").await?;
    tenant.apply(&job("job", json!({}))).await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    assert_eq!(
        tenant
            .sim()
            .remove_job(seen["status"]["jobName"].as_str().context("a name")?),
        1
    );
    deleted(&tenant, "job").await
}

pub async fn a_namespace_with_jobs_in_many_phases_can_be_deleted() -> Result<()> {
    let config = Config {
        outcomes: vec![slow()],
        ..Config::default()
    };
    let stage = Stage::start_with(ControlPlane::builder().controllers(), config).await?;
    // Only the job that runs is waited for as long as this: the records of the others are to be deleted meanwhile.
    let operator = operator(&stage).args(["--deletion-max-wait", "10s"]).start()?;
    operator.wait_ready().await?;
    let tenant = Tenant {
        operator: Some(&operator),
        ..Tenant::of(&stage, "whole").await?
    };
    tenant.hold("held", json!({})).await?;
    for (name, reason) in [
        ("job", "Completed"),
        ("fail-channels", "JobFailed"),
        ("no-access", "Refused"),
        ("slow", "InProgress"),
    ] {
        tenant.apply(&job(name, json!({}))).await?;
        tenant.until_reason(name, "Ready", reason).await?;
    }
    let args = ["delete", "namespace", &tenant.namespace, wait::TIMEOUT];
    tenant.stage.kubectl.run(&args).await?.ok()?;
    let left: Vec<_> = stage.sim.jobs().into_iter().map(|job| job.status).collect();
    assert_eq!(left, ["IN_PROGRESS"], "what runs is the sweeper's");
    Ok(())
}
