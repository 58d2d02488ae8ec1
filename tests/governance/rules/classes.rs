//! The classes that the rows of the table name, each an open one with something closed.

use serde_json::{Value, json};
use testkit::stage::{BUCKET, REGION};
use transcribe_operator::api::Kind;

use crate::layers::ACCOUNT;
use crate::samples::merged;

pub fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// The ARN of a key or an alias of the classes' account.
pub fn kms(resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}")
}

/// Allows everything, and supplies what AWS requires of a kind.
fn open() -> Value {
    json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": BUCKET, "allowedBuckets": ["*"], "unprefixedKinds": kinds()},
        "encryption": {"allowedKmsKeys": ["*"]},
        "resourceNames": ["*"],
        "dataAccess": {"allowedRoleArns": ["*"], "defaultRoleArn": role("default")},
    })
}

fn kinds() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.name()).collect()
}

/// Lists what a team may use.
fn finance() -> Value {
    json!({
        "region": REGION,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "finance"}},
        "input": {"allowedUris": ["s3://media/{namespace}/"]},
        "output": {"bucketName": BUCKET, "allowedBuckets": ["finance-archive"], "unprefixedKinds": kinds()},
        "encryption": {"defaultKmsKeyId": "alias/team", "allowedKmsKeys": [kms("alias/finance-*")]},
        "resourceNames": ["{namespace}_*"],
        "dataAccess": {"allowedRoleArns": [role("finance")], "defaultRoleArn": role("default")},
    })
}

/// Lists nothing: every list fails closed.
fn closed() -> Value {
    json!({
        "region": REGION,
        "namespaceSelector": {},
        "output": {"bucketName": BUCKET, "unprefixedKinds": kinds()},
        "dataAccess": {"defaultRoleArn": role("default")},
    })
}

/// The classes by name. The first is that of rows that name none.
pub fn classes() -> Vec<(&'static str, Value)> {
    let with = |change: Value| merged(&open(), &change);
    let adding = json!({"defaultKmsKeyId": "alias/a", "addedContext": {"team": "{namespace}", "stage": "live"}});
    let asking = json!({"defaultKmsKeyId": "alias/a", "requiredContextKeys": ["department"]});
    let wordy = json!({"a": format!("{}{{kind}}", "x".repeat(1990))});
    let allowing = |asks: &Value| merged(asks, &json!({"kindsWithoutContext": "Allow"}));
    vec![
        ("open", open()),
        ("finance", finance()),
        ("closed", closed()),
        ("bucketless", with(json!({"output": {"bucketName": null}}))),
        (
            "serviced",
            with(json!({"output": {"bucketName": null, "allowServiceManaged": true}})),
        ),
        ("roleless", with(json!({"dataAccess": {"defaultRoleArn": null}}))),
        ("prefixed", with(json!({"output": {"unprefixedKinds": null}}))),
        (
            "prefixed-but-one",
            with(json!({"output": {"unprefixedKinds": ["CallAnalyticsJob"]}})),
        ),
        (
            "keyed",
            with(json!({"encryption": {"required": true, "defaultKmsKeyId": "alias/a"}})),
        ),
        ("sealed", with(json!({"encryption": {"required": true}}))),
        (
            "own-keys",
            with(json!({"encryption": {"allowedKmsKeys": [kms("key/*"), kms("alias/*")]}})),
        ),
        ("adding", with(json!({"encryption": adding}))),
        ("adding-allow", with(json!({"encryption": allowing(&adding)}))),
        ("asking", with(json!({"encryption": asking}))),
        ("asking-allow", with(json!({"encryption": allowing(&asking)}))),
        (
            "wordy",
            with(json!({"encryption": allowing(&json!({"defaultKmsKeyId": "alias/a", "addedContext": wordy}))})),
        ),
        (
            "private",
            with(json!({"encryption": {"personalDataInContext": "Deny"}})),
        ),
        ("proven", with(json!({"encryption": {"verifyAccess": "Deny"}}))),
        (
            "tagged",
            with(json!({"tags": {"cost-center": "4711", "stage": "live"}})),
        ),
        (
            "sales-only",
            with(json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "sales"}}})),
        ),
        (
            "labelled",
            with(json!({"namespaceSelector": {"matchLabels": {"team": "sales"}}})),
        ),
    ]
}
