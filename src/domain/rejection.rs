//! Rejections: why a job cannot be started, in the words that the tenant sees.

use std::fmt;

use crate::{
    api::{Violation, conditions::Reason, status::RejectionStatus},
    domain::aws_error::{AwsErrorKind, NO_CREDENTIALS},
};

/// Why a job cannot be started, as the tenant sees it in `kubectl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The condition's reason.
    pub reason: Reason,
    /// The field that it is about, such as `spec.encryption.kmsKeyId`.
    pub field: Option<String>,
    /// What is wrong and how to fix it, without the field.
    pub message: String,
    /// The violations one by one, if there are several.
    several: Vec<Violation>,
}

impl Rejection {
    /// Makes a rejection that is not about one field.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: None,
            message: message.into(),
            several: Vec::new(),
        }
    }

    /// Makes a rejection of one field's value.
    pub fn field(reason: Reason, field: &str, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: Some(field.to_owned()),
            message: message.into(),
            several: Vec::new(),
        }
    }

    /// Makes the rejection of an invalid spec. It names all violations, and the field if all are about the same one.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let first = violations.first().map(|violation| &violation.field);
        let field = first.filter(|field| violations.iter().all(|violation| violation.field == **field));
        let messages = violations.iter().map(|violation| match field {
            Some(_) => violation.message.clone(),
            None => violation.to_string(),
        });
        Self {
            reason: Reason::InvalidSpec,
            message: messages.collect::<Vec<_>>().join("; "),
            field: field.cloned(),
            several: violations,
        }
    }

    /// Returns the violations one by one.
    pub fn violations(&self) -> Vec<Violation> {
        if self.several.is_empty() {
            let field = self.field.clone().unwrap_or_else(|| "spec".to_owned());
            vec![Violation::new(field, self.message.clone())]
        } else {
            self.several.clone()
        }
    }

    /// Returns the same rejection with another message.
    #[must_use]
    pub fn with_message(&self, message: String) -> Self {
        Self {
            reason: self.reason,
            field: self.field.clone(),
            message,
            several: Vec::new(),
        }
    }
}

impl From<&RejectionStatus> for Rejection {
    fn from(rejection: &RejectionStatus) -> Self {
        let RejectionStatus { code, message, .. } = rejection;
        let answered = format!("Amazon Transcribe answered {code}: {message}");
        let (reason, message) = match AwsErrorKind::of_code(code) {
            AwsErrorKind::Throttled => (Reason::Throttled, answered),
            AwsErrorKind::Denied => (Reason::AccessDenied, answered),
            AwsErrorKind::NotSent if code == NO_CREDENTIALS => (Reason::AccessDenied, message.clone()),
            AwsErrorKind::NotSent => {
                let late = format!("the submission did not get through ({code}): {message}; it is tried again");
                (Reason::AwsUnreachable, late)
            }
            AwsErrorKind::Ambiguous => (Reason::Submitting, answered),
            AwsErrorKind::Conflict | AwsErrorKind::Absent | AwsErrorKind::Invalid => (Reason::Refused, answered),
        };
        Self::new(reason, message)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
