//! What the status takes from AWS's answers.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    fmt::friendly::{Designator, Spacing, SpanPrinter},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{State, running_state, seconds};
use crate::{
    api::{
        conditions::Reason,
        status::{JobStatus, OutputStatus, RefusalStatus, SubmissionOutcome},
    },
    lifecycle::{Facts, Fault, FaultKind, Observed, Refusal, plan::doubling, subject::later},
};

/// After so many refusals in a row, while others are admitted, the limit is the media's and not the account's.
const LIMIT_IS_THE_MEDIAS: i32 = 5;

fn mirror(next: &mut JobStatus, facts: &Facts) {
    next.job_status = Some(facts.job_status.clone());
    keep(&mut next.creation_time, facts.creation_time);
    keep(&mut next.start_time, facts.start_time);
    if facts.language_code.is_some() {
        next.language_code.clone_from(&facts.language_code);
    }
}

/// AWS's times replace ours only where AWS says them.
fn keep(field: &mut Option<Time>, time: Option<Timestamp>) {
    if let Some(time) = time {
        *field = Some(seconds(time));
    }
}

pub(super) fn running(next: &mut JobStatus, facts: &Facts) -> State {
    mirror(next, facts);
    running_state(facts, next.job_name.as_deref().unwrap_or_default())
}

fn ended(next: &mut JobStatus, facts: &Facts) {
    mirror(next, facts);
    next.failure_reason.clone_from(&facts.failure_reason);
    let failure = (!facts.completed()).then(|| facts.failure_reason.clone().unwrap_or_else(|| "FAILED".to_owned()));
    if let Some(attempt) = next.attempts.last_mut() {
        attempt.failure_reason = failure;
    }
}

pub(super) fn terminal(next: &mut JobStatus, facts: &Facts, now: Timestamp) -> State {
    ended(next, facts);
    next.identified_languages.clone_from(&facts.identified_languages);
    next.skipped.clone_from(&facts.skipped);
    next.output = (facts.output != OutputStatus::default()).then(|| facts.output.clone());
    next.completion_time = Some(seconds(facts.completion_time.unwrap_or(now)));
    next.duration = duration(next);
    if facts.completed() {
        return State::Complete(completed(&facts.output));
    }
    let reason = next.failure_reason.as_deref().unwrap_or("no reason given");
    State::Failed(Reason::JobFailed, format!("Amazon Transcribe failed the job: {reason}"))
}

fn completed(output: &OutputStatus) -> String {
    let transcript = output
        .transcript_uri
        .as_ref()
        .or(output.redacted_transcript_uri.as_ref());
    transcript.map_or_else(
        || "the job completed".to_owned(),
        |uri| format!("the job completed; its transcript is {uri}"),
    )
}

fn duration(status: &JobStatus) -> Option<String> {
    let begun = status.creation_time.as_ref().or(status.start_time.as_ref())?.0;
    let lasted = status.completion_time.as_ref()?.0.duration_since(begun);
    let printer = SpanPrinter::new()
        .spacing(Spacing::None)
        .designator(Designator::Compact);
    Some(printer.duration_to_string(&lasted.max(SignedDuration::ZERO)))
}

pub(super) fn failed_attempt(next: &mut JobStatus, facts: &Facts, at: Timestamp) -> State {
    ended(next, facts);
    if let Some(submission) = &mut next.submission {
        submission.outcome = SubmissionOutcome::Ended;
    }
    let at = seconds(at);
    let reason = next.failure_reason.as_deref().unwrap_or("no reason given");
    let message = format!("the last attempt failed ({reason}); the next one starts at {}", at.0);
    next.next_attempt_time = Some(at);
    State::Progressing(Reason::BackOff, message)
}

/// Keeps a refused or unanswered Start, and says when the next one may follow.
pub(super) fn refused(next: &mut JobStatus, seen: &Observed, fault: &Fault, now: Timestamp) -> State {
    let before = next
        .refusal
        .as_ref()
        .filter(|before| before.code == fault.code)
        .map_or(0, |before| before.count);
    let refusal = RefusalStatus {
        code: fault.code.clone(),
        message: fault.told(next.class.as_ref().map(|class| class.name.as_str())),
        count: before.saturating_add(1),
        time: seconds(now),
        generation: seen.job.generation,
    };
    let too_long = fault.code == "LimitExceededException" && before >= LIMIT_IS_THE_MEDIAS && seen.others_admitted;
    let delay = spread(&seen.job.uid, delay(fault.kind, before, too_long));
    next.next_attempt_time = Some(seconds(later(now, delay)));
    let told = Refusal::from(&refusal);
    next.refusal = Some(refusal);
    match fault.kind {
        _ if too_long => State::Stalled(
            Reason::LimitOrInputTooLong,
            format!(
                "{} While it is refused, other jobs are admitted: the media may be too long",
                told.message
            ),
        ),
        FaultKind::Throttled | FaultKind::NotSent => State::Progressing(told.reason, told.message),
        FaultKind::Ambiguous => State::Progressing(
            Reason::Submitting,
            format!(
                "the reply to the submission was lost ({}); AWS is asked whether it has the job",
                fault.code
            ),
        ),
        FaultKind::Conflict | FaultKind::Absent | FaultKind::Denied | FaultKind::Invalid => {
            State::Stalled(told.reason, told.message)
        }
    }
}

fn delay(kind: FaultKind, before: i32, too_long: bool) -> Duration {
    let times = usize::try_from(before).unwrap_or_default();
    let hour = Duration::from_hours(1);
    if too_long {
        return doubling(Duration::from_mins(10), times.saturating_sub(5), hour);
    }
    match kind {
        FaultKind::Throttled | FaultKind::NotSent | FaultKind::Ambiguous => {
            doubling(Duration::from_secs(2), times, Duration::from_mins(5))
        }
        FaultKind::Conflict | FaultKind::Absent | FaultKind::Denied | FaultKind::Invalid => {
            doubling(Duration::from_mins(1), times, hour)
        }
    }
}

/// Up to a quarter more, different for each object, so that what was refused together does not come back together.
fn spread(uid: &str, delay: Duration) -> Duration {
    let salt: u32 = uid.bytes().map(u32::from).sum::<u32>() % 25;
    delay + delay * salt / 100
}
