//! Runs Amazon Transcribe jobs from Kubernetes: once, and encrypted as asked.
//!
//! The modules in the order in which a job meets them: [`api`] is what users write, [`admission`] what is accepted of it,
//! [`class`] says by whose rules, [`lifecycle`] decides, [`reconcile`] reads, acts and reports, [`engine`] spends the
//! account's budget, [`aws`] is the other side, [`runtime`] the plumbing; [`operator`] puts them together as [`config`] says.
//! [`check`] gives the verdict of [`admission`] offline.

pub mod admission;
pub mod api;
pub mod aws;
pub mod check;
pub mod class;
pub mod config;
pub mod engine;
pub mod lifecycle;
pub mod operator;
pub mod reconcile;
pub mod runtime;
