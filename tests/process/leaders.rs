//! Two processes that both act, each of which takes itself for the only one.

use std::time::Duration;

use testkit::aws_sim::Config;
use testkit::fault_proxy::{Fault, Rule};

use crate::rig::{Rig, START};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_at_once_pay_each_job_once() {
    let rig = Rig::start(Config::default()).await;
    let one = rig.operator(&[]).await;
    let _two = rig.operator(&[]).await;
    // Slow Starts, so that the second process finds intents whose Start has not arrived.
    rig.aws
        .add(Rule::new(Fault::Delay(Duration::from_millis(1500))).operation(START));
    let mut jobs = Vec::new();
    for n in 0..20 {
        let namespace = format!("job-{n}");
        let uid = rig.submit(&namespace).await;
        jobs.push((namespace, uid));
    }
    for (namespace, uid) in &jobs {
        rig.complete(namespace).await;
        assert_eq!(rig.starts(uid).len(), 1, "{namespace}");
    }
    let calls = rig.stage.sim.calls();
    let conflicts = calls[START].get("ConflictException").copied().unwrap_or_default();
    println!("20 jobs, started by two processes in {:?} calls", calls[START]);
    assert!(conflicts > 0, "the two never met\n{}", one.log_tail());
    rig.told("", "AWS has a job of this name already").await;
    rig.acquit(16).await;
}
