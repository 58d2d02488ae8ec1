//! Runs a status poller and a garbage collector of each kind for every account and Region that has a class.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use kube::{
    Client,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::info;

use crate::{
    accounts::account::AwsAccount,
    api::Kind,
    domain::{AccountRegion, ProtocolLimits},
    pollers::{
        garbage_collector::{Found, GarbageCollector},
        status_poller::StatusPoller,
    },
    runtime::{metrics::Metrics, watch::WatchedJob},
    tenancy::ClassStore,
};

/// How often the classes are read even without a change, because AWS can confirm an account without a change of a
/// class.
const INTERVAL: Duration = Duration::from_secs(1);

/// The cache of a kind, and the channel that triggers reconciles of its objects.
#[derive(Clone, Debug)]
pub struct WatchedKind {
    /// The kind.
    pub kind: Kind,
    /// The objects.
    pub store: Store<WatchedJob>,
    /// The channel that triggers a reconcile.
    pub wake: mpsc::Sender<ObjectRef<WatchedJob>>,
}

/// Starts and stops the status pollers and garbage collectors.
#[derive(Clone)]
pub struct Supervisor {
    /// The classes.
    pub classes: Arc<ClassStore>,
    /// The objects, by kind.
    pub kinds: Vec<WatchedKind>,
    /// The API server.
    pub client: Client,
    /// The bounds of the protocol, and the prefix of the AWS names of this cluster's jobs.
    pub limits: ProtocolLimits,
    /// How often running jobs are listed.
    pub poll_interval: Duration,
    /// How often the garbage collector searches for records without an object.
    pub gc_interval: Duration,
    /// Only count the records without an object, and delete none.
    pub gc_dry_run: bool,
    /// The metrics.
    pub metrics: Metrics,
}

/// The tasks of one account and Region. Dropping this aborts them.
struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    fn are_running(&self) -> bool {
        self.0.iter().all(|task| !task.is_finished())
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Supervisor {
    /// Runs until the process ends.
    pub async fn run(self) {
        let mut running: HashMap<AccountRegion, Tasks> = HashMap::new();
        let mut changes = self.classes.changes();
        loop {
            let wanted = self.classes.places().await;
            self.stop_others(&mut running, &wanted);
            for at in wanted {
                running.entry(at).or_insert_with_key(|at| self.start(at));
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Stops the tasks of accounts and Regions without a class, and those of which one has ended, which are then
    /// started again.
    fn stop_others(&self, running: &mut HashMap<AccountRegion, Tasks>, wanted: &HashSet<AccountRegion>) {
        let obsolete: Vec<AccountRegion> = running
            .iter()
            .filter(|(at, tasks)| !wanted.contains(at) || !tasks.are_running())
            .map(|(at, _)| at.clone())
            .collect();
        for at in obsolete {
            running.remove(&at);
            self.classes.accounts().at(&at).forget();
        }
    }

    fn start(&self, at: &AccountRegion) -> Tasks {
        info!(account = at.account, region = at.region, "polling starts");
        let account = self.classes.accounts().at(at);
        let tasks = self.kinds.iter().flat_map(|kind| {
            let poller = tokio::spawn(self.status_poller(&account, kind).run());
            let collector = tokio::spawn(self.garbage_collector(&account, kind).run());
            [poller, collector]
        });
        Tasks(tasks.collect())
    }

    fn status_poller(&self, account: &Arc<AwsAccount>, of: &WatchedKind) -> StatusPoller {
        StatusPoller {
            account: account.clone(),
            classes: self.classes.clone(),
            kind: of.kind,
            store: of.store.clone(),
            wake: of.wake.clone(),
            prefix: self.limits.prefix.as_str().to_owned(),
            interval: self.poll_interval,
            metrics: self.metrics.clone(),
        }
    }

    fn garbage_collector(&self, account: &Arc<AwsAccount>, of: &WatchedKind) -> GarbageCollector {
        GarbageCollector {
            account: account.clone(),
            classes: self.classes.clone(),
            kind: of.kind,
            client: self.client.clone(),
            limits: self.limits.clone(),
            interval: self.gc_interval,
            dry_run: self.gc_dry_run,
            metrics: self.metrics.clone(),
            found: Found::default(),
        }
    }
}
