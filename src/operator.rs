//! Builds everything that runs from the flags. All of it ends together.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures::{FutureExt as _, future::join_all};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, runtime::reflector::ObjectRef};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tracing::info;

use crate::{
    accounts::{limits::RunningJobs, session::Accounts},
    api::Kind,
    aws::Aws,
    cli::RunArgs,
    controllers::{
        class,
        job::{
            backoff::Backoffs,
            context::Context,
            controller::{self, Cache},
        },
    },
    domain::ProtocolLimits,
    pollers::supervisor::{Supervisor, WatchedKind},
    runtime::{
        admin::{self, Readiness, WEBHOOK},
        events::Publisher,
        metrics::Metrics,
        watch::WatchedJob,
    },
    tenancy::{ClassResolver, ClassStore, default_class, watch},
    webhook::{
        certificate::Managed,
        server::{Source, Webhook},
    },
};

/// The clients of the API server. There are two because a watch may be silent for a long time, and a request may not.
#[derive(Clone)]
pub struct Clients {
    /// For watches.
    pub watch: Client,
    /// For everything else.
    pub request: Client,
}

impl Clients {
    /// Clients for the cluster of the environment: the kubeconfig or the Pod's service account.
    pub async fn infer() -> Result<Self> {
        Self::new(kube::Config::infer().await.context("no cluster is configured")?)
    }

    /// Clients for a cluster.
    pub fn new(mut config: kube::Config) -> Result<Self> {
        // A failed reconcile is retried with its own backoff; kube's retries would block it for minutes.
        config.default_retry = false;
        let watch = Client::try_from(config.clone())?;
        config.read_timeout = Some(Duration::from_secs(15));
        config.reset_reader_on_write = true;
        Ok(Self {
            watch,
            request: Client::try_from(config)?,
        })
    }
}

/// Runs the operator until `stop` resolves.
pub async fn run(
    args: RunArgs,
    clients: Clients,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<()> {
    args.check()?;
    let limits = args.limits(&cluster_id(&args, &clients.request).await?)?;
    let (cluster_id, version) = (limits.prefix.cluster_id(), env!("CARGO_PKG_VERSION"));
    info!(version, cluster_id, "starting");
    let metrics = Metrics::new();
    let ready = Readiness::default();
    for kind in Kind::ALL {
        ready.waits(kind.plural(), format!("the {} are not listed yet", kind.plural()));
    }
    let listener = TcpListener::bind(&RunArgs::addresses(args.metrics_listen)[..])
        .await
        .context("--metrics-listen")?;
    let aws = Aws::load(args.aws(), metrics.clone()).await;
    let accounts = Accounts::new(aws, limits.max_skew);
    let classes = ClassStore::new(clients.request.clone(), accounts.clone(), cluster_id);
    let components = Components {
        args,
        clients,
        accounts,
        limits,
        metrics,
        ready,
        classes: Arc::new(classes),
    };
    components.run(listener, stop.boxed().shared()).await
}

/// The cache of a kind, and a channel that triggers reconciles of its objects.
struct KindRuntime {
    kind: Kind,
    cache: Cache,
    wake: mpsc::Sender<ObjectRef<WatchedJob>>,
}

impl KindRuntime {
    fn new(kind: Kind) -> (Self, mpsc::Receiver<ObjectRef<WatchedJob>>) {
        let (wake, woken) = mpsc::channel(1024);
        let cache = Cache::new(kind);
        (Self { kind, cache, wake }, woken)
    }

    fn watched(&self) -> WatchedKind {
        WatchedKind {
            kind: self.kind,
            store: self.cache.store.clone(),
            wake: self.wake.clone(),
        }
    }
}

/// What the tasks of the operator share.
struct Components {
    args: RunArgs,
    clients: Clients,
    accounts: Accounts,
    limits: ProtocolLimits,
    metrics: Metrics,
    ready: Readiness,
    classes: Arc<ClassStore>,
}

impl Components {
    /// Runs everything. Returns `Ok` when `stop` resolves, and an error when any task ends before.
    async fn run(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Clone + Send + Sync + 'static,
    ) -> Result<()> {
        let (kinds, woken): (Vec<_>, Vec<_>) = Kind::ALL.iter().map(|kind| KindRuntime::new(*kind)).unzip();
        let running = RunningJobs::of(kinds.iter().map(|kind| kind.cache.store.clone()).collect::<Vec<_>>());
        let mut tasks = JoinSet::new();
        self.watch_classes(&mut tasks, &kinds, &running);
        tasks.spawn(self.supervisor(&kinds).run());
        self.webhook(&mut tasks)?;
        let controllers = kinds.into_iter().zip(woken).map(|(kind, woken)| {
            controller::run(
                Arc::new(self.context(kind.kind, running.clone())),
                self.clients.watch.clone(),
                kind.cache,
                woken,
                self.args.concurrency,
                self.ready.clone(),
                stop.clone(),
            )
        });
        let controllers = async {
            self.classes.settled().await;
            join_all(controllers).await;
        };
        tokio::select! {
            () = controllers => Ok(()),
            served = admin::serve(listener, self.metrics.clone(), self.ready.clone()) => served.context("the admin endpoints ended"),
            ended = tasks.join_next() => Err(anyhow::anyhow!("a task of the operator ended: {ended:?}")),
        }
    }

    fn resolver(&self, kind: Kind) -> ClassResolver {
        ClassResolver {
            kind,
            prefix: self.limits.prefix.clone(),
            classes: self.classes.clone(),
        }
    }

    /// Starts the watches of classes and namespaces, the class controller, and the creation of the default class.
    fn watch_classes(&self, tasks: &mut JoinSet<()>, kinds: &[KindRuntime], running: &RunningJobs) {
        let (sender, changes) = mpsc::unbounded_channel();
        for what in [watch::CLASSES, watch::NAMESPACES] {
            self.ready.waits(what, format!("the {what} are not listed yet"));
        }
        let (client, ready) = (self.clients.watch.clone(), self.ready.clone());
        let (store, classes) = watch::classes(client.clone(), self.classes.clone(), sender.clone(), ready.clone());
        tasks.spawn(watch::namespaces(client, self.classes.clone(), sender, ready.clone()));
        let jobs = kinds.iter().map(|kind| watch::Jobs {
            kind: kind.kind,
            store: kind.cache.store.clone(),
            wake: kind.wake.clone(),
        });
        tasks.spawn(watch::wake_waiting(changes, jobs.collect()));
        let request = self.clients.request.clone();
        let context = class::Context::new(
            request.clone(),
            self.classes.clone(),
            running.clone(),
            self.metrics.clone(),
            ready.clone(),
        );
        tasks.spawn(class::run(Arc::new(context), store, classes));
        if let Some(default) = self.args.install.default_class() {
            ready.waits(default_class::DEFAULT, "the default class is not there yet");
            let make = default_class::run(request, self.classes.clone(), default, ready);
            tasks.spawn(async {
                make.await;
                std::future::pending::<()>().await;
            });
        }
    }

    fn supervisor(&self, kinds: &[KindRuntime]) -> Supervisor {
        Supervisor {
            classes: self.classes.clone(),
            kinds: kinds.iter().map(KindRuntime::watched).collect(),
            client: self.clients.request.clone(),
            limits: self.limits.clone(),
            poll_interval: self.args.poll_interval,
            gc_interval: self.args.gc_interval,
            gc_dry_run: self.args.gc_dry_run,
            metrics: self.metrics.clone(),
        }
    }

    fn webhook(&self, tasks: &mut JoinSet<()>) -> Result<()> {
        let Some(certificate) = self.certificate() else {
            return Ok(());
        };
        let addresses = RunArgs::addresses(self.args.webhook.webhook_listen);
        let listener = std::net::TcpListener::bind(&addresses[..]).context("--webhook-listen")?;
        let webhook = Webhook {
            resolvers: Kind::ALL.iter().map(|kind| self.resolver(*kind)).collect(),
            classes: self.classes.clone(),
            metrics: self.metrics.clone(),
        };
        tasks.spawn(async move {
            let ended = webhook.serve(listener, certificate).await;
            tracing::error!(?ended, "the webhook ended");
        });
        Ok(())
    }

    /// The source of the webhook's certificate; `None` when no webhook is served.
    fn certificate(&self) -> Option<Source> {
        let flags = &self.args.webhook;
        if let Some(configuration) = flags.webhook_configuration.clone() {
            self.ready.waits(WEBHOOK, "the webhook has no certificate yet");
            return Some(Source::Managed(Box::new(Managed {
                client: self.clients.request.clone(),
                namespace: self.args.namespace.clone(),
                secret: flags.webhook_ca_secret.clone(),
                configuration,
                lifetimes: flags.lifetimes(),
                interval: flags.webhook_cert_interval,
                ready: self.ready.clone(),
                metrics: self.metrics.clone(),
            })));
        }
        flags.webhook_cert_dir.clone().map(Source::Folder)
    }

    fn context(&self, kind: Kind, running: RunningJobs) -> Context {
        let request = self.clients.request.clone();
        Context {
            kind,
            client: request.clone(),
            accounts: self.accounts.clone(),
            classes: self.classes.clone(),
            running,
            limits: self.limits.clone(),
            resolver: self.resolver(kind),
            events: Publisher::new(request, self.args.pod_name.clone(), self.metrics.clone()),
            metrics: self.metrics.clone(),
            reconcile_timeout: self.args.reconcile_timeout,
            // There is one replica, and its Deployment recreates it: it leads for as long as it runs.
            leader_for: || Duration::MAX,
            backoffs: Backoffs::default(),
        }
    }
}

/// The cluster id from the flags, or else the uid of `kube-system` without dashes.
async fn cluster_id(args: &RunArgs, client: &Client) -> Result<String> {
    if let Some(id) = &args.cluster_id {
        return Ok(id.clone());
    }
    let namespaces = Api::<Namespace>::all(client.clone());
    let kube_system = namespaces
        .get("kube-system")
        .await
        .context("the uid of kube-system could not be read; set --cluster-id")?;
    Ok(kube_system.uid().unwrap_or_default().replace('-', ""))
}
