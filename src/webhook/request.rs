//! Decides whether an admission request has to be reviewed.

use std::collections::BTreeMap;

use kube::core::{
    DynamicObject,
    admission::{AdmissionRequest, Operation},
};
use serde_json::Value;

use crate::{
    api::{GROUP, Kind, VERSION, common::JobControls, conditions::Reason},
    domain::{Job, Rejection},
};

/// The object to review. `None`: the request changes nothing that is reviewed.
///
/// # Errors
/// The operator does not know the kind.
pub fn submitted(request: &AdmissionRequest<DynamicObject>) -> Result<Option<(Kind, Job)>, Rejection> {
    let gvk = &request.kind;
    let known = Kind::from_name(&gvk.kind).filter(|_| gvk.group == GROUP && gvk.version == VERSION);
    let Some(kind) = known else {
        let message = format!("this operator does not know {}/{} {}", gvk.group, gvk.version, gvk.kind);
        return Err(Rejection::new(Reason::InvalidSpec, message));
    };
    let new = request.object.as_ref();
    let Some(new) = new.filter(|object| object.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let judged = match (&request.operation, &request.old_object) {
        (Operation::Create, _) | (Operation::Update, None) => true,
        (Operation::Update, Some(old)) => needs_review(&old.data, &new.data),
        (Operation::Delete | Operation::Connect, _) => false,
    };
    if !judged {
        return Ok(None);
    }
    Ok(Some((
        kind,
        Job {
            types: new.types.clone(),
            metadata: new.metadata.clone(),
            spec: new.data["spec"].clone(),
            status: None,
        },
    )))
}

/// Whether the request to AWS or the class changed, or a job was resumed before its submission. An edit of other fields
/// is admitted even if today's rules would deny the stored request.
fn needs_review(old: &Value, new: &Value) -> bool {
    let suspended = |object: &Value| JobControls::read(&object["spec"]).suspend;
    let resumed = suspended(old) && !suspended(new) && old["status"]["submission"].is_null();
    resumed || request(old) != request(new)
}

/// The fields of the spec that are sent to AWS or that name the class.
fn request(object: &Value) -> BTreeMap<&String, &Value> {
    let control = |member: &str| JobControls::MUTABLE.contains(&member) || member == "deletionPolicy";
    let members = object["spec"].as_object().into_iter().flatten();
    members.filter(|(member, _)| !control(member)).collect()
}
