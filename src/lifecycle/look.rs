//! Which reads a pass needs.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Desired, Facts, Refusal, Rules, Subject,
    plan::{Target, first_target, hindrance, leaves},
    subject::later,
};
use crate::api::{status::Submission, status::SubmissionOutcome, types::KmsKeyRef};

/// One sweep: the QUEUED and IN_PROGRESS jobs of an account and Region, listed to the last page.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// When the first page was asked for.
    pub begun_at: Timestamp,
    /// What was listed, by job name.
    pub running: HashMap<String, Facts>,
}

/// What the last sweep says about a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Sighting {
    /// Nothing: there was no sweep since the job was acknowledged.
    None,
    /// The sweep listed it.
    Listed {
        /// What AWS says of it. A list has no tags and no results.
        facts: Box<Facts>,
        /// When the sweep began.
        as_of: Timestamp,
    },
    /// A complete sweep that began after the acknowledgement does not list it: it ended, or its record is gone.
    Left,
}

impl Sighting {
    /// What a sweep says about an intent's job.
    pub fn of(sweep: Option<&Sweep>, submission: Option<&Submission>) -> Self {
        let (Some(sweep), Some(submission)) = (sweep, submission) else {
            return Self::None;
        };
        if let Some(facts) = sweep.running.get(&submission.job_name) {
            return Self::Listed {
                facts: Box::new(facts.clone()),
                as_of: sweep.begun_at,
            };
        }
        let acknowledged = submission
            .acknowledged_at
            .as_ref()
            .is_some_and(|t| sweep.begun_at > t.0);
        if acknowledged { Self::Left } else { Self::None }
    }

    fn listed(&self) -> bool {
        matches!(self, Self::Listed { .. })
    }
}

/// The reads that a pass needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The record to get.
    pub get: Option<Target>,
    /// The key to resolve and judge.
    pub key: Option<KeyToJudge>,
    /// A slot for a Start is wanted.
    pub permit: bool,
}

/// A key to judge before a Start.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyToJudge {
    /// A new intent: the reference is to be resolved.
    Reference(KmsKeyRef),
    /// An intent that is started again: its key is pinned.
    Pinned(String),
}

/// Says which reads this pass needs.
pub fn look(
    job: &Subject,
    desired: &Result<Desired, Refusal>,
    sighting: &Sighting,
    rules: &Rules,
    now: Timestamp,
) -> Look {
    if job.deleted.is_some() {
        return Look {
            get: deletion_target(job, rules, now),
            ..Look::default()
        };
    }
    if job.finished() || job.restored() || !job.marked() {
        return Look::default();
    }
    let start = to_start(job, desired, now);
    let Some(submission) = job.submission() else {
        return start;
    };
    let get = match submission.outcome {
        SubmissionOutcome::Ended => false,
        SubmissionOutcome::Acknowledged | SubmissionOutcome::Conflict => {
            wants_get(job, submission, sighting, rules, now)
        }
        // A list has no tags: before the acknowledgement only a Get tells whether a record is ours.
        SubmissionOutcome::Sent => sighting.listed() || job.backing_off_until(now).is_none(),
        SubmissionOutcome::Refused => {
            let leaves = leaves(job, desired.as_ref().err(), now) || job.key_refused();
            sighting.listed() || (leaves && submission.quiet(rules, now))
        }
    };
    let get = get.then(|| Target::from(submission));
    if submission.outcome.acknowledged() {
        Look { get, ..Look::default() }
    } else {
        Look { get, ..start }
    }
}

fn deletion_target(job: &Subject, rules: &Rules, now: Timestamp) -> Option<Target> {
    let quiet = job.submission().is_none_or(|s| s.quiet(rules, now));
    (job.protected && quiet)
        .then(|| first_target(job))
        .flatten()
        .filter(|target| !target.retained())
}

/// An acknowledged job is got once it left the sweep; a missing one once more when its time is up; one whose name was taken
/// until it is seen.
fn wants_get(job: &Subject, submission: &Submission, sighting: &Sighting, rules: &Rules, now: Timestamp) -> bool {
    let missing_until = submission
        .absent_since
        .as_ref()
        .map(|t| later(t.0, rules.in_flight_bound()));
    let unseen = submission.outcome == SubmissionOutcome::Conflict;
    let due = match missing_until {
        _ if sighting.listed() => unseen,
        Some(until) => now >= until,
        None => unseen || *sighting == Sighting::Left,
    };
    due || job.forced()
}

fn to_start(job: &Subject, desired: &Result<Desired, Refusal>, now: Timestamp) -> Look {
    let resting = job.backing_off_until(now).is_some() || hindrance(job, desired.as_ref().err(), now).is_some();
    let Some(desired) = desired.as_ref().ok().filter(|_| !resting) else {
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
