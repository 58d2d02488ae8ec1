//! The tenant's guide: the policy by which a transcript is read, of the transcripts that the pages' jobs have written.

use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::ProvideErrorMetadata as _;
use aws_sdk_kms::primitives::Blob;
use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, Key, Role, SessionCredentials};
use testkit::stage::REGION;

use crate::KEY;

const READER: &str = "arn:aws:iam::111122223333:role/finance-reader";

/// Own transcripts with the context that the policy names, through S3: those, and no others.
pub(crate) async fn opens_own_transcripts_only(sim: &AwsSim, policy: Value) {
    let nobody = json!({"Version": "2012-10-17", "Statement": []});
    sim.put_role(Role::new(READER, nobody, policy)).unwrap();
    let reader = sim.session(READER, "jane").unwrap();
    let of = |job: &str| sim.objects().into_iter().find(|uri| uri.contains(&format!("/{job}/")));
    for (job, wanted) in [
        ("finance/TranscriptionJob/standup", "ok"),
        ("finance/TranscriptionJob/retro", "ok"),
        ("finance/TranscriptionJob/podcast", "kms:Decrypt"),
        ("media/TranscriptionJob/call", "s3:GetObject"),
    ] {
        let uri = of(job).unwrap();
        let said = sim.read(&reader, REGION, &uri).await.unwrap();
        let said = said.map_or_else(|error| error, |_| "ok".to_owned());
        let denied = format!("is not authorized to perform: {wanted} ");
        let so = if wanted == "ok" {
            said == "ok"
        } else {
            said.contains(&denied)
        };
        assert!(so, "{job}: {said}");
    }
    let told = decrypted_directly(sim, &reader).await;
    assert!(told.contains("kms:Decrypt"), "{told}");

    // The key's own policy must let IAM policies count.
    let only_root = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::111122223333:role/security"}}]});
    let key = Key {
        policy: Some(only_root),
        ..Key::new(REGION, KEY.rsplit('/').next().unwrap())
    };
    sim.put_key(key).unwrap();
    let own = of("finance/TranscriptionJob/standup").unwrap();
    let told = sim.read(&reader, REGION, &own).await.unwrap().unwrap_err();
    assert!(
        told.contains("kms:Decrypt") && told.contains("no resource-based policy"),
        "{told}"
    );
}

/// What KMS says to who asks it without S3, with the context of a transcript.
async fn decrypted_directly(sim: &AwsSim, reader: &SessionCredentials) -> String {
    let SessionCredentials {
        access_key_id,
        secret_access_key,
        session_token,
        ..
    } = reader;
    let credentials = Credentials::new(
        access_key_id,
        secret_access_key,
        Some(session_token.clone()),
        None,
        "test",
    );
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(sim.url())
        .region(Region::new(REGION))
        .credentials_provider(credentials);
    let call = aws_sdk_kms::Client::from_conf(config.build()).decrypt().key_id(KEY);
    let call = call
        .ciphertext_blob(Blob::new("ciphertext"))
        .encryption_context("department", "finance");
    let told = call.send().await.unwrap_err();
    format!(
        "{}: {}",
        told.code().unwrap_or_default(),
        told.message().unwrap_or_default()
    )
}
