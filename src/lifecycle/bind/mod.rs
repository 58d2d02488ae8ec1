//! The guardrails of a class, each on the *effective* request. Every list of what is allowed fails closed.

mod encryption;
mod names;
mod output;

pub(super) use encryption::{CONTEXT_FIELD, Effective, effective, personal_pairs};
pub(super) use names::{data_access_role, media, resource_names, tags};
pub(super) use output::output;

use super::{Class, Refusal, Subject};
use crate::api::{
    class_words::{expand, matches},
    conditions::Reason,
};

fn refused(field: &str, message: impl Into<String>) -> Refusal {
    Refusal::field(Reason::NotAllowed, field, message)
}

/// A pattern with the job's namespace in it stands for a text.
fn allows(pattern: &str, job: &Subject, text: &str) -> bool {
    matches(&expand(pattern, &[("namespace", &job.namespace)]), text)
}

fn not_of(class: &Class, what: &str) -> String {
    format!("class '{}' does not allow this {what}", class.name())
}
