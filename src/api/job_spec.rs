//! What the spec of every kind must provide.

use crate::api::types::{ResourceName, RoleArn};

/// Access to the members that differ from kind to kind.
pub(super) trait JobSpec {
    /// Whether the AWS operation takes an encryption context.
    fn takes_context(&self) -> bool {
        true
    }
    /// Where the spec wants the output.
    fn output(&self) -> WantedOutput<'_>;
    /// The vocabularies, filters and language models that the spec names, each with the field that names it.
    fn resource_names(&self) -> Vec<(String, &ResourceName)>;
    /// The role that Amazon Transcribe is to assume. `None`: the request has no role.
    fn data_access(&self) -> Option<WantedRole<'_>> {
        None
    }
}

/// Where a spec wants its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedOutput<'a> {
    /// The bucket, if the spec names one.
    pub bucket: Option<&'a str>,
    /// The field that names a bucket.
    pub bucket_field: &'static str,
    /// The key. `None`: AWS offers no choice of the key.
    pub key: Option<WantedKey<'a>>,
    /// Whether AWS requires a bucket.
    pub required: bool,
}

/// The key that a spec wants for its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedKey<'a> {
    /// The key or key prefix, if the spec names one.
    pub named: Option<&'a str>,
    /// The field that names it.
    pub field: &'static str,
}

impl<'a> WantedOutput<'a> {
    /// For a request that has the member OutputBucketName.
    pub(super) fn in_bucket(bucket: Option<&'a str>) -> Self {
        Self {
            bucket,
            bucket_field: "spec.outputBucketName",
            key: None,
            required: true,
        }
    }

    /// For a request that also has the member OutputKey.
    pub(super) fn at_key(self, named: Option<&'a str>) -> Self {
        let field = "spec.outputKey";
        Self {
            key: Some(WantedKey { named, field }),
            ..self
        }
    }
}

/// The role that a spec wants Amazon Transcribe to assume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedRole<'a> {
    /// The field that names it.
    pub field: &'static str,
    /// The role, if the spec names one.
    pub named: Option<&'a RoleArn>,
    /// Whether AWS requires a role.
    pub required: bool,
}
