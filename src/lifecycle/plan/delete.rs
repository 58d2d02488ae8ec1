//! How an object leaves, with its records in AWS. Needs no spec and no class.

use jiff::Timestamp;

use super::{
    Step, Target, first_target,
    follow::past,
    start::{SOON, wait},
};
use crate::{
    api::conditions::Reason,
    lifecycle::{Observed, Record, Unknown, subject::later},
};

pub(super) fn plan(seen: &Observed, since: Timestamp, now: Timestamp) -> Step {
    let job = &seen.job;
    if !job.protected {
        return Step::Rest { until: None };
    }
    let quiet_at = job.submission().map_or(Timestamp::UNIX_EPOCH, |s| seen.quiet_at(s));
    if now <= quiet_at {
        let message = format!(
            "the reply to the submission was lost; the object waits until {quiet_at}, when a late request can no longer \
             arrive, so that no job is left behind"
        );
        return wait(Reason::Deleting, message, past(quiet_at));
    }
    let Some(target) = first_target(job).filter(|target| !target.retained()) else {
        return Step::Release { left: None };
    };
    let deadline = quiet_at.max(later(since, seen.rules.deletion_max_wait));
    let is_last = job.attempts().filter(|attempt| !attempt.record_gone).count() == 1;
    let done = |target| {
        if is_last {
            Step::Release { left: None }
        } else {
            Step::Forget(target)
        }
    };
    match &seen.record {
        Record::Absent { as_of } if *as_of > quiet_at => done(target),
        Record::Running { facts, .. } | Record::Terminal { facts, .. } if !target.ours(facts, seen) => done(target),
        // A record that is found when the wait is over, and the first look comes then after a lost reply, is still deleted.
        Record::Terminal { .. } if now < later(deadline, SOON) => Step::DeleteRecord(target),
        _ if now >= deadline => Step::Release {
            left: Some(target.job_name),
        },
        Record::Terminal { .. } => Step::DeleteRecord(target),
        Record::Running { .. } => {
            let what = "still runs, and Amazon Transcribe cannot stop it";
            linger(&target, what, deadline, now)
        }
        Record::Unknown(Unknown::Failed(fault)) => linger(
            &target,
            &format!("could not be asked for ({})", fault.code),
            deadline,
            now,
        ),
        Record::Unknown(Unknown::OtherIdentity(_)) => {
            let what = format!(
                "is in account {} in {}, which the operator has no credentials for now",
                target.account, target.region
            );
            linger(&target, &what, deadline, now)
        }
        Record::Absent { .. } | Record::Unknown(Unknown::NoPermit | Unknown::NotAsked) => Step::Rest {
            until: Some(later(now, SOON / 15)),
        },
    }
}

/// Waits for the record, and says until when.
fn linger(target: &Target, what: &str, deadline: Timestamp, now: Timestamp) -> Step {
    let message = format!(
        "the record of job {} {what}; the object goes at {deadline} at the latest, and the operator's sweeper removes the \
         record later",
        target.job_name
    );
    wait(Reason::Deleting, message, deadline.min(later(now, SOON)))
}
