//! The API types: the specs that users write, and the statuses that the operator writes.
//!
//! Pure: no I/O and no AWS SDK types. Each kind has one file; [`types`] holds the value types, and [`common`] what the
//! kinds share.

#![allow(
    unreachable_pub,
    reason = "kube's KubeSchema derive repeats each struct inside a function"
)]
#![allow(clippy::struct_field_names, reason = "the names are AWS's")]

mod bounded;
pub mod call_analytics_job;
pub mod class_patterns;
pub mod common;
pub mod conditions;
mod crd;
mod encryption;
mod job_spec;
mod kind;
pub mod medical_scribe_job;
pub mod medical_transcription_job;
mod reference;
mod rules;
mod schema;
mod spec;
pub mod status;
mod structure;
pub(crate) mod text;
pub mod transcription_class;
pub mod transcription_job;
pub mod types;
mod violation;

pub use crd::{crds, render_crds, unknown_members};
pub use job_spec::{WantedKey, WantedOutput, WantedRole};
pub use kind::Kind;
pub use reference::render_reference;
pub use spec::Spec;
pub use violation::Violation;

/// The API group of all kinds.
pub const GROUP: &str = "transcribe-operator.io";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// The finalizer of a job that may have a record in AWS.
pub const FINALIZER: &str = "transcribe-operator.io/job";
/// The annotation that holds the uid of the object it was set on. In a copy of an object it holds the uid of the
/// original, so the operator recognizes the copy.
pub const OWNER_UID_ANNOTATION: &str = "transcribe-operator.io/owner-uid";
/// The annotation that requests a reconcile: the operator reconciles the object when its value changes.
pub const RECONCILE_AT_ANNOTATION: &str = "transcribe-operator.io/reconcile-at";
/// The prefix of the tag keys that are reserved for the operator.
pub const TAG_PREFIX: &str = "transcribe-operator.io/";
/// The tag that holds the object's uid.
pub const TAG_UID: &str = "transcribe-operator.io/uid";
/// The tag that identifies the cluster.
pub const TAG_CLUSTER: &str = "transcribe-operator.io/cluster";
/// The tag that holds the object's namespace.
pub const TAG_NAMESPACE: &str = "transcribe-operator.io/namespace";
/// The tag that holds the object's name.
pub const TAG_NAME: &str = "transcribe-operator.io/name";
