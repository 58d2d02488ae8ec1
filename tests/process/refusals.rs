//! An API server that does not take the operator's writes.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Class, Fault};
use transcribe_operator::api::Kind;

use crate::rig::{JOB, Job, Rig, of_every_kind, status_writes, until};

/// What the policy says.
const HANDS_OFF: &str = "nobody writes a status during the maintenance";

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
    for (job, report) in rig.submit_unreported("contested").await {
        let label = Patch::Merge(json!({"metadata": {"labels": {"team": "finance"}}}));
        let contested = rig.jobs(job.kind, &job.namespace);
        contested.patch(JOB, &PatchParams::default(), &label).await.unwrap();
        report.release();
        jobs.push(job);
    }

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

/// Whether the policy is in force: the administrator is nobody special to it.
async fn closed(rig: &Rig, job: &Job) -> bool {
    let status = Patch::Merge(json!({"status": {"observedGeneration": 0}}));
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let jobs = rig.jobs(job.kind, &job.namespace);
    let written = jobs.patch_status(JOB, &params, &status).await;
    written.is_err_and(|error| error.to_string().contains(HANDS_OFF))
}

/// A minute's maintenance, scaled to some seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_writes_refused_by_a_policy_start_nothing_and_lose_nothing() {
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let (started, reports): (Vec<_>, Vec<_>) = rig.submit_unreported("started").await.into_iter().unzip();
    rig.stage.kubectl.apply(POLICY).await.unwrap().ok().unwrap();
    for job in &started {
        until("the policy is in force", async || closed(&rig, job).await).await;
    }
    for report in reports {
        report.release();
    }
    let waiting = rig.submit_every_kind("waiting").await;
    let all: Vec<_> = started.iter().chain(&waiting).collect();
    for job in &all {
        let line = rig.says(&["events", "-n", &job.namespace], "WriteRefused").await;
        assert!(line.contains(HANDS_OFF), "{line}");
    }
    rig.asked_again(&all, 2, |seen| {
        seen.class == Class::StatusWrite && seen.upstream == Some(422)
    })
    .await;
    for (started, waiting) in started.iter().zip(&waiting) {
        assert_eq!((rig.starts(started), rig.starts(waiting)), (1, 0), "{started:?}");
    }

    let lift = ["delete", "validatingadmissionpolicybinding", "hands-off"];
    rig.stage.kubectl.run(&lift).await.unwrap().ok().unwrap();
    for job in all {
        rig.complete_once(job).await;
    }
    rig.acquit(20).await;
}
