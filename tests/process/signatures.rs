//! Requests that are late: held in the network, or by a process that does not run. The bound is short here: AWS (the
//! simulator) refuses signatures that are older than three seconds, and the operator reckons with seven.

use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Fault, Held, Rule};
use tokio::time::sleep;

use crate::rig::{JOB, PATIENCE, Rig, SHORT_BOUND, START, arrived, until};

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

fn refused_as_stale(rig: &Rig) -> u64 {
    let calls = rig.stage.sim.calls();
    let outcomes = calls.get(START).cloned().unwrap_or_default();
    outcomes.get("InvalidSignatureException").copied().unwrap_or_default()
}

/// Deletes a job whose Start is held in the network; the object must stay for as long as the Start could arrive.
async fn leave_behind(rig: &Rig, namespace: &str, held: &Held) {
    let kubectl = &rig.stage.kubectl;
    let delete = ["delete", "tj", JOB, "-n", namespace, "--wait=false"];
    kubectl.run(&delete).await.unwrap().ok().unwrap();
    let started_at = started_at(&rig.job(namespace).await.unwrap());
    rig.told(namespace, WAITS).await;
    rig.gone(namespace).await;
    let waited = Timestamp::now().duration_since(started_at);
    assert!(
        waited > BOUND,
        "gone after {waited:?}, when the Start could still arrive"
    );
    let stale = refused_as_stale(rig);
    held.release();
    until(async || refused_as_stale(rig) > stale).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_held_back_past_the_bound_starts_nothing_for_a_deleted_object() {
    let rig = Rig::start(config()).await;
    let operator = rig.operator(SHORT_BOUND).await;

    let held = rig.aws.hold(Rule::new(Fault::Drop).operation(START));
    rig.submit("held").await;
    arrived(&held).await;
    leave_behind(&rig, "held", &held).await;

    // The same, but the process that sent it is gone, and with it its memory.
    let held = rig.aws.hold(Rule::new(Fault::Drop).operation(START));
    rig.submit("held-and-killed").await;
    arrived(&held).await;
    operator.kill();
    operator.restart().unwrap();
    leave_behind(&rig, "held-and-killed", &held).await;

    assert_eq!(rig.stage.sim.ledger(), []);
    assert_eq!(rig.stage.sim.jobs(), []);
}

/// Lets the operator write the intent and stops it before it can send the Start.
async fn stop_after_intent(rig: &Rig, operator: &testkit::operator::Operator, namespace: &str) -> String {
    let intent = Rule::new(Fault::Drop)
        .method(Method::PUT)
        .path(&format!("/namespaces/{namespace}/.*/status$"))
        .nth(1)
        .after();
    let reply = rig.api.hold(intent);
    let uid = rig.submit(namespace).await;
    let written = |job: &Value| !job["status"]["submission"].is_null();
    rig.stage.until(namespace, JOB, PATIENCE, written).await.unwrap();
    operator.stop().unwrap();
    reply.release();
    uid
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_between_intent_and_start_pays_once() {
    let rig = Rig::start(config()).await;
    let sleeper = rig.operator(SHORT_BOUND).await;
    let uid = stop_after_intent(&rig, &sleeper, "slept").await;
    rig.told("slept", "submitting job").await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.stage.sim.called(START), 0);
    sleeper.cont().unwrap();
    rig.told("slept", "did not get through (LateSignature): Signature expired")
        .await;
    assert_eq!((refused_as_stale(&rig), rig.starts(&uid).len()), (1, 0));
    rig.complete("slept").await;
    assert_eq!(rig.starts(&uid).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_through_its_replacement_starts_nothing_more() {
    let rig = Rig::start(config()).await;
    let sleeper = rig.operator(SHORT_BOUND).await;
    let uid = stop_after_intent(&rig, &sleeper, "replaced").await;
    let replacement = rig.operator(SHORT_BOUND).await;
    rig.complete("replaced").await;
    rig.delete("replaced").await;
    rig.told("replaced", WAITS).await;
    rig.gone("replaced").await;
    sleeper.cont().unwrap();
    until(async || refused_as_stale(&rig) > 0).await;
    assert_eq!(rig.starts(&uid).len(), 1);
    assert_eq!(rig.stage.sim.jobs(), []);
    drop(replacement);
}
