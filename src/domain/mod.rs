//! The functional core: which reads a job needs, what to do next, and what its status shows.
//!
//! ```text
//! look(job, desired, sighting, now) -> Look        which reads this reconcile needs
//! plan(desired, observed, now)      -> Step        what to do next: total, and model-checked as shipped
//! status(desired, observed, step, outcome, now)    the object's new status
//! requeue(step, status, now)                       when to reconcile again
//! ```
//!
//! # Guarantees
//! Everything here is a function of its arguments: no I/O, no clock, no logging, nothing async. It does not know the kind
//! of job that it handles.
//!
//! # Assumptions
//! `now` has microsecond precision (what the API server stores); the object in [`Observed`] comes from a quorum read
//! whenever the step has an effect.

pub mod account;
pub mod aws_error;
pub mod class;
pub mod event;
pub mod job;
pub mod key;
mod policy;
pub mod rejection;
pub mod review;

pub use account::AccountRegion;
pub use aws_error::{AwsError, AwsErrorKind};
pub use class::selection::Class;
pub use job::desired::{Desired, Request};
pub use job::look::{ListSnapshot, Look, Sighting, look};
pub use job::name::{JobName, NamePrefix};
pub use job::observed::{Observation, Observed, Unknown};
pub use job::outcome::Outcome;
pub use job::plan::{Step, Target, Wait, plan};
pub use job::remote::RemoteJob;
pub use job::requeue::{requeue, start_deadline};
pub use job::status::status;
pub use job::view::{Controls, Job, JobView, ProtocolLimits};
pub use key::{Access, KeyFacts, KeySeen, KeyVerdict};
pub use rejection::Rejection;
