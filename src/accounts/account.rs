//! The state that is shared by everything that works in one account and Region, by kind of job where AWS counts kinds
//! separately.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::{
    accounts::rate_limits::{KmsRateLimiter, RateLimiter},
    api::Kind,
    domain::{AccountRegion, ListSnapshot, class::status::OrphanSearch},
};

/// One account and Region.
#[derive(Debug)]
pub struct AwsAccount {
    /// The account and Region.
    pub at: AccountRegion,
    /// The rate limit for requests to AWS KMS.
    pub kms: KmsRateLimiter,
    kinds: Vec<Jobs>,
}

/// The jobs of one kind in one account and Region: their rate limits, and what was last observed of them.
#[derive(Debug)]
pub struct Jobs {
    /// The rate limits.
    pub rates: RateLimiter,
    /// The last complete list snapshot.
    pub snapshot: watch::Sender<Option<Arc<ListSnapshot>>>,
    /// The result of the garbage collector's last search.
    pub orphans: watch::Sender<Option<OrphanSearch>>,
    /// Wakes the garbage collector before its interval is over.
    pub collect_soon: Notify,
}

impl Jobs {
    fn new(kind: Kind) -> Self {
        Self {
            rates: RateLimiter::of(kind),
            snapshot: watch::Sender::new(None),
            orphans: watch::Sender::new(None),
            collect_soon: Notify::new(),
        }
    }
}

impl AwsAccount {
    fn new(at: AccountRegion) -> Self {
        Self {
            at,
            kms: KmsRateLimiter::default(),
            kinds: Kind::ALL.iter().copied().map(Jobs::new).collect(),
        }
    }

    /// Returns the jobs of a kind.
    pub fn of(&self, kind: Kind) -> &Jobs {
        // `Kind::ALL` has the kinds in the order of their declaration.
        &self.kinds[kind as usize]
    }

    /// Returns the records of all kinds without an object. `None` until every kind was searched.
    pub fn orphans(&self) -> Option<OrphanSearch> {
        let each = self.kinds.iter().map(|jobs| *jobs.orphans.borrow());
        each.reduce(|all, one| {
            let (all, one) = (all?, one?);
            Some(OrphanSearch {
                begun_at: all.begun_at.min(one.begun_at),
                left: all.left + one.left,
            })
        })
        .flatten()
    }

    /// Wakes the garbage collectors of all kinds before their interval is over.
    pub fn search_soon(&self) {
        self.kinds.iter().for_each(|jobs| jobs.collect_soon.notify_one());
    }

    /// Drops what was observed, because nothing keeps it up to date any more.
    pub fn forget(&self) {
        for jobs in &self.kinds {
            jobs.snapshot.send_replace(None);
            jobs.orphans.send_replace(None);
        }
    }
}

/// All accounts, by account and Region. None is ever removed, because there are few.
#[derive(Clone, Debug, Default)]
pub struct AwsAccounts(Arc<Mutex<HashMap<AccountRegion, Arc<AwsAccount>>>>);

impl AwsAccounts {
    /// Returns the shared state of an account and Region. It is created at first use.
    pub fn at(&self, at: &AccountRegion) -> Arc<AwsAccount> {
        let mut accounts = self.0.lock();
        let account = accounts
            .entry(at.clone())
            .or_insert_with(|| Arc::new(AwsAccount::new(at.clone())));
        account.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_account_is_searched_once_every_kind_was() {
        let account = AwsAccount::new(AccountRegion::default());
        let at = |second| Timestamp::from_second(second).unwrap();
        for (nth, kind) in (1..).zip(Kind::ALL) {
            assert_eq!(account.orphans(), None, "before {kind}");
            let (begun_at, left) = (at(10 - nth), 1);
            account
                .of(*kind)
                .orphans
                .send_replace(Some(OrphanSearch { begun_at, left }));
        }
        let left = Kind::ALL.len();
        let begun_at = at(10 - i64::try_from(left).unwrap());
        assert_eq!(account.orphans(), Some(OrphanSearch { begun_at, left }));
        account.forget();
        assert_eq!(account.orphans(), None);
    }

    #[test]
    fn each_kind_has_rates_of_its_own() {
        let account = AwsAccount::new(AccountRegion::default());
        while account.of(Kind::TranscriptionJob).rates.try_start() {}
        for kind in &Kind::ALL[1..] {
            assert!(account.of(*kind).rates.try_start(), "{kind}");
        }
    }
}
