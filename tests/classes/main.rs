//! Classes as platform teams and tenants see them: the operator that ships, a real API server, and a simulated AWS with several
//! accounts, roles and sessions.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "test code"
)]

mod keys;
mod lifetime;
mod rig;
mod teams;
