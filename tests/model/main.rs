//! The submission protocol, explored exhaustively with the shipped decisions.
//!
//! The world around the operator (the API server, AWS, the network, clocks, crashes, users and other clusters) is modelled as
//! steps; `look`, `plan`, `status`, `Sighting::of` and `requeue` are the shipped functions. Each configuration is explored
//! breadth first until no state is left, and from every state the faults stop and the world must come to rest as promised.
//!
//! Time is relative to now and old times are cut off, so that the states are finite although time and, where a
//! configuration says "any", the number of faults are not bounded. `mutants` alters what the decisions see or say, and each
//! mutant must be caught by the invariant that it names: that is how we know that the model can fail.
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    clippy::too_many_lines,
    clippy::missing_panics_doc,
    clippy::struct_excessive_bools,
    clippy::format_push_string,
    clippy::wildcard_enum_match_arm,
    clippy::cast_precision_loss,
    clippy::needless_for_each,
    clippy::large_types_passed_by_value,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test: it stops at the first thing that is not as it should be, and exports nothing; what its labels hold is \
              read in the traces; a mutant is about a few of many cases"
)]

mod clock;
mod configurations;
mod explore;
mod invariants;
mod mutants;
#[path = "../crds/samples.rs"]
mod samples;
mod settle;
mod shipped;
mod subject;
mod transition;
mod world;

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use configurations::CONFIGURATIONS;
use explore::{Report, explore};
use mutants::MUTANTS;
use transcribe_operator::api::Kind;

/// Runs the jobs on all cores; the results come in the order of the jobs.
fn in_parallel<T: Send>(jobs: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(jobs);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return;
                    }
                    let result = run(job);
                    done.lock().unwrap().push((job, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(job, _)| *job);
    done.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn every_configuration_is_explored_to_the_end_and_clean() {
    let only = std::env::args().skip_while(|arg| arg != "--only").nth(1);
    let chosen: Vec<_> = CONFIGURATIONS
        .iter()
        .filter(|c| only.as_ref().is_none_or(|name| *name == c.name))
        .collect();
    let reports: Vec<Report> = in_parallel(chosen.len(), |i| {
        let report = explore(chosen[i], Kind::TranscriptionJob, None);
        eprintln!(
            "{report}{}",
            report.broken.as_ref().map_or(String::new(), |b| format!("\n{b}"))
        );
        report
    });
    println!("{}", Report::HEADING);
    for report in &reports {
        println!("{report}");
    }
    let states: usize = reports.iter().map(|r| r.states).sum();
    println!("{} configurations, {states} states", reports.len());
    for report in &reports {
        if let Some(broken) = &report.broken {
            panic!("configuration '{}' breaks {broken}", report.configuration.name);
        }
    }
}

/// A few of all configurations: what may be wanted, tried again, refused, given up and lost.
const OF_EVERY_KIND: [&str; 5] = ["class", "key", "attempts, refused", "retain", "vanished"];

/// The decisions do not know the kind: the states of another kind are the same ones, so that exploring all configurations
/// with one kind is enough.
#[test]
fn every_kind_has_the_same_states_and_all_of_them_are_clean() {
    let named = |name: &str| CONFIGURATIONS.iter().find(|c| c.name == name).unwrap();
    let kinds = Kind::ALL.len();
    let reports = in_parallel(OF_EVERY_KIND.len() * kinds, |i| {
        explore(named(OF_EVERY_KIND[i / kinds]), Kind::ALL[i % kinds], None)
    });
    for of_a_configuration in reports.chunks(kinds) {
        let first = &of_a_configuration[0];
        println!("{first}");
        for report in of_a_configuration {
            let about = format!("'{}' of a {}", report.configuration.name, report.kind);
            assert!(
                report.broken.is_none(),
                "{about} breaks {}",
                report.broken.as_ref().unwrap()
            );
            let size = |report: &Report| (report.states, report.transitions, report.calm);
            assert_eq!(size(report), size(first), "{about}");
        }
    }
}

#[test]
fn every_mutant_is_caught_by_the_invariant_that_it_names() {
    let reports: Vec<Report> = in_parallel(MUTANTS.len(), |i| {
        let case = &MUTANTS[i];
        let configuration = CONFIGURATIONS.iter().find(|c| c.name == case.shown_by);
        let configuration = configuration.unwrap_or_else(|| panic!("no configuration '{}'", case.shown_by));
        explore(configuration, Kind::TranscriptionJob, Some(case.mutant))
    });
    let mut wrong = Vec::new();
    for (case, report) in MUTANTS.iter().zip(&reports) {
        let verdict = match &report.broken {
            Some(broken) if broken.invariant == case.breaks => "caught",
            Some(_) => "caught by another invariant",
            None => "NOT CAUGHT",
        };
        println!(
            "\n== {:?}: {}\n   {verdict} in '{}' after {} states",
            case.mutant, case.about, case.shown_by, report.states
        );
        if let Some(broken) = &report.broken {
            println!("   {broken}");
        }
        if verdict != "caught" {
            wrong.push(format!("{:?}: {verdict}", case.mutant));
        }
    }
    println!("\n{} mutants, {} caught", MUTANTS.len(), MUTANTS.len() - wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
