//! Helpers that several guardrails share.

use crate::{
    api::{
        class_patterns::{expand, matches},
        conditions::Reason,
    },
    domain::{class::selection::Class, job::view::JobView, rejection::Rejection},
};

pub(super) fn refused(field: &str, message: impl Into<String>) -> Rejection {
    Rejection::field(Reason::NotAllowed, field, message)
}

/// Whether a pattern matches a text, with the job's namespace filled in.
pub(super) fn allows(pattern: &str, job: &JobView, text: &str) -> bool {
    matches(&expand(pattern, &[("namespace", &job.namespace)]), text)
}

pub(super) fn not_of(class: &Class, what: &str) -> String {
    format!("class '{}' does not allow this {what}", class.name())
}
