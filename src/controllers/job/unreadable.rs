//! Objects that do not parse: their conditions say so where possible, and they can be deleted.

use jiff::Timestamp;
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DynamicObject, Patch},
    runtime::controller::Action,
};
use serde_json::{Value, json};
use tracing::warn;

use crate::{
    api::{
        FINALIZER,
        conditions::{READY, RECONCILING, Reason, STALLED},
        status::JobStatus,
    },
    controllers::job::{
        context::{Context, bounded},
        error::Error,
    },
    domain::{event::Event, job::view::later},
    runtime::{
        clock::now,
        objects::{merge_params, without_finalizer},
        watch::WatchedJob,
    },
};

const MAX_MESSAGE_CHARS: usize = 500;

/// Reconciles an object that does not parse: removes its finalizer if it is being deleted, otherwise reports what is
/// wrong.
pub(super) async fn reconcile(watched: &WatchedJob, ctx: &Context) -> Result<Action, Error> {
    let Err(invalid) = &watched.0 else {
        return Ok(Action::await_change());
    };
    let (namespace, name) = (watched.namespace().unwrap_or_default(), watched.name_any());
    warn!(error = invalid.error, "a stored object cannot be read");
    let api = Api::<DynamicObject>::namespaced_with(ctx.client.clone(), &namespace, &ctx.kind.resource());
    let Some(raw) = bounded(api.get_opt(&name)).await? else {
        return Ok(Action::await_change());
    };
    let Some(deleted) = raw.metadata.deletion_timestamp.as_ref() else {
        let message = status_error(&raw.data).unwrap_or_else(|| invalid.error.clone());
        report(ctx, &api, &raw, Reason::Unreadable, &message).await?;
        return Ok(Action::await_change());
    };
    let bound = if may_be_in_flight(&raw.data) {
        ctx.limits.in_flight_bound()
    } else {
        std::time::Duration::ZERO
    };
    let until = later(deleted.0, bound);
    if now() <= until {
        let message =
            format!("what was submitted cannot be read, so the object waits until {until} for a late request");
        report(ctx, &api, &raw, Reason::Deleting, &message).await?;
        return Ok(Action::requeue(time_until(until)));
    }
    let finalizers = without_finalizer(&raw, FINALIZER);
    let metadata = json!({"finalizers": finalizers, "uid": raw.uid(), "resourceVersion": raw.resource_version()});
    bounded(api.patch(&name, &merge_params(), &Patch::Merge(json!({"metadata": metadata})))).await?;
    ctx.metrics.write("finalizer");
    Ok(Action::await_change())
}

/// The field of the status that does not parse, and why. `None`: the status parses.
fn status_error(object: &Value) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, JobStatus>(&object["status"]).err()?;
    Some(format!(
        "status.{}: {}; delete the object, or correct it with kubectl edit --subresource=status",
        error.path(),
        error.inner()
    ))
}

fn time_until(until: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(until.duration_since(now())).unwrap_or_default() + std::time::Duration::from_millis(1)
}

/// Whether there is an intent without clear evidence that its reply arrived.
fn may_be_in_flight(object: &Value) -> bool {
    let submission = &object["status"]["submission"];
    let answered = matches!(
        submission["outcome"].as_str(),
        Some("Acknowledged" | "Conflict" | "Refused" | "Ended")
    );
    !(submission.is_null() || answered && submission["inFlightUntil"].is_null())
}

/// Writes what is wrong to the conditions, if the API server accepts the write.
async fn report(
    ctx: &Context,
    api: &Api<DynamicObject>,
    raw: &DynamicObject,
    reason: Reason,
    message: &str,
) -> Result<(), Error> {
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    let shown = raw.data["status"]["conditions"].as_array().into_iter().flatten();
    let reported = shown
        .clone()
        .any(|c| c["type"] == STALLED && c["reason"] == reason.as_str() && c["message"] == *message);
    if reported {
        return Ok(());
    }
    let at = now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |type_: &str, status: &str| {
        json!({"type": type_, "status": status, "reason": reason.as_str(), "message": message,
               "lastTransitionTime": at, "observedGeneration": raw.metadata.generation})
    };
    let kept = shown
        .filter(|c| c["type"] != READY && c["type"] != STALLED && c["type"] != RECONCILING)
        .cloned();
    let conditions: Vec<Value> = [condition(READY, "False"), condition(STALLED, "True")]
        .into_iter()
        .chain(kept)
        .collect();
    let patch = json!({"metadata": {"resourceVersion": raw.resource_version()}, "status": {"conditions": conditions}});
    bounded(api.patch_status(&raw.name_any(), &merge_params(), &Patch::Merge(patch))).await?;
    ctx.metrics.write("status");
    Ok(())
}

/// Publishes an Event for an object whose spec breaks the CRD, because the API server then rejects every write of it,
/// status and finalizer included.
pub(super) async fn report_unwritable(watched: &WatchedJob, ctx: &Context, rejection: &str) {
    warn!(rejection, "an object cannot be written");
    let Ok(job) = &watched.0 else { return };
    let event = Event {
        warning: true,
        reason: Reason::InvalidSpec.as_str().to_owned(),
        note: format!(
            "nothing is submitted, and the status cannot say so: correct the spec or delete the object. {rejection}"
        ),
    };
    ctx.events.repeated(&job.object_ref(&ctx.kind.resource()), event).await;
}

/// Reports on the object, best effort, that its reconcile panicked or timed out.
pub(super) async fn report_broken(watched: &WatchedJob, ctx: &Context, error: &Error) {
    let namespace = watched.namespace().unwrap_or_default();
    let api = Api::<DynamicObject>::namespaced_with(ctx.client.clone(), &namespace, &ctx.kind.resource());
    let reported = async {
        let Some(raw) = bounded(api.get_opt(&watched.name_any())).await? else {
            return Ok(());
        };
        let message =
            format!("the operator failed on this object: {error}; it tries again. Other objects are not affected");
        report(ctx, &api, &raw, Reason::InternalError, &message).await
    };
    if let Err(error) = reported.await {
        warn!(%error, "a reconcile that panicked or timed out could not be reported on its object");
    }
}
