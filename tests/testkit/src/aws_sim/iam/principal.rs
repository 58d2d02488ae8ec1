//! Who asks.

use std::collections::BTreeMap;

use super::policy::Policy;

/// A user, a role's session, a service of AWS, or somebody of an identity provider.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) account: String,
    /// As errors and GetCallerIdentity print it; of a service, its name; of somebody of a provider, the provider's.
    pub(crate) arn: String,
    /// What the identity policies are attached to, which `aws:PrincipalArn` says too: the user, or the session's role.
    pub(crate) entity: String,
    /// What AWS calls `aws:userid`.
    pub(crate) unique_id: String,
    /// Those of the user or role, and over them those of the session.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) kind: Kind,
}

/// What sort of principal it is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Whom no test has put there: may do everything, as far as identity policies go.
    Unknown,
    /// A user with policies.
    User,
    /// A session of a role.
    Session(Box<Session>),
    /// A service that acts for itself.
    Service,
    /// Somebody whom an identity provider vouches for; who that is, the facts of the request say.
    Federated,
}

/// What a session has beyond its role.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    /// Empty if none was given.
    pub(crate) external_id: String,
    /// The keys of those tags that go on to sessions which this one begets.
    pub(crate) transitive: Vec<String>,
    /// The tags that the session was given or has inherited; the role's own are not among them.
    pub(crate) tags: BTreeMap<String, String>,
    /// Limits what the role may do.
    pub(crate) policy: Option<Policy>,
    /// Order of issue, from 1.
    pub(crate) number: u64,
}

impl Principal {
    /// A user whom no test has put there.
    pub(crate) fn unknown_user(account: &str, access_key: &str) -> Self {
        Self {
            unique_id: access_key.to_owned(),
            ..Self::unknown(account, &format!("arn:aws:iam::{account}:user/{access_key}"))
        }
    }

    /// A user or role whom no test has put there.
    pub(crate) fn unknown(account: &str, arn: &str) -> Self {
        Self {
            account: account.to_owned(),
            arn: arn.to_owned(),
            entity: arn.to_owned(),
            unique_id: arn.to_owned(),
            tags: BTreeMap::new(),
            kind: Kind::Unknown,
        }
    }

    /// A service, for example `transcribe.amazonaws.com`.
    pub(crate) fn service(name: &str) -> Self {
        Self {
            kind: Kind::Service,
            ..Self::unknown("", name)
        }
    }

    /// Somebody whom the OIDC provider with that ARN vouches for.
    pub(crate) fn federated(provider: &str) -> Self {
        Self {
            kind: Kind::Federated,
            ..Self::unknown(account_of(provider), provider)
        }
    }

    /// Whether it has no identity in an account: only a policy that names it speaks for it.
    pub(crate) fn is_outsider(&self) -> bool {
        matches!(self.kind, Kind::Service | Kind::Federated)
    }

    /// Whether no test has put them there.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown)
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.kind {
            Kind::Session(session) => Some(session),
            Kind::Unknown | Kind::User | Kind::Service | Kind::Federated => None,
        }
    }
}

/// The account of an ARN; empty if it has none.
pub(crate) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}
