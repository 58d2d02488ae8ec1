//! Permits: a call to AWS must hold one.

use std::sync::Arc;

use crate::{
    accounts::{account::AwsAccount, limits::ClassSlot},
    api::Kind,
};

/// The permit to send one Start: a token of the account's rate limit and a slot of the class. If it is dropped without
/// [`StartPermit::consume`], the slot is free again. The token is lost, and the rate limiter adds another one in time.
#[derive(Debug)]
pub struct StartPermit {
    slot: ClassSlot,
}

impl StartPermit {
    /// Takes a token of the account's rate limit, unless the caller `has_token` already, and joins it with a slot of the class.
    /// `None`: there is no token now.
    pub fn acquire(account: &Arc<AwsAccount>, kind: Kind, slot: ClassSlot, has_token: bool) -> Option<Self> {
        let granted = has_token || account.of(kind).rates.try_start();
        granted.then_some(Self { slot })
    }

    /// Uses up the permit, because the Start is about to be sent.
    pub fn consume(self) {
        self.slot.use_up();
    }
}
