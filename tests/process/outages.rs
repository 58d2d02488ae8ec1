//! Neither side can be relied on: replies that get lost, an AWS that fails or says nothing, an API server that is gone.

use http::Response;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Class, Fault, Rule};
use transcribe_operator::api::Kind;

use crate::rig::{JOB, Rig, arrived, namespace, of_every_kind, start, status_writes};

fn error(status: u16, code: &str) -> Fault {
    Fault::AwsError(status, code.to_owned(), "made for this test".to_owned())
}

fn answer(status: u16, body: &str) -> Fault {
    let body = body.to_owned().into();
    Fault::Answer(Response::builder().status(status).body(body).unwrap())
}

/// Of the next Start of a namespace's job: its tags name the namespace.
fn next_start(kind: Kind, fault: Fault, namespace: &str) -> Rule {
    Rule::new(fault)
        .operation(&start(kind))
        .body(&format!("\"{namespace}\""))
        .nth(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_a_start_it_is_paid_once_and_kubectl_says_why_it_waits() {
    let lost = |code: &str| format!("the reply to the submission was lost ({code})");
    let throttled = "Amazon Transcribe answered LimitExceededException";
    let cases = |kind: Kind| {
        [
            ("reply-lost", Fault::Drop, true, lost("ConnectionLost")),
            ("request-lost", Fault::Drop, false, lost("ConnectionLost")),
            (
                "failed-late",
                error(500, "InternalFailureException"),
                true,
                lost("InternalFailureException"),
            ),
            (
                "failed",
                error(500, "InternalFailureException"),
                false,
                lost("InternalFailureException"),
            ),
            ("no-code", answer(503, ""), true, lost("UnreadableReply")),
            (
                "html",
                answer(502, "<html>Bad Gateway</html>"),
                false,
                lost("UnreadableReply"),
            ),
            (
                "garbage",
                answer(200, &format!("{{\"{kind}\":{{\"Transcr")),
                true,
                lost("UnreadableReply"),
            ),
            ("silence-late", Fault::BlackHole, true, lost("Timeout")),
            ("silence", Fault::BlackHole, false, lost("Timeout")),
            (
                "throttled",
                error(400, "LimitExceededException"),
                false,
                throttled.to_owned(),
            ),
        ]
    };
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let mut jobs = Vec::new();
    for kind in Kind::ALL.iter().copied() {
        for (what, fault, late, line) in cases(kind) {
            let namespace = namespace(kind, what);
            let rule = next_start(kind, fault, &namespace);
            rig.aws.add(if late { rule.after() } else { rule });
            jobs.push((rig.submit(kind, &namespace).await, line));
        }
    }
    for (job, line) in &jobs {
        rig.told(job, line).await;
        rig.complete_once(job).await;
    }
    rig.acquit(12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aws_that_cannot_be_asked_starts_nothing_anew() {
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let mut silent = Vec::new();
    for (kind, namespace) in of_every_kind("unasked") {
        rig.aws.add(next_start(kind, Fault::Drop, &namespace).after());
        for operation in [format!("Get{kind}"), format!("List{kind}s")] {
            silent.push(rig.aws.add(Rule::new(Fault::Status(500)).operation(&operation)));
        }
    }
    let jobs = rig.submit_every_kind("unasked").await;
    for job in &jobs {
        rig.told(job, "AWS could not be asked about job").await;
    }
    for rule in silent {
        rule.remove();
    }
    for job in &jobs {
        rig.complete_once(job).await;
        assert_eq!(rig.stage.sim.called(&start(job.kind)), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_gone_for_a_while_costs_nothing_but_time() {
    let rig = Rig::start(Config::default()).await;
    let operator = rig.operator(&[]).await;
    // One job of each kind has its intent under way, and one is accepted by AWS, when the API server goes.
    let intent = |(kind, namespace): (Kind, String)| rig.api.hold(status_writes(kind, Fault::Drop, &namespace));
    let mut held: Vec<_> = of_every_kind("unsent").map(intent).collect();
    let unsent = rig.submit_every_kind("unsent").await;
    for intent in &held {
        arrived(intent).await;
    }
    let mut accepted = Vec::new();
    for (job, report) in rig.submit_unreported("accepted").await {
        accepted.push(job);
        held.push(report);
    }
    for job in &accepted {
        rig.told(job, "submitting job").await;
    }
    rig.stage.plane.stop_apiserver();
    for request in held {
        request.release();
    }
    rig.says(&["get", "tj", JOB, "-n", &accepted[0].namespace], "was refused")
        .await;
    let all: Vec<_> = accepted.iter().chain(&unsent).collect();
    rig.asked_again(&all, 2, |seen| seen.class == Class::Read && seen.upstream.is_none())
        .await;
    assert!(operator.exited().unwrap().is_none(), "{}", operator.log_tail());
    for (accepted, unsent) in accepted.iter().zip(&unsent) {
        assert_eq!((rig.starts(accepted), rig.starts(unsent)), (1, 0), "{accepted:?}");
    }
    rig.stage.plane.start_apiserver().await.unwrap();
    for job in all {
        rig.complete_once(job).await;
    }
    rig.acquit(12).await;
}
