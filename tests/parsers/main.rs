//! The parsers against the schema they go with, on a committed corpus and on a great many made-up inputs.
//!
//! `FUZZ_CASES` is how many inputs are made for each test; `make fuzz` makes more of them than the gate.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "test code"
)]

mod class_patterns;
mod contexts;
mod corpus;
mod keys;
mod making;
mod oracle;
mod specs;
mod texts;

use std::cell::Cell;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// How many inputs a cheap check gets, and how many one that evaluates CEL.
const CASES: u32 = 1_000_000;
const CEL_SHARE: u32 = 50;

fn cases() -> u32 {
    let wanted = std::env::var("FUZZ_CASES").ok();
    wanted.map_or(CASES, |count| count.parse().expect("FUZZ_CASES is a number"))
}

/// Runs a check on that many inputs. The check says whether the input was accepted: a good share of both must be met.
fn fuzz<S: Strategy<Value: Clone + Debug>>(
    name: &str,
    cases: u32,
    inputs: S,
    check: impl Fn(&S::Value) -> Result<bool, String>,
) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let accepted = Cell::new(0_u32);
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        accepted.set(accepted.get() + u32::from(check(&input).map_err(TestCaseError::fail)?));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!("{name}: {why}\n{input:?}"),
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
    }
    let share = f64::from(accepted.get()) * 100.0 / f64::from(cases);
    println!("{name}: {cases} inputs, {share:.1} % accepted");
    assert!(
        cases < 10_000 || (5.0..95.0).contains(&share),
        "{name}: {share:.1} % accepted"
    );
}
