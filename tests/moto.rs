//! An encrypted job on moto, an AWS that nobody here wrote: Transcribe, KMS and STS.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::time::Duration;

use serde_json::{Value, json};
use testkit::aws_sim::Config;
use testkit::moto::{ACCOUNT, Moto};
use testkit::stage::{REGION, Stage, condition};
use testkit::webhook::Webhook;

fn manifest(name: &str, key: &str) -> String {
    json!({
        "apiVersion": "transcribe-operator.io/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": {"name": name},
        "spec": {
            "languageCode": "en-US",
            "media": {"mediaFileUri": format!("s3://media/{name}.wav")},
            "encryption": {"kmsKeyId": key, "context": {"department": "finance"}},
        },
    })
    .to_string()
}

#[tokio::test]
async fn an_encrypted_job_runs_on_moto_from_apply_to_finished() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (stage, moto) = tokio::try_join!(Stage::start(Config::default()), Moto::start()).unwrap();
    let key = moto.create_key(REGION, "alias/transcripts").await.unwrap();
    let webhook = Webhook::new().unwrap();
    let operator = stage
        .operator_at(
            env!("CARGO_BIN_EXE_transcribe-operator"),
            &stage.plane.url(),
            &moto.url(),
        )
        .args(webhook.args())
        .start()
        .unwrap();
    operator.wait_ready().await.unwrap();
    webhook.register(&stage.client).await.unwrap();

    for (name, reference) in [
        ("by-alias", key.alias.as_str()),
        ("by-id", &key.id),
        ("by-arn", &key.arn),
        ("by-alias-arn", &key.alias_arn),
    ] {
        let applied = stage
            .kubectl
            .apply(&manifest(name, reference))
            .await
            .unwrap()
            .ok()
            .unwrap();
        assert_eq!(applied.stderr, "", "{name}");
        let finished = |job: &Value| condition(job, "Finished").is_some_and(|c| c["status"] == "True");
        let job = stage
            .until("default", name, Duration::from_mins(1), finished)
            .await
            .unwrap_or_else(|error| panic!("{error:#}\n{}\n{}", operator.log_tail(), moto.log_tail()));
        let status = &job["status"];
        assert_eq!(condition(&job, "Complete").unwrap()["status"], "True", "{status:#}");
        assert_eq!(status["encryption"]["mode"], "SSE-KMS", "{status:#}");
        assert_eq!(status["encryption"]["kmsKeyArn"], key.arn, "{status:#}");
        assert_eq!(status["encryption"]["context"]["department"], "finance", "{status:#}");
        assert_eq!(status["class"]["accountId"], ACCOUNT, "{status:#}");
    }

    let disable = json!({"KeyId": key.id});
    moto.call("kms", REGION, "TrentService.DisableKey", &disable)
        .await
        .unwrap();
    operator.restart().unwrap();
    operator.wait_ready().await.unwrap();
    for (name, reference, part) in [
        ("disabled", key.arn.as_str(), "the key is disabled"),
        ("absent", "alias/absent", "there is no such key"),
    ] {
        let refused = stage.kubectl.apply(&manifest(name, reference)).await.unwrap();
        assert!(!refused.success && refused.stderr.contains(part), "{}", refused.stderr);
    }
}
