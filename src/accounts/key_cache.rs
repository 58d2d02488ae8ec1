//! A cache of AWS KMS's answers about keys. Concurrent requests for the same answer are coalesced, answers are kept for a short
//! time, and a rate limit leaves capacity for the account's other users of AWS KMS.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    accounts::account::AwsAccount,
    api::{class_patterns::AccessCheck, types::KmsKeyRef},
    aws::Connection,
    domain::{
        Access, AwsError, AwsErrorKind, KeyFacts, KeySeen, KeyVerdict,
        key::{enforce, judge},
    },
    runtime::ttl_cache::TtlCache,
};

/// How many answers to each kind of request are kept.
const CAPACITY: u64 = 10_000;

/// How long an answer that allows a job is kept. The reconciler asks again before a Start.
const POSITIVE_TTL: Duration = Duration::from_mins(1);
/// How long an answer that rejects a job is kept. It is short, because the job is applied again as soon as the key is
/// corrected.
const NEGATIVE_TTL: Duration = Duration::from_secs(10);
/// How long a missing answer is kept.
const UNANSWERED_TTL: Duration = Duration::from_secs(2);

/// A key ARN and an encryption context.
type Use = (String, BTreeMap<String, String>);

/// The answers that one session has received.
#[derive(Debug)]
pub(super) struct KeyCache {
    described: TtlCache<String, Result<KeyFacts, AwsError>>,
    access: TtlCache<Use, Access>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            described: TtlCache::new(CAPACITY),
            access: TtlCache::new(CAPACITY),
        }
    }
}

/// The session that asks AWS KMS.
#[derive(Clone, Debug)]
pub(super) struct Asker<'a> {
    /// The connection to AWS.
    pub(super) connection: &'a Connection,
    /// The account whose rate limit applies, once it is verified.
    pub(super) account: Option<Arc<AwsAccount>>,
}

impl Asker<'_> {
    /// Takes a token for a request, if there is one now.
    fn try_acquire(&self) -> Result<(), AwsError> {
        if self.account.as_ref().is_some_and(|account| account.kms.try_acquire()) {
            return Ok(());
        }
        let message = "the operator's rate limit for AWS KMS requests is reached";
        Err(AwsError::new(AwsErrorKind::Throttled, "RateUsedUp", message))
    }
}

impl KeyCache {
    /// Judges a key by what AWS KMS reports of it and, as far as `check` demands, of its use with an encryption context.
    /// Answers to requests from before `since` are not used. The caller must have checked the key's account and Region,
    /// because AWS KMS is asked about any key.
    pub(super) async fn judge(
        &self,
        asker: &Asker<'_>,
        reference: &KmsKeyRef,
        context: &BTreeMap<String, String>,
        check: AccessCheck,
        since: Option<Instant>,
    ) -> KeyVerdict {
        let account = asker.account.as_ref().map(|account| account.at.account.as_str());
        let judge = |seen: &KeySeen| judge(reference, account, asker.connection.region(), seen);
        let mut seen = KeySeen {
            facts: self.describe(asker, reference.as_str(), since).await,
            access: None,
        };
        let described = judge(&seen);
        let KeyVerdict::Usable { arn, .. } = &described else {
            return described;
        };
        if check == AccessCheck::Off {
            return described;
        }
        seen.access = Some(self.access(asker, arn.clone(), context, since).await);
        enforce(check, &seen, judge(&seen))
    }

    async fn describe(&self, asker: &Asker<'_>, reference: &str, since: Option<Instant>) -> Result<KeyFacts, AwsError> {
        let ask = Box::pin(async {
            asker.try_acquire()?;
            asker.connection.describe_key(reference).await
        });
        let ttl = |answer: &Result<KeyFacts, AwsError>| match answer {
            Ok(facts) if facts.key_state == "Enabled" => POSITIVE_TTL,
            Err(error) if error.kind.passes_by_itself() => UNANSWERED_TTL,
            Ok(_) | Err(_) => NEGATIVE_TTL,
        };
        self.described.get_or_fetch(reference, since, ask, ttl).await
    }

    async fn access(
        &self,
        asker: &Asker<'_>,
        arn: String,
        context: &BTreeMap<String, String>,
        since: Option<Instant>,
    ) -> Access {
        let key = (arn, context.clone());
        let ask = Box::pin(async {
            match asker.try_acquire() {
                Ok(()) => asker.connection.key_access(&key.0, &key.1).await,
                Err(error) => Access::Unknown(error),
            }
        });
        let ttl = |answer: &Access| match answer {
            Access::Allowed => POSITIVE_TTL,
            Access::Denied => NEGATIVE_TTL,
            Access::Unknown(_) => UNANSWERED_TTL,
        };
        self.access.get_or_fetch(&key, since, ask, ttl).await
    }
}
