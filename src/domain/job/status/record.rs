//! Copies AWS's answers into the status.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    fmt::friendly::{Designator, Spacing, SpanPrinter},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{
        conditions::Reason,
        status::{JobStatus, OutputStatus, RejectionStatus, SubmissionOutcome},
    },
    domain::{
        aws_error::{AwsError, AwsErrorKind},
        job::{
            observed::Observed,
            plan::doubling,
            remote::RemoteJob,
            status::state::{State, running_state, seconds},
            view::later,
        },
        rejection::Rejection,
    },
};

/// After this many rejections in a row while AWS accepts other jobs, the limit applies to the media and not to the account.
const LIMIT_IS_THE_MEDIAS: i32 = 5;

fn mirror(next: &mut JobStatus, facts: &RemoteJob) {
    next.job_status = Some(facts.job_status.clone());
    set_if_known(&mut next.creation_time, facts.creation_time);
    set_if_known(&mut next.start_time, facts.start_time);
    if facts.language_code.is_some() {
        next.language_code.clone_from(&facts.language_code);
    }
}

/// Sets a time if AWS reported one; otherwise the stored one stays.
fn set_if_known(field: &mut Option<Time>, time: Option<Timestamp>) {
    if let Some(time) = time {
        *field = Some(seconds(time));
    }
}

pub(super) fn running(next: &mut JobStatus, facts: &RemoteJob) -> State {
    mirror(next, facts);
    running_state(facts, next.job_name.as_deref().unwrap_or_default())
}

fn ended(next: &mut JobStatus, facts: &RemoteJob) {
    mirror(next, facts);
    next.failure_reason.clone_from(&facts.failure_reason);
    let failure = (!facts.completed()).then(|| facts.failure_reason.clone().unwrap_or_else(|| "FAILED".to_owned()));
    if let Some(attempt) = next.attempts.last_mut() {
        attempt.failure_reason = failure;
    }
}

pub(super) fn terminal(next: &mut JobStatus, facts: &RemoteJob, now: Timestamp) -> State {
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

pub(super) fn failed_attempt(next: &mut JobStatus, facts: &RemoteJob, at: Timestamp) -> State {
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

/// Records a Start that was rejected or not answered, and when the next one may follow.
pub(super) fn refused(next: &mut JobStatus, seen: &Observed, fault: &AwsError, now: Timestamp) -> State {
    let before = next
        .rejection
        .as_ref()
        .filter(|before| before.code == fault.code)
        .map_or(0, |before| before.count);
    let rejection = RejectionStatus {
        code: fault.code.clone(),
        message: fault.public(next.class.as_ref().map(|class| class.name.as_str())),
        count: before.saturating_add(1),
        time: seconds(now),
        generation: seen.job.generation,
    };
    let too_long = fault.code == "LimitExceededException" && before >= LIMIT_IS_THE_MEDIAS && seen.others_admitted;
    let delay = jitter(&seen.job.uid, delay(fault.kind, before, too_long));
    next.next_attempt_time = Some(seconds(later(now, delay)));
    let shown = Rejection::from(&rejection);
    next.rejection = Some(rejection);
    match fault.kind {
        _ if too_long => State::Stalled(
            Reason::LimitOrInputTooLong,
            format!(
                "{} While it is refused, other jobs are admitted: the media may be too long",
                shown.message
            ),
        ),
        AwsErrorKind::Throttled | AwsErrorKind::NotSent => State::Progressing(shown.reason, shown.message),
        AwsErrorKind::Ambiguous => State::Progressing(
            Reason::Submitting,
            format!(
                "the reply to the submission was lost ({}); AWS is asked whether it has the job",
                fault.code
            ),
        ),
        AwsErrorKind::Conflict | AwsErrorKind::Absent | AwsErrorKind::Denied | AwsErrorKind::Invalid => {
            State::Stalled(shown.reason, shown.message)
        }
    }
}

fn delay(kind: AwsErrorKind, before: i32, too_long: bool) -> Duration {
    let times = usize::try_from(before).unwrap_or_default();
    let hour = Duration::from_hours(1);
    if too_long {
        return doubling(Duration::from_mins(10), times.saturating_sub(5), hour);
    }
    match kind {
        AwsErrorKind::Throttled | AwsErrorKind::NotSent | AwsErrorKind::Ambiguous => {
            doubling(Duration::from_secs(2), times, Duration::from_mins(5))
        }
        AwsErrorKind::Conflict | AwsErrorKind::Absent | AwsErrorKind::Denied | AwsErrorKind::Invalid => {
            doubling(Duration::from_mins(1), times, hour)
        }
    }
}

/// Adds up to a quarter to the delay, different for each object, so that jobs rejected together are not retried together.
fn jitter(uid: &str, delay: Duration) -> Duration {
    let salt: u32 = uid.bytes().map(u32::from).sum::<u32>() % 25;
    delay + delay * salt / 100
}
