//! When to reconcile again, if no event comes first.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    api::status::{Attempt, JobStatus, SubmissionOutcome},
    domain::job::{
        plan::{SOON, Step},
        view::JobView,
    },
};

/// A running job is reconciled when a list snapshot shows a change. This is the resync interval in case none does.
const RESYNC: Duration = Duration::from_mins(10);

/// Returns how long to wait after a step that led to this status. `None`: until the object changes.
pub fn requeue(step: &Step, after: &JobStatus, now: Timestamp) -> Option<Duration> {
    let at = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or_default();
    // A time in the past belongs to the last rejection, and is not what this step waits for.
    let next_attempt = after
        .next_attempt_time
        .as_ref()
        .map(|t| at(t.0))
        .filter(|wait| !wait.is_zero());
    match step {
        Step::NoOp { until } => until.map(at),
        Step::Wait(wait) => wait.until.map(at).or(next_attempt),
        Step::Stall(_) => next_attempt,
        Step::Suspend | Step::Fail(_) | Step::Complete(_) | Step::RemoveFinalizer { .. } | Step::Expire => None,
        Step::Submit(_) => {
            let outcome = after.submission.as_ref().map(|s| s.outcome);
            if outcome == Some(SubmissionOutcome::Acknowledged) {
                Some(RESYNC)
            } else {
                next_attempt.or(Some(Duration::ZERO))
            }
        }
        Step::Retry(_, until) => Some(at(*until)),
        Step::Follow(_) => Some(RESYNC),
        Step::DeleteRecord(target) => {
            let gone = |attempt: &Attempt| attempt.job_name != target.job_name || attempt.record_gone;
            Some(if after.attempts.iter().all(gone) {
                Duration::ZERO
            } else {
                SOON
            })
        }
        Step::NoteAbsent(_) | Step::AddFinalizer | Step::Withdraw | Step::MarkRecordGone(_) => Some(Duration::ZERO),
    }
}

/// Returns how long it is until the start deadline, for an object that waits for something else: it must be reconciled then to
/// fail in time.
pub fn start_deadline(step: &Step, job: &JobView, now: Timestamp) -> Option<Duration> {
    let waits = matches!(step, Step::Stall(_) | Step::Wait(_) | Step::NoOp { .. });
    let begun = |outcome| outcome == SubmissionOutcome::Ended || SubmissionOutcome::acknowledged(outcome);
    let submitted = job.submission().is_some_and(|s| s.attempt > 1 || begun(s.outcome));
    if !waits || submitted || job.finished() || job.deleted.is_some() {
        return None;
    }
    let left = job.start_deadline(now)?.duration_since(now);
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}
