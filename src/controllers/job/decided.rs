//! A planned step, together with its inputs.

use crate::{
    api::status::JobStatus,
    domain::{Desired, Observed, Outcome, Rejection, Step, status},
    runtime::clock::now,
};

/// A planned step, together with its inputs.
#[derive(Clone, Copy)]
pub(super) struct Decided<'a> {
    /// The effective request, or why there is none.
    pub(super) desired: &'a Result<Desired, Rejection>,
    /// What this reconcile observed.
    pub(super) observed: &'a Observed,
    /// What to do next.
    pub(super) step: &'a Step,
}

impl Decided<'_> {
    /// The status after the step.
    pub(super) fn status(&self, outcome: &Outcome) -> JobStatus {
        status(self.desired, self.observed, self.step, outcome, now())
    }
}
