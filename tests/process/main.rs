//! The binary that ships, as a process, between a real API server and the AWS simulator, with a proxy that misbehaves in
//! front of both. Whatever is done to it, the ledger of the simulator has each job once, and kubectl says why it waits.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "test code"
)]

mod kills;
mod leaders;
mod outages;
mod refusals;
mod rig;
#[path = "../crds/samples.rs"]
#[allow(dead_code, clippy::too_many_lines, reason = "the tests of the CRDs use more of it")]
mod samples;
mod signatures;
