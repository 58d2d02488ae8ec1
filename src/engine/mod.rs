//! Sessions, and the budgets of accounts: when calls are made, never whether or what. Losing all of its memory costs time only.

pub mod budget;
pub mod follow;
pub mod keys;
pub mod limits;
pub(crate) mod memory;
pub mod orphans;
pub mod place;
pub mod session;
pub mod tend;

use std::time::Duration;

use moka::future::Cache;

use crate::aws::Aws;

use place::Places;
use session::{Caller, IDLE, Session};

/// How many sessions are kept.
const SESSIONS: u64 = 10_000;

/// All sessions, and the places that they work in.
#[derive(Clone, Debug)]
pub struct Engine {
    aws: Aws,
    sessions: Cache<Caller, Session>,
    /// The accounts and Regions.
    pub places: Places,
    max_skew: Duration,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(aws: Aws, max_skew: Duration) -> Self {
        Self {
            aws,
            sessions: Cache::builder().max_capacity(SESSIONS).time_to_idle(IDLE).build(),
            places: Places::default(),
            max_skew,
        }
    }

    /// How far our clock and AWS's were apart when AWS last answered.
    pub fn skew(&self) -> Duration {
        self.aws.skew()
    }
}
