//! What the object says about itself: one pure function for all of its status.

mod announce;
mod conditions;
mod record;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use super::{Desired, Facts, Fault, FaultKind, KeyVerdict, Observed, Outcome, Refusal, Step, Subject, plan::Target};
use crate::api::{
    conditions::Reason,
    status::{Attempt, EncryptionMode, EncryptionStatus, JobStatus, PinnedRequest, Submission, SubmissionOutcome},
};

pub use announce::{Announcement, announce};
use conditions::{State, set_conditions};

/// The status after a step. With [`Outcome::Pending`], a Submit gives the status that holds the intent.
pub fn status(
    desired: &Result<Desired, Refusal>,
    seen: &Observed,
    step: &Step,
    outcome: &Outcome,
    now: Timestamp,
) -> JobStatus {
    let job = &seen.job;
    let mut next = job.status.clone();
    if matches!(step, Step::Protect | Step::Release { .. } | Step::Expire) {
        return next;
    }
    settle(&mut next, desired, job);
    // Without a submission and a refusal it is the time at which the key is judged again: over with the next judgement.
    if job.submission().is_none() && next.refusal.is_none() && !matches!(step, Step::Rest { .. }) {
        next.next_attempt_time = None;
    }
    let state = apply(&mut next, seen, step, outcome, now);
    set_conditions(&mut next, seen, step, state, now);
    next
}

/// What every pass brings up to date.
fn settle(next: &mut JobStatus, desired: &Result<Desired, Refusal>, job: &Subject) {
    next.observed_generation = Some(job.generation);
    if job.reconcile_at.is_some() {
        next.last_handled_reconcile_at.clone_from(&job.reconcile_at);
    }
    let corrected = next
        .refusal
        .as_ref()
        .is_some_and(|refusal| refusal.generation != job.generation);
    if corrected && job.submission().is_none() {
        next.refusal = None;
        next.next_attempt_time = None;
    }
    if let (Ok(desired), None, false) = (desired, job.submission(), job.finished()) {
        next.class = Some(desired.class.clone());
    }
}

/// Applies a step and its outcome to everything but the conditions, and says in which state the object is then.
/// `None`: as before.
fn apply(next: &mut JobStatus, seen: &Observed, step: &Step, outcome: &Outcome, now: Timestamp) -> Option<State> {
    match step {
        Step::Rest { .. } | Step::Protect | Step::Release { .. } | Step::Expire => None,
        Step::Submit(intent) => Some(submit(next, seen, intent, outcome, now)),
        Step::Follow(facts) => {
            sighted(next, seen, now);
            Some(record::running(next, facts))
        }
        Step::Conclude(facts) => {
            sighted(next, seen, now);
            Some(record::terminal(next, facts, now))
        }
        Step::TryAgain(facts, at) => {
            sighted(next, seen, now);
            Some(record::failed_attempt(next, facts, *at))
        }
        Step::Missing(as_of) => missing(next, seen, *as_of),
        Step::Withdraw => withdraw(next, seen),
        Step::Wait(wait) => Some(State::Progressing(wait.reason, wait.message.clone())),
        Step::Suspend => Some(State::Suspended),
        Step::Stall(refusal) => {
            if matches!(seen.key, KeyVerdict::Refused(_) | KeyVerdict::Unsettled { .. }) {
                next.next_attempt_time = Some(seconds(super::subject::later(now, seen.rules.key_retry)));
            }
            Some(State::Stalled(refusal.reason, refusal.to_string()))
        }
        Step::Fail(refusal) => {
            next.next_attempt_time = None;
            next.completion_time.get_or_insert(seconds(now));
            Some(State::Failed(refusal.reason, refusal.to_string()))
        }
        Step::DeleteRecord(target) => deleted(next, target, outcome),
        Step::Forget(target) => {
            forget(next, target);
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

fn not_started(next: &mut JobStatus, seen: &Observed, fault: &Fault, now: Timestamp) -> State {
    let outcome = match fault.kind {
        FaultKind::Conflict => SubmissionOutcome::Conflict,
        FaultKind::Ambiguous => SubmissionOutcome::Sent,
        FaultKind::Absent | FaultKind::Throttled | FaultKind::Denied | FaultKind::Invalid | FaultKind::NotSent => {
            SubmissionOutcome::Refused
        }
    };
    if let Some(submission) = &mut next.submission {
        submission.outcome = outcome;
    }
    if fault.kind == FaultKind::Conflict {
        let message = "AWS has a job of this name already; it is asked whether that is this object's";
        return State::Progressing(Reason::Submitting, message.to_owned());
    }
    record::refused(next, seen, fault, now)
}

/// A look has found the record. If several Starts were sent, it may be of any of them: the last one can still be on its way,
/// and would make the job once more if the record were deleted before it arrives.
fn sighted(next: &mut JobStatus, seen: &Observed, now: Timestamp) {
    let sent_again = |s: &&mut Submission| s.outcome == SubmissionOutcome::Sent && s.stray_until.is_some();
    if let Some(submission) = next.submission.as_mut().filter(sent_again) {
        submission.stray_until = Some(MicroTime(submission.quiet_at(&seen.rules)));
    }
    acknowledge(next, now);
}

/// AWS has the job, and it is ours.
fn acknowledge(next: &mut JobStatus, now: Timestamp) {
    if let Some(submission) = &mut next.submission {
        submission.outcome = SubmissionOutcome::Acknowledged;
        submission.absent_since = None;
        submission.acknowledged_at.get_or_insert(MicroTime(now));
    }
    next.refusal = None;
    next.next_attempt_time = None;
}

fn missing(next: &mut JobStatus, seen: &Observed, as_of: Timestamp) -> Option<State> {
    let submission = next.submission.as_mut()?;
    submission.absent_since = Some(MicroTime(as_of));
    let until = super::subject::later(as_of, seen.rules.in_flight_bound());
    Some(State::Progressing(
        Reason::RecordMissing,
        super::plan::missing_message(submission, until),
    ))
}

/// Nothing of the intent can land any more. Later attempts keep their number, so that no name is used twice.
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
    match &next.refusal {
        Some(_) if seen.job.limit_is_the_medias() => None,
        Some(refusal) if !FaultKind::of_code(&refusal.code).passes_by_itself() => {
            let refusal = Refusal::from(refusal);
            Some(State::Stalled(refusal.reason, refusal.to_string()))
        }
        _ => {
            next.refusal = None;
            next.next_attempt_time = None;
            let message = "the submission was taken back; nothing was billed";
            Some(State::Progressing(Reason::Accepted, message.to_owned()))
        }
    }
}

fn deleted(next: &mut JobStatus, target: &Target, outcome: &Outcome) -> Option<State> {
    match outcome {
        Outcome::Deleted(Ok(())) => forget(next, target),
        Outcome::Deleted(Err(fault)) if fault.kind == FaultKind::Absent => forget(next, target),
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

fn forget(next: &mut JobStatus, target: &Target) {
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

/// The API server keeps whole seconds of a `Time`: anything finer would never read back equal.
fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// The state that a running record shows.
fn running_state(facts: &Facts, job_name: &str) -> State {
    if facts.job_status == "QUEUED" {
        State::Progressing(Reason::Queued, format!("Amazon Transcribe has queued job {job_name}"))
    } else {
        State::Progressing(
            Reason::InProgress,
            format!("Amazon Transcribe is working on job {job_name}"),
        )
    }
}
