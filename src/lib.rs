//! Runs Amazon Transcribe jobs from Kubernetes: once, and encrypted as asked.

pub mod api;
