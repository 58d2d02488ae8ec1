//! Every way in which a call can fail, and whether AWS can have applied it.

use std::{pin::pin, time::Duration};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future};
use futures::FutureExt as _;
use testkit::wait;
use transcribe_operator::{
    api::Kind,
    aws::Connection,
    domain::{AwsError, AwsErrorKind, job::plan::START_TAKES},
};

use crate::peer::{
    JOB, Peer, Timer, Treat, config, connect, error, http, intent, now, over, plain, providing, replaying, timed,
};

async fn start(aws: &Connection) -> AwsError {
    aws.start(&plain(), &intent(now())).await.unwrap_err()
}

/// The fault of a Start to a peer that treats it so. Where the peer says nothing, the time is over as soon as it has the request.
async fn treated(treat: Treat) -> AwsError {
    let (silent, timer) = (matches!(treat, Treat::Silence), Timer::default());
    let peer = Peer::that(treat).await;
    let aws = connect(&timed(&config(), &timer), Some(peer.endpoint.clone()));
    let time = async {
        if silent {
            peer.until_asked().await;
            timer.pass(START_TAKES);
        }
    };
    let both = async { tokio::join!(start(&aws), time) };
    let (fault, ()) = wait::on("the Start ends", both).await.unwrap();
    assert_eq!(peer.requests().len(), 1, "it was sent, and once");
    fault
}

fn told(fault: &AwsError) -> (AwsErrorKind, &str) {
    (fault.kind, &fault.code)
}

#[tokio::test]
async fn a_start_that_was_sent_and_not_answered_is_ambiguous() {
    for (says, treat, code) in [
        ("the peer closes after reading", Treat::Close, "ConnectionLost"),
        ("no reply in time", Treat::Silence, "Timeout"),
        (
            "half a head",
            Treat::Bytes("HTTP/1.1 200 OK\r\ncontent-le".to_owned()),
            "ConnectionLost",
        ),
        (
            "half a body",
            Treat::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Transcrip".to_owned()),
            "UnreadableReply",
        ),
        (
            "200 with garbage",
            http("200 OK", "", "<html>hello</html>"),
            "UnreadableReply",
        ),
        ("an empty 502", http("502 Bad Gateway", "", ""), "UnreadableReply"),
        (
            "a 502 with a page",
            http("502 Bad Gateway", "", "<html>bad gateway</html>"),
            "UnreadableReply",
        ),
        (
            "a 403 of a proxy",
            http("403 Forbidden", "", "<html>blocked</html>"),
            "UnreadableReply",
        ),
    ] {
        assert_eq!(told(&treated(treat).await), (AwsErrorKind::Ambiguous, code), "{says}");
    }
}

/// The time-out of the operation, not of the reading.
#[tokio::test]
async fn a_start_takes_five_seconds_at_most() {
    let (client, timer) = (aws_smithy_http_client::test_util::NeverClient::new(), Timer::default());
    let aws = connect(&timed(&over(client.clone()), &timer), None);
    let mut started = pin!(start(&aws));
    tokio::select! {
        fault = &mut started => panic!("{fault:?}"),
        sent = wait::until_so("it is sent", async || client.num_calls() == 1) => sent.unwrap(),
    }
    timer.pass(Duration::from_millis(4999));
    assert_eq!(started.as_mut().now_or_never(), None);
    timer.pass(Duration::from_secs(5));
    assert_eq!(told(&started.await), (AwsErrorKind::Ambiguous, "Timeout"));
    assert_eq!(client.num_calls(), 1);
}

#[derive(Debug)]
struct Failing(fn() -> CredentialsError);

impl ProvideCredentials for Failing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn a_start_that_was_never_sent_is_known_as_such() {
    let peer = Peer::that(Treat::Close).await;
    for provider in [
        Failing(|| CredentialsError::not_loaded("none here")),
        Failing(|| CredentialsError::provider_error("the token endpoint answered 503")),
        Failing(|| CredentialsError::invalid_configuration("a profile that is none")),
    ] {
        let failing = providing(SharedCredentialsProvider::new(provider));
        let fault = start(&connect(&failing, Some(peer.endpoint.clone()))).await;
        assert_eq!(told(&fault), (AwsErrorKind::NotSent, "NotSent"));
        assert!(fault.message.contains("credentials"), "{}", fault.message);
    }
    assert!(peer.requests().is_empty());
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let fault = start(&connect(&config(), Some(format!("http://{nobody}")))).await;
    assert_eq!(told(&fault), (AwsErrorKind::NotSent, "NotSent"), "connection refused");
    assert!(fault.message.contains("connection"), "{}", fault.message);
}

#[tokio::test]
async fn errors_mean_what_their_codes_mean() {
    use AwsErrorKind::{Absent, Ambiguous, Conflict, Denied, Invalid, NotSent, Throttled};
    for (status, code, message, kind) in [
        (
            400,
            "ConflictException",
            "The requested job name already exists.",
            Conflict,
        ),
        (400, "BadRequestException", "The media format is wrong.", Invalid),
        (
            400,
            "BadRequestException",
            "The requested job couldn't be found.",
            Absent,
        ),
        (400, "NotFoundException", "no such job", Absent),
        (400, "LimitExceededException", "You have too many jobs.", Throttled),
        (400, "ThrottlingException", "Rate exceeded", Throttled),
        (429, "TooManyRequestsException", "Rate exceeded", Throttled),
        (503, "SlowDown", "Reduce your request rate", Throttled),
        (
            400,
            "AccessDeniedException",
            "User is not authorized to perform",
            Denied,
        ),
        (
            403,
            "InvalidSignatureException",
            "Signature expired: 20260101T000000Z is now earlier than",
            NotSent,
        ),
        (
            403,
            "InvalidSignatureException",
            "Signature not yet current: 20260101T000000Z",
            NotSent,
        ),
        (
            403,
            "InvalidSignatureException",
            "The request signature we calculated does not match",
            Denied,
        ),
        (
            400,
            "UnrecognizedClientException",
            "The security token is invalid",
            NotSent,
        ),
        (400, "ExpiredTokenException", "The security token has expired", NotSent),
        (403, "IncompleteSignature", "bad", Denied),
        (400, "ValidationException", "1 validation error detected", Invalid),
        (400, "SomethingNewException", "a code that nobody has seen", Invalid),
        (
            500,
            "InternalFailureException",
            "There was an internal error.",
            Ambiguous,
        ),
        (503, "ServiceUnavailableException", "come back later", Ambiguous),
        (500, "SomethingNewException", "a code that nobody has seen", Ambiguous),
        (502, "BadGatewayException", "a code that nobody has seen", Ambiguous),
    ] {
        let (aws, _) = replaying(vec![error(status, code, message)]);
        let fault = start(&aws).await;
        assert_eq!(fault.kind, kind, "{status} {code}: {fault:?}");
        assert!(fault.message.contains(message), "{code}: {fault:?}");
        // What is stored of it is the code: it must mean the same when it is read back.
        assert_eq!(
            AwsErrorKind::of_code(&fault.code).passes_by_itself(),
            kind.passes_by_itself(),
            "{status} {code}: {fault:?}"
        );
    }
}

#[tokio::test]
async fn a_fault_below_the_protocol_means_the_same_when_it_is_read_back() {
    for treat in [Treat::Close, Treat::Silence, http("502 Bad Gateway", "", "")] {
        let fault = treated(treat).await;
        assert_eq!(AwsErrorKind::of_code(&fault.code), fault.kind, "{fault:?}");
    }
}

#[tokio::test]
async fn only_the_text_of_a_refusal_is_kept() {
    let long = format!("bad\r\n\u{7}news {}", "x".repeat(5000));
    let (aws, _) = replaying(vec![error(400, "BadRequestException", &long)]);
    let fault = start(&aws).await;
    assert!(fault.message.starts_with("bad   news xxx"), "{}", fault.message);
    assert_eq!(fault.message.chars().count(), 512);
    assert!(!fault.message.chars().any(char::is_control));
}

/// AWS says who was refused: the session of a class's role, or the operator itself.
#[tokio::test]
async fn who_was_refused_is_for_those_who_may_read_classes() {
    for who in [
        "arn:aws:sts::111122223333:assumed-role/transcribe-finance/payroll.0f8fad5b",
        "arn:aws-cn:iam::111122223333:user/operator",
    ] {
        let of = |who: &str| {
            format!(
                "User: {who} is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/data"
            )
        };
        let (aws, _) = replaying(vec![error(400, "AccessDeniedException", &of(who))]);
        let fault = start(&aws).await;
        assert_eq!(
            (fault.message.as_str(), fault.detail()),
            (&*of("the operator"), &*of(who))
        );
    }
}

#[tokio::test]
async fn a_record_that_is_absent_is_no_fault_of_a_get() {
    for (code, message) in [
        ("NotFoundException", "no such job"),
        (
            "BadRequestException",
            "The requested job couldn't be found. Check the job name and try your request again.",
        ),
    ] {
        let (aws, _) = replaying(vec![error(400, code, message)]);
        assert_eq!(aws.get(Kind::TranscriptionJob, JOB).await, Ok(None), "{code}");
    }
    for (status, code) in [
        (400, "BadRequestException"),
        (400, "AccessDeniedException"),
        (500, "InternalFailureException"),
    ] {
        let (aws, _) = replaying(vec![error(status, code, "no")]);
        assert!(
            aws.get(Kind::TranscriptionJob, JOB).await.is_err(),
            "{code} must never read as absent"
        );
    }
    let empty = crate::peer::reply(200, &serde_json::json!({}));
    let (aws, _) = replaying(vec![empty]);
    assert!(
        aws.get(Kind::TranscriptionJob, JOB).await.is_err(),
        "a reply without a job is no absence"
    );
}

#[tokio::test]
async fn deletions() {
    let (aws, client) = replaying(vec![
        crate::peer::reply(200, &serde_json::json!({})),
        error(400, "NotFoundException", "gone"),
        error(400, "AccessDeniedException", "no"),
    ]);
    let kind = Kind::TranscriptionJob;
    assert_eq!(aws.delete(kind, JOB).await, Ok(()));
    assert_eq!(aws.delete(kind, JOB).await.unwrap_err().kind, AwsErrorKind::Absent);
    assert_eq!(aws.delete(kind, JOB).await.unwrap_err().kind, AwsErrorKind::Denied);
    let request = &crate::peer::asked(&client)[0];
    assert_eq!(request.operation, "Transcribe.DeleteTranscriptionJob");
    assert_eq!(request.body, serde_json::json!({"TranscriptionJobName": JOB}));
}
