//! Plumbing: the clock, metrics, logs, the admin endpoints.

pub mod admin;
pub mod clock;
pub mod metrics;
pub mod telemetry;
