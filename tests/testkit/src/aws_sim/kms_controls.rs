//! What a test does with keys, and what it sees of the calls to KMS.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Caller;
use super::kms_keys::{Key, Keys};
use super::kms_metadata::metadata;
use super::world::Sim;
use super::{AwsSim, kms};

/// One call of KMS, whatever came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KmsCall {
    /// When it was answered, by the simulator's clock.
    pub time: Timestamp,
    /// The operation, for example `DescribeKey`.
    pub operation: String,
    /// The caller's account; empty if the caller could not be told.
    pub account: String,
    /// The caller's ARN; empty if the caller could not be told.
    pub principal: String,
    /// The Region of the credential scope; empty if the caller could not be told.
    pub region: String,
    /// The KeyId as it was sent.
    pub key_id: String,
    /// The encryption context.
    pub context: BTreeMap<String, String>,
    /// Whether it asked only whether it would succeed.
    pub dry_run: bool,
    /// `ok`, an error code, or `fault`, as in [`AwsSim::calls`].
    pub outcome: String,
}

impl KmsCall {
    /// A call whose body may be anything.
    pub(super) fn of(time: Timestamp, caller: Option<&Caller>, operation: &str, body: &Value, outcome: &str) -> Self {
        let told = |of: fn(&Caller) -> &str| caller.map(of).unwrap_or_default().to_owned();
        Self {
            time,
            operation: operation.to_owned(),
            account: told(|caller| &caller.account),
            principal: told(|caller| &caller.principal.arn),
            region: told(|caller| &caller.region),
            key_id: body["KeyId"].as_str().unwrap_or_default().to_owned(),
            context: kms::texts(body, "EncryptionContext"),
            dry_run: body["DryRun"] == Value::Bool(true),
            outcome: outcome.to_owned(),
        }
    }
}

/// The latest calls of KMS: at most [`KmsCalls::KEPT`].
#[derive(Debug, Default)]
pub(super) struct KmsCalls(VecDeque<KmsCall>);

impl KmsCalls {
    const KEPT: usize = 10_000;

    pub(super) fn add(&mut self, call: KmsCall) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    pub(super) fn list(&self) -> Vec<KmsCall> {
        self.0.iter().cloned().collect()
    }
}

impl AwsSim {
    /// Add a key, or put it in the place of the one with its ARN. Errors: AWS has no such keys, or the simulator
    /// cannot read the policy.
    pub fn put_key(&self, key: Key) -> anyhow::Result<()> {
        self.sim.put_key(key)
    }

    /// Change the key with that ARN: its state, its policy or anything else that is not part of the ARN. Errors: there
    /// is no such key; what would come out is not one.
    pub fn change_key(&self, arn: &str, change: impl FnOnce(&mut Key)) -> anyhow::Result<()> {
        self.sim.change_key(arn, change)
    }

    /// Let the key with that ARN vanish, its aliases too; whether it was there.
    #[expect(clippy::must_use_candidate, reason = "the answer is for those who ask")]
    pub fn remove_key(&self, arn: &str) -> bool {
        self.sim.world().change(|estate| estate.keys.remove(arn))
    }

    /// Let an alias, for example `alias/finance`, name the key with that ARN, whatever it named before; it is in the
    /// key's account and Region. Errors: there is no such key; no alias can have that name.
    pub fn put_alias(&self, name: &str, key_arn: &str) -> anyhow::Result<()> {
        self.sim.world().change(|estate| estate.keys.put_alias(name, key_arn))
    }

    /// Take the alias with that ARN away; whether it was there.
    #[expect(clippy::must_use_candidate, reason = "the answer is for those who ask")]
    pub fn remove_alias(&self, alias_arn: &str) -> bool {
        self.sim.world().change(|estate| estate.keys.remove_alias(alias_arn))
    }

    /// The keys that there are, in the order of their ARNs: also those that DescribeKey made, whose manager is `AWS`.
    pub fn keys(&self) -> Vec<Key> {
        self.sim.world().estate.keys.all().cloned().collect()
    }

    /// The aliases that there are: the ARN of each, and that of its key.
    pub fn aliases(&self) -> BTreeMap<String, String> {
        self.sim.world().estate.keys.aliases().clone()
    }

    /// The calls of KMS, in order; of very many only the latest. Transcribe's own uses of keys are not among them.
    pub fn kms_calls(&self) -> Vec<KmsCall> {
        self.sim.world().kms_calls.list()
    }
}

impl Sim {
    pub(super) fn put_key(&self, key: Key) -> anyhow::Result<()> {
        self.check_key(&key)?;
        let mut world = self.world();
        let now = world.clock(world.now());
        world.change(|estate| estate.keys.put(key, now))
    }

    pub(super) fn change_key(&self, arn: &str, change: impl FnOnce(&mut Key)) -> anyhow::Result<()> {
        let mut world = self.world();
        let Some(mut key) = world.estate.keys.all().find(|key| key.arn() == arn).cloned() else {
            anyhow::bail!("no such key: {arn}");
        };
        change(&mut key);
        anyhow::ensure!(key.arn() == arn, "the change of {arn} makes it {}", key.arn());
        self.check_key(&key)?;
        let now = world.clock(world.now());
        world.change(|estate| estate.keys.put(key, now))
    }

    /// The AWS model must have every member of the key: its spec, its usage, and so on.
    fn check_key(&self, key: &Key) -> anyhow::Result<()> {
        let shown = json!({"KeyMetadata": metadata(key, &Keys::default())});
        let checked = self.kms.check_output("DescribeKey", &shown);
        checked.map_err(|error| anyhow::anyhow!("{}", error.message))
    }
}
