//! A job as AWS describes it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    api::{
        TAG_CLUSTER, TAG_UID,
        status::{IdentifiedLanguage, OutputStatus, SkippedFeature},
    },
    domain::job::{
        name::JobName,
        view::{ProtocolLimits, later},
    },
};

/// What AWS reports of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteJob {
    /// QUEUED, IN_PROGRESS, COMPLETED or FAILED, verbatim.
    pub job_status: String,
    /// When AWS created the record.
    pub creation_time: Option<Timestamp>,
    /// When AWS started processing it.
    pub start_time: Option<Timestamp>,
    /// When the job ended.
    pub completion_time: Option<Timestamp>,
    /// Its tags, where the call returns them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The language.
    pub language_code: Option<String>,
    /// The languages that AWS identified.
    pub identified_languages: Vec<IdentifiedLanguage>,
    /// Where the results are.
    pub output: OutputStatus,
    /// The features that AWS skipped.
    pub skipped: Vec<SkippedFeature>,
}

impl RemoteJob {
    /// Whether the job is COMPLETED.
    pub fn completed(&self) -> bool {
        self.job_status == "COMPLETED"
    }

    /// Whether the job is COMPLETED or FAILED.
    pub fn terminal(&self) -> bool {
        self.completed() || self.job_status == "FAILED"
    }

    /// Whether the record under our name is ours: it is not older than our first intent (less the allowed skew), and it has our
    /// tags or no tags.
    pub fn ours(&self, name: &JobName, first_started_at: Timestamp, limits: &ProtocolLimits) -> bool {
        let new_enough = self
            .creation_time
            .is_none_or(|t| later(t, limits.max_skew) >= first_started_at);
        let tags = self.tags.as_ref().filter(|tags| !tags.is_empty());
        let our_tags = tags.is_none_or(|tags| {
            tags.get(TAG_UID).is_some_and(|tag| *tag == name.uid)
                && tags.get(TAG_CLUSTER).is_some_and(|tag| tag == name.prefix.cluster_id())
        });
        new_enough && our_tags
    }
}
