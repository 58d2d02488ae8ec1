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
    let now = sim.stop_clock();
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let mut last = String::new();
    for _ in 0..4 {
        last = described(&client, DEFAULT_KEY_ID).await;
    }
    let text = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
    assert_eq!(last, format!("ThrottlingException: {text}"));
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
        (internal, Some("KMSInternalException: no")), (What::Drop, Some("none: none")), (What::BlackHole, None),
        (What::Garbage, Some("none: none")), (raw, Some("none: none")), (What::Delay(2500), None),
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
        match wanted {
            Some(wanted) => assert_eq!(described(&client, OTHER).await, wanted),
            None => is_not_answered(&sim, fault, described(&client, OTHER)).await,
        }
        assert_eq!(sim.fired(fault), 1);
    }
    let calls = sim.calls();
    assert_eq!((calls["DescribeKey"]["fault"], sim.ledger().len()), (5, 0));
    assert_eq!(sim.called("DescribeKey"), 16, "the delayed one is still on its way");
    sim.pass(2500);
    wait::until_so("the delayed one arrives", async || sim.called("DescribeKey") == 17)
        .await
        .unwrap();
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
    assert_eq!(dry.time, now);
    assert!(
        sim.kms_calls()
            .iter()
            .any(|call| call.outcome == "fault" && call.key_id == OTHER)
    );
}
