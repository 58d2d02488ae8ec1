//! Requests that are late: held in the network, or by a process that does not run. The bound is short here: AWS (the
//! simulator) refuses signatures that are older than three seconds, and the operator reckons with seven.

use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Fault, Held, Rule};
use tokio::time::sleep;
use transcribe_operator::api::Kind;

use crate::rig::{JOB, Job, Rig, SHORT_BOUND, arrived, of_every_kind, start, until};

/// `--signature-window` and twice `--max-skew`.
const BOUND: SignedDuration = SignedDuration::from_secs(7);
const WAITS: &str = "the object waits until";

fn config() -> Config {
    Config {
        run_ms: 100,
        signature_window_ms: 3000,
        ..Config::default()
    }
}

fn started_at(job: &Value) -> Timestamp {
    let time = job["status"]["submission"]["startedAt"].as_str();
    time.unwrap().parse().unwrap()
}

fn refused_as_stale(rig: &Rig, kind: Kind) -> u64 {
    rig.answers(kind, "InvalidSignatureException")
}

/// Submits a job of each kind, whose Start is held in the network.
async fn hold_starts(rig: &Rig, what: &str) -> Vec<(Job, Held)> {
    let mut jobs = Vec::new();
    for (kind, namespace) in of_every_kind(what) {
        let held = rig.aws.hold(Rule::new(Fault::Drop).operation(&start(kind)));
        jobs.push((rig.submit(kind, &namespace).await, held));
    }
    for (_, held) in &jobs {
        arrived(held).await;
    }
    jobs
}

/// Deletes jobs whose Starts are held in the network; the objects must stay for as long as a Start could arrive.
async fn leave_behind(rig: &Rig, jobs: Vec<(Job, Held)>) {
    let mut leaving = Vec::new();
    for (job, held) in jobs {
        let delete = ["delete", job.kind.plural(), JOB, "-n", &job.namespace, "--wait=false"];
        rig.stage.kubectl.run(&delete).await.unwrap().ok().unwrap();
        let started_at = started_at(&rig.job(&job).await.unwrap());
        leaving.push((job, held, started_at));
    }
    // Each is watched for its own end.
    let gone = leaving.into_iter().map(|(job, held, started_at)| async move {
        rig.told(&job, WAITS).await;
        rig.gone(&job).await;
        let waited = Timestamp::now().duration_since(started_at);
        assert!(
            waited > BOUND,
            "{job:?}: gone after {waited:?}, when the Start could still arrive"
        );
        let stale = refused_as_stale(rig, job.kind);
        held.release();
        until(async || refused_as_stale(rig, job.kind) > stale).await;
    });
    futures::future::join_all(gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_held_back_past_the_bound_starts_nothing_for_a_deleted_object() {
    let rig = Rig::start(config()).await;
    let operator = rig.operator(SHORT_BOUND).await;

    let held = hold_starts(&rig, "held").await;
    leave_behind(&rig, held).await;

    // The same, but the process that sent it is gone, and with it its memory.
    let held = hold_starts(&rig, "held-and-killed").await;
    operator.kill();
    operator.restart().unwrap();
    leave_behind(&rig, held).await;

    assert_eq!(rig.stage.sim.ledger(), []);
    assert_eq!(rig.stage.sim.jobs(), []);
}

/// Lets the operator write the intent of a job of each kind, and stops it before it can send the Starts.
async fn stop_after_intents(rig: &Rig, operator: &testkit::operator::Operator, what: &str) -> Vec<Job> {
    let replies = of_every_kind(what).map(|(_, namespace)| {
        let path = format!("/namespaces/{namespace}/.*/status$");
        let intent = Rule::new(Fault::Drop).method(Method::PUT).path(&path);
        rig.api.hold(intent.nth(1).after())
    });
    let replies: Vec<_> = replies.collect();
    let jobs = rig.submit_every_kind(what).await;
    for job in &jobs {
        rig.until(job, |job| !job["status"]["submission"].is_null()).await;
    }
    operator.stop().unwrap();
    for reply in replies {
        reply.release();
    }
    jobs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_between_intent_and_start_pays_once() {
    let rig = Rig::start(config()).await;
    let sleeper = rig.operator(SHORT_BOUND).await;
    let jobs = stop_after_intents(&rig, &sleeper, "slept").await;
    for job in &jobs {
        rig.told(job, "submitting job").await;
    }
    sleep(Duration::from_secs(5)).await;
    for job in &jobs {
        assert_eq!(rig.stage.sim.called(&start(job.kind)), 0);
    }
    sleeper.cont().unwrap();
    for job in &jobs {
        let late = "did not get through (LateSignature): Signature expired";
        rig.told(job, late).await;
        assert_eq!(refused_as_stale(&rig, job.kind), 1, "{job:?}");
    }
    for job in &jobs {
        rig.complete_once(job).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_through_its_replacement_starts_nothing_more() {
    let rig = Rig::start(config()).await;
    let sleeper = rig.operator(SHORT_BOUND).await;
    let jobs = stop_after_intents(&rig, &sleeper, "replaced").await;
    let replacement = rig.operator(SHORT_BOUND).await;
    for job in &jobs {
        rig.complete(job).await;
        rig.delete(job).await;
    }
    for job in &jobs {
        rig.told(job, WAITS).await;
        rig.gone(job).await;
    }
    sleeper.cont().unwrap();
    for job in &jobs {
        until(async || refused_as_stale(&rig, job.kind) > 0).await;
        assert_eq!(rig.starts(job), 1, "{job:?}");
    }
    assert_eq!(rig.stage.sim.jobs(), []);
    drop(replacement);
}
