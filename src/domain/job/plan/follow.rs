//! The next step of an object that has an intent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{
        conditions::Reason,
        status::{Submission, SubmissionOutcome},
    },
    domain::{
        aws_error::{AwsError, NO_CREDENTIALS},
        job::{
            desired::Desired,
            observed::{Observation, Observed, Unknown},
            plan::{
                start::{SOON, again, first, identity_changed, must_withdraw, wait},
                step::{Step, Target},
            },
            remote::RemoteJob,
            view::{JobView, later},
        },
        rejection::Rejection,
        review::denial,
    },
};

/// The documented reasons for FAILED that are permanent: the same media would fail again.
const PERMANENT_FAILURES: [&str; 6] = [
    "Unsupported media format",
    "The media format provided does not match the detected media format",
    "Invalid sample rate for audio file",
    "The sample rate provided does not match the detected sample rate",
    "Invalid file size: file size too large",
    "Invalid number of channels: number of channels too large",
];

pub(super) fn plan(
    desired: &Result<Desired, Rejection>,
    seen: &Observed,
    submission: &Submission,
    now: Timestamp,
) -> Step {
    if submission.outcome == SubmissionOutcome::Ended {
        return first(desired, seen, now);
    }
    match &seen.record {
        Observation::Running { facts, .. } | Observation::Terminal { facts, .. }
            if !Target::from(submission).ours(facts, seen) =>
        {
            Step::Fail(name_conflict(submission))
        }
        Observation::Running { facts, .. } => Step::Follow(facts.clone()),
        Observation::Terminal { facts, .. } => complete_or_retry(seen, facts, now),
        Observation::Absent { as_of } if submission.outcome.acknowledged() => vanished(seen, submission, *as_of),
        Observation::Absent { as_of } => not_found(desired, seen, submission, *as_of, now),
        Observation::Unknown(why) => unknown(desired, seen, submission, why, now),
    }
}

fn complete_or_retry(seen: &Observed, facts: &RemoteJob, now: Timestamp) -> Step {
    let reason = facts.failure_reason.as_deref().unwrap_or_default();
    let permanent = PERMANENT_FAILURES.iter().any(|known| reason.starts_with(known));
    let failures = seen.job.failures();
    if facts.completed() || permanent || failures >= seen.job.controls.backoff_limit {
        return Step::Complete(Box::new(facts.clone()));
    }
    let delay = doubling(Duration::from_secs(10), failures, Duration::from_mins(6));
    Step::Retry(Box::new(facts.clone()), later(now, delay))
}

/// The delay `first`, doubled `times` times, but at most `cap`.
pub(in crate::domain) fn doubling(first: Duration, times: usize, cap: Duration) -> Duration {
    let factor = 1_u32
        .checked_shl(u32::try_from(times).unwrap_or(u32::MAX))
        .unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(cap)
}

/// AWS acknowledged the job, but has no record of it now. A second absence, at least one in-flight bound after the first, means
/// that the record is lost.
fn vanished(seen: &Observed, submission: &Submission, as_of: Timestamp) -> Step {
    let Some(since) = &submission.absent_since else {
        return Step::NoteAbsent(as_of);
    };
    let until = later(since.0, seen.lost_after());
    if as_of >= until {
        let message = format!(
            "AWS acknowledged job {}, but its record has vanished; it may have run and been billed, so it is not repeated",
            submission.job_name
        );
        return Step::Fail(Rejection::new(Reason::RecordLost, message));
    }
    wait(Reason::RecordMissing, missing_message(submission, until), until)
}

/// The message for a missing record. `until` is when AWS is asked for it once more.
pub(in crate::domain) fn missing_message(submission: &Submission, until: Timestamp) -> String {
    format!(
        "AWS acknowledged job {} but does not find it now; it is looked for again at {until}",
        submission.job_name
    )
}

/// AWS has no job of this name and has not acknowledged one: start the job again, or withdraw the intent if a Start is
/// forbidden now.
fn not_found(
    desired: &Result<Desired, Rejection>,
    seen: &Observed,
    submission: &Submission,
    as_of: Timestamp,
    now: Timestamp,
) -> Step {
    let job = &seen.job;
    let denied = denial(desired, &seen.key);
    let withdraws = match submission.outcome {
        SubmissionOutcome::Refused => must_withdraw(job, denied, now),
        SubmissionOutcome::Sent
        | SubmissionOutcome::Acknowledged
        | SubmissionOutcome::Conflict
        | SubmissionOutcome::Ended => crate::domain::job::plan::start_blocker(job, denied, now).is_some(),
    };
    if !withdraws {
        return again(desired, seen, submission, now);
    }
    let settled_at = seen.settled_at(submission);
    if as_of > settled_at {
        return match &job.status.rejection {
            Some(rejection) if submission.attempt > 1 && permanently_refused(seen, submission) => {
                Step::Fail(rejection.into())
            }
            _ => Step::Withdraw,
        };
    }
    wait(
        Reason::Withdrawing,
        withdrawing(submission, settled_at),
        past(settled_at),
    )
}

fn permanently_refused(seen: &Observed, submission: &Submission) -> bool {
    submission.outcome == SubmissionOutcome::Refused && !seen.job.refusal_passes()
}

fn withdrawing(submission: &Submission, settled_at: Timestamp) -> String {
    format!(
        "the submission of {} is being taken back; its reply was lost, so a late request could still arrive until {settled_at}",
        submission.job_name
    )
}

/// Just after `settled_at`: an attempt is settled only when that time is over.
pub(super) fn past(settled_at: Timestamp) -> Timestamp {
    settled_at
        .checked_add(SignedDuration::from_millis(1))
        .unwrap_or(Timestamp::MAX)
}

fn unknown(
    desired: &Result<Desired, Rejection>,
    seen: &Observed,
    submission: &Submission,
    why: &Unknown,
    now: Timestamp,
) -> Step {
    let job = &seen.job;
    let soon = later(now, SOON);
    match why {
        Unknown::Failed(fault) => wait(fault.reason(), unreachable(job, submission, fault), soon),
        Unknown::OtherIdentity(identity) => wait(
            Reason::IdentityChanged,
            identity_changed(submission, identity.as_ref()),
            soon,
        ),
        Unknown::NoPermit => Step::NoOp {
            until: Some(later(now, Duration::from_secs(1))),
        },
        Unknown::NotAsked => match submission.outcome {
            SubmissionOutcome::Refused if must_withdraw(job, denial(desired, &seen.key), now) => {
                let settled_at = seen.settled_at(submission);
                wait(
                    Reason::Withdrawing,
                    withdrawing(submission, settled_at),
                    past(settled_at),
                )
            }
            SubmissionOutcome::Refused => match job.backing_off_until(now) {
                Some(until) => Step::NoOp { until: Some(until) },
                None => again(desired, seen, submission, now),
            },
            SubmissionOutcome::Sent => Step::NoOp {
                until: job.backing_off_until(now).or(Some(soon)),
            },
            SubmissionOutcome::Acknowledged | SubmissionOutcome::Conflict => Step::NoOp {
                until: submission.absent_since.as_ref().map(|t| later(t.0, seen.lost_after())),
            },
            SubmissionOutcome::Ended => first(desired, seen, now),
        },
    }
}

fn unreachable(job: &JobView, submission: &Submission, fault: &AwsError) -> String {
    let class = job.status.class.as_ref().map(|class| class.name.as_str());
    let why = if fault.code == NO_CREDENTIALS {
        fault.public(class)
    } else {
        fault.code.clone()
    };
    format!(
        "AWS could not be asked about job {} ({why}); it is tried again",
        submission.job_name
    )
}

fn name_conflict(submission: &Submission) -> Rejection {
    let message = format!(
        "AWS has a job {} that this object did not make; it is left alone. Create a new object, whose job gets another name",
        submission.job_name
    );
    Rejection::new(Reason::NameConflict, message)
}
