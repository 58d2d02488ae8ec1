//! Events: one for each transition, published after the status is stored.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    api::{
        conditions::{READY, STALLED},
        status::JobStatus,
    },
    domain::{event::Event, job::plan::Step},
};

/// Returns the Event for a step and the resulting change of the status, if there is something to report.
pub fn event(step: &Step, before: &JobStatus, after: &JobStatus) -> Option<Event> {
    if let Step::RemoveFinalizer { left: Some(job_name) } = step {
        let note = format!(
            "the record of job {job_name} may be left in AWS; the operator's garbage collector removes it after the job \
             has ended"
        );
        return Some(Event {
            warning: true,
            reason: "RecordLeft".to_owned(),
            note,
        });
    }
    let ready = |status: &JobStatus| status.condition(READY).cloned();
    let (old, new) = (ready(before), ready(after)?);
    if old.is_some_and(|old| same(&old, &new)) {
        return None;
    }
    let warning = after
        .conditions
        .iter()
        .any(|c| c.type_ == STALLED && c.status == "True");
    Some(Event {
        warning,
        reason: new.reason,
        note: new.message,
    })
}

/// Whether there is nothing new to report: the reason is the same, and it is the same spec or the same message.
fn same(old: &Condition, new: &Condition) -> bool {
    let same_spec = old.observed_generation == new.observed_generation;
    old.reason == new.reason && (same_spec || old.message == new.message)
}
