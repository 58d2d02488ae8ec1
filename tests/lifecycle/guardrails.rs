//! What a class's guardrails let through to the last character, and what a class itself may get wrong.
#![allow(clippy::needless_pass_by_value, reason = "a table is written where it is checked")]

use std::sync::Arc;

use serde_json::{Value, json};
use transcribe_operator::{
    api::{Kind, class_patterns::AccessCheck, conditions::Reason, transcription_class::TranscriptionClass},
    domain::{
        AccountRegion, Class, Desired, KeyVerdict, Rejection, Request, Sighting, Step,
        class::selection::{Labels, default_class, select},
        look,
    },
};

use crate::world::{ACCOUNT, KEY, REGION, UID, case, class, head, identity, now, rules, subject, tell, usable};

fn bound(class: &Class, members: Value) -> Result<Desired, Rejection> {
    let mut spec = json!({"media": {"mediaFileUri": "s3://media/calls/a.wav"}, "languageCode": "en-US"});
    spec.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let request = Request::parse(Kind::TranscriptionJob, &spec)?;
    Desired::bind(request, class, &head(), &subject())
}

/// A class that allows the media and has a bucket, and this besides.
fn with(members: Value) -> Class {
    with_account(Some(ACCOUNT), members)
}

fn with_account(account: Option<&str>, members: Value) -> Class {
    let mut spec = json!({"region": REGION, "input": {"allowedUris": ["s3://media/calls"]}, "output": {"bucketName": "transcripts"}});
    spec.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    class(account, spec)
}

fn rejection(class: &Class, members: Value) -> (Reason, String) {
    let Rejection { reason, message, .. } = bound(class, members).unwrap_err();
    (reason, message)
}

#[test]
fn what_is_not_listed_is_not_allowed() {
    let silent = with(json!({}));
    bound(&silent, json!({})).unwrap();
    for members in [
        json!({"outputBucketName": "other-bucket"}),
        json!({"settings": {"vocabularyName": "words"}}),
        json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": "arn:aws:iam::111122223333:role/a"}}),
    ] {
        assert_eq!(rejection(&silent, members.clone()).0, Reason::NotAllowed, "{members}");
    }
    let key = json!({"encryption": {"kmsKeyId": KEY}});
    assert_eq!(rejection(&silent, key).0, Reason::KeyNotAllowed);
    assert_eq!(rejection(&with(json!({"input": {}})), json!({})).0, Reason::NotAllowed);
    assert_eq!(
        rejection(&with(json!({"output": {}})), json!({})).0,
        Reason::OutputRequired
    );
}

#[test]
fn a_uri_ends_at_a_boundary() {
    let media = |uri: &str| bound(&with(json!({})), json!({"media": {"mediaFileUri": uri}}));
    media("s3://media/calls").unwrap();
    media("s3://media/calls/a.wav").unwrap();
    media("s3://media/calls2/a.wav").unwrap_err();
    let anything = with(json!({"input": {"allowedUris": ["*"]}}));
    bound(
        &anything,
        json!({"media": {"mediaFileUri": "s3://any-bucket/a//b/../%2f"}}),
    )
    .unwrap();
}

#[test]
fn an_output_key_fits_with_its_prefix_and_any_attempt() {
    for prefix in [
        "{namespace}/{uid}/",
        "{namespace}/{uid}-{attempt}/",
        "{namespace}/{attempt}/{uid}/{attempt}/",
    ] {
        let class = with(json!({"output": {"bucketName": "transcripts", "keyPrefix": prefix}}));
        let prefix = prefix
            .replace("{namespace}", "team")
            .replace("{uid}", UID)
            .replace("{attempt}", "99");
        let longest = "k".repeat(1024 - prefix.len());
        let desired = bound(&class, json!({"outputKey": longest})).unwrap();
        assert_eq!(desired.pin(None, 99).output_key.unwrap(), prefix.clone() + &longest);
        let (reason, message) = rejection(&class, json!({"outputKey": format!("{longest}k")}));
        assert!(
            reason == Reason::NotAllowed && message.contains("1024"),
            "{prefix}: {message}"
        );
    }
}

#[test]
fn the_default_key_is_in_the_classs_region_too() {
    let elsewhere = KEY.replace(REGION, "us-east-1");
    let class = with(json!({"encryption": {"defaultKmsKeyId": elsewhere}}));
    assert_eq!(rejection(&class, json!({})).0, Reason::KeyRegionMismatch);
}

#[test]
fn the_default_key_may_be_named_in_any_form() {
    let id = KEY.rsplit('/').next().unwrap();
    for (default, named) in [(id, KEY), (KEY, id), (KEY, KEY), (id, id)] {
        for account in [Some(ACCOUNT), None] {
            let class = with_account(account, json!({"encryption": {"defaultKmsKeyId": default}}));
            let desired = bound(&class, json!({"encryption": {"kmsKeyId": named}})).unwrap();
            assert_eq!(desired.key_is_judged(), account.is_some(), "{default} {named}");
        }
    }
    let class = with_account(None, json!({"encryption": {"defaultKmsKeyId": id}}));
    let other = json!({"encryption": {"kmsKeyId": KEY.replace("1234abcd", "0000abcd")}});
    assert_eq!(rejection(&class, other).0, Reason::KeyNotAllowed);
}

#[test]
fn added_pairs_are_counted_and_stay_within_the_bounds() {
    let adding = |pairs: Value| {
        let asks = json!({"defaultKmsKeyId": "alias/a", "requiredContextKeys": ["Team"], "addedContext": pairs});
        with(json!({"encryption": asks}))
    };
    let tenants = |count: usize| {
        let pairs: Value = (0..count).map(|n| (format!("k{n}"), json!("v"))).collect();
        json!({"encryption": {"context": pairs}})
    };
    let two = adding(json!({"team": "{namespace}", "job": "{kind} {name}"}));
    let context = bound(&two, tenants(8)).unwrap().pinned.context;
    assert_eq!((context.len(), &*context["job"]), (10, "TranscriptionJob call"));
    let (_, message) = rejection(&two, tenants(9));
    assert!(message.contains("remove 1 of the context"), "{message}");
    assert_eq!(
        bound(&two, json!({})).unwrap().pinned.context.len(),
        2,
        "also without pairs of its own"
    );

    let fitting = format!("{}{{kind}}", "x".repeat(1984));
    bound(&adding(json!({"team": fitting})), json!({})).unwrap();
    let (reason, message) = rejection(&adding(json!({"team": format!("{fitting}y")})), json!({}));
    assert!(
        reason == Reason::NotAllowed && message.contains("at most 2000"),
        "{message}"
    );
}

#[test]
fn a_tenant_may_set_as_many_tags_as_there_is_room_for() {
    let tags = |count: usize| (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<Value>();
    let class = with(json!({"tags": {"a": "b", "c": "d"}}));
    assert_eq!(bound(&class, json!({"tags": tags(44)})).unwrap().pinned.tags.len(), 50);
    let (_, message) = rejection(&class, json!({"tags": tags(45)}));
    assert!(message.contains("remove 1"), "{message}");
}

#[test]
fn the_class_says_what_a_job_leaves_open() {
    let class = with(json!({
        "encryption": {"verifyAccess": "Deny"},
        "jobDefaults": {"ttlSecondsAfterFinished": 60, "deletionPolicy": "Retain"},
    }));
    let desired = bound(&class, json!({})).unwrap();
    assert_eq!(
        (desired.retain, desired.class.ttl_seconds_after_finished),
        (true, Some(60))
    );
    assert_eq!(desired.verify_access, AccessCheck::Deny);
    assert!(!bound(&class, json!({"deletionPolicy": "Delete"})).unwrap().retain);
    let silent = bound(&with(json!({})), json!({})).unwrap();
    assert_eq!(
        (
            silent.retain,
            silent.class.ttl_seconds_after_finished,
            silent.verify_access
        ),
        (false, None, AccessCheck::Warn)
    );
}

#[test]
fn personal_data_is_warned_of_where_it_is_not_refused() {
    let class = with(json!({"encryption": {"defaultKmsKeyId": "alias/a"}}));
    let desired = bound(
        &class,
        json!({"encryption": {"context": {"who": "jane.doe@example.com"}}}),
    )
    .unwrap();
    let warnings = desired.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("an e-mail address"),
        "{warnings:?}"
    );
    assert!(!warnings[0].contains("jane"), "{warnings:?}");
}

/// AWS KMS is asked about keys that the class is known to allow, and only with such a key something is submitted.
#[test]
fn an_unjudged_key_is_neither_asked_about_nor_submitted() {
    let key = json!({"encryption": {"kmsKeyId": "alias/anything"}});
    let rules_of = |account| with_account(account, json!({"encryption": {"allowedKmsKeys": ["*"]}}));
    let unjudged = bound(&rules_of(None), key.clone()).unwrap();
    let judged = bound(&rules_of(Some(ACCOUNT)), key.clone()).unwrap();
    let elsewhere = bound(&rules_of(Some("444455556666")), key).unwrap();
    let asked = |desired: &Desired| {
        look(&subject(), &Ok(desired.clone()), &Sighting::None, &rules(), now())
            .key
            .is_some()
    };
    assert!(!asked(&unjudged) && asked(&judged));

    let step = |desired: &Desired, identity: AccountRegion| {
        let mut case = case().key(usable());
        case.desired = Ok(desired.clone());
        tell(&case.seen(|seen| seen.identity = Some(identity)).plan())
    };
    let other_region = AccountRegion {
        region: "us-east-1".to_owned(),
        ..identity()
    };
    assert_eq!(step(&judged, identity()), "Submit #1 with key");
    assert_eq!(step(&unjudged, identity()), "Wait AwsUnreachable +15s");
    assert_eq!(step(&elsewhere, identity()), "Wait AwsUnreachable +15s");
    assert_eq!(step(&judged, other_region), "Wait AwsUnreachable +15s");
    let plain = bound(&with_account(None, json!({})), json!({})).unwrap();
    let mut case = case().seen(|seen| seen.key = KeyVerdict::NotNeeded);
    case.desired = Ok(plain);
    assert!(
        matches!(case.plan(), Step::Submit(_)),
        "without a key there is none to judge"
    );
}

fn stored(name: &str, selector: &Value, annotation: &str, created: &str) -> Arc<TranscriptionClass> {
    let class = json!({
        "apiVersion": "v", "kind": "TranscriptionClass",
        "metadata": {
            "name": name, "creationTimestamp": created,
            "annotations": {"transcribe-operator.io/is-default-class": annotation},
        },
        "spec": {"region": REGION, "namespaceSelector": selector},
    });
    Arc::new(serde_json::from_value(class).unwrap())
}

const EARLY: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2026-01-02T00:00:00Z";

#[test]
fn a_selector_selects_what_it_says_and_a_broken_one_nothing() {
    let labels: Labels = [("team", "a"), ("stage", "test")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let one = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    for (selector, selects) in [
        (Value::Null, false),
        (json!({}), true),
        (json!({"matchLabels": {"team": "a"}}), true),
        (json!({"matchLabels": {"team": "a", "stage": "live"}}), false),
        (json!({"matchLabels": {"Team": "a"}}), false),
        (one("team", "In", json!(["a", "b"])), true),
        (one("team", "NotIn", json!(["a"])), false),
        (one("else", "NotIn", json!(["a"])), true),
        (one("team", "Exists", Value::Null), true),
        (one("else", "DoesNotExist", json!([])), true),
        (one("team", "In", json!([])), false),
        (one("team", "NotIn", json!([])), false),
        (one("team", "NotIn", Value::Null), false),
        (one("team", "Exists", json!(["a"])), false),
        (one("team", "notin", json!(["b"])), false),
    ] {
        let classes = [stored("c", &selector, "", EARLY)];
        assert_eq!(
            select(&classes, Some("c"), Some(&labels)).is_ok(),
            selects,
            "{selector}"
        );
    }
}

#[test]
fn the_default_class_is_the_newest_and_a_leaving_class_is_none() {
    let all = json!({});
    let old = stored("old", &all, "true", EARLY);
    let newer = [stored("b", &all, "true", LATE), stored("a", &all, "true", LATE)];
    let no = [stored("c", &all, "false", LATE), stored("d", &all, "True", LATE)];
    let mut classes: Vec<_> = newer.into_iter().chain(no).chain([old]).collect();
    let default = |classes: &[Arc<TranscriptionClass>]| {
        default_class(classes.iter().map(|class| &**class)).and_then(|class| class.metadata.name.clone())
    };
    assert_eq!(default(&classes).as_deref(), Some("a"));
    let chosen = |classes: &[Arc<TranscriptionClass>], wanted| {
        let class = select(classes, wanted, Some(&Labels::new()));
        class
            .map(|class| class.metadata.name.clone().unwrap())
            .map_err(|rejection| rejection.to_string())
    };
    assert_eq!(chosen(&classes, None).as_deref(), Ok("a"));
    for class in &mut classes {
        if class.metadata.name.as_deref() == Some("a") {
            let class = Arc::make_mut(class);
            class
                .metadata
                .deletion_timestamp
                .clone_from(&class.metadata.creation_timestamp);
        }
    }
    assert_eq!(chosen(&classes, None).as_deref(), Ok("b"));
    let told = chosen(&classes, Some("a")).unwrap_err();
    assert_eq!(
        told,
        "spec.transcriptionClassName: there is no class 'a' for this namespace; it may use 'b', 'c', 'd', 'old'"
    );
    assert_eq!(
        chosen(&[], None).unwrap_err(),
        "spec.transcriptionClassName: required: there is no default class for this namespace; it may use none; ask your \
         platform team"
    );
    select(&classes, Some("b"), None).unwrap_err();
}
