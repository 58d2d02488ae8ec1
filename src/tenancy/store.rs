//! The current classes and namespaces, and the AWS sessions that belong to them.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, core::PartialObjectMeta};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::debug;

use crate::{
    accounts::session::{Accounts, Session, SessionKey, Tenant},
    api::{status::ClassRef, transcription_class::TranscriptionClass},
    domain::{
        AccountRegion, Class, JobView, Rejection,
        class::selection::{Labels, select, works_at},
        job::view::later,
    },
    runtime::clock::now,
};

/// For a job younger than this, its namespace or class may be so new that the watches have not delivered it yet.
const WATCH_LAG: Duration = Duration::from_mins(1);
/// How long a start of the operator waits for the first answers of AWS.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What the operator needs to know of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamespaceInfo {
    pub(super) uid: String,
    pub(super) labels: Labels,
}

/// The classes and namespaces of the cluster, kept current by [`crate::tenancy::watch`].
pub struct ClassStore {
    client: Client,
    accounts: Accounts,
    cluster_id: String,
    pub(super) classes: watch::Sender<Arc<[Arc<TranscriptionClass>]>>,
    pub(super) namespaces: Mutex<HashMap<String, NamespaceInfo>>,
    pub(super) listed: watch::Sender<Listed>,
}

/// Whether the first list of each watch is complete.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) classes: bool,
    pub(super) namespaces: bool,
}

impl fmt::Debug for ClassStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassStore").finish_non_exhaustive()
    }
}

impl ClassStore {
    /// An empty store.
    pub fn new(client: Client, accounts: Accounts, cluster_id: &str) -> Self {
        Self {
            client,
            accounts,
            cluster_id: cluster_id.to_owned(),
            classes: watch::Sender::new(Arc::default()),
            namespaces: Mutex::default(),
            listed: watch::Sender::default(),
        }
    }

    /// The AWS sessions and accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Notifies of every change of a class.
    pub fn changes(&self) -> watch::Receiver<Arc<[Arc<TranscriptionClass>]>> {
        self.classes.subscribe()
    }

    /// Waits until all classes and namespaces are listed, and then for at most 5 s until AWS has confirmed the
    /// credentials of the classes, because before that no job can be submitted or read.
    pub async fn settled(&self) {
        let mut listed = self.listed.subscribe();
        // It cannot fail, because the sender lives in `self`.
        listed.wait_for(|listed| listed.classes && listed.namespaces).await.ok();
        drop(listed);
        let classes = self.all();
        let verified = classes
            .iter()
            .map(async |class| self.session(class).await.verify().await.is_ok());
        tokio::time::timeout(VERIFY_TIMEOUT, futures::future::join_all(verified))
            .await
            .ok();
    }

    /// All classes that parse.
    pub fn all(&self) -> Arc<[Arc<TranscriptionClass>]> {
        self.classes.borrow().clone()
    }

    /// A class by its name.
    pub fn get(&self, name: &str) -> Option<Arc<TranscriptionClass>> {
        self.all()
            .iter()
            .find(|class| class.metadata.name.as_deref() == Some(name))
            .cloned()
    }

    /// The session of a class itself, without a tenant: for lists, and to check the identity of the class.
    pub async fn session(&self, class: &TranscriptionClass) -> Session {
        self.accounts
            .session(&SessionKey::of(class, None, &self.cluster_id))
            .await
    }

    /// The account and Region of a class. The account is that of its role's ARN, or else the operator's own, once AWS
    /// has confirmed it.
    pub async fn place(&self, class: &TranscriptionClass) -> Option<AccountRegion> {
        let region = class.spec.region.to_string();
        match &class.spec.identity {
            Some(identity) => identity.role_arn.account().map(|account| AccountRegion {
                account: account.to_owned(),
                region,
            }),
            None => self.accounts.session(&SessionKey::operator(&region)).await.known(),
        }
    }

    /// The accounts and Regions of all classes.
    pub async fn places(&self) -> HashSet<AccountRegion> {
        let mut places = HashSet::new();
        for class in self.all().iter() {
            places.extend(self.place(class).await);
        }
        places
    }

    /// The sessions of the classes of an account and Region.
    pub async fn sessions_at(&self, place: &AccountRegion) -> Vec<Session> {
        let mut sessions = Vec::new();
        for class in self.all().iter() {
            if self.place(class).await.as_ref() == Some(place) {
                sessions.push(self.session(class).await);
            }
        }
        sessions
    }

    /// The session that starts jobs of a class in a namespace. `None`: the class is gone or was replaced, or the
    /// namespace is not known.
    pub async fn starter(&self, class: &ClassRef, namespace: &str) -> Option<(Arc<TranscriptionClass>, Session)> {
        let stored = self
            .get(&class.name)
            .filter(|stored| stored.metadata.uid == class.uid)?;
        let session = self.session_for(&stored, namespace).await?;
        Some((stored, session))
    }

    /// The session that reads and deletes the record of an object in an account and Region: that of the class that the
    /// object is bound to, or else of any class there. The role always comes from a class, never from a status.
    pub async fn looker(&self, place: &AccountRegion, bound: Option<&str>, namespace: &str) -> Option<Session> {
        let classes = self.all();
        let mut known = Vec::new();
        for class in classes.iter() {
            known.push((class.name_any(), self.place(class).await));
        }
        let name = works_at(&known, bound, place)?;
        self.session_for(&*self.get(name)?, namespace).await
    }

    /// `Some` when no class has credentials for this account and Region, and no class whose account is not known yet
    /// can have them. The inner value is the account and Region of the class that the object is bound to, if known.
    pub async fn nobody_at(&self, place: &AccountRegion, bound: Option<&str>) -> Option<Option<AccountRegion>> {
        let mut of_bound = None;
        for class in self.all().iter() {
            match self.place(class).await {
                Some(identity) if identity == *place => return None,
                None if class.spec.region.as_str() == place.region => return None,
                identity if class.metadata.name.as_deref() == bound => of_bound = identity,
                Some(_) | None => {}
            }
        }
        Some(of_bound)
    }

    async fn session_for(&self, class: &TranscriptionClass, namespace: &str) -> Option<Session> {
        let tenant = match &class.spec.identity {
            None => None,
            Some(_) => Some(Tenant {
                namespace: namespace.to_owned(),
                uid: self.namespace(namespace, true).await?.uid,
            }),
        };
        Some(
            self.accounts
                .session(&SessionKey::of(class, tenant.as_ref(), &self.cluster_id))
                .await,
        )
    }

    /// A namespace. If the watch has not delivered it and `ask` is set, it is read from the API server.
    async fn namespace(&self, name: &str, ask: bool) -> Option<NamespaceInfo> {
        let known = self.namespaces.lock().get(name).cloned();
        if known.is_some() || !ask {
            return known;
        }
        let api = Api::<Namespace>::all(self.client.clone());
        read_unwatched(name, api.get_metadata_opt(name)).await.map(info_of)
    }

    async fn read_class(&self, name: &str) -> Option<Arc<TranscriptionClass>> {
        let api = Api::<TranscriptionClass>::all(self.client.clone());
        read_unwatched(name, api.get_opt(name)).await.map(Arc::new)
    }

    /// The class that applies to a job.
    ///
    /// # Errors
    /// There is none, or the namespace may not use it. The rejection is what the tenant reads.
    pub async fn class_of(&self, job: &JobView) -> Result<Class, Rejection> {
        let is_new = job.created == jiff::Timestamp::UNIX_EPOCH || now() < later(job.created, WATCH_LAG);
        let known = self.namespace(&job.namespace, is_new).await;
        let mut classes = self.all().to_vec();
        // A job that was submitted keeps its class, because the default class may be another one by now.
        let pinned = || {
            job.submission()
                .and(job.status.class.as_ref())
                .map(|class| class.name.as_str())
        };
        let wanted = job.class_name.as_deref().or_else(pinned);
        if let Some(name) = wanted
            && is_new
            && self.get(name).is_none()
        {
            classes.extend(self.read_class(name).await);
        }
        let class = select(&classes, wanted, known.as_ref().map(|known| &known.labels))?;
        let account = self.session(class).await.known().map(|identity| identity.account);
        Ok(Class::new(class, account))
    }
}

/// Reads an object that the watches have not delivered yet. Waits at most [`READ_TIMEOUT`] for the API server.
async fn read_unwatched<T>(name: &str, answer: impl Future<Output = kube::Result<Option<T>>>) -> Option<T> {
    match tokio::time::timeout(READ_TIMEOUT, answer).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            debug!(name, %error, "an object that the watches have not delivered yet could not be read");
            None
        }
        Err(_) => None,
    }
}

pub(super) fn info_of(meta: PartialObjectMeta<Namespace>) -> NamespaceInfo {
    NamespaceInfo {
        uid: meta.uid().unwrap_or_default(),
        labels: meta.metadata.labels.unwrap_or_default(),
    }
}
