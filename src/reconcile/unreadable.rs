//! Objects that cannot be read: they say so where they can, and they can be deleted.

use jiff::Timestamp;
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams},
    runtime::controller::Action,
};
use serde_json::{Value, json};
use tracing::warn;

use super::{
    Error, Stored,
    context::{Context, bounded},
    report::tell,
};
use crate::{
    api::{
        FINALIZER,
        conditions::{READY, Reason, STALLED},
        status::JobStatus,
    },
    lifecycle::{status::Announcement, subject::later},
    runtime::clock::now,
};

const LONGEST_MESSAGE: usize = 500;

/// A pass over an object that cannot be read: release it if it is being deleted, otherwise say what is wrong.
pub(super) async fn pass(stored: &Stored, ctx: &Context) -> Result<Action, Error> {
    let Err(invalid) = &stored.0 else {
        return Ok(Action::await_change());
    };
    let (namespace, name) = (stored.namespace().unwrap_or_default(), stored.name_any());
    warn!(error = invalid.error, "a stored object cannot be read");
    let api = Api::<DynamicObject>::namespaced_with(ctx.client.clone(), &namespace, &ctx.kind.resource());
    let Some(raw) = bounded(api.get_opt(&name)).await? else {
        return Ok(Action::await_change());
    };
    let Some(deleted) = raw.metadata.deletion_timestamp.as_ref() else {
        let message = place(&raw.data).unwrap_or_else(|| invalid.error.clone());
        say(ctx, &api, &raw, Reason::Unreadable, &message).await?;
        return Ok(Action::await_change());
    };
    let bound = if may_be_in_flight(&raw.data) {
        ctx.rules.in_flight_bound()
    } else {
        std::time::Duration::ZERO
    };
    let until = later(deleted.0, bound);
    if now() <= until {
        let message =
            format!("what was submitted cannot be read, so the object waits until {until} for a late request");
        say(ctx, &api, &raw, Reason::Deleting, &message).await?;
        return Ok(Action::requeue(until_then(until)));
    }
    let finalizers: Vec<_> = raw.finalizers().iter().filter(|f| *f != FINALIZER).collect();
    let metadata = json!({"finalizers": finalizers, "uid": raw.uid(), "resourceVersion": raw.resource_version()});
    bounded(api.patch(
        &name,
        &PatchParams::default(),
        &Patch::Merge(json!({"metadata": metadata})),
    ))
    .await?;
    ctx.metrics.write("finalizer");
    Ok(Action::await_change())
}

/// The member of the status that cannot be read, and why.
fn place(object: &Value) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, JobStatus>(&object["status"]).err()?;
    Some(format!(
        "status.{}: {}; delete the object, or correct it with kubectl edit --subresource=status",
        error.path(),
        error.inner()
    ))
}

fn until_then(until: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(until.duration_since(now())).unwrap_or_default() + std::time::Duration::from_millis(1)
}

/// There is an intent, and it does not say plainly that its reply arrived.
fn may_be_in_flight(object: &Value) -> bool {
    let submission = &object["status"]["submission"];
    let answered = matches!(
        submission["outcome"].as_str(),
        Some("Acknowledged" | "Conflict" | "Refused" | "Ended")
    );
    !(submission.is_null() || answered && submission["strayUntil"].is_null())
}

/// Says what is wrong in the conditions, as far as the API server lets us.
pub(super) async fn say(
    ctx: &Context,
    api: &Api<DynamicObject>,
    raw: &DynamicObject,
    reason: Reason,
    message: &str,
) -> Result<(), Error> {
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    let shown = raw.data["status"]["conditions"].as_array().into_iter().flatten();
    let told = shown
        .clone()
        .any(|c| c["type"] == STALLED && c["reason"] == reason.as_str() && c["message"] == *message);
    if told {
        return Ok(());
    }
    let at = now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |type_: &str, status: &str| {
        json!({"type": type_, "status": status, "reason": reason.as_str(), "message": message,
               "lastTransitionTime": at, "observedGeneration": raw.metadata.generation})
    };
    let kept = shown
        .filter(|c| c["type"] != READY && c["type"] != STALLED && c["type"] != "Reconciling")
        .cloned();
    let conditions: Vec<Value> = [condition(READY, "False"), condition(STALLED, "True")]
        .into_iter()
        .chain(kept)
        .collect();
    let patch = json!({"metadata": {"resourceVersion": raw.resource_version()}, "status": {"conditions": conditions}});
    bounded(api.patch_status(&raw.name_any(), &PatchParams::default(), &Patch::Merge(patch))).await?;
    ctx.metrics.write("status");
    Ok(())
}

/// The API server takes no write of the object, status and finalizer included, because its spec breaks the CRD: an Event can
/// still say so.
pub(super) async fn say_unwritable(stored: &Stored, ctx: &Context, refusal: &str) {
    warn!(refusal, "an object cannot be written");
    let Ok(job) = &stored.0 else { return };
    let announcement = Announcement {
        warning: true,
        reason: Reason::InvalidSpec.as_str().to_owned(),
        note: format!(
            "nothing is submitted, and the status cannot say so: correct the spec or delete the object. {refusal}"
        ),
    };
    tell(ctx, &job.object_ref(&ctx.kind.resource()), announcement).await;
}

/// After a pass that panicked or hung: says so on the object, best effort.
pub(super) async fn say_broken(stored: &Stored, ctx: &Context, error: &Error) {
    let namespace = stored.namespace().unwrap_or_default();
    let api = Api::<DynamicObject>::namespaced_with(ctx.client.clone(), &namespace, &ctx.kind.resource());
    let told = async {
        let Some(raw) = bounded(api.get_opt(&stored.name_any())).await? else {
            return Ok(());
        };
        let message =
            format!("the operator failed on this object: {error}; it tries again. Other objects are not affected");
        say(ctx, &api, &raw, Reason::InternalError, &message).await
    };
    if let Err(error) = told.await {
        warn!(%error, "a broken pass could not be shown on its object");
    }
}
