//! Two tables, and what each layer says to them: one of key identifiers and encryption contexts, and one of all rules
//! ([`rules`]). Both are for every kind.
//!
//! The layers are those that a manifest meets in this order: the API server (schema and CEL), the webhook, the reconciler; and
//! beside them `check`, which is to say beforehand what they will say. What each says is written by hand in the tables.
//!
//! `cargo test --test governance -- --nocapture` prints both; with `rules` as well, that of the rules alone. The manifests
//! of keys and contexts are read by kubectl for one kind, and what it read is asked of the other kinds: reading YAML knows no kind.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "test code"
)]

mod cases;
mod contexts;
mod corpus;
mod judges;
mod layers;
mod live;
mod lookalikes;
mod malformed;
mod print;
mod rules;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../crds/samples.rs"]
mod samples;
mod shapes;
mod surprises;
mod verdict;

use std::collections::BTreeSet;

use cases::{Case, cases};
use judges::{Actual, READ_BY_KUBECTL, judge_all};
use transcribe_operator::api::Kind;
use verdict::{Layer, Verdict};

#[test]
fn every_case_has_a_name_of_its_own_and_the_table_is_of_a_size() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 120, "{}", cases.len());
    let denied = cases.iter().filter(|case| case.expected.denied_somewhere()).count();
    assert!(denied > 60 && cases.len() - denied > 40, "{denied} of {}", cases.len());
}

/// About the table alone, so that no case asks for what the design forbids.
#[test]
fn no_case_lets_a_layer_allow_what_an_earlier_one_denies() {
    let broken: Vec<String> = cases()
        .iter()
        .flat_map(|case| {
            disorder(&|layer| case.expected.of(layer).clone())
                .into_iter()
                .map(|problem| format!("{}: {problem}", case.name))
        })
        .collect();
    assert_eq!(broken, Vec::<String>::new());
}

#[tokio::test]
async fn each_layer_says_what_the_table_says() {
    let cases = cases();
    let mut problems = Vec::new();
    for (kind, actual) in judge_all(&cases).await.unwrap() {
        println!("{}\n", print::table(kind, &cases, &actual));
        assert_eq!(actual.len(), cases.len());
        for (case, actual) in cases.iter().zip(&actual) {
            if kind == READ_BY_KUBECTL {
                problems.extend(corpus::stale(case, actual.spec.as_ref()));
            }
            problems.extend(found(kind, case, actual));
        }
    }
    assert!(
        problems.is_empty(),
        "{} mismatches:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// What is not as the table says.
fn found(kind: Kind, case: &Case, actual: &Actual) -> Vec<String> {
    // What kubectl cannot read, no other kind is asked about.
    if kind != READ_BY_KUBECTL && actual.spec.is_none() {
        return Vec::new();
    }
    let expected = case.expected.for_kind(kind, actual.has_context());
    let mut problems: Vec<String> = Layer::ALL
        .iter()
        .filter_map(|layer| {
            let (expected, answer) = (expected.of(*layer), actual.of(*layer));
            (!expected.is_met_by(&answer.verdict))
                .then(|| format!("{layer}: expected {expected}, is {} {}", answer.verdict, answer.said))
        })
        .collect();
    // A layer that may not judge is not held to the order.
    problems.extend(disorder(&|layer| match expected.of(layer) {
        Verdict::Allow | Verdict::Deny(_) => actual.of(layer).verdict.clone(),
        told => told.clone(),
    }));
    problems
        .into_iter()
        .map(|problem| format!("{kind}, {}\n    {problem}", case.name))
        .collect()
}

/// Where a later layer allows what an earlier one denies, or says it of another field.
fn disorder(verdict: &dyn Fn(Layer) -> Verdict) -> Vec<String> {
    use Layer::{ApiServer, Check, CheckAlone, Parser, Webhook};
    let pairs = [
        (ApiServer, Webhook),
        (ApiServer, Parser),
        (Webhook, Parser),
        (ApiServer, Check),
        (Webhook, Check),
        (ApiServer, CheckAlone),
        (CheckAlone, Check),
        (Check, Webhook),
    ];
    pairs
        .iter()
        .filter_map(|(earlier, later)| {
            let (one, other) = (verdict(*earlier), verdict(*later));
            match (&one, &other) {
                (Verdict::Deny(_), Verdict::Allow) => Some(format!("{later} allows what {earlier} denies")),
                (Verdict::Deny(field), Verdict::Deny(another)) if field != another => {
                    Some(format!("{earlier} denies {field}, {later} {another}"))
                }
                _ => None,
            }
        })
        .collect()
}
