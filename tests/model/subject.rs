//! Objects in a canonical form: what no decision reads is left out, and times that are long past are cut off.
//!
//! Both keep all decisions as they are: a time is only ever compared with now, or with a time at most a bound away, so that
//! beyond the cut every comparison has the same answer.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use transcribe_operator::{
    api::{
        conditions::{FINISHED, READY, STALLED, SUSPENDED},
        status::{JobStatus, SubmissionOutcome},
    },
    domain::JobView,
};

use crate::{
    clock::{aged, at},
    configurations::Configuration,
};

pub const UIDS: [&str; 2] = [
    "00000000-0000-0000-0000-000000000009",
    "00000000-0000-0000-0000-000000000090",
];
const NOTHING_BILLED: &str = "nothing was billed";

/// The object as its user has just made it.
pub fn created(config: &Configuration) -> JobView {
    JobView {
        namespace: "tenant".to_owned(),
        name: "job".to_owned(),
        uid: UIDS[0].to_owned(),
        generation: 1,
        created: at(0),
        deleted: None,
        has_finalizer: false,
        owner_uid: None,
        reconcile_at: None,
        class_name: None,
        controls: config.controls(),
        status: JobStatus::default(),
    }
}

pub fn says_nothing_billed(status: &JobStatus) -> bool {
    status.conditions.iter().any(|c| c.message.contains(NOTHING_BILLED))
}

/// The object `ticks` later.
pub fn shift(job: &mut JobView, ticks: u8) {
    job.created = aged(job.created, ticks);
    job.deleted = job.deleted.map(|t| aged(t, ticks));
    let status = &mut job.status;
    let micro = |time: &mut MicroTime| time.0 = aged(time.0, ticks);
    if let Some(submission) = &mut status.submission {
        micro(&mut submission.first_started_at);
        micro(&mut submission.started_at);
        submission.acknowledged_at.as_mut().map(micro);
        submission.in_flight_until.as_mut().map(micro);
        submission.absent_since.as_mut().map(micro);
    }
    for attempt in &mut status.attempts {
        micro(&mut attempt.started_at);
    }
    if let Some(Time(next)) = &mut status.next_attempt_time {
        *next = aged(*next, ticks);
    }
    for condition in &mut status.conditions {
        condition.last_transition_time.0 = aged(condition.last_transition_time.0, ticks);
    }
}

/// A status without the time at which a refused key is judged again: a key that stays refused is judged now and then.
pub fn untimed(status: &JobStatus) -> JobStatus {
    let mut status = status.clone();
    status.next_attempt_time = status.next_attempt_time.filter(|_| status.rejection.is_some());
    status
}

/// Leaves out what no decision reads.
pub fn normalise(job: &mut JobView, config: &Configuration) {
    let past = at(-config.past());
    let recent = at(-2 - config.sweep_age());
    job.created = if config.start_deadline.is_some() {
        job.created.max(past)
    } else {
        past
    };
    job.deleted = job.deleted.map(|t| t.max(past));
    let refused_here = job
        .status
        .rejection
        .as_ref()
        .is_some_and(|r| r.generation == job.generation);
    job.generation = 1;
    let status = &mut job.status;
    let old = std::mem::take(status);
    *status = JobStatus {
        submission: old.submission,
        rejection: old.rejection,
        attempts: old.attempts,
        next_attempt_time: old.next_attempt_time.map(|t| Time(t.0.max(at(-2)))),
        last_handled_reconcile_at: old.last_handled_reconcile_at,
        ..JobStatus::default()
    };
    let finished = old.conditions.iter().any(|c| c.type_ == FINISHED && c.status == "True");
    if let Some(submission) = &mut status.submission {
        let sent = submission.outcome == SubmissionOutcome::Sent;
        submission.request_hash.clear();
        submission.request.tags.clear();
        cut(&mut submission.first_started_at, past);
        submission.first_started_at = floor(&submission.first_started_at, config, past);
        cut(&mut submission.started_at, past);
        if !sent {
            submission.started_at = MicroTime(past);
        }
        if let Some(time) = &mut submission.acknowledged_at {
            cut(time, recent);
            if finished {
                time.0 = recent;
            }
        }
        submission.in_flight_until.iter_mut().for_each(|time| cut(time, past));
        submission.absent_since.iter_mut().for_each(|time| cut(time, past));
    }
    for attempt in &mut status.attempts {
        cut(&mut attempt.started_at, past);
        attempt.started_at = floor(&attempt.started_at, config, past);
        if let Some(reason) = &mut attempt.failure_reason {
            reason.replace_range(.., "x");
        }
    }
    if let Some(rejection) = &mut status.rejection {
        rejection.message.clear();
        rejection.time = Time(past);
        rejection.count = rejection.count.min(2);
        rejection.generation = i64::from(refused_here);
    }
    status.conditions = old
        .conditions
        .into_iter()
        .filter_map(|c| condition(c, config, past))
        .collect();
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

/// When an attempt was first started matters only where its record's creation can be older.
fn floor(time: &MicroTime, config: &Configuration, past: Timestamp) -> MicroTime {
    MicroTime(if config.exact { time.0 } else { past })
}

fn cut(time: &mut MicroTime, past: Timestamp) {
    time.0 = time.0.max(past);
}

fn condition(mut condition: Condition, config: &Configuration, past: Timestamp) -> Option<Condition> {
    let billed = condition.message.contains(NOTHING_BILLED);
    let timed = match condition.type_.as_str() {
        FINISHED => config.ttl.is_some(),
        SUSPENDED => config.start_deadline.is_some(),
        STALLED => false,
        READY if billed => false,
        _ => return None,
    };
    let since = condition.last_transition_time.0.max(past);
    condition.last_transition_time = Time(if timed { since } else { past });
    condition.message = if billed {
        NOTHING_BILLED.to_owned()
    } else {
        String::new()
    };
    condition.observed_generation = None;
    Some(condition)
}
