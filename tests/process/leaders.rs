//! Two processes that both act, each of which takes itself for the only one.

use futures::future::join_all;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Fault, Rule};
use transcribe_operator::api::Kind;

use crate::rig::{Job, Rig, arrived, of_every_kind, start, until};

/// How many jobs of each kind.
const OF_EACH: u64 = 6;

/// Submits a job. Its first Start is held until a second one has come, so that the second process finds an intent whose Start
/// has not arrived; then they arrive in their order.
async fn contested(rig: &Rig, kind: Kind, namespace: &str) -> Job {
    let start = Rule::new(Fault::Drop)
        .operation(&start(kind))
        .body(&format!("\"{namespace}\""));
    let [first, second] = [1, 2].map(|nth| rig.aws.hold(start.clone().nth(nth)));
    let job = rig.submit(kind, namespace).await;
    arrived(&second).await;
    first.release();
    until("the first Start is applied", async || rig.starts(&job) > 0).await;
    second.release();
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_at_once_pay_each_job_once() {
    // AWS takes all Starts at once: one that it throttles meets no other.
    let config = Config {
        rates: false,
        ..Config::default()
    };
    let rig = Rig::start(config).await;
    let _one = rig.operator(&[]).await;
    let _two = rig.operator(&[]).await;
    let namespaces: Vec<_> = (0..OF_EACH)
        .flat_map(|n| of_every_kind(&n.to_string()).collect::<Vec<_>>())
        .collect();
    let jobs = namespaces
        .iter()
        .map(|(kind, namespace)| contested(&rig, *kind, namespace));
    for job in join_all(jobs).await {
        rig.complete_once(&job).await;
    }
    let calls = rig.stage.sim.calls();
    for kind in Kind::ALL {
        let name = start(*kind);
        println!(
            "{OF_EACH} jobs, started by two processes in {:?} calls: {name}",
            calls[&name]
        );
        let conflicts = rig.answers(*kind, "ConflictException");
        assert!(conflicts >= OF_EACH, "the two met over only {conflicts} of the {kind}s");
        rig.told_of(*kind, |_| true, "AWS already has a job of this name").await;
    }
    rig.acquit(16).await;
}
