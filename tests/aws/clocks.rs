//! How far AWS's clock is from ours, as its replies tell.

use std::{ops::RangeInclusive, sync::LazyLock, time::Duration};

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

/// A time that is so many seconds away from when the test began.
fn away(seconds: i64) -> Timestamp {
    static BEGUN: LazyLock<Timestamp> = LazyLock::new(now);
    *BEGUN + SignedDuration::from_secs(seconds)
}

/// The skew that a reply with this date tells when it comes between two looks at the clock, in seconds.
fn apart(date: Timestamp, before: Timestamp, after: Timestamp) -> RangeInclusive<u64> {
    let away = |clock: Timestamp| (clock.as_second() - date.as_second()).unsigned_abs();
    let (one, other) = (away(before), away(after));
    one.min(other)..=one.max(other)
}

#[tokio::test]
async fn the_last_reply_tells_the_skew() {
    let hour = 3600;
    let replies = vec![
        dated(job(), away(0)),
        dated(job(), away(-3 * hour)),
        dated(job(), away(2 * hour)),
        job(),
        dated(error(400, "BadRequestException", "no"), away(-4 * hour)),
        dated(job(), away(0)),
    ];
    let (aws, _) = replaying(replies);
    assert_eq!(aws.skew(), Duration::ZERO, "nothing is known yet");
    let mut before = aws.skew();
    for told in [Some(0), Some(-3), Some(2), None, Some(-4), Some(0)] {
        let begun = now();
        aws.get(Kind::TranscriptionJob, JOB).await.ok();
        let (seen, ended) = (aws.skew(), now());
        match told {
            Some(hours) => {
                let range = apart(away(hours * hour), begun, ended);
                assert!(
                    range.contains(&seen.as_secs()),
                    "{hours} h: {seen:?} is not in {range:?}"
                );
            }
            None => assert_eq!(seen, before, "a reply without a date tells nothing"),
        }
        before = seen;
    }
}

#[tokio::test]
async fn a_start_tells_it_by_the_clock_and_not_by_its_signature() {
    let (aws, _) = replaying(vec![dated(job(), away(0))]);
    let begun = now();
    aws.start(&plain(), &intent(away(-3600))).await.unwrap();
    let range = apart(away(0), begun, now());
    assert!(
        range.contains(&aws.skew().as_secs()),
        "{:?} is not in {range:?}",
        aws.skew()
    );
}

#[tokio::test]
async fn a_date_that_is_none_tells_nothing() {
    let mut odd = job();
    odd.headers_mut().insert("date", "yesterday".parse().unwrap());
    let (aws, _) = replaying(vec![dated(job(), away(-3600)), odd]);
    aws.get(Kind::TranscriptionJob, JOB).await.unwrap();
    let told = aws.skew();
    assert!(!told.is_zero());
    aws.get(Kind::TranscriptionJob, JOB).await.unwrap();
    assert_eq!(aws.skew(), told);
}
