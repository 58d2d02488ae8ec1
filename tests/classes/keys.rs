//! Keys, judged with the session that would use them.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::aws_sim::Key;
use testkit::stage::REGION;
use testkit::wait::{self, Look};

use crate::rig::{FINANCE, Rig, says};

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
    let refused = wait::until("the webhook refuses the key", async || {
        let said = create(job("sales", "sales")).await?;
        if !said.success {
            return Ok(Look::Done(said.stderr));
        }
        let delete = ["delete", "tj", "--all", "-n", &namespace];
        rig.stage.kubectl.run(&delete).await?.ok()?;
        Ok(Look::Not("the webhook is not asked".to_owned()))
    })
    .await?;
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
    let started = rig.stage.sim.called("StartTranscriptionJob");
    create(job("unproven", "sales")).await?.ok()?;
    // By then the operator has judged the key as often as it does.
    let asked = async || rig.stage.sim.called("StartTranscriptionJob") > started;
    wait::until_so("AWS is asked to start the job", asked).await?;
    assert_eq!(rig.stage.sim.called("GenerateDataKey"), tried, "nobody tries the key");
    Ok(())
}
