//! The status, then an event.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Resource as _,
    core::DeserializeGuard,
    runtime::events::{Event, EventType},
};
use tracing::{debug, info};

use super::{Decided, Error, Stored, act::write_status, context::Context};
use crate::{
    api::status::JobStatus,
    lifecycle::{
        Job, Observed, Outcome, Step, Subject,
        status::{Announcement, announce},
    },
};

const EVENT_TIMEOUT: Duration = Duration::from_secs(3);

/// Writes the status if it differs, then tells of a transition.
pub(super) async fn report(
    ctx: &Context,
    job: &Job,
    decided: &Decided<'_>,
    outcome: &Outcome,
) -> Result<JobStatus, Error> {
    let after = decided.status(outcome);
    if job.status.as_ref() != Some(&after) && !matches!(decided.step, Step::Release { .. } | Step::Expire) {
        store(ctx, job, decided, outcome, &after).await?;
    }
    if let Some(announcement) = announce(decided.step, &decided.seen.job.status, &after) {
        tell(ctx, &job.object_ref(&ctx.kind.resource()), announcement).await;
    }
    Ok(after)
}

/// After a Start somebody else's write must not lose the outcome: on a conflict the object is read once more, and the outcome
/// stored if the intent is still ours.
async fn store(
    ctx: &Context,
    job: &Job,
    decided: &Decided<'_>,
    outcome: &Outcome,
    after: &JobStatus,
) -> Result<(), Error> {
    let Err(error) = write_status(ctx, job.clone(), after.clone(), "status").await else {
        return Ok(());
    };
    let conflict = matches!(&error, Error::Api(kube::Error::Api(status)) if status.is_conflict());
    let (true, Step::Submit(intent)) = (conflict, decided.step) else {
        return Err(error);
    };
    let Some(DeserializeGuard(Ok(fresh))) = ctx.fetch(job).await? else {
        return Err(error);
    };
    let subject = Subject::of(&fresh);
    // Another process may have learnt more of this intent meanwhile: what it wrote stays.
    if subject.finished() || subject.submission() != Some(intent) {
        return Err(error);
    }
    let seen = Observed {
        job: subject,
        ..decided.seen.clone()
    };
    let after = Decided {
        seen: &seen,
        ..*decided
    }
    .status(outcome);
    write_status(ctx, fresh, after, "status").await.map(|_| ())
}

/// Conflicts are normal, and gone with the next look, unless somebody else writes all the time.
const CONFLICTS: u32 = 3;

/// An API server that takes no write takes no status either: what it says is told by an event.
pub(super) async fn tell_refused(ctx: &Context, stored: &Stored, error: &Error, in_a_row: u32) {
    let Error::Api(kube::Error::Api(status)) = error else {
        return;
    };
    let passing = matches!(status.code, 404 | 410 | 429) || (status.is_conflict() && in_a_row < CONFLICTS);
    if passing || !(400..500).contains(&status.code) {
        return;
    }
    let note = format!(
        "the API server does not take what the operator writes ({}); it is tried again, and no job is started meanwhile",
        status.message
    );
    let announcement = Announcement {
        warning: true,
        reason: "WriteRefused".to_owned(),
        note,
    };
    tell(ctx, &stored.object_ref(&ctx.kind.resource()), announcement).await;
}

/// Events are a courtesy: nothing waits for them and nothing fails with them.
pub(super) async fn tell(ctx: &Context, about: &ObjectReference, announcement: Announcement) {
    let Announcement { warning, reason, note } = announcement;
    info!(reason, note, "transition");
    let event = Event {
        type_: if warning { EventType::Warning } else { EventType::Normal },
        reason,
        action: action(&note),
        note: Some(note.chars().take(1000).collect()),
        secondary: None,
    };
    let told = tokio::time::timeout(EVENT_TIMEOUT, ctx.recorder.publish(&event, about)).await;
    match told {
        Ok(Ok(())) => ctx.metrics.write("event"),
        Ok(Err(error)) => debug!(%error, "an event was not stored"),
        Err(_) => debug!("an event was not stored in time"),
    }
}

/// An Event is counted up, and keeps its first note, where type, reason and action are those of an earlier one. So that each
/// Event says what is so now, another note is another action.
fn action(note: &str) -> String {
    let mut hasher = DefaultHasher::new();
    note.hash(&mut hasher);
    format!("Reconcile-{:016x}", hasher.finish())
}
