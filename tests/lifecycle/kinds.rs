//! What binding makes of each kind's own members: where output goes, who reads the media, and what AWS has no member for.
#![allow(clippy::needless_pass_by_value, reason = "rows of tables are written in place")]

use serde_json::{Value, json};
use transcribe_operator::{
    api::{Kind, conditions::Reason, status::PinnedRequest},
    domain::{Class, Desired, Rejection, Request},
};

use crate::world::{self, ACCOUNT, KEY, REGION, UID, head, subject};

const ROLE: &str = "arn:aws:iam::111122223333:role/class";
const OTHER_ROLE: &str = "arn:aws:iam::111122223333:role/other";

/// A class that takes every kind, with these members in place of its own.
fn class(changes: Value) -> Class {
    let mut spec = json!({
        "region": REGION,
        "input": {"allowedUris": ["s3://media/"]},
        "output": {"bucketName": "class-bucket", "unprefixedKinds": ["MedicalScribeJob"]},
        "encryption": {"allowedKmsKeys": ["*"]},
        "dataAccess": {"defaultRoleArn": ROLE},
        "resourceNames": ["words"],
    });
    spec.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    world::class(Some(ACCOUNT), spec)
}

fn bound(kind: Kind, members: Value, class: &Class) -> Result<Desired, Rejection> {
    let mut spec = crate::samples::minimal(kind);
    spec.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    Desired::bind(Request::parse(kind, &spec)?, class, &head(), &subject())
}

/// What the first attempt pins.
fn pinned(kind: Kind, members: Value, class: &Class) -> PinnedRequest {
    bound(kind, members, class).unwrap().pin(Some(KEY), 1)
}

fn rejection(kind: Kind, members: Value, class: &Class) -> (Reason, String, String) {
    let Rejection {
        reason, field, message, ..
    } = bound(kind, members, class).unwrap_err();
    (reason, field.unwrap(), message)
}

#[test]
fn every_kind_is_accepted_by_a_class_that_takes_it() {
    for kind in Kind::ALL.iter().copied() {
        let desired = bound(kind, json!({"encryption": {"kmsKeyId": KEY}}), &class(json!({}))).unwrap();
        let pinned = desired.pin(Some(KEY), 2);
        assert_eq!(pinned.output_bucket_name.as_deref(), Some("class-bucket"), "{kind}");
        assert_eq!(pinned.kms_key_arn.as_deref(), Some(KEY), "{kind}");
        let prefix = format!("team/{kind}/call/{UID}-2/");
        let key = (kind != Kind::MedicalScribeJob).then_some(prefix);
        assert_eq!(pinned.output_key, key, "{kind}");
        assert_eq!(desired.warnings(), Vec::<String>::new(), "{kind}");
    }
}

#[test]
fn the_hash_of_a_request_is_not_that_of_another_kind() {
    let hash = |kind| {
        let desired = bound(kind, json!({}), &class(json!({}))).unwrap();
        desired.request_hash(&PinnedRequest::default())
    };
    let hashes: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| hash(*kind)).collect();
    assert_eq!(hashes.len(), Kind::ALL.len());
}

/// Only where AWS has a bucket of its own can a class leave output to it.
#[test]
fn where_output_goes_without_a_bucket() {
    let bare = class(json!({"output": {"unprefixedKinds": ["MedicalScribeJob"]}}));
    let managed = class(json!({"output": {"allowServiceManaged": true, "unprefixedKinds": ["MedicalScribeJob"]}}));
    for (kind, field, has_one) in [
        (Kind::TranscriptionJob, "spec.outputBucketName", true),
        (Kind::MedicalTranscriptionJob, "spec.outputBucketName", false),
        (Kind::CallAnalyticsJob, "spec.outputLocation", true),
        (Kind::MedicalScribeJob, "spec.outputBucketName", false),
    ] {
        let (reason, told, _) = rejection(kind, json!({}), &bare);
        assert_eq!((reason, told.as_str()), (Reason::OutputRequired, field), "{kind}");
        match bound(kind, json!({}), &managed) {
            Ok(desired) => {
                assert!(has_one && desired.pinned.output_bucket_name.is_none(), "{kind}");
                let warnings = desired.warnings();
                assert!(
                    warnings.iter().any(|told| told.starts_with(field)),
                    "{kind}: {warnings:?}"
                );
                let (reason, told, _) = rejection(kind, json!({"encryption": {"kmsKeyId": KEY}}), &managed);
                assert_eq!((reason, told.as_str()), (Reason::OutputRequired, field), "{kind}");
            }
            Err(rejection) => assert!(
                !has_one && rejection.reason == Reason::OutputRequired,
                "{kind}: {rejection}"
            ),
        }
    }
}

#[test]
fn an_output_location_is_a_bucket_that_the_class_allows_and_a_place_below_its_prefix() {
    let kind = Kind::CallAnalyticsJob;
    let class = class(json!({"output": {"bucketName": "class-bucket", "allowedBuckets": ["own-bucket"]}}));
    let prefix = format!("team/CallAnalyticsJob/call/{UID}-1/");
    for (location, bucket, key) in [
        ("s3://class-bucket", "class-bucket", ""),
        ("s3://own-bucket", "own-bucket", ""),
        ("s3://own-bucket/", "own-bucket", ""),
        ("s3://own-bucket/calls/", "own-bucket", "calls/"),
        ("s3://own-bucket/calls/a.json", "own-bucket", "calls/a.json"),
        // Only in the class's prefix do braces mean anything.
        ("s3://own-bucket/{attempt}/{uid}/", "own-bucket", "{attempt}/{uid}/"),
    ] {
        let pinned = pinned(kind, json!({"outputLocation": location}), &class);
        assert_eq!(pinned.output_bucket_name.as_deref(), Some(bucket), "{location}");
        assert_eq!(pinned.output_key, Some(format!("{prefix}{key}")), "{location}");
    }
    for (location, says) in [
        ("s3://other-bucket/calls/", "does not allow this bucket"),
        ("s3://own-bucket/../calls/", "segment of dots"),
        ("s3://own-bucket/a%2f../b/", "percent-encoded"),
        ("s3://own-bucket//", "empty segment"),
    ] {
        let (_, field, message) = rejection(kind, json!({"outputLocation": location}), &class);
        assert_eq!(field, "spec.outputLocation", "{location}");
        assert!(message.contains(says), "{location}: {message}");
    }
}

#[test]
fn a_kind_whose_output_has_no_prefix_needs_a_class_that_says_so() {
    let class = class(json!({"output": {"bucketName": "class-bucket"}}));
    let (reason, _, message) = rejection(Kind::MedicalScribeJob, json!({}), &class);
    assert_eq!(reason, Reason::NotAllowed);
    assert!(message.contains("unprefixedKinds"), "{message}");
}

#[test]
fn a_class_that_asks_for_a_context_says_what_becomes_of_a_kind_without_one() {
    for asks in [
        json!({"addedContext": {"team": "{namespace}"}}),
        json!({"requiredContextKeys": ["team"]}),
    ] {
        let class_that = |permission: &str| {
            let mut rules = asks.clone();
            rules["defaultKmsKeyId"] = json!(KEY);
            rules["kindsWithoutContext"] = json!(permission);
            class(json!({"encryption": rules}))
        };
        let (_, field, message) = rejection(Kind::CallAnalyticsJob, json!({}), &class_that("Deny"));
        assert_eq!(field, "spec.encryption");
        assert!(message.contains("kindsWithoutContext"), "{message}");
        let desired = bound(Kind::CallAnalyticsJob, json!({}), &class_that("Allow")).unwrap();
        assert!(desired.key.is_some() && desired.pinned.context.is_empty());
    }
}

/// The default role fills what AWS requires. For a call it would change who reads the media, so that is the tenant's to ask for.
#[test]
fn the_role_that_reads_the_media() {
    let role = |kind, members: Value, class: &Class| pinned(kind, members, class).data_access_role_arn;
    let named = |role: &str| json!({"dataAccessRoleArn": role});
    let (usual, none) = (class(json!({})), class(json!({"dataAccess": null})));
    for kind in [Kind::CallAnalyticsJob, Kind::MedicalScribeJob] {
        assert_eq!(role(kind, named(ROLE), &usual).as_deref(), Some(ROLE), "{kind}");
        let (reason, field, _) = rejection(kind, named(OTHER_ROLE), &usual);
        assert_eq!(
            (reason, field.as_str()),
            (Reason::NotAllowed, "spec.dataAccessRoleArn"),
            "{kind}"
        );
    }
    assert_eq!(role(Kind::CallAnalyticsJob, json!({}), &usual), None);
    assert_eq!(role(Kind::CallAnalyticsJob, json!({}), &none), None);
    assert_eq!(role(Kind::MedicalScribeJob, json!({}), &usual).as_deref(), Some(ROLE));
    let (reason, field, message) = rejection(Kind::MedicalScribeJob, json!({}), &none);
    assert_eq!(
        (reason, field.as_str()),
        (Reason::RoleRequired, "spec.dataAccessRoleArn")
    );
    assert!(message.contains("has no default one"), "{message}");
    assert_eq!(
        role(Kind::MedicalTranscriptionJob, json!({}), &usual),
        None,
        "AWS has no member for it"
    );
}

#[test]
fn names_are_the_classs_to_allow_wherever_they_stand() {
    let settings = |kind, members: Value| match kind {
        Kind::MedicalScribeJob => {
            let mut settings = json!({"showSpeakerLabels": true, "maxSpeakerLabels": 2});
            settings
                .as_object_mut()
                .unwrap()
                .extend(members.as_object().unwrap().clone());
            json!({"settings": settings})
        }
        _ => json!({"settings": members}),
    };
    let by_language = json!({"languageIdSettings": {"en-US": {"languageModelName": "model"}}});
    let filter = json!({"vocabularyFilterName": "filter", "vocabularyFilterMethod": "mask"});
    for (kind, members, field) in [
        (
            Kind::MedicalTranscriptionJob,
            json!({"vocabularyName": "terms"}),
            "vocabularyName",
        ),
        (
            Kind::CallAnalyticsJob,
            json!({"vocabularyName": "terms"}),
            "vocabularyName",
        ),
        (
            Kind::CallAnalyticsJob,
            json!({"languageModelName": "model"}),
            "languageModelName",
        ),
        (Kind::CallAnalyticsJob, filter.clone(), "vocabularyFilterName"),
        (
            Kind::CallAnalyticsJob,
            by_language,
            "languageIdSettings[en-US].languageModelName",
        ),
        (
            Kind::MedicalScribeJob,
            json!({"vocabularyName": "terms"}),
            "vocabularyName",
        ),
        (Kind::MedicalScribeJob, filter, "vocabularyFilterName"),
    ] {
        let (_, told, _) = rejection(kind, settings(kind, members), &class(json!({})));
        assert_eq!(told, format!("spec.settings.{field}"), "{kind}");
        bound(
            kind,
            settings(kind, json!({"vocabularyName": "words"})),
            &class(json!({})),
        )
        .unwrap();
    }
}

#[test]
fn redacted_media_is_the_classs_to_allow_too() {
    let elsewhere = json!({"media": {"redactedMediaFileUri": "s3://elsewhere/a.wav"}});
    let (_, field, _) = rejection(Kind::CallAnalyticsJob, elsewhere, &class(json!({})));
    assert_eq!(field, "spec.media.redactedMediaFileUri");
}
