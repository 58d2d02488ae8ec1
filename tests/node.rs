//! On a real node of this machine: the operator as users run it, in the image that the Dockerfile describes, installed by the
//! chart as a Pod in a namespace where Pod Security allows nothing but `restricted`; and that a node leaves nothing behind.
//!
//! Where a node cannot run, the tests are ignored, and the reason says what is missing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test reads the machine and stops at the first thing that is not as it should be"
)]

use libtest_mimic::{Arguments, Completion, Trial};

#[cfg(target_os = "linux")]
#[path = "node/leftovers.rs"]
mod leftovers;
#[cfg(target_os = "linux")]
#[path = "node/pod.rs"]
mod pod;

#[cfg(target_os = "linux")]
fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == leftovers::STAY) {
        leftovers::stay().unwrap();
    }
    let trials = vec![
        trial(
            "the_chart_runs_the_image_as_a_restricted_pod_that_outlives_a_kill",
            pod::the_chart_runs_the_image_as_a_restricted_pod_that_outlives_a_kill,
        ),
        trial(
            "a_dropped_node_leaves_nothing",
            leftovers::a_dropped_node_leaves_nothing,
        ),
        trial(
            "a_killed_process_leaves_no_node",
            leftovers::a_killed_process_leaves_no_node,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// In a thread of its own, since who enters a node stays in its network.
#[cfg(target_os = "linux")]
fn trial(name: &str, test: fn() -> anyhow::Result<()>) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Err(not_here) = testkit::node::check() {
            return match not_here.downcast::<testkit::node::NotHere>() {
                Ok(reason) => Ok(Completion::ignored_with(reason)),
                Err(error) => Err(format!("{error:#}").into()),
            };
        }
        match std::thread::spawn(test).join() {
            Ok(Ok(())) => Ok(Completion::Completed),
            Ok(Err(error)) => Err(format!("{error:#}").into()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(not(target_os = "linux"))]
fn main() {
    let elsewhere = Trial::ignorable_test("a_node", || Ok(Completion::ignored_with("a node needs Linux")));
    libtest_mimic::run(&Arguments::from_args(), vec![elsewhere]).exit();
}
