//! Which policies count for a wish, and what they say together.
//!
//! A denial wins over everything. Within one account a resource's policy that names who asks is enough; one that names
//! the account leaves it to the identity policies. Across accounts both sides must allow. A session is limited by its
//! session policy in any case; that AWS lifts this where a resource's policy names the session's ARN is not simulated.

use super::directory::Directory;
use super::policy::{Grant, Policy};
use super::principal::{Kind, account_of};
use super::wish::Wish;

/// The side of the resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder<'p> {
    /// The account that owns it.
    pub(crate) account: &'p str,
    pub(crate) policy: Option<&'p Policy>,
    /// Whether that account's identity policies are enough where the resource's policy is silent: so with buckets, not
    /// so with keys and with the trust of roles.
    pub(crate) open: bool,
}

/// Why a wish is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) layer: Layer,
    /// A statement denies it; otherwise none allows it.
    pub(crate) denied: bool,
}

/// Whose policies refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Identity,
    Session,
    Resource,
}

impl Refusal {
    /// As AWS prints it.
    pub(crate) fn text(self, wish: &Wish<'_>) -> String {
        let (action, arn) = (&wish.action, &wish.principal.arn);
        let on = match wish.resource.as_str() {
            "*" => String::new(),
            resource => format!(" on resource: {resource}"),
        };
        let (article, layer) = match self.layer {
            Layer::Identity => ("an", "identity-based"),
            Layer::Session => ("a", "session"),
            Layer::Resource => ("a", "resource-based"),
        };
        let why = if self.denied {
            format!("with an explicit deny in {article} {layer} policy")
        } else {
            format!("because no {layer} policy allows the {action} action")
        };
        format!("User: {arn} is not authorized to perform: {action}{on} {why}")
    }
}

impl Directory {
    /// The side of a role that is to be assumed: its trust.
    pub(crate) fn trust_of<'p>(&'p self, role_arn: &'p str) -> Holder<'p> {
        Holder {
            account: account_of(role_arn),
            policy: self.trust(role_arn),
            open: false,
        }
    }

    /// Judge a wish. An action that is on no resource, or on one that has no policy of its own, is asked of `holder` none.
    pub(crate) fn judge(&self, wish: &Wish<'_>, holder: Option<Holder<'_>>) -> Result<(), Refusal> {
        let refuse = |layer, denied| Err(Refusal { layer, denied });
        let principal = wish.principal;
        let identity = self.identity_policies(principal);
        let session = principal.session().and_then(|session| session.policy.as_ref());
        let resource = holder.and_then(|holder| holder.policy);
        if self.is_revoked(principal) || identity.unwrap_or_default().iter().any(|policy| policy.denies(wish)) {
            return refuse(Layer::Identity, true);
        }
        if session.is_some_and(|policy| policy.denies(wish)) {
            return refuse(Layer::Session, true);
        }
        if resource.is_some_and(|policy| policy.denies(wish)) {
            return refuse(Layer::Resource, true);
        }

        let granted = resource.and_then(|policy| policy.allows(wish));
        let may = match (&principal.kind, identity) {
            (Kind::Service | Kind::Federated, _) => granted.is_some(),
            (Kind::Unknown, _) => true,
            (Kind::User | Kind::Session(_), Some(policies)) => {
                policies.iter().any(|policy| policy.allows(wish).is_some())
            }
            // The user or the role is gone: nothing speaks for who asks any more.
            (Kind::User | Kind::Session(_), None) => return refuse(Layer::Identity, false),
        };
        let own = holder.is_none_or(|holder| holder.account == principal.account || principal.is_outsider());
        let silence_suffices = own && holder.is_none_or(|holder| holder.open);
        if granted.is_none() && !silence_suffices {
            return refuse(Layer::Resource, false);
        }
        let named = own && granted == Some(Grant::Direct);
        if !may && !named {
            return refuse(Layer::Identity, false);
        }
        if session.is_some_and(|policy| policy.allows(wish).is_none()) {
            return refuse(Layer::Session, false);
        }
        Ok(())
    }
}
