//! Plumbing: metrics, logs, the admin endpoints.

pub mod admin;
pub mod metrics;
pub mod telemetry;
