//! The controller: one watch, passes that cannot take others down, and a graceful end.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, StreamExt as _, stream};
use kube::{
    Api, ResourceExt as _,
    core::Status,
    runtime::{
        Controller, WatchStreamExt as _,
        controller::{Action, Config},
        reflector::{ObjectRef, Store, store::Writer},
        watcher,
    },
};
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::{Instrument as _, debug, error, info_span, warn};

use super::{Error, Stored, context::Context, pass, report, unreadable};
use crate::{api::common::JobControls, lifecycle::Subject, runtime::admin::Readiness};

/// Load balancers in front of API servers drop silent connections after four minutes and more.
pub(crate) const WATCH_SECONDS: u32 = 200;
/// How the API server answers a write of what breaks the CRD.
const UNPROCESSABLE: u16 = 422;

/// The cache of a controller, before it runs.
#[derive(Debug)]
pub struct Cache {
    /// For readers.
    pub store: Store<Stored>,
    writer: Writer<Stored>,
}

impl Cache {
    /// An empty cache for a kind.
    pub fn new(kind: crate::api::Kind) -> Self {
        let writer = Writer::new(kind.resource());
        Self {
            store: writer.as_reader(),
            writer,
        }
    }
}

/// Runs until `stop` resolves and the passes that run have ended.
pub async fn run(
    ctx: Arc<Context>,
    watch_client: kube::Client,
    cache: Cache,
    wake: mpsc::Receiver<ObjectRef<Stored>>,
    concurrency: u16,
    ready: Readiness,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let kind = ctx.kind;
    let resource = kind.resource();
    let api = Api::<Stored>::all_with(watch_client, &resource);
    let Cache { store, writer } = cache;
    let objects = watcher(api, watcher::Config::default().timeout(WATCH_SECONDS))
        .default_backoff()
        .inspect(move |event| match event {
            Ok(watcher::Event::InitDone) => ready.done(kind.plural()),
            Err(error) => warn!(kind = kind.name(), %error, "the watch of the objects was interrupted"),
            Ok(_) => {}
        })
        .modify(slim)
        .reflect(writer)
        .applied_objects();
    let woken = stream::unfold(wake, async |mut wake| wake.recv().await.map(|object| (object, wake)));
    Controller::for_stream_with(objects, store, resource)
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_on(woken)
        .graceful_shutdown_on(stop)
        .run(logged, retry, ctx)
        .for_each(async |result| {
            if let Err(error) = result {
                debug!(%error, "a pass ended early");
            }
        })
        .await;
}

/// Drops from the cache what passes over cached copies do not need. Whatever is written comes from a fresh read.
fn slim(stored: &mut Stored) {
    let Ok(job) = &mut stored.0 else { return };
    job.metadata.managed_fields = None;
    if Subject::of(job).finished() {
        let controls = serde_json::to_value(JobControls::read(&job.spec)).unwrap_or(Value::Null);
        job.spec = controls;
    }
}

/// Each line of the log that a pass writes says of which object it is.
async fn logged(stored: Arc<Stored>, ctx: Arc<Context>) -> Result<Action, Error> {
    let object = format!("{}/{}", stored.namespace().unwrap_or_default(), stored.name_any());
    let span = info_span!("pass", object, uid = uid(&stored));
    guarded(stored, ctx).instrument(span).await
}

/// A pass that panics or hangs ends here.
async fn guarded(stored: Arc<Stored>, ctx: Arc<Context>) -> Result<Action, Error> {
    let run = Box::pin(AssertUnwindSafe(pass(stored.clone(), ctx.clone())).catch_unwind());
    let result = match tokio::time::timeout(ctx.pass_timeout, run).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::Panicked),
        Err(_) => Err(Error::Hung),
    };
    match &result {
        Ok(_) => {
            ctx.backoffs.forget(&uid(&stored));
            ctx.metrics.pass("done");
        }
        Err(broken @ (Error::Panicked | Error::Hung)) => {
            error!(error = %broken, "a pass broke");
            unreadable::say_broken(&stored, &ctx, broken).await;
            ctx.metrics.pass("broken");
        }
        Err(Error::Api(kube::Error::Api(status))) if breaks_the_crd(status) => {
            unreadable::say_unwritable(&stored, &ctx, &status.message).await;
            ctx.metrics.pass("again");
        }
        Err(error @ (Error::Api(_) | Error::ApiTimeout)) => {
            debug!(%error, "a pass is tried again");
            let in_a_row = ctx.backoffs.failed(&uid(&stored));
            report::tell_refused(&ctx, &stored, error, in_a_row).await;
            ctx.metrics.pass("again");
        }
    }
    result
}

/// The schema names the fields that are wrong; a policy that denies a write answers with the same code and names none.
fn breaks_the_crd(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == UNPROCESSABLE && causes.into_iter().any(|cause| !cause.field.is_empty())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that kube wants")]
fn retry(stored: Arc<Stored>, _error: &Error, ctx: Arc<Context>) -> Action {
    Action::requeue(ctx.backoffs.next(&uid(&stored)))
}

fn uid(stored: &Stored) -> String {
    stored.uid().unwrap_or_default()
}
