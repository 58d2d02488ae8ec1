//! The response to an admission request.

use kube::core::{
    DynamicObject,
    admission::{AdmissionRequest, AdmissionResponse},
    response::{Status, StatusCause, StatusDetails},
};

use crate::domain::{Rejection, review::Verdict};

/// In characters. The API server may truncate longer warnings, and they are hard to read in a terminal.
const LONGEST_WARNING: usize = 256;

/// The response for the API server. A denial has the form of a schema error, with the field as its cause.
pub fn response(request: &AdmissionRequest<DynamicObject>, verdict: &Verdict) -> AdmissionResponse {
    let mut response = AdmissionResponse::from(request);
    let warnings: Vec<String> = verdict.warnings.iter().map(|warning| one_line(warning)).collect();
    response.warnings = (!warnings.is_empty()).then_some(warnings);
    if let Some(rejection) = &verdict.denial {
        response.allowed = false;
        response.result = status(request, rejection);
    }
    response
}

fn status(request: &AdmissionRequest<DynamicObject>, rejection: &Rejection) -> Status {
    let rejection = &with_value(request, rejection);
    let causes = rejection.violations().into_iter().map(|violation| StatusCause {
        reason: "FieldValueInvalid".to_owned(),
        message: violation.message,
        field: violation.field,
    });
    let name = match &request.object {
        Some(object) if request.name.is_empty() => object.metadata.generate_name.clone().unwrap_or_default(),
        Some(_) | None => request.name.clone(),
    };
    let message = format!("{} \"{name}\" is invalid: {rejection}", request.kind.kind);
    Status::failure(&message, "Invalid")
        .with_code(422)
        .with_details(StatusDetails {
            name,
            group: request.kind.group.clone(),
            kind: request.kind.kind.clone(),
            uid: String::new(),
            causes: causes.collect(),
            retry_after_seconds: 0,
        })
}

/// Adds the invalid value, if it is a string, in the form that the API server uses.
fn with_value(request: &AdmissionRequest<DynamicObject>, rejection: &Rejection) -> Rejection {
    let pointer = rejection
        .field
        .as_ref()
        .map(|field| format!("/{}", field.replace('.', "/")));
    let value = pointer
        .zip(request.object.as_ref())
        .and_then(|(pointer, object)| object.data.pointer(&pointer)?.as_str());
    match value {
        Some(value) => rejection.with_message(format!("Invalid value: {value:?}: {}", rejection.message)),
        None => rejection.clone(),
    }
}

/// The warning in one line, because the API server drops a warning with a line break or a tab.
fn one_line(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: Vec<char> = line.collect();
    if line.len() > LONGEST_WARNING {
        line.truncate(LONGEST_WARNING - 1);
        line.push('…');
    }
    line.into_iter().collect()
}
