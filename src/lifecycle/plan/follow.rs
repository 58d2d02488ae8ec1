//! What an object with an intent needs.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    Step, Target,
    start::{SOON, again, first, identity_changed, leaves, wait},
};
use crate::{
    api::{
        conditions::Reason,
        status::{Submission, SubmissionOutcome},
    },
    lifecycle::{
        Desired, Facts, Fault, Observed, Record, Refusal, Subject, Unknown, fault::NO_CREDENTIALS, subject::later,
    },
};

/// The documented reasons for FAILED that the same media meets again.
const PERMANENT_FAILURES: [&str; 6] = [
    "Unsupported media format",
    "The media format provided does not match the detected media format",
    "Invalid sample rate for audio file",
    "The sample rate provided does not match the detected sample rate",
    "Invalid file size: file size too large",
    "Invalid number of channels: number of channels too large",
];

pub(super) fn plan(
    desired: &Result<Desired, Refusal>,
    seen: &Observed,
    submission: &Submission,
    now: Timestamp,
) -> Step {
    if submission.outcome == SubmissionOutcome::Ended {
        return first(desired, seen, now);
    }
    match &seen.record {
        Record::Running { facts, .. } | Record::Terminal { facts, .. }
            if !Target::from(submission).ours(facts, seen) =>
        {
            Step::Fail(name_conflict(submission))
        }
        Record::Running { facts, .. } => Step::Follow(facts.clone()),
        Record::Terminal { facts, .. } => conclude(seen, facts, now),
        Record::Absent { as_of } if submission.outcome.acknowledged() => missing(seen, submission, *as_of),
        Record::Absent { as_of } => absent(desired, seen, submission, *as_of, now),
        Record::Unknown(why) => unknown(desired, seen, submission, why, now),
    }
}

fn conclude(seen: &Observed, facts: &Facts, now: Timestamp) -> Step {
    let reason = facts.failure_reason.as_deref().unwrap_or_default();
    let permanent = PERMANENT_FAILURES.iter().any(|known| reason.starts_with(known));
    let failures = seen.job.failures();
    if facts.completed() || permanent || failures >= seen.job.controls.backoff_limit {
        return Step::Conclude(Box::new(facts.clone()));
    }
    let delay = doubling(Duration::from_secs(10), failures, Duration::from_mins(6));
    Step::TryAgain(Box::new(facts.clone()), later(now, delay))
}

/// `first`, doubled `times` times, at most `cap`.
pub(in crate::lifecycle) fn doubling(first: Duration, times: usize, cap: Duration) -> Duration {
    let factor = 1_u32
        .checked_shl(u32::try_from(times).unwrap_or(u32::MAX))
        .unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(cap)
}

fn missing(seen: &Observed, submission: &Submission, as_of: Timestamp) -> Step {
    let Some(since) = &submission.absent_since else {
        return Step::Missing(as_of);
    };
    let until = later(since.0, seen.lost_after());
    if as_of >= until {
        let message = format!(
            "AWS acknowledged job {}, but its record has vanished; it may have run and been billed, so it is not repeated",
            submission.job_name
        );
        return Step::Fail(Refusal::new(Reason::RecordLost, message));
    }
    wait(Reason::RecordMissing, missing_message(submission, until), until)
}

/// The message about a record that is looked for once more at the time given.
pub(in crate::lifecycle) fn missing_message(submission: &Submission, until: Timestamp) -> String {
    format!(
        "AWS acknowledged job {} but does not find it now; it is looked for again at {until}",
        submission.job_name
    )
}

/// No job of the name, and no acknowledgement: a Start may follow, or the intent is taken back.
fn absent(
    desired: &Result<Desired, Refusal>,
    seen: &Observed,
    submission: &Submission,
    as_of: Timestamp,
    now: Timestamp,
) -> Step {
    let job = &seen.job;
    let refused = desired.as_ref().err().or_else(|| seen.key_refusal());
    let leaving = match submission.outcome {
        SubmissionOutcome::Refused => leaves(job, refused, now),
        SubmissionOutcome::Sent
        | SubmissionOutcome::Acknowledged
        | SubmissionOutcome::Conflict
        | SubmissionOutcome::Ended => super::hindrance(job, refused, now).is_some(),
    };
    if !leaving {
        return again(desired, seen, submission, now);
    }
    let quiet_at = seen.quiet_at(submission);
    if as_of > quiet_at {
        return match &job.status.refusal {
            Some(refusal) if submission.attempt > 1 && refused_for_good(seen, submission) => Step::Fail(refusal.into()),
            _ => Step::Withdraw,
        };
    }
    wait(Reason::Withdrawing, withdrawing(submission, quiet_at), past(quiet_at))
}

fn refused_for_good(seen: &Observed, submission: &Submission) -> bool {
    submission.outcome == SubmissionOutcome::Refused && !seen.job.refusal_passes()
}

fn withdrawing(submission: &Submission, quiet_at: Timestamp) -> String {
    format!(
        "the submission of {} is being taken back; its reply was lost, so a late request could still arrive until {quiet_at}",
        submission.job_name
    )
}

/// The instant after which something is quiet, and not at.
pub(super) fn past(quiet_at: Timestamp) -> Timestamp {
    quiet_at
        .checked_add(SignedDuration::from_millis(1))
        .unwrap_or(Timestamp::MAX)
}

fn unknown(
    desired: &Result<Desired, Refusal>,
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
        Unknown::NoPermit => Step::Rest {
            until: Some(later(now, Duration::from_secs(1))),
        },
        Unknown::NotAsked => match submission.outcome {
            SubmissionOutcome::Refused if leaves(job, desired.as_ref().err().or_else(|| seen.key_refusal()), now) => {
                let quiet_at = seen.quiet_at(submission);
                wait(Reason::Withdrawing, withdrawing(submission, quiet_at), past(quiet_at))
            }
            SubmissionOutcome::Refused => match job.backing_off_until(now) {
                Some(until) => Step::Rest { until: Some(until) },
                None => again(desired, seen, submission, now),
            },
            SubmissionOutcome::Sent => Step::Rest {
                until: job.backing_off_until(now).or(Some(soon)),
            },
            SubmissionOutcome::Acknowledged | SubmissionOutcome::Conflict => Step::Rest {
                until: submission.absent_since.as_ref().map(|t| later(t.0, seen.lost_after())),
            },
            SubmissionOutcome::Ended => first(desired, seen, now),
        },
    }
}

fn unreachable(job: &Subject, submission: &Submission, fault: &Fault) -> String {
    let class = job.status.class.as_ref().map(|class| class.name.as_str());
    let why = if fault.code == NO_CREDENTIALS {
        fault.told(class)
    } else {
        fault.code.clone()
    };
    format!(
        "AWS could not be asked about job {} ({why}); it is tried again",
        submission.job_name
    )
}

fn name_conflict(submission: &Submission) -> Refusal {
    let message = format!(
        "AWS has a job {} that this object did not make; it is left alone. Create a new object, whose job gets another name",
        submission.job_name
    );
    Refusal::new(Reason::NameConflict, message)
}
