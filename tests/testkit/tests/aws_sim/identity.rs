//! Users, roles and sessions: who one is, and how one becomes somebody else.

use super::*;
use aws_sdk_sts::types::Tag as SessionTag;

pub(super) const OPERATOR: &str = "arn:aws:iam::111122223333:user/operator";
pub(super) const ROLE: &str = "arn:aws:iam::444455556666:role/transcribe/finance";
pub(super) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A policy of statements of the newest version.
pub(super) fn policy(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// An identity policy that allows some actions on everything.
pub(super) fn may(actions: &[&str]) -> Value {
    policy(&json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]))
}

/// A trust policy: whom, for which action, under which condition.
pub(super) fn trust(principal: &str, actions: &[&str], condition: &Value) -> Value {
    let principal = json!({ "AWS": principal });
    policy(&json!([{"Effect": "Allow", "Principal": principal, "Action": actions, "Condition": condition}]))
}

pub(super) fn sts(sim: &AwsSim, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .endpoint_url(sim.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled());
    aws_sdk_sts::Client::from_conf(config.build())
}

pub(super) fn temporary(session: &SessionCredentials) -> Credentials {
    let token = Some(session.session_token.clone());
    Credentials::new(&session.access_key_id, &session.secret_access_key, token, None, "test")
}

/// The credentials of an AssumeRole that went well.
pub(super) fn assumed(output: &aws_sdk_sts::operation::assume_role::AssumeRoleOutput) -> Credentials {
    let given = output.credentials().unwrap();
    let token = Some(given.session_token.clone());
    Credentials::new(&given.access_key_id, &given.secret_access_key, token, None, "test")
}

/// What GetCallerIdentity says: the ARN, or the code and the text.
pub(super) async fn who(sim: &AwsSim, credentials: Credentials) -> String {
    match sts(sim, credentials).get_caller_identity().send().await {
        Ok(identity) => identity.arn.unwrap(),
        Err(error) => told(&error),
    }
}

pub(super) fn tags(given: &[(&str, &str)]) -> Vec<SessionTag> {
    let tag = |(key, value): &(&str, &str)| SessionTag::builder().key(*key).value(*value).build().unwrap();
    given.iter().map(tag).collect()
}

/// A simulator with the operator, who may assume roles and nothing else, and a role that trusts its account.
pub(super) async fn with_role(trust: Value) -> AwsSim {
    let sim = sim().await;
    let operator = User::new(OPERATOR, KEY, may(&["sts:AssumeRole", "sts:TagSession"]));
    sim.put_user(operator).unwrap();
    sim.put_role(Role::new(ROLE, trust, may(&["transcribe:*"]))).unwrap();
    sim
}

#[tokio::test]
async fn a_session_is_somebody_with_a_name_and_tags() {
    let both = ["sts:AssumeRole", "sts:TagSession"];
    let sim = with_role(trust("111122223333", &both, &json!({}))).await;
    let client = sts(&sim, long_term(KEY));
    let me = client.get_caller_identity().send().await.unwrap();
    assert_eq!((me.arn(), me.account()), (Some(OPERATOR), Some("111122223333")));
    assert!(me.user_id().unwrap().starts_with("AIDA") && me.user_id().unwrap().len() == 20);

    let call = client
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("finance.1a2b3c4d");
    let call = call
        .external_id("finance-7f3a")
        .set_tags(Some(tags(&[("team", "finance")])));
    let output = call.duration_seconds(900).send().await.unwrap();
    let given = output.credentials().unwrap();
    let left = given.expiration().secs() - Timestamp::now().as_second();
    assert!((895..=900).contains(&left), "{left} s");
    assert!(given.access_key_id.starts_with("ASIA") && given.access_key_id.len() == 20);
    let user = output.assumed_role_user().unwrap();
    let arn = "arn:aws:sts::444455556666:assumed-role/finance/finance.1a2b3c4d";
    assert_eq!(user.arn(), arn);
    assert!(user.assumed_role_id().starts_with("AROA") & user.assumed_role_id().ends_with(":finance.1a2b3c4d"));

    let session = sts(&sim, assumed(&output));
    let me = session.get_caller_identity().send().await.unwrap();
    assert_eq!((me.arn(), me.account()), (Some(arn), Some("444455556666")));
    assert_eq!(me.user_id(), Some(user.assumed_role_id()));

    let config = sdk_config(&sim).credentials_provider(assumed(&output)).build();
    let client = aws_sdk_transcribe::Client::from_conf(config);
    // The role may start jobs, but not read what they are of.
    assert_eq!(
        start(&client, "job", "s3://media/a.wav").await,
        Err("BadRequestException".into())
    );
    sim.change_role(ROLE, |role| role.policies = vec![may(&["transcribe:*", "s3:*"])])
        .unwrap();
    start(&client, "job", "s3://media/a.wav").await.unwrap();
    let line = sim.ledger().pop().unwrap();
    assert_eq!((&*line.account, &*line.principal), ("444455556666", arn));
    assert_eq!(
        (&*line.session_name, &*line.external_id),
        ("finance.1a2b3c4d", "finance-7f3a")
    );
    assert_eq!(line.session_tags, [("team".to_owned(), "finance".to_owned())].into());

    let trail = sim.trail();
    let event = trail
        .iter()
        .find(|event| event.operation == "AssumeRole" && event.outcome == "ok")
        .unwrap();
    assert_eq!(
        (event.service, &*event.principal, &*event.region),
        ("sts", OPERATOR, "eu-west-1")
    );
    assert_eq!(event.request["Tags"], json!([{"Key": "team", "Value": "finance"}]));
    assert_eq!(event.request["ExternalId"], "finance-7f3a");
    let last = trail.last().unwrap();
    assert_eq!(
        (&*last.operation, &*last.outcome, &*last.session_name),
        (START, "ok", "finance.1a2b3c4d")
    );
}

/// What AssumeRole says: `ok`, or the code and the text.
async fn assume(
    client: &aws_sdk_sts::Client,
    external_id: Option<&str>,
    given: &[(&str, &str)],
    transitive: &[&str],
) -> String {
    let call = client.assume_role().role_arn(ROLE).role_session_name("session");
    let call = call
        .set_external_id(external_id.map(str::to_owned))
        .set_tags(Some(tags(given)));
    let transitive = transitive.iter().map(|key| (*key).to_owned()).collect();
    match call.set_transitive_tag_keys(Some(transitive)).send().await {
        Ok(_) => "ok".to_owned(),
        Err(error) => told(&error),
    }
}

/// How AWS refuses to let the operator assume the role.
fn denied(action: &str) -> String {
    format!("AccessDenied: User: {OPERATOR} is not authorized to perform: sts:{action} on resource: {ROLE}")
}

#[tokio::test]
async fn trust_says_who_may_assume_a_role() {
    let sim = with_role(json!({"Statement": []})).await;
    let client = sts(&sim, long_term(KEY));
    let (role, tag) = (denied("AssumeRole"), denied("TagSession"));
    let (one, both): (&[&str], &[&str]) = (&["sts:AssumeRole"], &["sts:AssumeRole", "sts:TagSession"]);
    let id = json!({"StringEquals": {"sts:ExternalId": "finance-7f3a"}});
    let team = json!({"StringEquals": {"aws:RequestTag/team": "finance"}});
    let keys = json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}});
    let transitive = json!({"Null": {"sts:TransitiveTagKeys": "true"}});
    let finance: &[(&str, &str)] = &[("team", "finance")];
    let more: &[(&str, &str)] = &[("team", "finance"), ("cost", "1")];
    let session = json!({"StringLike": {"sts:RoleSessionName": "finance.*"}});
    let root = "arn:aws:iam::111122223333:root";
    let account = json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/*"}});
    // The trust policy, the request's ExternalId, tags and transitive keys, and what comes of it.
    #[rustfmt::skip]
    let table = [
        (trust(root, one, &json!({})), None, &[][..], &[][..], "ok"),
        (trust(root, one, &json!({})), Some("any-id"), &[], &[], "ok"),
        (trust(OPERATOR, one, &json!({})), None, &[], &[], "ok"),
        (trust("arn:aws:iam::111122223333:user/other", one, &json!({})), None, &[], &[], &role),
        (trust("444455556666", one, &json!({})), None, &[], &[], &role),
        (trust(root, one, &account), None, &[], &[], "ok"),
        (trust(root, one, &id), Some("finance-7f3a"), &[], &[], "ok"),
        (trust(root, one, &id), Some("finance-7f3b"), &[], &[], &role),
        (trust(root, one, &id), None, &[], &[], &role),
        (trust(root, one, &session), None, &[], &[], &role),
        (trust(root, one, &json!({})), None, finance, &[], &tag),
        (trust(root, both, &json!({})), None, finance, &[], "ok"),
        (trust(root, both, &id), Some("finance-7f3a"), finance, &[], &tag),
        (trust(root, both, &team), None, finance, &[], "ok"),
        (trust(root, both, &team), None, &[("team", "sales")], &[], &role),
        (trust(root, both, &keys), None, more, &[], &role),
        (trust(root, both, &keys), None, finance, &[], "ok"),
        (trust(root, both, &transitive), None, finance, &["team"], &role),
        (trust(root, both, &transitive), None, finance, &[], "ok"),
    ];
    for (trust, external_id, given, transitive, wanted) in table {
        sim.change_role(ROLE, |role| role.trust = trust.clone()).unwrap();
        assert_eq!(
            assume(&client, external_id, given, transitive).await,
            wanted,
            "{trust} {external_id:?} {given:?}"
        );
    }
}

#[tokio::test]
async fn the_caller_needs_the_right_to_assume_a_role_too() {
    let sim = with_role(json!({"Statement": []})).await;
    let client = sts(&sim, long_term(KEY));
    let (root, id) = ("arn:aws:iam::111122223333:root", "finance-7f3a");
    let condition = json!({"StringEquals": {"sts:ExternalId": id}});
    let finance: &[(&str, &str)] = &[("team", "finance")];
    let (role, tag) = (denied("AssumeRole"), denied("TagSession"));
    let two = policy(&json!([
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole", "Condition": condition},
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:TagSession"},
    ]));
    sim.change_role(ROLE, |role| role.trust = two.clone()).unwrap();
    assert_eq!(assume(&client, Some(id), finance, &[]).await, "ok");

    let operator = |actions: &[&str]| sim.put_user(User::new(OPERATOR, KEY, may(actions))).unwrap();
    operator(&["sts:AssumeRole"]);
    assert_eq!(assume(&client, Some(id), finance, &[]).await, tag);
    operator(&["sts:TagSession"]);
    assert_eq!(assume(&client, Some(id), &[], &[]).await, role);
    let but = json!([
        {"Effect": "Allow", "Action": "sts:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sts:*", "NotResource": "arn:aws:iam::*:role/operator/*"},
    ]);
    sim.put_user(User::new(OPERATOR, KEY, policy(&but))).unwrap();
    assert_eq!(
        assume(&client, Some(id), &[], &[]).await,
        format!("{role} with an explicit deny in an identity-based policy")
    );
    assert_eq!(
        who(&sim, long_term(KEY)).await,
        OPERATOR,
        "no policy forbids to ask this"
    );
    operator(&["sts:*"]);
    assert!(sim.remove_role(ROLE));
    assert_eq!(
        assume(&client, Some(id), &[], &[]).await,
        role,
        "a role that is not there"
    );
    assert!(
        sim.put_role(Role::new(ROLE, may(&["sts:AssumeRole"]), may(&["*"])))
            .is_err()
    );
}
