//! From a stored object to what the lifecycle knows of it, and from a spec and a class to the effective request.

use std::time::Duration;

use serde_json::{Value, json};
use transcribe_operator::{
    api::{
        FINALIZER, Kind, OWNER_UID_ANNOTATION, RECONCILE_AT_ANNOTATION,
        conditions::Reason,
        status::{ClassRef, JobStatus},
    },
    lifecycle::{Class, Controls, Desired, Job, Refusal, Request, Subject},
};

use crate::world::{KEY, OTHER_UID, REGION, UID, head, subject};

fn class() -> Class {
    Class {
        reference: ClassRef {
            name: "finance".to_owned(),
            uid: None,
            generation: None,
            region: REGION.to_owned(),
            account_id: None,
        },
        output_bucket: Some("class-bucket".to_owned()),
        data_access_roles: vec!["arn:aws:iam::111122223333:role/allowed".to_owned()],
        ..Class::default()
    }
}

fn spec(members: Value) -> Value {
    let mut spec = json!({"media": {"mediaFileUri": "s3://media/a.wav"}, "languageCode": "en-US"});
    let Value::Object(members) = members else { panic!() };
    spec.as_object_mut().unwrap().extend(members);
    spec
}

fn bound(members: Value, class: &Class) -> Result<Desired, Refusal> {
    let request = Request::parse(Kind::TranscriptionJob, &spec(members))?;
    Desired::bind(request, class, &head(), &subject())
}

fn refusal(members: Value, class: &Class) -> (Reason, String, String) {
    let Refusal { reason, field, message } = bound(members, class).unwrap_err();
    (reason, field.unwrap(), message)
}

#[test]
fn the_class_fills_what_the_spec_leaves_open() {
    let pinned = bound(json!({}), &class()).unwrap().pinned;
    assert_eq!(pinned.output_bucket_name.as_deref(), Some("class-bucket"));
    assert_eq!(
        (pinned.kms_key_arn, pinned.output_key, pinned.data_access_role_arn),
        (None, None, None)
    );
    let own = bound(json!({"outputBucketName": "own-bucket", "outputKey": "a/"}), &class())
        .unwrap()
        .pinned;
    assert_eq!(own.output_bucket_name.as_deref(), Some("own-bucket"));
    assert_eq!(own.output_key.as_deref(), Some("a/"));
}

#[test]
fn what_the_class_does_not_allow() {
    let (reason, field, message) = refusal(json!({"transcriptionClassName": "other"}), &class());
    assert_eq!(
        (reason, field.as_str()),
        (Reason::NoClass, "spec.transcriptionClassName")
    );
    assert!(message.contains("'finance'"), "{message}");
    bound(json!({"transcriptionClassName": "finance"}), &class()).unwrap();

    let bare = Class {
        output_bucket: None,
        ..class()
    };
    let (reason, field, _) = refusal(json!({}), &bare);
    assert_eq!(
        (reason, field.as_str()),
        (Reason::OutputRequired, "spec.outputBucketName")
    );
    bound(json!({"outputBucketName": "own-bucket"}), &bare).unwrap();

    let with_role =
        |role: &str| json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role}});
    let (_, field, _) = refusal(with_role("arn:aws:iam::111122223333:role/other"), &class());
    assert_eq!(field, "spec.jobExecutionSettings.dataAccessRoleArn");
    let allowed = bound(with_role("arn:aws:iam::111122223333:role/allowed"), &class()).unwrap();
    assert_eq!(
        allowed.pinned.data_access_role_arn.as_deref(),
        Some("arn:aws:iam::111122223333:role/allowed")
    );
    let none = Class {
        data_access_roles: Vec::new(),
        ..class()
    };
    bound(with_role("arn:aws:iam::111122223333:role/allowed"), &none).unwrap_err();
}

#[test]
fn a_context_needs_a_key() {
    let context = json!({"department": "finance"});
    let (_, field, message) = refusal(json!({"encryption": {"context": context}}), &class());
    assert_eq!(field, "spec.encryption.context");
    assert!(message.contains("kmsKeyId"), "{message}");
    let desired = bound(json!({"encryption": {"kmsKeyId": KEY, "context": context}}), &class()).unwrap();
    assert_eq!(desired.pinned.context["department"], "finance");
    assert_eq!(desired.pin(Some(KEY)).kms_key_arn.as_deref(), Some(KEY));
    assert_eq!(desired.pinned.kms_key_arn, None, "the reference is resolved first");
}

#[test]
fn a_spec_that_does_not_parse_names_its_fields() {
    let refusal = bound(json!({"outputBucketName": "X"}), &class()).unwrap_err();
    assert_eq!(
        (refusal.reason, refusal.field.as_deref()),
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
        desired.request_hash(&desired.pin(None))
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
        desired.request_hash(&desired.pin(Some(KEY))),
        desired.request_hash(&desired.pin(None))
    );
}

fn stored(metadata: &Value, spec: &Value) -> Subject {
    let object = json!({
        "apiVersion": "transcribe-operator.io/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": metadata,
        "spec": spec,
    });
    Subject::of(&serde_json::from_value::<Job>(object).unwrap())
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
    let expected = Subject {
        namespace: "team".to_owned(),
        name: "call".to_owned(),
        uid: UID.to_owned(),
        generation: 3,
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        deleted: Some("2026-01-02T00:00:00Z".parse().unwrap()),
        protected: true,
        owner_uid: Some(OTHER_UID.to_owned()),
        reconcile_at: Some("now".to_owned()),
        controls: Controls {
            suspend: true,
            start_deadline: Some(Duration::from_secs(5)),
            backoff_limit: 2,
            ttl: Some(Duration::ZERO),
            retain: true,
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
    assert!(!subject.protected);
    assert_eq!(stored(&json!({}), &Value::Null).controls, Controls::default());
}
