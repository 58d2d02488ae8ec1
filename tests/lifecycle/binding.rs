//! From a stored object to what the lifecycle knows of it, and from a spec and a class to the effective request.

use std::time::Duration;

use serde_json::{Value, json};
use transcribe_operator::{
    api::{FINALIZER, Kind, OWNER_UID_ANNOTATION, RECONCILE_AT_ANNOTATION, conditions::Reason, status::JobStatus},
    domain::{Class, Controls, Desired, Job, JobView, Rejection, Request},
};

use crate::world::{self, ACCOUNT, KEY, OTHER_UID, REGION, UID, head, subject};

const ROLE: &str = "arn:aws:iam::111122223333:role/allowed";

/// A class that allows a little of everything, with this in place of some of its members.
fn class_with(changes: Value) -> Class {
    let mut spec = json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["s3://media/", "s3://{namespace}-media/calls"]},
        "output": {"bucketName": "class-bucket", "allowedBuckets": ["own-bucket"]},
        "encryption": {"allowedKmsKeys": [format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/*")]},
        "dataAccess": {"allowedRoleArns": [ROLE]},
    });
    let Value::Object(changes) = changes else { panic!() };
    for (name, change) in changes {
        match (spec.get_mut(&name).and_then(Value::as_object_mut), change) {
            (Some(members), Value::Object(changes)) => members.extend(changes),
            (_, change) => spec[name] = change,
        }
    }
    world::class(Some(ACCOUNT), spec)
}

fn class() -> Class {
    class_with(json!({}))
}

fn spec(members: Value) -> Value {
    let mut spec = json!({"media": {"mediaFileUri": "s3://media/a.wav"}, "languageCode": "en-US"});
    let Value::Object(members) = members else { panic!() };
    spec.as_object_mut().unwrap().extend(members);
    spec
}

fn bound(members: Value, class: &Class) -> Result<Desired, Rejection> {
    let request = Request::parse(Kind::TranscriptionJob, &spec(members))?;
    Desired::bind(request, class, &head(), &subject())
}

fn rejection(members: Value, class: &Class) -> (Reason, String, String) {
    let Rejection {
        reason, field, message, ..
    } = bound(members, class).unwrap_err();
    (reason, field.unwrap(), message)
}

#[test]
fn the_class_fills_what_the_spec_leaves_open() {
    let key = |members: Value| bound(members, &class()).unwrap().pin(None, 2).output_key.unwrap();
    let pinned = bound(json!({}), &class()).unwrap().pinned;
    assert_eq!(pinned.output_bucket_name.as_deref(), Some("class-bucket"));
    assert_eq!((pinned.kms_key_arn, pinned.data_access_role_arn), (None, None));
    let prefix = format!("team/TranscriptionJob/call/{UID}-2/");
    assert_eq!(key(json!({})), prefix);
    assert_eq!(key(json!({"outputKey": "a/"})), format!("{prefix}a/"));
    let own = bound(json!({"outputBucketName": "own-bucket"}), &class())
        .unwrap()
        .pinned;
    assert_eq!(own.output_bucket_name.as_deref(), Some("own-bucket"));
}

#[test]
fn output_needs_a_bucket() {
    let bare = class_with(json!({"output": {"bucketName": null}}));
    let (reason, field, _) = rejection(json!({}), &bare);
    assert_eq!(
        (reason, field.as_str()),
        (Reason::OutputRequired, "spec.outputBucketName")
    );
    bound(json!({"outputBucketName": "own-bucket"}), &bare).unwrap();
}

#[test]
fn a_role_is_one_that_the_class_names() {
    let with_role =
        |role: &str| json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role}});
    let pinned = |members: Value, class: &Class| bound(members, class).unwrap().pinned.data_access_role_arn;
    let (reason, field, _) = rejection(with_role("arn:aws:iam::111122223333:role/other"), &class());
    assert_eq!(
        (reason, field.as_str()),
        (Reason::NotAllowed, "spec.jobExecutionSettings.dataAccessRoleArn")
    );
    assert_eq!(pinned(with_role(ROLE), &class()).as_deref(), Some(ROLE));
    let none = class_with(json!({"dataAccess": null}));
    bound(with_role(ROLE), &none).unwrap_err();
    let default = class_with(json!({"dataAccess": {"allowedRoleArns": null, "defaultRoleArn": ROLE}}));
    let block = json!({"jobExecutionSettings": {"allowDeferredExecution": true}});
    assert_eq!(pinned(with_role(ROLE), &default).as_deref(), Some(ROLE));
    assert_eq!(pinned(block.clone(), &default).as_deref(), Some(ROLE));
    assert_eq!(pinned(block, &class()), None, "there is none to fill in");
    assert_eq!(pinned(json!({}), &default), None, "no block, no role");
}

#[test]
fn a_context_needs_a_key() {
    let context = json!({"department": "finance"});
    let (_, field, message) = rejection(json!({"encryption": {"context": context}}), &class());
    assert_eq!(field, "spec.encryption.context");
    assert!(message.contains("kmsKeyId"), "{message}");
    let desired = bound(json!({"encryption": {"kmsKeyId": KEY, "context": context}}), &class()).unwrap();
    assert_eq!(desired.pinned.context["department"], "finance");
    assert_eq!(desired.pin(Some(KEY), 1).kms_key_arn.as_deref(), Some(KEY));
    assert_eq!(desired.pinned.kms_key_arn, None, "the reference is resolved first");
}

#[test]
fn a_spec_that_does_not_parse_names_its_fields() {
    let rejection = bound(json!({"outputBucketName": "X"}), &class()).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.field.as_deref()),
        (Reason::InvalidSpec, Some("spec.outputBucketName"))
    );
    let missing = Request::parse(Kind::TranscriptionJob, &Value::Null).unwrap_err();
    assert_eq!(missing.reason, Reason::InvalidSpec);
}

#[test]
fn our_tags_stand_beside_the_tenants() {
    let tags = bound(json!({"tags": {"team": "finance"}}), &class())
        .unwrap()
        .pinned
        .tags;
    let expected = [
        ("team", "finance"),
        ("transcribe-operator.io/cluster", "c1"),
        ("transcribe-operator.io/name", "call"),
        ("transcribe-operator.io/namespace", "team"),
        ("transcribe-operator.io/uid", UID),
    ];
    assert_eq!(
        tags,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    );
}

#[test]
fn the_hash_is_of_the_request_and_not_of_its_controls() {
    let hash = |members: Value| {
        let desired = bound(members, &class()).unwrap();
        desired.request_hash(&desired.pin(None, 1))
    };
    let plain = hash(json!({}));
    for control in [
        json!({"suspend": true}),
        json!({"backoffLimit": 3}),
        json!({"startDeadlineSeconds": 5}),
        json!({"ttlSecondsAfterFinished": 5}),
    ] {
        assert_eq!(hash(control.clone()), plain, "{control}");
    }
    for member in [
        json!({"languageCode": "de-DE"}),
        json!({"outputKey": "a/"}),
        json!({"tags": {"team": "finance"}}),
        json!({"settings": {"channelIdentification": true}}),
    ] {
        assert_ne!(hash(member.clone()), plain, "{member}");
    }
    let desired = bound(json!({"encryption": {"kmsKeyId": KEY}}), &class()).unwrap();
    assert_ne!(
        desired.request_hash(&desired.pin(Some(KEY), 1)),
        desired.request_hash(&desired.pin(None, 1))
    );
}

fn stored(metadata: &Value, spec: &Value) -> JobView {
    let object = json!({
        "apiVersion": "transcribe-operator.io/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": metadata,
        "spec": spec,
    });
    JobView::of(&serde_json::from_value::<Job>(object).unwrap())
}

#[test]
fn a_subject_is_had_of_any_object_that_can_be_read() {
    let subject = stored(
        &json!({
            "namespace": "team", "name": "call", "uid": UID, "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
            "finalizers": ["another", FINALIZER],
            "annotations": {OWNER_UID_ANNOTATION: OTHER_UID, RECONCILE_AT_ANNOTATION: "now"},
        }),
        &json!({
            "suspend": true, "startDeadlineSeconds": 5, "backoffLimit": 2, "ttlSecondsAfterFinished": 0,
            "deletionPolicy": "Retain", "media": 7,
        }),
    );
    let expected = JobView {
        namespace: "team".to_owned(),
        name: "call".to_owned(),
        uid: UID.to_owned(),
        generation: 3,
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        deleted: Some("2026-01-02T00:00:00Z".parse().unwrap()),
        has_finalizer: true,
        owner_uid: Some(OTHER_UID.to_owned()),
        reconcile_at: Some("now".to_owned()),
        class_name: None,
        controls: Controls {
            suspend: true,
            start_deadline: Some(Duration::from_secs(5)),
            backoff_limit: 2,
            ttl: Some(Duration::ZERO),
        },
        status: JobStatus::default(),
    };
    assert_eq!(subject, expected);
}

#[test]
fn a_control_that_cannot_be_read_has_its_default_and_spoils_no_other() {
    let odd = json!({"suspend": "yes", "backoffLimit": 99, "startDeadlineSeconds": -5, "ttlSecondsAfterFinished": 60});
    let subject = stored(&json!({"finalizers": ["another"]}), &odd);
    let expected = Controls {
        ttl: Some(Duration::from_mins(1)),
        ..Controls::default()
    };
    assert_eq!(subject.controls, expected);
    assert!(!subject.has_finalizer);
    assert_eq!(stored(&json!({}), &Value::Null).controls, Controls::default());
}
