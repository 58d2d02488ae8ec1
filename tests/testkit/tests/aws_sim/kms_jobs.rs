//! Jobs whose output is encrypted: Transcribe's own use of a key.

use super::*;

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const THEIRS: &str = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const REFUSED: &str = "The KMS key that you specified isn't valid or can't be accessed. Check the key and its \
                       permissions, then try your request again.";

/// A Start with a key and a context.
fn encrypted(name: &str, key: &str) -> Value {
    let members = json!({"OutputBucketName": "results", "OutputEncryptionKMSKeyId": key,
        "KMSEncryptionContext": {"department": "finance"}});
    request(name, members)
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

/// The job's status, and why it failed.
async fn job(sim: &AwsSim, name: &str) -> (String, String) {
    let job = call(sim, GET, json!({"TranscriptionJobName": name})).await.json()["TranscriptionJob"].clone();
    let text = |member: &str| job[member].as_str().unwrap_or_default().to_owned();
    (text("TranscriptionJobStatus"), text("FailureReason"))
}

#[tokio::test]
async fn a_start_needs_a_key_that_can_be_used() {
    let sim = sim().await;
    for (index, key) in [DEFAULT_KEY_ID, DEFAULT_KEY_ALIAS, ARN].into_iter().enumerate() {
        let answer = call(&sim, START, encrypted(&format!("job-{index}"), key)).await;
        assert_eq!(answer.status, 200, "{key}: {}", answer.text);
    }
    let refused = async |key: &str| {
        let answer = call(&sim, START, encrypted("bad", key)).await;
        (answer.code(), answer.message()) == ("BadRequestException".to_owned(), REFUSED.to_owned())
    };
    for key in [
        "alias/none",
        "nothing",
        "11112222-3333-4444-5555-666677778888",
        &ARN.replace("us-east-1", "eu-west-1"),
        THEIRS,
    ] {
        assert!(refused(key).await, "{key}");
    }
    let changes: [fn(&mut Key); 4] = [
        |key| key.key_state = KeyState::Disabled,
        |key| key.key_state = KeyState::PendingImport,
        |key| key.key_usage = "GENERATE_VERIFY_MAC".into(),
        |key| key.key_spec = "RSA_2048".into(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        set(&sim, change);
        assert!(refused(ARN).await, "change {index}");
        sim.put_key(Key::default()).unwrap();
    }
    set(&sim, |key| key.key_state = KeyState::Updating);
    assert_eq!(call(&sim, START, encrypted("good", ARN)).await.status, 200);
    assert_eq!(sim.ledger().len(), 4, "what was refused was not applied");
    assert_eq!(sim.kms_calls(), [], "Transcribe's uses are not calls of ours");
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
    let role = |account: &str| {
        let mut body = encrypted(&format!("role-{account}"), ARN);
        let role = format!("arn:aws:iam::{account}:role/data");
        body["JobExecutionSettings"] = json!({"AllowDeferredExecution": true, "DataAccessRoleArn": role});
        body
    };
    assert_eq!(call(&sim, START, role("111122223333")).await.status, 200);
    assert_eq!(
        call(&sim, START, role("444455556666")).await.message(),
        REFUSED,
        "the job's role must be allowed too"
    );

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
    let sim = sim_with(|config| config.key_fault = KeyFault::AtRun).await;
    for (name, key) in [("bad", "alias/none"), ("good", ARN)] {
        let answer = call(&sim, START, encrypted(name, key)).await;
        assert_eq!(
            answer.json()["TranscriptionJob"]["TranscriptionJobStatus"],
            "IN_PROGRESS"
        );
    }
    sim.finish_all();
    assert_eq!(job(&sim, "bad").await, ("FAILED".into(), outcomes::KEY_UNUSABLE.into()));
    assert_eq!(job(&sim, "good").await, ("COMPLETED".into(), String::new()));
}

#[tokio::test]
async fn a_key_that_is_lost_while_the_job_runs_makes_it_fail() {
    let sim = sim_with(|config| config.run_ms = 600).await;
    let running = async |names: [&str; 2]| {
        call(&sim, START, encrypted(names[0], DEFAULT_KEY_ALIAS)).await;
        call(&sim, START, request(names[1], json!({}))).await;
    };
    let done = async |name: &str| {
        let begun = Instant::now();
        while job(&sim, name).await.0 == "IN_PROGRESS" {
            assert!(begun.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        job(&sim, name).await
    };
    let lost = ("FAILED".to_owned(), outcomes::KEY_UNUSABLE.to_owned());
    let whole = ("COMPLETED".to_owned(), String::new());

    running(["disabled", "without-1"]).await;
    set(&sim, |key| key.key_state = KeyState::Disabled);
    assert_eq!(
        job(&sim, "disabled").await.0,
        "IN_PROGRESS",
        "not before the output is written"
    );
    assert_eq!(
        (done("disabled").await, done("without-1").await),
        (lost.clone(), whole.clone())
    );

    set(&sim, |key| key.key_state = KeyState::Enabled);
    assert_eq!(job(&sim, "disabled").await, lost, "what has ended stays as it is");
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
