//! The evaluator, by tables.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::directory::{NewSession, Role, User};
use super::judge::{Holder, Layer, Refusal};
use super::policy::{Policy, Sort};
use super::{Directory, Principal, Wish};

const ROLE: &str = "arn:aws:iam::111122223333:role/team/finance";
const USER: &str = "arn:aws:iam::111122223333:user/jane";

/// The wish to read an object, of whoever, with facts.
fn wish<'p>(principal: &'p Principal, facts: &[(&str, &str)]) -> Wish<'p> {
    let wish = Wish::new(
        principal,
        "s3:GetObject".to_owned(),
        "arn:aws:s3:::media/finance/a.wav",
        "eu-west-1",
        None,
    );
    facts.iter().fold(wish, |wish, (key, value)| wish.with(key, value))
}

fn someone() -> Principal {
    Principal {
        tags: [("Team", "finance"), ("star", "*")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        ..Principal::unknown("111122223333", USER)
    }
}

fn statement(change: &Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    for (member, value) in change.as_object().unwrap() {
        if value.is_null() {
            statement.as_object_mut().unwrap().remove(member);
        } else {
            statement[member] = value.clone();
        }
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn allows(policy: &Value, wish: &Wish<'_>) -> bool {
    Policy::read(Sort::Identity, policy).unwrap().allows(wish).is_some()
}

#[test]
fn actions_and_resources_are_matched_with_wildcards_and_variables() {
    let principal = someone();
    #[rustfmt::skip]
    let table = [
        (json!({}), true),
        (json!({"Action": "*"}), true),
        (json!({"Action": "s3:*"}), true),
        (json!({"Action": "S3:getobject"}), true),
        (json!({"Action": ["s3:Put*", "s3:Get?bject"]}), true),
        (json!({"Action": "s3:GetObjec"}), false),
        (json!({"Action": "s3:GetObject?"}), false),
        (json!({"Action": null, "NotAction": "s3:Put*"}), true),
        (json!({"Action": null, "NotAction": ["s3:Put*", "s3:get*"]}), false),
        (json!({"Resource": "arn:aws:s3:::media/*"}), true),
        (json!({"Resource": "arn:aws:s3:::media/finance/*.wav"}), true),
        (json!({"Resource": "arn:aws:s3:::media"}), false),
        (json!({"Resource": "arn:aws:s3:::Media/*"}), false),
        (json!({"Resource": "arn:aws:s3:::media/*/?.wav"}), true),
        (json!({"Resource": "arn:aws:s3:::media/*/??.wav"}), false),
        (json!({"Resource": null, "NotResource": "arn:aws:s3:::media/sales/*"}), true),
        (json!({"Resource": null, "NotResource": "arn:aws:s3:::media/*"}), false),
        (json!({"Resource": "arn:aws:s3:::media/${aws:PrincipalTag/team}/*"}), true),
        (json!({"Resource": "arn:aws:s3:::media/${aws:PrincipalTag/star}/*"}), false),
        (json!({"Resource": "arn:aws:s3:::media/${aws:PrincipalTag/none}*"}), false),
        (json!({"Resource": "arn:aws:s3:::*/${aws:PrincipalTag/Team}/a.wav"}), true),
    ];
    for (change, wanted) in table {
        let policy = statement(&change);
        assert_eq!(allows(&policy, &wish(&principal, &[])), wanted, "{change}");
    }
    let one = json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    assert!(allows(&one, &wish(&principal, &[])));
}

#[test]
fn conditions_hold_as_they_do_in_aws() {
    let principal = someone();
    let tags: &[(&str, &str)] = &[("aws:TagKeys", "team"), ("aws:TagKeys", "cost")];
    let one: &[(&str, &str)] = &[("aws:RequestTag/team", "finance")];
    let role: &[(&str, &str)] = &[(
        "aws:SourceArn",
        "arn:aws:transcribe:eu-west-1:111122223333:transcription-job/a:b",
    )];
    let none: &[(&str, &str)] = &[];
    #[rustfmt::skip]
    let table = [
        (json!({"StringEquals": {"aws:RequestTag/team": "finance"}}), one, true),
        (json!({"StringEquals": {"AWS:requesttag/TEAM": ["sales", "finance"]}}), one, true),
        (json!({"StringEquals": {"aws:RequestTag/team": "Finance"}}), one, false),
        (json!({"StringEquals": {"aws:RequestTag/team": "fin*"}}), one, false),
        (json!({"StringEquals": {"aws:RequestTag/team": "finance"}}), none, false),
        (json!({"StringEqualsIfExists": {"aws:RequestTag/team": "finance"}}), none, true),
        (json!({"StringEqualsIfExists": {"aws:RequestTag/team": "sales"}}), one, false),
        (json!({"StringEqualsIgnoreCase": {"aws:RequestTag/team": "FINANCE"}}), one, true),
        (json!({"StringNotEqualsIgnoreCase": {"aws:RequestTag/team": "FINANCE"}}), one, false),
        (json!({"StringNotEquals": {"aws:RequestTag/team": ["sales", "finance"]}}), one, false),
        (json!({"StringNotEquals": {"aws:RequestTag/team": "sales"}}), one, true),
        (json!({"StringNotEquals": {"aws:RequestTag/team": "sales"}}), none, true),
        (json!({"StringLike": {"aws:RequestTag/team": "f?n*"}}), one, true),
        (json!({"StringNotLike": {"aws:RequestTag/team": "f?n*"}}), one, false),
        (json!({"StringNotLike": {"aws:RequestTag/team": "s*"}}), one, true),
        (json!({"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}}), one, true),
        (json!({"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/star}"}}), one, false),
        (json!({"StringLike": {"aws:RequestTag/team": "${aws:PrincipalTag/star}"}}), one, false),
        (json!({"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/none}"}}), one, false),
        (json!({"StringNotEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/none}"}}), one, true),
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost", "x"]}}), tags, true),
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}), tags, false),
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}), none, true),
        (json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["cost"]}}), tags, false),
        (json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}), tags, true),
        (json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}), none, false),
        (json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team"]}}), tags, true),
        (json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team"]}}), none, false),
        (json!({"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["t*"]}}), none, true),
        (json!({"Null": {"aws:TagKeys": "true"}}), none, true),
        (json!({"Null": {"aws:TagKeys": "false"}}), none, false),
        (json!({"Null": {"aws:TagKeys": false}}), tags, true),
        (json!({"Bool": {"aws:ViaAWSService": false}}), none, true),
        (json!({"Bool": {"aws:ViaAWSService": "true"}}), none, false),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:transcribe:*:111122223333:*"}}), role, true),
        (json!({"ArnEquals": {"aws:SourceArn": "arn:aws:transcribe:*:*:transcription-job/*"}}), role, true),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:transcription-job/*"}}), role, false),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:transcribe:eu-west-*:444455556666:*"}}), role, false),
        (json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:transcribe:*:*:*"}}), role, false),
        (json!({"StringLike": {"aws:SourceArn": "arn:aws:*:transcription-job/*"}}), role, true),
        (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/*"}}), none, true),
        (json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}, "Null": {"aws:TagKeys": "false"}}), none, false),
        (json!({"StringEquals": {"aws:RequestTag/team": "finance", "aws:RequestTag/cost": "1"}}), one, false),
    ];
    for (condition, facts, wanted) in table {
        let policy = statement(&json!({ "Condition": condition }));
        assert_eq!(
            allows(&policy, &wish(&principal, facts)),
            wanted,
            "{condition} {facts:?}"
        );
        let deny = statement(&json!({"Effect": "Deny", "Condition": condition}));
        let denies = Policy::read(Sort::Identity, &deny)
            .unwrap()
            .denies(&wish(&principal, facts));
        assert_eq!(denies, wanted, "denies: {condition} {facts:?}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let refused = |sort, policy: &Value| {
        let read = Policy::read(sort, policy);
        assert!(read.is_err(), "{sort:?} {policy}");
    };
    for condition in [
        json!({"DateGreaterThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}}),
        json!({"StringEquals": {"aws:CurrentTime": "x"}}),
        json!({"StringEquals": {"issuer:sub": "x"}}),
        json!({"StringEquals": {"oidc.example.com:azp": "x"}}),
        json!({"StringEquals": {"aws:PrincipalTag/": "x"}}),
        json!({"StringEquals": {"aws:RequestTag/team": "${aws:FederatedProvider}"}}),
        json!({"StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team"}}),
        json!({"StringEquals": {"aws:RequestTag/team": 1}}),
        json!({"Bool": {"aws:ViaAWSService": "yes"}}),
        json!({"NullIfExists": {"aws:TagKeys": "true"}}),
        json!({"ForEachValue:StringEquals": {"aws:TagKeys": "x"}}),
        json!({"stringequals": {"aws:TagKeys": "x"}}),
    ] {
        refused(Sort::Identity, &statement(&json!({ "Condition": condition })));
    }
    for change in [
        json!({"Principal": "*"}),
        json!({"Resource": null}),
        json!({"Action": null}),
        json!({"NotAction": "s3:*"}),
        json!({"NotResource": "*"}),
        json!({"Action": "GetObject"}),
        json!({"Action": "s3:Get Object"}),
        json!({"Effect": "allow"}),
        json!({"Conditions": {}}),
    ] {
        refused(Sort::Identity, &statement(&change));
    }
    for principal in [
        json!(null),
        json!("jane"),
        json!({"AWS": "arn:aws:iam::111122223333:role/*"}),
        json!({"AWS": "arn:aws:iam::1:root"}),
        json!({"AWS": "arn:aws:iam::111122223333:group/a"}),
        json!({"Federated": "cognito-identity.amazonaws.com"}),
        json!({"Federated": "arn:aws:iam::111122223333:oidc-provider"}),
        json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/*"}),
        json!({"Federated": "arn:aws:iam::111122223333:role/a"}),
        json!({"AWS": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com"}),
        json!({"Service": "*"}),
    ] {
        refused(Sort::Resource, &statement(&json!({ "Principal": principal })));
    }
    let trust = |change: Value| {
        let mut policy = statement(&json!({"Resource": null, "Principal": "*", "Action": "sts:AssumeRole"}));
        for (member, value) in change.as_object().unwrap() {
            policy["Statement"][0][member] = value.clone();
        }
        policy
    };
    assert!(Policy::read(Sort::Trust, &trust(json!({}))).is_ok());
    refused(Sort::Trust, &trust(json!({"Resource": "*"})));
    refused(Sort::Trust, &trust(json!({"Action": "s3:GetObject"})));
    let mut old = statement(&json!({"Resource": "arn:aws:s3:::${aws:PrincipalTag/team}"}));
    assert!(Policy::read(Sort::Identity, &old).is_ok());
    old["Version"] = json!("2008-10-17");
    refused(Sort::Identity, &old);
    old["Version"] = json!("2020-01-01");
    refused(Sort::Identity, &old);
}

/// A user and a session of a role, both of account 111122223333, under one identity policy.
fn directory(policy: Option<&Value>) -> (Directory, Principal, Principal) {
    let mut directory = Directory::default();
    let policies: Vec<_> = policy.cloned().into_iter().collect();
    let user = User {
        policies: policies.clone(),
        ..User::new(USER, "AKIAJANE", json!({}))
    };
    let role = Role {
        arn: ROLE.to_owned(),
        policies,
        ..Role::default()
    };
    directory.put_user(user).unwrap();
    directory.put_role(role).unwrap();
    let new = NewSession {
        name: "pod".to_owned(),
        ..NewSession::default()
    };
    let (_, session) = directory.issue(ROLE, new, Timestamp::MAX).unwrap();
    let user = directory.identify("AKIAJANE", None, Timestamp::MIN).unwrap().unwrap();
    (directory, user, session)
}

#[test]
fn policies_of_two_sides_are_weighed_as_in_aws() {
    let session = "arn:aws:sts::111122223333:assumed-role/finance/pod";
    let root = "arn:aws:iam::111122223333:root";
    let deny = json!({"Effect": "Deny"});
    let allow = json!({});
    let refusal = |layer, denied| Err(Refusal { layer, denied });
    let (identity, resource) = (refusal(Layer::Identity, false), refusal(Layer::Resource, false));
    let denied = refusal(Layer::Identity, true);
    let ok = Ok(());
    let (own, other) = ("111122223333", "444455556666");
    // The identity policy's change, whom the resource's policy allows, the owner, whether the resource is open, and what
    // comes of it for the user and for the session.
    #[rustfmt::skip]
    let table = [
        (Some(&allow), None, own, true, [ok, ok]),
        (Some(&allow), None, own, false, [resource, resource]),
        (Some(&allow), None, other, true, [resource, resource]),
        (None, None, own, true, [identity, identity]),
        (None, Some(json!("*")), own, true, [ok, ok]),
        (None, Some(json!({"AWS": root})), own, false, [identity, identity]),
        (Some(&allow), Some(json!({"AWS": root})), own, false, [ok, ok]),
        (Some(&allow), Some(json!({"AWS": own})), own, false, [ok, ok]),
        (None, Some(json!({"AWS": USER})), own, false, [ok, resource]),
        (None, Some(json!({"AWS": ROLE})), own, false, [resource, ok]),
        (None, Some(json!({"AWS": session})), own, false, [resource, ok]),
        (None, Some(json!({"AWS": [session, USER]})), other, false, [identity, identity]),
        (Some(&allow), Some(json!({"AWS": [session, USER]})), other, false, [ok, ok]),
        (Some(&allow), Some(json!({"AWS": root})), other, true, [ok, ok]),
        (Some(&allow), Some(json!({"AWS": "arn:aws:iam::444455556666:root"})), other, true, [resource, resource]),
        (Some(&deny), Some(json!("*")), own, true, [denied, denied]),
        (Some(&deny), Some(json!({"AWS": [session, USER]})), other, false, [denied, denied]),
        (Some(&allow), Some(json!({"Service": "transcribe.amazonaws.com"})), own, false, [resource, resource]),
    ];
    for (identity, principal, account, open, wanted) in table {
        let identity = identity.map(statement);
        let (directory, user, session) = directory(identity.as_ref());
        let policy = principal.map(|principal| statement(&json!({ "Principal": principal })));
        let policy = policy.map(|policy| Policy::read(Sort::Resource, &policy).unwrap());
        let holder = Holder {
            account,
            policy: policy.as_ref(),
            open,
        };
        let found = [&user, &session].map(|who| directory.judge(&wish(who, &[]), Some(holder)));
        assert_eq!(found, wanted, "{identity:?} {policy:?} {account} {open}");
    }

    let (directory, user, _) = directory(Some(&statement(&allow)));
    let deny = statement(&json!({"Effect": "Deny", "Principal": {"AWS": root}}));
    let deny = Policy::read(Sort::Resource, &deny).unwrap();
    let holder = Holder {
        account: own,
        policy: Some(&deny),
        open: true,
    };
    assert_eq!(
        directory.judge(&wish(&user, &[]), Some(holder)),
        refusal(Layer::Resource, true)
    );
}

#[test]
fn a_session_has_its_roles_rights_within_its_own_policy_until_they_are_taken() {
    let (mut directory, _, whole) = directory(Some(&statement(&json!({}))));
    let limit = |change: Value| {
        let policy = Policy::read(Sort::Identity, &statement(&change)).unwrap();
        NewSession {
            name: "limited".to_owned(),
            policy: Some(policy),
            tags: BTreeMap::from([("team".to_owned(), "finance".to_owned())]),
            ..NewSession::default()
        }
    };
    let mut judged = |new| {
        let (_, session) = directory.issue(ROLE, new, Timestamp::MAX).unwrap();
        directory.judge(&wish(&session, &[]), None)
    };
    let session = |denied| {
        Err(Refusal {
            layer: Layer::Session,
            denied,
        })
    };
    let tagged = json!({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "finance"}}});
    assert_eq!(judged(limit(tagged)), Ok(()));
    assert_eq!(judged(limit(json!({"Action": "s3:Put*"}))), session(false));
    assert_eq!(judged(limit(json!({"Effect": "Deny"}))), session(true));

    assert_eq!(directory.judge(&wish(&whole, &[]), None), Ok(()));
    assert!(directory.revoke(ROLE));
    let revoked = directory.judge(&wish(&whole, &[]), None).unwrap_err();
    assert_eq!(
        revoked.text(&wish(&whole, &[])),
        "User: arn:aws:sts::111122223333:assumed-role/finance/pod is not authorized to perform: s3:GetObject on \
         resource: arn:aws:s3:::media/finance/a.wav with an explicit deny in an identity-based policy"
    );
    let (_, new) = directory.issue(ROLE, NewSession::default(), Timestamp::MAX).unwrap();
    assert_eq!(directory.judge(&wish(&new, &[]), None), Ok(()));
    assert!(directory.remove_role(ROLE));
    let gone = directory.judge(&wish(&new, &[]), None).unwrap_err();
    assert_eq!((gone.layer, gone.denied), (Layer::Identity, false));
}
