//! Everything that runs: put together from flags, ended together.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures::{FutureExt as _, future::join_all};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{
        events::{Recorder, Reporter},
        reflector::ObjectRef,
    },
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tracing::info;

use crate::{
    admission::{
        certificate::Managed,
        server::{Source, Webhook},
    },
    api::Kind,
    aws::Aws,
    class::{self, Binder, ClassStore, Classes, install, watch},
    config::RunArgs,
    engine::{
        Engine,
        follow::Follower,
        limits::Counts,
        orphans::{Found, Sweeper},
        tend::Tender,
    },
    lifecycle::{Identity, Rules},
    reconcile::{
        Stored,
        context::{Backoffs, Context},
        controller::{self, Cache},
    },
    runtime::{
        admin::{self, Readiness, WEBHOOK},
        metrics::Metrics,
    },
};

/// The clients of the API server: a watch may be silent for long, a request may not.
#[derive(Clone)]
pub struct Clients {
    /// For watches.
    pub watch: Client,
    /// For everything else.
    pub request: Client,
}

impl Clients {
    /// Clients for the cluster that the environment names.
    pub async fn infer() -> Result<Self> {
        Self::new(kube::Config::infer().await.context("no cluster is configured")?)
    }

    /// Clients for a cluster.
    pub fn new(mut config: kube::Config) -> Result<Self> {
        // A pass that fails is tried again by its own backoff; kube's retries would hold it for minutes.
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
    run_with(args, clients, |store| store, stop).await
}

/// Runs the operator with another way to find the class of an object.
pub async fn run_with(
    args: RunArgs,
    clients: Clients,
    classes: impl FnOnce(Arc<ClassStore>) -> Arc<dyn Classes>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<()> {
    let rules = args.rules(&cluster_id(&args, &clients.request).await?)?;
    let (cluster_id, version) = (rules.head.cluster_id(), env!("CARGO_PKG_VERSION"));
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
    let engine = Engine::new(aws, rules.max_skew);
    let store = Arc::new(ClassStore::new(
        clients.request.clone(),
        engine.clone(),
        rules.head.cluster_id(),
    ));
    let parts = Parts {
        args,
        clients,
        engine,
        rules,
        metrics,
        ready,
        binding: classes(store.clone()),
        classes: store,
    };
    let (lines, woken): (Vec<_>, Vec<_>) = Kind::ALL.iter().map(|kind| Line::new(*kind)).unzip();
    let counts = Counts::of(lines.iter().map(|line| line.cache.store.clone()).collect::<Vec<_>>());
    let mut tasks = JoinSet::new();
    parts.watch_classes(&mut tasks, &lines, &counts);
    tasks.spawn(parts.tender(&lines).run());
    parts.webhook(&mut tasks)?;
    let stop = stop.boxed().shared();
    let controllers = lines.into_iter().zip(woken).map(|(line, woken)| {
        controller::run(
            Arc::new(parts.context(line.kind, counts.clone())),
            parts.clients.watch.clone(),
            line.cache,
            woken,
            parts.args.concurrency,
            parts.ready.clone(),
            stop.clone(),
        )
    });
    let controller = async {
        parts.classes.settled().await;
        join_all(controllers).await;
    };
    tokio::select! {
        () = controller => Ok(()),
        served = admin::serve(listener, parts.metrics.clone(), parts.ready.clone()) => served.context("the admin endpoints ended"),
        ended = tasks.join_next() => Err(anyhow::anyhow!("a task of the operator ended: {ended:?}")),
    }
}

/// The objects of a kind, and the way to have one looked at.
struct Line {
    kind: Kind,
    cache: Cache,
    wake: mpsc::Sender<ObjectRef<Stored>>,
}

impl Line {
    fn new(kind: Kind) -> (Self, mpsc::Receiver<ObjectRef<Stored>>) {
        let (wake, woken) = mpsc::channel(1024);
        let cache = Cache::new(kind);
        (Self { kind, cache, wake }, woken)
    }
}

/// What everything that runs is made of.
struct Parts {
    args: RunArgs,
    clients: Clients,
    engine: Engine,
    rules: Rules,
    metrics: Metrics,
    ready: Readiness,
    binding: Arc<dyn Classes>,
    classes: Arc<ClassStore>,
}

impl Parts {
    fn binder(&self, kind: Kind) -> Binder {
        Binder {
            kind,
            head: self.rules.head.clone(),
            classes: self.binding.clone(),
        }
    }

    /// The watches of classes and namespaces, the controller of classes, and the default class.
    fn watch_classes(&self, tasks: &mut JoinSet<()>, lines: &[Line], counts: &Counts) {
        let (tell, changes) = mpsc::unbounded_channel();
        for what in [watch::CLASSES, watch::NAMESPACES] {
            self.ready.waits(what, format!("the {what} are not listed yet"));
        }
        let (client, ready) = (self.clients.watch.clone(), self.ready.clone());
        let (stored, classes) = watch::classes(client.clone(), self.classes.clone(), tell.clone(), ready.clone());
        tasks.spawn(watch::namespaces(client, self.classes.clone(), tell, ready.clone()));
        let jobs = lines.iter().map(|line| watch::Jobs {
            kind: line.kind,
            store: line.cache.store.clone(),
            wake: line.wake.clone(),
        });
        tasks.spawn(watch::wake_waiting(changes, jobs.collect()));
        let request = self.clients.request.clone();
        let context = class::controller::Context::new(
            request.clone(),
            self.classes.clone(),
            counts.clone(),
            self.metrics.clone(),
            ready.clone(),
        );
        tasks.spawn(class::controller::run(Arc::new(context), stored, classes));
        if self.args.install.region.is_some() {
            ready.waits(install::DEFAULT, "the default class is not there yet");
            let make = install::run(request, self.classes.clone(), self.args.install.clone(), ready);
            tasks.spawn(async {
                make.await;
                std::future::pending::<()>().await;
            });
        }
    }

    fn tender(&self, lines: &[Line]) -> Tender {
        let nowhere = self.engine.places.at(&Identity::default());
        let followers = lines.iter().map(|line| Follower {
            place: nowhere.clone(),
            classes: self.classes.clone(),
            kind: line.kind,
            store: line.cache.store.clone(),
            wake: line.wake.clone(),
            head: self.rules.head.as_str().to_owned(),
            interval: Duration::from_secs_f64(self.args.follow_interval),
            metrics: self.metrics.clone(),
        });
        let sweepers = lines.iter().map(|line| Sweeper {
            place: nowhere.clone(),
            classes: self.classes.clone(),
            kind: line.kind,
            client: self.clients.request.clone(),
            rules: self.rules.clone(),
            interval: Duration::from_secs_f64(self.args.orphan_interval),
            dry_run: self.args.orphan_dry_run,
            metrics: self.metrics.clone(),
            since: Found::default(),
        });
        Tender {
            classes: self.classes.clone(),
            followers: followers.collect(),
            sweepers: sweepers.collect(),
        }
    }

    fn webhook(&self, tasks: &mut JoinSet<()>) -> Result<()> {
        let Some(certificate) = self.certificate() else {
            return Ok(());
        };
        let addresses = RunArgs::addresses(self.args.webhook.webhook_listen);
        let listener = std::net::TcpListener::bind(&addresses[..]).context("--webhook-listen")?;
        let webhook = Webhook {
            binders: Kind::ALL.iter().map(|kind| self.binder(*kind)).collect(),
            classes: self.classes.clone(),
            metrics: self.metrics.clone(),
        };
        tasks.spawn(async move {
            let ended = webhook.serve(listener, certificate).await;
            tracing::error!(?ended, "the webhook ended");
        });
        Ok(())
    }

    /// Where the webhook's certificate comes from; `None` when no webhook is served.
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
                interval: flags.interval(),
                ready: self.ready.clone(),
                metrics: self.metrics.clone(),
            })));
        }
        flags.webhook_cert_dir.clone().map(Source::Folder)
    }

    fn context(&self, kind: Kind, counts: Counts) -> Context {
        let reporter = Reporter {
            controller: "transcribe-operator".to_owned(),
            instance: self.args.pod_name.clone(),
        };
        Context {
            kind,
            client: self.clients.request.clone(),
            engine: self.engine.clone(),
            classes: self.classes.clone(),
            counts,
            rules: self.rules.clone(),
            binder: self.binder(kind),
            recorder: Recorder::new(self.clients.request.clone(), reporter),
            metrics: self.metrics.clone(),
            pass_timeout: Duration::from_secs(self.args.pass_timeout),
            // One replica, replaced by recreation: it leads as long as it lives.
            leader_for: || Duration::MAX,
            backoffs: Backoffs::default(),
        }
    }
}

/// The cluster id of the flags, or the uid of `kube-system`.
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
