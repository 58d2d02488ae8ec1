//! Runs Amazon Transcribe jobs from Kubernetes: once, and encrypted as asked.
//!
//! The modules are layers. Each imports only from those above it in this list; `tests/structure/layers.rs` checks that.
//!
//! - [`api`]: the custom resources: what users write, and the status.
//! - [`domain`]: the decisions. Pure functions: no I/O, no clock, no logging.
//! - [`runtime`]: plumbing: clock, logs, metrics, admin endpoints, caches, watch settings.
//! - [`aws`]: the calls to AWS. The only module that names an AWS crate.
//! - [`accounts`]: the AWS accounts: sessions, rate limits, cached answers of AWS KMS.
//! - [`tenancy`]: the classes and namespaces of the cluster, which decide what a job may do.
//! - [`controllers`]: the controllers of jobs and of classes.
//! - [`pollers`]: the periodic tasks: the status poller and the garbage collector.
//! - [`webhook`]: the admission webhook and its certificate.
//! - [`cli`]: flags, and the subcommands that need no cluster.
//! - [`operator`]: builds and runs everything.

pub mod accounts;
pub mod api;
pub mod aws;
pub mod cli;
pub mod controllers;
pub mod domain;
pub mod operator;
pub mod pollers;
pub mod runtime;
pub mod tenancy;
pub mod webhook;
