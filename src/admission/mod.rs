//! What is accepted, beyond what the schema accepts.

pub mod rules;
