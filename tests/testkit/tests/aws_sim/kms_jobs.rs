//! Jobs whose output is encrypted: Transcribe's own use of a key.

use super::*;

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const THEIRS: &str = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const REFUSED: &str = "The KMS key that you specified isn't valid or can't be accessed. Check the key and its \
                       permissions, then try your request again.";

/// The members for a key, and a context where the kind takes one.
fn with_key(kind: &Kind, key: &str) -> Value {
    let mut members = with((kind.output)("results"), &json!({ "OutputEncryptionKMSKeyId": key }));
    if kind.context {
        members["KMSEncryptionContext"] = json!({"department": "finance"});
    }
    members
}

/// A Start with a key and a context.
fn encrypted(name: &str, key: &str) -> Value {
    request(name, with_key(&KINDS[0], key))
}

fn set(sim: &AwsSim, change: impl FnOnce(&mut Key)) {
    sim.change_key(ARN, change).unwrap();
}

/// The policy that allows everything under a condition.
fn under(condition: &Value) -> Value {
    json!({"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition}
    ]})
}

#[tokio::test]
async fn a_start_needs_a_key_that_can_be_used() {
    for kind in &KINDS {
        let sim = sim().await;
        let start = async |name: &str, key: &str| kind.begin(&sim, name, with_key(kind, key)).await;
        for (index, key) in [DEFAULT_KEY_ID, DEFAULT_KEY_ALIAS, ARN].into_iter().enumerate() {
            let answer = start(&format!("job-{index}"), key).await;
            assert_eq!(answer.status, 200, "{} {key}: {}", kind.entity, answer.text);
        }
        let refused = async |key: &str| {
            let answer = start("bad", key).await;
            (answer.code(), answer.message()) == ("BadRequestException".to_owned(), REFUSED.to_owned())
        };
        for key in [
            "alias/none",
            "nothing",
            "11112222-3333-4444-5555-666677778888",
            &ARN.replace("us-east-1", "eu-west-1"),
            THEIRS,
        ] {
            assert!(refused(key).await, "{} {key}", kind.entity);
        }
        let changes: [fn(&mut Key); 4] = [
            |key| key.key_state = KeyState::Disabled,
            |key| key.key_state = KeyState::PendingImport,
            |key| key.key_usage = "GENERATE_VERIFY_MAC".into(),
            |key| key.key_spec = "RSA_2048".into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            set(&sim, change);
            assert!(refused(ARN).await, "{} change {index}", kind.entity);
            sim.put_key(Key::default()).unwrap();
        }
        set(&sim, |key| key.key_state = KeyState::Updating);
        assert_eq!(start("good", ARN).await.status, 200);
        assert_eq!(sim.ledger().len(), 4, "what was refused was not applied");
        assert_eq!(sim.kms_calls(), [], "Transcribe's uses are not calls of ours");
    }
}

#[tokio::test]
async fn a_key_sees_the_context_that_each_kind_gives_it() {
    let equals = |key: &str, value: &str| json!({"StringEquals": { format!("kms:EncryptionContext:{key}"): value }});
    let added = "aws:us-east-1:transcribe:medical-scribe:job-name";
    #[rustfmt::skip]
    let table = [
        (json!({"StringEquals": {"kms:ViaService": "transcribe.us-east-1.amazonaws.com"}}), [true; 4]),
        (equals("department", "finance"), [true, true, false, true]),
        (equals("department", "sales"), [false; 4]),
        (json!({"Null": {"kms:EncryptionContextKeys": "true"}}), [false, false, true, false]),
        (equals(added, "job"), [false, false, false, true]),
        (json!({"Null": {"kms:EncryptionContext:aws:us-east-1:transcribe:medical-scribe:start-time-epoch-ms": "false"}}), [false, false, false, true]),
    ];
    for (condition, wanted) in table {
        let sim = sim().await;
        set(&sim, |key| key.policy = Some(under(&condition)));
        for (kind, wanted) in KINDS.iter().zip(wanted) {
            let answer = kind.begin(&sim, "job", with_key(kind, ARN)).await;
            assert_eq!(
                answer.status == 200,
                wanted,
                "{} {condition}: {}",
                kind.entity,
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn the_role_of_each_kind_must_be_allowed_to_use_the_key_too() {
    let sim = sim().await;
    let own = json!({"StringEquals": {"kms:CallerAccount": "111122223333"}});
    set(&sim, |key| key.policy = Some(under(&own)));
    for kind in &KINDS {
        let Some(role) = kind.role else { continue };
        let start = async |account: &str| {
            let role = role(&format!("arn:aws:iam::{account}:role/data"));
            let change = with(with_key(kind, ARN), &role);
            kind.begin(&sim, account, change).await
        };
        assert_eq!(start("111122223333").await.status, 200, "{}", kind.entity);
        assert_eq!(start("444455556666").await.message(), REFUSED, "{}", kind.entity);
    }
}

#[tokio::test]
async fn a_policy_can_allow_use_through_transcribe_only() {
    let sim = sim_with(|config| drop(config.accounts.insert("THEIRS".into(), "444455556666".into()))).await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let context: &[(&str, &str)] = &[("department", "finance")];
    let via = |region: &str| json!({"kms:ViaService": format!("transcribe.{region}.amazonaws.com")});
    #[rustfmt::skip]
    let table = [
        (json!({"StringEquals": via("us-east-1")}), [200, 400]),
        (json!({"StringEquals": via("eu-west-1")}), [400, 400]),
        (json!({"Bool": {"aws:ViaAWSService": "true"}}), [200, 400]),
        (json!({"StringEquals": {"kms:EncryptionContext:department": "finance"}}), [200, 200]),
        (json!({"StringEquals": {"kms:EncryptionContext:department": "sales"}}), [400, 400]),
    ];
    for (index, (condition, wanted)) in table.into_iter().enumerate() {
        set(&sim, |key| key.policy = Some(under(&condition)));
        let status = call(&sim, START, encrypted(&format!("job-{index}"), ARN)).await.status;
        let direct = tried(&client, ARN, context).await;
        let direct = if direct.starts_with("DryRun") { 200 } else { 400 };
        assert_eq!([status, direct], wanted, "{condition}");
    }

    set(&sim, |key| {
        key.policy = Some(under(&json!({"StringEquals": {"kms:CallerAccount": "111122223333"}})));
    });
    let own = call(&sim, START, encrypted("own", ARN)).await;
    let them = Raw {
        key: "THEIRS",
        ..Raw::new(&sim)
    };
    let foreign = them.call(START, encrypted("foreign", ARN)).await;
    assert_eq!((own.status, foreign.message().as_str()), (200, REFUSED));
    kms(&sim, "us-east-1", "AKIDEXAMPLE")
        .describe_key()
        .key_id("alias/aws/s3")
        .send()
        .await
        .unwrap();
    let managed = call(&sim, START, encrypted("managed", "alias/aws/s3")).await;
    assert_eq!(managed.message(), REFUSED, "that key is for S3");
}

#[tokio::test]
async fn a_key_that_is_bad_can_show_when_the_job_runs() {
    for kind in &KINDS {
        let sim = sim_with(|config| config.key_fault = KeyFault::AtRun).await;
        for (name, key) in [("bad", "alias/none"), ("good", ARN)] {
            kind.begin(&sim, name, with_key(kind, key)).await;
            assert_eq!(kind.end(&sim, name).await.0, "IN_PROGRESS", "{}", kind.entity);
        }
        sim.finish_all();
        let bad = ("FAILED".into(), outcomes::KEY_UNUSABLE.into());
        assert_eq!(kind.end(&sim, "bad").await, bad, "{}", kind.entity);
        assert_eq!(kind.end(&sim, "good").await, ("COMPLETED".into(), String::new()));
    }
}

#[tokio::test]
async fn a_job_of_any_kind_fails_that_has_lost_its_key_or_bucket() {
    for kind in &KINDS {
        let sim = sim().await;
        for (name, bucket) in [("key", "results"), ("bucket", "closed")] {
            let change = with((kind.output)(bucket), &json!({ "OutputEncryptionKMSKeyId": ARN }));
            let answer = kind.begin(&sim, name, change).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        let closed =
            json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}});
        sim.put_bucket(Bucket {
            policy: Some(closed),
            ..Bucket::new("closed", "111122223333")
        })
        .unwrap();
        let failed = |reason: &str| ("FAILED".to_owned(), reason.to_owned());
        let end = async |name: &str| kind.end(&sim, name).await;
        assert_eq!(end("bucket").await.0, "IN_PROGRESS", "not before the output is written");
        sim.finish_all();
        assert_eq!(
            end("bucket").await,
            failed(outcomes::OUTPUT_UNWRITABLE),
            "{}",
            kind.entity
        );
        assert_eq!(end("key").await.0, "COMPLETED");
        kind.begin(&sim, "lost", with_key(kind, ARN)).await;
        set(&sim, |key| key.key_state = KeyState::Disabled);
        sim.finish_all();
        assert_eq!(end("lost").await, failed(outcomes::KEY_UNUSABLE), "{}", kind.entity);
        assert_eq!(end("key").await.0, "COMPLETED", "what has ended stays as it is");
    }
}

#[tokio::test]
async fn a_key_that_is_lost_while_the_job_runs_makes_it_fail() {
    let sim = sim_with(|config| config.run_ms = 600).await;
    sim.stop_clock();
    let running = async |names: [&str; 2]| {
        call(&sim, START, encrypted(names[0], DEFAULT_KEY_ALIAS)).await;
        call(&sim, START, request(names[1], json!({}))).await;
    };
    let done = async |name: &str| {
        sim.pass(600);
        KINDS[0].end(&sim, name).await
    };
    let lost = ("FAILED".to_owned(), outcomes::KEY_UNUSABLE.to_owned());
    let whole = ("COMPLETED".to_owned(), String::new());

    running(["disabled", "without-1"]).await;
    set(&sim, |key| key.key_state = KeyState::Disabled);
    assert_eq!(
        KINDS[0].end(&sim, "disabled").await.0,
        "IN_PROGRESS",
        "not before the output is written"
    );
    assert_eq!(
        (done("disabled").await, done("without-1").await),
        (lost.clone(), whole.clone())
    );

    set(&sim, |key| key.key_state = KeyState::Enabled);
    assert_eq!(
        KINDS[0].end(&sim, "disabled").await,
        lost,
        "what has ended stays as it is"
    );
    running(["denied", "without-2"]).await;
    set(&sim, |key| {
        key.policy = Some(under(
            &json!({"StringEquals": {"kms:EncryptionContext:department": "sales"}}),
        ));
    });
    assert_eq!(
        (done("denied").await, done("without-2").await),
        (lost.clone(), whole.clone())
    );

    set(&sim, |key| key.policy = None);
    running(["back", "without-3"]).await;
    set(&sim, |key| key.key_state = KeyState::Disabled);
    set(&sim, |key| key.key_state = KeyState::Enabled);
    let alias = ARN.replace(&format!("key/{DEFAULT_KEY_ID}"), DEFAULT_KEY_ALIAS);
    assert!(sim.remove_alias(&alias));
    assert_eq!(done("back").await, whole, "the key is what counts, as it is at the end");

    sim.put_alias(DEFAULT_KEY_ALIAS, ARN).unwrap();
    running(["removed", "without-4"]).await;
    assert!(sim.remove_key(ARN));
    assert_eq!(done("removed").await, lost);
}
