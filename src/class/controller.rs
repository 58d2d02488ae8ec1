//! The controller of classes: it keeps their status current, and lets a deleted one go when nothing is left of it.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use kube::{
    Api, Client, ResourceExt as _,
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
        class_words::AccessCheck,
        transcription_class::{CLASS_FINALIZER, TranscriptionClass},
    },
    engine::{
        limits::Counts,
        memory::{Memory, memory, remembered},
    },
    lifecycle::{Identity, KeyVerdict, class::default_class},
    runtime::{clock::now, metrics::Metrics},
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
    keys: Memory<(Option<String>, Option<i64>), KeyVerdict>,
}

impl Context {
    /// Puts it together.
    pub fn new(client: Client, classes: Arc<ClassStore>, counts: Counts, metrics: Metrics) -> Self {
        Self {
            client,
            classes,
            counts,
            metrics,
            keys: memory(1000),
        }
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
    let Ok(class) = &stored.0 else {
        warn!(
            class = stored.name_any(),
            "a class cannot be read, so nobody can use it"
        );
        return Ok(Action::await_change());
    };
    let leaving = class.metadata.deletion_timestamp.is_some();
    let held = class.finalizers().iter().any(|finalizer| finalizer == CLASS_FINALIZER);
    if leaving && !held {
        return Ok(Action::await_change());
    }
    if !leaving && !held {
        let all: Vec<_> = class
            .finalizers()
            .iter()
            .map(String::as_str)
            .chain([CLASS_FINALIZER])
            .collect();
        finalizers(&ctx, class, &all).await?;
        return Ok(Action::requeue(Duration::ZERO));
    }
    let seen = look(&ctx, class).await;
    if leaving && stays(class, &seen).is_none() {
        let others: Vec<_> = class
            .finalizers()
            .iter()
            .map(String::as_str)
            .filter(|f| *f != CLASS_FINALIZER)
            .collect();
        finalizers(&ctx, class, &others).await?;
        info!(class = class.name_any(), "nothing is left of the class");
        return Ok(Action::await_change());
    }
    let after = status(class, &seen, now());
    if class.status.as_ref() != Some(&after) {
        if let Err(fault) = &seen.identity {
            warn!(
                class = class.name_any(),
                code = fault.code,
                answer = fault.message,
                "no credentials"
            );
        }
        let api = Api::<TranscriptionClass>::all(ctx.client.clone());
        let written = TranscriptionClass {
            status: Some(after),
            ..class.clone()
        };
        api.replace_status(&class.name_any(), &PostParams::default(), &written)
            .await?;
        ctx.metrics.write("class");
    }
    Ok(Action::requeue(if leaving { LEAVING } else { LOOK }))
}

async fn finalizers(ctx: &Context, class: &TranscriptionClass, all: &[&str]) -> Result<(), Error> {
    let metadata = json!({"finalizers": all, "uid": class.uid(), "resourceVersion": class.resource_version()});
    let api = Api::<TranscriptionClass>::all(ctx.client.clone());
    let patch = Patch::Merge(json!({"metadata": metadata}));
    api.patch_metadata(&class.name_any(), &PatchParams::default(), &patch)
        .await?;
    ctx.metrics.write("class");
    Ok(())
}

async fn look(ctx: &Context, class: &TranscriptionClass) -> Seen {
    let session = ctx.classes.session(class).await;
    let identity = session.verify().await;
    let key = class
        .spec
        .encryption
        .as_ref()
        .and_then(|rules| rules.default_kms_key_id.as_ref());
    let key = match (key, &identity) {
        (Some(key), Ok(_)) => {
            let question = (class.uid(), class.metadata.generation);
            // Whether it may be used with the context of a job is judged with the job.
            let none = std::collections::BTreeMap::new();
            let ask = Box::pin(session.judge_key(key, &none, AccessCheck::Off, None));
            let good_for = |verdict: &KeyVerdict| match verdict {
                KeyVerdict::Usable { .. } => KEY_GOOD,
                KeyVerdict::NotAsked
                | KeyVerdict::NotNeeded
                | KeyVerdict::Refused(_)
                | KeyVerdict::Unsettled { .. } => KEY_BAD,
            };
            Some(remembered(&ctx.keys, &question, None, ask, good_for).await)
        }
        (Some(_), Err(_)) => Some(KeyVerdict::NotAsked),
        (None, _) => None,
    };
    let place = ctx.classes.place(class).await;
    let (jobs, leaving) = ctx.counts.jobs(&class.name_any());
    let seen = Seen {
        identity,
        key,
        jobs,
        leaving,
        default: default(ctx),
        shared: shared(ctx, class, place.as_ref()).await,
        records: place
            .as_ref()
            .and_then(|place| *ctx.classes.engine().places.at(place).records.borrow()),
    };
    if let Some(place) = place.filter(|_| stays(class, &seen).is_some()) {
        ctx.classes.engine().places.at(&place).sweep_soon.notify_one();
    }
    seen
}

fn default(ctx: &Context) -> Option<String> {
    let classes = ctx.classes.all();
    let live = classes.iter().map(AsRef::as_ref);
    let live = live.filter(|class: &&TranscriptionClass| class.metadata.deletion_timestamp.is_none());
    default_class(live).map(kube::ResourceExt::name_any)
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
