//! From an `SdkError` to a [`Fault`]: decided by AWS's code, and below the protocol by what is proven about the sending.

use std::{error::Error, io};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::assume::NotAssumed;
use crate::lifecycle::{
    Fault, FaultKind,
    fault::{CONNECTION_LOST, LATE_SIGNATURE, NOT_SENT, TIMEOUT, UNREADABLE_REPLY},
};

const LONGEST_MESSAGE: usize = 512;
/// How AWS's message begins when the time in a signature is too far from AWS's clock.
const LATE: [&str; 2] = ["Signature expired", "Signature not yet current"];

/// What a failed call means.
pub(super) fn fault<E>(error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(reply) => {
            let broke = reply.raw().status().is_server_error();
            answered(reply.err().code(), reply.err().message(), broke)
        }
        SdkError::ConstructionFailure(_) => {
            Fault::new(FaultKind::Invalid, "InvalidRequest", "the request could not be built")
        }
        SdkError::TimeoutError(_) => Fault::new(FaultKind::Ambiguous, TIMEOUT, "AWS did not answer in time"),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if not_sent(error) => not_sent_fault(error),
            _ if failure.is_timeout() => Fault::new(FaultKind::Ambiguous, TIMEOUT, "AWS did not answer in time"),
            _ => Fault::new(
                FaultKind::Ambiguous,
                CONNECTION_LOST,
                "the connection to AWS broke before the reply",
            ),
        },
        SdkError::ResponseError(_) | _ => {
            Fault::new(FaultKind::Ambiguous, UNREADABLE_REPLY, "AWS's reply could not be read")
        }
    }
}

fn answered(code: Option<&str>, message: Option<&str>, broke: bool) -> Fault {
    let Some(code) = code else {
        return Fault::new(
            FaultKind::Ambiguous,
            UNREADABLE_REPLY,
            "AWS's reply names no error code",
        );
    };
    let said = printable(message.unwrap_or_default());
    let message = without_identities(&said);
    // AWS answers BadRequestException where a record is absent; only the text tells.
    let absent = code == "BadRequestException" && message.contains("couldn't be found");
    // Late, not wrong: the process or the network was held up. A wrong clock is noticed by itself.
    let late = LATE.iter().any(|text| message.starts_with(text));
    let kind = FaultKind::of_code(code);
    if broke && kind == FaultKind::Invalid {
        let message = format!("AWS's reply could not be understood: {code} {message}");
        return Fault::new(FaultKind::Ambiguous, UNREADABLE_REPLY, message);
    }
    let (kind, code) = if absent {
        (FaultKind::Absent, code)
    } else if late && kind == FaultKind::Denied {
        (FaultKind::NotSent, LATE_SIGNATURE)
    } else {
        (kind, code)
    };
    Fault {
        detail: (message != said).then_some(said),
        ..Fault::new(kind, code, message)
    }
}

fn not_sent_fault(error: &(dyn Error + 'static)) -> Fault {
    if let Some(NotAssumed(fault)) = chain(error).find_map(<dyn Error>::downcast_ref::<NotAssumed>) {
        return fault.clone();
    }
    let no_credentials = chain(error).any(<dyn Error>::is::<CredentialsError>);
    let message = if no_credentials {
        "the operator has no credentials"
    } else {
        "no connection to AWS"
    };
    Fault::new(FaultKind::NotSent, NOT_SENT, message)
}

/// Proven not to have left the process: no credentials to sign with, or the connection was refused.
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

/// AWS's text without the ARN of who asked: that is the role of a class, or the operator's own.
fn without_identities(text: &str) -> String {
    let identity =
        |word: &str| word.starts_with("arn:") && [":assumed-role/", ":user/"].iter().any(|of| word.contains(of));
    let words = text
        .split(' ')
        .map(|word| if identity(word) { "the operator" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// AWS's text as it may stand in a status: bounded, on one line.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_MESSAGE)
        .collect()
}
