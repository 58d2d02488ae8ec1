//! Keys, judged with the session that would use them.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use testkit::aws_sim::Key;
use testkit::stage::REGION;
use tokio::time::{Instant, sleep};

use crate::rig::{FINANCE, PATIENCE, Rig, says};

const ID: &str = "11112222-3333-4444-5555-666677778888";

/// A key of the team's account, for the department `finance` only.
fn key() -> Key {
    let account = json!({"AWS": format!("arn:aws:iam::{}:root", FINANCE.account)});
    let other = json!({"StringNotEquals": {"kms:EncryptionContext:department": "finance"}});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["kms:Encrypt", "kms:GenerateDataKey*"], "Resource": "*", "Condition": other},
    ]});
    Key {
        account: FINANCE.account.to_owned(),
        policy: Some(policy),
        ..Key::new(REGION, ID)
    }
}

fn job(name: &str, department: &str) -> Value {
    json!({
        "apiVersion": "transcribe-operator.io/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": {"name": name},
        "spec": {
            "transcriptionClassName": "finance",
            "languageCode": "en-US",
            "media": {"mediaFileUri": "s3://media/a.wav"},
            "encryption": {"kmsKeyId": ID, "context": {"department": department}},
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_asks_for_proof_denies_a_key_that_the_tenants_session_may_not_use() -> Result<()> {
    let (rig, _webhook) = Rig::governed().await?;
    rig.stage.sim.put_key(key())?;
    let allowed = json!([format!("arn:aws:kms:{REGION}:{}:key/*", FINANCE.account)]);
    let class = |check: &str| {
        json!({"input": {"allowedUris": ["s3://media/"]},
               "encryption": {"allowedKmsKeys": allowed, "verifyAccess": check}})
    };
    rig.class(FINANCE, class("Deny")).await?;
    let namespace = rig.namespace(FINANCE).await?;
    let create = async |manifest: Value| {
        let args = ["create", "-n", &namespace, "-f", "-"];
        rig.stage.kubectl.run_with(&args, &manifest.to_string()).await
    };
    // The API server takes a moment until it asks a webhook that was registered.
    let end = Instant::now() + PATIENCE;
    let refused = loop {
        let said = create(job("sales", "sales")).await?;
        if !said.success {
            break said.stderr;
        }
        assert!(Instant::now() < end, "the webhook is not asked");
        rig.stage
            .kubectl
            .run(&["delete", "tj", "--all", "-n", &namespace])
            .await?
            .ok()?;
        sleep(Duration::from_millis(200)).await;
    };
    says(
        &refused,
        &["spec.encryption.kmsKeyId", "AWS KMS denies", "verifyAccess"],
    )?;
    let tried = rig.stage.sim.trail();
    let tried = tried
        .iter()
        .filter(|event| event.operation == "GenerateDataKey")
        .collect::<Vec<_>>();
    assert!(!tried.is_empty());
    for event in tried {
        assert!(
            event.session_name.starts_with(&format!("{namespace}.")),
            "{}",
            event.session_name
        );
    }
    create(job("finance", "finance")).await?.ok()?;
    rig.until_reason(&namespace, "finance", "Completed").await?;

    rig.class(FINANCE, class("Off")).await?;
    let tried = rig.stage.sim.called("GenerateDataKey");
    let end = Instant::now() + PATIENCE;
    while !create(job("unproven", "sales")).await?.success {
        assert!(Instant::now() < end, "still denied");
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(rig.stage.sim.called("GenerateDataKey"), tried, "nobody tries the key");
    Ok(())
}
