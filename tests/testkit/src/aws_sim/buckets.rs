//! The buckets of S3: whose they are, and who may read and write in them. There are no objects.
//!
//! A bucket that no test has put there is taken to be the caller's account's own, without a policy.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AwsSim;
use super::config::DEFAULT_ACCOUNT;
use super::iam::{Holder, Policy, Principal, Sort, Wish};
use super::kms::{Access, usable};
use super::kms_keys::partition;
use super::world::Estate;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bucket {
    /// The name; there is only one bucket of a name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// The bucket policy, if it has one.
    pub policy: Option<Value>,
    /// The ARN of the key that the objects in it are encrypted with: who reads one needs `kms:Decrypt` too. Absent:
    /// SSE-S3, which needs nothing.
    pub kms_key_arn: Option<String>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            name: String::new(),
            account: DEFAULT_ACCOUNT.to_owned(),
            policy: None,
            kms_key_arn: None,
        }
    }
}

impl Bucket {
    /// A bucket of that account, without a policy.
    pub fn new(name: &str, account: &str) -> Self {
        Self {
            name: name.to_owned(),
            account: account.to_owned(),
            ..Self::default()
        }
    }
}

/// The buckets that tests have put there.
#[derive(Debug, Default)]
pub(super) struct Buckets(BTreeMap<String, (Bucket, Option<Policy>)>);

impl Buckets {
    pub(super) fn put(&mut self, bucket: Bucket) -> anyhow::Result<()> {
        let account = bucket.account.len() == 12 && bucket.account.bytes().all(|byte| byte.is_ascii_digit());
        ensure!(account, "not an account: {}", bucket.account);
        ensure!(bucket.name.len() >= 3, "not the name of a bucket: {}", bucket.name);
        let policy = bucket.policy.as_ref();
        let policy = policy.map(|policy| Policy::read(Sort::Resource, policy)).transpose()?;
        self.0.insert(bucket.name.clone(), (bucket, policy));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Bucket> {
        self.0.values().map(|(bucket, _)| bucket)
    }
}

/// One use of an object by a service, in a principal's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectUse<'a> {
    pub(super) principal: &'a Principal,
    /// `GetObject` or `PutObject`.
    pub(super) operation: &'a str,
    pub(super) region: &'a str,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// The service's host name.
    pub(super) via: &'a str,
}

impl ObjectUse<'_> {
    /// Whether identity and bucket policies allow it, and for a read also the key's.
    pub(super) fn is_allowed(&self, estate: &Estate) -> bool {
        let (region, partition) = (self.region, partition(self.region));
        let object = format!("arn:{partition}:s3:::{}/{}", self.bucket, self.key);
        let action = format!("s3:{}", self.operation);
        let wish = Wish::new(self.principal, action, &object, region, Some(self.via));
        let known = estate.buckets.0.get(self.bucket);
        let holder = Holder {
            account: known.map_or(&self.principal.account, |(bucket, _)| &bucket.account),
            policy: known.and_then(|(_, policy)| policy.as_ref()),
            open: true,
        };
        let key = known.and_then(|(bucket, _)| bucket.kms_key_arn.as_deref());
        let key = key.filter(|_| self.operation == "GetObject");
        estate.iam.judge(&wish, Some(holder)).is_ok() && key.is_none_or(|key| self.can_decrypt(estate, key, object))
    }

    /// S3 decrypts in the reader's name, with the object's ARN in the context.
    fn can_decrypt(&self, estate: &Estate, key: &str, object: String) -> bool {
        let context = BTreeMap::from([("aws:s3:arn".to_owned(), object)]);
        let access = Access {
            operation: "Decrypt",
            principal: self.principal,
            region: self.region,
            context: &context,
            via: Some(&format!("s3.{}.amazonaws.com", self.region)),
        };
        usable(estate, key, &access).is_ok()
    }
}

impl AwsSim {
    /// Add a bucket, or put it in the place of the one with its name: its owner, its policy. Errors: the simulator
    /// cannot read the policy.
    pub fn put_bucket(&self, bucket: Bucket) -> anyhow::Result<()> {
        self.sim.world().change(|estate| estate.buckets.put(bucket))
    }

    /// Forget a bucket; whether it was there. It is as if no test had put it there.
    #[expect(clippy::must_use_candidate, reason = "the answer is for those who ask")]
    pub fn remove_bucket(&self, name: &str) -> bool {
        self.sim.world().change(|estate| estate.buckets.remove(name))
    }

    /// The buckets that tests have put there.
    pub fn buckets(&self) -> Vec<Bucket> {
        self.sim.world().estate.buckets.all().cloned().collect()
    }
}
