//! Errors of AWS calls, as values that the next decision can read.

use crate::api::conditions::Reason;

/// A failed AWS call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// What the failure means.
    pub kind: AwsErrorKind,
    /// AWS's error code, or one of ours for a failure below the protocol (`Timeout`, `NotSent`).
    pub code: String,
    /// The message that tenants may see: AWS's, shortened, without control characters and without the operator's identities.
    /// Never a header or a body.
    pub message: String,
    /// The message for those who may read classes, where there is more to say: the role, and AWS's whole message. It goes to a
    /// class's status and to the log, never to a job.
    pub detail: Option<String>,
}

/// What a failed call means. AWS's error code decides. The HTTP status counts only for an unknown code: 5xx is then a failure
/// of AWS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AwsErrorKind {
    /// A job of this name exists.
    Conflict,
    /// There is no such job.
    Absent,
    /// Too many requests, or too many concurrent jobs. For a Start it can also mean that the media is too long.
    Throttled,
    /// Not permitted, or the signature was refused.
    Denied,
    /// AWS rejected the request as invalid.
    Invalid,
    /// The request was certainly not applied, and AWS did not reject its content: there were no credentials or no connection,
    /// or the signature had expired when the request arrived.
    NotSent,
    /// It is not known whether AWS applied the request: timeout, connection reset, 5xx, or an unreadable reply.
    Ambiguous,
}

impl AwsError {
    /// Makes an error whose whole message everybody may see.
    pub fn new(kind: AwsErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            detail: None,
        }
    }

    /// Returns the reason of the condition that reports it, for a read that failed.
    pub fn reason(&self) -> Reason {
        if self.code == NO_CREDENTIALS {
            Reason::AccessDenied
        } else {
            Reason::AwsUnreachable
        }
    }

    /// Returns the message for the class's status and the log.
    pub fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or(&self.message)
    }

    /// Returns the message for a job of the class given.
    pub fn public(&self, class: Option<&str>) -> String {
        match class {
            Some(class) if self.code == NO_CREDENTIALS => format!("class '{class}': {}", self.message),
            Some(_) | None => self.message.clone(),
        }
    }
}

impl AwsErrorKind {
    /// Classifies an AWS error code. An unknown code is a rejection, because AWS answered with an error.
    pub fn of_code(code: &str) -> Self {
        match code {
            "ConflictException" => Self::Conflict,
            "NotFoundException" => Self::Absent,
            "LimitExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "SlowDown" => Self::Throttled,
            "AccessDeniedException"
            | "AccessDenied"
            | "UnauthorizedOperation"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "OptInRequired" => Self::Denied,
            "InternalFailureException"
            | "InternalFailure"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | TIMEOUT
            | CONNECTION_LOST
            | UNREADABLE_REPLY => Self::Ambiguous,
            // AWS no longer accepts the credentials: new ones are fetched.
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | NOT_SENT
            | NO_CREDENTIALS
            | LATE_SIGNATURE => Self::NotSent,
            _ => Self::Invalid,
        }
    }

    /// Whether the same request may succeed later without anybody acting.
    pub const fn passes_by_itself(self) -> bool {
        match self {
            Self::Throttled | Self::NotSent | Self::Ambiguous => true,
            Self::Conflict | Self::Absent | Self::Denied | Self::Invalid => false,
        }
    }
}

/// Our code for a request that never left the process.
pub const NOT_SENT: &str = "NotSent";
/// Our code for credentials that AWS does not issue: the role does not exist, or does not trust the operator.
pub const NO_CREDENTIALS: &str = "NoCredentials";
/// The advice for tenants where the class itself is at fault.
pub const ASK: &str = "ask your platform team, who can see more in the status of the class";
/// Our code for a Start that was not answered in time.
pub const TIMEOUT: &str = "Timeout";
/// Our code for a Start whose connection broke before the reply.
pub const CONNECTION_LOST: &str = "ConnectionLost";
/// Our code for a Start whose reply could not be read or has no error code.
pub const UNREADABLE_REPLY: &str = "UnreadableReply";

/// Our code for a signature that AWS rejected because its time is too far from AWS's clock. AWS uses the same code for a wrong
/// secret. This one clears by itself, because the next request is signed anew.
pub const LATE_SIGNATURE: &str = "LateSignature";
