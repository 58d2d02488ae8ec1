//! Sessions: within which limits they begin, and when they end.

use super::identity::{KEY, OPERATOR, ROLE, assumed, may, sts, tags, temporary, trust, who, with_role};
use super::*;

#[tokio::test]
async fn a_role_is_assumed_within_limits() {
    let both = ["sts:AssumeRole", "sts:TagSession"];
    let sim = with_role(trust("*", &both, &json!({}))).await;
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
        (assume("s1").set_tags(Some(two)), "InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned()),
        (assume("s1").set_tags(Some(reserved)), "InvalidParameterValue: Tag keys that begin with aws: are reserved.".to_owned()),
        (assume("s1").set_tags(Some(team)).transitive_tag_keys("cost"), "ValidationError: The specified transitive tag key must be included in the requested tags.".to_owned()),
        (assume("s1").source_identity("jane"), "InvalidParameterValue: The simulator does not know SourceIdentity".to_owned()),
    ];
    for (call, wanted) in table {
        assert_eq!(told(&call.send().await.unwrap_err()), wanted);
    }
}

#[tokio::test]
async fn an_ill_formed_request_for_a_session_is_refused() {
    let sim = with_role(trust("*", &["sts:*"], &json!({}))).await;
    let client = sts(&sim, long_term(KEY));
    let assume = || client.assume_role().role_arn(ROLE).role_session_name("s1");
    let many: Vec<_> = (0..51).map(|n| format!("key-{n}")).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "")).collect();
    let error = told(&assume().set_tags(Some(tags(&many))).send().await.unwrap_err());
    assert!(
        error.ends_with("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
        "{error}"
    );
    let error = told(
        &assume()
            .set_tags(Some(tags(&[("team", "a & b")])))
            .send()
            .await
            .unwrap_err(),
    );
    assert!(error.contains("at 'tags.1.member.value'"), "{error}");
    for policy in ["{", r#"{"Statement": [{"Effect": "Allow"}]}"#] {
        let error = told(&assume().policy(policy).send().await.unwrap_err());
        assert!(error.starts_with("MalformedPolicyDocument"), "{error}");
    }
    let raw = Raw {
        service: "sts",
        ..Raw::new(&sim)
    }
    .header("x-amz-target", None);
    let form = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=s1&Colour=red");
    let answer = raw.send("", form).await;
    assert!(answer.text.contains("Unknown member: Colour"), "{}", answer.text);
}

#[tokio::test]
async fn a_session_begets_another_one_within_an_hour_and_its_transitive_tags_go_along() {
    let sim = with_role(trust("*", &["sts:*"], &json!({}))).await;
    sim.change_role(ROLE, |role| {
        role.max_session_seconds = 7200;
        role.policies = vec![may(&["sts:*"])];
    })
    .unwrap();
    let client = sts(&sim, long_term(KEY));
    let parent = client
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("parent")
        .duration_seconds(7200);
    let parent = parent.set_tags(Some(tags(&[("team", "finance"), ("own", "1")])));
    let parent = parent.transitive_tag_keys("team").send().await.unwrap();
    let parent = sts(&sim, assumed(&parent));
    let child = |seconds, given: &[(&str, &str)]| {
        let call = parent.assume_role().role_arn(ROLE).role_session_name("child");
        call.duration_seconds(seconds).set_tags(Some(tags(given)))
    };
    assert_eq!(
        told(&child(3601, &[]).send().await.unwrap_err()),
        "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    );
    let error = told(&child(900, &[("Team", "sales")]).send().await.unwrap_err());
    assert!(
        error.starts_with("InvalidParameterValue: One of the specified transitive tag keys"),
        "{error}"
    );
    let child = child(3600, &[("cost", "1")]).send().await.unwrap();
    who(&sim, assumed(&child)).await;
    let event = sim.trail().pop().unwrap();
    let wanted = [("cost", "1"), ("team", "finance")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(
        (event.session_name.as_str(), event.session_tags),
        ("child", wanted.into())
    );
}

const ARN: &str = "arn:aws:sts::444455556666:assumed-role/finance/session";

/// A simulator with a role that may do everything and trusts the operator's account.
async fn with_mighty_role() -> AwsSim {
    let sim = with_role(trust("111122223333", &["sts:AssumeRole"], &json!({}))).await;
    sim.change_role(ROLE, |role| role.policies = vec![may(&["*"])]).unwrap();
    sim
}

async fn assume(sim: &AwsSim) -> Credentials {
    let call = sts(sim, long_term(KEY)).assume_role().role_arn(ROLE);
    assumed(&call.role_session_name("session").send().await.unwrap())
}

/// What each of the three services says to a caller.
async fn everywhere(sim: &AwsSim, credentials: &Credentials) -> [String; 3] {
    let transcribe = sdk_config(sim).credentials_provider(credentials.clone()).build();
    let transcribe = aws_sdk_transcribe::Client::from_conf(transcribe);
    let listed = transcribe.list_transcription_jobs().send().await;
    [
        listed.map_or_else(|error| told(&error), |_| "ok".to_owned()),
        described(&kms_as(sim, "us-east-1", credentials.clone()), "alias/none").await,
        who(sim, credentials.clone()).await,
    ]
}

/// What they say to a session that may do everything: there is no such alias.
fn fine() -> [String; 3] {
    let absent = "NotFoundException: Alias arn:aws:kms:us-east-1:444455556666:alias/none is not found.";
    ["ok", absent, ARN].map(str::to_owned)
}

/// What they say of credentials that are nobody's, or `expired`.
fn bad(what: &str) -> [String; 3] {
    let is = "The security token included in the request is";
    let (json, query, stop) = match what {
        "expired" => ("ExpiredTokenException", "ExpiredToken", ""),
        _ => ("UnrecognizedClientException", "InvalidClientTokenId", "."),
    };
    let json = format!("{json}: {is} {what}{stop}");
    [json.clone(), json, format!("{query}: {is} {what}")]
}

#[tokio::test]
async fn credentials_are_good_with_their_token_until_they_expire() {
    let sim = with_mighty_role().await;
    let session = assume(&sim).await;
    assert_eq!(everywhere(&sim, &session).await, fine());
    let key = session.access_key_id();
    for token in [None, Some("wrong".to_owned())] {
        let wrong = Credentials::new(key, "secret", token, None, "test");
        assert_eq!(everywhere(&sim, &wrong).await, bad("invalid"));
    }
    let nobody = long_term("ASIAIOSFODNN7EXAMPLE");
    assert_eq!(everywhere(&sim, &nobody).await, bad("invalid"));

    assert_eq!(sim.expire_sessions(ROLE), 1);
    assert_eq!(everywhere(&sim, &session).await, bad("expired"));
    sim.stop_clock();
    sim.set_config(|config| config.session_ms = Some(600));
    let short = assume(&sim).await;
    sim.pass(599);
    assert_eq!(everywhere(&sim, &short).await, fine());
    sim.pass(1);
    assert_eq!(everywhere(&sim, &short).await, bad("expired"));
}

#[tokio::test]
async fn credentials_end_with_their_role_or_user_and_not_with_the_trust() {
    let sim = with_mighty_role().await;
    let session = assume(&sim).await;
    assert!(sim.revoke_sessions(ROLE));
    let revoked = format!(
        "AccessDeniedException: User: {ARN} is not authorized to perform: transcribe:ListTranscriptionJobs with an \
         explicit deny in an identity-based policy"
    );
    assert_eq!(everywhere(&sim, &session).await[0], revoked);
    assert_eq!(everywhere(&sim, &session).await[1..], fine()[1..]);
    let session = assume(&sim).await;
    assert_eq!(everywhere(&sim, &session).await, fine(), "new sessions are not revoked");

    sim.change_role(ROLE, |role| role.trust = json!({"Statement": []}))
        .unwrap();
    let kept = everywhere(&sim, &session).await;
    assert_eq!(kept, fine(), "a session outlives the trust that it began with");
    let role = sim.roles().pop().unwrap();
    assert!(sim.remove_role(ROLE) && !sim.remove_role(ROLE));
    assert_eq!(everywhere(&sim, &session).await, bad("invalid"));
    sim.put_role(role).unwrap();
    let anew = everywhere(&sim, &session).await;
    assert_eq!(anew, bad("invalid"), "a role made anew is another one");
    let pod = temporary(&sim.session(ROLE, "session").unwrap());
    assert_eq!(
        everywhere(&sim, &pod).await,
        fine(),
        "a pod's session asks for no trust"
    );

    assert!(sim.remove_user(OPERATOR));
    assert_eq!(everywhere(&sim, &long_term(KEY)).await, bad("invalid"));
    let anybody = who(&sim, long_term("AKIAANYBODY")).await;
    assert_eq!(anybody, "arn:aws:iam::111122223333:user/AKIAANYBODY");
}
