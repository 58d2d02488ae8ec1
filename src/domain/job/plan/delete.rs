//! What an object that is being deleted needs, and its records in AWS with it. Needs no valid spec and no class.

use jiff::Timestamp;

use crate::{
    api::conditions::Reason,
    domain::job::{
        observed::{Observation, Observed, Unknown},
        plan::{
            follow::past,
            start::{SOON, wait},
            step::{Step, Target, first_target},
        },
        view::later,
    },
};

pub(super) fn plan(seen: &Observed, since: Timestamp, now: Timestamp) -> Step {
    let job = &seen.job;
    if !job.has_finalizer {
        return Step::NoOp { until: None };
    }
    let settled_at = job.submission().map_or(Timestamp::UNIX_EPOCH, |s| seen.settled_at(s));
    if now <= settled_at {
        let message = format!(
            "the reply to the submission was lost; the object waits until {settled_at}, when a late request can no longer \
             arrive, so that no job is left behind"
        );
        return wait(Reason::Deleting, message, past(settled_at));
    }
    let Some(target) = first_target(job).filter(|target| !target.retained()) else {
        return Step::RemoveFinalizer { left: None };
    };
    let deadline = settled_at.max(later(since, seen.limits.deletion_max_wait));
    let is_last = job.attempts().filter(|attempt| !attempt.record_gone).count() == 1;
    let done = |target| {
        if is_last {
            Step::RemoveFinalizer { left: None }
        } else {
            Step::MarkRecordGone(target)
        }
    };
    match &seen.record {
        Observation::Absent { as_of } if *as_of > settled_at => done(target),
        Observation::Running { facts, .. } | Observation::Terminal { facts, .. } if !target.ours(facts, seen) => {
            done(target)
        }
        // After a lost reply the first Get comes only at the deadline. So a record that it finds then is still deleted.
        Observation::Terminal { .. } if now < later(deadline, SOON) => Step::DeleteRecord(target),
        _ if now >= deadline => Step::RemoveFinalizer {
            left: Some(target.job_name),
        },
        Observation::Terminal { .. } => Step::DeleteRecord(target),
        Observation::Running { .. } => {
            let what = "still runs, and Amazon Transcribe cannot stop it";
            wait_for_record(&target, what, deadline, now)
        }
        Observation::Unknown(Unknown::Failed(fault)) => wait_for_record(
            &target,
            &format!("could not be asked for ({})", fault.code),
            deadline,
            now,
        ),
        Observation::Unknown(Unknown::OtherIdentity(_)) => {
            let what = format!(
                "is in account {} in {}, which the operator has no credentials for now",
                target.account, target.region
            );
            wait_for_record(&target, &what, deadline, now)
        }
        Observation::Absent { .. } | Observation::Unknown(Unknown::NoPermit | Unknown::NotAsked) => Step::NoOp {
            until: Some(later(now, SOON / 15)),
        },
    }
}

/// Waits for the record until the deadline at the latest. `what` is the state of the record, for the message.
fn wait_for_record(target: &Target, what: &str, deadline: Timestamp, now: Timestamp) -> Step {
    let message = format!(
        "the record of job {} {what}; the object is removed at {deadline} at the latest, and the operator's garbage \
         collector removes the record later",
        target.job_name
    );
    wait(Reason::Deleting, message, deadline.min(later(now, SOON)))
}
