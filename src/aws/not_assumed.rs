//! The error for a role that could not be assumed, in a form that passes through the SDK.

use std::fmt;

use crate::domain::AwsError;

/// AWS did not give credentials for a role.
#[derive(Debug)]
pub(super) struct NotAssumed(pub(super) AwsError);

impl fmt::Display for NotAssumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for NotAssumed {}
