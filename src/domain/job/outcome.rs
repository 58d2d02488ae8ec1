//! The outcome of a step.

use crate::domain::{aws_error::AwsError, job::remote::RemoteJob};

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The step has not been performed yet, or changes nothing but the status.
    Pending,
    /// The step was performed.
    Done,
    /// The reply to a Start.
    Started(Result<Box<RemoteJob>, AwsError>),
    /// The reply to the deletion of a record.
    Deleted(Result<(), AwsError>),
}
