//! What KMS says of keys: asked once for all who want to know at the same time, remembered for a while, and never asked more
//! often than is polite to the others in the account.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    hash::Hash,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::{Expiry, future::Cache};

use super::Engine;
use crate::{
    api::types::KmsKeyRef,
    lifecycle::{Access, Fault, FaultKind, KeyFacts, KeySeen, KeyVerdict, key::judge},
};

/// How many answers of a kind are remembered.
const REMEMBERED: u64 = 10_000;
/// Questions a second. KMS takes 2,000 DescribeKey a second of an account, and its cryptographic quota is shared with
/// everything else there.
const QUESTIONS: u32 = 200;

/// For how long an answer is remembered that admits a job. The reconciler asks anew before a Start.
const GOOD: Duration = Duration::from_mins(1);
/// For how long one that refuses it is: whoever mends the key applies again soon.
const BAD: Duration = Duration::from_secs(10);
/// For how long it is that there was no answer.
const NONE: Duration = Duration::from_secs(2);

/// An answer, when it was asked for, and for how long it is remembered.
#[derive(Clone, Debug)]
struct Answer<T> {
    asked_at: Instant,
    good_for: Duration,
    said: T,
}

struct GoodFor;

impl<K, T> Expiry<K, Answer<T>> for GoodFor {
    fn expire_after_create(&self, _: &K, answer: &Answer<T>, _: Instant) -> Option<Duration> {
        Some(answer.good_for)
    }

    fn expire_after_update(&self, _: &K, answer: &Answer<T>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(answer.good_for)
    }
}

/// A key ARN and an encryption context.
type Use = (String, BTreeMap<String, String>);

/// The answers, and the rate of questions.
#[derive(Debug)]
pub struct Keys {
    described: Cache<String, Answer<Result<KeyFacts, Fault>>>,
    access: Cache<Use, Answer<Access>>,
    rate: DefaultDirectRateLimiter,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            described: Cache::builder().max_capacity(REMEMBERED).expire_after(GoodFor).build(),
            access: Cache::builder().max_capacity(REMEMBERED).expire_after(GoodFor).build(),
            rate: RateLimiter::direct(Quota::per_second(NonZeroU32::new(QUESTIONS).unwrap_or(NonZeroU32::MIN))),
        }
    }
}

impl Engine {
    /// Judges a key by what KMS says of it and of its use with an encryption context. An answer to a question from before
    /// `since` is not good enough. The key's account and Region must have been judged before: KMS is asked about any key.
    pub async fn judge_key(
        &self,
        reference: &KmsKeyRef,
        context: &BTreeMap<String, String>,
        since: Option<Instant>,
    ) -> KeyVerdict {
        let account = self.identity.borrow().as_ref().map(|identity| identity.account.clone());
        let region = self.connection.region();
        let judge = |seen: &KeySeen| judge(reference, account.as_deref(), region, seen);
        let mut seen = KeySeen {
            facts: self.describe(reference.as_str(), since).await,
            access: None,
        };
        let described = judge(&seen);
        let KeyVerdict::Usable { arn, .. } = &described else {
            return described;
        };
        seen.access = Some(self.access(arn.clone(), context, since).await);
        judge(&seen)
    }

    async fn describe(&self, reference: &str, since: Option<Instant>) -> Result<KeyFacts, Fault> {
        let ask = Box::pin(async {
            self.keys.slot()?;
            self.connection.describe_key(reference).await
        });
        let good_for = |said: &Result<KeyFacts, Fault>| match said {
            Ok(facts) if facts.key_state == "Enabled" => GOOD,
            Err(fault) if fault.kind.passes_by_itself() => NONE,
            Ok(_) | Err(_) => BAD,
        };
        remembered(&self.keys.described, reference, since, ask, good_for).await
    }

    async fn access(&self, arn: String, context: &BTreeMap<String, String>, since: Option<Instant>) -> Access {
        let key = (arn, context.clone());
        let ask = Box::pin(async {
            match self.keys.slot() {
                Ok(()) => self.connection.key_access(&key.0, &key.1).await,
                Err(fault) => Access::Unknown(fault),
            }
        });
        let good_for = |said: &Access| match said {
            Access::Allowed => GOOD,
            Access::Denied => BAD,
            Access::Unknown(_) => NONE,
        };
        remembered(&self.keys.access, &key, since, ask, good_for).await
    }
}

/// The answer that is remembered, unless it was asked for before `since`; otherwise the one that is asked for now, once for all
/// who wait for it.
async fn remembered<K, Q, T>(
    cache: &Cache<K, Answer<T>>,
    key: &Q,
    since: Option<Instant>,
    ask: impl Future<Output = T>,
    good_for: impl FnOnce(&T) -> Duration,
) -> T
where
    K: Borrow<Q> + Hash + Eq + Send + Sync + 'static,
    Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    T: Clone + Send + Sync + 'static,
{
    let answer = async {
        let asked_at = Instant::now();
        let said = ask.await;
        Answer {
            asked_at,
            good_for: good_for(&said),
            said,
        }
    };
    let old = |answer: &Answer<T>| since.is_some_and(|since| answer.asked_at < since);
    cache
        .entry_by_ref(key)
        .or_insert_with_if(answer, old)
        .await
        .into_value()
        .said
}

impl Keys {
    /// A slot for a question, if there is one now.
    fn slot(&self) -> Result<(), Fault> {
        self.rate.check().map_err(|_| Fault {
            kind: FaultKind::Throttled,
            code: "RateUsedUp".to_owned(),
            message: "the operator's rate of questions to AWS KMS is used up".to_owned(),
        })
    }
}
