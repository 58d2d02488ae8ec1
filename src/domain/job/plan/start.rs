//! Decides whether a job is started, and with which intent.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::{
    api::{
        conditions::{READY, Reason},
        status::{Submission, SubmissionOutcome},
    },
    domain::{
        account::AccountRegion,
        aws_error::NO_CREDENTIALS,
        job::{
            desired::Desired,
            name::JobName,
            observed::Observed,
            plan::step::{Step, Wait},
            view::{JobView, later},
        },
        key::KeyVerdict,
        rejection::Rejection,
        review::denial,
    },
};

/// The longest time that a Start takes. A leader whose lease is valid for less submits nothing.
pub const START_TAKES: Duration = Duration::from_secs(5);
/// How long to wait before looking again at a condition that is expected to clear by itself.
pub(in crate::domain) const SOON: Duration = Duration::from_secs(15);

/// Why a Start is forbidden, other than because it has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartBlocker {
    /// `spec.suspend` is set.
    Suspended,
    /// The start deadline is over: the deadline, and what the job was waiting for.
    Deadline(Timestamp, Option<String>),
    /// The spec, the class or the key is rejected.
    Rejected(Rejection),
}

impl StartBlocker {
    /// The step that reports it on an object that has nothing in AWS. A later attempt fails, because its spec is immutable.
    fn step(self, first_attempt: bool) -> Step {
        match self {
            Self::Suspended => Step::Suspend,
            Self::Deadline(at, waited_for) => {
                let why = waited_for
                    .map(|why| format!(". The last status was {why}"))
                    .unwrap_or_default();
                Step::Fail(Rejection::field(
                    Reason::StartDeadlineExceeded,
                    "spec.startDeadlineSeconds",
                    format!("the job was not submitted by {at}; nothing was billed{why}"),
                ))
            }
            Self::Rejected(rejection) if first_attempt => Step::Stall(rejection),
            Self::Rejected(rejection) => Step::Fail(rejection),
        }
    }
}

/// Returns what forbids a Start now, judged by the object and the rejection given.
pub fn start_blocker(job: &JobView, refused: Option<&Rejection>, now: Timestamp) -> Option<StartBlocker> {
    if job.controls.suspend {
        return Some(StartBlocker::Suspended);
    }
    let first_attempt = job
        .submission()
        .is_none_or(|s| s.attempt == 1 && s.outcome != SubmissionOutcome::Ended);
    if let Some(deadline) = job
        .start_deadline(now)
        .filter(|deadline| first_attempt && now >= *deadline)
    {
        let waited_for = job
            .condition(READY)
            .filter(|ready| ready.reason != Reason::Accepted.as_str());
        let waited_for = waited_for.map(|ready| format!("{}: {}", ready.reason, ready.message));
        return Some(StartBlocker::Deadline(deadline, waited_for));
    }
    refused.cloned().map(StartBlocker::Rejected)
}

/// Whether a refused intent must be withdrawn, so that the spec can be corrected: because AWS's rejection does not clear by
/// itself, or because a Start is forbidden now.
pub fn must_withdraw(job: &JobView, refused: Option<&Rejection>, now: Timestamp) -> bool {
    !job.refusal_passes() || job.limit_is_the_medias() || start_blocker(job, refused, now).is_some()
}

/// The first Start of an attempt: there is no intent, or the last attempt has ended.
pub(super) fn first(desired: &Result<Desired, Rejection>, seen: &Observed, now: Timestamp) -> Step {
    let job = &seen.job;
    let ended = job.submission();
    if let Some(start_blocker) = start_blocker(job, desired.as_ref().err(), now) {
        return start_blocker.step(ended.is_none());
    }
    if let Some(until) = job.backing_off_until(now) {
        return backing_off(job, until);
    }
    if let Some(rejection) = denial(desired, &seen.key) {
        return StartBlocker::Rejected(rejection.clone()).step(ended.is_none());
    }
    let (desired, identity) = match preconditions(desired, seen, now) {
        Ok(met) => met,
        Err(step) => return step,
    };
    if !desired.is_for(identity) {
        let message = format!(
            "AWS has not confirmed yet that the credentials are those of class '{}'",
            desired.class.name
        );
        return wait(Reason::AwsUnreachable, message, later(now, SOON));
    }
    let key_arn = match usable_key(seen, desired.key.is_some(), now) {
        Ok(key_arn) => key_arn,
        Err(step) => return step,
    };
    let attempt = ended.map_or(1, |s| s.attempt + 1);
    let prefix = seen.limits.prefix.clone();
    let name = JobName {
        prefix,
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
        // A Start of the previous attempt may still arrive. Its record must stay until then, because its name refuses that
        // Start.
        in_flight_until: ended.and_then(|s| s.in_flight_until.clone()),
        absent_since: None,
    }))
}

/// A further Start of the same attempt, under the same name and with the pinned request.
pub(super) fn again(
    desired: &Result<Desired, Rejection>,
    seen: &Observed,
    submission: &Submission,
    now: Timestamp,
) -> Step {
    let identity = match preconditions(desired, seen, now) {
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
    if let Err(step) = usable_key(seen, submission.request.kms_key_arn.is_some(), now) {
        return step;
    }
    let sent_until = (submission.outcome == SubmissionOutcome::Sent)
        .then(|| later(submission.started_at.0, seen.limits.in_flight_bound()));
    Step::Submit(Box::new(Submission {
        started_at: MicroTime(now),
        outcome: SubmissionOutcome::Sent,
        in_flight_until: submission
            .in_flight_until
            .as_ref()
            .map(|t| t.0)
            .max(sent_until)
            .map(MicroTime),
        ..submission.clone()
    }))
}

/// Returns the key's ARN once the key is known to be usable, or else the step that waits for it: a job that needs a key is
/// never started without one.
fn usable_key(seen: &Observed, needed: bool, now: Timestamp) -> Result<Option<&str>, Step> {
    let soon = later(now, SOON);
    match &seen.key {
        KeyVerdict::Usable { arn, .. } => Ok(Some(arn)),
        KeyVerdict::Unsettled {
            rejection,
            passes: true,
        } => Err(wait(rejection.reason, rejection.to_string(), soon)),
        KeyVerdict::Unsettled {
            rejection,
            passes: false,
        }
        | KeyVerdict::Refused(rejection) => Err(Step::Stall(rejection.clone())),
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded if needed => Err(wait(
            Reason::KmsUnreachable,
            "the encryption key has not been judged yet",
            soon,
        )),
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded => Ok(None),
    }
}

/// The step of a job whose next Start is not due yet.
fn backing_off(job: &JobView, until: Timestamp) -> Step {
    match &job.status.rejection {
        Some(rejection) if !job.refusal_passes() => Step::Stall(Rejection::from(rejection)),
        Some(_) if job.limit_is_the_medias() => Step::NoOp { until: Some(until) },
        Some(rejection) => {
            let rejection = Rejection::from(rejection);
            wait(rejection.reason, rejection.message, until)
        }
        // The key was rejected, and is checked again at that time.
        None if job.stalled().is_some() => Step::NoOp { until: Some(until) },
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

/// Checks everything that a Start has to wait for: leadership, clock skew, credentials and a permit.
fn preconditions<'a>(
    desired: &'a Result<Desired, Rejection>,
    seen: &'a Observed,
    now: Timestamp,
) -> Result<(&'a Desired, &'a AccountRegion), Step> {
    let desired = desired.as_ref().map_err(|rejection| Step::Stall(rejection.clone()))?;
    let soon = later(now, SOON);
    if seen.leader_for < START_TAKES {
        return Err(wait(
            Reason::NotLeader,
            "another replica of the operator is the leader and submits the job",
            soon,
        ));
    }
    if seen.skew > seen.limits.max_skew {
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
            wait(fault.reason(), fault.public(Some(&desired.class.name)), until)
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

pub(super) fn identity_changed(submission: &Submission, now_is: Option<&AccountRegion>) -> String {
    let now_is = now_is.map_or_else(
        || "are not verified".to_owned(),
        |identity| format!("belong to account {} in {}", identity.account, identity.region),
    );
    format!(
        "job {} runs in account {} in {}, but the operator's credentials {now_is}; the job cannot be looked up with \
         them. The job continues once there is a TranscriptionClass for that account and Region",
        submission.job_name, submission.account, submission.region
    )
}
