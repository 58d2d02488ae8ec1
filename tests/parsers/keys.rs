//! Key references: the parser, the schema, and the grammar of the KMS developer guide, written anew by hand.

use std::sync::LazyLock;

use schemars::{JsonSchema as _, SchemaGenerator};
use serde_json::Value;
use transcribe_operator::api::types::{KeyForm, KmsKeyRef};

use crate::oracle::Oracle;
use crate::{CEL_SHARE, cases, corpus, fuzz, making};

pub const STOCK: &[&str] = &[
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "mrk-1234abcd12ab34cd56ef1234567890ab",
    "alias/ExampleAlias",
    "alias/finance/eu_1-a",
    "alias/aws-transcripts",
    "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-west-2:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    "arn:aws:kms:ap-southeast-2:111122223333:alias/ExampleAlias",
    "arn:aws-cn:kms:cn-north-1:444455556666:alias/finance",
    "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/a",
    "arn:aws-iso:kms:us-iso-east-1:111122223333:alias/a",
    "arn:aws-iso-b:kms:us-isob-east-1:111122223333:alias/a",
    "arn:aws-iso-f:kms:us-isof-south-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws-eusc:kms:eusc-de-east-1:111122223333:alias/a",
    "alias/aws/s3",
    "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
];

static SCHEMA: LazyLock<Oracle> =
    LazyLock::new(|| Oracle::new(KmsKeyRef::json_schema(&mut SchemaGenerator::default()).to_value()));

/// All agree. Whether the key is accepted.
pub fn agree(key: &str, schema: impl Fn(&Oracle, &Value) -> bool) -> Result<bool, String> {
    let value = Value::from(key);
    let parsed = key.parse::<KmsKeyRef>();
    let verdicts = [
        schema(&SCHEMA, &value),
        by_hand(key),
        serde_json::from_value::<KmsKeyRef>(value).is_ok(),
    ];
    if verdicts != [parsed.is_ok(); 3] {
        return Err(format!(
            "the parser says {parsed:?}; schema, grammar and serde {verdicts:?}"
        ));
    }
    match parsed {
        Ok(parsed) if whole(&parsed) != key => Err(format!("its parts make {}", whole(&parsed))),
        Ok(_) => Ok(true),
        Err(why) if !why.to_string().starts_with("must ") => Err(why.to_string()),
        Err(_) => Ok(false),
    }
}

/// The text again, from its parts.
fn whole(key: &KmsKeyRef) -> String {
    match key.form() {
        KeyForm::KeyId(text) | KeyForm::AliasName(text) => text.to_owned(),
        KeyForm::KeyArn {
            partition,
            region,
            account,
            key_id,
        } => format!("arn:{partition}:kms:{region}:{account}:key/{key_id}"),
        KeyForm::AliasArn {
            partition,
            region,
            account,
            alias,
        } => format!("arn:{partition}:kms:{region}:{account}:{alias}"),
    }
}

/// The grammar, with no pattern of the code under test.
fn by_hand(key: &str) -> bool {
    match key.split(':').collect::<Vec<_>>()[..] {
        [text] => is_key_id(text) || is_alias(text),
        ["arn", partition, "kms", region, account, resource] => {
            is_partition(partition)
                && is_region(region)
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && (resource.strip_prefix("key/").is_some_and(is_key_id) || is_alias(resource))
        }
        _ => false,
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_key_id(text: &str) -> bool {
    let multi_region = text
        .strip_prefix("mrk-")
        .is_some_and(|digits| digits.len() == 32 && is_hex(digits));
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    multi_region || (lengths == [8, 4, 4, 4, 12] && text.split('-').all(is_hex))
}

fn is_alias(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=250).contains(&name.len())
            && !name.starts_with("aws/")
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
    };
    text.strip_prefix("alias/").is_some_and(is_name)
}

fn is_partition(text: &str) -> bool {
    let isolated = text
        .strip_prefix("aws-iso-")
        .is_some_and(|letter| letter.len() == 1 && letter.as_bytes()[0].is_ascii_lowercase());
    isolated || ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso"].contains(&text)
}

/// Letters, letters …, a number: `eu-west-1`, `us-gov-west-1`, `eusc-de-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, middle @ .., number] = &parts[..] else {
        return false;
    };
    let letters =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase());
    (2..=8).contains(&area.len())
        && letters(area, 8)
        && (1..=3).contains(&middle.len())
        && middle.iter().all(|part| letters(part, 16))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[test]
fn keys_of_the_corpus() {
    for (name, key) in corpus::texts("kms_key_ref") {
        agree(&key, Oracle::accepts_by_cel).unwrap_or_else(|why| panic!("{name}: {why}"));
        agree(&key, Oracle::accepts).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

#[test]
fn keys() {
    fuzz("keys", cases(), making::texts(STOCK), |key| agree(key, Oracle::accepts));
}

#[test]
fn keys_by_cel() {
    fuzz("keys by CEL", cases() / CEL_SHARE, making::texts(STOCK), |key| {
        agree(key, Oracle::accepts_by_cel)
    });
}
