//! Writes the status, then publishes an Event.

use kube::{Resource as _, core::DeserializeGuard};

use crate::{
    api::status::JobStatus,
    controllers::job::{context::Context, decided::Decided, error::Error, write},
    domain::{Job, JobView, Observed, Outcome, Step, job::status::event},
};

/// Writes the status if it differs, then publishes the transition.
pub(super) async fn report(
    ctx: &Context,
    job: &Job,
    decided: &Decided<'_>,
    outcome: &Outcome,
) -> Result<JobStatus, Error> {
    let after = decided.status(outcome);
    if job.status.as_ref() != Some(&after) && !matches!(decided.step, Step::RemoveFinalizer { .. } | Step::Expire) {
        store(ctx, job, decided, outcome, &after).await?;
    }
    if let Some(event) = event(decided.step, &decided.observed.job.status, &after) {
        ctx.events
            .transition(&job.object_ref(&ctx.kind.resource()), event)
            .await;
    }
    Ok(after)
}

/// Writes the status. After a Start the outcome must not be lost to somebody else's write: on a conflict the object is
/// read once more, and the outcome is written if the intent is still ours.
async fn store(
    ctx: &Context,
    job: &Job,
    decided: &Decided<'_>,
    outcome: &Outcome,
    after: &JobStatus,
) -> Result<(), Error> {
    let Err(error) = write::status(ctx, job.clone(), after.clone(), "status").await else {
        return Ok(());
    };
    let conflict = matches!(&error, Error::Api(kube::Error::Api(status)) if status.is_conflict());
    let (true, Step::Submit(intent)) = (conflict, decided.step) else {
        return Err(error);
    };
    let Some(DeserializeGuard(Ok(fresh))) = ctx.fetch(job).await? else {
        return Err(error);
    };
    let view = JobView::of(&fresh);
    // Another process may know more about this intent by now, so its status stays.
    if view.finished() || view.submission() != Some(intent) {
        return Err(error);
    }
    let observed = Observed {
        job: view,
        ..decided.observed.clone()
    };
    let decided = Decided {
        observed: &observed,
        ..*decided
    };
    write::status(ctx, fresh, decided.status(outcome), "status")
        .await
        .map(|_| ())
}
