//! moto runs, holds keys, and moves jobs on by itself.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::{Value, json};
use testkit::moto::Moto;
use tokio::time::{Instant, sleep};

const REGION: &str = "eu-west-1";

#[tokio::test]
async fn a_key_is_found_by_each_of_its_four_names() {
    let moto = Moto::start().await.unwrap();
    let key = moto.create_key(REGION, "alias/transcripts").await.unwrap();
    for name in [&key.id, &key.arn, &key.alias, &key.alias_arn] {
        let wanted = json!({"KeyId": name});
        let found = moto.call("kms", REGION, "TrentService.DescribeKey", &wanted).await;
        let found = &found.unwrap()["KeyMetadata"];
        assert_eq!(found["Arn"], key.arn, "{name}");
        assert_eq!(
            (&found["KeyUsage"], &found["KeySpec"], &found["KeyState"]),
            (
                &json!("ENCRYPT_DECRYPT"),
                &json!("SYMMETRIC_DEFAULT"),
                &json!("Enabled")
            )
        );
    }
    let other = json!({"KeyId": "alias/other"});
    let refused = moto.call("kms", REGION, "TrentService.DescribeKey", &other).await;
    assert!(refused.unwrap_err().to_string().contains("NotFoundException"));
}

#[tokio::test]
async fn a_job_is_done_after_a_while() {
    let moto = Moto::start().await.unwrap();
    let call = async |operation: &str, body: Value| {
        moto.call("transcribe", REGION, &format!("Transcribe.{operation}"), &body)
            .await
            .unwrap()
    };
    let job =
        json!({"TranscriptionJobName": "j", "LanguageCode": "en-US", "Media": {"MediaFileUri": "s3://media/a.wav"}});
    call("StartTranscriptionJob", job).await;
    let end = Instant::now() + Duration::from_secs(20);
    let status = async || {
        let got = call("GetTranscriptionJob", json!({"TranscriptionJobName": "j"})).await;
        got["TranscriptionJob"]["TranscriptionJobStatus"].clone()
    };
    while status().await != "COMPLETED" {
        assert!(Instant::now() < end, "{}", moto.log_tail());
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let moto = Moto::start().await.unwrap();
    let address = moto.url().replace("http://", "");
    tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(moto);
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}
