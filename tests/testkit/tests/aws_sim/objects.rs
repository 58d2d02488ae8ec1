//! Objects that jobs have written, and who can read them.

use super::identity::{may, policy, temporary};
use super::*;

const READER: &str = "arn:aws:iam::111122223333:role/reader";
const ANY: &str = "arn:aws:s3:::results/*";

/// A job whose output is encrypted with the default key and a context; the URI of its transcript.
async fn written(sim: &AwsSim, kind: &Kind, name: &str) -> String {
    let encrypted = json!({"OutputBucketName": "results", "OutputEncryptionKMSKeyId": Key::default().arn(),
        "KMSEncryptionContext": {"team": "finance"}});
    let answer = call(sim, &kind.start(), kind.request(name, encrypted)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    sim.finish_all();
    let mut objects = sim.objects().into_iter();
    objects.find(|uri| uri.contains(name)).unwrap()
}

fn reading(objects: &str, condition: &Value) -> [Value; 2] {
    [
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects}),
        json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": Key::default().arn(), "Condition": condition}),
    ]
}

#[tokio::test]
async fn a_transcript_takes_the_right_to_read_it_and_to_decrypt_with_its_context() {
    let sim = sim().await;
    let uri = written(&sim, &KINDS[0], "standup").await;
    let (via, context) = ("kms:ViaService", "kms:EncryptionContext:team");
    let equal = |key: &str, value: &str| json!({"StringEquals": {key: value}});
    let no_key = "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/reader/me is not authorized to perform: kms:Decrypt";
    let no_object = "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/reader/me is not authorized to perform: s3:GetObject";
    let arn = uri.replace("s3://", "arn:aws:s3:::");
    for (statements, wanted) in [
        (reading(ANY, &json!({})), "ok"),
        (reading(&arn, &equal(via, "s3.us-east-1.amazonaws.com")), "ok"),
        (reading(ANY, &equal(context, "finance")), "ok"),
        (reading(ANY, &equal("kms:EncryptionContext:aws:s3:arn", &arn)), "ok"),
        (reading(ANY, &equal(context, "sales")), no_key),
        (reading(ANY, &equal(context, "Finance")), no_key),
        (reading(ANY, &equal("kms:EncryptionContext:other", "finance")), no_key),
        (reading(ANY, &equal(via, "transcribe.us-east-1.amazonaws.com")), no_key),
        (reading("arn:aws:s3:::results/other/*", &json!({})), no_object),
    ] {
        let role = Role::new(READER, policy(&json!([])), policy(&json!(statements)));
        sim.put_role(role).unwrap();
        let reader = sim.session(READER, "me").unwrap();
        let said = sim.read(&reader, "us-east-1", &uri).await.unwrap();
        let said = said.map_or_else(|error| error, |_| "ok".to_owned());
        assert!(said.starts_with(wanted), "{statements:?}: {said}");
    }
    let event = sim.trail().pop().unwrap();
    assert_eq!(
        (event.service, &*event.operation, &*event.outcome),
        ("s3", "GetObject", "AccessDeniedException")
    );

    // Without S3 in between, the same right is not there.
    let statements = reading(ANY, &equal(via, "s3.us-east-1.amazonaws.com"));
    sim.put_role(Role::new(READER, policy(&json!([])), policy(&json!(statements))))
        .unwrap();
    let direct = async |rights: Value| {
        sim.change_role(READER, |role| role.policies.push(rights)).unwrap();
        let client = kms_as(&sim, "us-east-1", temporary(&sim.session(READER, "me").unwrap()));
        let blob = aws_sdk_kms::primitives::Blob::new("ciphertext");
        let call = client.decrypt().key_id(Key::default().arn()).ciphertext_blob(blob);
        told(&call.encryption_context("team", "finance").send().await.unwrap_err())
    };
    let told = direct(policy(&json!([]))).await;
    assert!(told.starts_with("AccessDeniedException"), "{told}");
    assert_eq!(direct(may(&["kms:Decrypt"])).await, "InvalidCiphertextException: ");
}

#[tokio::test]
async fn an_object_is_there_from_its_jobs_end_and_outlives_the_record() {
    let sim = sim().await;
    sim.put_role(Role::new(READER, policy(&json!([])), may(&["s3:GetObject", "kms:*"])))
        .unwrap();
    let reader = sim.session(READER, "me").unwrap();
    let read = async |uri: &str| sim.read(&reader, "us-east-1", uri).await.unwrap();
    for kind in &KINDS {
        let name = format!("of-{}", kind.entity);
        let answer = call(&sim, &kind.start(), kind.request(&name, (kind.output)("results"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(!sim.objects().iter().any(|uri| uri.contains(&name)), "{}", kind.entity);
        sim.finish_all();
        let uri = sim.objects().into_iter().find(|uri| uri.contains(&name)).unwrap();
        assert!(read(&uri).await.unwrap().contains(&name));
        sim.remove_job(&name);
        assert!(read(&uri).await.is_ok(), "{uri}");
    }
    let absent = "s3://results/none.json";
    let told = read(absent).await.unwrap_err();
    assert!(
        told.starts_with("AccessDenied: ") && told.contains("s3:ListBucket"),
        "{told}"
    );
    sim.change_role(READER, |role| role.policies.push(may(&["s3:ListBucket"])))
        .unwrap();
    assert_eq!(
        read(absent).await.unwrap_err(),
        "NoSuchKey: The specified key does not exist."
    );
    assert!(sim.expire_sessions(READER) > 0);
    assert!(read(absent).await.unwrap_err().starts_with("ExpiredToken: "));
}
