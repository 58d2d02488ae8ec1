//! Error bodies as the two sides would send them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::json;

use super::seen::Seen;

/// An error with this status in the language of the request: a Kubernetes `Status`, or an error of AWS JSON 1.1.
pub(super) fn status(status: u16, seen: &Seen) -> Response<Bytes> {
    if seen.operation.is_some() {
        let (code, message) = aws_error(status);
        return aws(status, code, message);
    }
    let (reason, message) = kubernetes_reason(status);
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status,
    });
    let mut answer = answer(status, "application/json", &body);
    if status == 429 {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// An error of AWS with a code and a message.
pub(super) fn aws(status: u16, code: &str, message: &str) -> Response<Bytes> {
    answer(
        status,
        "application/x-amz-json-1.1",
        &json!({ "__type": code, "message": message }),
    )
}

fn answer(status: u16, content: &'static str, body: &serde_json::Value) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content));
    answer
}

fn kubernetes_reason(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden by the fault proxy"),
        404 => ("NotFound", "not found, says the fault proxy"),
        409 => (
            "Conflict",
            "the object has been modified; please apply your changes to the latest version and try again",
        ),
        410 => ("Expired", "too old resource version"),
        422 => ("Invalid", "invalid, says the fault proxy"),
        429 => ("TooManyRequests", "too many requests, please try again later"),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        504 => ("Timeout", "the request did not complete within the allowed time"),
        _ => ("InternalError", "an internal error, made by the fault proxy"),
    }
}

fn aws_error(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("BadRequestException", "a bad request, says the fault proxy"),
        403 => ("AccessDeniedException", "not authorized, says the fault proxy"),
        409 => ("ConflictException", "a conflict, says the fault proxy"),
        429 => ("ThrottlingException", "Rate exceeded"),
        503 => (
            "ServiceUnavailableException",
            "the service is unavailable, says the fault proxy",
        ),
        _ => (
            "InternalFailureException",
            "an internal failure, made by the fault proxy",
        ),
    }
}
