//! One account and Region: what all who work there share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::budget::Budget;
use crate::lifecycle::{Identity, Sweep};

/// One account and Region: its request rates, and what was last seen there.
#[derive(Debug)]
pub struct Place {
    /// Which one.
    pub identity: Identity,
    /// The request rates.
    pub budget: Budget,
    /// What the last complete sweep saw.
    pub sweep: watch::Sender<Option<Arc<Sweep>>>,
    /// What the sweeper last found.
    pub records: watch::Sender<Option<Records>>,
    /// Asks the sweeper not to wait for its time.
    pub sweep_soon: Notify,
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
        let place = places.entry(identity.clone()).or_insert_with(|| {
            Arc::new(Place {
                identity: identity.clone(),
                budget: Budget::default(),
                sweep: watch::Sender::new(None),
                records: watch::Sender::new(None),
                sweep_soon: Notify::new(),
            })
        });
        place.clone()
    }
}
