//! One wish: who wants to do what with which resource, and what else is known of the request.

use super::facts::Facts;
use super::principal::{Kind, Principal};

/// A wish, in the terms of policies.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) principal: &'a Principal,
    /// For example `kms:GenerateDataKey`.
    pub(crate) action: String,
    /// An ARN, or `*` for an action that is on no resource.
    pub(crate) resource: String,
    pub(crate) facts: Facts,
}

impl<'a> Wish<'a> {
    /// A wish with the facts that every one has. `via` is the host name of the service that acts for the principal, if
    /// one does.
    pub(crate) fn new(
        principal: &'a Principal,
        action: String,
        resource: impl Into<String>,
        region: &str,
        via: Option<&str>,
    ) -> Self {
        let mut facts = Facts::default();
        facts.add("aws:RequestedRegion", region);
        facts.add("aws:ViaAWSService", via.is_some().to_string());
        if !principal.is_outsider() {
            facts.add("aws:PrincipalAccount", &principal.account);
            facts.add("aws:PrincipalArn", &principal.entity);
            facts.add("aws:userid", &principal.unique_id);
            facts.add_tags("aws:PrincipalTag/", &principal.tags);
        }
        if matches!(principal.kind, Kind::User) {
            facts.add("aws:username", principal.arn.rsplit('/').next().unwrap_or_default());
        }
        Self {
            principal,
            action,
            resource: resource.into(),
            facts,
        }
    }

    /// The same with one fact more.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.facts.add(key, value);
        self
    }
}
