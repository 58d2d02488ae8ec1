//! Who asked what, and what came of it: what CloudTrail would show.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::auth::Caller;
use super::iam::Principal;

/// One call of any service, whatever came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrailEvent {
    /// When it was answered, by the simulator's clock.
    pub time: Timestamp,
    /// `transcribe`, `kms` or `sts`.
    pub service: &'static str,
    /// The operation, for example `AssumeRole`.
    pub operation: String,
    /// The Region of the credential scope; empty if the caller could not be told, as are the other members on the caller.
    pub region: String,
    /// The caller's account.
    pub account: String,
    /// The caller's access key id.
    pub access_key: String,
    /// The caller's ARN: a user's, or that of a role's session.
    pub principal: String,
    /// The session's name.
    pub session_name: String,
    /// The tags that the session was given.
    pub session_tags: BTreeMap<String, String>,
    /// The ExternalId that the role was assumed with.
    pub external_id: String,
    /// The request as JSON, a form of the Query protocol too.
    pub request: Value,
    /// `ok`, an error code, or `fault`, as in [`super::AwsSim::calls`].
    pub outcome: String,
}

/// What a session has beyond its ARN: its name, its tags and its ExternalId.
pub(super) fn session(principal: &Principal) -> (String, BTreeMap<String, String>, String) {
    let session = principal.session();
    session
        .map(|session| (session.name.clone(), session.tags.clone(), session.external_id.clone()))
        .unwrap_or_default()
}

impl TrailEvent {
    /// A call whose request may be anything.
    pub(super) fn of(
        time: Timestamp,
        service: &'static str,
        operation: &str,
        caller: Option<&Caller>,
        request: Value,
        outcome: &str,
    ) -> Self {
        let told = |of: fn(&Caller) -> &str| caller.map(of).unwrap_or_default().to_owned();
        let (session_name, session_tags, external_id) =
            caller.map(|caller| session(&caller.principal)).unwrap_or_default();
        Self {
            time,
            service,
            operation: operation.to_owned(),
            region: told(|caller| &caller.region),
            account: told(|caller| &caller.account),
            access_key: told(|caller| &caller.access_key),
            principal: told(|caller| &caller.principal.arn),
            session_name,
            session_tags,
            external_id,
            request,
            outcome: outcome.to_owned(),
        }
    }
}

/// The latest calls: at most [`Trail::KEPT`].
#[derive(Debug, Default)]
pub(super) struct Trail(VecDeque<TrailEvent>);

impl Trail {
    const KEPT: usize = 10_000;

    pub(super) fn add(&mut self, event: TrailEvent) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    pub(super) fn list(&self) -> Vec<TrailEvent> {
        self.0.iter().cloned().collect()
    }
}
