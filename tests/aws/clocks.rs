//! How far AWS's clock is from ours, as its replies tell.

use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use transcribe_operator::api::Kind;

use crate::peer::{JOB, error, intent, now, plain, replaying, reply};

fn dated(mut reply: http::Response<SdkBody>, time: Timestamp) -> http::Response<SdkBody> {
    let date = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    reply.headers_mut().insert("date", date.parse().unwrap());
    reply
}

fn job() -> http::Response<SdkBody> {
    reply(200, &json!({"TranscriptionJob": {"TranscriptionJobStatus": "QUEUED"}}))
}

#[tokio::test]
async fn the_last_reply_tells_the_skew() {
    let away = |seconds| now() + SignedDuration::from_secs(seconds);
    let replies = vec![
        dated(job(), away(0)),
        dated(job(), away(-300)),
        dated(job(), away(200)),
        job(),
        dated(error(400, "BadRequestException", "no"), away(-400)),
        dated(job(), away(0)),
    ];
    let (aws, _) = replaying(replies);
    assert_eq!(aws.skew(), Duration::ZERO, "nothing is known yet");
    for expected in [0, 300, 200, 200, 400, 0] {
        aws.get(Kind::TranscriptionJob, JOB).await.ok();
        let seen = aws.skew().as_secs();
        assert!(seen.abs_diff(expected) <= 2, "{expected} s apart, seen {seen} s");
    }
}

#[tokio::test]
async fn a_start_tells_it_by_the_clock_and_not_by_its_signature() {
    let (aws, _) = replaying(vec![dated(job(), now())]);
    let an_hour_ago = now() - SignedDuration::from_hours(1);
    aws.start(&plain(), &intent(an_hour_ago)).await.unwrap();
    assert!(aws.skew() <= Duration::from_secs(2), "{:?}", aws.skew());
}

#[tokio::test]
async fn a_date_that_is_none_tells_nothing() {
    let mut odd = job();
    odd.headers_mut().insert("date", "yesterday".parse().unwrap());
    let (aws, _) = replaying(vec![dated(job(), now() - SignedDuration::from_secs(300)), odd]);
    for _ in 0..2 {
        aws.get(Kind::TranscriptionJob, JOB).await.unwrap();
    }
    assert!(aws.skew() >= Duration::from_secs(298), "{:?}", aws.skew());
}
