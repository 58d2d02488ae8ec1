//! Whether and how a job is started.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::{Step, Wait};
use crate::{
    api::{
        conditions::{READY, Reason},
        status::{Submission, SubmissionOutcome},
    },
    lifecycle::{
        Desired, Identity, JobName, KeyVerdict, Observed, Refusal, Subject, fault::NO_CREDENTIALS, subject::later,
    },
};

/// The time that a Start takes at most. A leader with less time left submits nothing.
pub const START_TAKES: Duration = Duration::from_secs(5);
/// How soon something that comes by itself is looked for again.
pub(in crate::lifecycle) const SOON: Duration = Duration::from_secs(15);

/// What forbids a Start, other than by waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The spec holds it back.
    Suspended,
    /// It was not submitted in time: until when, and what it waited for.
    Deadline(Timestamp, Option<String>),
    /// The spec, the class or the key forbids it.
    Refused(Refusal),
}

impl Hindrance {
    /// The step that shows it on an object of which nothing is in AWS.
    fn step(self, first_attempt: bool) -> Step {
        match self {
            Self::Suspended => Step::Suspend,
            Self::Deadline(at, waited_for) => {
                let why = waited_for
                    .map(|why| format!(". At last it was held up by {why}"))
                    .unwrap_or_default();
                Step::Fail(Refusal::field(
                    Reason::StartDeadlineExceeded,
                    "spec.startDeadlineSeconds",
                    format!("the job was not submitted by {at}; nothing was billed{why}"),
                ))
            }
            Self::Refused(refusal) if first_attempt => Step::Stall(refusal),
            Self::Refused(refusal) => Step::Fail(refusal),
        }
    }
}

/// What forbids a Start now, as far as the object and the class tell.
pub fn hindrance(job: &Subject, refused: Option<&Refusal>, now: Timestamp) -> Option<Hindrance> {
    if job.controls.suspend {
        return Some(Hindrance::Suspended);
    }
    let first_attempt = job
        .submission()
        .is_none_or(|s| s.attempt == 1 && s.outcome != SubmissionOutcome::Ended);
    if let Some(deadline) = job
        .start_deadline(now)
        .filter(|deadline| first_attempt && now >= *deadline)
    {
        let held_up = job
            .condition(READY)
            .filter(|ready| ready.reason != Reason::Accepted.as_str());
        let held_up = held_up.map(|ready| format!("{}: {}", ready.reason, ready.message));
        return Some(Hindrance::Deadline(deadline, held_up));
    }
    refused.cloned().map(Hindrance::Refused)
}

/// A refused intent is to be taken back, so that the spec can be corrected: the refusal does not pass by itself, or a Start is
/// forbidden now.
pub fn leaves(job: &Subject, refused: Option<&Refusal>, now: Timestamp) -> bool {
    !job.refusal_passes() || job.limit_is_the_medias() || hindrance(job, refused, now).is_some()
}

/// The first Start of an attempt: there is no intent, or the last attempt has ended.
pub(super) fn first(desired: &Result<Desired, Refusal>, seen: &Observed, now: Timestamp) -> Step {
    let job = &seen.job;
    let ended = job.submission();
    if let Some(hindrance) = hindrance(job, desired.as_ref().err(), now) {
        return hindrance.step(ended.is_none());
    }
    if let Some(until) = job.backing_off_until(now) {
        return held(job, until);
    }
    if let Some(refusal) = seen.key_refusal() {
        return Hindrance::Refused(refusal.clone()).step(ended.is_none());
    }
    let (desired, identity) = match ready(desired, seen, now) {
        Ok(ready) => ready,
        Err(step) => return step,
    };
    if !desired.is_for(identity) {
        let message = format!(
            "AWS has not confirmed yet that the credentials are those of class '{}'",
            desired.class.name
        );
        return wait(Reason::AwsUnreachable, message, later(now, SOON));
    }
    let key_arn = match settled(seen, desired.key.is_some(), now) {
        Ok(key_arn) => key_arn,
        Err(step) => return step,
    };
    let attempt = ended.map_or(1, |s| s.attempt + 1);
    let head = seen.rules.head.clone();
    let name = JobName {
        head,
        uid: job.uid.clone(),
        attempt,
        retain: desired.retain,
    };
    let request = desired.pin(key_arn, attempt);
    Step::Submit(Box::new(Submission {
        attempt,
        job_name: name.to_string(),
        account: identity.account.clone(),
        region: identity.region.clone(),
        request_hash: desired.request_hash(&request),
        request,
        first_started_at: MicroTime(now),
        started_at: MicroTime(now),
        outcome: SubmissionOutcome::Sent,
        acknowledged_at: None,
        // A Start of the attempt before may still be on its way; its record must stay until then.
        stray_until: ended.and_then(|s| s.stray_until.clone()),
        absent_since: None,
    }))
}

/// A further Start of the same attempt, under the same name and with the pinned request.
pub(super) fn again(
    desired: &Result<Desired, Refusal>,
    seen: &Observed,
    submission: &Submission,
    now: Timestamp,
) -> Step {
    let identity = match ready(desired, seen, now) {
        Ok((_, identity)) => identity,
        Err(step) => return step,
    };
    if identity.account != submission.account || identity.region != submission.region {
        return wait(
            Reason::IdentityChanged,
            identity_changed(submission, Some(identity)),
            later(now, SOON),
        );
    }
    if let Err(step) = settled(seen, submission.request.kms_key_arn.is_some(), now) {
        return step;
    }
    let stray = (submission.outcome == SubmissionOutcome::Sent)
        .then(|| later(submission.started_at.0, seen.rules.in_flight_bound()));
    Step::Submit(Box::new(Submission {
        started_at: MicroTime(now),
        outcome: SubmissionOutcome::Sent,
        stray_until: submission.stray_until.as_ref().map(|t| t.0).max(stray).map(MicroTime),
        ..submission.clone()
    }))
}

/// The key's ARN, once nothing is open about the key. Without a settled key nothing is started that needs one.
fn settled(seen: &Observed, needed: bool, now: Timestamp) -> Result<Option<&str>, Step> {
    let soon = later(now, SOON);
    match &seen.key {
        KeyVerdict::Usable { arn, .. } => Ok(Some(arn)),
        KeyVerdict::Unsettled { refusal, passes: true } => Err(wait(refusal.reason, refusal.to_string(), soon)),
        KeyVerdict::Unsettled { refusal, passes: false } | KeyVerdict::Refused(refusal) => {
            Err(Step::Stall(refusal.clone()))
        }
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded if needed => Err(wait(
            Reason::KmsUnreachable,
            "the encryption key has not been judged yet",
            soon,
        )),
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded => Ok(None),
    }
}

/// The next Start has a time, and it has not come.
fn held(job: &Subject, until: Timestamp) -> Step {
    match &job.status.refusal {
        Some(refusal) if !job.refusal_passes() => Step::Stall(Refusal::from(refusal)),
        Some(_) if job.limit_is_the_medias() => Step::Rest { until: Some(until) },
        Some(refusal) => {
            let told = Refusal::from(refusal);
            wait(told.reason, told.message, until)
        }
        // The key was judged, and is judged again at that time.
        None if job.stalled().is_some() => Step::Rest { until: Some(until) },
        None => {
            let reason = job.status.failure_reason.as_deref().unwrap_or("no reason given");
            wait(
                Reason::BackOff,
                format!("the last attempt failed ({reason}); the next one starts at {until}"),
                until,
            )
        }
    }
}

/// What a Start waits for, beyond what forbids it.
fn ready<'a>(
    desired: &'a Result<Desired, Refusal>,
    seen: &'a Observed,
    now: Timestamp,
) -> Result<(&'a Desired, &'a Identity), Step> {
    let desired = desired.as_ref().map_err(|refusal| Step::Stall(refusal.clone()))?;
    let soon = later(now, SOON);
    if seen.leader_for < START_TAKES {
        return Err(wait(
            Reason::NotLeader,
            "another process of the operator leads and submits the job",
            soon,
        ));
    }
    if seen.skew > seen.rules.max_skew {
        let message =
            "the operator's clock and AWS's differ by more than is safe for a submission that must happen once";
        return Err(wait(Reason::ClockSkew, message, soon));
    }
    let identity = seen.identity.as_ref().ok_or_else(|| unverified(desired, seen, soon))?;
    if !seen.permit {
        let limit = seen.limit.as_deref();
        let limit = limit.unwrap_or("the account's request rate is used up");
        let message = format!("queued in class {}: {limit}", desired.class.name);
        return Err(wait(
            Reason::WaitingForQuota,
            message,
            later(now, Duration::from_secs(1)),
        ));
    }
    Ok((desired, identity))
}

fn unverified(desired: &Desired, seen: &Observed, until: Timestamp) -> Step {
    const UNVERIFIED: &str = "AWS has not confirmed yet whose credentials the operator has";
    match &seen.credentials {
        Some(fault) if fault.code == NO_CREDENTIALS => {
            wait(fault.reason(), fault.told(Some(&desired.class.name)), until)
        }
        Some(fault) => wait(fault.reason(), format!("{UNVERIFIED}: {}", fault.message), until),
        None => wait(Reason::AwsUnreachable, UNVERIFIED, until),
    }
}

pub(super) fn wait(reason: Reason, message: impl Into<String>, until: Timestamp) -> Step {
    Step::Wait(Wait {
        reason,
        message: message.into(),
        until: Some(until),
    })
}

pub(super) fn identity_changed(submission: &Submission, now_is: Option<&Identity>) -> String {
    let now_is = now_is.map_or_else(
        || "are not verified".to_owned(),
        |identity| format!("belong to account {} in {}", identity.account, identity.region),
    );
    format!(
        "job {} runs in account {} in {}, but the operator's credentials {now_is}; looking there would prove nothing. A \
         TranscriptionClass of that account and Region brings the job on",
        submission.job_name, submission.account, submission.region
    )
}
