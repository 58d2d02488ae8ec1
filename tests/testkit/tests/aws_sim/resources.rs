//! Buckets and keys: the rights that their use takes, on the caller's side and on theirs.

use super::identity::{KEY, may, policy};
use super::rights::{UNREADABLE, UNWRITABLE, USER, allow, ask, trusting};
use super::*;

const WOULD: &str = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";

/// How KMS refuses the user the default key.
fn no(action: &str, layer: &str) -> String {
    let key = Key::default().arn();
    format!(
        "AccessDeniedException: User: {USER} is not authorized to perform: kms:{action} on resource: {key} because no \
         {layer}-based policy allows the kms:{action} action"
    )
}

/// A Start of the user with those rights, with a name of its own.
async fn start_with(sim: &AwsSim, rights: &Value, change: Value) -> String {
    let name = format!("job-{}", sim.called(START));
    ask(sim, rights.clone(), START, request(&name, change)).await
}

fn on_objects(action: &str, objects: &str) -> Value {
    allow(&[action], &json!({"Resource": format!("arn:aws:s3:::{objects}")}))
}

/// The right to start jobs, and to write into the bucket for results.
fn writing() -> [Value; 2] {
    [
        allow(&["transcribe:*"], &json!({})),
        on_objects("s3:PutObject", "results/*"),
    ]
}

/// The same, and to read the media.
fn both() -> Value {
    let [start, write] = writing();
    json!([start, write, on_objects("s3:GetObject", "media/*")])
}

fn results() -> Value {
    json!({"OutputBucketName": "results", "OutputKey": "finance"})
}

#[tokio::test]
async fn media_are_read_and_output_is_written_with_the_callers_rights() {
    let sim = sim().await;
    let narrow = |objects: &str| {
        let all = allow(&["transcribe:*", "s3:GetObject"], &json!({}));
        json!([all, on_objects("s3:PutObject", objects)])
    };
    let reading = json!([writing()[0], on_objects("s3:GetObject", "media/*")]);
    let elsewhere = json!({"Media": {"MediaFileUri": "s3://other/a.wav"}});
    let http = json!({"Media": {"MediaFileUri": "https://s3.us-east-1.amazonaws.com/media/a.wav"}});
    #[rustfmt::skip]
    let table = [
        (both(), results(), "ok"),
        (json!(writing()), results(), UNREADABLE),
        (reading.clone(), results(), UNWRITABLE),
        (reading, json!({}), "ok"),
        (both(), elsewhere, UNREADABLE),
        (both(), http, UNREADABLE),
        (narrow("results/finance/job-*.json"), results(), "ok"),
        (narrow("results/sales/*"), results(), UNWRITABLE),
        (narrow("results/x.json"), json!({"OutputBucketName": "results", "OutputKey": "x.json"}), "ok"),
        (narrow("results/job-*.json"), json!({"OutputBucketName": "results"}), "ok"),
    ];
    for (rights, change, wanted) in table {
        assert_eq!(
            start_with(&sim, &rights, change.clone()).await,
            wanted,
            "{rights} {change}"
        );
    }
}

#[tokio::test]
async fn each_kind_writes_all_its_files_with_the_rights_of_who_runs_it() {
    let redact = json!({"RedactionType": "PII", "RedactionOutput": "redacted_and_unredacted"});
    let redacted = json!({ "ContentRedaction": redact });
    let [plain, medical, analytics, scribe] = &KINDS;
    let in_settings = json!({ "Settings": redacted });
    let folder = "results/finance/";
    #[rustfmt::skip]
    let table = [
        (plain, json!({}), vec![format!("{folder}job-*.json")]),
        (plain, redacted.clone(), vec![format!("{folder}job-*.json"), format!("{folder}redacted-job-*.json")]),
        (plain, json!({"Subtitles": {"Formats": ["vtt"]}}), vec![format!("{folder}job-*.json"), format!("{folder}job-*.vtt")]),
        (medical, json!({}), vec![format!("{folder}job-*.json")]),
        (medical, json!({"OutputKey": null}), vec!["results/medical/job-*.json".to_owned()]),
        (analytics, json!({}), vec![format!("{folder}analytics/job-*.json")]),
        (analytics, in_settings, vec![format!("{folder}analytics/job-*.json"),
            format!("{folder}redacted-analytics/job-*.json"), format!("{folder}redacted-analytics/job-*.wav")]),
        (scribe, json!({}), vec!["results/job-*/transcript.json".to_owned(), "results/job-*/summary.json".to_owned()]),
    ];
    for (kind, change, files) in table {
        let sim = sim().await;
        let start = async |files: &[String]| {
            let read = on_objects("s3:GetObject", "media/*");
            let write: Vec<_> = files.iter().map(|file| on_objects("s3:PutObject", file)).collect();
            let own = [allow(&["transcribe:*", "iam:PassRole"], &json!({})), read];
            let rights: Value = own.into_iter().chain(write).collect();
            let role = Role::new(kinds::ROLE, trusting(&json!({})), policy(&rights));
            sim.put_role(role).unwrap();
            let name = format!("job-{}", sim.called(&kind.start()));
            let body = kind.request(&name, with((kind.output)("results"), &change));
            ask(&sim, rights, &kind.start(), body).await
        };
        assert_eq!(start(&files).await, "ok", "{} {files:?}", kind.entity);
        for missing in 0..files.len() {
            let mut rest = files.clone();
            let missing = rest.remove(missing);
            assert_eq!(start(&rest).await, UNWRITABLE, "{} {missing}", kind.entity);
        }
    }
}

#[tokio::test]
async fn media_of_each_kind_are_read_with_the_rights_of_who_runs_it() {
    let redacted = json!({"Media": {"RedactedMediaFileUri": "s3://media/b.wav"}});
    let cases = KINDS.iter().map(|kind| (kind, json!({})));
    for (kind, change) in cases.chain([(&KINDS[2], redacted)]) {
        let sim = sim().await;
        let start = async |objects: &str| {
            let own = allow(&["transcribe:*", "iam:PassRole", "s3:PutObject"], &json!({}));
            let rights = json!([own, on_objects("s3:GetObject", objects)]);
            let role = Role::new(kinds::ROLE, trusting(&json!({})), policy(&rights));
            sim.put_role(role).unwrap();
            ask(&sim, rights, &kind.start(), kind.request("job", change.clone())).await
        };
        assert_eq!(start("other/*").await, UNREADABLE, "{}", kind.entity);
        assert_eq!(start("media/*").await, "ok", "{}", kind.entity);
    }
}

#[tokio::test]
async fn a_bucket_has_an_owner_and_a_policy() {
    let sim = sim().await;
    let (mine, theirs) = ("111122223333", "444455556666");
    let grant = |effect: &str, principal: &str, condition: Value| {
        Some(policy(
            &json!([{"Effect": effect, "Principal": {"AWS": principal}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*", "Condition": condition}]),
        ))
    };
    let (both, without) = (both(), json!(writing()));
    let foreign = json!({"StringNotEquals": {"aws:PrincipalAccount": mine}});
    #[rustfmt::skip]
    let table = [
        (mine, None, &both, "ok"),
        (mine, grant("Allow", USER, json!({})), &without, "ok"),
        (mine, grant("Allow", mine, json!({})), &without, UNREADABLE),
        (mine, grant("Deny", "*", json!({})), &both, UNREADABLE),
        (mine, grant("Deny", "*", foreign), &both, "ok"),
        (theirs, None, &both, UNREADABLE),
        (theirs, grant("Allow", USER, json!({})), &both, "ok"),
        (theirs, grant("Allow", mine, json!({})), &both, "ok"),
        (theirs, grant("Allow", USER, json!({})), &without, UNREADABLE),
        (theirs, grant("Allow", mine, json!({"Bool": {"aws:ViaAWSService": "true"}})), &both, "ok"),
    ];
    for (account, policy, rights, wanted) in table {
        let media = Bucket {
            policy: policy.clone(),
            ..Bucket::new("media", account)
        };
        sim.put_bucket(media).unwrap();
        let answer = start_with(&sim, rights, results()).await;
        assert_eq!(answer, wanted, "{account} {policy:?} {rights}");
    }
    sim.put_bucket(Bucket::new("media", theirs)).unwrap();
    let anybody = call(&sim, START, request("anybody", json!({}))).await;
    let may_all = "a user who may do everything may not do it in others' buckets";
    assert!(UNREADABLE.ends_with(&anybody.message()), "{may_all}: {}", anybody.text);

    let address = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
    let bad = Bucket {
        policy: grant("Allow", "*", address),
        ..Bucket::new("media", mine)
    };
    assert!(sim.put_bucket(bad).is_err());
    assert!(sim.remove_bucket("media") && sim.buckets().is_empty());
    assert_eq!(start_with(&sim, &both, results()).await, "ok", "taken for one's own");
}

#[tokio::test]
async fn an_encrypted_bucket_is_read_by_who_may_decrypt() {
    let sim = sim().await;
    let key = Key::default();
    let media = Bucket {
        kms_key_arn: Some(key.arn()),
        ..Bucket::new("media", "111122223333")
    };
    sim.put_bucket(media).unwrap();
    let base = allow(&["transcribe:*", "s3:*"], &json!({}));
    let decrypt = |condition: Value| {
        json!([
            base,
            allow(
                &["kms:Decrypt"],
                &json!({"Resource": key.arn(), "Condition": condition})
            )
        ])
    };
    let via = |service: &str| json!({"StringEquals": {"kms:ViaService": format!("{service}.us-east-1.amazonaws.com")}});
    let object = json!({"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::media/*"}});
    #[rustfmt::skip]
    let table = [
        (json!([base]), UNREADABLE),
        (decrypt(json!({})), "ok"),
        (decrypt(via("s3")), "ok"),
        (decrypt(via("transcribe")), UNREADABLE),
        (decrypt(object), "ok"),
    ];
    for (rights, wanted) in table {
        assert_eq!(start_with(&sim, &rights, json!({})).await, wanted, "{rights}");
    }
}

#[tokio::test]
async fn kms_is_asked_by_whom_identity_policies_allow() {
    let sim = sim().await;
    let key = Key::default().arn();
    let client = kms(&sim, "us-east-1", KEY);
    let user = |statements: Value| sim.put_user(User::new(USER, KEY, policy(&statements))).unwrap();
    user(json!([allow(&["kms:DescribeKey"], &json!({ "Resource": key }))]));
    assert_eq!(described(&client, DEFAULT_KEY_ALIAS).await, key);
    assert_eq!(tried(&client, &key, &[]).await, no("GenerateDataKey", "identity"));
    let alias = |name: &str| json!({"StringEquals": {"kms:RequestAlias": name}});
    let aliases = json!({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/Example*"}});
    let context = json!({"StringEquals": {"kms:EncryptionContext:team": "${aws:PrincipalTag/team}"}});
    // The condition, the KeyId, and whether it can be used with the context of team finance, and without one.
    #[rustfmt::skip]
    let table = [
        (json!({}), DEFAULT_KEY_ID, [true, true]),
        (alias(DEFAULT_KEY_ALIAS), DEFAULT_KEY_ALIAS, [true, true]),
        (alias(DEFAULT_KEY_ALIAS), DEFAULT_KEY_ID, [false, false]),
        (alias("alias/other"), DEFAULT_KEY_ALIAS, [false, false]),
        (aliases, DEFAULT_KEY_ID, [true, true]),
        (context, DEFAULT_KEY_ID, [true, false]),
        (json!({"Null": {"kms:EncryptionContextKeys": "false"}}), DEFAULT_KEY_ID, [true, false]),
        (json!({"StringEquals": {"kms:ViaService": "transcribe.us-east-1.amazonaws.com"}}), DEFAULT_KEY_ID, [false, false]),
    ];
    for (condition, id, wanted) in table {
        let statements = json!([allow(
            &["kms:GenerateDataKey"],
            &json!({"Resource": key, "Condition": condition})
        )]);
        let tags = [("team".to_owned(), "finance".to_owned())].into();
        sim.put_user(User {
            tags,
            ..User::new(USER, KEY, policy(&statements))
        })
        .unwrap();
        let with = tried(&client, id, &[("team", "finance")]).await;
        let found = [with, tried(&client, id, &[]).await];
        let wanted = wanted.map(|may| {
            if may {
                WOULD.to_owned()
            } else {
                no("GenerateDataKey", "identity")
            }
        });
        assert_eq!(found, wanted, "{condition} {id}");
    }
}

#[tokio::test]
async fn a_key_policy_delegates_or_names() {
    let sim = sim().await;
    let key = Key::default().arn();
    let client = kms(&sim, "us-east-1", KEY);
    let user = |actions: &[&str]| sim.put_user(User::new(USER, KEY, may(actions))).unwrap();
    let key_policy = |principal: &str, action: &str| {
        let statements =
            json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}]);
        sim.change_key(&key, |key| key.policy = Some(policy(&statements)))
            .unwrap();
    };
    let plaintext = aws_sdk_kms::primitives::Blob::new("x");
    let encrypt = client.encrypt().key_id(&key).plaintext(plaintext).dry_run(true);
    let encrypt = async || told(&encrypt.clone().send().await.unwrap_err());
    user(&["kms:*"]);
    assert_eq!(encrypt().await, WOULD);
    key_policy("111122223333", "kms:Generate*");
    assert_eq!(encrypt().await, no("Encrypt", "resource"));
    assert_eq!(tried(&client, &key, &[]).await, WOULD);
    user(&["s3:*"]);
    assert_eq!(tried(&client, &key, &[]).await, no("GenerateDataKey", "identity"));
    key_policy(USER, "kms:*");
    let named = tried(&client, &key, &[]).await;
    assert_eq!(named, WOULD, "a key policy that names the user is enough");
}
