//! The CRDs: held against the AWS model, their rules, their files, and the parser that goes with them.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "test code"
)]

mod aws_model;
mod cases;
mod classes;
mod examples;
mod files;
mod parser;
mod rules;
mod samples;
mod submitted;
