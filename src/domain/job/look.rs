//! Decides which reads a reconcile needs.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{
    api::{
        status::{Submission, SubmissionOutcome},
        types::KmsKeyRef,
    },
    domain::{
        job::{
            desired::Desired,
            plan::{Target, first_target, must_withdraw, start_blocker},
            remote::RemoteJob,
            view::{JobView, ProtocolLimits, later},
        },
        rejection::Rejection,
    },
};

/// One list snapshot: the QUEUED and IN_PROGRESS jobs of an account and Region, listed to the last page.
#[derive(Clone, Debug, PartialEq)]
pub struct ListSnapshot {
    /// When the first page was requested.
    pub begun_at: Timestamp,
    /// The listed jobs, by job name.
    pub running: HashMap<String, RemoteJob>,
}

/// What the last list snapshot shows of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Sighting {
    /// Nothing: there was no list since the job was acknowledged.
    None,
    /// The job is in the list.
    Listed {
        /// What AWS reports of it. A list has no tags and no results.
        facts: Box<RemoteJob>,
        /// When the list began.
        as_of: Timestamp,
    },
    /// The job is not in a complete list that began after its acknowledgement: it ended, or its record is gone.
    Left,
}

impl Sighting {
    /// Looks up an intent's job in a list snapshot.
    pub fn of(snapshot: Option<&ListSnapshot>, submission: Option<&Submission>) -> Self {
        let (Some(snapshot), Some(submission)) = (snapshot, submission) else {
            return Self::None;
        };
        if let Some(facts) = snapshot.running.get(&submission.job_name) {
            return Self::Listed {
                facts: Box::new(facts.clone()),
                as_of: snapshot.begun_at,
            };
        }
        let acknowledged = submission
            .acknowledged_at
            .as_ref()
            .is_some_and(|t| snapshot.begun_at > t.0);
        if acknowledged { Self::Left } else { Self::None }
    }

    fn listed(&self) -> bool {
        matches!(self, Self::Listed { .. })
    }
}

/// The reads that a reconcile needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The record to get.
    pub get: Option<Target>,
    /// The key to resolve and check.
    pub key: Option<KeyToJudge>,
    /// Whether a permit for a Start is needed.
    pub permit: bool,
}

/// A key to check before a Start.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyToJudge {
    /// For a new intent: the reference has to be resolved.
    Reference(KmsKeyRef),
    /// For an intent that is started again: its ARN is pinned.
    Pinned(String),
}

/// Returns the reads that this reconcile needs.
pub fn look(
    job: &JobView,
    desired: &Result<Desired, Rejection>,
    sighting: &Sighting,
    limits: &ProtocolLimits,
    now: Timestamp,
) -> Look {
    if job.deleted.is_some() {
        return Look {
            get: deletion_target(job, limits, now),
            ..Look::default()
        };
    }
    if job.finished() || job.restored() || !job.is_adopted() {
        return Look::default();
    }
    let start = to_start(job, desired, now);
    let Some(submission) = job.submission() else {
        return start;
    };
    let get = match submission.outcome {
        SubmissionOutcome::Ended => false,
        SubmissionOutcome::Acknowledged | SubmissionOutcome::Conflict => {
            wants_get(job, submission, sighting, limits, now)
        }
        // A list has no tags, so before the acknowledgement only a Get tells whether a record is ours.
        SubmissionOutcome::Sent => sighting.listed() || job.backing_off_until(now).is_none(),
        SubmissionOutcome::Refused => {
            let withdraws = must_withdraw(job, desired.as_ref().err(), now) || job.key_refused();
            sighting.listed() || (withdraws && submission.is_settled(limits, now))
        }
    };
    let get = get.then(|| Target::from(submission));
    if submission.outcome.acknowledged() {
        Look { get, ..Look::default() }
    } else {
        Look { get, ..start }
    }
}

fn deletion_target(job: &JobView, limits: &ProtocolLimits, now: Timestamp) -> Option<Target> {
    let settled = job.submission().is_none_or(|s| s.is_settled(limits, now));
    (job.has_finalizer && settled)
        .then(|| first_target(job))
        .flatten()
        .filter(|target| !target.retained())
}

/// Whether an acknowledged job needs a Get: once it has left the list, and once more when the time for a missing record is
/// over. After a Conflict it needs one until the record is found.
fn wants_get(
    job: &JobView,
    submission: &Submission,
    sighting: &Sighting,
    limits: &ProtocolLimits,
    now: Timestamp,
) -> bool {
    let missing_until = submission
        .absent_since
        .as_ref()
        .map(|t| later(t.0, limits.in_flight_bound()));
    let unconfirmed = submission.outcome == SubmissionOutcome::Conflict;
    let due = match missing_until {
        _ if sighting.listed() => unconfirmed,
        Some(until) => now >= until,
        None => unconfirmed || *sighting == Sighting::Left,
    };
    due || job.forced()
}

fn to_start(job: &JobView, desired: &Result<Desired, Rejection>, now: Timestamp) -> Look {
    let waits = job.backing_off_until(now).is_some() || start_blocker(job, desired.as_ref().err(), now).is_some();
    let Some(desired) = desired.as_ref().ok().filter(|_| !waits) else {
        return Look::default();
    };
    let key = match job.submission().filter(|s| s.outcome != SubmissionOutcome::Ended) {
        Some(submission) => submission.request.kms_key_arn.clone().map(KeyToJudge::Pinned),
        None => desired
            .key
            .clone()
            .filter(|_| desired.key_is_judged())
            .map(KeyToJudge::Reference),
    };
    Look {
        get: None,
        key,
        permit: true,
    }
}
