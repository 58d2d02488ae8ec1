//! The watches of classes and namespaces, and the wake-up of waiting jobs after a change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        reflector::{ObjectRef, Store, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::mpsc;
use tracing::warn;

use crate::{
    api::{
        Kind,
        conditions::READY,
        transcription_class::{DEFAULT_CLASS_ANNOTATION, TranscriptionClass},
    },
    domain::JobView,
    runtime::{
        admin::Readiness,
        watch::{WATCH_SECONDS, WatchedJob},
    },
    tenancy::store::{ClassStore, info_of},
};

/// A class as it is watched. The guard keeps one that does not parse from stopping the watch.
pub type WatchedClass = DeserializeGuard<TranscriptionClass>;

/// The readiness check that fails until the classes are listed.
pub const CLASSES: &str = "classes";
/// The readiness check that fails until the namespaces are listed.
pub const NAMESPACES: &str = "namespaces";

/// A change that may unblock waiting jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A class.
    Class,
    /// The labels of a namespace.
    Namespace(String),
}

impl Changed {
    /// Whether the object still needs a class, and the change may unblock it.
    fn concerns(&self, stored: &WatchedJob) -> bool {
        let Ok(job) = &stored.0 else { return false };
        let view = JobView::of(job);
        let concerned = match self {
            Self::Class => true,
            Self::Namespace(name) => *name == view.namespace,
        };
        concerned && !view.needs_no_class()
    }
}

/// Remembers the relevant part of each object, to tell relevant changes from irrelevant ones.
#[derive(Debug)]
struct ChangeTracker<T> {
    known: HashMap<String, T>,
    listed: bool,
}

impl<T: PartialEq> ChangeTracker<T> {
    fn new() -> Self {
        Self {
            known: HashMap::new(),
            listed: false,
        }
    }

    /// Notes the relevant part of an object (`None`: the object is deleted) and returns whether it changed. Until the
    /// first list is complete this is always `false`.
    fn news(&mut self, name: String, relevant: Option<T>) -> bool {
        let unchanged = match relevant {
            Some(relevant) => {
                let same = self.known.get(&name) == Some(&relevant);
                self.known.insert(name, relevant);
                same
            }
            None => self.known.remove(&name).is_none(),
        };
        !unchanged && self.listed
    }
}

/// Watches the classes. The stream yields each class that is new or changed, and keeps `store` current while it is
/// polled.
pub fn classes(
    client: Client,
    store: Arc<ClassStore>,
    changed: mpsc::UnboundedSender<Changed>,
    ready: Readiness,
) -> (
    Store<WatchedClass>,
    impl Stream<Item = Result<WatchedClass, watcher::Error>> + Send,
) {
    let writer = Writer::<WatchedClass>::default();
    let reader = writer.as_reader();
    let listed = reader.clone();
    let mut tracker = ChangeTracker::new();
    let stream = watcher(
        Api::<WatchedClass>::all(client),
        watcher::Config::default().timeout(WATCH_SECONDS),
    )
    .default_backoff()
    .modify(|class| {
        if let Ok(class) = &mut class.0 {
            class.metadata.managed_fields = None;
        }
    })
    .reflect(writer)
    .inspect(move |event| {
        let news = match event {
            Ok(Event::Apply(class) | Event::InitApply(class)) => tracker.news(class.name_any(), Some(relevant(class))),
            Ok(Event::Delete(class)) => tracker.news(class.name_any(), None),
            Ok(Event::InitDone) => {
                tracker.listed = true;
                true
            }
            Ok(Event::Init) => return,
            Err(error) => {
                warn!(%error, "the watch of the classes was interrupted");
                return;
            }
        };
        if !tracker.listed {
            return;
        }
        store.classes.send_replace(readable(&listed));
        if news {
            changed.send(Changed::Class).ok();
        }
        store.listed.send_modify(|listed| listed.classes = true);
        ready.done(CLASSES);
    })
    .applied_objects();
    (reader, stream)
}

type Relevant = (Option<i64>, Option<String>, Option<Timestamp>, Option<String>, bool);

fn relevant(class: &WatchedClass) -> Relevant {
    let meta = class.meta();
    let default = meta
        .annotations
        .as_ref()
        .and_then(|all| all.get(DEFAULT_CLASS_ANNOTATION));
    let deleted = meta.deletion_timestamp.as_ref().map(|time| time.0);
    // Account and readiness count, because jobs wait until the identity of their class is verified.
    let status = class.0.as_ref().ok().and_then(|class| class.status.as_ref());
    let account = status.and_then(|status| status.account_id.clone());
    let ready = status.is_some_and(|status| status.conditions.iter().any(|c| c.type_ == READY && c.status == "True"));
    (meta.generation, default.cloned(), deleted, account, ready)
}

fn readable(listed: &Store<WatchedClass>) -> Arc<[Arc<TranscriptionClass>]> {
    let classes = listed.state().into_iter();
    let mut classes: Vec<_> = classes
        .filter_map(|class| class.0.as_ref().ok().cloned().map(Arc::new))
        .collect();
    classes.sort_by_key(|class| class.name_any());
    classes.into()
}

/// Watches the labels and uids of the namespaces.
pub async fn namespaces(
    client: Client,
    store: Arc<ClassStore>,
    changed: mpsc::UnboundedSender<Changed>,
    ready: Readiness,
) {
    let api = Api::<PartialObjectMeta<Namespace>>::all(client);
    let mut events = watcher(api, watcher::Config::default().timeout(WATCH_SECONDS))
        .default_backoff()
        .boxed();
    let mut tracker = ChangeTracker::new();
    let mut list = HashMap::new();
    while let Some(event) = events.next().await {
        let known = || store.namespaces.lock();
        let send = |tracker: &mut ChangeTracker<BTreeMap<String, String>>, namespace: &PartialObjectMeta<Namespace>| {
            if tracker.news(namespace.name_any(), Some(namespace.labels().clone())) {
                changed.send(Changed::Namespace(namespace.name_any())).ok();
            }
        };
        match event {
            Ok(Event::Init) => list.clear(),
            Ok(Event::InitApply(namespace)) => {
                list.insert(namespace.name_any(), namespace);
            }
            Ok(Event::InitDone) => {
                let all: Vec<_> = list.drain().map(|(_, namespace)| namespace).collect();
                *known() = all.iter().map(|it| (it.name_any(), info_of(it.clone()))).collect();
                for namespace in &all {
                    send(&mut tracker, namespace);
                }
                tracker.listed = true;
                store.listed.send_modify(|listed| listed.namespaces = true);
                ready.done(NAMESPACES);
            }
            Ok(Event::Apply(namespace)) => {
                known().insert(namespace.name_any(), info_of(namespace.clone()));
                send(&mut tracker, &namespace);
            }
            Ok(Event::Delete(namespace)) => {
                known().remove(&namespace.name_any());
                tracker.news(namespace.name_any(), None);
            }
            Err(error) => warn!(%error, "the watch of the namespaces was interrupted"),
        }
    }
}

/// The objects of a kind.
pub struct Jobs {
    /// The kind.
    pub kind: Kind,
    /// The objects.
    pub store: Store<WatchedJob>,
    /// The channel that triggers a reconcile.
    pub wake: mpsc::Sender<ObjectRef<WatchedJob>>,
}

/// Triggers a reconcile of the jobs that a change may unblock: those that may still start something in AWS.
pub async fn wake_waiting(mut changes: mpsc::UnboundedReceiver<Changed>, jobs: Vec<Jobs>) {
    while let Some(change) = changes.recv().await {
        let stored = jobs
            .iter()
            .flat_map(|jobs| jobs.store.state().into_iter().map(move |stored| (jobs, stored)));
        for (Jobs { kind, wake, .. }, stored) in stored {
            if change.concerns(&stored)
                && wake
                    .send(ObjectRef::from_obj_with(&*stored, kind.resource()))
                    .await
                    .is_err()
            {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_what_counts_and_comes_after_the_first_list() {
        let mut tracker = ChangeTracker::new();
        assert!(!tracker.news("a".to_owned(), Some(1)), "the first list is not a change");
        tracker.listed = true;
        assert!(!tracker.news("a".to_owned(), Some(1)), "nothing relevant changed");
        assert!(tracker.news("a".to_owned(), Some(2)));
        assert!(tracker.news("b".to_owned(), Some(1)));
        assert!(tracker.news("b".to_owned(), None));
        assert!(!tracker.news("b".to_owned(), None), "it was gone before");
    }
}
