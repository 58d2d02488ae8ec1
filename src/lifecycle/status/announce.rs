//! Events: one per transition, told after the status is stored.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    api::{
        conditions::{READY, STALLED},
        status::JobStatus,
    },
    lifecycle::Step,
};

/// What an Event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Somebody should look.
    pub warning: bool,
    /// CamelCase; the Events of one object are told apart by it.
    pub reason: String,
    /// The text.
    pub note: String,
}

/// What a step and the change of the status are worth telling.
pub fn announce(step: &Step, before: &JobStatus, after: &JobStatus) -> Option<Announcement> {
    if let Step::Release { left: Some(job_name) } = step {
        let note = format!(
            "the record of job {job_name} may be left in AWS; the operator's sweeper removes it when the job has ended"
        );
        return Some(Announcement {
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
    Some(Announcement {
        warning,
        reason: new.reason,
        note: new.message,
    })
}

/// Nothing to tell: the reason is the old one, unless another spec has another fault of the same kind.
fn same(old: &Condition, new: &Condition) -> bool {
    let same_spec = old.observed_generation == new.observed_generation;
    old.reason == new.reason && (same_spec || old.message == new.message)
}
