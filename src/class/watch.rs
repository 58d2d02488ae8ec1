//! The watches of classes and namespaces, and the waiting objects that a change concerns.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError},
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

use super::store::{ClassStore, known_of};
use crate::{
    api::{
        Kind,
        conditions::READY,
        transcription_class::{DEFAULT_CLASS_ANNOTATION, TranscriptionClass},
    },
    lifecycle::Subject,
    reconcile::{Stored, controller::WATCH_SECONDS},
    runtime::admin::Readiness,
};

/// A class as it is watched: one that cannot be read does not stop the others.
pub type StoredClass = DeserializeGuard<TranscriptionClass>;

/// What is awaited until the classes are listed.
pub const CLASSES: &str = "classes";
/// What is awaited until the namespaces are listed.
pub const NAMESPACES: &str = "namespaces";

/// Something by which waiting objects may get on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A class.
    Class,
    /// The labels of a namespace.
    Namespace(String),
}

impl Changed {
    /// The object waits, and may get on by the change.
    fn concerns(&self, stored: &Stored) -> bool {
        let Ok(job) = &stored.0 else { return false };
        let subject = Subject::of(job);
        let concerned = match self {
            Self::Class => true,
            Self::Namespace(name) => *name == subject.namespace,
        };
        concerned && !subject.needs_no_class()
    }
}

/// What of an object counts, so that other changes of it can be told apart.
#[derive(Debug)]
struct Noticed<T> {
    known: HashMap<String, T>,
    listed: bool,
}

impl<T: PartialEq> Noticed<T> {
    fn new() -> Self {
        Self {
            known: HashMap::new(),
            listed: false,
        }
    }

    /// Whether what counts of an object is news. Nothing is before the first list is complete.
    fn news(&mut self, name: String, counts: Option<T>) -> bool {
        let before = match counts {
            Some(counts) => {
                let same = self.known.get(&name) == Some(&counts);
                self.known.insert(name, counts);
                same
            }
            None => self.known.remove(&name).is_none(),
        };
        !before && self.listed
    }
}

/// Watches the classes. The stream gives each that is new or changed; it keeps `store` current as it is polled.
pub fn classes(
    client: Client,
    store: Arc<ClassStore>,
    changed: mpsc::UnboundedSender<Changed>,
    ready: Readiness,
) -> (
    Store<StoredClass>,
    impl Stream<Item = Result<StoredClass, watcher::Error>> + Send,
) {
    let writer = Writer::<StoredClass>::default();
    let reader = writer.as_reader();
    let listed = reader.clone();
    let mut noticed = Noticed::new();
    let stream = watcher(
        Api::<StoredClass>::all(client),
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
            Ok(Event::Apply(class) | Event::InitApply(class)) => noticed.news(class.name_any(), Some(counts(class))),
            Ok(Event::Delete(class)) => noticed.news(class.name_any(), None),
            Ok(Event::InitDone) => {
                noticed.listed = true;
                true
            }
            Ok(Event::Init) => return,
            Err(error) => {
                warn!(%error, "the watch of the classes was interrupted");
                return;
            }
        };
        if !noticed.listed {
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

type Counts = (Option<i64>, Option<String>, Option<Timestamp>, Option<String>, bool);

fn counts(class: &StoredClass) -> Counts {
    let meta = class.meta();
    let default = meta
        .annotations
        .as_ref()
        .and_then(|all| all.get(DEFAULT_CLASS_ANNOTATION));
    let deleted = meta.deletion_timestamp.as_ref().map(|time| time.0);
    // Once its identity is verified, what waited for that goes on.
    let status = class.0.as_ref().ok().and_then(|class| class.status.as_ref());
    let account = status.and_then(|status| status.account_id.clone());
    let ready = status.is_some_and(|status| status.conditions.iter().any(|c| c.type_ == READY && c.status == "True"));
    (meta.generation, default.cloned(), deleted, account, ready)
}

fn readable(listed: &Store<StoredClass>) -> Arc<[Arc<TranscriptionClass>]> {
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
    let mut noticed = Noticed::new();
    let mut list = HashMap::new();
    while let Some(event) = events.next().await {
        let known = || store.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let tell = |noticed: &mut Noticed<BTreeMap<String, String>>, namespace: &PartialObjectMeta<Namespace>| {
            if noticed.news(namespace.name_any(), Some(namespace.labels().clone())) {
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
                *known() = all.iter().map(|it| (it.name_any(), known_of(it.clone()))).collect();
                for namespace in &all {
                    tell(&mut noticed, namespace);
                }
                noticed.listed = true;
                store.listed.send_modify(|listed| listed.namespaces = true);
                ready.done(NAMESPACES);
            }
            Ok(Event::Apply(namespace)) => {
                known().insert(namespace.name_any(), known_of(namespace.clone()));
                tell(&mut noticed, &namespace);
            }
            Ok(Event::Delete(namespace)) => {
                known().remove(&namespace.name_any());
                noticed.news(namespace.name_any(), None);
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
    pub store: Store<Stored>,
    /// Where objects to look at are sent.
    pub wake: mpsc::Sender<ObjectRef<Stored>>,
}

/// Looks at the waiting objects anew that a change concerns: those of which something may yet be started.
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
        let mut noticed = Noticed::new();
        assert!(!noticed.news("a".to_owned(), Some(1)), "the first list is no news");
        noticed.listed = true;
        assert!(!noticed.news("a".to_owned(), Some(1)), "nothing that counts");
        assert!(noticed.news("a".to_owned(), Some(2)));
        assert!(noticed.news("b".to_owned(), Some(1)));
        assert!(noticed.news("b".to_owned(), None));
        assert!(!noticed.news("b".to_owned(), None), "gone is gone");
    }
}
