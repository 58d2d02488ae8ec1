//! What every pass has at hand.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use kube::{Api, Client, ResourceExt as _, runtime::events::Recorder};

use super::{Error, Stored};
use crate::{
    api::Kind,
    class::{Binder, ClassStore},
    engine::{Engine, limits::Counts},
    lifecycle::{Job, Rules},
    runtime::metrics::Metrics,
};

/// No call to the API server takes longer.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// What every pass has at hand.
pub struct Context {
    /// The kind that this controller drives.
    pub kind: Kind,
    /// The API server.
    pub client: Client,
    /// AWS, and the budgets of accounts.
    pub engine: Engine,
    /// The sessions of the classes.
    pub classes: Arc<ClassStore>,
    /// How many jobs of a class run.
    pub counts: Counts,
    /// The bounds.
    pub rules: Rules,
    /// The classes.
    pub binder: Binder,
    /// Events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Metrics,
    /// How long a pass may take.
    pub pass_timeout: Duration,
    /// For how long this process may act as the leader.
    pub leader_for: fn() -> Duration,
    /// How long to wait after errors, by object.
    pub backoffs: Backoffs,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("kind", &self.kind)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The objects of a namespace.
    pub(super) fn api(&self, namespace: &str) -> Api<Job> {
        Api::namespaced_with(self.client.clone(), namespace, &self.kind.resource())
    }

    /// The object as it is now, by a quorum read. `None`: it is gone.
    pub(super) async fn fetch(&self, job: &Job) -> Result<Option<Stored>, Error> {
        let namespace = job.namespace().unwrap_or_default();
        let api = Api::<Stored>::namespaced_with(self.client.clone(), &namespace, &self.kind.resource());
        bounded(api.get_opt(&job.name_any())).await
    }
}

/// A call to the API server that ends.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(API_TIMEOUT, call).await {
        Ok(reply) => Ok(reply?),
        Err(_) => Err(Error::ApiTimeout),
    }
}

/// Growing delays by object: kube's error policy knows no number of attempts.
#[derive(Debug, Default)]
pub struct Backoffs(Mutex<HashMap<String, Failing>>);

#[derive(Debug)]
struct Failing {
    delays: ExponentialBackoff,
    in_a_row: u32,
}

impl Default for Failing {
    fn default() -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(LONGEST)
            .with_jitter()
            .without_max_times();
        Self {
            delays: builder.build(),
            in_a_row: 0,
        }
    }
}

/// No object waits longer after an error.
const LONGEST: Duration = Duration::from_mins(1);

impl Backoffs {
    fn with<T>(&self, uid: &str, look: impl FnOnce(&mut Failing) -> T) -> T {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(failing.entry(uid.to_owned()).or_default())
    }

    /// A pass failed. Returns how many did in a row.
    pub fn failed(&self, uid: &str) -> u32 {
        self.with(uid, |failing| {
            failing.in_a_row = failing.in_a_row.saturating_add(1);
            failing.in_a_row
        })
    }

    /// The next delay for an object.
    pub fn next(&self, uid: &str) -> Duration {
        self.with(uid, |failing| failing.delays.next().unwrap_or(LONGEST))
    }

    /// A pass went well.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}
