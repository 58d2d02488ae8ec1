//! When to come back, if nothing happens before.

use std::time::Duration;

use jiff::Timestamp;

use super::{Step, Subject, plan::SOON};
use crate::api::status::{Attempt, JobStatus, SubmissionOutcome};

/// A job that is followed is woken by sweeps; this is the net under them.
const NET: Duration = Duration::from_mins(10);

/// How long to rest after a step that left this status. `None`: until the object changes.
pub fn requeue(step: &Step, after: &JobStatus, now: Timestamp) -> Option<Duration> {
    let at = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or_default();
    // A time that has passed is the last refusal's, and not what this step waits for.
    let next_attempt = after
        .next_attempt_time
        .as_ref()
        .map(|t| at(t.0))
        .filter(|wait| !wait.is_zero());
    match step {
        Step::Rest { until } => until.map(at),
        Step::Wait(wait) => wait.until.map(at).or(next_attempt),
        Step::Stall(_) => next_attempt,
        Step::Suspend | Step::Fail(_) | Step::Conclude(_) | Step::Release { .. } | Step::Expire => None,
        Step::Submit(_) => {
            let outcome = after.submission.as_ref().map(|s| s.outcome);
            if outcome == Some(SubmissionOutcome::Acknowledged) {
                Some(NET)
            } else {
                next_attempt.or(Some(Duration::ZERO))
            }
        }
        Step::TryAgain(_, until) => Some(at(*until)),
        Step::Follow(_) => Some(NET),
        Step::DeleteRecord(target) => {
            let gone = |attempt: &Attempt| attempt.job_name != target.job_name || attempt.record_gone;
            Some(if after.attempts.iter().all(gone) {
                Duration::ZERO
            } else {
                SOON
            })
        }
        Step::Missing(_) | Step::Protect | Step::Withdraw | Step::Forget(_) => Some(Duration::ZERO),
    }
}

/// How long until the start deadline strikes, for an object that waits for something else: it is to fail in time.
pub fn start_deadline(step: &Step, job: &Subject, now: Timestamp) -> Option<Duration> {
    let waits = matches!(step, Step::Stall(_) | Step::Wait(_) | Step::Rest { .. });
    let begun = |outcome| outcome == SubmissionOutcome::Ended || SubmissionOutcome::acknowledged(outcome);
    let submitted = job.submission().is_some_and(|s| s.attempt > 1 || begun(s.outcome));
    if !waits || submitted || job.finished() || job.deleted.is_some() {
        return None;
    }
    let left = job.start_deadline(now)?.duration_since(now);
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}
