//! When to come back, if nothing happens before.

use std::time::Duration;

use jiff::Timestamp;

use super::Step;
use crate::api::status::{JobStatus, SubmissionOutcome};

/// A job that is followed is woken by sweeps; this is the net under them.
const NET: Duration = Duration::from_mins(10);

/// How long to rest after a step that left this status. `None`: until the object changes.
pub fn requeue(step: &Step, after: &JobStatus, now: Timestamp) -> Option<Duration> {
    let at = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or_default();
    let next_attempt = after.next_attempt_time.as_ref().map(|t| at(t.0));
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
        Step::Missing(_) | Step::Protect | Step::Withdraw | Step::Forget(_) | Step::DeleteRecord(_) => {
            Some(Duration::ZERO)
        }
    }
}
