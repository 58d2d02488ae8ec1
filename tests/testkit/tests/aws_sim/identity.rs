//! Users, roles and sessions: who one is, and how one becomes somebody else.

use super::*;
use aws_sdk_sts::types::Tag as SessionTag;

const OPERATOR: &str = "arn:aws:iam::111122223333:user/operator";
pub(super) const ROLE: &str = "arn:aws:iam::444455556666:role/transcribe/finance";
pub(super) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A policy of statements of the newest version.
pub(super) fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// An identity policy that allows some actions on everything.
pub(super) fn may(actions: &[&str]) -> Value {
    policy(json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]))
}

/// A trust policy: whom, for which action, under which condition.
fn trust(principal: &str, actions: &[&str], condition: Value) -> Value {
    let principal = json!({ "AWS": principal });
    policy(json!([{"Effect": "Allow", "Principal": principal, "Action": actions, "Condition": condition}]))
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
async fn who(sim: &AwsSim, credentials: Credentials) -> String {
    match sts(sim, credentials).get_caller_identity().send().await {
        Ok(identity) => identity.arn.unwrap(),
        Err(error) => told(&error),
    }
}

fn tags(given: &[(&str, &str)]) -> Option<Vec<SessionTag>> {
    let tag = |(key, value): &(&str, &str)| SessionTag::builder().key(*key).value(*value).build().unwrap();
    Some(given.iter().map(tag).collect())
}

/// A simulator with the operator, who may assume roles and nothing else, and a role that trusts its account.
async fn with_role(trust: Value) -> AwsSim {
    let sim = sim().await;
    let operator = User::new(OPERATOR, KEY, may(&["sts:AssumeRole", "sts:TagSession"]));
    sim.put_user(operator).unwrap();
    sim.put_role(Role::new(ROLE, trust, may(&["transcribe:*"]))).unwrap();
    sim
}

#[tokio::test]
async fn a_session_is_somebody_with_a_name_and_tags() {
    let both = ["sts:AssumeRole", "sts:TagSession"];
    let sim = with_role(trust("111122223333", &both, json!({}))).await;
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
        .set_tags(tags(&[("team", "finance & <co>")]));
    let output = call.duration_seconds(900).send().await;
    assert!(output.is_err(), "a tag has letters of its own: {output:?}");
    let call = client
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("finance.1a2b3c4d");
    let call = call.external_id("finance-7f3a").set_tags(tags(&[("team", "finance")]));
    let output = call.duration_seconds(900).send().await.unwrap();
    let given = output.credentials().unwrap();
    let left = given.expiration().secs() - Timestamp::now().as_second();
    assert!((895..=900).contains(&left), "{left} s");
    assert!(given.access_key_id.starts_with("ASIA") && given.access_key_id.len() == 20);
    let user = output.assumed_role_user().unwrap();
    let arn = "arn:aws:sts::444455556666:assumed-role/finance/finance.1a2b3c4d";
    assert_eq!(user.arn(), arn);
    assert!(user.assumed_role_id().starts_with("AROA") && user.assumed_role_id().ends_with(":finance.1a2b3c4d"));

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
    let refused = trail.iter().filter(|event| event.outcome == "ValidationError").count();
    assert_eq!(refused, 1);
    let last = trail.last().unwrap();
    assert_eq!(
        (&*last.operation, &*last.outcome, &*last.session_name),
        (START, "ok", "finance.1a2b3c4d")
    );
}

#[tokio::test]
async fn trust_says_who_may_assume_a_role() {
    let sim = with_role(json!({"Statement": []})).await;
    let client = sts(&sim, long_term(KEY));
    let assume = async |external_id: Option<&str>, given: &[(&str, &str)], transitive: &[&str]| {
        let call = client.assume_role().role_arn(ROLE).role_session_name("session");
        let call = call
            .set_external_id(external_id.map(str::to_owned))
            .set_tags(tags(given));
        let transitive = transitive.iter().map(|key| (*key).to_owned()).collect();
        match call.set_transitive_tag_keys(Some(transitive)).send().await {
            Ok(_) => "ok".to_owned(),
            Err(error) => told(&error),
        }
    };
    let denied = |action: &str| {
        format!("AccessDenied: User: {OPERATOR} is not authorized to perform: sts:{action} on resource: {ROLE}")
    };
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
        (trust(root, one, json!({})), None, &[][..], &[][..], "ok"),
        (trust(root, one, json!({})), Some("any-id"), &[], &[], "ok"),
        (trust(OPERATOR, one, json!({})), None, &[], &[], "ok"),
        (trust("arn:aws:iam::111122223333:user/other", one, json!({})), None, &[], &[], &role),
        (trust("444455556666", one, json!({})), None, &[], &[], &role),
        (trust(root, one, account), None, &[], &[], "ok"),
        (trust(root, one, id.clone()), Some("finance-7f3a"), &[], &[], "ok"),
        (trust(root, one, id.clone()), Some("finance-7f3b"), &[], &[], &role),
        (trust(root, one, id.clone()), None, &[], &[], &role),
        (trust(root, one, session), None, &[], &[], &role),
        (trust(root, one, json!({})), None, finance, &[], &tag),
        (trust(root, both, json!({})), None, finance, &[], "ok"),
        (trust(root, both, id.clone()), Some("finance-7f3a"), finance, &[], &tag),
        (trust(root, both, team.clone()), None, finance, &[], "ok"),
        (trust(root, both, team), None, &[("team", "sales")], &[], &role),
        (trust(root, both, keys.clone()), None, more, &[], &role),
        (trust(root, both, keys), None, finance, &[], "ok"),
        (trust(root, both, transitive.clone()), None, finance, &["team"], &role),
        (trust(root, both, transitive), None, finance, &[], "ok"),
    ];
    for (trust, external_id, given, transitive, wanted) in table {
        sim.change_role(ROLE, |role| role.trust = trust.clone()).unwrap();
        assert_eq!(
            assume(external_id, given, transitive).await,
            wanted,
            "{trust} {external_id:?} {given:?}"
        );
    }
    let two = policy(json!([
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole", "Condition": id},
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:TagSession"},
    ]));
    sim.change_role(ROLE, |role| role.trust = two.clone()).unwrap();
    assert_eq!(assume(Some("finance-7f3a"), finance, &[]).await, "ok");

    let operator = |actions: &[&str]| sim.put_user(User::new(OPERATOR, KEY, may(actions))).unwrap();
    operator(&["sts:AssumeRole"]);
    assert_eq!(assume(Some("finance-7f3a"), finance, &[]).await, tag);
    operator(&["sts:TagSession"]);
    assert_eq!(assume(Some("finance-7f3a"), &[], &[]).await, role);
    let but = json!([
        {"Effect": "Allow", "Action": "sts:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sts:*", "NotResource": "arn:aws:iam::*:role/operator/*"},
    ]);
    sim.put_user(User::new(OPERATOR, KEY, policy(but))).unwrap();
    assert_eq!(
        assume(Some("finance-7f3a"), &[], &[]).await,
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
        assume(Some("finance-7f3a"), &[], &[]).await,
        role,
        "a role that is not there"
    );
    assert!(
        sim.put_role(Role::new(ROLE, may(&["sts:AssumeRole"]), may(&["*"])))
            .is_err()
    );
}

#[tokio::test]
async fn a_role_is_assumed_within_limits() {
    let both = ["sts:AssumeRole", "sts:TagSession"];
    let sim = with_role(trust("*", &both, json!({}))).await;
    sim.change_role(ROLE, |role| {
        role.max_session_seconds = 7200;
        role.policies = vec![may(&["sts:*"])];
    })
    .unwrap();
    let client = sts(&sim, long_term(KEY));
    let assume = |name: &str| client.assume_role().role_arn(ROLE).role_session_name(name);
    let pattern = "failed to satisfy constraint: Member must satisfy regular expression pattern: ";
    let value = "ValidationError: 1 validation error detected: Value";
    let two = tags(&[("Team", "a"), ("team", "b")]);
    let (reserved, team) = (tags(&[("aws:team", "a")]), tags(&[("team", "a")]));
    let many: Vec<_> = (0..51).map(|n| format!("key-{n}")).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "")).collect();
    let long = "x".repeat(65);
    #[rustfmt::skip]
    let table = [
        (assume("a b"), format!("{value} 'a b' at 'roleSessionName' {pattern}[\\w+=,.@-]*")),
        (assume("é-session"), format!("{value} 'é-session' at 'roleSessionName' {pattern}[\\w+=,.@-]*")),
        (assume(&long), format!("{value} '{long}' at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64")),
        (assume("s1").external_id("x"), format!("{value} 'x' at 'externalId' failed to satisfy constraint: Member must have length greater than or equal to 2")),
        (assume("s1").duration_seconds(899), format!("{value} '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")),
        (assume("s1").duration_seconds(7201), "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned()),
        (assume("s1").role_arn("arn:aws:iam::444455556666:user/jane"), "ValidationError: arn:aws:iam::444455556666:user/jane is invalid".to_owned()),
        (assume("s1").set_tags(two), "InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned()),
        (assume("s1").set_tags(reserved), "InvalidParameterValue: Tag keys that begin with aws: are reserved.".to_owned()),
        (assume("s1").set_tags(team).transitive_tag_keys("cost"), "ValidationError: The specified transitive tag key must be included in the requested tags.".to_owned()),
        (assume("s1").source_identity("jane"), "InvalidParameterValue: The simulator does not know SourceIdentity".to_owned()),
    ];
    for (call, wanted) in table {
        assert_eq!(told(&call.send().await.unwrap_err()), wanted);
    }
    let error = told(&assume("s1").set_tags(tags(&many)).send().await.unwrap_err());
    assert!(
        error.ends_with("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
        "{error}"
    );
    let policies = [
        ("{", "MalformedPolicyDocument"),
        (r#"{"Statement": [{"Effect": "Allow"}]}"#, "MalformedPolicyDocument"),
    ];
    for (policy, code) in policies {
        let error = told(&assume("s1").policy(policy).send().await.unwrap_err());
        assert!(error.starts_with(code), "{error}");
    }

    // A session begets another one, within an hour, and its transitive tags go along.
    let parent = assume("parent")
        .duration_seconds(7200)
        .set_tags(tags(&[("team", "finance"), ("own", "1")]));
    let parent = parent.transitive_tag_keys("team").send().await.unwrap();
    let parent = sts(&sim, assumed(&parent));
    let child = |seconds| {
        parent
            .assume_role()
            .role_arn(ROLE)
            .role_session_name("child")
            .duration_seconds(seconds)
    };
    assert_eq!(
        told(&child(3601).send().await.unwrap_err()),
        "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    );
    let error = told(
        &child(900)
            .set_tags(tags(&[("Team", "sales")]))
            .send()
            .await
            .unwrap_err(),
    );
    assert!(
        error.starts_with("InvalidParameterValue: One of the specified transitive tag keys"),
        "{error}"
    );
    let child = child(3600).set_tags(tags(&[("cost", "1")])).send().await.unwrap();
    who(&sim, assumed(&child)).await;
    let event = sim.trail().pop().unwrap();
    let wanted = [("cost", "1"), ("team", "finance")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(
        (event.session_name.as_str(), event.session_tags),
        ("child", wanted.into())
    );

    let raw = Raw {
        service: "sts",
        ..Raw::new(&sim)
    }
    .header("x-amz-target", None);
    let answer = raw
        .send(
            "",
            format!("Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=s1&Colour=red"),
        )
        .await;
    assert!(answer.text.contains("Unknown member: Colour"), "{}", answer.text);
}

#[tokio::test]
async fn credentials_end_when_they_are_over_or_their_owner_is_gone() {
    let sim = with_role(trust("111122223333", &["sts:AssumeRole"], json!({}))).await;
    let everything = || may(&["*"]);
    sim.change_role(ROLE, |role| role.policies = vec![everything()])
        .unwrap();
    let assume = async || {
        let call = sts(&sim, long_term(KEY))
            .assume_role()
            .role_arn(ROLE)
            .role_session_name("session");
        assumed(&call.send().await.unwrap())
    };
    let everywhere = async |credentials: &Credentials| {
        let transcribe = sdk_config(&sim).credentials_provider(credentials.clone()).build();
        let transcribe = aws_sdk_transcribe::Client::from_conf(transcribe);
        let listed = transcribe.list_transcription_jobs().send().await;
        [
            listed.map_or_else(|error| told(&error), |_| "ok".to_owned()),
            described(&kms_as(&sim, "us-east-1", credentials.clone()), "alias/none").await,
            who(&sim, credentials.clone()).await,
        ]
    };
    let arn = "arn:aws:sts::444455556666:assumed-role/finance/session".to_owned();
    let absent = "NotFoundException: Alias arn:aws:kms:us-east-1:444455556666:alias/none is not found.".to_owned();
    let fine = ["ok".to_owned(), absent.clone(), arn.clone()];
    let is = "The security token included in the request is";
    let expired = [
        format!("ExpiredTokenException: {is} expired"),
        format!("ExpiredTokenException: {is} expired"),
        format!("ExpiredToken: {is} expired"),
    ];
    let invalid = [
        format!("UnrecognizedClientException: {is} invalid."),
        format!("UnrecognizedClientException: {is} invalid."),
        format!("InvalidClientTokenId: {is} invalid."),
    ];

    let session = assume().await;
    assert_eq!(everywhere(&session).await, fine);
    let bare = Credentials::new(session.access_key_id(), "secret", None, None, "test");
    assert_eq!(everywhere(&bare).await, invalid, "without its token");
    let wrong = Credentials::new(session.access_key_id(), "secret", Some("wrong".into()), None, "test");
    assert_eq!(everywhere(&wrong).await, invalid);
    assert_eq!(everywhere(&long_term("ASIAIOSFODNN7EXAMPLE")).await, invalid);

    assert_eq!(sim.expire_sessions(ROLE), 1);
    assert_eq!(everywhere(&session).await, expired);
    sim.set_config(|config| config.session_ms = Some(600));
    let short = assume().await;
    assert_eq!(everywhere(&short).await, fine);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(everywhere(&short).await, expired);
    sim.set_config(|config| config.session_ms = None);

    let session = assume().await;
    assert!(sim.revoke_sessions(ROLE));
    let denied = |action: &str| {
        format!(
            "AccessDeniedException: User: {arn} is not authorized to perform: {action} with an explicit deny in an identity-based policy"
        )
    };
    let revoked = [denied("transcribe:ListTranscriptionJobs"), absent, arn.clone()];
    assert_eq!(everywhere(&session).await, revoked);
    let session = assume().await;
    assert_eq!(everywhere(&session).await, fine, "new sessions are not revoked");

    sim.change_role(ROLE, |role| role.trust = json!({"Statement": []}))
        .unwrap();
    assert_eq!(
        everywhere(&session).await,
        fine,
        "a session outlives the trust that it began with"
    );
    let role = sim.roles().pop().unwrap();
    assert!(sim.remove_role(ROLE) && !sim.remove_role(ROLE));
    assert_eq!(everywhere(&session).await, invalid);
    sim.put_role(role).unwrap();
    assert_eq!(everywhere(&session).await, invalid, "a role made anew is another one");
    let pod = temporary(&sim.session(ROLE, "session").unwrap());
    assert_eq!(everywhere(&pod).await, fine, "a pod's session asks for no trust");

    assert!(sim.remove_user(OPERATOR));
    assert_eq!(everywhere(&long_term(KEY)).await, invalid);
    assert_eq!(
        who(&sim, long_term("AKIAANYBODY")).await,
        "arn:aws:iam::111122223333:user/AKIAANYBODY"
    );
}
