//! The users, roles and sessions that there are.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::policy::{Policy, Sort};
use super::principal::{Kind, Principal, Session, account_of};
use crate::aws_sim::error::AwsError;

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// For example `arn:aws:iam::111122223333:role/transcribe-finance`; it may have a path. Its account is the role's.
    pub arn: String,
    /// The trust policy: who may assume it.
    pub trust: Value,
    /// The inline policies: what it may do.
    pub policies: Vec<Value>,
    /// The longest session, in seconds.
    pub max_session_seconds: u32,
    /// Its tags, which sessions have too.
    pub tags: BTreeMap<String, String>,
}

/// A user with access keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// For example `arn:aws:iam::111122223333:user/operator`. Its account is the user's.
    pub arn: String,
    /// The access key ids. They win over [`crate::aws_sim::Config::accounts`].
    pub access_keys: Vec<String>,
    /// The inline policies: what the user may do.
    pub policies: Vec<Value>,
    /// The user's tags.
    pub tags: BTreeMap<String, String>,
}

/// Temporary credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionCredentials {
    /// `ASIA` and 16 letters.
    pub access_key_id: String,
    /// The secret, which nothing checks.
    pub secret_access_key: String,
    /// Must come with every request.
    pub session_token: String,
    /// By the simulator's clock.
    pub expiration: Timestamp,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            arn: String::new(),
            trust: json!({"Version": "2012-10-17", "Statement": []}),
            policies: Vec::new(),
            max_session_seconds: 3600,
            tags: BTreeMap::new(),
        }
    }
}

impl Role {
    /// A role with a trust policy and one inline policy.
    pub fn new(arn: &str, trust: Value, policy: Value) -> Self {
        Self {
            arn: arn.to_owned(),
            trust,
            policies: vec![policy],
            ..Self::default()
        }
    }
}

impl User {
    /// A user with one access key and one inline policy.
    pub fn new(arn: &str, access_key: &str, policy: Value) -> Self {
        Self {
            arn: arn.to_owned(),
            access_keys: vec![access_key.to_owned()],
            policies: vec![policy],
            ..Self::default()
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    roles: BTreeMap<String, RoleEntry>,
    users: BTreeMap<String, UserEntry>,
    /// By access key id.
    sessions: BTreeMap<String, Issued>,
    /// Access keys of users who are gone, or who had them once.
    retired: BTreeSet<String>,
    /// How many sessions and ids were made.
    made: u64,
}

#[derive(Debug)]
struct RoleEntry {
    role: Role,
    /// Of a role made anew after its deletion it is another one.
    id: String,
    trust: Policy,
    policies: Vec<Policy>,
    /// The sessions up to this number may do nothing any more.
    revoked: u64,
}

#[derive(Debug)]
struct UserEntry {
    user: User,
    id: String,
    policies: Vec<Policy>,
}

#[derive(Debug)]
struct Issued {
    principal: Principal,
    role_id: String,
    token: String,
    expires: Timestamp,
}

/// What a session is to have.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewSession {
    pub(crate) name: String,
    pub(crate) external_id: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) transitive: Vec<String>,
    pub(crate) policy: Option<Policy>,
}

impl Directory {
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values().map(|entry| &entry.role)
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|entry| &entry.user)
    }

    pub(crate) fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.get(arn).map(|entry| &entry.role)
    }

    pub(super) fn trust(&self, arn: &str) -> Option<&Policy> {
        self.roles.get(arn).map(|entry| &entry.trust)
    }

    /// Add a role, or change the one with its ARN; its sessions go on.
    pub(crate) fn put_role(&mut self, role: Role) -> anyhow::Result<()> {
        check_arn(&role.arn, "role")?;
        let (trust, policies) = (Policy::read(Sort::Trust, &role.trust)?, read_all(&role.policies)?);
        let (id, revoked) = match self.roles.get(&role.arn) {
            Some(entry) => (entry.id.clone(), entry.revoked),
            None => (self.make_id("AROA"), 0),
        };
        let entry = RoleEntry {
            role,
            id,
            trust,
            policies,
            revoked,
        };
        self.roles.insert(entry.role.arn.clone(), entry);
        Ok(())
    }

    pub(crate) fn remove_role(&mut self, arn: &str) -> bool {
        self.roles.remove(arn).is_some()
    }

    /// Add a user, or change the one with that ARN.
    pub(crate) fn put_user(&mut self, user: User) -> anyhow::Result<()> {
        check_arn(&user.arn, "user")?;
        let policies = read_all(&user.policies)?;
        for key in &user.access_keys {
            let owner = self.owner(key).filter(|owner| owner.user.arn != user.arn);
            ensure!(owner.is_none(), "the access key {key} is another user's");
            ensure!(!key.starts_with("ASIA"), "{key} is of the form of a session's");
        }
        let id = match self.users.get(&user.arn) {
            Some(entry) => entry.id.clone(),
            None => self.make_id("AIDA"),
        };
        self.remove_user(&user.arn);
        for key in &user.access_keys {
            self.retired.remove(key);
        }
        self.users.insert(user.arn.clone(), UserEntry { user, id, policies });
        Ok(())
    }

    pub(crate) fn remove_user(&mut self, arn: &str) -> bool {
        let Some(entry) = self.users.remove(arn) else {
            return false;
        };
        self.retired.extend(entry.user.access_keys);
        true
    }

    /// Let all sessions of a role expire now; how many there are.
    pub(crate) fn expire(&mut self, role_arn: &str, now: Timestamp) -> usize {
        let of_role = |issued: &&mut Issued| issued.principal.entity == role_arn && issued.expires > now;
        let live = self.sessions.values_mut().filter(of_role);
        live.map(|issued| issued.expires = now).count()
    }

    /// Let the sessions that a role has now do nothing any more; whether there is such a role.
    pub(crate) fn revoke(&mut self, role_arn: &str) -> bool {
        let role = self.roles.get_mut(role_arn);
        role.map(|role| role.revoked = self.made).is_some()
    }

    /// Make a session of a role that there is. It inherits nothing: `new` says all.
    pub(crate) fn issue(
        &mut self,
        role_arn: &str,
        new: NewSession,
        expires: Timestamp,
    ) -> Option<(SessionCredentials, Principal)> {
        let access_key_id = self.make_id("ASIA");
        let principal = self.session_of(role_arn, new, self.made)?;
        let credentials = SessionCredentials {
            secret_access_key: digest(&format!("secret/{access_key_id}"))[..40].to_owned(),
            session_token: format!("FwoG{}", digest(&format!("token/{access_key_id}"))),
            expiration: expires,
            access_key_id,
        };
        let issued = Issued {
            principal: principal.clone(),
            role_id: self.roles.get(role_arn)?.id.clone(),
            token: credentials.session_token.clone(),
            expires,
        };
        self.sessions.insert(credentials.access_key_id.clone(), issued);
        Some((credentials, principal))
    }

    /// Who has a session of a role that a service assumes: there are no credentials for it, and none to revoke.
    pub(crate) fn service_session(&self, role_arn: &str, name: &str) -> Option<Principal> {
        let new = NewSession {
            name: name.to_owned(),
            ..NewSession::default()
        };
        self.session_of(role_arn, new, u64::MAX)
    }

    fn session_of(&self, role_arn: &str, new: NewSession, number: u64) -> Option<Principal> {
        let entry = self.roles.get(role_arn)?;
        let account = account_of(role_arn);
        let partition = role_arn.split(':').nth(1)?;
        let role_name = role_arn.rsplit('/').next()?;
        let name = &new.name;
        let mut tags = entry.role.tags.clone();
        tags.extend(new.tags.clone());
        Some(Principal {
            account: account.to_owned(),
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{name}"),
            entity: role_arn.to_owned(),
            unique_id: format!("{}:{name}", entry.id),
            tags,
            kind: Kind::Session(Box::new(Session {
                name: new.name,
                external_id: new.external_id,
                transitive: new.transitive,
                tags: new.tags,
                policy: new.policy,
                number,
            })),
        })
    }

    /// Who has an access key and sends a token with it; none if the key is not known here.
    pub(crate) fn identify(
        &self,
        access_key: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Principal>, AwsError> {
        if let Some(issued) = self.sessions.get(access_key) {
            let role = self.roles.get(&issued.principal.entity);
            // That credentials of a deleted role are invalid is documented; that AWS says so with these words is inferred.
            if token != Some(&issued.token) || role.is_none_or(|role| role.id != issued.role_id) {
                return Err(AwsError::invalid_token());
            }
            if issued.expires <= now {
                return Err(AwsError::expired_token());
            }
            return Ok(Some(issued.principal.clone()));
        }
        if access_key.starts_with("ASIA") || self.retired.contains(access_key) {
            return Err(AwsError::invalid_token());
        }
        let Some(UserEntry { user, id, .. }) = self.owner(access_key) else {
            return Ok(None);
        };
        if token.is_some() {
            return Err(AwsError::invalid_token());
        }
        Ok(Some(Principal {
            tags: user.tags.clone(),
            unique_id: id.clone(),
            kind: Kind::User,
            ..Principal::unknown(account_of(&user.arn), &user.arn)
        }))
    }

    /// None if the user or role is gone, or never was.
    pub(crate) fn identity_policies(&self, principal: &Principal) -> Option<&[Policy]> {
        match &principal.kind {
            Kind::User => self.users.get(&principal.entity).map(|entry| &*entry.policies),
            Kind::Session(_) => self.roles.get(&principal.entity).map(|entry| &*entry.policies),
            Kind::Unknown | Kind::Service | Kind::Federated => None,
        }
    }

    /// Whether a session is of the revoked ones of its role.
    pub(crate) fn is_revoked(&self, principal: &Principal) -> bool {
        let role = self.roles.get(&principal.entity);
        let session = principal.session();
        role.zip(session)
            .is_some_and(|(role, session)| session.number <= role.revoked)
    }

    fn owner(&self, access_key: &str) -> Option<&UserEntry> {
        let has = |entry: &&UserEntry| entry.user.access_keys.iter().any(|key| key == access_key);
        self.users.values().find(has)
    }

    /// 20 capital letters and digits, never the same twice.
    fn make_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}", &digest(&format!("{prefix}/{}", self.made))[..16]).to_uppercase()
    }
}

fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

fn read_all(policies: &[Value]) -> anyhow::Result<Vec<Policy>> {
    policies
        .iter()
        .map(|policy| Policy::read(Sort::Identity, policy))
        .collect()
}

/// The ARN of a role or a user, with a path or without.
fn check_arn(arn: &str, kind: &str) -> anyhow::Result<()> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, resource] = parts[..] else {
        anyhow::bail!("not an ARN: {arn}");
    };
    let named = resource.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&byte);
    let good = (scheme, service, region) == ("arn", "iam", "")
        && partition.starts_with("aws")
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && named.is_some_and(|name| !name.is_empty() && !name.ends_with('/') && name.bytes().all(letter));
    ensure!(good, "not the ARN of a {kind}: {arn}");
    Ok(())
}
