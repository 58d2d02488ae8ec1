//! The job controller: one watch, isolated reconciles, and a graceful shutdown.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use kube::{
    Api, Resource as _, ResourceExt as _,
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

use crate::{
    api::common::JobControls,
    controllers::job::{context::Context, error::Error, reconcile::reconcile, unreadable},
    domain::{JobView, event::Event},
    runtime::{
        admin::Readiness,
        watch::{WATCH_SECONDS, WatchedJob},
    },
};

/// The code with which the API server rejects a write that breaks the CRD's schema.
const UNPROCESSABLE: u16 = 422;
/// Fewer conflicts in a row are not reported: the next reconcile resolves them, unless somebody else writes all the
/// time.
const TOLERATED_CONFLICTS: u32 = 3;

/// The cache of a controller that is not running yet.
#[derive(Debug)]
pub struct Cache {
    /// The reading side.
    pub store: Store<WatchedJob>,
    writer: Writer<WatchedJob>,
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

/// Runs until `stop` resolves and the running reconciles have finished.
pub async fn run(
    ctx: Arc<Context>,
    watch_client: kube::Client,
    cache: Cache,
    wake: mpsc::Receiver<ObjectRef<WatchedJob>>,
    concurrency: u16,
    ready: Readiness,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let kind = ctx.kind;
    let resource = kind.resource();
    let api = Api::<WatchedJob>::all_with(watch_client, &resource);
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
        .run(logged, error_policy, ctx)
        .for_each(async |result| {
            if let Err(error) = result {
                debug!(%error, "a reconcile ended early");
            }
        })
        .await;
}

/// Drops from the cached copy what a reconcile does not read there, to save memory. Writes always start from a fresh
/// read.
fn slim(watched: &mut WatchedJob) {
    let Ok(job) = &mut watched.0 else { return };
    job.metadata.managed_fields = None;
    if JobView::of(job).finished() {
        job.spec = serde_json::to_value(JobControls::read(&job.spec)).unwrap_or(Value::Null);
    }
}

/// Runs a reconcile in a span that names its object, so that every log line does.
async fn logged(watched: Arc<WatchedJob>, ctx: Arc<Context>) -> Result<Action, Error> {
    let object = format!("{}/{}", watched.namespace().unwrap_or_default(), watched.name_any());
    let span = info_span!("reconcile", object, uid = uid(&watched));
    async {
        let run = Box::pin(reconcile(watched.clone(), ctx.clone()));
        let result = contained(run, ctx.reconcile_timeout).await;
        count(&watched, &ctx, &result).await;
        result
    }
    .instrument(span)
    .await
}

/// Turns a panic or a timeout of a reconcile into an error, so that other reconciles go on.
async fn contained(reconcile: impl Future<Output = Result<Action, Error>>, longest: Duration) -> Result<Action, Error> {
    let run = AssertUnwindSafe(reconcile).catch_unwind();
    match tokio::time::timeout(longest, run).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::Panicked),
        Err(_) => Err(Error::TimedOut),
    }
}

/// Counts the result of a reconcile, and reports errors on the object.
async fn count(watched: &WatchedJob, ctx: &Context, result: &Result<Action, Error>) {
    match result {
        Ok(_) => {
            ctx.backoffs.forget(&uid(watched));
            ctx.metrics.reconcile(ctx.kind, "success");
        }
        Err(broken @ (Error::Panicked | Error::TimedOut)) => {
            error!(error = %broken, "a reconcile broke");
            unreadable::report_broken(watched, ctx, broken).await;
            ctx.metrics.reconcile(ctx.kind, "broken");
        }
        Err(Error::Api(kube::Error::Api(status))) if breaks_the_crd(status) => {
            unreadable::report_unwritable(watched, ctx, &status.message).await;
            ctx.metrics.reconcile(ctx.kind, "retry");
        }
        Err(error @ (Error::Api(_) | Error::ApiTimeout)) => {
            debug!(%error, "a reconcile failed and will be retried");
            let in_a_row = ctx.backoffs.failed(&uid(watched));
            report_refused_write(watched, ctx, error, in_a_row).await;
            ctx.metrics.reconcile(ctx.kind, "retry");
        }
    }
}

/// Whether the schema rejected a write. An admission policy may answer with the same code, but then no cause names a
/// field.
fn breaks_the_crd(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == UNPROCESSABLE && causes.into_iter().any(|cause| !cause.field.is_empty())
}

/// Publishes an Event when the API server rejects a write, because then it would reject a status as well.
async fn report_refused_write(watched: &WatchedJob, ctx: &Context, error: &Error, in_a_row: u32) {
    let Error::Api(kube::Error::Api(status)) = error else {
        return;
    };
    let transient = matches!(status.code, 404 | 410 | 429) || (status.is_conflict() && in_a_row < TOLERATED_CONFLICTS);
    if transient || !(400..500).contains(&status.code) {
        return;
    }
    let note = format!(
        "the API server rejects the operator's write ({}); it is retried, and no job is started meanwhile",
        status.message
    );
    let event = Event {
        warning: true,
        reason: "WriteRefused".to_owned(),
        note,
    };
    ctx.events
        .repeated(&watched.object_ref(&ctx.kind.resource()), event)
        .await;
}

#[expect(clippy::needless_pass_by_value, reason = "kube requires this signature")]
fn error_policy(watched: Arc<WatchedJob>, _error: &Error, ctx: Arc<Context>) -> Action {
    Action::requeue(ctx.backoffs.next(&uid(&watched)))
}

fn uid(watched: &WatchedJob) -> String {
    watched.uid().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reconcile_that_panics_or_hangs_ends() {
        let longest = Duration::from_mins(1);
        let panics = contained(async { panic!("a defect") }, longest).await;
        assert!(matches!(panics, Err(Error::Panicked)), "{panics:?}");
        let hangs = contained(std::future::pending(), Duration::ZERO).await;
        assert!(matches!(hangs, Err(Error::TimedOut)), "{hangs:?}");
        let ends = contained(async { Ok(Action::await_change()) }, longest).await;
        assert!(ends.is_ok(), "{ends:?}");
    }
}
