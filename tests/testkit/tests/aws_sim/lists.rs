//! Lists, what reads may hide, and how often one may ask.

use super::*;

#[tokio::test]
async fn the_sdk_pages_through_a_list_newest_first() {
    let sim = sim().await;
    let client = sdk(&sim);
    for n in 0..12 {
        start(&client, &format!("op-{n:02}"), "s3://media/a.wav").await.unwrap();
    }
    let first = client.list_transcription_jobs().send().await.unwrap();
    assert_eq!(first.transcription_job_summaries().len(), 5, "the default page");
    assert_eq!(
        first.transcription_job_summaries()[0].transcription_job_name(),
        Some("op-11")
    );
    let mut pages = client.list_transcription_jobs().into_paginator().page_size(5).send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        seen.extend(
            page.transcription_job_summaries()
                .iter()
                .map(|job| job.transcription_job_name.clone().unwrap()),
        );
    }
    let wanted: Vec<_> = (0..12).rev().map(|n| format!("op-{n:02}")).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_list_filters_and_its_tokens_hold_while_records_move() {
    let sim = sim().await;
    for name in ["op-A-1", "op-a-2", "other", "op-a-3", "op-a-4"] {
        call(&sim, START, request(name, json!({}))).await;
    }
    let filter = json!({"JobNameContains": "OP-a", "MaxResults": 2});
    let (first, token) = names(&sim, filter.clone()).await;
    assert_eq!(first, ["op-a-4", "op-a-3"]);
    call(&sim, START, request("op-a-5", json!({}))).await;
    sim.remove_job("op-a-3");
    let next = |token: &Value| {
        let mut body = filter.clone();
        body["NextToken"] = token.clone();
        body
    };
    let (second, end) = names(&sim, next(&token)).await;
    assert_eq!(
        (second, end),
        (vec!["op-a-2".to_owned(), "op-A-1".to_owned()], Value::Null)
    );
    assert_eq!(
        call(&sim, "ListTranscriptionJobs", next(&json!("nonsense")))
            .await
            .code(),
        "BadRequestException"
    );
    let other = json!({"NextToken": token, "MaxResults": 2});
    assert_eq!(
        call(&sim, "ListTranscriptionJobs", other).await.code(),
        "BadRequestException"
    );

    let old = Timestamp::now() - SignedDuration::from_hours(24 * 30);
    let foreign = ForeignJob {
        name: "op-a-old".into(),
        created: Some(old),
        ..ForeignJob::default()
    };
    sim.put_foreign_job(&foreign).unwrap();
    assert_eq!(
        names(&sim, json!({})).await.0.last().unwrap(),
        "op-A-1",
        "order is by creation, not by arrival"
    );
    assert_eq!(names(&sim, json!({"Status": "COMPLETED"})).await.0, ["op-a-old"]);

    sim.set_config(|config| (config.short_pages, config.seed) = (true, 5));
    let (mut seen, mut token, mut pages) = (Vec::new(), Value::Null, Vec::new());
    for _ in 0..20 {
        let body = if token.is_null() {
            json!({})
        } else {
            json!({"NextToken": token})
        };
        let (page, next) = names(&sim, body).await;
        pages.push(page.len());
        seen.extend(page);
        if next.is_null() {
            break;
        }
        token = next;
    }
    assert_eq!(seen, ["op-a-5", "op-a-4", "other", "op-a-2", "op-A-1", "op-a-old"]);
    assert_eq!((pages.len() > 2, pages.last()), (true, Some(&0)));
}

#[tokio::test]
async fn reads_can_lag() {
    let sim = sim_with(|config| (config.get_lag_ms, config.list_lag_ms) = (1000, 1500)).await;
    let begun = Instant::now();
    call(&sim, START, request("job", json!({}))).await;
    let get = async || call(&sim, GET, json!({"TranscriptionJobName": "job"})).await;
    assert_eq!(get().await.message(), ABSENT);
    assert_eq!(
        call(&sim, START, request("job", json!({}))).await.code(),
        "ConflictException",
        "writes do not lag"
    );
    while get().await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
    while names(&sim, json!({})).await.0.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    sim.finish_all();
    assert_eq!(
        get().await.json()["TranscriptionJob"]["TranscriptionJobStatus"],
        "IN_PROGRESS"
    );
    call(&sim, "DeleteTranscriptionJob", json!({"TranscriptionJobName": "job"})).await;
    assert_eq!(get().await.status, 200, "a deleted record is still seen for a while");
}

#[tokio::test]
async fn rates_are_per_account_region_and_operation() {
    let sim = sim_with(|config| {
        config.rates = true;
        config.seed = 2;
        config.accounts.insert("OTHER".into(), "444455556666".into());
    })
    .await;
    let raw = Raw::new(&sim);
    let mut limited = 0;
    let begun = Instant::now();
    for _ in 0..8 {
        let answer = raw.call("ListTranscriptionJobs", json!({})).await;
        limited += usize::from(answer.status != 200 && answer.code() == "LimitExceededException");
    }
    if begun.elapsed() < Duration::from_millis(900) {
        assert_eq!(limited, 3, "5 of 8 calls within a second");
    }
    let other = Raw {
        key: "OTHER",
        ..Raw::new(&sim)
    };
    assert_eq!(other.call("ListTranscriptionJobs", json!({})).await.status, 200);
    let other = Raw {
        region: "eu-west-1",
        ..Raw::new(&sim)
    };
    assert_eq!(other.call("ListTranscriptionJobs", json!({})).await.status, 200);
    assert_eq!(
        raw.call(GET, json!({"TranscriptionJobName": "x"})).await.message(),
        ABSENT
    );
}
