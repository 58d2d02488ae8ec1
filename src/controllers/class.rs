//! The class controller: keeps the status of each class current, and removes the finalizer of a deleted class once
//! nothing of it is left.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource as _, ResourceExt,
    api::Patch,
    runtime::{
        Controller,
        controller::{Action, Config},
        reflector::Store,
        watcher,
    },
};
use parking_lot::Mutex;
use serde_json::json;
use tracing::{debug, info, warn};

use crate::{
    accounts::{limits::RunningJobs, session::Session},
    api::{
        Kind,
        class_patterns::AccessCheck,
        conditions::{READY, Reason},
        transcription_class::{CLASS_FINALIZER, TranscriptionClass},
    },
    domain::{
        AccountRegion, KeyVerdict,
        class::{
            selection::default_class,
            status::{ClassObservation, status, stays},
        },
    },
    runtime::{
        admin::Readiness,
        clock::now,
        metrics::Metrics,
        objects::{merge_params, post_params, with_finalizer, without_finalizer},
        ttl_cache::TtlCache,
    },
    tenancy::{ClassStore, watch::WatchedClass},
};

/// How often a class is reconciled, because its jobs come and go.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often a class that is being deleted is reconciled.
const DELETION_INTERVAL: Duration = Duration::from_secs(1);
/// How long the verdict on a usable default key is cached.
const USABLE_KEY_TTL: Duration = Duration::from_mins(5);
/// How long any other verdict on the default key is cached.
const OTHER_KEY_TTL: Duration = Duration::from_secs(15);
/// A reconcile that takes longer is aborted.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(30);

/// What every reconcile of a class needs.
pub struct Context {
    client: Client,
    classes: Arc<ClassStore>,
    running: RunningJobs,
    metrics: Metrics,
    ready: Readiness,
    /// Since when a class that is being deleted has no jobs, by uid. Losing this costs time only.
    idle_since: Mutex<HashMap<String, Timestamp>>,
    keys: TtlCache<(Option<String>, Option<i64>), KeyVerdict>,
}

impl Context {
    /// A context for all classes.
    pub fn new(
        client: Client,
        classes: Arc<ClassStore>,
        running: RunningJobs,
        metrics: Metrics,
        ready: Readiness,
    ) -> Self {
        Self {
            client,
            classes,
            running,
            metrics,
            ready,
            idle_since: Mutex::default(),
            keys: TtlCache::new(1000),
        }
    }

    /// Whether the objects of every kind are listed.
    fn knows_all_jobs(&self) -> bool {
        !Kind::ALL.iter().any(|kind| self.ready.awaits(kind.plural()))
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    #[error("the reconcile took longer than allowed")]
    TimedOut,
}

/// Runs until the process ends.
pub async fn run(
    ctx: Arc<Context>,
    store: Store<WatchedClass>,
    classes: impl Stream<Item = Result<WatchedClass, watcher::Error>> + Send + 'static,
) {
    Controller::for_stream(classes, store)
        .with_config(Config::default().concurrency(8))
        .run(
            async |class, ctx| {
                let bounded = tokio::time::timeout(RECONCILE_TIMEOUT, Box::pin(reconcile(class, ctx)));
                bounded.await.unwrap_or(Err(Error::TimedOut))
            },
            |_, _, _| Action::requeue(INTERVAL),
            ctx,
        )
        .for_each(async |result| {
            if let Err(error) = result {
                debug!(%error, "a reconcile of a class ended early");
            }
        })
        .await;
}

async fn reconcile(stored: Arc<WatchedClass>, ctx: Arc<Context>) -> Result<Action, Error> {
    let class = match &stored.0 {
        Ok(class) => class,
        Err(invalid) => return unreadable(&ctx, &stored, &invalid.error).await,
    };
    let has_finalizer = class.finalizers().iter().any(|finalizer| finalizer == CLASS_FINALIZER);
    match (class.metadata.deletion_timestamp.is_some(), has_finalizer) {
        (true, false) => Ok(Action::await_change()),
        (false, false) => {
            set_finalizer(&ctx, class, true).await?;
            Ok(Action::requeue(Duration::ZERO))
        }
        (false, true) => {
            let observation = observe(&ctx, class).await;
            report(&ctx, class, &observation).await?;
            Ok(Action::requeue(INTERVAL))
        }
        (true, true) => finalize(&ctx, class).await,
    }
}

/// Reconciles a class that does not parse. Nobody can use it, and its status says so. Its account is not known, so a
/// deleted one goes as soon as it has no jobs, without a search for its records.
async fn unreadable(ctx: &Context, class: &WatchedClass, error: &str) -> Result<Action, Error> {
    warn!(class = class.name_any(), error, "a class cannot be read");
    if class.meta().deletion_timestamp.is_some() {
        let (jobs, leaving) = ctx.running.jobs(&class.name_any());
        if !ctx.knows_all_jobs() || jobs.running > 0 || leaving > 0 {
            return Ok(Action::requeue(DELETION_INTERVAL));
        }
        set_finalizer(ctx, class, false).await?;
        return Ok(Action::await_change());
    }
    let message = format!("the class cannot be read, so nobody can use it; correct or delete it: {error}");
    let condition = json!({
        "type": READY, "status": "False", "reason": Reason::Unreadable.as_str(), "message": message,
        // A fixed time, so that writing the condition again changes nothing.
        "lastTransitionTime": class.meta().creation_timestamp,
    });
    let patch = Patch::Merge(json!({"status": {"conditions": [condition]}}));
    let api = Api::<WatchedClass>::all(ctx.client.clone());
    api.patch_status(&class.name_any(), &merge_params(), &patch).await?;
    Ok(Action::await_change())
}

/// Removes the finalizer of a class that is being deleted, or reports why it has to stay.
async fn finalize(ctx: &Context, class: &TranscriptionClass) -> Result<Action, Error> {
    let observation = observe(ctx, class).await;
    if stays(class, &observation).is_some() {
        report(ctx, class, &observation).await?;
        return Ok(Action::requeue(DELETION_INTERVAL));
    }
    set_finalizer(ctx, class, false).await?;
    note_idle_since(ctx, class, false);
    info!(
        class = class.name_any(),
        "removed the finalizer of the class: nothing of it is left"
    );
    Ok(Action::await_change())
}

/// Writes the status if it changed.
async fn report(ctx: &Context, class: &TranscriptionClass, observation: &ClassObservation) -> Result<(), Error> {
    let after = status(class, observation, now());
    if class.status.as_ref() == Some(&after) {
        return Ok(());
    }
    if let Err(fault) = &observation.identity {
        let (code, answer) = (&fault.code, fault.detail());
        warn!(class = class.name_any(), code, answer, "the class has no credentials");
    }
    let api = Api::<TranscriptionClass>::all(ctx.client.clone());
    let written = TranscriptionClass {
        status: Some(after),
        ..class.clone()
    };
    api.replace_status(&class.name_any(), &post_params(), &written).await?;
    ctx.metrics.write("class");
    Ok(())
}

/// Adds or removes our finalizer, and keeps those of others.
async fn set_finalizer(ctx: &Context, class: &impl ResourceExt, ours: bool) -> Result<(), Error> {
    let all = if ours {
        with_finalizer(class, CLASS_FINALIZER)
    } else {
        without_finalizer(class, CLASS_FINALIZER)
    };
    let metadata = json!({"finalizers": all, "uid": class.uid(), "resourceVersion": class.resource_version()});
    let api = Api::<TranscriptionClass>::all(ctx.client.clone());
    let patch = Patch::Merge(json!({"metadata": metadata}));
    api.patch_metadata(&class.name_any(), &merge_params(), &patch).await?;
    ctx.metrics.write("class");
    Ok(())
}

/// The verdict of AWS KMS on the default key, cached. Whether the key works with the context of a job is checked for
/// each job.
async fn default_key(ctx: &Context, class: &TranscriptionClass, session: &Session) -> Option<KeyVerdict> {
    let key = class.spec.encryption.as_ref()?.default_kms_key_id.as_ref()?;
    let question = (class.uid(), class.metadata.generation);
    let none = BTreeMap::new();
    let ask = Box::pin(session.judge_key(key, &none, AccessCheck::Off, None));
    let ttl = |verdict: &KeyVerdict| match verdict {
        KeyVerdict::Usable { .. } => USABLE_KEY_TTL,
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded | KeyVerdict::Refused(_) | KeyVerdict::Unsettled { .. } => {
            OTHER_KEY_TTL
        }
    };
    Some(ctx.keys.get_or_fetch(&question, None, ask, ttl).await)
}

async fn observe(ctx: &Context, class: &TranscriptionClass) -> ClassObservation {
    let session = ctx.classes.session(class).await;
    let identity = session.verify().await;
    let key = match &identity {
        Ok(_) => default_key(ctx, class, &session).await,
        Err(_) => None,
    };
    let at = ctx.classes.place(class).await;
    let jobs = ctx.knows_all_jobs().then(|| ctx.running.jobs(&class.name_any()));
    let observation = ClassObservation {
        identity,
        key,
        jobs,
        quiet_since: note_idle_since(
            ctx,
            class,
            jobs.is_some_and(|(jobs, leaving)| jobs.running == 0 && leaving == 0),
        ),
        default: default_class_name(ctx),
        shared: has_other_class(ctx, class, at.as_ref()).await,
        orphans: at.as_ref().and_then(|at| ctx.classes.accounts().at(at).orphans()),
    };
    if let Some(at) = at.filter(|_| stays(class, &observation).is_some()) {
        ctx.classes.accounts().at(&at).search_soon();
    }
    observation
}

/// Notes since when a class that is being deleted has no jobs: only a search for records that began later counts.
fn note_idle_since(ctx: &Context, class: &TranscriptionClass, idle: bool) -> Option<Timestamp> {
    let mut known = ctx.idle_since.lock();
    let uid = class.uid().unwrap_or_default();
    if idle && class.metadata.deletion_timestamp.is_some() {
        return Some(*known.entry(uid).or_insert_with(now));
    }
    known.remove(&uid);
    None
}

fn default_class_name(ctx: &Context) -> Option<String> {
    let classes = ctx.classes.all();
    let live = classes.iter().map(AsRef::as_ref);
    let live = live.filter(|class: &&TranscriptionClass| class.metadata.deletion_timestamp.is_none());
    default_class(live).map(ResourceExt::name_any)
}

/// Whether another class, one that is not being deleted, has the same account and Region.
async fn has_other_class(ctx: &Context, class: &TranscriptionClass, at: Option<&AccountRegion>) -> bool {
    let Some(at) = at else { return false };
    for other in ctx.classes.all().iter() {
        let stays = other.metadata.deletion_timestamp.is_none() && other.uid() != class.uid();
        if stays && ctx.classes.place(other).await.as_ref() == Some(at) {
            return true;
        }
    }
    false
}
