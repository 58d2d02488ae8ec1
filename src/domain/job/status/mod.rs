//! Derives the whole status of an object, in one pure function.

mod conditions;
mod event;
mod record;
mod state;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::{
    api::{
        conditions::Reason,
        status::{Attempt, EncryptionMode, EncryptionStatus, JobStatus, PinnedRequest, Submission, SubmissionOutcome},
    },
    domain::{
        aws_error::{AwsError, AwsErrorKind},
        job::{
            desired::Desired,
            observed::Observed,
            outcome::Outcome,
            plan::{Step, Target},
            status::state::{State, seconds},
            view::{JobView, later},
        },
        key::KeyVerdict,
        rejection::Rejection,
    },
};

use conditions::set_conditions;
pub use event::event;

/// Returns the status after a step. For a Submit with [`Outcome::Pending`] it is the status with the intent, to be written
/// before the Start.
pub fn status(
    desired: &Result<Desired, Rejection>,
    seen: &Observed,
    step: &Step,
    outcome: &Outcome,
    now: Timestamp,
) -> JobStatus {
    let job = &seen.job;
    let mut next = job.status.clone();
    if matches!(step, Step::AddFinalizer | Step::RemoveFinalizer { .. } | Step::Expire) {
        return next;
    }
    set_metadata(&mut next, desired, job);
    // Without a submission and a rejection, this is when the key is checked again. This reconcile has checked it.
    if job.submission().is_none() && next.rejection.is_none() && !matches!(step, Step::NoOp { .. }) {
        next.next_attempt_time = None;
    }
    let state = apply(&mut next, seen, step, outcome, now);
    set_conditions(&mut next, seen, step, state, now);
    next
}

/// Updates what every reconcile updates: generation, class, and a rejection that belongs to an older spec.
fn set_metadata(next: &mut JobStatus, desired: &Result<Desired, Rejection>, job: &JobView) {
    next.observed_generation = Some(job.generation);
    if job.reconcile_at.is_some() {
        next.last_handled_reconcile_at.clone_from(&job.reconcile_at);
    }
    let corrected = next
        .rejection
        .as_ref()
        .is_some_and(|rejection| rejection.generation != job.generation);
    if corrected && job.submission().is_none() {
        next.rejection = None;
        next.next_attempt_time = None;
    }
    if let (Ok(desired), None, false) = (desired, job.submission(), job.finished()) {
        next.class = Some(desired.class.clone());
    }
}

/// Applies a step and its outcome to everything but the conditions. Returns the new state of the object; `None` if it is
/// unchanged.
fn apply(next: &mut JobStatus, seen: &Observed, step: &Step, outcome: &Outcome, now: Timestamp) -> Option<State> {
    match step {
        Step::NoOp { .. } | Step::AddFinalizer | Step::RemoveFinalizer { .. } | Step::Expire => None,
        Step::Submit(intent) => Some(submit(next, seen, intent, outcome, now)),
        Step::Follow(facts) => {
            record_found(next, seen, now);
            Some(record::running(next, facts))
        }
        Step::Complete(facts) => {
            record_found(next, seen, now);
            Some(record::terminal(next, facts, now))
        }
        Step::Retry(facts, at) => {
            record_found(next, seen, now);
            Some(record::failed_attempt(next, facts, *at))
        }
        Step::NoteAbsent(as_of) => note_absent(next, seen, *as_of),
        Step::Withdraw => withdraw(next, seen),
        Step::Wait(wait) => Some(State::Progressing(wait.reason, wait.message.clone())),
        Step::Suspend => Some(State::Suspended),
        Step::Stall(rejection) => {
            if matches!(seen.key, KeyVerdict::Refused(_) | KeyVerdict::Unsettled { .. }) {
                next.next_attempt_time = Some(seconds(later(now, seen.limits.key_recheck_interval)));
            }
            Some(State::Stalled(rejection.reason, rejection.to_string()))
        }
        Step::Fail(rejection) => {
            next.next_attempt_time = None;
            next.completion_time.get_or_insert(seconds(now));
            Some(State::Failed(rejection.reason, rejection.to_string()))
        }
        Step::DeleteRecord(target) => deleted(next, target, outcome),
        Step::MarkRecordGone(target) => {
            mark_record_gone(next, target);
            None
        }
    }
}

fn submit(next: &mut JobStatus, seen: &Observed, intent: &Submission, outcome: &Outcome, now: Timestamp) -> State {
    if seen.job.submission().is_none() {
        next.attempts.clear();
    }
    if next.attempts.last().is_none_or(|last| last.attempt != intent.attempt) {
        next.attempts.push(Attempt {
            attempt: intent.attempt,
            job_name: intent.job_name.clone(),
            account: intent.account.clone(),
            region: intent.region.clone(),
            started_at: intent.first_started_at.clone(),
            failure_reason: None,
            record_gone: false,
        });
    }
    next.job_name = Some(intent.job_name.clone());
    next.attempt = Some(intent.attempt);
    next.encryption = Some(encryption(&intent.request));
    if let Some(class) = &mut next.class {
        class.account_id = Some(intent.account.clone());
    }
    next.next_attempt_time = None;
    next.job_status = None;
    next.failure_reason = None;
    next.submission = Some(intent.clone());
    match outcome {
        Outcome::Started(Ok(facts)) => {
            acknowledge(next, now);
            record::running(next, facts)
        }
        Outcome::Started(Err(fault)) => not_started(next, seen, fault, now),
        Outcome::Pending | Outcome::Done | Outcome::Deleted(_) => {
            State::Progressing(Reason::Submitting, format!("submitting job {}", intent.job_name))
        }
    }
}

fn not_started(next: &mut JobStatus, seen: &Observed, fault: &AwsError, now: Timestamp) -> State {
    let outcome = match fault.kind {
        AwsErrorKind::Conflict => SubmissionOutcome::Conflict,
        AwsErrorKind::Ambiguous => SubmissionOutcome::Sent,
        AwsErrorKind::Absent
        | AwsErrorKind::Throttled
        | AwsErrorKind::Denied
        | AwsErrorKind::Invalid
        | AwsErrorKind::NotSent => SubmissionOutcome::Refused,
    };
    if let Some(submission) = &mut next.submission {
        submission.outcome = outcome;
    }
    if fault.kind == AwsErrorKind::Conflict {
        let message = "AWS already has a job of this name; the operator checks whether it belongs to this object";
        return State::Progressing(Reason::Submitting, message.to_owned());
    }
    record::refused(next, seen, fault, now)
}

/// Acknowledges a record that a read has found. If several Starts were sent, the record may come from any of them: the last
/// Start can still arrive, and would create the job again if the record were deleted first. So `inFlightUntil` keeps its
/// time.
fn record_found(next: &mut JobStatus, seen: &Observed, now: Timestamp) {
    let sent_again = |s: &&mut Submission| s.outcome == SubmissionOutcome::Sent && s.in_flight_until.is_some();
    if let Some(submission) = next.submission.as_mut().filter(sent_again) {
        submission.in_flight_until = Some(MicroTime(submission.settled_at(&seen.limits)));
    }
    acknowledge(next, now);
}

/// Notes that AWS has the job and that it is ours.
fn acknowledge(next: &mut JobStatus, now: Timestamp) {
    if let Some(submission) = &mut next.submission {
        submission.outcome = SubmissionOutcome::Acknowledged;
        submission.absent_since = None;
        submission.acknowledged_at.get_or_insert(MicroTime(now));
    }
    next.rejection = None;
    next.next_attempt_time = None;
}

fn note_absent(next: &mut JobStatus, seen: &Observed, as_of: Timestamp) -> Option<State> {
    let submission = next.submission.as_mut()?;
    submission.absent_since = Some(MicroTime(as_of));
    let until = later(as_of, seen.limits.in_flight_bound());
    Some(State::Progressing(
        Reason::RecordMissing,
        crate::domain::job::plan::missing_message(submission, until),
    ))
}

/// Removes the intent. A later attempt keeps its number, so that no name is used twice.
fn withdraw(next: &mut JobStatus, seen: &Observed) -> Option<State> {
    next.attempts.pop();
    match &mut next.submission {
        Some(submission) if submission.attempt > 1 => submission.outcome = SubmissionOutcome::Ended,
        _ => {
            next.submission = None;
            next.job_name = None;
            next.attempt = None;
            next.encryption = None;
        }
    }
    match &next.rejection {
        Some(_) if seen.job.limit_is_the_medias() => None,
        Some(rejection) if !AwsErrorKind::of_code(&rejection.code).passes_by_itself() => {
            let rejection = Rejection::from(rejection);
            Some(State::Stalled(rejection.reason, rejection.to_string()))
        }
        _ => {
            next.rejection = None;
            next.next_attempt_time = None;
            let message = "the submission was taken back; nothing was billed";
            Some(State::Progressing(Reason::Accepted, message.to_owned()))
        }
    }
}

fn deleted(next: &mut JobStatus, target: &Target, outcome: &Outcome) -> Option<State> {
    match outcome {
        Outcome::Deleted(Ok(())) => mark_record_gone(next, target),
        Outcome::Deleted(Err(fault)) if fault.kind == AwsErrorKind::Absent => mark_record_gone(next, target),
        Outcome::Deleted(Err(fault)) => {
            let message = format!(
                "AWS did not delete the record of job {} ({}); it is tried again",
                target.job_name, fault.code
            );
            return Some(State::Progressing(Reason::Deleting, message));
        }
        Outcome::Pending | Outcome::Done | Outcome::Started(_) => {}
    }
    None
}

fn mark_record_gone(next: &mut JobStatus, target: &Target) {
    for attempt in next
        .attempts
        .iter_mut()
        .filter(|attempt| attempt.job_name == target.job_name)
    {
        attempt.record_gone = true;
    }
}

fn encryption(request: &PinnedRequest) -> EncryptionStatus {
    EncryptionStatus {
        mode: if request.kms_key_arn.is_some() {
            EncryptionMode::SseKms
        } else {
            EncryptionMode::SseS3
        },
        kms_key_arn: request.kms_key_arn.clone(),
        context: request.context.clone(),
    }
}
