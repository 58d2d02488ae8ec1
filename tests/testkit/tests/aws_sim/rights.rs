//! What a caller may do: Transcribe's operations, the roles that are passed, the buckets and keys that jobs use.

use super::identity::{KEY, may, policy};
use super::*;

const USER: &str = "arn:aws:iam::111122223333:user/operator";
const DATA: &str = "arn:aws:iam::111122223333:role/data";
const UNREADABLE: &str = "BadRequestException: The S3 URI that you provided can't be accessed. Make sure that you have \
                          read permission and try your request again.";
const UNWRITABLE: &str = "BadRequestException: The S3 bucket that you specified for your output can't be accessed. Make \
                          sure that you have write permission and try your request again.";

/// A request of the user with a policy of these statements: `ok`, or the code and the text.
async fn ask(sim: &AwsSim, statements: Value, operation: &str, body: Value) -> String {
    sim.put_user(User::new(USER, KEY, policy(statements))).unwrap();
    let raw = Raw {
        key: KEY,
        ..Raw::new(sim)
    };
    let answer = raw.call(operation, body).await;
    match answer.status {
        200 => "ok".to_owned(),
        _ => format!("{}: {}", answer.code(), answer.message()),
    }
}

fn allow(actions: &[&str], change: Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    for (member, value) in change.as_object().unwrap() {
        statement[member] = value.clone();
    }
    statement
}

fn refused(action: &str, resource: &str) -> String {
    format!(
        "AccessDeniedException: User: {USER} is not authorized to perform: {action}{resource} because no \
         identity-based policy allows the {action} action"
    )
}

#[tokio::test]
async fn each_operation_takes_its_own_right() {
    let sim = sim().await;
    for name in ["job", "old"] {
        call(
            &sim,
            START,
            request(name, json!({"Tags": [{"Key": "team", "Value": "finance"}]})),
        )
        .await;
    }
    sim.finish_all();
    let named = |name: &str| json!({"TranscriptionJobName": name});
    let arn = |name: &str| format!("arn:aws:transcribe:us-east-1:111122223333:transcription-job/{name}");
    let on = |name: &str| format!(" on resource: {}", arn(name));
    let tagging = json!({"ResourceArn": arn("job"), "Tags": [{"Key": "cost", "Value": "1"}]});
    let untagging = json!({"ResourceArn": arn("job"), "TagKeys": ["cost"]});
    #[rustfmt::skip]
    let table = [
        ("StartTranscriptionJob", request("new", json!({})), String::new()),
        ("GetTranscriptionJob", named("job"), on("job")),
        ("ListTranscriptionJobs", json!({}), String::new()),
        ("TagResource", tagging, String::new()),
        ("ListTagsForResource", json!({"ResourceArn": arn("job")}), String::new()),
        ("UntagResource", untagging, String::new()),
        ("DeleteTranscriptionJob", named("job"), on("job")),
    ];
    for (operation, body, resource) in table {
        let action = format!("transcribe:{operation}");
        let others = json!([{"Effect": "Allow", "NotAction": action, "Resource": "*"}]);
        assert_eq!(
            ask(&sim, others, operation, body.clone()).await,
            refused(&action, &resource)
        );
        let only = json!([allow(&[&action, "s3:GetObject"], json!({}))]);
        assert_eq!(ask(&sim, only, operation, body).await, "ok", "{operation}");
    }
    let prefix = |resource: &str| json!([allow(&["transcribe:*"], json!({ "Resource": resource }))]);
    let ours = prefix("arn:aws:transcribe:*:111122223333:transcription-job/old*");
    assert_eq!(ask(&sim, ours.clone(), GET, named("old")).await, "ok");
    assert_eq!(
        ask(&sim, ours.clone(), GET, named("none")).await,
        refused("transcribe:GetTranscriptionJob", &on("none"))
    );
    let list = ask(&sim, ours, "ListTranscriptionJobs", json!({})).await;
    assert_eq!(
        list,
        refused("transcribe:ListTranscriptionJobs", ""),
        "a List is on no resource"
    );
    let team = |team: &str| {
        json!([allow(
            &["transcribe:*"],
            json!({"Condition": {"StringEquals": {"aws:ResourceTag/team": team}}})
        )])
    };
    assert_eq!(ask(&sim, team("finance"), GET, named("old")).await, "ok");
    assert!(
        ask(&sim, team("sales"), GET, named("old"))
            .await
            .starts_with("AccessDenied")
    );
    let denied = json!([allow(&["*"], json!({})), {"Effect": "Deny", "Action": "transcribe:Get*", "Resource": "*"}]);
    let answer = ask(&sim, denied, GET, named("old")).await;
    assert!(
        answer.ends_with("with an explicit deny in an identity-based policy"),
        "{answer}"
    );
    assert_eq!(sim.calls()[GET]["AccessDeniedException"], 4);
}

#[tokio::test]
async fn a_start_is_judged_by_its_tags_and_output() {
    let sim = sim().await;
    let mut count = 0;
    let mut start = async |change: Value, condition: Value, actions: &[&str]| {
        count += 1;
        let statements = json!([
            allow(actions, json!({ "Condition": condition })),
            allow(&["s3:*", "kms:*"], json!({}))
        ]);
        ask(&sim, statements, START, request(&format!("job-{count}"), change)).await
    };
    let tags = json!({"Tags": [{"Key": "team", "Value": "finance"}, {"Key": "cost", "Value": "1"}]});
    let output = json!({"OutputBucketName": "results", "OutputKey": "finance/job/"});
    let key = Key::default().arn();
    let mut encrypted = output.clone();
    encrypted["OutputEncryptionKMSKeyId"] = json!(key);
    let (one, both): (&[&str], &[&str]) = (&["transcribe:Start*"], &["transcribe:Start*", "transcribe:TagResource"]);
    let (no, no_tag) = (
        refused("transcribe:StartTranscriptionJob", ""),
        refused("transcribe:TagResource", ""),
    );
    #[rustfmt::skip]
    let table = [
        (json!({}), json!({}), one, "ok"),
        (tags.clone(), json!({}), one, &no_tag),
        (tags.clone(), json!({}), both, "ok"),
        (tags.clone(), json!({"StringEquals": {"aws:RequestTag/team": "finance"}}), both, "ok"),
        (tags.clone(), json!({"StringEquals": {"aws:RequestTag/team": "sales"}}), both, &no),
        (json!({}), json!({"StringEquals": {"aws:RequestTag/team": "finance"}}), both, &no),
        (tags.clone(), json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]}}), both, "ok"),
        (tags, json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}), both, &no),
        (output.clone(), json!({"StringEquals": {"transcribe:OutputBucketName": "results"}}), one, "ok"),
        (output.clone(), json!({"StringEquals": {"transcribe:OutputBucketName": "other"}}), one, &no),
        (output.clone(), json!({"StringLike": {"transcribe:OutputKey": "finance/*"}}), one, "ok"),
        (output.clone(), json!({"StringLike": {"transcribe:OutputKey": "sales/*"}}), one, &no),
        (output, json!({"Null": {"transcribe:OutputEncryptionKMSKeyId": "false"}}), one, &no),
        (encrypted.clone(), json!({"Null": {"transcribe:OutputEncryptionKMSKeyId": "false"}}), one, "ok"),
        (encrypted.clone(), json!({"ArnEquals": {"transcribe:OutputEncryptionKMSKeyId": key}}), one, "ok"),
        (encrypted, json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}), one, &no),
    ];
    for (change, condition, actions, wanted) in table {
        assert_eq!(start(change, condition.clone(), actions).await, wanted, "{condition}");
    }
}

/// A Start with a data-access role.
fn passing(name: &str, role: &str, change: Value) -> Value {
    let mut body = request(name, change);
    body["JobExecutionSettings"] = json!({"AllowDeferredExecution": true, "DataAccessRoleArn": role});
    body
}

#[tokio::test]
async fn a_role_is_passed_by_who_may_to_a_service_that_it_trusts() {
    let sim = sim().await;
    let trust = |condition: Value| {
        policy(
            json!([{"Effect": "Allow", "Principal": {"Service": "transcribe.amazonaws.com"},
            "Action": "sts:AssumeRole", "Condition": condition}]),
        )
    };
    let source = |account: &str| {
        json!({"StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": format!("arn:aws:transcribe:us-east-1:{account}:*")}})
    };
    sim.put_role(Role::new(DATA, trust(source("111122223333")), may(&["s3:GetObject"])))
        .unwrap();
    let pass = |condition: Value| {
        json!([
            allow(&["transcribe:*"], json!({})),
            allow(
                &["iam:PassRole"],
                json!({"Resource": "arn:aws:iam::*:role/data", "Condition": condition})
            )
        ])
    };
    let to = |service: &str| pass(json!({"StringEquals": {"iam:PassedToService": service}}));
    let good = to("transcribe.amazonaws.com");
    let no = refused("iam:PassRole", &format!(" on resource: {DATA}"));
    let body = |name: &str| passing(name, DATA, json!({}));
    assert_eq!(
        ask(&sim, json!([allow(&["transcribe:*"], json!({}))]), START, body("a")).await,
        no
    );
    assert_eq!(ask(&sim, to("lambda.amazonaws.com"), START, body("a")).await, no);
    assert_eq!(
        ask(&sim, good.clone(), START, body("a")).await,
        "ok",
        "the role reads, not the caller"
    );

    let other = "arn:aws:iam::444455556666:role/data";
    sim.put_role(Role::new(other, trust(json!({})), may(&["*"]))).unwrap();
    let across = ask(&sim, good.clone(), START, passing("b", other, json!({}))).await;
    assert_eq!(across, "AccessDeniedException: Cross-account pass role is not allowed.");

    let unassumable = format!(
        "BadRequestException: The data access role {DATA} can't be assumed. Check that it exists and that it trusts \
         transcribe.amazonaws.com, and try your request again."
    );
    for condition in [
        source("444455556666"),
        json!({"StringEquals": {"sts:ExternalId": "x1"}}),
    ] {
        sim.change_role(DATA, |role| role.trust = trust(condition.clone()))
            .unwrap();
        assert_eq!(
            ask(&sim, good.clone(), START, body("b")).await,
            unassumable,
            "{condition}"
        );
    }
    sim.change_role(DATA, |role| role.trust = trust(json!({}))).unwrap();
    let output = json!({"OutputBucketName": "results"});
    assert_eq!(
        ask(&sim, good.clone(), START, passing("b", DATA, output.clone())).await,
        UNWRITABLE
    );
    sim.change_role(DATA, |role| role.policies = vec![may(&["s3:PutObject"])])
        .unwrap();
    assert_eq!(
        ask(&sim, good.clone(), START, passing("b", DATA, output.clone())).await,
        UNREADABLE
    );
    sim.change_role(DATA, |role| role.policies.push(may(&["s3:GetObject"])))
        .unwrap();
    assert_eq!(ask(&sim, good.clone(), START, passing("b", DATA, output)).await, "ok");
    assert!(sim.remove_role(DATA));
    assert_eq!(ask(&sim, good, START, body("c")).await, unassumable);
}

#[tokio::test]
async fn media_and_output_need_rights_on_both_sides() {
    let sim = sim().await;
    let (mine, theirs) = ("111122223333", "444455556666");
    let s3 = |action: &str, resource: &str| allow(&[action], json!({"Resource": format!("arn:aws:s3:::{resource}")}));
    let both = json!([
        allow(&["transcribe:*"], json!({})),
        s3("s3:GetObject", "media/*"),
        s3("s3:PutObject", "results/*")
    ]);
    let mut count = 0;
    let mut start = async |statements: &Value, change: Value| {
        count += 1;
        ask(
            &sim,
            statements.clone(),
            START,
            request(&format!("job-{count}"), change),
        )
        .await
    };
    let output = json!({"OutputBucketName": "results", "OutputKey": "finance"});
    assert_eq!(
        start(&both, output.clone()).await,
        "ok",
        "a bucket that is not known is one's own"
    );
    let without = |left_out: usize| {
        let mut statements = both.clone();
        statements.as_array_mut().unwrap().remove(left_out);
        statements
    };
    assert_eq!(start(&without(1), output.clone()).await, UNREADABLE);
    assert_eq!(start(&without(2), output.clone()).await, UNWRITABLE);
    assert_eq!(
        start(&without(2), json!({})).await,
        "ok",
        "the output stays with the service"
    );
    let elsewhere = json!({"Media": {"MediaFileUri": "s3://other/a.wav"}});
    assert_eq!(start(&both, elsewhere).await, UNREADABLE);
    let narrow = |key: &str| {
        json!([
            allow(&["transcribe:*", "s3:GetObject"], json!({})),
            s3("s3:PutObject", key)
        ])
    };
    assert_eq!(start(&narrow("results/finance/job-*.json"), output.clone()).await, "ok");
    assert_eq!(start(&narrow("results/sales/*"), output.clone()).await, UNWRITABLE);

    let bucket = |account: &str, policy: Option<Value>| {
        let bucket = Bucket::new("media", account);
        sim.put_bucket(Bucket { policy, ..bucket }).unwrap();
    };
    let grant = |effect: &str, principal: &str, condition: Value| {
        Some(policy(
            json!([{"Effect": effect, "Principal": {"AWS": principal}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*", "Condition": condition}]),
        ))
    };
    let without = without(1);
    #[rustfmt::skip]
    let table = [
        (mine, None, &both, "ok"),
        (mine, grant("Allow", USER, json!({})), &without, "ok"),
        (mine, grant("Allow", mine, json!({})), &without, UNREADABLE),
        (mine, grant("Deny", "*", json!({})), &both, UNREADABLE),
        (mine, grant("Deny", "*", json!({"StringNotEquals": {"aws:PrincipalAccount": mine}})), &both, "ok"),
        (theirs, None, &both, UNREADABLE),
        (theirs, grant("Allow", USER, json!({})), &both, "ok"),
        (theirs, grant("Allow", mine, json!({})), &both, "ok"),
        (theirs, grant("Allow", USER, json!({})), &without, UNREADABLE),
        (theirs, grant("Allow", mine, json!({"Bool": {"aws:ViaAWSService": "true"}})), &both, "ok"),
    ];
    for (account, policy, statements, wanted) in table {
        bucket(account, policy.clone());
        assert_eq!(start(statements, output.clone()).await, wanted, "{account} {policy:?}");
        if account == theirs && policy.is_none() {
            let anybody = call(&sim, START, request("anybody", json!({}))).await;
            assert!(
                UNREADABLE.ends_with(&anybody.message()),
                "that user may do all, but not there: {}",
                anybody.text
            );
        }
    }
    let bad = json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]);
    let bad = Bucket {
        policy: Some(policy(bad)),
        ..Bucket::new("media", mine)
    };
    assert!(sim.put_bucket(bad).is_err());
    let http = json!({"Media": {"MediaFileUri": "https://s3.us-east-1.amazonaws.com/media/a.wav"}});
    assert_eq!(start(&both, http).await, UNREADABLE, "only s3:// is looked for");
    sim.remove_bucket("media");
    assert_eq!((start(&both, output).await.as_str(), sim.buckets().len()), ("ok", 0));
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
    let base = allow(&["transcribe:*", "s3:*"], json!({}));
    let decrypt = |condition: Value| {
        json!([
            base,
            allow(&["kms:Decrypt"], json!({"Resource": key.arn(), "Condition": condition}))
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
    for (index, (statements, wanted)) in table.into_iter().enumerate() {
        let answer = ask(
            &sim,
            statements.clone(),
            START,
            request(&format!("job-{index}"), json!({})),
        )
        .await;
        assert_eq!(answer, wanted, "{statements}");
    }
}

#[tokio::test]
async fn kms_is_asked_by_who_may_by_key_policy_and_identity() {
    let sim = sim().await;
    let key = Key::default().arn();
    let client = kms(&sim, "us-east-1", KEY);
    let user = |statements: Value| sim.put_user(User::new(USER, KEY, policy(statements))).unwrap();
    let would = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";
    let no = |action: &str, layer: &str| {
        format!(
            "AccessDeniedException: User: {USER} is not authorized to perform: kms:{action} on resource: {key} because \
             no {layer}-based policy allows the kms:{action} action"
        )
    };
    user(json!([allow(&["kms:DescribeKey"], json!({ "Resource": key }))]));
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
            json!({"Resource": key, "Condition": condition})
        )]);
        let tags = [("team".to_owned(), "finance".to_owned())].into();
        sim.put_user(User {
            tags,
            ..User::new(USER, KEY, policy(statements))
        })
        .unwrap();
        let with = tried(&client, id, &[("team", "finance")]).await;
        let found = [with, tried(&client, id, &[]).await];
        let wanted = wanted.map(|may| {
            if may {
                would.to_owned()
            } else {
                no("GenerateDataKey", "identity")
            }
        });
        assert_eq!(found, wanted, "{condition} {id}");
    }
    user(json!([allow(&["kms:*"], json!({}))]));
    let encrypt = client
        .encrypt()
        .key_id(&key)
        .plaintext(aws_sdk_kms::primitives::Blob::new("x"))
        .dry_run(true);
    assert_eq!(told(&encrypt.clone().send().await.unwrap_err()), would);
    let only = policy(
        json!([{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:Generate*", "Resource": "*"}]),
    );
    sim.change_key(&key, |key| key.policy = Some(only)).unwrap();
    assert_eq!(told(&encrypt.send().await.unwrap_err()), no("Encrypt", "resource"));
    assert_eq!(tried(&client, &key, &[]).await, would);
    let named = policy(json!([{"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:*", "Resource": "*"}]));
    sim.change_key(&key, |key| key.policy = Some(named)).unwrap();
    user(json!([]));
    assert_eq!(
        tried(&client, &key, &[]).await,
        would,
        "a key policy that names the user is enough"
    );
}
