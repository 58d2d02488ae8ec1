//! Calls of KMS: how often one may make them, what goes wrong with them, and what is seen of them.

use super::*;

const OTHER: &str = "11112222-3333-4444-5555-666677778888";
const WOULD: &str = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";

#[tokio::test]
async fn calls_are_limited_suffer_faults_and_are_seen() {
    let sim = sim_with(|config| {
        config.rates = true;
        config.seed = 2;
        config.rate.insert("DescribeKey".into(), 3);
    })
    .await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let begun = Instant::now();
    let mut last = String::new();
    for _ in 0..4 {
        last = described(&client, DEFAULT_KEY_ID).await;
    }
    if begun.elapsed() < Duration::from_millis(900) {
        let text = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
        assert_eq!(last, format!("ThrottlingException: {text}"));
    }
    let there = kms(&sim, "eu-west-1", "AKIDEXAMPLE");
    assert!(described(&there, DEFAULT_KEY_ID).await.starts_with("arn:"));
    assert_eq!(tried(&client, DEFAULT_KEY_ID, &[("a", "b")]).await, WOULD);

    sim.set_config(|config| config.rates = false);
    sim.put_key(Key::new("us-east-1", OTHER)).unwrap();
    let internal = What::Error {
        status: 500,
        code: "KMSInternalException".into(),
        message: "no".into(),
    };
    let raw = What::Raw {
        status: 502,
        body: "<html>".into(),
    };
    #[rustfmt::skip]
    let faults = [
        (internal, "KMSInternalException: no"), (What::Drop, "none: none"), (What::BlackHole, "none: none"),
        (What::Garbage, "none: none"), (raw, "none: none"), (What::Delay(2500), "none: none"),
    ];
    for (what, wanted) in faults {
        let fault = sim.fault(FaultRule {
            key_id_contains: Some("11112222".into()),
            ..FaultRule::next("DescribeKey", When::Before, what)
        });
        assert!(
            described(&client, DEFAULT_KEY_ID).await.starts_with("arn:"),
            "another key"
        );
        assert_eq!(tried(&client, OTHER, &[]).await, WOULD, "another operation");
        assert_eq!(sim.fired(fault), 0);
        assert_eq!(
            (described(&client, OTHER).await.as_str(), sim.fired(fault)),
            (wanted, 1)
        );
    }
    let calls = sim.calls();
    assert_eq!((calls["DescribeKey"]["fault"], sim.ledger().len()), (5, 0));
    assert!(
        sim.called("DescribeKey") >= 16,
        "the delayed one may still be on its way"
    );
    let dry = sim.kms_calls().into_iter().find(|call| call.dry_run).unwrap();
    assert_eq!(
        (
            &*dry.operation,
            &*dry.account,
            &*dry.region,
            &*dry.key_id,
            &*dry.outcome
        ),
        (
            "GenerateDataKey",
            "111122223333",
            "us-east-1",
            DEFAULT_KEY_ID,
            "DryRunOperationException"
        )
    );
    assert_eq!(dry.context, [("a".to_owned(), "b".to_owned())].into());
    assert!(dry.time.duration_since(Timestamp::now()).abs() < SignedDuration::from_mins(1));
    assert!(
        sim.kms_calls()
            .iter()
            .any(|call| call.outcome == "fault" && call.key_id == OTHER)
    );
}
