//! The state of an object, from which its conditions are derived.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{api::conditions::Reason, domain::job::remote::RemoteJob};

/// The state of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The operator is working on it, or waits for a condition that clears by itself.
    Progressing(Reason, String),
    /// Held back by `spec.suspend`.
    Suspended,
    /// Somebody has to act.
    Stalled(Reason, String),
    /// Finished with a result.
    Complete(String),
    /// Finished without a result.
    Failed(Reason, String),
}

/// Truncates to whole seconds, because the API server stores a `Time` in seconds and a finer one would not read back equal.
pub(super) fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// Returns the state for a record that is not terminal.
pub(super) fn running_state(facts: &RemoteJob, job_name: &str) -> State {
    if facts.job_status == "QUEUED" {
        State::Progressing(Reason::Queued, format!("Amazon Transcribe has queued job {job_name}"))
    } else {
        State::Progressing(
            Reason::InProgress,
            format!("Amazon Transcribe is working on job {job_name}"),
        )
    }
}
