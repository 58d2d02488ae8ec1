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
        let only = json!([allow(&[&action, "s3:GetObject"], &json!({}))]);
        assert_eq!(ask(&sim, only, operation, body).await, "ok", "{operation}");
    }
    let prefix = |resource: &str| json!([allow(&["transcribe:*"], &json!({ "Resource": resource }))]);
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
            &json!({"Condition": {"StringEquals": {"aws:ResourceTag/team": team}}})
        )])
    };
    assert_eq!(ask(&sim, team("finance"), GET, named("old")).await, "ok");
    assert!(
        ask(&sim, team("sales"), GET, named("old"))
            .await
            .starts_with("AccessDenied")
    );
    let denied = json!([allow(&["*"], &json!({})), {"Effect": "Deny", "Action": "transcribe:Get*", "Resource": "*"}]);
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

/// A Start with a data-access role.
fn passing(name: &str, role: &str, change: Value) -> Value {
    let mut body = request(name, change);
    body["JobExecutionSettings"] = json!({"AllowDeferredExecution": true, "DataAccessRoleArn": role});
    body
}

/// The trust that a role has in Transcribe, under a condition.
fn trusting(condition: &Value) -> Value {
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
    let sim = with_data_role(&source("111122223333"), &["s3:GetObject"]).await;
    let start = async |rights: Value| ask(&sim, rights, START, passing("job", DATA, json!({}))).await;
    let no = refused("iam:PassRole", &format!(" on resource: {DATA}"));
    assert_eq!(start(json!([allow(&["transcribe:*"], &json!({}))])).await, no);
    assert_eq!(start(pass_to("lambda.amazonaws.com")).await, no);
    let good = start(pass_to("transcribe.amazonaws.com")).await;
    assert_eq!(good, "ok", "the role reads, not the caller");
    let other = "arn:aws:iam::444455556666:role/data";
    sim.put_role(Role::new(other, trusting(&json!({})), may(&["*"])))
        .unwrap();
    let across = passing("other", other, json!({}));
    let across = ask(&sim, pass_to("transcribe.amazonaws.com"), START, across).await;
    assert_eq!(across, "AccessDeniedException: Cross-account pass role is not allowed.");
}

#[tokio::test]
async fn a_role_that_is_passed_trusts_transcribe_and_has_the_rights() {
    let sim = with_data_role(&json!({}), &["s3:GetObject"]).await;
    let start = async |name: &str, change: Value| {
        let body = passing(name, DATA, change);
        ask(&sim, pass_to("transcribe.amazonaws.com"), START, body).await
    };
    let unassumable = format!(
        "BadRequestException: The data access role {DATA} can't be assumed. Check that it exists and that it trusts \
         transcribe.amazonaws.com, and try your request again."
    );
    let output = json!({"OutputBucketName": "results"});
    assert_eq!(start("job", output.clone()).await, UNWRITABLE);
    sim.change_role(DATA, |role| role.policies = vec![may(&["s3:PutObject"])])
        .unwrap();
    assert_eq!(start("job", output.clone()).await, UNREADABLE);
    sim.change_role(DATA, |role| role.policies.push(may(&["s3:GetObject"])))
        .unwrap();
    assert_eq!(start("job", output).await, "ok");
    let id = json!({"StringEquals": {"sts:ExternalId": "x1"}});
    for condition in [source("444455556666"), id] {
        sim.change_role(DATA, |role| role.trust = trusting(&condition)).unwrap();
        assert_eq!(start("bad", json!({})).await, unassumable, "{condition}");
    }
    sim.change_role(DATA, |role| role.trust = trusting(&source("111122223333")))
        .unwrap();
    assert_eq!(start("good", json!({})).await, "ok");
    assert!(sim.remove_role(DATA));
    assert_eq!(start("bad", json!({})).await, unassumable);
}
