//! Plumbing: the clock, metrics, logs, the admin endpoints.

pub mod admin;
pub mod clock;
pub mod events;
pub mod metrics;
pub mod objects;
pub mod telemetry;
pub(crate) mod ttl_cache;
pub mod watch;
