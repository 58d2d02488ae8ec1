//! The guardrails of a class, applied to the *effective* request. Every list of allowed values fails closed.

mod allow;
mod encryption;
mod names;
mod output;
mod sensitive;

pub(super) use encryption::{CONTEXT_FIELD, Effective, effective, personal_pairs};
pub(super) use names::{data_access_role, media, resource_names, tags};
pub(super) use output::output;
