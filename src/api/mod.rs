//! What users write, and what the operator writes back.

pub mod conditions;
pub mod status;
