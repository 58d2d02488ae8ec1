//! The classes and the namespaces as they are, and the sessions that work for them.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, core::PartialObjectMeta};
use tokio::sync::watch;
use tracing::debug;

use super::Classes;
use crate::{
    api::{status::ClassRef, transcription_class::TranscriptionClass},
    engine::{
        Engine,
        session::{Caller, Session, Tenant},
    },
    lifecycle::{
        Class, Identity, Refusal, Subject,
        class::{Labels, select, works_at},
        subject::later,
    },
    runtime::clock::now,
};

/// An object that is younger may be of a namespace, or name a class, that the watches have not told of yet.
const YOUNG: Duration = Duration::from_mins(1);
/// How long a first answer of AWS is waited for.
const SETTLES: Duration = Duration::from_secs(5);
const ANSWER_TAKES: Duration = Duration::from_secs(2);

/// What is to be known of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) uid: String,
    pub(super) labels: Labels,
}

/// The classes and namespaces of the cluster, kept current by [`super::watch`].
pub struct ClassStore {
    client: Client,
    engine: Engine,
    cluster_id: String,
    pub(super) classes: watch::Sender<Arc<[Arc<TranscriptionClass>]>>,
    pub(super) namespaces: Mutex<HashMap<String, Known>>,
    pub(super) listed: watch::Sender<Listed>,
}

/// Which lists are complete.
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
    /// A store that knows nothing yet.
    pub fn new(client: Client, engine: Engine, cluster_id: &str) -> Self {
        Self {
            client,
            engine,
            cluster_id: cluster_id.to_owned(),
            classes: watch::Sender::new(Arc::default()),
            namespaces: Mutex::default(),
            listed: watch::Sender::default(),
        }
    }

    /// The sessions.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Tells of every change of a class.
    pub fn changes(&self) -> watch::Receiver<Arc<[Arc<TranscriptionClass>]>> {
        self.classes.subscribe()
    }

    /// Waits until all classes and namespaces are known, and for a short while until AWS has said whose credentials the classes
    /// have: until then nothing can be submitted or looked at.
    pub async fn settled(&self) {
        let mut listed = self.listed.subscribe();
        // The sender lives in `self`.
        listed.wait_for(|listed| listed.classes && listed.namespaces).await.ok();
        drop(listed);
        let classes = self.all();
        let verified = classes
            .iter()
            .map(async |class| self.session(class).await.verify().await.is_ok());
        tokio::time::timeout(SETTLES, futures::future::join_all(verified))
            .await
            .ok();
    }

    /// All classes that can be read.
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

    /// The session of a class itself: for sweeps, and to see whether its identity is in order.
    pub async fn session(&self, class: &TranscriptionClass) -> Session {
        self.engine.session(&Caller::of(class, None, &self.cluster_id)).await
    }

    /// The account and Region of a class: the account is in its role's ARN, or what AWS said of the operator itself.
    pub async fn place(&self, class: &TranscriptionClass) -> Option<Identity> {
        let region = class.spec.region.to_string();
        match &class.spec.identity {
            Some(identity) => identity.role_arn.account().map(|account| Identity {
                account: account.to_owned(),
                region,
            }),
            None => self.engine.session(&Caller::operator(&region)).await.identity(),
        }
    }

    /// Where there are classes.
    pub async fn places(&self) -> HashSet<Identity> {
        let mut places = HashSet::new();
        for class in self.all().iter() {
            places.extend(self.place(class).await);
        }
        places
    }

    /// The sessions of the classes of a place.
    pub async fn sessions_at(&self, place: &Identity) -> Vec<Session> {
        let mut sessions = Vec::new();
        for class in self.all().iter() {
            if self.place(class).await.as_ref() == Some(place) {
                sessions.push(self.session(class).await);
            }
        }
        sessions
    }

    /// The session that starts jobs of a class in a namespace. `None`: the class is another one now.
    pub async fn starter(&self, class: &ClassRef, namespace: &str) -> Option<(Arc<TranscriptionClass>, Session)> {
        let stored = self
            .get(&class.name)
            .filter(|stored| stored.metadata.uid == class.uid)?;
        let session = self.session_for(&stored, namespace).await?;
        Some((stored, session))
    }

    /// The session that looks after what an object of a namespace has in a place: of the class that it is bound to, or else of
    /// any class there. Which role that is stands in a class, never in a status.
    pub async fn looker(&self, place: &Identity, bound: Option<&str>, namespace: &str) -> Option<Session> {
        let classes = self.all();
        let mut known = Vec::new();
        for class in classes.iter() {
            known.push((class.name_any(), self.place(class).await));
        }
        let name = works_at(&known, bound, place)?;
        self.session_for(&*self.get(name)?, namespace).await
    }

    /// No class has credentials for a place, and none can turn out to have them. Returns whose credentials the class has that an
    /// object is bound to.
    pub async fn nobody_at(&self, place: &Identity, bound: Option<&str>) -> Option<Option<Identity>> {
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
            self.engine
                .session(&Caller::of(class, tenant.as_ref(), &self.cluster_id))
                .await,
        )
    }

    /// A namespace; one that is not known is asked for once.
    async fn namespace(&self, name: &str, ask: bool) -> Option<Known> {
        let known = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        if known.is_some() || !ask {
            return known;
        }
        let api = Api::<Namespace>::all(self.client.clone());
        asked(name, api.get_metadata_opt(name)).await.map(known_of)
    }

    async fn ask_for(&self, name: &str) -> Option<Arc<TranscriptionClass>> {
        let api = Api::<TranscriptionClass>::all(self.client.clone());
        asked(name, api.get_opt(name)).await.map(Arc::new)
    }

    async fn find(&self, job: &Subject) -> Result<Class, Refusal> {
        let young = job.created == jiff::Timestamp::UNIX_EPOCH || now() < later(job.created, YOUNG);
        let known = self.namespace(&job.namespace, young).await;
        let mut classes = self.all().to_vec();
        // The default class may be another one by now; what was begun goes on in the class that it was begun in.
        let pinned = || {
            job.submission()
                .and(job.status.class.as_ref())
                .map(|class| class.name.as_str())
        };
        let wanted = job.class_name.as_deref().or_else(pinned);
        if let Some(name) = wanted
            && young
            && self.get(name).is_none()
        {
            classes.extend(self.ask_for(name).await);
        }
        let class = select(&classes, wanted, known.as_ref().map(|known| &known.labels))?;
        let account = self.session(class).await.identity().map(|identity| identity.account);
        Ok(Class::new(class, account))
    }
}

/// What the API server says of an object that the watches have not told of; it is not waited for long.
async fn asked<T>(name: &str, answer: impl Future<Output = kube::Result<Option<T>>>) -> Option<T> {
    match tokio::time::timeout(ANSWER_TAKES, answer).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            debug!(name, %error, "what the watches have not told of could not be read");
            None
        }
        Err(_) => None,
    }
}

pub(super) fn known_of(meta: PartialObjectMeta<Namespace>) -> Known {
    Known {
        uid: meta.uid().unwrap_or_default(),
        labels: meta.metadata.labels.unwrap_or_default(),
    }
}

impl Classes for ClassStore {
    fn class_of<'a>(&'a self, job: &'a Subject) -> BoxFuture<'a, Result<Class, Refusal>> {
        self.find(job).boxed()
    }
}
