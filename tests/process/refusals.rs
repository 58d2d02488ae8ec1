//! An API server that does not take the operator's writes.

use std::time::Duration;

use http::Method;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Class, Fault, Rule};
use tokio::time::sleep;

use crate::rig::{JOB, Rig, START, arrived, until};

const POLICY: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: hands-off
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups: [transcribe-operator.io]
      apiVersions: ['*']
      operations: [UPDATE]
      resources: [transcriptionjobs/status]
  validations:
  - expression: 'false'
    message: nobody writes a status during the maintenance
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: hands-off
spec:
  policyName: hands-off
  validationActions: [Deny]
";

/// The writes of a namespace's status: the first is the intent, the second the report of the Start.
fn status_writes(fault: Fault, namespace: &str) -> Rule {
    let path = format!("/namespaces/{namespace}/transcriptionjobs/{JOB}/status$");
    Rule::new(fault).method(Method::PUT).path(&path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_on_a_status_write_costs_a_pass_and_no_second_job() {
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let mut uids = Vec::new();
    for (namespace, nth) in [("intent-refused", 1), ("report-refused", 2)] {
        rig.api.add(status_writes(Fault::Status(409), namespace).nth(nth));
        uids.push((namespace, rig.submit(namespace).await));
    }
    for (namespace, nth) in [("intent-stored", 1), ("report-stored", 2)] {
        rig.api
            .add(status_writes(Fault::Status(409), namespace).nth(nth).after());
        uids.push((namespace, rig.submit(namespace).await));
    }

    // A conflict as it comes about: somebody else writes between the intent and the report.
    let start = rig.aws.hold(Rule::new(Fault::Drop).operation(START).body("contested"));
    uids.push(("contested", rig.submit("contested").await));
    arrived(&start).await;
    let label = ["label", "tj", JOB, "-n", "contested", "team=finance"];
    rig.stage.kubectl.run(&label).await.unwrap().ok().unwrap();
    start.release();

    // And one that does not end.
    let always = rig.api.add(status_writes(Fault::Status(409), "busy"));
    uids.push(("busy", rig.submit("busy").await));
    rig.says(&["events", "-n", "busy"], "the object has been modified")
        .await;
    always.remove();

    for (namespace, uid) in &uids {
        rig.complete(namespace).await;
        assert_eq!(rig.starts(uid).len(), 1, "{namespace}");
    }
    let conflicts = rig.api.requests();
    let real = conflicts
        .iter()
        .filter(|seen| seen.class == Class::StatusWrite && seen.upstream == Some(409));
    assert!(real.count() >= 1);
    rig.acquit(12).await;
}

/// Whether the API server takes a status write of the administrator, who is nobody special to a policy.
async fn open(rig: &Rig) -> bool {
    let patch = [
        "patch",
        "tj",
        JOB,
        "-n",
        "started",
        "--subresource=status",
        "--type=merge",
    ];
    let args = [
        &patch[..],
        &["-p", "{\"status\":{\"observedGeneration\":0}}", "--dry-run=server"],
    ]
    .concat();
    rig.stage.kubectl.run(&args).await.unwrap().success
}

/// A minute's maintenance, scaled to some seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_writes_refused_by_a_policy_start_nothing_and_lose_nothing() {
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let reply = rig
        .aws
        .hold(Rule::new(Fault::Drop).operation(START).body("started").after());
    let started = rig.submit("started").await;
    arrived(&reply).await;
    rig.stage.kubectl.apply(POLICY).await.unwrap().ok().unwrap();
    until(async || !open(&rig).await).await;
    reply.release();
    let waiting = rig.submit("waiting").await;
    for namespace in ["waiting", "started"] {
        let line = rig.says(&["events", "-n", namespace], "WriteRefused").await;
        assert!(line.contains("nobody writes a status during the maintenance"), "{line}");
    }
    sleep(Duration::from_secs(6)).await;
    assert_eq!((rig.starts(&started).len(), rig.starts(&waiting).len()), (1, 0));

    let lift = ["delete", "validatingadmissionpolicybinding", "hands-off"];
    rig.stage.kubectl.run(&lift).await.unwrap().ok().unwrap();
    for (namespace, uid) in [("started", &started), ("waiting", &waiting)] {
        rig.complete(namespace).await;
        assert_eq!(rig.starts(uid).len(), 1, "{namespace}");
    }
    rig.acquit(20).await;
}
