//! Neither side can be relied on: replies that get lost, an AWS that fails or says nothing, an API server that is gone.

use std::time::Duration;

use http::Response;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Fault, Rule};
use tokio::time::sleep;

use crate::rig::{JOB, Rig, START, arrived};

fn error(status: u16, code: &str) -> Fault {
    Fault::AwsError(status, code.to_owned(), "made for this test".to_owned())
}

fn answer(status: u16, body: &'static str) -> Fault {
    Fault::Answer(Response::builder().status(status).body(body.into()).unwrap())
}

/// Of the next Start of a namespace's job: its tags name the namespace.
fn next_start(fault: Fault, namespace: &str) -> Rule {
    Rule::new(fault)
        .operation(START)
        .body(&format!("\"{namespace}\""))
        .nth(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_a_start_it_is_paid_once_and_kubectl_says_why_it_waits() {
    let lost = |code: &str| format!("the reply to the submission was lost ({code})");
    let throttled = "Amazon Transcribe answered LimitExceededException";
    let cases = [
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
            answer(200, "{\"TranscriptionJob\":{\"Transcr"),
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
    ];
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    let mut jobs = Vec::new();
    for (namespace, fault, late, line) in cases {
        let rule = next_start(fault, namespace);
        rig.aws.add(if late { rule.after() } else { rule });
        jobs.push((namespace, rig.submit(namespace).await, line));
    }
    for (namespace, uid, line) in &jobs {
        rig.told(namespace, line).await;
        rig.complete(namespace).await;
        assert_eq!(rig.starts(uid).len(), 1, "{namespace}");
    }
    rig.acquit(12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aws_that_cannot_be_asked_starts_nothing_anew() {
    let rig = Rig::start(Config::default()).await;
    let _operator = rig.operator(&[]).await;
    rig.aws.add(next_start(Fault::Drop, "unasked").after());
    let no_answer = rig
        .aws
        .add(Rule::new(Fault::Status(500)).operation("GetTranscriptionJob"));
    let no_list = rig
        .aws
        .add(Rule::new(Fault::Status(500)).operation("ListTranscriptionJobs"));
    let uid = rig.submit("unasked").await;
    rig.told("unasked", "AWS could not be asked about job").await;
    no_answer.remove();
    no_list.remove();
    rig.complete("unasked").await;
    assert_eq!(rig.starts(&uid).len(), 1);
    assert_eq!(rig.stage.sim.called(START), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_gone_for_a_while_costs_nothing_but_time() {
    let rig = Rig::start(Config::default()).await;
    let operator = rig.operator(&[]).await;
    // One job is accepted by AWS and one has its intent under way when the API server goes.
    let reply = rig
        .aws
        .hold(Rule::new(Fault::Drop).operation(START).body("accepted").after());
    let accepted = rig.submit("accepted").await;
    arrived(&reply).await;
    let intent = rig
        .api
        .hold(Rule::new(Fault::Drop).path("/namespaces/unsent/.*/status$"));
    let unsent = rig.submit("unsent").await;
    arrived(&intent).await;
    rig.told("accepted", "submitting job").await;
    rig.stage.plane.stop_apiserver();
    reply.release();
    intent.release();
    rig.says(&["get", "tj", JOB, "-n", "accepted"], "was refused").await;
    sleep(Duration::from_secs(5)).await;
    assert!(operator.exited().unwrap().is_none(), "{}", operator.log_tail());
    assert_eq!((rig.starts(&accepted).len(), rig.starts(&unsent).len()), (1, 0));
    rig.stage.plane.start_apiserver().await.unwrap();
    for (namespace, uid) in [("accepted", accepted), ("unsent", unsent)] {
        rig.complete(namespace).await;
        assert_eq!(rig.starts(&uid).len(), 1, "{namespace}");
    }
    rig.acquit(12).await;
}
