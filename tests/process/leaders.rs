//! Two processes that both act, each of which takes itself for the only one.

use std::time::Duration;

use testkit::aws_sim::Config;
use testkit::fault_proxy::{Fault, Rule};
use transcribe_operator::api::Kind;

use crate::rig::{Rig, start};

/// How many jobs of each kind.
const OF_EACH: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_at_once_pay_each_job_once() {
    let rig = Rig::start(Config::default()).await;
    let one = rig.operator(&[]).await;
    let _two = rig.operator(&[]).await;
    // Slow Starts, so that the second process finds intents whose Start has not arrived.
    for kind in Kind::ALL {
        let slow = Rule::new(Fault::Delay(Duration::from_millis(1500)));
        rig.aws.add(slow.operation(&start(*kind)));
    }
    let mut jobs = Vec::new();
    for n in 0..OF_EACH {
        jobs.extend(rig.submit_every_kind(&format!("{n}")).await);
    }
    for job in &jobs {
        rig.complete_once(job).await;
    }
    let calls = rig.stage.sim.calls();
    for kind in Kind::ALL {
        let name = start(*kind);
        println!(
            "{OF_EACH} jobs, started by two processes in {:?} calls: {name}",
            calls[&name]
        );
        let conflicts = rig.answers(*kind, "ConflictException");
        assert!(conflicts > 0, "the two never met over a {kind}\n{}", one.log_tail());
        rig.told_of(*kind, |_| true, "AWS has a job of this name already").await;
    }
    rig.acquit(16).await;
}
