//! The controller of classes: it keeps their status current, and lets a deleted one go when nothing is left of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource as _, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::{
        Controller,
        controller::{Action, Config},
        reflector::Store,
        watcher,
    },
};
use serde_json::json;
use tracing::{debug, info, warn};

use super::{
    ClassStore,
    state::{Seen, status, stays},
    watch::StoredClass,
};
use crate::{
    api::{
        Kind,
        class_words::AccessCheck,
        conditions::{READY, Reason},
        transcription_class::{CLASS_FINALIZER, TranscriptionClass},
    },
    engine::{
        limits::Counts,
        memory::{Memory, memory, remembered},
        session::Session,
    },
    lifecycle::{Identity, KeyVerdict, class::default_class},
    runtime::{admin::Readiness, clock::now, metrics::Metrics},
};

/// How often a class is looked at: its jobs come and go.
const LOOK: Duration = Duration::from_secs(5);
/// How often one that is being deleted is.
const LEAVING: Duration = Duration::from_secs(1);
/// How often AWS KMS is asked about a default key that is in order.
const KEY_GOOD: Duration = Duration::from_mins(5);
/// How often about one that is not.
const KEY_BAD: Duration = Duration::from_secs(15);
/// No look takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// What is needed.
pub struct Context {
    client: Client,
    classes: Arc<ClassStore>,
    counts: Counts,
    metrics: Metrics,
    ready: Readiness,
    /// Since when nothing of a class that is being deleted is submitted, by uid. Forgetting it costs time only.
    quiet: Mutex<HashMap<String, Timestamp>>,
    keys: Memory<(Option<String>, Option<i64>), KeyVerdict>,
}

impl Context {
    /// Puts it together.
    pub fn new(client: Client, classes: Arc<ClassStore>, counts: Counts, metrics: Metrics, ready: Readiness) -> Self {
        Self {
            client,
            classes,
            counts,
            metrics,
            ready,
            quiet: Mutex::default(),
            keys: memory(1000),
        }
    }

    /// The objects of every kind are listed.
    fn knows_all_jobs(&self) -> bool {
        !Kind::ALL.iter().any(|kind| self.ready.awaits(kind.plural()))
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    #[error("the look took longer than allowed")]
    Hung,
}

/// Runs until the process ends.
pub async fn run(
    ctx: Arc<Context>,
    store: Store<StoredClass>,
    classes: impl Stream<Item = Result<StoredClass, watcher::Error>> + Send + 'static,
) {
    Controller::for_stream(classes, store)
        .with_config(Config::default().concurrency(8))
        .run(
            async |class, ctx| {
                let look = tokio::time::timeout(LONGEST, Box::pin(pass(class, ctx)));
                look.await.unwrap_or(Err(Error::Hung))
            },
            |_, _, _| Action::requeue(LOOK),
            ctx,
        )
        .for_each(async |result| {
            if let Err(error) = result {
                debug!(%error, "a look at a class ended early");
            }
        })
        .await;
}

async fn pass(stored: Arc<StoredClass>, ctx: Arc<Context>) -> Result<Action, Error> {
    let class = match &stored.0 {
        Ok(class) => class,
        Err(invalid) => return unreadable(&ctx, &stored, &invalid.error).await,
    };
    let held = class.finalizers().iter().any(|finalizer| finalizer == CLASS_FINALIZER);
    match (class.metadata.deletion_timestamp.is_some(), held) {
        (true, false) => Ok(Action::await_change()),
        (false, false) => {
            finalizers(&ctx, class, true).await?;
            Ok(Action::requeue(Duration::ZERO))
        }
        (false, true) => {
            let seen = look(&ctx, class).await;
            report(&ctx, class, &seen).await?;
            Ok(Action::requeue(LOOK))
        }
        (true, true) => leave(&ctx, class).await,
    }
}

/// A class that cannot be read admits nobody, and says so. Where it worked is not known, so it goes as soon as no job is left.
async fn unreadable(ctx: &Context, class: &StoredClass, error: &str) -> Result<Action, Error> {
    warn!(class = class.name_any(), error, "a class cannot be read");
    if class.meta().deletion_timestamp.is_some() {
        let (jobs, leaving) = ctx.counts.jobs(&class.name_any());
        if !ctx.knows_all_jobs() || jobs.running > 0 || leaving > 0 {
            return Ok(Action::requeue(LEAVING));
        }
        finalizers(ctx, class, false).await?;
        return Ok(Action::await_change());
    }
    let message = format!("the class cannot be read, so nobody can use it; correct or delete it: {error}");
    let condition = json!({
        "type": READY, "status": "False", "reason": Reason::Unreadable.as_str(), "message": message,
        // Always the same, so that writing it again changes nothing.
        "lastTransitionTime": class.meta().creation_timestamp,
    });
    let patch = Patch::Merge(json!({"status": {"conditions": [condition]}}));
    let api = Api::<StoredClass>::all(ctx.client.clone());
    api.patch_status(&class.name_any(), &PatchParams::default(), &patch)
        .await?;
    Ok(Action::await_change())
}

/// Lets a class that is being deleted go, or says why it stays.
async fn leave(ctx: &Context, class: &TranscriptionClass) -> Result<Action, Error> {
    let seen = look(ctx, class).await;
    if stays(class, &seen).is_some() {
        report(ctx, class, &seen).await?;
        return Ok(Action::requeue(LEAVING));
    }
    finalizers(ctx, class, false).await?;
    quiet_since(ctx, class, false);
    info!(class = class.name_any(), "nothing is left of the class");
    Ok(Action::await_change())
}

/// Writes the status, if it is another one.
async fn report(ctx: &Context, class: &TranscriptionClass, seen: &Seen) -> Result<(), Error> {
    let after = status(class, seen, now());
    if class.status.as_ref() == Some(&after) {
        return Ok(());
    }
    if let Err(fault) = &seen.identity {
        let (code, answer) = (&fault.code, fault.in_full());
        warn!(class = class.name_any(), code, answer, "the class has no credentials");
    }
    let api = Api::<TranscriptionClass>::all(ctx.client.clone());
    let written = TranscriptionClass {
        status: Some(after),
        ..class.clone()
    };
    api.replace_status(&class.name_any(), &PostParams::default(), &written)
        .await?;
    ctx.metrics.write("class");
    Ok(())
}

/// Sets or removes the finalizer, and leaves those of others.
async fn finalizers(ctx: &Context, class: &impl ResourceExt, ours: bool) -> Result<(), Error> {
    let others = class.finalizers().iter().map(String::as_str);
    let others = others.filter(|finalizer| *finalizer != CLASS_FINALIZER);
    let all: Vec<_> = others.chain(ours.then_some(CLASS_FINALIZER)).collect();
    let metadata = json!({"finalizers": all, "uid": class.uid(), "resourceVersion": class.resource_version()});
    let api = Api::<TranscriptionClass>::all(ctx.client.clone());
    let patch = Patch::Merge(json!({"metadata": metadata}));
    api.patch_metadata(&class.name_any(), &PatchParams::default(), &patch)
        .await?;
    ctx.metrics.write("class");
    Ok(())
}

/// What AWS KMS says of the default key. Whether it may be used with the context of a job is judged with the job.
async fn default_key(ctx: &Context, class: &TranscriptionClass, session: &Session) -> Option<KeyVerdict> {
    let key = class.spec.encryption.as_ref()?.default_kms_key_id.as_ref()?;
    let question = (class.uid(), class.metadata.generation);
    let none = BTreeMap::new();
    let ask = Box::pin(session.judge_key(key, &none, AccessCheck::Off, None));
    let good_for = |verdict: &KeyVerdict| match verdict {
        KeyVerdict::Usable { .. } => KEY_GOOD,
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded | KeyVerdict::Refused(_) | KeyVerdict::Unsettled { .. } => KEY_BAD,
    };
    Some(remembered(&ctx.keys, &question, None, ask, good_for).await)
}

async fn look(ctx: &Context, class: &TranscriptionClass) -> Seen {
    let session = ctx.classes.session(class).await;
    let identity = session.verify().await;
    let key = match &identity {
        Ok(_) => default_key(ctx, class, &session).await,
        Err(_) => None,
    };
    let place = ctx.classes.place(class).await;
    let jobs = ctx.knows_all_jobs().then(|| ctx.counts.jobs(&class.name_any()));
    let seen = Seen {
        identity,
        key,
        jobs,
        quiet_since: quiet_since(
            ctx,
            class,
            jobs.is_some_and(|(jobs, leaving)| jobs.running == 0 && leaving == 0),
        ),
        default: default(ctx),
        shared: shared(ctx, class, place.as_ref()).await,
        records: place
            .as_ref()
            .and_then(|place| ctx.classes.engine().places.at(place).records()),
    };
    if let Some(place) = place.filter(|_| stays(class, &seen).is_some()) {
        ctx.classes.engine().places.at(&place).search_soon();
    }
    seen
}

/// A search for records counts only when it began after the last job was gone.
fn quiet_since(ctx: &Context, class: &TranscriptionClass, quiet: bool) -> Option<Timestamp> {
    let mut known = ctx.quiet.lock().unwrap_or_else(PoisonError::into_inner);
    let uid = class.uid().unwrap_or_default();
    if quiet && class.metadata.deletion_timestamp.is_some() {
        return Some(*known.entry(uid).or_insert_with(now));
    }
    known.remove(&uid);
    None
}

fn default(ctx: &Context) -> Option<String> {
    let classes = ctx.classes.all();
    let live = classes.iter().map(AsRef::as_ref);
    let live = live.filter(|class: &&TranscriptionClass| class.metadata.deletion_timestamp.is_none());
    default_class(live).map(ResourceExt::name_any)
}

/// Another class, one that stays, works in the same place.
async fn shared(ctx: &Context, class: &TranscriptionClass, place: Option<&Identity>) -> bool {
    let Some(place) = place else { return false };
    for other in ctx.classes.all().iter() {
        let stays = other.metadata.deletion_timestamp.is_none() && other.uid() != class.uid();
        if stays && ctx.classes.place(other).await.as_ref() == Some(place) {
            return true;
        }
    }
    false
}
