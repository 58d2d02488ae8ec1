//! The keys of the table as AWS KMS has them, and the rows about what only KMS can say of one.

use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, DEFAULT_KEY_ID, Key, KeyState};
use testkit::stage::REGION;
use transcribe_operator::{
    api::{class_patterns::AccessCheck, types::KmsKeyRef},
    domain::{
        Access, KeyFacts, KeySeen, KeyVerdict, Rejection,
        key::{enforce, judge},
    },
};

use super::classes::kms;
use super::row::{self, Group, Row};
use crate::cases::KEY;
use crate::layers::ACCOUNT;

/// What other rows name, and KMS has nothing against.
const ALIASES: [&str; 3] = ["alias/a", "alias/team", "alias/finance-a"];

/// A key of the table, by the number in its id.
fn id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// The keys in the order of their numbers: the state, the manager, what it is, what it is for.
const KEYS: [(KeyState, &str, &str, &str); 9] = [
    (KeyState::Enabled, "CUSTOMER", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    (KeyState::Disabled, "CUSTOMER", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    (
        KeyState::PendingDeletion,
        "CUSTOMER",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
    ),
    (
        KeyState::PendingImport,
        "CUSTOMER",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
    ),
    (KeyState::Creating, "CUSTOMER", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    (KeyState::Enabled, "AWS", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    (KeyState::Enabled, "CUSTOMER", "RSA_2048", "ENCRYPT_DECRYPT"),
    (KeyState::Enabled, "CUSTOMER", "HMAC_256", "GENERATE_VERIFY_MAC"),
    (KeyState::Enabled, "CUSTOMER", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
];
/// The key of which nobody may make use.
const FORBIDDEN: usize = 8;
/// The number of no key.
const ABSENT: usize = 99;

fn key(number: usize) -> Key {
    let (key_state, manager, spec, usage) = KEYS[number];
    let forbids = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:DescribeKey", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["kms:Encrypt", "kms:GenerateDataKey*"], "Resource": "*"},
    ]});
    Key {
        key_state,
        key_manager: manager.to_owned(),
        key_spec: spec.to_owned(),
        key_usage: usage.to_owned(),
        policy: (number == FORBIDDEN).then_some(forbids),
        ..Key::new(REGION, &id(number))
    }
}

pub fn put(sim: &AwsSim) -> anyhow::Result<()> {
    for alias in ALIASES {
        sim.put_alias(alias, &kms(&format!("key/{DEFAULT_KEY_ID}")))?;
    }
    (0..KEYS.len()).try_for_each(|number| sim.put_key(key(number)))
}

/// What the reconciler makes of what KMS says of the key that a spec names, if it is one of these.
pub fn refused(spec: &Value, class: &str) -> Option<Rejection> {
    let named = spec["encryption"]["kmsKeyId"].as_str()?;
    let number = (0..KEYS.len()).chain([ABSENT]).find(|number| id(*number) == named)?;
    let seen = seen(number);
    let reference: KmsKeyRef = named.parse().unwrap();
    let check = if class == "proven" {
        AccessCheck::Deny
    } else {
        AccessCheck::Warn
    };
    match enforce(check, &seen, judge(&reference, Some(ACCOUNT), REGION, &seen)) {
        KeyVerdict::Refused(refusal) => Some(refusal),
        KeyVerdict::Usable { .. } | KeyVerdict::Unsettled { .. } | KeyVerdict::NotAsked | KeyVerdict::NotNeeded => None,
    }
}

fn seen(number: usize) -> KeySeen {
    use transcribe_operator::domain::{AwsError, AwsErrorKind};
    let absent = AwsError::new(AwsErrorKind::Absent, "NotFoundException", "");
    let facts = (number != ABSENT).then(|| key(number)).ok_or(absent);
    let access = if number == FORBIDDEN {
        Access::Denied
    } else {
        Access::Allowed
    };
    KeySeen {
        facts: facts.map(|key| KeyFacts {
            arn: key.arn(),
            key_manager: key.key_manager,
            key_spec: key.key_spec,
            key_usage: key.key_usage,
            key_state: format!("{:?}", key.key_state),
        }),
        access: Some(access),
    }
}

/// What only AWS KMS can say of a key: the schema and `check` do not ask it.
#[rustfmt::skip]
pub fn rows() -> Vec<Row> {
    const A: [&str; 4] = ["AAAA"; 4];
    const D: [&str; 4] = ["-DD-"; 4];
    const LATER: [&str; 4] = ["----"; 4];
    let row = |name, number, cells, says| Row::new(Group::Kms, name, row::key(&id(number)), cells, KEY, says);
    vec![
        row("a key that can be used",               0,         A,     ""),
        row("a key that is disabled",               1,         D,     "the key is disabled"),
        row("a key that is to be deleted",          2,         D,     "scheduled for deletion"),
        row("a key without key material",           3,         D,     "has no key material"),
        row("a key that is being created",          4,         LATER, ""),
        row("an AWS managed key by its id",         5,         D,     "use a customer managed key"),
        row("an asymmetric key",                    6,         D,     "it encrypts, but not what Amazon S3 stores"),
        row("an HMAC key",                          7,         D,     "an HMAC key, which encrypts nothing"),
        row("a key that there is not",              ABSENT,    D,     "there is no such key"),
        row("a key that may not be used, warned of", FORBIDDEN, A,    ""),
        row("a key that may not be used, refused",  FORBIDDEN, D,     "asks for proof that it can be used").by("proven"),
    ]
}
