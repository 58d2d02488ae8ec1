//! Sessions: one for each role, class and namespace, so that CloudTrail and policies can tell tenants apart. Whose credentials
//! a session has is asked before anything else is, and again from time to time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Engine,
    keys::Keys,
    memory::{Memory, memory, remembered},
    place::{Place, Places},
};
use crate::{
    api::{TAG_CLUSTER, TAG_NAMESPACE, transcription_class::TranscriptionClass},
    aws::{Connection, Role},
    lifecycle::{
        Fault, FaultKind, Identity,
        fault::{ASK, NO_CREDENTIALS},
    },
};

const AGAIN: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(3);
/// Sessions that nobody used for so long are forgotten.
pub(super) const IDLE: Duration = Duration::from_mins(30);
/// What stands for a namespace in the session of a class itself.
const NO_NAMESPACE: &str = "-";

/// The session tag with the namespace's uid.
const TAG_NAMESPACE_UID: &str = "transcribe-operator.io/namespace-uid";
/// The session tag with the class's name.
const TAG_CLASS: &str = "transcribe-operator.io/class";

/// Whose job it is that a session works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
}

/// A session is the same for all who call by the same role, in the same name, in the same Region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    region: String,
    role: Option<Role>,
}

impl Caller {
    /// The one that works for a class, and for this tenant or for all of them.
    pub fn of(class: &TranscriptionClass, tenant: Option<&Tenant>, cluster_id: &str) -> Self {
        let role = class.spec.identity.as_ref().map(|identity| {
            let (namespace, uid) = tenant.map_or((NO_NAMESPACE, NO_NAMESPACE), |t| (&t.namespace, &t.uid));
            Role {
                arn: identity.role_arn.clone(),
                external_id: identity.external_id.as_ref().map(ToString::to_string),
                session_name: tenant.map_or_else(|| "transcribe-operator".to_owned(), session_name),
                tags: vec![
                    (TAG_NAMESPACE, namespace.to_owned()),
                    (TAG_NAMESPACE_UID, uid.to_owned()),
                    (TAG_CLASS, class.metadata.name.clone().unwrap_or_default()),
                    (TAG_CLUSTER, cluster_id.to_owned()),
                ],
            }
        });
        Self {
            region: class.spec.region.to_string(),
            role,
        }
    }

    /// The operator itself, in a Region.
    pub fn operator(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            role: None,
        }
    }
}

/// AWS takes 64 characters of `[\w+=,.@-]`.
fn session_name(tenant: &Tenant) -> String {
    let short: String = tenant.namespace.chars().take(55).collect();
    let uid: String = tenant.uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("{short}.{uid}")
}

/// One AWS identity in one Region, at work.
#[derive(Clone, Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// The account that its role is of.
    account: Option<String>,
    keys: Keys,
    verified: Memory<(), Result<Identity, Fault>>,
    known: Mutex<Option<Identity>>,
    places: Places,
    max_skew: Duration,
}

impl Engine {
    /// The session of a caller: another one if AWS takes the credentials of the last no more.
    pub async fn session(&self, caller: &Caller) -> Session {
        let new = Box::pin(async {
            let role = caller.role.as_ref();
            Session(Arc::new(Inner {
                connection: self.aws.connect(&caller.region, role).await,
                account: role.and_then(|role| role.arn.account().map(ToOwned::to_owned)),
                keys: Keys::default(),
                verified: memory(1),
                known: Mutex::default(),
                places: self.places.clone(),
                max_skew: self.max_skew,
            }))
        });
        self.sessions
            .entry_by_ref(caller)
            .or_insert_with_if(new, |session| session.0.connection.is_refused())
            .await
            .into_value()
    }
}

impl Session {
    /// The way to AWS.
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The Region.
    pub fn region(&self) -> &str {
        self.0.connection.region()
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Whose credentials these are, as AWS last said.
    pub fn identity(&self) -> Option<Identity> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it works, once that is verified.
    pub fn place(&self) -> Option<Arc<Place>> {
        self.identity().map(|identity| self.0.places.at(&identity))
    }

    /// Asks AWS whose credentials these are, unless it said so a short while ago. What was verified stays so while AWS cannot be
    /// asked: the credentials sign what they sign. While the clocks are too far apart AWS is asked often, so that a corrected
    /// clock is noticed.
    pub async fn verify(&self) -> Result<Identity, Fault> {
        let ask = Box::pin(async {
            let said = self.0.connection.verify_identity().await;
            let said = said.and_then(|identity| self.expected(identity));
            if let Ok(identity) = &said {
                *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity.clone());
            }
            said
        });
        let good_for = |said: &Result<Identity, Fault>| {
            let settled = said.is_ok() && self.0.connection.skew() <= self.0.max_skew;
            if settled { AGAIN } else { RETRY }
        };
        match remembered(&self.0.verified, &(), None, ask, good_for).await {
            Err(fault) if fault.kind.passes_by_itself() && fault.code != NO_CREDENTIALS => self.identity().ok_or(fault),
            said => said,
        }
    }

    fn expected(&self, identity: Identity) -> Result<Identity, Fault> {
        match &self.0.account {
            Some(account) if *account != identity.account => Err(Fault {
                detail: Some(format!(
                    "AWS says that the credentials are of account {}, but the class's role is of account {account}",
                    identity.account
                )),
                ..Fault::new(
                    FaultKind::NotSent,
                    NO_CREDENTIALS,
                    format!("AWS gave it credentials of another account than its role's; {ASK}"),
                )
            }),
            Some(_) | None => Ok(identity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_after_its_namespace() {
        let uid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        for (namespace, name) in [
            ("finance", "finance.0f8fad5b".to_owned()),
            (&"n".repeat(63), format!("{}.0f8fad5b", "n".repeat(55))),
        ] {
            let tenant = Tenant {
                namespace: namespace.to_owned(),
                uid: uid.to_owned(),
            };
            assert_eq!(session_name(&tenant), name);
            assert!(name.len() <= 64);
        }
    }
}
