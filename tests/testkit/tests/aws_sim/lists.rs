//! Lists, what reads may hide, and how often one may ask.

use super::*;

#[tokio::test]
async fn the_sdk_pages_through_a_list_newest_first() {
    let sim = sim().await;
    let client = sdk(&sim);
    for kind in &KINDS {
        for n in 0..12 {
            sdk::start(&client, kind, &format!("op-{n:02}"), "s3://media/a.wav")
                .await
                .unwrap();
        }
        let wanted: Vec<_> = (0..12).rev().map(|n| format!("op-{n:02}")).collect();
        let by_default = sdk::list(&client, kind, None).await;
        assert_eq!(by_default, (vec![5, 5, 2], wanted.clone()), "{}", kind.entity);
        assert_eq!(sdk::list(&client, kind, Some(100)).await, (vec![12], wanted));
    }
}

#[tokio::test]
async fn a_summary_has_the_members_that_its_shape_has() {
    let sim = sim().await;
    let common = ["CompletionTime", "CreationTime", "LanguageCode", "StartTime"];
    #[rustfmt::skip]
    let wanted: [&[&str]; 4] = [
        &["OutputLocationType", "TranscriptionJobName", "TranscriptionJobStatus"],
        &["MedicalTranscriptionJobName", "OutputLocationType", "Specialty", "TranscriptionJobStatus", "Type"],
        &["CallAnalyticsJobName", "CallAnalyticsJobStatus"],
        &["MedicalScribeJobName", "MedicalScribeJobStatus"],
    ];
    for (kind, wanted) in KINDS.iter().zip(wanted) {
        let change = with((kind.output)("results"), &json!({"Tags": [{"Key": "a", "Value": "1"}]}));
        assert_eq!(kind.begin(&sim, "job", change).await.status, 200);
        sim.finish_all();
        let summary = kind.summaries(&sim, json!({})).await.remove(0);
        let found: BTreeSet<_> = summary.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, common.iter().chain(wanted).copied().collect(), "{}", kind.entity);
        let place = summary["OutputLocationType"].as_str();
        assert_eq!(place.unwrap_or("CUSTOMER_BUCKET"), "CUSTOMER_BUCKET");
    }
}

#[tokio::test]
async fn a_list_filters_and_its_tokens_hold_while_records_move() {
    for kind in &KINDS {
        filters_and_tokens(kind).await;
    }
}

async fn filters_and_tokens(kind: &Kind) {
    let sim = sim().await;
    let names = async |body: Value| kind.names(&sim, body).await;
    for name in ["op-A-1", "op-a-2", "other", "op-a-3", "op-a-4"] {
        kind.begin(&sim, name, json!({})).await;
    }
    let filter = json!({"JobNameContains": "OP-a", "MaxResults": 2});
    let (first, token) = names(filter.clone()).await;
    assert_eq!(first, ["op-a-4", "op-a-3"]);
    kind.begin(&sim, "op-a-5", json!({})).await;
    sim.remove_job("op-a-3");
    let next = |token: &Value| {
        let mut body = filter.clone();
        body["NextToken"] = token.clone();
        body
    };
    let (second, end) = names(next(&token)).await;
    assert_eq!(
        (second, end),
        (vec!["op-a-2".to_owned(), "op-A-1".to_owned()], Value::Null)
    );
    assert_eq!(
        call(&sim, &kind.list(), next(&json!("nonsense"))).await.code(),
        "BadRequestException"
    );
    let other = json!({"NextToken": token, "MaxResults": 2});
    assert_eq!(call(&sim, &kind.list(), other).await.code(), "BadRequestException");

    let old = Timestamp::now() - SignedDuration::from_hours(24 * 30);
    let foreign = ForeignJob {
        kind: Some(kind.entity.to_owned()),
        name: "op-a-old".into(),
        created: Some(old),
        ..ForeignJob::default()
    };
    sim.put_foreign_job(&foreign).unwrap();
    assert_eq!(
        names(json!({})).await.0.last().unwrap(),
        "op-A-1",
        "order is by creation, not by arrival"
    );
    assert_eq!(names(json!({"Status": "COMPLETED"})).await.0, ["op-a-old"]);

    sim.set_config(|config| (config.short_pages, config.seed) = (true, 5));
    let (mut seen, mut token, mut pages) = (Vec::new(), Value::Null, Vec::new());
    for _ in 0..20 {
        let body = if token.is_null() {
            json!({})
        } else {
            json!({"NextToken": token})
        };
        let (page, next) = names(body).await;
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
async fn a_token_is_good_for_its_kind_only() {
    let sim = sim().await;
    for kind in &KINDS {
        for name in ["a", "b"] {
            kind.begin(&sim, name, json!({})).await;
        }
    }
    let token = KINDS[0].names(&sim, json!({"MaxResults": 1})).await.1;
    for (kind, status) in KINDS.iter().zip([200, 400, 400, 400]) {
        let answer = call(&sim, &kind.list(), json!({ "NextToken": token })).await;
        assert_eq!(answer.status, status, "{}", kind.entity);
    }
}

#[tokio::test]
async fn reads_can_lag() {
    let sim = sim_with(|config| (config.get_lag_ms, config.list_lag_ms) = (1000, 1500)).await;
    sim.stop_clock();
    call(&sim, START, request("job", json!({}))).await;
    let get = async || call(&sim, GET, json!({"TranscriptionJobName": "job"})).await;
    let listed = async || !KINDS[0].names(&sim, json!({})).await.0.is_empty();
    assert_eq!(
        call(&sim, START, request("job", json!({}))).await.code(),
        "ConflictException",
        "writes do not lag"
    );
    for (pass, seen, in_list) in [
        (0, false, false),
        (999, false, false),
        (1, true, false),
        (499, true, false),
        (1, true, true),
    ] {
        sim.pass(pass);
        let (answer, listed) = (get().await, listed().await);
        assert_eq!((answer.status == 200, listed), (seen, in_list), "{}", answer.text);
        assert!(seen || answer.message() == ABSENT, "{}", answer.text);
    }
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
    for kind in &KINDS {
        let sim = sim_with(|config| {
            config.rates = true;
            config.seed = 2;
            config.accounts.insert("OTHER".into(), "444455556666".into());
        })
        .await;
        sim.stop_clock();
        let raw = Raw::new(&sim);
        let mut limited = 0;
        for _ in 0..8 {
            let answer = raw.call(&kind.list(), json!({})).await;
            limited += usize::from(answer.status != 200 && answer.code() == "LimitExceededException");
        }
        assert_eq!(limited, 3, "5 of 8 calls within a second: {}", kind.entity);
        for (key, region) in [("OTHER", "us-east-1"), ("AKIDEXAMPLE", "eu-west-1")] {
            let other = Raw {
                key,
                region,
                ..Raw::new(&sim)
            };
            assert_eq!(other.call(&kind.list(), json!({})).await.status, 200);
        }
        assert_eq!(raw.call(&kind.get(), kind.named("x")).await.message(), ABSENT);
        for other in KINDS.iter().filter(|other| other.entity != kind.entity) {
            assert_eq!(raw.call(&other.list(), json!({})).await.status, 200);
        }
    }
}
