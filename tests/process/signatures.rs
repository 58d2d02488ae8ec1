//! Requests that are late: held in the network, or by a process that does not run. AWS (the simulator) refuses signatures that
//! are older than its window, and the operator reckons with that window and twice the allowed skew.

use futures::future::join_all;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Class, Fault, Held, Rule};
use testkit::operator::Operator;
use transcribe_operator::api::Kind;

use crate::rig::{BOUND, JOB, Job, Rig, SHORT_BOUND, arrived, of_every_kind, short_bound, start, status_writes, until};

/// How long a process sleeps between intent and Start.
const SLEEP: SignedDuration = SignedDuration::from_secs(3);
/// For how long a signature counts then. One that is made when the process is awake is younger.
const WINDOW_MS: i64 = 2000;
const WAITS: &str = "the object waits until";

fn started_at(job: &Value) -> Timestamp {
    let time = job["status"]["submission"]["startedAt"].as_str();
    time.unwrap().parse().unwrap()
}

fn refused_as_stale(rig: &Rig, kind: Kind) -> u64 {
    rig.answers(kind, "InvalidSignatureException")
}

/// Submits a job of each kind, whose Start is held in the network.
async fn hold_starts(rig: &Rig, what: &str) -> Vec<(Job, Held)> {
    let submit = async |(kind, namespace): (Kind, String)| {
        let held = rig.aws.hold(Rule::new(Fault::Drop).operation(&start(kind)));
        let job = rig.submit(kind, &namespace).await;
        arrived(&held).await;
        (job, held)
    };
    join_all(of_every_kind(what).map(submit)).await
}

/// When the operator asked for the finalizer to be taken away, which was its last write of the object.
fn released_at(rig: &Rig, job: &Job) -> Timestamp {
    let path = format!("/namespaces/{}/{}/{JOB}", job.namespace, job.kind.plural());
    let requests = rig.api.requests();
    let mut writes = requests.iter().rev().filter(|seen| seen.class == Class::ObjectWrite);
    let last = writes.find(|seen| seen.method == Method::PATCH && seen.path.ends_with(&path));
    last.unwrap().time
}

/// The objects of deleted jobs, whose Starts are held in the network, must stay for as long as a Start could arrive.
async fn leave_behind(rig: &Rig, jobs: Vec<(Job, Held)>) {
    let leave = async |(job, held): (Job, Held)| {
        let started_at = started_at(&rig.job(&job).await.unwrap());
        rig.told(&job, WAITS).await;
        rig.gone(&job).await;
        let waited = released_at(rig, &job).duration_since(started_at);
        assert!(
            waited > BOUND,
            "{job:?}: let go after {waited:?}, when the Start could still arrive"
        );
        let stale = refused_as_stale(rig, job.kind);
        held.release();
        until("AWS refuses the late Start", async || {
            refused_as_stale(rig, job.kind) > stale
        })
        .await;
    };
    join_all(jobs.into_iter().map(leave)).await;
    assert_eq!(rig.stage.sim.ledger(), []);
    assert_eq!(rig.stage.sim.jobs(), []);
}

async fn delete_all(rig: &Rig, jobs: &[(Job, Held)]) {
    join_all(jobs.iter().map(async |(job, _)| rig.delete(job).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_held_back_past_the_bound_starts_nothing_for_a_deleted_object() {
    let by_the_same_process = async {
        let rig = Rig::start(short_bound()).await;
        let _operator = rig.operator(SHORT_BOUND).await;
        let held = hold_starts(&rig, "held").await;
        delete_all(&rig, &held).await;
        leave_behind(&rig, held).await;
    };
    // The process that sent it is gone, and with it its memory.
    let by_another_one = async {
        let rig = Rig::start(short_bound()).await;
        let operator = rig.operator(SHORT_BOUND).await;
        let held = hold_starts(&rig, "held-and-killed").await;
        operator.kill();
        delete_all(&rig, &held).await;
        operator.restart().unwrap();
        leave_behind(&rig, held).await;
    };
    // At the same time: most of it is waiting for the bound.
    tokio::join!(by_the_same_process, by_another_one);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_between_intent_and_start_pays_once() {
    let rig = Rig::start(Config::default()).await;
    let sleeper = rig.operator(&[]).await;
    // The operator learns of no intent that it was stored, and so sends no Start, until it is stopped.
    let replies = of_every_kind("slept")
        .map(|(kind, namespace)| rig.api.hold(status_writes(kind, Fault::Drop, &namespace).after()));
    let replies: Vec<_> = replies.collect();
    let jobs = rig.submit_every_kind("slept").await;
    let mut signed_at = Timestamp::MIN;
    for job in &jobs {
        let intent = rig.until(job, |job| !job["status"]["submission"].is_null()).await;
        signed_at = signed_at.max(started_at(&intent));
    }
    sleeper.stop().unwrap();
    for reply in replies {
        reply.release();
    }
    until("the time to wake up", async || Timestamp::now() > signed_at + SLEEP).await;
    for job in &jobs {
        assert_eq!(rig.stage.sim.called(&start(job.kind)), 0);
    }
    // It has slept for longer than a signature counts: the window becomes shorter in place of a longer sleep, in which the
    // process would give up the reply that it waits for.
    let window = rig.stage.sim.config().signature_window_ms;
    let shorter = |config: &mut Config| config.signature_window_ms = WINDOW_MS;
    rig.stage.sim.set_config(shorter);
    let again = jobs.iter().map(|job| {
        let second = Rule::new(Fault::Drop).operation(&start(job.kind)).nth(2);
        rig.aws.hold(second)
    });
    let again: Vec<_> = again.collect();
    sleeper.cont().unwrap();
    for job in &jobs {
        until("AWS refuses the late Start", async || {
            assert_eq!(rig.stage.sim.ledger(), []);
            refused_as_stale(&rig, job.kind) > 0
        })
        .await;
    }
    rig.stage.sim.set_config(|config| config.signature_window_ms = window);
    for second in again {
        second.release();
    }
    for job in &jobs {
        rig.told(job, "submitting job").await;
        let late = "did not get through (LateSignature): Signature expired";
        rig.told(job, late).await;
        rig.complete_once(job).await;
        assert_eq!(refused_as_stale(&rig, job.kind), 1, "{job:?}");
    }
}

/// Waits until a process has found, after so many requests, that an object is gone: it has nothing more to do for it.
async fn missed(rig: &Rig, operator: &Operator, job: &Job, after: usize) {
    let path = format!("/namespaces/{}/{}/{JOB}", job.namespace, job.kind.plural());
    until("the process finds the object gone", async || {
        assert!(operator.exited().unwrap().is_none(), "{}", operator.log_tail());
        let requests = rig.api.requests();
        let mut about = requests[after..].iter().filter(|seen| seen.path.contains(&path));
        about.any(|seen| seen.upstream == Some(404))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_through_its_replacement_starts_nothing_more() {
    let rig = Rig::start(short_bound()).await;
    let sleeper = rig.operator(SHORT_BOUND).await;
    // Its Starts are on their way when it falls asleep, and arrive when all is over.
    let first = of_every_kind("replaced").map(|(kind, _)| {
        let first = Rule::new(Fault::Drop).operation(&start(kind)).nth(1);
        rig.aws.hold(first)
    });
    let first: Vec<_> = first.collect();
    let jobs = rig.submit_every_kind("replaced").await;
    for start in &first {
        arrived(start).await;
    }
    sleeper.stop().unwrap();
    let replacement = rig.operator(SHORT_BOUND).await;
    for job in &jobs {
        rig.complete(job).await;
        rig.delete(job).await;
    }
    for job in &jobs {
        rig.told(job, WAITS).await;
        rig.gone(job).await;
    }
    for start in first {
        start.release();
    }
    for job in &jobs {
        until("AWS refuses the late Start", async || {
            refused_as_stale(&rig, job.kind) > 0
        })
        .await;
    }
    replacement.kill();
    let before = rig.api.requests().len();
    sleeper.cont().unwrap();
    for job in &jobs {
        missed(&rig, &sleeper, job, before).await;
        assert_eq!(rig.starts(job), 1, "{job:?}");
    }
    assert_eq!(rig.stage.sim.jobs(), []);
}
