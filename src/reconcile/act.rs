//! One step, performed: one `match`, at most one AWS write.

use kube::{
    ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;
use tracing::info;

use super::{
    Decided, Error,
    context::{Context, bounded},
};
use crate::{
    api::{
        FINALIZER, OWNER_UID_ANNOTATION,
        status::{JobStatus, Submission},
    },
    lifecycle::{Fault, FaultKind, Job, Outcome, Step, fault::NOT_SENT, plan::START_TAKES},
};

/// Performs a step. Returns what became of it, and the object as it was last written.
pub(super) async fn act(ctx: &Context, job: &Job, decided: &Decided<'_>) -> Result<(Outcome, Job), Error> {
    let job = job.clone();
    match decided.step {
        Step::Submit(intent) => submit(ctx, job, decided, intent).await,
        Step::Protect => protect(ctx, job).await,
        Step::Release { .. } => release(ctx, job).await,
        Step::Expire => expire(ctx, job).await,
        Step::DeleteRecord(target) => {
            // The record was seen by this session in this pass.
            let Some(Ok(session)) = &decided.sessions.looker else {
                return Ok((Outcome::Pending, job));
            };
            if let Some(place) = session.place() {
                place.of(ctx.kind).budget.delete().await;
            }
            let reply = session.connection().delete(ctx.kind, &target.job_name).await;
            info!(
                job_name = target.job_name,
                deleted = reply.is_ok(),
                "asked AWS to delete the record"
            );
            Ok((Outcome::Deleted(reply), job))
        }
        Step::Rest { .. }
        | Step::Follow(_)
        | Step::Conclude(_)
        | Step::TryAgain(..)
        | Step::Missing(_)
        | Step::Withdraw
        | Step::Wait(_)
        | Step::Suspend
        | Step::Stall(_)
        | Step::Fail(_)
        | Step::Forget(_) => Ok((Outcome::Pending, job)),
    }
}

/// Writes the intent with the resourceVersion that was read, then starts the job.
async fn submit(ctx: &Context, job: Job, decided: &Decided<'_>, intent: &Submission) -> Result<(Outcome, Job), Error> {
    let (Ok(desired), Some(session)) = (decided.desired, &decided.sessions.starter) else {
        return Ok((Outcome::Pending, job));
    };
    let job = write_status(ctx, job, decided.status(&Outcome::Pending), "intent").await?;
    if job.metadata.deletion_timestamp.is_some() || (ctx.leader_for)() < START_TAKES {
        return Ok((Outcome::Started(Err(held_back())), job));
    }
    let reply = session.connection().start(&desired.spec, intent).await;
    match &reply {
        Ok(_) => {
            if let Some(place) = session.place() {
                place.of(ctx.kind).budget.admitted();
            }
            info!(
                job_name = intent.job_name,
                attempt = intent.attempt,
                "AWS accepted the job"
            );
        }
        Err(fault) => info!(
            job_name = intent.job_name,
            code = fault.code,
            answer = fault.in_full(),
            "AWS did not accept the job"
        ),
    }
    Ok((Outcome::Started(reply.map(Box::new)), job))
}

/// The intent is written, but nothing was sent.
fn held_back() -> Fault {
    let message = "the object was deleted, or this process no longer leads";
    Fault::new(FaultKind::NotSent, NOT_SENT, message)
}

/// Replaces the status, fenced by the object's resourceVersion.
pub(super) async fn write_status(
    ctx: &Context,
    mut job: Job,
    status: JobStatus,
    what: &'static str,
) -> Result<Job, Error> {
    let api = ctx.api(&job.namespace().unwrap_or_default());
    job.status = Some(status);
    // A PUT with managed fields would rewrite who owns what.
    job.metadata.managed_fields = None;
    let written = bounded(api.replace_status(&job.name_any(), &PostParams::default(), &job)).await?;
    ctx.metrics.write(what);
    Ok(written)
}

async fn protect(ctx: &Context, job: Job) -> Result<(Outcome, Job), Error> {
    let mut finalizers = job.finalizers().to_vec();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    let annotations = json!({OWNER_UID_ANNOTATION: job.uid()});
    patch_metadata(
        ctx,
        job,
        json!({"finalizers": finalizers, "annotations": annotations}),
        "finalizer",
    )
    .await
}

async fn release(ctx: &Context, job: Job) -> Result<(Outcome, Job), Error> {
    let finalizers: Vec<_> = job.finalizers().iter().filter(|f| *f != FINALIZER).collect();
    let metadata = json!({"finalizers": finalizers});
    patch_metadata(ctx, job, metadata, "finalizer").await
}

/// A merge patch of the metadata, fenced by uid and resourceVersion.
pub(super) async fn patch_metadata(
    ctx: &Context,
    job: Job,
    mut metadata: serde_json::Value,
    what: &'static str,
) -> Result<(Outcome, Job), Error> {
    metadata["uid"] = json!(job.uid());
    metadata["resourceVersion"] = json!(job.resource_version());
    let api = ctx.api(&job.namespace().unwrap_or_default());
    let patch = Patch::Merge(json!({"metadata": metadata}));
    let written = bounded(api.patch(&job.name_any(), &PatchParams::default(), &patch)).await?;
    ctx.metrics.write(what);
    Ok((Outcome::Done, written))
}

async fn expire(ctx: &Context, job: Job) -> Result<(Outcome, Job), Error> {
    let api = ctx.api(&job.namespace().unwrap_or_default());
    let preconditions = Preconditions {
        uid: job.uid(),
        resource_version: job.resource_version(),
    };
    let params = DeleteParams::default().preconditions(preconditions);
    bounded(api.delete(&job.name_any(), &params)).await?;
    ctx.metrics.write("delete");
    info!("deleted the object: its time to live is over");
    Ok((Outcome::Done, job))
}
