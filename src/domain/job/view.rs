//! What the lifecycle needs to know of a stored object.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;

use crate::{
    api::{
        FINALIZER, OWNER_UID_ANNOTATION, RECONCILE_AT_ANNOTATION,
        common::{JobControls, Seconds},
        conditions::{self, Reason},
        status::{Attempt, JobStatus, Submission, SubmissionOutcome},
    },
    domain::{
        aws_error::AwsErrorKind,
        job::name::{JobName, NamePrefix},
    },
};

/// A stored job of any kind. Its spec is raw JSON, so that an object whose spec no longer parses can still be read, and its
/// spec be rejected.
pub type Job = kube::core::Object<serde_json::Value, JobStatus>;

/// The time limits of the protocol, and the cluster's name prefix, as installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolLimits {
    /// The prefix of the names of this cluster's jobs.
    pub prefix: NamePrefix,
    /// How long AWS accepts a signed request: 15 minutes.
    pub signature_window: Duration,
    /// The largest difference between our clock and AWS's with which jobs are submitted.
    pub max_skew: Duration,
    /// How long a deleted object waits for its AWS record before the garbage collector takes over.
    pub deletion_max_wait: Duration,
    /// How long after its rejection a key is checked again.
    pub key_recheck_interval: Duration,
}

impl ProtocolLimits {
    /// Returns how long after its signing a Start can still arrive: the signature window plus twice the allowed skew.
    pub fn in_flight_bound(&self) -> Duration {
        self.signature_window.saturating_add(self.max_skew.saturating_mul(2))
    }
}

/// The job controls, with their defaults applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controls {
    /// Do not submit the job.
    pub suspend: bool,
    /// Fail the job if it is not submitted within this time.
    pub start_deadline: Option<Duration>,
    /// How many further attempts may follow a failed one.
    pub backoff_limit: usize,
    /// Delete the object this long after it finished.
    pub ttl: Option<Duration>,
}

impl From<&JobControls> for Controls {
    fn from(controls: &JobControls) -> Self {
        let seconds = |n: Option<Seconds>| n.and_then(|n| u64::try_from(n.get()).ok()).map(Duration::from_secs);
        Self {
            suspend: controls.suspend,
            start_deadline: seconds(controls.start_deadline_seconds),
            backoff_limit: usize::try_from(controls.backoff_limit.get()).unwrap_or_default(),
            ttl: seconds(controls.ttl_seconds_after_finished),
        }
    }
}

/// What the lifecycle needs to know of a stored object. It can be made from any object that can be read, even if its spec is
/// invalid.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid, which is part of the job's name and tags.
    pub uid: String,
    /// The generation of the spec.
    pub generation: i64,
    /// When the object was created.
    pub created: Timestamp,
    /// When its deletion was requested.
    pub deleted: Option<Timestamp>,
    /// Whether it has our finalizer.
    pub has_finalizer: bool,
    /// The uid in its owner annotation.
    pub owner_uid: Option<String>,
    /// The value of the annotation that requests a reconcile.
    pub reconcile_at: Option<String>,
    /// The class that the spec names, if any.
    pub class_name: Option<String>,
    /// The job controls.
    pub controls: Controls,
    /// The stored status.
    pub status: JobStatus,
}

impl JobView {
    /// Makes the view of a stored object.
    pub fn of(job: &Job) -> Self {
        let meta = &job.metadata;
        let annotation = |key: &str| job.annotations().get(key).cloned();
        let controls = JobControls::read(&job.spec);
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            created: meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0),
            deleted: meta.deletion_timestamp.as_ref().map(|t| t.0),
            has_finalizer: job.finalizers().iter().any(|f| f == FINALIZER),
            owner_uid: annotation(OWNER_UID_ANNOTATION),
            reconcile_at: annotation(RECONCILE_AT_ANNOTATION),
            class_name: controls.transcription_class_name.as_ref().map(ToString::to_string),
            controls: Controls::from(&controls),
            status: job.status.clone().unwrap_or_default(),
        }
    }

    /// Returns the intent if it belongs to this object: in a copied status it names another uid.
    pub fn submission(&self) -> Option<&Submission> {
        self.status.submission.as_ref().filter(|s| self.owns(&s.job_name))
    }

    /// Returns the name of the class that the object is bound to.
    pub fn class(&self) -> Option<&str> {
        self.status.class.as_ref().map(|class| class.name.as_str())
    }

    /// Returns how long after it finished the object is deleted, according to its spec or else the class that it was bound to.
    pub fn ttl(&self) -> Option<Duration> {
        let of_class = || self.status.class.as_ref()?.ttl_seconds_after_finished;
        let of_class = || u64::try_from(of_class()?).ok().map(Duration::from_secs);
        self.controls.ttl.or_else(of_class)
    }

    /// Returns the attempts of this object, oldest first.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.status.attempts.iter().filter(|a| self.owns(&a.job_name))
    }

    fn owns(&self, job_name: &str) -> bool {
        JobName::parse(job_name).is_some_and(|name| name.uid == self.uid)
    }

    /// Whether the job is finished: then only deletion is left to do.
    pub fn finished(&self) -> bool {
        self.status.finished()
    }

    /// Whether the object is a copy or was restored from a backup: then it must not start a job by itself.
    pub fn restored(&self) -> bool {
        self.submission().is_none() && self.owner_uid.as_ref().is_some_and(|uid| *uid != self.uid)
    }

    /// Whether somebody requested a reconcile now by annotation, whatever is scheduled.
    pub fn forced(&self) -> bool {
        self.reconcile_at.is_some() && self.reconcile_at != self.status.last_handled_reconcile_at
    }

    /// Returns a condition by its type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.status.condition(type_)
    }

    /// Returns the `Stalled` condition, if there is one: somebody has to act.
    pub fn stalled(&self) -> Option<&Condition> {
        self.condition(conditions::STALLED)
    }

    /// Whether the key was unusable when it was last checked.
    pub fn key_refused(&self) -> bool {
        self.condition(conditions::ENCRYPTION_READY)
            .is_some_and(|c| c.status == "False")
    }

    /// Returns until when no Start is tried. A changed spec or a requested reconcile ends the wait.
    pub fn backing_off_until(&self, now: Timestamp) -> Option<Timestamp> {
        let refused_spec = match &self.status.rejection {
            Some(rejection) => Some(rejection.generation),
            None => self.stalled().and_then(|c| c.observed_generation),
        };
        let corrected = refused_spec.is_some_and(|generation| generation != self.generation);
        let until = self.status.next_attempt_time.as_ref().map(|t| t.0)?;
        (until > now && !corrected && !self.forced()).then_some(until)
    }

    /// Whether the last rejection may clear by itself, so that the same Start is tried again.
    pub fn refusal_passes(&self) -> bool {
        self.status
            .rejection
            .as_ref()
            .is_some_and(|r| AwsErrorKind::of_code(&r.code).passes_by_itself())
    }

    /// Whether AWS kept rejecting this job for its limits while it accepted others: the media seems to be too long.
    pub fn limit_is_the_medias(&self) -> bool {
        self.stalled()
            .is_some_and(|c| c.reason == Reason::LimitOrInputTooLong.as_str())
    }

    /// Whether it has our finalizer and the owner annotation, which tells the object from a copy of it.
    pub fn is_adopted(&self) -> bool {
        self.has_finalizer && self.owner_uid.is_some()
    }

    /// Whether nothing is started for the object any more, so that its class and its spec no longer matter.
    pub fn needs_no_class(&self) -> bool {
        let acknowledged = self.submission().is_some_and(|s| s.outcome.acknowledged());
        self.deleted.is_some() || self.finished() || acknowledged
    }

    /// Returns the latest time for the first submission.
    pub fn start_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let suspended = self.condition(conditions::SUSPENDED);
        let since = match suspended.map(|c| c.status.as_str()) {
            Some("True") => now,
            _ => suspended.map_or(self.created, |c| c.last_transition_time.0),
        };
        self.controls.start_deadline.map(|deadline| later(since, deadline))
    }

    /// Returns how many attempts have failed so far.
    pub fn failures(&self) -> usize {
        self.attempts().filter(|a| a.failure_reason.is_some()).count()
    }
}

impl JobStatus {
    /// Returns a condition by its type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.type_ == type_)
    }

    /// Whether the job is finished.
    pub fn finished(&self) -> bool {
        self.condition(conditions::FINISHED).is_some_and(|c| c.status == "True")
    }
}

impl SubmissionOutcome {
    /// Whether AWS may be running the job.
    pub const fn may_run(self) -> bool {
        match self {
            Self::Sent | Self::Acknowledged | Self::Conflict => true,
            Self::Refused | Self::Ended => false,
        }
    }

    /// Whether AWS is known to have or have had a job of this name: then this attempt sends no further Start.
    pub const fn acknowledged(self) -> bool {
        match self {
            Self::Acknowledged | Self::Conflict => true,
            Self::Sent | Self::Refused | Self::Ended => false,
        }
    }
}

impl Submission {
    /// Returns the time after which no Start of this attempt can arrive at AWS any more.
    pub fn settled_at(&self, limits: &ProtocolLimits) -> Timestamp {
        let earlier = self.in_flight_until.as_ref().map(|t| t.0);
        let sent =
            (self.outcome == SubmissionOutcome::Sent).then(|| later(self.started_at.0, limits.in_flight_bound()));
        earlier.max(sent).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Whether the attempt is settled: none of its Starts can arrive any more.
    pub fn is_settled(&self, limits: &ProtocolLimits, now: Timestamp) -> bool {
        now > self.settled_at(limits)
    }
}

/// Returns `time + wait`, saturating at [`Timestamp::MAX`].
pub fn later(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| time.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}
