//! Turns an `SdkError` into an [`AwsError`]. AWS's error code decides; without a reply from AWS, it depends on whether
//! the request provably was not sent.

use std::{error::Error, io};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    aws::not_assumed::NotAssumed,
    domain::{
        AwsError, AwsErrorKind,
        aws_error::{CONNECTION_LOST, LATE_SIGNATURE, NOT_SENT, TIMEOUT, UNREADABLE_REPLY},
    },
};

const LONGEST_MESSAGE: usize = 512;
/// The start of AWS's message when the time in a signature is too far from AWS's clock.
const LATE: [&str; 2] = ["Signature expired", "Signature not yet current"];

/// Classifies a failed call.
pub(super) fn fault<E>(error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(reply) => {
            let broke = reply.raw().status().is_server_error();
            answered(reply.err().code(), reply.err().message(), broke)
        }
        SdkError::ConstructionFailure(_) => AwsError::new(
            AwsErrorKind::Invalid,
            "InvalidRequest",
            "the request could not be built",
        ),
        SdkError::TimeoutError(_) => AwsError::new(AwsErrorKind::Ambiguous, TIMEOUT, "AWS did not answer in time"),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if not_sent(error) => not_sent_fault(error),
            _ if failure.is_timeout() => AwsError::new(AwsErrorKind::Ambiguous, TIMEOUT, "AWS did not answer in time"),
            _ => AwsError::new(
                AwsErrorKind::Ambiguous,
                CONNECTION_LOST,
                "the connection to AWS broke before the reply",
            ),
        },
        SdkError::ResponseError(_) | _ => AwsError::new(
            AwsErrorKind::Ambiguous,
            UNREADABLE_REPLY,
            "AWS's reply could not be read",
        ),
    }
}

fn answered(code: Option<&str>, message: Option<&str>, broke: bool) -> AwsError {
    let Some(code) = code else {
        return AwsError::new(
            AwsErrorKind::Ambiguous,
            UNREADABLE_REPLY,
            "AWS's reply names no error code",
        );
    };
    let full = printable(message.unwrap_or_default());
    let message = without_identities(&full);
    // AWS also answers BadRequestException if there is no such record; only the message distinguishes the two.
    let absent = code == "BadRequestException" && message.contains("couldn't be found");
    // The request was late, not wrong, because the process or the network was slow. A wrong clock is detected
    // elsewhere.
    let late = LATE.iter().any(|text| message.starts_with(text));
    let kind = AwsErrorKind::of_code(code);
    if broke && kind == AwsErrorKind::Invalid {
        let message = format!("AWS's reply could not be understood: {code} {message}");
        return AwsError::new(AwsErrorKind::Ambiguous, UNREADABLE_REPLY, message);
    }
    let (kind, code) = if absent {
        (AwsErrorKind::Absent, code)
    } else if late && kind == AwsErrorKind::Denied {
        (AwsErrorKind::NotSent, LATE_SIGNATURE)
    } else {
        (kind, code)
    };
    AwsError {
        detail: (message != full).then_some(full),
        ..AwsError::new(kind, code, message)
    }
}

fn not_sent_fault(error: &(dyn Error + 'static)) -> AwsError {
    if let Some(NotAssumed(fault)) = chain(error).find_map(<dyn Error>::downcast_ref::<NotAssumed>) {
        return fault.clone();
    }
    let no_credentials = chain(error).any(<dyn Error>::is::<CredentialsError>);
    let message = if no_credentials {
        "the operator has no credentials"
    } else {
        "no connection to AWS"
    };
    AwsError::new(AwsErrorKind::NotSent, NOT_SENT, message)
}

/// Whether the request provably did not leave the process: there were no credentials to sign with, or the connection
/// was refused.
fn not_sent(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| {
        let refused = cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
        refused || cause.is::<CredentialsError>()
    })
}

pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
}

/// AWS's message without the ARN of the caller, because that is the role of a class, or the operator's own.
fn without_identities(text: &str) -> String {
    let identity =
        |word: &str| word.starts_with("arn:") && [":assumed-role/", ":user/"].iter().any(|of| word.contains(of));
    let words = text
        .split(' ')
        .map(|word| if identity(word) { "the operator" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// AWS's message in a form that fits a status: one line of bounded length.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_MESSAGE)
        .collect()
}
