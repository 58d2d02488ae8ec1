//! Events: one for each transition.

use transcribe_operator::{
    api::{conditions::Reason, status::JobStatus},
    domain::{KeyVerdict, Outcome, Rejection, Step, job::status::event},
};

use crate::world::{Case, HOUR, acknowledged, case, facts, failed};

fn told(case: &Case, outcome: &Outcome) -> Option<(bool, String, String)> {
    let step = case.plan();
    let after = case.status(&step, outcome);
    let told = event(&step, &case.seen.job.status, &after)?;
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
fn another_refusal_of_another_spec_is_told_and_the_same_one_is_not() {
    let refused = |generation, message: &str| {
        let mut case = case();
        case.seen.job.generation = generation;
        case.seen.key = KeyVerdict::Refused(Rejection::new(Reason::KeyNotFound, message));
        case
    };
    let first = refused(1, "no such key");
    let after = first.status(&first.plan(), &Outcome::Pending);
    for (generation, message, wanted) in [
        (2, "no such key", None),
        (2, "not that one either", Some("not that one either")),
        (1, "not that one either", None),
    ] {
        let case = refused(generation, message).having(after.clone());
        let note = told(&case, &Outcome::Pending).map(|(_, _, note)| note);
        assert_eq!(note.as_deref(), wanted, "{generation} {message}");
    }
}

#[test]
fn what_somebody_should_look_at_is_a_warning() {
    let failed = acknowledged(HOUR).found(failed("Internal error"));
    assert!(told(&failed, &Outcome::Pending).unwrap().0);
    let stalled = case().invalid(Reason::NoClass);
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
    assert_eq!(event(&Step::AddFinalizer, &before, &before), None);
    assert_eq!(event(&Step::RemoveFinalizer { left: None }, &before, &before), None);
}
