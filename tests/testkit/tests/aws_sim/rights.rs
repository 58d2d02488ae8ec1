//! What a caller may do: Transcribe's operations, the roles that are passed, the buckets and keys that jobs use.

use super::identity::{KEY, may, policy};
use super::*;

pub(super) const USER: &str = "arn:aws:iam::111122223333:user/operator";
const DATA: &str = "arn:aws:iam::111122223333:role/data";
pub(super) const UNREADABLE: &str = "BadRequestException: The S3 URI that you provided can't be accessed. Make sure that you have \
                          read permission and try your request again.";
pub(super) const UNWRITABLE: &str = "BadRequestException: The S3 bucket that you specified for your output can't be accessed. Make \
                          sure that you have write permission and try your request again.";

/// A request of the user with a policy of these statements: `ok`, or the code and the text.
pub(super) async fn ask(sim: &AwsSim, statements: Value, operation: &str, body: Value) -> String {
    sim.put_user(User::new(USER, KEY, policy(&statements))).unwrap();
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

pub(super) fn allow(actions: &[&str], change: &Value) -> Value {
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

/// What a Start needs beside its own right: to read, to write, and to pass the role that some kinds must have.
const BESIDE: [&str; 3] = ["s3:GetObject", "s3:PutObject", "iam:PassRole"];

/// A user's jobs of some kinds run as this role, so it has to be there.
fn put_role(sim: &AwsSim) {
    let role = Role::new(kinds::ROLE, trusting(&json!({})), may(&["s3:*", "kms:*"]));
    sim.put_role(role).unwrap();
}

#[tokio::test]
async fn each_operation_takes_its_own_right() {
    for kind in &KINDS {
        let sim = sim().await;
        put_role(&sim);
        let tags = json!({"Tags": [{"Key": "team", "Value": "finance"}]});
        for name in ["job", "old"] {
            kind.begin(&sim, name, tags.clone()).await;
        }
        sim.finish_all();
        let on = |name: &str| format!(" on resource: {}", kind.arn(name));
        let resource = json!({"ResourceArn": kind.arn("job")});
        let tagging = with(resource.clone(), &json!({"Tags": [{"Key": "cost", "Value": "1"}]}));
        let untagging = with(resource.clone(), &json!({"TagKeys": ["cost"]}));
        #[rustfmt::skip]
        let table = [
            (kind.start(), kind.request("new", json!({})), String::new()),
            (kind.get(), kind.named("job"), on("job")),
            (kind.list(), json!({}), String::new()),
            ("TagResource".to_owned(), tagging, String::new()),
            ("ListTagsForResource".to_owned(), resource, String::new()),
            ("UntagResource".to_owned(), untagging, String::new()),
            (kind.delete(), kind.named("job"), on("job")),
        ];
        for (operation, body, resource) in table {
            let action = format!("transcribe:{operation}");
            let others = json!([{"Effect": "Allow", "NotAction": action, "Resource": "*"}]);
            let answer = ask(&sim, others, &operation, body.clone()).await;
            assert_eq!(answer, refused(&action, &resource));
            let actions: Vec<_> = BESIDE.into_iter().chain([action.as_str()]).collect();
            let only = json!([allow(&actions, &json!({}))]);
            assert_eq!(ask(&sim, only, &operation, body).await, "ok", "{operation}");
        }
        rights_on_jobs(&sim, kind).await;
    }
}

/// Rights by the job's ARN, and by its tags.
async fn rights_on_jobs(sim: &AwsSim, kind: &Kind) {
    let on = |name: &str| format!(" on resource: {}", kind.arn(name));
    let (get, list) = (kind.get(), kind.list());
    let get = async |statements: Value, name: &str| ask(sim, statements, &get, kind.named(name)).await;
    let prefix = |resource: &str| json!([allow(&["transcribe:*"], &json!({ "Resource": resource }))]);
    let ours = prefix(&format!("arn:aws:transcribe:*:111122223333:{}/old*", kind.resource));
    assert_eq!(get(ours.clone(), "old").await, "ok");
    let no = refused(&format!("transcribe:{}", kind.get()), &on("none"));
    assert_eq!(get(ours.clone(), "none").await, no);
    for other in KINDS.iter().filter(|other| other.entity != kind.entity) {
        let theirs = prefix(&format!("arn:aws:transcribe:*:111122223333:{}/*", other.resource));
        assert!(
            get(theirs, "old").await.starts_with("AccessDenied"),
            "{}",
            other.resource
        );
    }
    let answer = ask(sim, ours, &list, json!({})).await;
    let no = refused(&format!("transcribe:{list}"), "");
    assert_eq!(answer, no, "a List is on no resource");
    let team = |team: &str| {
        let condition = json!({"StringEquals": {"aws:ResourceTag/team": team}});
        json!([allow(&["transcribe:*"], &json!({ "Condition": condition }))])
    };
    assert_eq!(get(team("finance"), "old").await, "ok");
    assert!(get(team("sales"), "old").await.starts_with("AccessDenied"));
    let denied = json!([allow(&["*"], &json!({})), {"Effect": "Deny", "Action": "transcribe:Get*", "Resource": "*"}]);
    let answer = get(denied, "old").await;
    assert!(
        answer.ends_with("with an explicit deny in an identity-based policy"),
        "{answer}"
    );
    let refusals = 1 + 1 + 3 + 1 + 1;
    assert_eq!(sim.calls()[&kind.get()]["AccessDeniedException"], refusals);
}

#[tokio::test]
async fn a_start_is_judged_by_its_tags_and_output() {
    let sim = sim().await;
    let mut count = 0;
    let mut start = async |change: Value, condition: Value, actions: &[&str]| {
        count += 1;
        let statements = json!([
            allow(actions, &json!({ "Condition": condition })),
            allow(&["s3:*", "kms:*"], &json!({}))
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

#[tokio::test]
async fn each_kind_has_the_condition_keys_of_its_members() {
    let key = Key::default().arn();
    let [bucket, folder, id, location] = [
        "OutputBucketName",
        "OutputKey",
        "OutputEncryptionKMSKeyId",
        "OutputLocation",
    ]
    .map(|key| format!("transcribe:{key}"));
    // By kind: the keys that a Start has, and their values.
    let output = [(&bucket, "results"), (&folder, "finance/"), (&id, key.as_str())];
    let wanted = [
        output.to_vec(),
        output.to_vec(),
        vec![(&location, "s3://results/finance/"), (&id, &key)],
        vec![(&bucket, "results"), (&id, &key)],
    ];
    for (kind, wanted) in KINDS.iter().zip(wanted) {
        let sim = sim().await;
        put_role(&sim);
        let start = async |condition: Value| {
            let judged = allow(&["transcribe:Start*"], &json!({ "Condition": condition }));
            let statements = json!([judged, allow(&["s3:*", "kms:*", "iam:PassRole"], &json!({}))]);
            let change = with((kind.output)("results"), &json!({ "OutputEncryptionKMSKeyId": key }));
            let name = format!("job-{}", sim.called(&kind.start()));
            ask(&sim, statements, &kind.start(), kind.request(&name, change)).await
        };
        let no = refused(&format!("transcribe:{}", kind.start()), "");
        for name in [&bucket, &folder, &id, &location] {
            let value = wanted.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
            let present = start(json!({"Null": { name: "false" }})).await;
            assert_eq!(
                present,
                if value.is_some() { "ok" } else { &no },
                "{} {name}",
                kind.entity
            );
            let Some(value) = value else { continue };
            assert_eq!(
                start(json!({"StringEquals": { name: value }})).await,
                "ok",
                "{} {name}",
                kind.entity
            );
            let other = start(json!({"StringEquals": { name: "other" }})).await;
            assert_eq!(other, no, "{} {name}", kind.entity);
        }
        let region = start(json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})).await;
        assert_eq!(region, no);
    }
}

/// The kinds that take a role, each with a Start that gives it one.
fn passing() -> impl Iterator<Item = (&'static Kind, impl Fn(&str, &str, Value) -> Value)> {
    let takes = KINDS.iter().filter_map(|kind| Some((kind, kind.role?)));
    takes.map(|(kind, role)| {
        let start = move |name: &str, arn: &str, change: Value| kind.request(name, with(role(arn), &change));
        (kind, start)
    })
}

/// The trust that a role has in Transcribe, under a condition.
pub(super) fn trusting(condition: &Value) -> Value {
    policy(
        &json!([{"Effect": "Allow", "Principal": {"Service": "transcribe.amazonaws.com"},
        "Action": "sts:AssumeRole", "Condition": condition}]),
    )
}

/// The condition that recommends itself: Transcribe acts for jobs of that account.
fn source(account: &str) -> Value {
    json!({"StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": format!("arn:aws:transcribe:us-east-1:{account}:*")}})
}

/// The right to pass the role to a service.
fn pass_to(service: &str) -> Value {
    let condition = json!({"StringEquals": {"iam:PassedToService": service}});
    let resource = "arn:aws:iam::*:role/data";
    json!([
        allow(&["transcribe:*"], &json!({})),
        allow(
            &["iam:PassRole"],
            &json!({"Resource": resource, "Condition": condition})
        ),
    ])
}

async fn with_data_role(trust: &Value, may_do: &[&str]) -> AwsSim {
    let sim = sim().await;
    sim.put_role(Role::new(DATA, trusting(trust), may(may_do))).unwrap();
    sim
}

#[tokio::test]
async fn a_role_is_passed_by_who_may() {
    for (kind, passing) in passing() {
        let sim = with_data_role(&source("111122223333"), &["s3:GetObject", "s3:PutObject"]).await;
        let start = async |rights: Value| ask(&sim, rights, &kind.start(), passing("job", DATA, json!({}))).await;
        let no = refused("iam:PassRole", &format!(" on resource: {DATA}"));
        assert_eq!(start(json!([allow(&["transcribe:*"], &json!({}))])).await, no);
        assert_eq!(start(pass_to("lambda.amazonaws.com")).await, no);
        let good = start(pass_to("transcribe.amazonaws.com")).await;
        assert_eq!(good, "ok", "the role reads, not the caller: {}", kind.entity);
        let other = "arn:aws:iam::444455556666:role/data";
        sim.put_role(Role::new(other, trusting(&json!({})), may(&["*"])))
            .unwrap();
        let across = passing("other", other, json!({}));
        let across = ask(&sim, pass_to("transcribe.amazonaws.com"), &kind.start(), across).await;
        assert_eq!(across, "AccessDeniedException: Cross-account pass role is not allowed.");
    }
}

#[tokio::test]
async fn a_role_that_is_passed_trusts_transcribe_and_has_the_rights() {
    for (kind, passing) in passing() {
        let sim = with_data_role(&json!({}), &["s3:GetObject"]).await;
        let start = async |name: &str| {
            let body = passing(name, DATA, (kind.output)("results"));
            ask(&sim, pass_to("transcribe.amazonaws.com"), &kind.start(), body).await
        };
        let unassumable = format!(
            "BadRequestException: The data access role {DATA} can't be assumed. Check that it exists and that it trusts \
             transcribe.amazonaws.com, and try your request again."
        );
        assert_eq!(start("job").await, UNWRITABLE, "{}", kind.entity);
        sim.change_role(DATA, |role| role.policies = vec![may(&["s3:PutObject"])])
            .unwrap();
        assert_eq!(start("job").await, UNREADABLE, "{}", kind.entity);
        sim.change_role(DATA, |role| role.policies.push(may(&["s3:GetObject"])))
            .unwrap();
        assert_eq!(start("job").await, "ok");
        let id = json!({"StringEquals": {"sts:ExternalId": "x1"}});
        let here = |entity: &str| json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:transcribe:*:*:{entity}/*")}});
        for condition in [source("444455556666"), id, here("vocabulary")] {
            sim.change_role(DATA, |role| role.trust = trusting(&condition)).unwrap();
            assert_eq!(start("bad").await, unassumable, "{condition}");
        }
        for (name, condition) in [("good", source("111122223333")), ("kind", here(kind.resource))] {
            sim.change_role(DATA, |role| role.trust = trusting(&condition)).unwrap();
            assert_eq!(start(name).await, "ok", "{condition}");
        }
        assert!(sim.remove_role(DATA));
        assert_eq!(start("bad").await, unassumable);
    }
}
