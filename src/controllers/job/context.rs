//! What every reconcile of a job needs.

use std::{fmt, sync::Arc, time::Duration};

use kube::{Api, Client, ResourceExt as _};

use crate::{
    accounts::{limits::RunningJobs, session::Accounts},
    api::Kind,
    controllers::job::{backoff::Backoffs, error::Error},
    domain::{Job, ProtocolLimits},
    runtime::{events::Publisher, metrics::Metrics, watch::WatchedJob},
    tenancy::{ClassResolver, ClassStore},
};

/// A call to the API server that takes longer is aborted.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// What every reconcile of a job needs.
pub struct Context {
    /// The kind that this controller reconciles.
    pub kind: Kind,
    /// The API server.
    pub client: Client,
    /// The AWS sessions and accounts.
    pub accounts: Accounts,
    /// The classes and the namespaces.
    pub classes: Arc<ClassStore>,
    /// The number of running jobs of each class.
    pub running: RunningJobs,
    /// The bounds of the protocol.
    pub limits: ProtocolLimits,
    /// Binds jobs to their classes.
    pub resolver: ClassResolver,
    /// Publishes Events.
    pub events: Publisher,
    /// The metrics.
    pub metrics: Metrics,
    /// How long a reconcile may take.
    pub reconcile_timeout: Duration,
    /// How much longer this process may act as the leader.
    pub leader_for: fn() -> Duration,
    /// The backoff of each failing object.
    pub backoffs: Backoffs,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("kind", &self.kind)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The API of the objects in a namespace.
    pub(super) fn api(&self, namespace: &str) -> Api<Job> {
        Api::namespaced_with(self.client.clone(), namespace, &self.kind.resource())
    }

    /// Reads the current object, by a quorum read. `None`: it is gone.
    pub(super) async fn fetch(&self, job: &Job) -> Result<Option<WatchedJob>, Error> {
        let namespace = job.namespace().unwrap_or_default();
        let api = Api::<WatchedJob>::namespaced_with(self.client.clone(), &namespace, &self.kind.resource());
        bounded(api.get_opt(&job.name_any())).await
    }
}

/// Runs a call to the API server with a timeout of [`API_TIMEOUT`].
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(API_TIMEOUT, call).await {
        Ok(reply) => Ok(reply?),
        Err(_) => Err(Error::ApiTimeout),
    }
}
