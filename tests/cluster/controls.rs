//! The controls: suspend, start deadline, time to live, back-off limit, a look on demand.

use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::aws_sim::What;
use testkit::aws_sim::When;
use testkit::stage::condition;

use crate::scene::{BOUND, Tenant, error, eventually, job, job_name, lists, message, says, tenant, time, types};

const START: &str = "StartTranscriptionJob";
const KIND: &str = "TranscriptionJob";

pub async fn a_suspended_job_is_submitted_when_it_is_resumed_and_not_before() -> Result<()> {
    let tenant = tenant("suspended").await?;
    let uid = tenant.hold("job", json!({})).await?;
    let seen = tenant.job("job").await?;
    says(&message(&seen, "Suspended", "True", "Suspended")?, &["spec.suspend"])?;
    message(&seen, "Ready", "False", "Suspended")?;
    assert!(
        !types(&seen)
            .iter()
            .any(|type_| ["Stalled", "Reconciling"].contains(type_)),
        "{:?}",
        types(&seen)
    );
    assert!(tenant.starts(&uid).is_empty());
    says(&tenant.kubectl(&["get", "tj"]).await?, &["Suspended"])?;

    tenant.resume("job").await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    message(&seen, "Suspended", "False", "Resumed")?;
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}

pub async fn suspending_a_submitted_job_says_that_it_comes_too_late() -> Result<()> {
    let tenant = tenant("too-late").await?;
    tenant.apply(&job("slow", json!({}))).await?;
    tenant.until_reason("slow", "Ready", "InProgress").await?;
    tenant.edit("slow", json!({"suspend": true})).await?;
    let seen = tenant.until_reason("slow", "Suspended", "AlreadySubmitted").await?;
    says(
        &message(&seen, "Suspended", "False", "AlreadySubmitted")?,
        &["cannot stop it"],
    )?;
    message(&seen, "Reconciling", "True", "InProgress")?;
    tenant.edit("slow", json!({"suspend": false})).await?;
    tenant.until_reason("slow", "Suspended", "Resumed").await?;
    assert_eq!(tenant.starts(&tenant.uid("slow").await?).len(), 1);
    Ok(())
}

pub async fn a_throttled_job_fails_at_its_start_deadline_and_nothing_is_billed() -> Result<()> {
    let tenant = tenant("deadline").await?;
    let uid = tenant.hold("job", json!({})).await?;
    tenant.fault(
        &uid,
        START,
        u64::MAX,
        When::Before,
        error("ThrottlingException", "Rate exceeded"),
    );
    tenant.resume("job").await?;
    tenant.until_reason("job", "Ready", "Throttled").await?;
    tenant.deadline_in("job", 2).await?;
    let seen = tenant.until_finished("job", "StartDeadlineExceeded").await?;
    let parts = ["spec.startDeadlineSeconds", "nothing was billed"];
    says(&message(&seen, "Failed", "True", "StartDeadlineExceeded")?, &parts)?;
    message(&seen, "Stalled", "True", "StartDeadlineExceeded")?;
    assert!(tenant.starts(&uid).is_empty() && tenant.records(&uid).is_empty());
    Ok(())
}

pub async fn a_stalled_job_fails_at_its_start_deadline_too() -> Result<()> {
    let tenant = tenant("deadline-stalled").await?;
    tenant
        .apply(&job("job", json!({"encryption": {"kmsKeyId": "alias/finance"}})))
        .await?;
    tenant.until_reason("job", "Stalled", "KeyNotFound").await?;
    tenant.deadline_in("job", 2).await?;
    let seen = tenant.until_finished("job", "StartDeadlineExceeded").await?;
    says(
        &message(&seen, "Failed", "True", "StartDeadlineExceeded")?,
        &["The last status was KeyNotFound: "],
    )?;
    assert!(tenant.starts(&tenant.uid("job").await?).is_empty());
    Ok(())
}

pub async fn a_finished_job_goes_when_its_time_to_live_is_over_and_its_record_with_it() -> Result<()> {
    let tenant = tenant("ttl").await?;
    let uid = tenant.hold("job", json!({"ttlSecondsAfterFinished": 2})).await?;
    // It is watched before it runs, so that its end is seen although it goes soon after.
    let (seen, ()) = tokio::try_join!(tenant.until_finished("job", "Completed"), tenant.resume("job"))?;
    tenant.until_gone("job").await?;
    let deletes = tenant.deletes(&uid);
    assert_eq!((tenant.starts(&uid).len(), deletes.len()), (1, 1));
    let finished = condition(&seen, "Finished").context("it is finished")?;
    let lived = deletes[0].time.duration_since(time(&finished["lastTransitionTime"])?);
    assert!(lived >= SignedDuration::from_secs(2), "gone after {lived}");
    assert!(tenant.records(&uid).is_empty());
    Ok(())
}

pub async fn a_time_to_live_that_is_added_to_a_finished_job_counts_from_its_end() -> Result<()> {
    let tenant = tenant("ttl-later").await?;
    tenant.apply(&job("job", json!({}))).await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    let generation = |seen: &Value| seen["status"]["observedGeneration"].as_i64();
    tenant
        .edit(
            "job",
            json!({"backoffLimit": 3, "suspend": true, "startDeadlineSeconds": 0}),
        )
        .await?;
    let after = tenant
        .until("job", |after| generation(after) > generation(&seen))
        .await?;
    assert_eq!(types(&after), types(&seen), "an edit of a finished job revives nothing");
    message(&after, "Ready", "True", "Completed")?;
    tenant.edit("job", json!({"ttlSecondsAfterFinished": 0})).await?;
    tenant.until_gone("job").await
}

pub async fn a_failure_that_may_pass_is_run_anew_as_a_second_job() -> Result<()> {
    let tenant = tenant("retry").await?;
    tenant.apply(&job("fail-first-1", json!({"backoffLimit": 1}))).await?;
    let waiting = tenant.until_reason("fail-first-1", "Ready", "BackOff").await?;
    says(
        &message(&waiting, "Reconciling", "True", "BackOff")?,
        &["internal error", "the next one starts at"],
    )?;
    let seen = tenant.until_finished("fail-first-1", "Completed").await?;
    let uid = seen["metadata"]["uid"].as_str().context("a uid")?;
    let status = &seen["status"];
    assert_eq!(
        (&status["attempt"], &status["jobName"]),
        (&json!(2), &json!(job_name(uid, 2)))
    );
    let attempts = status["attempts"].as_array().context("attempts")?;
    let names: Vec<_> = attempts.iter().map(|attempt| attempt["jobName"].clone()).collect();
    assert_eq!(names, [job_name(uid, 1), job_name(uid, 2)]);
    says(
        attempts[0]["failureReason"].as_str().unwrap_or_default(),
        &["internal error"],
    )?;
    assert_eq!(
        (&attempts[1]["failureReason"], &status["failureReason"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(tenant.starts(uid).len(), 2);

    tenant.delete("fail-first-1").await?;
    tenant.until_gone("fail-first-1").await?;
    assert!(tenant.records(uid).is_empty());
    Ok(())
}

pub async fn a_job_that_fails_as_often_as_allowed_is_failed_and_both_records_go_with_it() -> Result<()> {
    let tenant = tenant("fails").await?;
    tenant.apply(&job("fail-internal", json!({"backoffLimit": 1}))).await?;
    let seen = tenant.until_finished("fail-internal", "JobFailed").await?;
    says(&message(&seen, "Failed", "True", "JobFailed")?, &["internal error"])?;
    message(&seen, "Stalled", "True", "JobFailed")?;
    says(
        seen["status"]["failureReason"].as_str().unwrap_or_default(),
        &["internal error"],
    )?;
    let uid = seen["metadata"]["uid"].as_str().context("a uid")?;
    assert_eq!((tenant.starts(uid).len(), tenant.records(uid).len()), (2, 2));

    tenant.delete("fail-internal").await?;
    tenant.until_gone("fail-internal").await?;
    assert_eq!((tenant.deletes(uid).len(), tenant.records(uid).len()), (2, 0));
    Ok(())
}

pub async fn a_failure_that_the_same_media_meets_again_is_not_repeated() -> Result<()> {
    let tenant = tenant("permanent").await?;
    tenant
        .apply(&job("fail-sample-rate", json!({"backoffLimit": 3})))
        .await?;
    let seen = tenant.until_finished("fail-sample-rate", "JobFailed").await?;
    says(
        &message(&seen, "Failed", "True", "JobFailed")?,
        &["Invalid sample rate for audio file"],
    )?;
    assert_eq!(tenant.starts(&tenant.uid("fail-sample-rate").await?).len(), 1);
    Ok(())
}

pub async fn a_submission_without_a_reply_is_taken_back_only_when_it_can_no_longer_arrive() -> Result<()> {
    let tenant = tenant("withdrawn").await?;
    let uid = tenant.hold("job", json!({})).await?;
    // It is suspended while its Start is under way, so that none follows.
    lose_start(&tenant, &uid, json!({"suspend": true})).await?;
    let seen = tenant
        .until("job", |seen| seen["status"]["rejection"].is_object())
        .await?;
    says(
        &message(&seen, "Reconciling", "True", "Submitting")?,
        &["the reply to the submission was lost"],
    )?;
    assert_eq!(seen["status"]["submission"]["outcome"], "Sent");
    let sent = time(&seen["status"]["submission"]["startedAt"])?;

    let seen = tenant.until_reason("job", "Ready", "Withdrawing").await?;
    let told = message(&seen, "Reconciling", "True", "Withdrawing")?;
    says(&told, &["is being taken back", "could still arrive until"])?;
    assert!(!told.contains("nothing was billed"), "{told}");
    let seen = tenant
        .until("job", |seen| seen["status"]["submission"].is_null())
        .await?;
    says(
        &message(&seen, "Ready", "False", "Accepted")?,
        &["taken back", "nothing was billed"],
    )?;
    let waited = tenant.last_look(&uid)?.duration_since(sent);
    assert!(waited >= BOUND, "taken back after {waited}");
    let seen = tenant.until_reason("job", "Suspended", "Suspended").await?;
    assert_eq!(
        (&seen["status"]["jobName"], &seen["status"]["attempts"]),
        (&Value::Null, &Value::Null)
    );
    says(&tenant.until_told("job", "Accepted").await?, &["nothing was billed"])?;
    assert!(tenant.starts(&uid).is_empty());

    tenant
        .edit(
            "job",
            json!({"suspend": false, "media": {"mediaFileUri": "s3://media/other.wav"}}),
        )
        .await?;
    tenant.until_finished("job", "Completed").await?;
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}

pub async fn a_deadline_that_strikes_while_a_reply_is_lost_fails_the_job_only_when_nothing_can_arrive() -> Result<()> {
    let tenant = tenant("deadline-lost").await?;
    let uid = tenant.hold("job", json!({})).await?;
    lose_start(&tenant, &uid, json!({"startDeadlineSeconds": 1})).await?;
    let seen = tenant.until_reason("job", "Ready", "Withdrawing").await?;
    let told = message(&seen, "Reconciling", "True", "Withdrawing")?;
    assert!(!told.contains("nothing was billed"), "{told}");
    let sent = time(&seen["status"]["submission"]["startedAt"])?;
    let seen = tenant.until_finished("job", "StartDeadlineExceeded").await?;
    says(
        &message(&seen, "Failed", "True", "StartDeadlineExceeded")?,
        &["nothing was billed"],
    )?;
    let waited = tenant.last_look(&uid)?.duration_since(sent);
    assert!(waited >= BOUND, "failed after {waited}");
    assert!(tenant.starts(&uid).is_empty());
    Ok(())
}

/// Lets a held job go, keeps its Start from AWS without a reply, and edits the spec while the operator waits for the reply.
async fn lose_start(tenant: &Tenant<'_>, uid: &str, spec: Value) -> Result<()> {
    let fault = tenant.fault(uid, START, 1, When::Before, What::BlackHole);
    tenant.resume("job").await?;
    eventually("the Start is sent", || tenant.sim().fired(fault) == 1).await?;
    tenant.edit_now("job", spec).await
}

pub async fn the_annotation_reconcile_at_makes_the_operator_look_at_a_running_job_once() -> Result<()> {
    let tenant = tenant("look").await?;
    tenant.apply(&job("slow", json!({}))).await?;
    tenant.until_reason("slow", "Ready", "InProgress").await?;
    let gets = tenant.count(&tenant.uid("slow").await?, "GetTranscriptionJob");
    lists(tenant.sim(), KIND, 6).await?;
    assert_eq!(tenant.sim().fired(gets), 0, "a running job is followed by lists");
    for at in ["2026-01-01", "again"] {
        tenant.look_now("slow", at).await?;
        tenant
            .until("slow", |seen| seen["status"]["lastHandledReconcileAt"] == at)
            .await?;
    }
    lists(tenant.sim(), KIND, 4).await?;
    assert_eq!(tenant.sim().fired(gets), 2);
    let seen = tenant.job("slow").await?;
    assert!(condition(&seen, "Ready").is_some_and(|ready| ready["reason"] == "InProgress"));
    Ok(())
}
