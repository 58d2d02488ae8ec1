//! The decision: one step, from what is wanted and what was seen.
//!
//! # Expected flow
//! `Protect` (finalizer) → `Submit` (intent, then Start) → `Follow` while AWS works → `Conclude`. A lost reply leads from
//! `Submit` to a Get and, if AWS has no such job, to `Submit` again under the same name. Whatever forbids that leads to
//! `Withdraw`. A deleted object goes through `DeleteRecord` to `Release`.
//!
//! # Guarantees
//! - A Start is planned only for an object without an intent, or with an intent whose outcome is `Sent` (and the record was
//!   seen absent), `Refused` or `Ended`. An acknowledged job is never started again.
//! - Nothing is concluded from a record that was not seen.
//! - Following, concluding and deleting need no valid spec and no class.
//!
//! # Assumptions
//! The object comes from a quorum read, and the intent is written with the resourceVersion of that read before the Start.

mod delete;
mod follow;
mod start;

use jiff::Timestamp;

use super::{Desired, Facts, JobName, Observed, Refusal, Subject, subject::later};
use crate::api::{
    OWNER_UID_ANNOTATION, conditions,
    conditions::Reason,
    status::{Attempt, Submission},
};

pub(super) use follow::{doubling, missing_message};
pub(super) use start::SOON;
pub use start::{Hindrance, START_TAKES, hindrance, leaves};

/// What to do. Each variant carries everything that performing it needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing, until the time given or a change.
    Rest {
        /// When there is something to do, if that is known.
        until: Option<Timestamp>,
    },
    /// Add the finalizer and the owner annotation.
    Protect,
    /// Write the intent, then start the job.
    Submit(Box<Submission>),
    /// The record is ours and not terminal: acknowledge it and show its state.
    Follow(Box<Facts>),
    /// The record is ours and terminal, and the job with it.
    Conclude(Box<Facts>),
    /// The record is ours and FAILED, and another attempt follows at the time given.
    TryAgain(Box<Facts>, Timestamp),
    /// An acknowledged record is absent: note since when.
    Missing(Timestamp),
    /// Nothing of the intent can land any more and AWS has no such job: take the intent back.
    Withdraw,
    /// Wait for something that comes by itself.
    Wait(Wait),
    /// Hold back, because the spec says so.
    Suspend,
    /// Only somebody's action gets the object further.
    Stall(Refusal),
    /// The job ends without a result.
    Fail(Refusal),
    /// Delete the AWS record.
    DeleteRecord(Target),
    /// The record is known to be gone, or not to be ours: nothing of this attempt is left to delete.
    Forget(Target),
    /// Remove the finalizer. What may be left in AWS is named, and the sweeper takes over.
    Release {
        /// The name of a record that may be left.
        left: Option<String>,
    },
    /// Delete the object, its time to live being over.
    Expire,
}

impl Step {
    /// Performing it changes something besides the object's status. The object must then come from a quorum read.
    pub fn has_effect(&self) -> bool {
        match self {
            Self::Protect | Self::Submit(_) | Self::DeleteRecord(_) | Self::Release { .. } | Self::Expire => true,
            Self::Rest { .. }
            | Self::Follow(_)
            | Self::Conclude(_)
            | Self::TryAgain(..)
            | Self::Missing(_)
            | Self::Withdraw
            | Self::Wait(_)
            | Self::Suspend
            | Self::Stall(_)
            | Self::Fail(_)
            | Self::Forget(_) => false,
        }
    }
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The condition's reason.
    pub reason: Reason,
    /// For what, and until when at the latest.
    pub message: String,
    /// When to look again, if no event comes before.
    pub until: Option<Timestamp>,
}

/// One record in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The job's name.
    pub job_name: String,
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// When its first Start was begun.
    pub first_started_at: Timestamp,
}

impl Target {
    /// The name says that the record outlives the object.
    pub fn retained(&self) -> bool {
        JobName::parse(&self.job_name).is_some_and(|name| name.retain)
    }

    /// The record that was seen under this name is the one that we made.
    fn ours(&self, facts: &Facts, seen: &Observed) -> bool {
        JobName::parse(&self.job_name).is_some_and(|name| facts.ours(&name, self.first_started_at, &seen.rules))
    }
}

impl From<&Submission> for Target {
    fn from(submission: &Submission) -> Self {
        Self {
            job_name: submission.job_name.clone(),
            account: submission.account.clone(),
            region: submission.region.clone(),
            first_started_at: submission.first_started_at.0,
        }
    }
}

impl From<&Attempt> for Target {
    fn from(attempt: &Attempt) -> Self {
        Self {
            job_name: attempt.job_name.clone(),
            account: attempt.account.clone(),
            region: attempt.region.clone(),
            first_started_at: attempt.started_at.0,
        }
    }
}

/// The first of the object's records that is not known to be gone.
pub fn first_target(job: &Subject) -> Option<Target> {
    job.attempts().find(|attempt| !attempt.record_gone).map(Target::from)
}

/// Decides.
pub fn plan(desired: &Result<Desired, Refusal>, seen: &Observed, now: Timestamp) -> Step {
    let job = &seen.job;
    if let Some(since) = job.deleted {
        return delete::plan(seen, since, now);
    }
    if job.finished() {
        return rest_or_expire(job, now);
    }
    if job.restored() {
        return Step::Stall(restored());
    }
    if !job.marked() {
        return Step::Protect;
    }
    match job.submission() {
        Some(submission) => follow::plan(desired, seen, submission, now),
        None => start::first(desired, seen, now),
    }
}

fn rest_or_expire(job: &Subject, now: Timestamp) -> Step {
    let finished_at = job.condition(conditions::FINISHED).map(|c| c.last_transition_time.0);
    match finished_at.zip(job.ttl()).map(|(at, ttl)| later(at, ttl)) {
        Some(until) if now >= until => Step::Expire,
        until => Step::Rest { until },
    }
}

fn restored() -> Refusal {
    let message = format!(
        "this object is a copy or was restored from a backup (its annotation {OWNER_UID_ANNOTATION} names another object), \
         so nothing is submitted; remove the annotation to submit it as a new job"
    );
    Refusal::new(Reason::Restored, message)
}
