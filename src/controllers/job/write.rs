//! The writes of an object. Each is fenced by the resourceVersion that was read.

use kube::{
    ResourceExt as _,
    api::{DeleteParams, Patch, Preconditions},
};
use serde_json::{Value, json};

use crate::{
    api::{FINALIZER, OWNER_UID_ANNOTATION, status::JobStatus},
    controllers::job::{
        context::{Context, bounded},
        error::Error,
    },
    domain::Job,
    runtime::objects::{merge_params, post_params, with_finalizer, without_finalizer},
};

/// Replaces the status.
pub(super) async fn status(ctx: &Context, mut job: Job, status: JobStatus, what: &'static str) -> Result<Job, Error> {
    let api = ctx.api(&job.namespace().unwrap_or_default());
    job.status = Some(status);
    // A PUT that includes managedFields would overwrite the field ownership.
    job.metadata.managed_fields = None;
    let written = bounded(api.replace_status(&job.name_any(), &post_params(), &job)).await?;
    ctx.metrics.write(what);
    Ok(written)
}

/// Adds the finalizer and the owner annotation.
pub(super) async fn add_finalizer(ctx: &Context, job: &Job) -> Result<Job, Error> {
    let annotations = json!({OWNER_UID_ANNOTATION: job.uid()});
    let metadata = json!({"finalizers": with_finalizer(job, FINALIZER), "annotations": annotations});
    patch_metadata(ctx, job, metadata).await
}

/// Removes our finalizer, and keeps those of others.
pub(super) async fn remove_finalizer(ctx: &Context, job: &Job) -> Result<Job, Error> {
    patch_metadata(ctx, job, json!({"finalizers": without_finalizer(job, FINALIZER)})).await
}

/// Merge-patches the metadata, fenced by uid and resourceVersion.
async fn patch_metadata(ctx: &Context, job: &Job, mut metadata: Value) -> Result<Job, Error> {
    metadata["uid"] = json!(job.uid());
    metadata["resourceVersion"] = json!(job.resource_version());
    let api = ctx.api(&job.namespace().unwrap_or_default());
    let patch = Patch::Merge(json!({"metadata": metadata}));
    let written = bounded(api.patch(&job.name_any(), &merge_params(), &patch)).await?;
    ctx.metrics.write("finalizer");
    Ok(written)
}

/// Deletes the object through the API server, so that its finalizer deletes its record as well.
pub(super) async fn delete(ctx: &Context, job: &Job) -> Result<(), Error> {
    let api = ctx.api(&job.namespace().unwrap_or_default());
    let preconditions = Preconditions {
        uid: job.uid(),
        resource_version: job.resource_version(),
    };
    let params = DeleteParams::default().preconditions(preconditions);
    bounded(api.delete(&job.name_any(), &params)).await?;
    ctx.metrics.write("delete");
    Ok(())
}
