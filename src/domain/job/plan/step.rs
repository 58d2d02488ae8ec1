//! The steps that a reconcile can take.

use jiff::Timestamp;

use crate::{
    api::{
        conditions::Reason,
        status::{Attempt, Submission},
    },
    domain::{
        job::{name::JobName, observed::Observed, remote::RemoteJob, view::JobView},
        rejection::Rejection,
    },
};

/// What a reconcile does. Each variant carries everything that performing it needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Do nothing until the time given, or until the object changes.
    NoOp {
        /// When to reconcile again, if that is known.
        until: Option<Timestamp>,
    },
    /// Add the finalizer and the owner annotation.
    AddFinalizer,
    /// Write the intent, then start the job.
    Submit(Box<Submission>),
    /// The record is ours and not terminal: acknowledge it and show its state.
    Follow(Box<RemoteJob>),
    /// The record is ours and terminal, so the job is finished.
    Complete(Box<RemoteJob>),
    /// The record is ours and FAILED, and another attempt follows at the time given.
    Retry(Box<RemoteJob>, Timestamp),
    /// An acknowledged record is absent: note since when.
    NoteAbsent(Timestamp),
    /// AWS has no such job and no Start of the intent can arrive any more: remove the intent.
    Withdraw,
    /// Wait for a condition that clears by itself.
    Wait(Wait),
    /// Submit nothing, because `spec.suspend` is set.
    Suspend,
    /// Stop until somebody acts: retrying does not help.
    Stall(Rejection),
    /// The job has failed for good.
    Fail(Rejection),
    /// Delete the AWS record.
    DeleteRecord(Target),
    /// The record is gone or not ours: there is nothing to delete for this attempt.
    MarkRecordGone(Target),
    /// Remove the finalizer. A record that may be left in AWS is named, and the garbage collector takes over.
    RemoveFinalizer {
        /// The name of a record that may be left.
        left: Option<String>,
    },
    /// Delete the object, because its time to live is over.
    Expire,
}

impl Step {
    /// Whether the step changes anything besides the object's status. If so, the object must come from a quorum read.
    pub fn has_effect(&self) -> bool {
        match self {
            Self::AddFinalizer
            | Self::Submit(_)
            | Self::DeleteRecord(_)
            | Self::RemoveFinalizer { .. }
            | Self::Expire => true,
            Self::NoOp { .. }
            | Self::Follow(_)
            | Self::Complete(_)
            | Self::Retry(..)
            | Self::NoteAbsent(_)
            | Self::Withdraw
            | Self::Wait(_)
            | Self::Suspend
            | Self::Stall(_)
            | Self::Fail(_)
            | Self::MarkRecordGone(_) => false,
        }
    }
}

/// A condition to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The condition's reason.
    pub reason: Reason,
    /// What is waited for, and until when at the latest.
    pub message: String,
    /// When to reconcile again, if no event comes first.
    pub until: Option<Timestamp>,
}

/// The record of one attempt in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The job's name.
    pub job_name: String,
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// When its first Start began.
    pub first_started_at: Timestamp,
}

impl Target {
    /// Whether the record outlives the object, according to its name.
    pub fn retained(&self) -> bool {
        JobName::parse(&self.job_name).is_some_and(|name| name.retain)
    }

    /// Whether the record found under this name is the one that this object created.
    pub(super) fn ours(&self, facts: &RemoteJob, seen: &Observed) -> bool {
        JobName::parse(&self.job_name).is_some_and(|name| facts.ours(&name, self.first_started_at, &seen.limits))
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

/// Returns the first of the object's records that is not known to be gone.
pub fn first_target(job: &JobView) -> Option<Target> {
    job.attempts().find(|attempt| !attempt.record_gone).map(Target::from)
}
