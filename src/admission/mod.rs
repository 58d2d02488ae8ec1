//! What is accepted, beyond what the schema accepts: the webhook's side of the same parse, bind and judge by which the
//! reconciler decides before a Start.
//!
//! The decisions here are functions of their arguments; [`server`] asks AWS and speaks HTTP.

pub mod certificate;
pub mod rules;
pub mod server;

use std::collections::BTreeMap;

use kube::core::{
    DynamicObject,
    admission::{AdmissionRequest, AdmissionResponse, Operation},
    response::{Status, StatusCause, StatusDetails},
};
use serde_json::Value;

use crate::{
    api::{GROUP, Kind, VERSION, common::JobControls, conditions::Reason},
    lifecycle::{Desired, Job, KeyVerdict, Refusal},
};

/// Longer warnings may be cut by the API server, and longer lines of them are hard to read in a terminal.
const LONGEST_WARNING: usize = 256;

/// The answer to an admission request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Why the object is not accepted.
    pub denial: Option<Refusal>,
    /// What the tenant should know, each on one line.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// Not accepted.
    pub fn denied(refusal: Refusal) -> Self {
        Self {
            denial: Some(refusal),
            warnings: Vec::new(),
        }
    }

    /// The verdict on an effective request: what KMS says of its key is a denial only where it is certain.
    pub fn of(desired: &Desired, key: &KeyVerdict) -> Self {
        let mut warnings = desired.warnings();
        // What is said of a key that the class may not allow is none of the tenant's business.
        let key = if desired.key_is_judged() {
            key
        } else {
            &KeyVerdict::NotAsked
        };
        let told = match key {
            KeyVerdict::Refused(refusal) => return Self::denied(refusal.clone()),
            KeyVerdict::Unsettled { refusal, .. } => Some(refusal.to_string()),
            KeyVerdict::Usable { doubt, .. } => doubt
                .as_ref()
                .map(|doubt| format!("{}: {doubt}", crate::lifecycle::key::KEY_FIELD)),
            KeyVerdict::NotAsked => Some(
                "spec.encryption.kmsKeyId: not judged yet, because AWS has not confirmed whose credentials the operator has; \
                 it is judged before the job starts"
                    .to_owned(),
            ),
            KeyVerdict::NotNeeded => None,
        };
        warnings.extend(told);
        Self { denial: None, warnings }
    }
}

/// The object of a request that is to be judged. `None`: what the request changes is nobody's concern here.
pub fn submitted(request: &AdmissionRequest<DynamicObject>) -> Result<Option<(Kind, Job)>, Refusal> {
    let gvk = &request.kind;
    let known = Kind::from_name(&gvk.kind).filter(|_| gvk.group == GROUP && gvk.version == VERSION);
    let Some(kind) = known else {
        let message = format!("this operator does not know {}/{} {}", gvk.group, gvk.version, gvk.kind);
        return Err(Refusal::new(Reason::InvalidSpec, message));
    };
    let new = request.object.as_ref();
    let Some(new) = new.filter(|object| object.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let judged = match (&request.operation, &request.old_object) {
        (Operation::Create, _) | (Operation::Update, None) => true,
        (Operation::Update, Some(old)) => asks_anew(&old.data, &new.data),
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

/// The request itself or the class changed, or the job is let go before its submission. An edit of other controls passes even
/// where today's rules would refuse the stored request.
fn asks_anew(old: &Value, new: &Value) -> bool {
    let suspended = |object: &Value| JobControls::read(&object["spec"]).suspend;
    let resumed = suspended(old) && !suspended(new) && old["status"]["submission"].is_null();
    resumed || request(old) != request(new)
}

/// What of an object is sent to AWS or says by whose rules.
fn request(object: &Value) -> BTreeMap<&String, &Value> {
    let control = |member: &str| JobControls::MUTABLE.contains(&member) || member == "deletionPolicy";
    let members = object["spec"].as_object().into_iter().flatten();
    members.filter(|(member, _)| !control(member)).collect()
}

/// The answer as the API server wants it. A denial looks like one by the schema: it names the field.
pub fn response(request: &AdmissionRequest<DynamicObject>, verdict: &Verdict) -> AdmissionResponse {
    let mut response = AdmissionResponse::from(request);
    let warnings: Vec<String> = verdict.warnings.iter().map(|warning| one_line(warning)).collect();
    response.warnings = (!warnings.is_empty()).then_some(warnings);
    if let Some(refusal) = &verdict.denial {
        response.allowed = false;
        response.result = status(request, refusal);
    }
    response
}

fn status(request: &AdmissionRequest<DynamicObject>, refusal: &Refusal) -> Status {
    let refusal = &with_value(request, refusal);
    let cause = StatusCause {
        reason: "FieldValueInvalid".to_owned(),
        message: refusal.message.clone(),
        field: refusal.field.clone().unwrap_or_else(|| "spec".to_owned()),
    };
    let name = match &request.object {
        Some(object) if request.name.is_empty() => object.metadata.generate_name.clone().unwrap_or_default(),
        Some(_) | None => request.name.clone(),
    };
    let message = format!("{} \"{name}\" is invalid: {refusal}", request.kind.kind);
    Status::failure(&message, "Invalid")
        .with_code(422)
        .with_details(StatusDetails {
            name,
            group: request.kind.group.clone(),
            kind: request.kind.kind.clone(),
            uid: String::new(),
            causes: vec![cause],
            retry_after_seconds: 0,
        })
}

/// The value that is refused, where it is one text, said as the API server says it.
fn with_value(request: &AdmissionRequest<DynamicObject>, refusal: &Refusal) -> Refusal {
    let pointer = refusal
        .field
        .as_ref()
        .map(|field| format!("/{}", field.replace('.', "/")));
    let value = pointer
        .zip(request.object.as_ref())
        .and_then(|(pointer, object)| object.data.pointer(&pointer)?.as_str());
    let message = value.map(|value| format!("Invalid value: {value:?}: {}", refusal.message));
    Refusal {
        message: message.unwrap_or_else(|| refusal.message.clone()),
        ..refusal.clone()
    }
}

/// The API server drops a warning with a line break or a tab.
fn one_line(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: Vec<char> = line.collect();
    if line.len() > LONGEST_WARNING {
        line.truncate(LONGEST_WARNING - 1);
        line.push('…');
    }
    line.into_iter().collect()
}
