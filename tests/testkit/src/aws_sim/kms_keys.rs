//! The KMS keys and aliases that exist.
//!
//! Every new simulator has one key in each of [`DEFAULT_KEY_REGIONS`], so that a request with a well-known key can be
//! made without ado: [`DEFAULT_KEY_ID`] in [`DEFAULT_ACCOUNT`], with the alias [`DEFAULT_KEY_ALIAS`] and the policy
//! that lets its whole account use it. All other keys are refused until a test puts them there.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::DEFAULT_ACCOUNT;
use super::iam::{Policy, Sort};

/// The id of the key that every new simulator has.
pub const DEFAULT_KEY_ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
/// The alias of that key.
pub const DEFAULT_KEY_ALIAS: &str = "alias/ExampleAlias";
/// The Regions that have it: in each a key of its own.
pub const DEFAULT_KEY_REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

/// A KMS key. The default is one that Transcribe can use: enabled, symmetric, the customer's, usable by its account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Key {
    /// The account that owns it.
    pub account: String,
    /// The Region that it is in.
    pub region: String,
    /// A UUID, or `mrk-` and 32 hex digits for a multi-Region key. The same `mrk-` id in two Regions is two keys.
    pub key_id: String,
    /// For example `SYMMETRIC_DEFAULT` or `RSA_2048`.
    pub key_spec: String,
    /// For example `ENCRYPT_DECRYPT` or `SIGN_VERIFY`.
    pub key_usage: String,
    /// `CUSTOMER` or `AWS`.
    pub key_manager: String,
    /// Whether it can be used.
    pub key_state: KeyState,
    /// For example `AWS_KMS` or `EXTERNAL`.
    pub origin: String,
    /// When it was made; if absent, when it was put here, by the simulator's clock.
    pub created: Option<Timestamp>,
    /// When it goes, if its deletion is pending; if absent, 30 days after it was made.
    pub deletion_date: Option<Timestamp>,
    /// The key policy; absent: the default one, which lets the account say by its identity policies who uses the key.
    pub policy: Option<Value>,
}

/// The states of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of AWS")]
pub enum KeyState {
    Creating,
    Enabled,
    Disabled,
    PendingDeletion,
    PendingImport,
    PendingReplicaDeletion,
    Unavailable,
    Updating,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            account: DEFAULT_ACCOUNT.to_owned(),
            region: "us-east-1".to_owned(),
            key_id: DEFAULT_KEY_ID.to_owned(),
            key_spec: "SYMMETRIC_DEFAULT".to_owned(),
            key_usage: "ENCRYPT_DECRYPT".to_owned(),
            key_manager: "CUSTOMER".to_owned(),
            key_state: KeyState::Enabled,
            origin: "AWS_KMS".to_owned(),
            created: None,
            deletion_date: None,
            policy: None,
        }
    }
}

impl Key {
    /// A key like the default one, of that Region and id.
    pub fn new(region: &str, key_id: &str) -> Self {
        Self {
            region: region.to_owned(),
            key_id: key_id.to_owned(),
            ..Self::default()
        }
    }

    /// What names the key everywhere; the controls ask for it too.
    pub fn arn(&self) -> String {
        arn(&self.account, &self.region, &format!("key/{}", self.key_id))
    }

    /// Whether its material can be replicated to other Regions, which its id tells.
    pub(super) fn is_multi_region(&self) -> bool {
        self.key_id.starts_with("mrk-")
    }

    pub(super) fn is_symmetric(&self) -> bool {
        self.key_spec == "SYMMETRIC_DEFAULT"
    }

    /// Whether a KeyId has the form of a key's id.
    pub(super) fn is_id(text: &str) -> bool {
        let hex = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(rest) = text.strip_prefix("mrk-") {
            return hex(rest, 32);
        }
        let parts: Vec<_> = text.split('-').collect();
        parts.len() == 5
            && parts
                .iter()
                .zip([8, 4, 4, 4, 12])
                .all(|(part, length)| hex(part, length))
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(Self::is_id(&self.key_id), "not the id of a key: {}", self.key_id);
        let account = self.account.len() == 12 && self.account.bytes().all(|byte| byte.is_ascii_digit());
        ensure!(account, "not an account: {}", self.account);
        self.read_policy().map(drop)
    }

    /// The policy. The default one leaves the use of the key to the identity policies of its account.
    pub(super) fn read_policy(&self) -> anyhow::Result<Policy> {
        let default = || {
            json!({"Statement": {
                "Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "kms:*", "Resource": "*",
            }})
        };
        Policy::read(Sort::Resource, &self.policy.clone().unwrap_or_else(default))
    }
}

/// An ARN of KMS, in the partition that the Region belongs to.
pub(super) fn arn(account: &str, region: &str, resource: &str) -> String {
    format!("arn:{}:kms:{region}:{account}:{resource}", partition(region))
}

/// The partition of a Region.
pub(super) fn partition(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let found = PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |(_, partition)| partition)
}

/// All keys by ARN, and all aliases: the alias's ARN and that of its key.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: BTreeMap<String, Key>,
    aliases: BTreeMap<String, String>,
}

impl Keys {
    /// The keys of a new simulator.
    pub(super) fn new(now: Timestamp) -> anyhow::Result<Self> {
        let mut keys = Self::default();
        for region in DEFAULT_KEY_REGIONS {
            let key = Key::new(region, DEFAULT_KEY_ID);
            let arn = key.arn();
            keys.put(key, now)?;
            keys.put_alias(DEFAULT_KEY_ALIAS, &arn)?;
        }
        Ok(keys)
    }

    /// The key that an ARN names: its own, or an alias's.
    pub(super) fn find(&self, arn: &str) -> Option<&Key> {
        self.keys.get(self.aliases.get(arn).map_or(arn, String::as_str))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Key> {
        self.keys.values()
    }

    pub(super) fn aliases(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }

    /// The names of a key's aliases.
    pub(super) fn aliases_of(&self, key: &Key) -> impl Iterator<Item = &str> {
        let arn = key.arn();
        let named = self.aliases.iter().filter(move |(_, named)| **named == arn);
        named.filter_map(|(alias, _)| alias.splitn(6, ':').last())
    }

    /// Add a key, or put it in the place of the one with its ARN.
    pub(super) fn put(&mut self, mut key: Key, now: Timestamp) -> anyhow::Result<()> {
        key.check()?;
        key.created.get_or_insert(now);
        self.keys.insert(key.arn(), key);
        Ok(())
    }

    /// Let a key vanish, and its aliases with it, as AWS does.
    pub(super) fn remove(&mut self, arn: &str) -> bool {
        self.aliases.retain(|_, key| key != arn);
        self.keys.remove(arn).is_some()
    }

    /// Let an alias name a key, whatever it named before. An alias is of its key's account and Region.
    pub(super) fn put_alias(&mut self, name: &str, key_arn: &str) -> anyhow::Result<()> {
        let Some(key) = self.keys.get(key_arn) else {
            bail!("no such key: {key_arn}");
        };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
        let named = name.strip_prefix("alias/").is_some_and(|rest| !rest.is_empty());
        ensure!(named && name.bytes().all(letter), "not the name of an alias: {name}");
        let alias = arn(&key.account, &key.region, name);
        self.aliases.insert(alias, key_arn.to_owned());
        Ok(())
    }

    pub(super) fn remove_alias(&mut self, alias_arn: &str) -> bool {
        self.aliases.remove(alias_arn).is_some()
    }
}
