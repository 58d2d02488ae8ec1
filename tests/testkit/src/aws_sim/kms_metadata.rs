//! A key as DescribeKey shows it. Aliases, tags and the policy are not part of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::kms_keys::{Key, KeyState, Keys};
use super::render::epoch;

/// How long KMS waits before it deletes a key, unless asked otherwise.
const WINDOW_DAYS: i64 = 30;

/// The metadata. Of the members that only some keys have, those of encryption keys are shown.
pub(super) fn metadata(key: &Key, keys: &Keys) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("AWSAccountId", json!(key.account));
    put("KeyId", json!(key.key_id));
    put("Arn", json!(key.arn()));
    put("CreationDate", time(created(key)));
    put("Enabled", json!(key.key_state == KeyState::Enabled));
    put("Description", json!(""));
    put("KeyUsage", json!(key.key_usage));
    put("KeyState", json!(key.key_state));
    put("Origin", json!(key.origin));
    put("KeyManager", json!(key.key_manager));
    put("KeySpec", json!(key.key_spec));
    if !["ML_", "ECC_NIST_EDWARDS"]
        .iter()
        .any(|newer| key.key_spec.starts_with(newer))
    {
        put("CustomerMasterKeySpec", json!(key.key_spec));
    }
    if key.key_usage == "ENCRYPT_DECRYPT" {
        put("EncryptionAlgorithms", json!(encryption_algorithms(key)));
    }
    put("MultiRegion", json!(key.is_multi_region()));
    if key.is_multi_region() {
        put("MultiRegionConfiguration", relatives(key, keys));
    }
    if key.key_state == KeyState::PendingDeletion {
        let day = key
            .deletion_date
            .unwrap_or(created(key) + SignedDuration::from_hours(24 * WINDOW_DAYS));
        put("DeletionDate", time(day));
    }
    if key.key_state == KeyState::PendingReplicaDeletion {
        put("PendingDeletionWindowInDays", json!(WINDOW_DAYS));
    }
    if has_material(key) && key.is_symmetric() {
        put(
            "CurrentKeyMaterialId",
            json!(format!("{:x}", Sha256::digest(key.arn()))),
        );
    }
    if has_material(key) && key.origin == "EXTERNAL" {
        put("ExpirationModel", json!("KEY_MATERIAL_DOES_NOT_EXPIRE"));
    }
    Value::Object(shown)
}

/// The algorithms that a key can encrypt with.
pub(super) fn encryption_algorithms(key: &Key) -> &'static [&'static str] {
    match key.key_spec.as_str() {
        "SM2" => &["SM2PKE"],
        rsa if rsa.starts_with("RSA_") => &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"],
        _ => &["SYMMETRIC_DEFAULT"],
    }
}

fn has_material(key: &Key) -> bool {
    !matches!(key.key_state, KeyState::Creating | KeyState::PendingImport)
}

/// The keys of the same id in other Regions. Which one is the primary is not recorded here: the first by ARN is.
fn relatives(key: &Key, keys: &Keys) -> Value {
    let related = |other: &&Key| (&other.account, &other.key_id) == (&key.account, &key.key_id);
    let mut related: Vec<_> = keys.all().filter(related).collect();
    if related.is_empty() {
        related.push(key);
    }
    let show = |key: &&Key| json!({"Arn": key.arn(), "Region": key.region});
    let (primary, replicas) = related.split_at(1);
    let role = if primary[0].region == key.region {
        "PRIMARY"
    } else {
        "REPLICA"
    };
    json!({
        "MultiRegionKeyType": role,
        "PrimaryKey": show(&primary[0]),
        "ReplicaKeys": replicas.iter().map(show).collect::<Value>(),
    })
}

fn created(key: &Key) -> Timestamp {
    key.created.unwrap_or_default()
}

fn time(at: Timestamp) -> Value {
    epoch(at.as_millisecond())
}
