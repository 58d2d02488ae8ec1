//! Classes: which one applies to a job, what its status shows, and whether it may be deleted.

pub mod selection;
pub mod status;
