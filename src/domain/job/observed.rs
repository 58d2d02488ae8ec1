//! What one reconcile has observed.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    api::status::Submission,
    domain::{
        account::AccountRegion,
        aws_error::AwsError,
        job::{
            remote::RemoteJob,
            view::{JobView, ProtocolLimits, later},
        },
        key::KeyVerdict,
    },
};

/// Everything that a decision needs besides [`Desired`](crate::domain::job::desired::Desired).
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The object.
    pub job: JobView,
    /// The time limits of the protocol.
    pub limits: ProtocolLimits,
    /// The job's record in AWS.
    pub record: Observation,
    /// The verdict on the key.
    pub key: KeyVerdict,
    /// Whether a permit for a Start was granted.
    pub permit: bool,
    /// The limit of the class because of which no permit was granted.
    pub limit: Option<String>,
    /// How long this process may still act as the leader.
    pub leader_for: Duration,
    /// The difference between our clock and AWS's at AWS's last answer.
    pub skew: Duration,
    /// The account and Region of the credentials, once AWS has confirmed them.
    pub identity: Option<AccountRegion>,
    /// Why there are no verified credentials, if AWS gave an error.
    pub credentials: Option<AwsError>,
    /// Whether AWS has accepted other jobs lately.
    pub others_admitted: bool,
}

impl Observed {
    /// Returns what is known before anything outside the object is read.
    pub fn unseen(job: JobView, limits: ProtocolLimits) -> Self {
        Self {
            job,
            limits,
            record: Observation::Unknown(Unknown::NotAsked),
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

/// The record of a job in AWS, as this reconcile has observed it. Only a Get yields `Absent` or `Terminal`.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Not observed. Nothing may be concluded from that.
    Unknown(Unknown),
    /// QUEUED or IN_PROGRESS.
    Running {
        /// What AWS reports of it.
        facts: Box<RemoteJob>,
        /// When the read began.
        as_of: Timestamp,
    },
    /// COMPLETED or FAILED.
    Terminal {
        /// What AWS reports of it.
        facts: Box<RemoteJob>,
        /// When the read began.
        as_of: Timestamp,
    },
    /// AWS has no such record.
    Absent {
        /// When the read began.
        as_of: Timestamp,
    },
}

/// Why a record was not observed.
#[derive(Clone, Debug, PartialEq)]
pub enum Unknown {
    /// No read was needed.
    NotAsked,
    /// The account's request rate is used up at the moment.
    NoPermit,
    /// The read failed.
    Failed(AwsError),
    /// The credentials are not of the record's account and Region, so a Get with them could wrongly report the record as
    /// absent.
    OtherIdentity(Option<AccountRegion>),
}

impl Observed {
    /// Returns the time after which no Start of an intent can arrive any more.
    pub fn settled_at(&self, submission: &Submission) -> Timestamp {
        later(submission.settled_at(&self.limits), self.excess_skew())
    }

    /// Returns how long an acknowledged record must be absent before it counts as lost.
    pub fn lost_after(&self) -> Duration {
        self.limits.in_flight_bound() + self.excess_skew()
    }

    /// The clock skew beyond the allowed one. It is added to the waits, because a clock that is wrong must not conclude too
    /// early that nothing is in flight.
    fn excess_skew(&self) -> Duration {
        self.skew.saturating_sub(self.limits.max_skew)
    }
}
