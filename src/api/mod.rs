//! What users write, and what the operator writes back.
//!
//! Pure: no I/O and no AWS types. One file for each kind; [`types`] holds the words and [`common`] what kinds share.

#![allow(
    unreachable_pub,
    reason = "kube's KubeSchema derive repeats each struct inside a function"
)]
#![allow(clippy::struct_field_names, reason = "the names are AWS's")]

mod bounded;
pub mod call_analytics_job;
pub mod class_words;
pub mod common;
pub mod conditions;
mod crd;
mod encryption;
mod kind;
pub mod medical_scribe_job;
pub mod medical_transcription_job;
mod reference;
mod rules;
mod spec;
pub mod status;
pub(crate) mod text;
pub mod transcription_class;
pub mod transcription_job;
pub mod types;

pub use crd::{crds, render_crds, unknown_members};
pub use kind::Kind;
pub use reference::render_reference;
pub use spec::{Spec, Violation, WantedKey, WantedOutput, WantedRole};

/// The API group of all kinds.
pub const GROUP: &str = "transcribe-operator.io";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// The finalizer of an object that may have a record in AWS.
pub const FINALIZER: &str = "transcribe-operator.io/job";
/// The annotation that names the uid of the object it was set on: a copy of an object carries another's.
pub const OWNER_UID_ANNOTATION: &str = "transcribe-operator.io/owner-uid";
/// The annotation whose change makes the operator look at the object now.
pub const RECONCILE_AT_ANNOTATION: &str = "transcribe-operator.io/reconcile-at";
/// The prefix of the tag keys that are the operator's own.
pub const TAG_PREFIX: &str = "transcribe-operator.io/";
/// The tag that names the object's uid.
pub const TAG_UID: &str = "transcribe-operator.io/uid";
/// The tag that names the cluster.
pub const TAG_CLUSTER: &str = "transcribe-operator.io/cluster";
/// The tag that names the object's namespace.
pub const TAG_NAMESPACE: &str = "transcribe-operator.io/namespace";
/// The tag that names the object.
pub const TAG_NAME: &str = "transcribe-operator.io/name";
