//! The functional core: what to look at, what to do, and what to say about it.
//!
//! ```text
//! look(job, desired, sighting, now) -> Look        which reads this pass needs
//! plan(desired, observed, now)      -> Step        what to do: total, and model-checked as shipped
//! status(desired, observed, step, outcome, now)    what the object says
//! requeue(step, outcome, now)                      when to come back
//! ```
//!
//! # Guarantees
//! Everything here is a function of its arguments: no I/O, no clock, no logging, nothing async. It does not know the kind
//! of job that it drives.
//!
//! # Assumptions
//! `now` has microsecond precision (what the API server stores); the object in [`Observed`] comes from a quorum read
//! whenever the step has an effect.

mod bind;
pub mod class;
pub mod desired;
pub mod fault;
pub mod key;
pub mod look;
pub mod name;
pub mod observed;
pub mod plan;
pub mod requeue;
pub mod status;
pub mod subject;

pub use class::Class;
pub use desired::{Desired, Refusal, Request};
pub use fault::{Fault, FaultKind, Outcome};
pub use key::{Access, KeyFacts, KeySeen};
pub use look::{Look, Sighting, Sweep, look};
pub use name::{JobName, NameHead};
pub use observed::{Facts, Identity, KeyVerdict, Observed, Record, Unknown};
pub use plan::{Step, Target, Wait, plan};
pub use requeue::{requeue, start_deadline};
pub use status::status;
pub use subject::{Controls, Job, Rules, Subject};
