//! AWS sessions: one for each role, class and namespace, so that CloudTrail and policies can tell tenants apart. A session's
//! identity is verified before anything else, and again at intervals.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::future::Cache;
use parking_lot::Mutex;

use crate::{
    accounts::{
        account::{AwsAccount, AwsAccounts},
        key_cache::{Asker, KeyCache},
    },
    api::{
        TAG_CLUSTER, TAG_NAMESPACE, class_patterns::AccessCheck, transcription_class::TranscriptionClass,
        types::KmsKeyRef,
    },
    aws::{Aws, Connection, Role},
    domain::{
        AccountRegion, AwsError, AwsErrorKind, KeyVerdict,
        aws_error::{ASK, NO_CREDENTIALS},
    },
    runtime::ttl_cache::TtlCache,
};

/// How often a verified identity is verified again.
const VERIFY_INTERVAL: Duration = Duration::from_mins(5);
/// How soon verification is tried again after a failure.
const VERIFY_RETRY: Duration = Duration::from_secs(3);
/// How long an unused session is kept.
const IDLE: Duration = Duration::from_mins(30);
/// The namespace in the tags of a class's own session, which works for no tenant.
const NO_NAMESPACE: &str = "-";

/// The session tag with the namespace's uid.
const TAG_NAMESPACE_UID: &str = "transcribe-operator.io/namespace-uid";
/// The session tag with the class's name.
const TAG_CLASS: &str = "transcribe-operator.io/class";

/// The tenant that a session works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
}

/// The key of a session: calls with the same Region, role, session name and tags share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    region: String,
    role: Option<Role>,
}

impl SessionKey {
    /// Returns the key of a class's session for a tenant, or of its own session without one.
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

    /// Returns the key of the operator's own session in a Region.
    pub fn operator(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            role: None,
        }
    }
}

/// Makes a role session name. AWS accepts 64 characters of `[\w+=,.@-]`.
fn session_name(tenant: &Tenant) -> String {
    let short: String = tenant.namespace.chars().take(55).collect();
    let uid: String = tenant.uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("{short}.{uid}")
}

/// The largest number of sessions that are kept.
const CAPACITY: u64 = 10_000;

/// All sessions, and the shared state of the accounts and Regions that they work in.
#[derive(Clone, Debug)]
pub struct Accounts {
    aws: Aws,
    sessions: Cache<SessionKey, Session>,
    by_region: AwsAccounts,
    max_skew: Duration,
}

/// A session: one AWS identity in one Region.
#[derive(Clone, Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// The account of its role.
    account: Option<String>,
    keys: KeyCache,
    verified: TtlCache<(), Result<AccountRegion, AwsError>>,
    known: Mutex<Option<AccountRegion>>,
    accounts: AwsAccounts,
    max_skew: Duration,
}

impl Accounts {
    /// Starts without any session. `max_skew` is the largest allowed difference between the clocks: beyond it, identities are
    /// verified often, so that a corrected clock is noticed soon.
    pub fn new(aws: Aws, max_skew: Duration) -> Self {
        Self {
            aws,
            sessions: Cache::builder().max_capacity(CAPACITY).time_to_idle(IDLE).build(),
            by_region: AwsAccounts::default(),
            max_skew,
        }
    }

    /// Returns the difference between our clock and AWS's at AWS's last answer.
    pub fn skew(&self) -> Duration {
        self.aws.skew()
    }

    /// Returns the shared state of an account and Region.
    pub fn at(&self, at: &AccountRegion) -> Arc<AwsAccount> {
        self.by_region.at(at)
    }

    /// Returns the session of a key. It is a new one if AWS no longer accepts the credentials of the last one.
    pub async fn session(&self, key: &SessionKey) -> Session {
        let new = Box::pin(async {
            let role = key.role.as_ref();
            Session(Arc::new(Inner {
                connection: self.aws.connect(&key.region, role).await,
                account: role.and_then(|role| role.arn.account().map(ToOwned::to_owned)),
                keys: KeyCache::default(),
                verified: TtlCache::new(1),
                known: Mutex::default(),
                accounts: self.by_region.clone(),
                max_skew: self.max_skew,
            }))
        });
        self.sessions
            .entry_by_ref(key)
            .or_insert_with_if(new, |session| session.0.connection.is_refused())
            .await
            .into_value()
    }
}

impl Session {
    /// Returns the connection to AWS.
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Returns the account and Region of the credentials, as AWS last confirmed them.
    pub fn known(&self) -> Option<AccountRegion> {
        self.0.known.lock().clone()
    }

    /// Returns the shared state of the session's account and Region, once they are verified.
    pub fn account(&self) -> Option<Arc<AwsAccount>> {
        self.known().map(|at| self.0.accounts.at(&at))
    }

    /// Judges a key by what AWS KMS reports of it and, as far as `check` demands, of its use with an encryption context.
    /// Answers to requests from before `since` are not used. The caller must have checked the key's account and Region,
    /// because AWS KMS is asked about any key.
    pub async fn judge_key(
        &self,
        reference: &KmsKeyRef,
        context: &BTreeMap<String, String>,
        check: AccessCheck,
        since: Option<Instant>,
    ) -> KeyVerdict {
        let asker = Asker {
            connection: self.connection(),
            account: self.account(),
        };
        self.0.keys.judge(&asker, reference, context, check, since).await
    }

    /// Verifies the account and Region of the credentials, unless that was done a short while ago. A verified identity stays
    /// valid while AWS cannot be reached, because the identity of credentials does not change. With too much clock skew AWS is
    /// asked often, so that a corrected clock is noticed soon.
    ///
    /// # Errors
    /// AWS gave no credentials, or those of another account than the role's; or AWS cannot be reached and has not confirmed any
    /// before.
    pub async fn verify(&self) -> Result<AccountRegion, AwsError> {
        let ask = Box::pin(async {
            let answer = self.0.connection.verify_identity().await;
            let answer = answer.and_then(|at| self.expected(at));
            if let Ok(at) = &answer {
                *self.0.known.lock() = Some(at.clone());
            }
            answer
        });
        let ttl = |answer: &Result<AccountRegion, AwsError>| {
            let verified = answer.is_ok() && self.0.connection.skew() <= self.0.max_skew;
            if verified { VERIFY_INTERVAL } else { VERIFY_RETRY }
        };
        match self.0.verified.get_or_fetch(&(), None, ask, ttl).await {
            Err(error) if error.kind.passes_by_itself() && error.code != NO_CREDENTIALS => self.known().ok_or(error),
            answer => answer,
        }
    }

    fn expected(&self, at: AccountRegion) -> Result<AccountRegion, AwsError> {
        match &self.0.account {
            Some(account) if *account != at.account => Err(AwsError {
                detail: Some(format!(
                    "AWS says that the credentials are of account {}, but the class's role is of account {account}",
                    at.account
                )),
                ..AwsError::new(
                    AwsErrorKind::NotSent,
                    NO_CREDENTIALS,
                    format!("AWS gave it credentials of another account than its role's; {ASK}"),
                )
            }),
            Some(_) | None => Ok(at),
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
