//! The functional core, row by row: a case in a sentence, and the step that it leads to.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]
#![allow(
    clippy::large_stack_arrays,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    reason = "tables are long, and a row is about the cases that it names"
)]

mod announcing;
mod arriving;
mod attacks;
mod binding;
mod bounds;
mod deleting;
mod fixpoint;
mod following;
mod guardrails;
mod keys;
mod kinds;
mod looking;
mod replying;
#[path = "../crds/samples.rs"]
#[allow(
    dead_code,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm,
    reason = "the tests of the CRDs use more of it"
)]
mod samples;
mod sessions;
mod starting;
#[path = "../attacks/table.rs"]
mod table;
mod world;
