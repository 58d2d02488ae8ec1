//! What AWS answered, as values that the next decision can read.

use super::observed::Facts;
use crate::api::conditions::Reason;

/// A failed AWS call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the failure means.
    pub kind: FaultKind,
    /// AWS's error code, or a word for a failure below the protocol (`Timeout`, `NotSent`).
    pub code: String,
    /// What happened, fit for a tenant: AWS's message, shortened, without control characters, and without the operator's
    /// identities. Never a header or a body.
    pub message: String,
    /// The same for those who may read classes, where it says more: the role, and AWS's whole message. It goes to a class's
    /// status and to the log, never to a job.
    pub detail: Option<String>,
}

/// What a failed call means. Decided by AWS's error code; the HTTP status counts only for a code that is not
/// known: with 5xx, AWS itself broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A job of this name exists.
    Conflict,
    /// There is no such job.
    Absent,
    /// Too many requests, or all concurrent jobs are running; for a Start also: the media is too long.
    Throttled,
    /// Not permitted, or the signature was refused.
    Denied,
    /// AWS refused the request as it is.
    Invalid,
    /// The request certainly was not applied, and that is nobody's refusal: no credentials, no connection, or a signature
    /// that was out of date when the request arrived.
    NotSent,
    /// It is not known whether AWS applied the request: time-out, reset, 5xx, an unreadable reply.
    Ambiguous,
}

impl Fault {
    /// A fault of which everybody may know all.
    pub fn new(kind: FaultKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            detail: None,
        }
    }

    /// The reason of a condition that tells of it, where AWS could not be asked.
    pub fn reason(&self) -> Reason {
        if self.code == NO_CREDENTIALS {
            Reason::AccessDenied
        } else {
            Reason::AwsUnreachable
        }
    }

    /// What a class's status and the log say of it.
    pub fn in_full(&self) -> &str {
        self.detail.as_deref().unwrap_or(&self.message)
    }

    /// What a job of a class says of it.
    pub fn told(&self, class: Option<&str>) -> String {
        match class {
            Some(class) if self.code == NO_CREDENTIALS => format!("class '{class}': {}", self.message),
            Some(_) | None => self.message.clone(),
        }
    }
}

impl FaultKind {
    /// What an AWS error code means. A code that is not known is a refusal: AWS answered, and did not say yes.
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
            // Credentials that AWS takes no more: they are fetched anew.
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

    /// The same request may be admitted later, without anybody's doing.
    pub const fn passes_by_itself(self) -> bool {
        match self {
            Self::Throttled | Self::NotSent | Self::Ambiguous => true,
            Self::Conflict | Self::Absent | Self::Denied | Self::Invalid => false,
        }
    }
}

/// The code under which a refusal is kept when the request never left the process.
pub const NOT_SENT: &str = "NotSent";
/// The code for credentials that AWS refuses to give: a role that is gone, or does not trust the operator.
pub const NO_CREDENTIALS: &str = "NoCredentials";
/// The way out that a tenant has where the class itself is at fault.
pub const ASK: &str = "ask your platform team, to whom the status of the class says more";
/// The code under which a Start is kept that was not answered in time.
pub const TIMEOUT: &str = "Timeout";
/// The code under which a Start is kept whose connection broke before the reply.
pub const CONNECTION_LOST: &str = "ConnectionLost";
/// The code under which a Start is kept whose reply could not be read, or names no code.
pub const UNREADABLE_REPLY: &str = "UnreadableReply";

/// The code for AWS's refusal of a signature whose time is too far from AWS's clock. AWS's own code for that is shared with
/// wrong secrets; this one passes by itself, because the next request is signed anew.
pub const LATE_SIGNATURE: &str = "LateSignature";

/// What became of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The step has not been performed yet, or touches nothing outside the object.
    Pending,
    /// The step was performed.
    Done,
    /// The reply to a Start.
    Started(Result<Box<Facts>, Fault>),
    /// The reply to the deletion of a record.
    Deleted(Result<(), Fault>),
}
