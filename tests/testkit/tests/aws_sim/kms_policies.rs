//! Key policies.

use super::*;

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn allow(principal: &Value, action: &str, condition: &Value) -> Value {
    statement("Allow", principal, action, condition)
}

fn statement(effect: &str, principal: &Value, action: &str, condition: &Value) -> Value {
    json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", "Condition": condition})
}

fn policy(sim: &AwsSim, statements: &[Value]) {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    sim.change_key(ARN, |key| key.policy = Some(policy)).unwrap();
}

/// Whether a dry run of GenerateDataKey, or DescribeKey, is allowed.
async fn may(client: &aws_sdk_kms::Client, context: Option<&[(&str, &str)]>) -> bool {
    let answer = match context {
        Some(context) => tried(client, ARN, context).await,
        None => described(client, ARN).await,
    };
    let refused = answer.starts_with("AccessDeniedException");
    assert!(
        refused || answer == ARN || answer.starts_with("DryRunOperationException"),
        "{answer}"
    );
    !refused
}

#[tokio::test]
async fn a_policy_names_who_may_do_what() {
    let sim = sim_with(|config| drop(config.accounts.insert("THEIRS".into(), "444455556666".into()))).await;
    let (me, them) = (kms(&sim, "us-east-1", "AKIDEXAMPLE"), kms(&sim, "us-east-1", "THEIRS"));
    assert!(
        may(&me, Some(&[])).await && !may(&them, Some(&[])).await,
        "the default policy"
    );
    let (user, root) = (
        "arn:aws:iam::111122223333:user/AKIDEXAMPLE",
        "arn:aws:iam::444455556666:root",
    );
    // Who and what, and whether I may generate, they may generate, they may describe.
    #[rustfmt::skip]
    let table = [
        (json!("*"), "kms:*", [true, true, true]),
        (json!({"AWS": "*"}), "*", [true, true, true]),
        (json!({"AWS": "444455556666"}), "kms:*", [false, true, true]),
        (json!({"AWS": root}), "kms:GenerateDataKey*", [false, true, false]),
        (json!({"AWS": [user, root]}), "kms:generatedatakey", [true, true, false]),
        (json!({"AWS": user}), "kms:GenerateDataKey", [true, false, false]),
        (json!({"AWS": root}), "kms:DescribeKey", [false, false, true]),
        (json!({"AWS": root}), "kms:Encrypt", [false, false, false]),
        (json!({"AWS": "arn:aws:iam::444455556666:role/other"}), "kms:*", [false, false, false]),
        (json!({"Service": "transcribe.amazonaws.com"}), "kms:*", [false, false, false]),
    ];
    for (principal, action, wanted) in table {
        policy(&sim, &[allow(&principal, action, &json!({}))]);
        let found = [
            may(&me, Some(&[])).await,
            may(&them, Some(&[])).await,
            may(&them, None).await,
        ];
        assert_eq!(found, wanted, "{principal} {action}");
    }

    policy(&sim, &[allow(&json!("*"), "kms:Encrypt", &json!({}))]);
    assert_eq!(
        described(&me, ARN).await,
        format!(
            "AccessDeniedException: User: {user} is not authorized to perform: kms:DescribeKey on resource: {ARN} \
             because no resource-based policy allows the kms:DescribeKey action"
        )
    );
    let deny = statement("Deny", &json!({"AWS": user}), "kms:Describe*", &json!({}));
    policy(&sim, &[allow(&json!("*"), "kms:*", &json!({})), deny]);
    assert_eq!(
        described(&me, ARN).await,
        format!(
            "AccessDeniedException: User: {user} is not authorized to perform: kms:DescribeKey on resource: {ARN} \
             with an explicit deny in a resource-based policy"
        )
    );
    assert!(may(&me, Some(&[])).await && may(&them, None).await);

    let resource = json!({"Effect": "Allow", "Principal": "*", "Action": ["kms:*"], "Resource": ["arn:aws:s3:::a"]});
    policy(&sim, &[resource]);
    assert!(!may(&me, None).await);
    sim.change_key(ARN, |key| {
        key.policy = None;
        key.key_state = KeyState::Disabled;
    })
    .unwrap();
    let refused = tried(&them, ARN, &[]).await;
    assert!(
        refused.starts_with("AccessDeniedException"),
        "the policy comes before the state: {refused}"
    );
}

#[tokio::test]
async fn conditions_must_hold() {
    let sim = sim().await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let finance: &[(&str, &str)] = &[("Department", "finance")];
    let small: &[(&str, &str)] = &[("Department", "Finance")];
    let both: &[(&str, &str)] = &[("Department", "finance"), ("stage", "prod")];
    let (key, keys) = ("kms:EncryptionContext:department", "kms:EncryptionContextKeys");
    // The condition, and whether it holds with finance, Finance, finance and stage, no context, and for DescribeKey.
    #[rustfmt::skip]
    let table = [
        (json!({}), [true, true, true, true, true]),
        (json!({"StringEquals": {key: "finance"}}), [true, false, true, false, false]),
        (json!({"StringEquals": {key: ["sales", "Finance"]}}), [false, true, false, false, false]),
        (json!({"StringEquals": {key: "finance", "kms:EncryptionContext:stage": "prod"}}), [false, false, true, false, false]),
        (json!({"StringLike": {key: "?inan*"}}), [true, true, true, false, false]),
        (json!({"StringLike": {key: "inan*"}}), [false, false, false, false, false]),
        (json!({"StringNotEquals": {key: "finance"}}), [false, true, false, true, true]),
        (json!({"Null": {key: "true"}}), [false, false, false, true, true]),
        (json!({"Null": {key: false}}), [true, true, true, false, false]),
        (json!({"StringEquals": {keys: "stage"}}), [false, false, true, false, false]),
        (json!({"StringEquals": {keys: "department"}}), [false, false, false, false, false]),
        (json!({"ForAnyValue:StringEquals": {keys: ["stage", "x"]}}), [false, false, true, false, false]),
        (json!({"ForAllValues:StringEquals": {keys: "Department"}}), [true, true, false, true, true]),
        (json!({"StringEquals": {"kms:CallerAccount": "111122223333"}}), [true, true, true, true, true]),
        (json!({"StringEquals": {"aws:PrincipalAccount": "444455556666"}}), [false, false, false, false, false]),
        (json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/AKID*"}}), [true, true, true, true, true]),
        (json!({"StringEquals": {"kms:ViaService": "transcribe.us-east-1.amazonaws.com"}}), [false, false, false, false, false]),
        (json!({"Null": {"kms:ViaService": "true"}}), [true, true, true, true, true]),
        (json!({"Bool": {"aws:ViaAWSService": "false"}}), [true, true, true, true, true]),
        (json!({"Bool": {"aws:ViaAWSService": "true"}}), [false, false, false, false, false]),
    ];
    for (condition, wanted) in table {
        policy(&sim, &[allow(&json!("*"), "kms:*", &condition)]);
        let mut found = Vec::new();
        for context in [Some(finance), Some(small), Some(both), Some(&[]), None] {
            found.push(may(&client, context).await);
        }
        assert_eq!(found, wanted, "{condition}");
        let deny = statement("Deny", &json!("*"), "kms:*", &condition);
        policy(&sim, &[allow(&json!("*"), "kms:*", &json!({})), deny]);
        for (context, allowed) in [Some(finance), Some(small), Some(both), Some(&[]), None]
            .into_iter()
            .zip(wanted)
        {
            assert_eq!(may(&client, context).await, !allowed, "denied: {condition}");
        }
    }
}

#[tokio::test]
async fn a_policy_that_would_not_be_understood_is_not_put() {
    let sim = sim().await;
    let with = |member: &str, value: Value| {
        let mut statement = allow(&json!("*"), "kms:*", &json!({}));
        statement[member] = value;
        json!({ "Statement": [statement] })
    };
    #[rustfmt::skip]
    let table = [
        json!({"Statements": []}),
        with("Effect", json!("Permit")),
        with("NotAction", json!("kms:*")),
        with("Principal", json!(1)),
        with("Action", json!([1])),
        with("Condition", json!({"NumericEquals": {"kms:ViaService": "x"}})),
        with("Condition", json!({"NullIfExists": {"kms:ViaService": "true"}})),
        with("Condition", json!({"Some:StringEquals": {"kms:ViaService": "x"}})),
        with("Condition", json!({"StringEquals": {"aws:SourceIp": "10.0.0.0/8"}})),
    ];
    for policy in table {
        let put = sim.change_key(ARN, |key| key.policy = Some(policy.clone()));
        assert!(put.is_err(), "{policy}");
        assert_eq!(sim.keys()[1].policy, None);
    }
}
