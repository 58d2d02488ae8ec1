//! Classes as platform teams and tenants see them: the operator that ships, a real API server, and a simulated AWS with several
//! accounts, roles and sessions.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    reason = "test code"
)]

mod attacks;
mod keys;
mod lifetime;
mod rig;
#[path = "../crds/samples.rs"]
#[allow(dead_code, clippy::unwrap_in_result, reason = "the tests of the CRDs use more of it")]
mod samples;
#[path = "../attacks/table.rs"]
mod table;
mod teams;
