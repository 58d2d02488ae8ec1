//! The account's budget: when calls are made, never whether or what. Losing all of its memory costs time only.

pub mod budget;
pub mod follow;
pub mod identity;
pub mod keys;
pub mod orphans;

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    aws::Connection,
    lifecycle::{Identity, Sweep},
};

use budget::Budget;
use keys::Keys;

/// One account and Region: its connection, its request rates, and what its last sweep saw.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The connection.
    pub connection: Connection,
    /// The request rates.
    pub budget: Arc<Budget>,
    /// What AWS KMS said of keys.
    pub keys: Arc<Keys>,
    /// What the last complete sweep saw.
    pub sweep: watch::Sender<Option<Arc<Sweep>>>,
    /// Whose credentials the connection has, once AWS said so.
    pub identity: watch::Sender<Option<Identity>>,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            budget: Arc::new(Budget::default()),
            keys: Arc::new(Keys::default()),
            sweep: watch::Sender::new(None),
            identity: watch::Sender::new(None),
        }
    }
}
