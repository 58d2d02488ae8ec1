//! What KMS says of keys: asked once for all who want to know at the same time, remembered for a while, and never asked more
//! often than is polite to the others in the account.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    memory::{Memory, memory, remembered},
    session::Session,
};
use crate::{
    api::{class_words::AccessCheck, types::KmsKeyRef},
    lifecycle::{
        Access, Fault, FaultKind, KeyFacts, KeySeen, KeyVerdict,
        key::{enforce, judge},
    },
};

/// How many answers of a kind are remembered.
const REMEMBERED: u64 = 10_000;

/// For how long an answer is remembered that admits a job. The reconciler asks anew before a Start.
const GOOD: Duration = Duration::from_mins(1);
/// For how long one that refuses it is: whoever mends the key applies again soon.
const BAD: Duration = Duration::from_secs(10);
/// For how long it is that there was no answer.
const NONE: Duration = Duration::from_secs(2);

/// A key ARN and an encryption context.
type Use = (String, BTreeMap<String, String>);

/// The answers that one session got.
#[derive(Debug)]
pub(super) struct Keys {
    described: Memory<String, Result<KeyFacts, Fault>>,
    access: Memory<Use, Access>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            described: memory(REMEMBERED),
            access: memory(REMEMBERED),
        }
    }
}

impl Session {
    /// Judges a key by what KMS says of it and of its use with an encryption context, as far as `check` wants that to be
    /// proven. An answer to a question from before `since` is not good enough. The key's account and Region must have been
    /// judged before: KMS is asked about any key.
    pub async fn judge_key(
        &self,
        reference: &KmsKeyRef,
        context: &BTreeMap<String, String>,
        check: AccessCheck,
        since: Option<Instant>,
    ) -> KeyVerdict {
        let account = self.identity().map(|identity| identity.account);
        let judge = |seen: &KeySeen| judge(reference, account.as_deref(), self.region(), seen);
        let mut seen = KeySeen {
            facts: self.describe(reference.as_str(), since).await,
            access: None,
        };
        let described = judge(&seen);
        let KeyVerdict::Usable { arn, .. } = &described else {
            return described;
        };
        if check == AccessCheck::Off {
            return described;
        }
        seen.access = Some(self.access(arn.clone(), context, since).await);
        enforce(check, &seen, judge(&seen))
    }

    async fn describe(&self, reference: &str, since: Option<Instant>) -> Result<KeyFacts, Fault> {
        let ask = Box::pin(async {
            self.question()?;
            self.connection().describe_key(reference).await
        });
        let good_for = |said: &Result<KeyFacts, Fault>| match said {
            Ok(facts) if facts.key_state == "Enabled" => GOOD,
            Err(fault) if fault.kind.passes_by_itself() => NONE,
            Ok(_) | Err(_) => BAD,
        };
        remembered(&self.keys().described, reference, since, ask, good_for).await
    }

    async fn access(&self, arn: String, context: &BTreeMap<String, String>, since: Option<Instant>) -> Access {
        let key = (arn, context.clone());
        let ask = Box::pin(async {
            match self.question() {
                Ok(()) => self.connection().key_access(&key.0, &key.1).await,
                Err(fault) => Access::Unknown(fault),
            }
        });
        let good_for = |said: &Access| match said {
            Access::Allowed => GOOD,
            Access::Denied => BAD,
            Access::Unknown(_) => NONE,
        };
        remembered(&self.keys().access, &key, since, ask, good_for).await
    }
    /// A slot for a question, if there is one now.
    fn question(&self) -> Result<(), Fault> {
        if self.place().is_some_and(|place| place.questions.ask()) {
            return Ok(());
        }
        let message = "the operator's rate of questions to AWS KMS is used up";
        Err(Fault::new(FaultKind::Throttled, "RateUsedUp", message))
    }
}
