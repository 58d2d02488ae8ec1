//! What one pass has seen.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    Refusal,
    fault::Fault,
    name::JobName,
    subject::{Rules, Subject, later},
};
use crate::api::{
    TAG_CLUSTER, TAG_UID,
    status::{IdentifiedLanguage, OutputStatus, SkippedFeature, Submission},
};

/// Everything that a decision needs besides [`Desired`](super::Desired).
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The object.
    pub job: Subject,
    /// The bounds of the install.
    pub rules: Rules,
    /// The job's record in AWS.
    pub record: Record,
    /// Whether the key can be used.
    pub key: KeyVerdict,
    /// The engine granted a slot for a Start.
    pub permit: bool,
    /// The limit of the class that keeps the slot from being granted.
    pub limit: Option<String>,
    /// For how long this process may still act as the leader.
    pub leader_for: Duration,
    /// How far our clock and AWS's were apart when AWS last answered.
    pub skew: Duration,
    /// Whose credentials these are, once AWS has said so.
    pub identity: Option<Identity>,
    /// Why there are no such credentials, if AWS said so.
    pub credentials: Option<Fault>,
    /// AWS admits other jobs, while this one is refused.
    pub others_admitted: bool,
}

impl Observed {
    /// What is known before anything outside the object was looked at.
    pub fn unseen(job: Subject, rules: Rules) -> Self {
        Self {
            job,
            rules,
            record: Record::Unknown(Unknown::NotAsked),
            key: KeyVerdict::NotAsked,
            permit: false,
            limit: None,
            leader_for: Duration::ZERO,
            skew: Duration::ZERO,
            identity: None,
            credentials: None,
            others_admitted: false,
        }
    }
}

/// An account and Region, verified by GetCallerIdentity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The account id.
    pub account: String,
    /// The Region.
    pub region: String,
}

/// The record of a job in AWS, as far as this pass has seen it. Only a Get yields `Absent` or `Terminal`.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Not seen; nothing may be concluded from that.
    Unknown(Unknown),
    /// QUEUED or IN_PROGRESS.
    Running {
        /// What AWS says of it.
        facts: Box<Facts>,
        /// When the look began.
        as_of: Timestamp,
    },
    /// COMPLETED or FAILED.
    Terminal {
        /// What AWS says of it.
        facts: Box<Facts>,
        /// When the look began.
        as_of: Timestamp,
    },
    /// AWS has no such record.
    Absent {
        /// When the look began.
        as_of: Timestamp,
    },
}

/// Why a record was not seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Unknown {
    /// It was not looked for.
    NotAsked,
    /// The account's request rate is used up for the moment.
    NoPermit,
    /// AWS could not be asked.
    Failed(Fault),
    /// The credentials are not those of the record's account and Region: looking there must never read as absent.
    OtherIdentity(Option<Identity>),
}

/// What AWS says of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// QUEUED, IN_PROGRESS, COMPLETED or FAILED, verbatim.
    pub job_status: String,
    /// When AWS created the record.
    pub creation_time: Option<Timestamp>,
    /// When AWS started to work on it.
    pub start_time: Option<Timestamp>,
    /// When the job ended.
    pub completion_time: Option<Timestamp>,
    /// Its tags, where the call returns them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The language.
    pub language_code: Option<String>,
    /// The languages found.
    pub identified_languages: Vec<IdentifiedLanguage>,
    /// Where the results are.
    pub output: OutputStatus,
    /// What was left out.
    pub skipped: Vec<SkippedFeature>,
}

impl Facts {
    /// COMPLETED.
    pub fn completed(&self) -> bool {
        self.job_status == "COMPLETED"
    }

    /// COMPLETED or FAILED.
    pub fn terminal(&self) -> bool {
        self.completed() || self.job_status == "FAILED"
    }

    /// The record under our name is ours: not older than our first intent (less the allowed skew), and without tags or with
    /// ours.
    pub fn ours(&self, name: &JobName, first_started_at: Timestamp, rules: &Rules) -> bool {
        let new_enough = self
            .creation_time
            .is_none_or(|t| later(t, rules.max_skew) >= first_started_at);
        let tags = self.tags.as_ref().filter(|tags| !tags.is_empty());
        let our_tags = tags.is_none_or(|tags| {
            tags.get(TAG_UID).is_some_and(|tag| *tag == name.uid)
                && tags.get(TAG_CLUSTER).is_some_and(|tag| tag == name.head.cluster_id())
        });
        new_enough && our_tags
    }
}

/// Whether the key can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// It was not asked for.
    NotAsked,
    /// No key is wanted.
    NotNeeded,
    /// The key's ARN, and nothing certain that speaks against it.
    Usable {
        /// The key ARN that the reference resolves to.
        arn: String,
        /// What could not be proven, told to the tenant.
        doubt: Option<String>,
    },
    /// The key cannot be used until somebody acts.
    Refused(Refusal),
    /// Whether the key can be used is not known: nothing is submitted, and nobody's spec is at fault.
    Unsettled {
        /// What is not known, and why.
        refusal: Refusal,
        /// It gets known by itself; otherwise only somebody's action helps.
        passes: bool,
    },
}

impl Observed {
    /// From when on nothing of an intent can land any more.
    pub fn quiet_at(&self, submission: &Submission) -> Timestamp {
        later(submission.quiet_at(&self.rules), self.excess_skew())
    }

    /// How long a record that AWS has acknowledged must be absent to be lost.
    pub fn lost_after(&self) -> Duration {
        self.rules.in_flight_bound() + self.excess_skew()
    }

    /// A clock that is wrong by more than is allowed submits nothing, and may also not be early to conclude that nothing is on
    /// its way.
    fn excess_skew(&self) -> Duration {
        self.skew.saturating_sub(self.rules.max_skew)
    }

    /// Why the key cannot be used, if that is known.
    pub fn key_refusal(&self) -> Option<&Refusal> {
        match &self.key {
            KeyVerdict::Refused(refusal) => Some(refusal),
            KeyVerdict::NotAsked | KeyVerdict::NotNeeded | KeyVerdict::Usable { .. } | KeyVerdict::Unsettled { .. } => {
                None
            }
        }
    }
}
