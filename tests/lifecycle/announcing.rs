//! Events: one for each transition.

use transcribe_operator::{
    api::status::JobStatus,
    lifecycle::{Outcome, Step, status::announce},
};

use crate::world::{Case, HOUR, acknowledged, case, facts, failed};

fn told(case: &Case, outcome: &Outcome) -> Option<(bool, String, String)> {
    let step = case.plan();
    let after = case.status(&step, outcome);
    let told = announce(&step, &case.seen.job.status, &after)?;
    Some((told.warning, told.reason, told.note))
}

#[test]
fn a_transition_is_told_once() {
    let case = acknowledged(HOUR).running();
    let (warning, reason, note) = told(&case, &Outcome::Pending).unwrap();
    assert_eq!((warning, reason.as_str()), (false, "InProgress"));
    assert!(note.contains(&crate::world::job_name(1)), "{note}");
    let after = case.status(&case.plan(), &Outcome::Pending);
    assert_eq!(told(&case.having(after), &Outcome::Pending), None);
}

#[test]
fn what_somebody_should_look_at_is_a_warning() {
    let failed = acknowledged(HOUR).found(failed("Internal error"));
    assert!(told(&failed, &Outcome::Pending).unwrap().0);
    let stalled = case().invalid(transcribe_operator::api::conditions::Reason::NoClass);
    assert!(told(&stalled, &Outcome::Pending).unwrap().0);
    let queued = Outcome::Started(Ok(Box::new(facts("QUEUED"))));
    assert!(!told(&case(), &queued).unwrap().0);
}

#[test]
fn a_record_that_is_left_is_named() {
    let (warning, reason, note) = told(&acknowledged(HOUR).deleted(HOUR).running(), &Outcome::Done).unwrap();
    assert_eq!((warning, reason.as_str()), (true, "RecordLeft"));
    assert!(note.contains(&crate::world::job_name(1)), "{note}");
}

#[test]
fn what_changes_nothing_tells_nothing() {
    let before = JobStatus::default();
    assert_eq!(announce(&Step::Protect, &before, &before), None);
    assert_eq!(announce(&Step::Release { left: None }, &before, &before), None);
}
