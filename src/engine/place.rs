//! One account and Region: what all who work there share, by kind of job where AWS keeps kinds apart.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::budget::{Budget, Questions};
use crate::{
    api::Kind,
    lifecycle::{Identity, Sweep},
};

/// One account and Region.
#[derive(Debug)]
pub struct Place {
    /// Which one.
    pub identity: Identity,
    /// The rate of questions to AWS KMS.
    pub questions: Questions,
    kinds: Vec<Jobs>,
}

/// The jobs of a kind in one account and Region: their request rates, and what was last seen of them.
#[derive(Debug)]
pub struct Jobs {
    /// The request rates.
    pub budget: Budget,
    /// What the last complete sweep saw.
    pub sweep: watch::Sender<Option<Arc<Sweep>>>,
    /// What the sweeper last found.
    pub records: watch::Sender<Option<Records>>,
    /// Asks the sweeper not to wait for its time.
    pub sweep_soon: Notify,
}

impl Jobs {
    fn new(kind: Kind) -> Self {
        Self {
            budget: Budget::of(kind),
            sweep: watch::Sender::new(None),
            records: watch::Sender::new(None),
            sweep_soon: Notify::new(),
        }
    }
}

impl Place {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            questions: Questions::default(),
            kinds: Kind::ALL.iter().copied().map(Jobs::new).collect(),
        }
    }

    /// The jobs of a kind here.
    pub fn of(&self, kind: Kind) -> &Jobs {
        // `Kind::ALL` holds the kinds in the order of their declaration.
        &self.kinds[kind as usize]
    }

    /// The records of all kinds without an object, once each kind was searched.
    pub fn records(&self) -> Option<Records> {
        let each = self.kinds.iter().map(|jobs| *jobs.records.borrow());
        each.reduce(|all, one| {
            let (all, one) = (all?, one?);
            Some(Records {
                begun_at: all.begun_at.min(one.begun_at),
                left: all.left + one.left,
            })
        })
        .flatten()
    }

    /// Asks all sweepers not to wait for their time.
    pub fn search_soon(&self) {
        self.kinds.iter().for_each(|jobs| jobs.sweep_soon.notify_one());
    }

    /// What was seen here gets old.
    pub fn forget(&self) {
        for jobs in &self.kinds {
            jobs.sweep.send_replace(None);
            jobs.records.send_replace(None);
        }
    }
}

/// The records without an object, as a complete search found them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// When the search began.
    pub begun_at: Timestamp,
    /// How many there are that are to be removed, now or when they have ended.
    pub left: usize,
}

/// All of them, by account and Region. One stays once it is known: there are few.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<HashMap<Identity, Arc<Place>>>>);

impl Places {
    /// The place of this account and Region.
    pub fn at(&self, identity: &Identity) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places
            .entry(identity.clone())
            .or_insert_with(|| Arc::new(Place::new(identity.clone())));
        place.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_searched_once_every_kind_was() {
        let place = Place::new(Identity::default());
        let at = |second| Timestamp::from_second(second).unwrap();
        for (nth, kind) in (1..).zip(Kind::ALL) {
            assert_eq!(place.records(), None, "before {kind}");
            let (begun_at, left) = (at(10 - nth), 1);
            place.of(*kind).records.send_replace(Some(Records { begun_at, left }));
        }
        let left = Kind::ALL.len();
        let begun_at = at(10 - i64::try_from(left).unwrap());
        assert_eq!(place.records(), Some(Records { begun_at, left }));
        place.forget();
        assert_eq!(place.records(), None);
    }

    #[test]
    fn each_kind_has_a_budget_of_its_own() {
        let place = Place::new(Identity::default());
        while place.of(Kind::TranscriptionJob).budget.start() {}
        for kind in &Kind::ALL[1..] {
            assert!(place.of(*kind).budget.start(), "{kind}");
        }
    }
}
