//! The adapters to AWS: what goes over the wire, and what is made of everything that may come back.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod clocks;
mod faults;
mod kinds;
mod peer;
mod readings;
#[path = "../crds/samples.rs"]
#[allow(
    dead_code,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm,
    reason = "the tests of the CRDs use more of it"
)]
mod samples;
mod starts;
