//! The lifecycle of a job: which reads it needs, what to do next, and what its status shows.

pub mod desired;
pub mod look;
pub mod name;
pub mod observed;
pub mod outcome;
pub mod plan;
pub mod remote;
pub mod requeue;
pub mod status;
pub mod view;
