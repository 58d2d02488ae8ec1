//! Decides on the next step of a job, from the desired request and the observed state.
//!
//! # Expected flow
//! `AddFinalizer` (finalizer) → `Submit` (intent, then Start) → `Follow` while AWS works → `Complete`. A lost reply leads from
//! `Submit` to a Get and, if AWS has no such job, to `Submit` again under the same name. If a Start is forbidden by then, the
//! intent is taken back (`Withdraw`). A deleted object goes through `DeleteRecord` to `RemoveFinalizer`.
//!
//! # Guarantees
//! - A Start is planned only for an object without an intent, or with an intent whose outcome is `Sent` (and the record was
//!   seen absent), `Refused` or `Ended`. An acknowledged job is never started again.
//! - A record that could not be read is never taken for absent or ended.
//! - Following, completing and deleting need no valid spec and no class.
//!
//! # Assumptions
//! The object comes from a quorum read, and the intent is written with the resourceVersion of that read before the Start.

mod delete;
mod follow;
mod start;
mod step;

use jiff::Timestamp;

use crate::{
    api::{
        OWNER_UID_ANNOTATION,
        conditions::{self, Reason},
    },
    domain::{
        job::{
            desired::Desired,
            observed::Observed,
            view::{JobView, later},
        },
        rejection::Rejection,
    },
};

pub(super) use follow::{doubling, missing_message};
pub(super) use start::SOON;
pub use start::{START_TAKES, StartBlocker, must_withdraw, start_blocker};
pub use step::{Step, Target, Wait, first_target};

/// Returns the next step of a job. There always is one.
pub fn plan(desired: &Result<Desired, Rejection>, seen: &Observed, now: Timestamp) -> Step {
    let job = &seen.job;
    if let Some(since) = job.deleted {
        return delete::plan(seen, since, now);
    }
    if job.finished() {
        return wait_or_expire(job, now);
    }
    if job.restored() {
        return Step::Stall(restored());
    }
    if !job.is_adopted() {
        return Step::AddFinalizer;
    }
    match job.submission() {
        Some(submission) => follow::plan(desired, seen, submission, now),
        None => start::first(desired, seen, now),
    }
}

fn wait_or_expire(job: &JobView, now: Timestamp) -> Step {
    let finished_at = job.condition(conditions::FINISHED).map(|c| c.last_transition_time.0);
    match finished_at.zip(job.ttl()).map(|(at, ttl)| later(at, ttl)) {
        Some(until) if now >= until => Step::Expire,
        until => Step::NoOp { until },
    }
}

fn restored() -> Rejection {
    let message = format!(
        "this object is a copy or was restored from a backup (its annotation {OWNER_UID_ANNOTATION} names another object), \
         so nothing is submitted; remove the annotation to submit it as a new job"
    );
    Rejection::new(Reason::Restored, message)
}
