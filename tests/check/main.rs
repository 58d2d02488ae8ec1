//! `transcribe-operator check`, run as users run it.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::needless_pass_by_value,
    reason = "test code"
)]

mod classes;
mod files;
mod printed;
mod rig;
mod rules;
mod schema;
mod secrets;
mod yaml;
