//! Exponential backoff for each object, because kube's error policy does not know how many attempts have failed.

use std::{collections::HashMap, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use parking_lot::Mutex;

/// The longest delay after an error.
const MAX_DELAY: Duration = Duration::from_mins(1);

/// The backoff of each object whose last reconcile failed, by uid.
#[derive(Debug, Default)]
pub struct Backoffs(Mutex<HashMap<String, Failing>>);

#[derive(Debug)]
struct Failing {
    delays: ExponentialBackoff,
    in_a_row: u32,
}

impl Default for Failing {
    fn default() -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(MAX_DELAY)
            .with_jitter()
            .without_max_times();
        Self {
            delays: builder.build(),
            in_a_row: 0,
        }
    }
}

impl Backoffs {
    /// Notes a failed reconcile. Returns how many have failed in a row.
    pub(super) fn failed(&self, uid: &str) -> u32 {
        let mut failing = self.0.lock();
        let failing = failing.entry(uid.to_owned()).or_default();
        failing.in_a_row = failing.in_a_row.saturating_add(1);
        failing.in_a_row
    }

    /// The next delay for an object.
    pub(super) fn next(&self, uid: &str) -> Duration {
        let mut failing = self.0.lock();
        let failing = failing.entry(uid.to_owned()).or_default();
        failing.delays.next().unwrap_or(MAX_DELAY)
    }

    /// Resets the backoff after a successful reconcile.
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}
