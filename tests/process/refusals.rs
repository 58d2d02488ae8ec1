//! An API server that does not take the operator's writes.

use std::time::Duration;

use http::Method;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Class, Fault, Rule};
use tokio::time::sleep;
use transcribe_operator::api::Kind;

use crate::rig::{JOB, Job, Rig, arrived, of_every_kind, start, until};

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
      resources: ['*/status']
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
fn status_writes(kind: Kind, fault: Fault, namespace: &str) -> Rule {
    let path = format!("/namespaces/{namespace}/{}/{JOB}/status$", kind.plural());
    Rule::new(fault).method(Method::PUT).path(&path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_on_a_status_write_costs_a_pass_and_no_second_job() {
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let mut jobs = Vec::new();
    for (what, nth) in [("intent-refused", 1), ("report-refused", 2)] {
        for (kind, namespace) in of_every_kind(what) {
            rig.api
                .add(status_writes(kind, Fault::Status(409), &namespace).nth(nth));
        }
        jobs.extend(rig.submit_every_kind(what).await);
    }
    for (what, nth) in [("intent-stored", 1), ("report-stored", 2)] {
        for (kind, namespace) in of_every_kind(what) {
            let stored = status_writes(kind, Fault::Status(409), &namespace);
            rig.api.add(stored.nth(nth).after());
        }
        jobs.extend(rig.submit_every_kind(what).await);
    }

    // A conflict as it comes about: somebody else writes between the intent and the report.
    let mut starts = Vec::new();
    for (kind, namespace) in of_every_kind("contested") {
        let held = Rule::new(Fault::Drop).operation(&start(kind)).body(&namespace);
        starts.push(rig.aws.hold(held));
    }
    let contested = rig.submit_every_kind("contested").await;
    for (job, held) in contested.iter().zip(starts) {
        arrived(&held).await;
        let label = ["label", job.kind.plural(), JOB, "-n", &job.namespace, "team=finance"];
        rig.stage.kubectl.run(&label).await.unwrap().ok().unwrap();
        held.release();
    }
    jobs.extend(contested);

    // And one that does not end.
    let always = of_every_kind("busy").map(|(kind, namespace)| {
        let busy = status_writes(kind, Fault::Status(409), &namespace);
        rig.api.add(busy)
    });
    let always: Vec<_> = always.collect();
    let busy = rig.submit_every_kind("busy").await;
    for job in &busy {
        rig.says(&["events", "-n", &job.namespace], "the object has been modified")
            .await;
    }
    for rule in always {
        rule.remove();
    }
    jobs.extend(busy);

    for job in &jobs {
        rig.complete_once(job).await;
    }
    let conflicts = rig.api.requests();
    let real = conflicts
        .iter()
        .filter(|seen| seen.class == Class::StatusWrite && seen.upstream == Some(409));
    assert!(real.count() >= Kind::ALL.len());
    rig.acquit(12).await;
}

/// Whether the API server takes a status write of the administrator, who is nobody special to a policy.
async fn open(rig: &Rig, job: &Job) -> bool {
    let patch = [
        "patch",
        job.kind.plural(),
        JOB,
        "-n",
        &job.namespace,
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
    let replies = of_every_kind("started").map(|(kind, namespace)| {
        let reply = Rule::new(Fault::Drop).operation(&start(kind)).body(&namespace);
        rig.aws.hold(reply.after())
    });
    let replies: Vec<_> = replies.collect();
    let started = rig.submit_every_kind("started").await;
    for reply in &replies {
        arrived(reply).await;
    }
    rig.stage.kubectl.apply(POLICY).await.unwrap().ok().unwrap();
    for job in &started {
        until(async || !open(&rig, job).await).await;
    }
    for reply in replies {
        reply.release();
    }
    let waiting = rig.submit_every_kind("waiting").await;
    for job in waiting.iter().chain(&started) {
        let line = rig.says(&["events", "-n", &job.namespace], "WriteRefused").await;
        assert!(line.contains("nobody writes a status during the maintenance"), "{line}");
    }
    sleep(Duration::from_secs(6)).await;
    for (started, waiting) in started.iter().zip(&waiting) {
        assert_eq!((rig.starts(started), rig.starts(waiting)), (1, 0), "{started:?}");
    }

    let lift = ["delete", "validatingadmissionpolicybinding", "hands-off"];
    rig.stage.kubectl.run(&lift).await.unwrap().ok().unwrap();
    for job in started.iter().chain(&waiting) {
        rig.complete_once(job).await;
    }
    rig.acquit(20).await;
}
