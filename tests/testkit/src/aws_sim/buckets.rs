//! The buckets of S3: whose they are, and who may read and write in them.
//!
//! A bucket that no test has put there is taken to be the caller's account's own, without a policy.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AwsSim;
use super::config::DEFAULT_ACCOUNT;
use super::error::AwsError;
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

/// One use of an object by a principal, or by a service in a principal's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectUse<'a> {
    pub(super) principal: &'a Principal,
    /// `GetObject` or `PutObject`; `ListBucket` is of the bucket, with no key.
    pub(super) operation: &'a str,
    pub(super) region: &'a str,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// The service's host name.
    pub(super) via: Option<&'a str>,
}

impl ObjectUse<'_> {
    /// Whether identity and bucket policies allow it, and for a read also the key's.
    pub(super) fn is_allowed(&self, estate: &Estate) -> bool {
        let known = estate.buckets.0.get(self.bucket);
        let key = known.and_then(|(bucket, _)| bucket.kms_key_arn.as_deref());
        let key = key.filter(|_| self.operation == "GetObject");
        let readable = || key.is_none_or(|key| self.decrypt(estate, key, &BTreeMap::new()).is_ok());
        self.authorize(estate).is_ok() && readable()
    }

    /// Refuse what identity and bucket policies do not allow.
    pub(super) fn authorize(&self, estate: &Estate) -> Result<(), AwsError> {
        let action = format!("s3:{}", self.operation);
        let wish = Wish::new(self.principal, action, self.arn(), self.region, self.via);
        let known = estate.buckets.0.get(self.bucket);
        let holder = Holder {
            account: known.map_or(&self.principal.account, |(bucket, _)| &bucket.account),
            policy: known.and_then(|(_, policy)| policy.as_ref()),
            open: true,
        };
        let judged = estate.iam.judge(&wish, Some(holder));
        judged.map_err(|refusal| AwsError::access_denied(refusal.text(&wish)))
    }

    fn arn(&self) -> String {
        let bucket = format!("arn:{}:s3:::{}", partition(self.region), self.bucket);
        match self.key {
            "" => bucket,
            key => format!("{bucket}/{key}"),
        }
    }

    /// S3 decrypts in the reader's name, with the context that the object was encrypted with and its ARN.
    pub(super) fn decrypt(
        &self,
        estate: &Estate,
        key: &str,
        context: &BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let mut context = context.clone();
        context.insert("aws:s3:arn".to_owned(), self.arn());
        let access = Access {
            operation: "Decrypt",
            principal: self.principal,
            region: self.region,
            context: &context,
            via: Some(&format!("s3.{}.amazonaws.com", self.region)),
        };
        usable(estate, key, &access).map(drop)
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
