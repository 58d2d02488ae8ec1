//! Checks the invariants of the architecture against the sources.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod layers;
mod purity;
mod sources;
