//! Everything that runs: put together from flags, ended together.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::events::{Recorder, Reporter},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tracing::info;

use crate::{
    admission::{
        certificate::Managed,
        server::{Source, Webhook},
    },
    api::Kind,
    aws::Connection,
    class::{Binder, Classes, InstallClass},
    config::RunArgs,
    engine::{
        Engine,
        follow::Follower,
        identity,
        orphans::{Found, Sweeper},
    },
    lifecycle::Rules,
    reconcile::{
        context::{Backoffs, Context},
        controller::{self, Cache},
    },
    runtime::{
        admin::{self, OBJECTS, Readiness, WEBHOOK},
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
    let install = args.install.clone();
    let classes = |engine: &Engine| -> Arc<dyn Classes> {
        Arc::new(InstallClass {
            install,
            identity: engine.identity.subscribe(),
        })
    };
    run_with(args, clients, classes, stop).await
}

/// Runs the operator with other classes than the install's.
pub async fn run_with(
    args: RunArgs,
    clients: Clients,
    classes: impl FnOnce(&Engine) -> Arc<dyn Classes>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<()> {
    let rules = args.rules(&cluster_id(&args, &clients.request).await?)?;
    info!(cluster_id = rules.head.cluster_id(), "starting");
    let metrics = Metrics::new();
    let ready = Readiness::default();
    ready.waits(OBJECTS, "the objects are not listed yet");
    let listener = TcpListener::bind(&RunArgs::addresses(args.metrics_listen)[..])
        .await
        .context("--metrics-listen")?;
    let engine = Engine::new(Connection::new(&args.aws(), metrics.clone()).await);
    let kind = Kind::TranscriptionJob;
    let cache = Cache::new(kind);
    let (wake, woken) = mpsc::channel(1024);
    let mut tasks = JoinSet::new();
    tasks.spawn(identity::run(engine.clone(), rules.max_skew));
    tasks.spawn(follower(&args, &engine, kind, &cache, wake, &rules, &metrics).run());
    tasks.spawn(sweeper(&args, &engine, kind, &clients, &rules, &metrics).run());
    let binder = Binder {
        kind,
        head: rules.head.clone(),
        classes: classes(&engine),
    };
    if let Some(certificate) = certificate(&args, &clients, &ready, &metrics) {
        let addresses = RunArgs::addresses(args.webhook.webhook_listen);
        let listener = std::net::TcpListener::bind(&addresses[..]).context("--webhook-listen")?;
        let webhook = Webhook {
            binders: Arc::new([binder.clone()]),
            engine: engine.clone(),
            metrics: metrics.clone(),
        };
        tasks.spawn(async move {
            let ended = webhook.serve(listener, certificate).await;
            tracing::error!(?ended, "the webhook ended");
        });
    }
    let context = context(&args, &clients, engine.clone(), rules, binder, metrics.clone());
    let controller = controller::run(
        Arc::new(context),
        clients.watch,
        cache,
        woken,
        args.concurrency,
        ready.clone(),
        stop,
    );
    let controller = async {
        identity::verified(&engine).await;
        controller.await;
    };
    tokio::select! {
        () = controller => Ok(()),
        served = admin::serve(listener, metrics, ready) => served.context("the admin endpoints ended"),
        ended = tasks.join_next() => Err(anyhow::anyhow!("a task of the operator ended: {ended:?}")),
    }
}

/// Where the webhook's certificate comes from; `None` when no webhook is served.
fn certificate(args: &RunArgs, clients: &Clients, ready: &Readiness, metrics: &Metrics) -> Option<Source> {
    let flags = &args.webhook;
    if let Some(configuration) = flags.webhook_configuration.clone() {
        ready.waits(WEBHOOK, "the webhook has no certificate yet");
        return Some(Source::Managed(Box::new(Managed {
            client: clients.request.clone(),
            namespace: args.namespace.clone(),
            secret: flags.webhook_ca_secret.clone(),
            configuration,
            lifetimes: flags.lifetimes(),
            interval: flags.interval(),
            ready: ready.clone(),
            metrics: metrics.clone(),
        })));
    }
    flags.webhook_cert_dir.clone().map(Source::Folder)
}

fn follower(
    args: &RunArgs,
    engine: &Engine,
    kind: Kind,
    cache: &Cache,
    wake: mpsc::Sender<kube::runtime::reflector::ObjectRef<crate::reconcile::Stored>>,
    rules: &Rules,
    metrics: &Metrics,
) -> Follower {
    Follower {
        engine: engine.clone(),
        kind,
        store: cache.store.clone(),
        wake,
        head: rules.head.as_str().to_owned(),
        interval: Duration::from_secs_f64(args.follow_interval),
        metrics: metrics.clone(),
    }
}

fn sweeper(
    args: &RunArgs,
    engine: &Engine,
    kind: Kind,
    clients: &Clients,
    rules: &Rules,
    metrics: &Metrics,
) -> Sweeper {
    Sweeper {
        engine: engine.clone(),
        kind,
        client: clients.request.clone(),
        rules: rules.clone(),
        interval: Duration::from_secs_f64(args.orphan_interval),
        dry_run: args.orphan_dry_run,
        metrics: metrics.clone(),
        found: Found::default(),
    }
}

fn context(
    args: &RunArgs,
    clients: &Clients,
    engine: Engine,
    rules: Rules,
    binder: Binder,
    metrics: Metrics,
) -> Context {
    let reporter = Reporter {
        controller: "transcribe-operator".to_owned(),
        instance: args.pod_name.clone(),
    };
    Context {
        kind: binder.kind,
        client: clients.request.clone(),
        engine,
        rules,
        binder,
        recorder: Recorder::new(clients.request.clone(), reporter),
        metrics,
        pass_timeout: Duration::from_secs(args.pass_timeout),
        // One replica, replaced by recreation: it leads as long as it lives.
        leader_for: || Duration::MAX,
        backoffs: Backoffs::default(),
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
