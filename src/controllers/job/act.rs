//! Performs the planned step: one `match`, at most one AWS write.

use tracing::info;

use crate::{
    accounts::{permit::StartPermit, session::Session},
    api::status::Submission,
    controllers::job::{context::Context, decided::Decided, error::Error, gather::Sessions, write},
    domain::{AwsError, AwsErrorKind, Job, Outcome, Step, Target, aws_error::NOT_SENT, job::plan::START_TAKES},
};

/// Performs a step. Returns its outcome, and the object as last written. A Start consumes the permit; every other step
/// gives it back.
pub(super) async fn act(
    ctx: &Context,
    job: &Job,
    decided: &Decided<'_>,
    sessions: &Sessions,
    permit: Option<StartPermit>,
) -> Result<(Outcome, Job), Error> {
    match decided.step {
        Step::Submit(intent) => {
            let (Some(session), Some(permit)) = (&sessions.starter, permit) else {
                return Ok((Outcome::Pending, job.clone()));
            };
            submit(ctx, job, decided, intent, session, permit).await
        }
        Step::AddFinalizer => Ok((Outcome::Done, write::add_finalizer(ctx, job).await?)),
        Step::RemoveFinalizer { .. } => Ok((Outcome::Done, write::remove_finalizer(ctx, job).await?)),
        Step::Expire => {
            write::delete(ctx, job).await?;
            info!("deleted the object: its time to live is over");
            Ok((Outcome::Done, job.clone()))
        }
        Step::DeleteRecord(target) => Ok((delete_record(ctx, sessions, target).await, job.clone())),
        Step::NoOp { .. }
        | Step::Follow(_)
        | Step::Complete(_)
        | Step::Retry(..)
        | Step::NoteAbsent(_)
        | Step::Withdraw
        | Step::Wait(_)
        | Step::Suspend
        | Step::Stall(_)
        | Step::Fail(_)
        | Step::MarkRecordGone(_) => Ok((Outcome::Pending, job.clone())),
    }
}

/// Writes the intent, fenced by the resourceVersion that was read, then starts the job.
async fn submit(
    ctx: &Context,
    job: &Job,
    decided: &Decided<'_>,
    intent: &Submission,
    session: &Session,
    permit: StartPermit,
) -> Result<(Outcome, Job), Error> {
    let Ok(desired) = decided.desired else {
        return Ok((Outcome::Pending, job.clone()));
    };
    let job = write::status(ctx, job.clone(), decided.status(&Outcome::Pending), "intent").await?;
    permit.consume();
    if job.metadata.deletion_timestamp.is_some() || (ctx.leader_for)() < START_TAKES {
        return Ok((Outcome::Started(Err(held_back())), job));
    }
    let reply = session.connection().start(&desired.spec, intent).await;
    match &reply {
        Ok(_) => {
            if let Some(account) = session.account() {
                account.of(ctx.kind).rates.note_admitted();
            }
            info!(
                job_name = intent.job_name,
                attempt = intent.attempt,
                "AWS accepted the job"
            );
        }
        Err(error) => info!(
            job_name = intent.job_name,
            code = error.code,
            answer = error.detail(),
            "AWS did not accept the job"
        ),
    }
    Ok((Outcome::Started(reply.map(Box::new)), job))
}

/// The outcome of a Start whose intent is written but whose request is not sent.
fn held_back() -> AwsError {
    let message = "the object was deleted, or this process no longer leads";
    AwsError::new(AwsErrorKind::NotSent, NOT_SENT, message)
}

/// Deletes a record that this reconcile has read with the same session.
async fn delete_record(ctx: &Context, sessions: &Sessions, target: &Target) -> Outcome {
    let Some(Ok(session)) = &sessions.looker else {
        return Outcome::Pending;
    };
    if let Some(account) = session.account() {
        account.of(ctx.kind).rates.delete().await;
    }
    let reply = session.connection().delete(ctx.kind, &target.job_name).await;
    info!(
        job_name = target.job_name,
        deleted = reply.is_ok(),
        "asked AWS to delete the record"
    );
    Outcome::Deleted(reply)
}
