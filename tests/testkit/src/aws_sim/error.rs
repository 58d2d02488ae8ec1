//! An answer of AWS that is an error.

use super::config::Statuses;

/// What every limit answers. AWS documents one text for "too many requests" and "input too long", so that a caller
/// cannot tell them apart; neither can a caller of the simulator.
const LIMIT: &str = "You've either sent too many requests or your input file is too long. Wait before retrying your \
                     request, or use a smaller file and try your request again.";

/// An AWS error: its code, its text and, where the protocol fixes it, its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// The value of `__type`, for example `BadRequestException`.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// Overrides the status that follows from the code.
    pub status: Option<u16>,
}

impl AwsError {
    /// An error with the status that its code has.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status: None,
        }
    }

    /// The code for everything that is wrong with a request.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new("BadRequestException", message)
    }

    /// The body could not be read as the operation's input.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// Get and Delete answer this for an absent job: recorded from AWS, which does not use NotFoundException here.
    pub(super) fn absent() -> Self {
        Self::bad_request("The requested job couldn't be found. Check the job name and try your request again.")
    }

    /// The name is taken, be the job running or finished.
    pub(super) fn conflict() -> Self {
        Self::new(
            "ConflictException",
            "The requested job name already exists. Use a different job name.",
        )
    }

    /// Too many calls, too many jobs, or too long a recording.
    pub(super) fn limit() -> Self {
        Self::new("LimitExceededException", LIMIT)
    }

    /// Credentials that are of nobody, or come without their token.
    pub(super) fn invalid_token() -> Self {
        Self::new(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    /// Credentials of a session that is over.
    pub(super) fn expired_token() -> Self {
        Self::new(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )
    }

    /// Policies refuse; the text says which.
    pub(super) fn access_denied(text: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", text)
    }

    /// The HTTP status. On the JSON wire AWS was seen to answer 400 to every client error; its newer model gives
    /// statuses of their own to a few.
    pub fn http_status(&self, statuses: Statuses) -> u16 {
        match (self.status, self.code.as_str(), statuses) {
            (Some(status), ..) => status,
            (None, "InternalFailureException" | "KMSInternalException", _) => 500,
            (None, "ConflictException", Statuses::Modelled) => 409,
            (None, "NotFoundException", Statuses::Modelled) => 404,
            (None, "LimitExceededException", Statuses::Modelled) => 429,
            (None, ..) => 400,
        }
    }
}
