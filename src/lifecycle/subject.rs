//! The object as the lifecycle sees it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;

use super::{
    fault::FaultKind,
    name::{JobName, NameHead},
};
use crate::api::{
    FINALIZER, OWNER_UID_ANNOTATION, RECONCILE_AT_ANNOTATION,
    common::{JobControls, Seconds},
    conditions::{self, Reason},
    status::{Attempt, JobStatus, Submission, SubmissionOutcome},
};

/// A stored job of any kind: its spec as raw JSON, so that a spec which no longer parses is a refusal and not an object
/// that cannot be read.
pub type Job = kube::core::Object<serde_json::Value, JobStatus>;

/// The bounds of the install that decisions rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What the names of this cluster's jobs begin with.
    pub head: NameHead,
    /// For how long AWS accepts a signed request: 15 minutes.
    pub signature_window: Duration,
    /// The difference between our clock and AWS's under which anything is submitted.
    pub max_skew: Duration,
    /// For how long a deleted object waits for its AWS record before the sweeper takes over.
    pub deletion_max_wait: Duration,
    /// How long after a refused key it is judged again.
    pub key_retry: Duration,
}

impl Rules {
    /// For how long after its signing a Start can still arrive: the window, plus twice the allowed skew.
    pub fn in_flight_bound(&self) -> Duration {
        self.signature_window.saturating_add(self.max_skew.saturating_mul(2))
    }
}

/// The job controls, with their defaults applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controls {
    /// Hold the submission back.
    pub suspend: bool,
    /// Give up when not submitted within this time.
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

/// What the lifecycle needs to know of a stored object. It can be had of any object that can be read at all, whatever its
/// spec says.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid: what a job's name and tags are made of.
    pub uid: String,
    /// The generation of the spec.
    pub generation: i64,
    /// When the object was created.
    pub created: Timestamp,
    /// When its deletion was asked for.
    pub deleted: Option<Timestamp>,
    /// It carries our finalizer.
    pub protected: bool,
    /// The uid in its owner annotation.
    pub owner_uid: Option<String>,
    /// Its annotation that asks for a look now.
    pub reconcile_at: Option<String>,
    /// The class that the spec names, if any.
    pub class_name: Option<String>,
    /// The job controls.
    pub controls: Controls,
    /// The stored status.
    pub status: JobStatus,
}

impl Subject {
    /// Takes from a stored object what the lifecycle needs.
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
            protected: job.finalizers().iter().any(|f| f == FINALIZER),
            owner_uid: annotation(OWNER_UID_ANNOTATION),
            reconcile_at: annotation(RECONCILE_AT_ANNOTATION),
            class_name: controls.transcription_class_name.as_ref().map(ToString::to_string),
            controls: Controls::from(&controls),
            status: job.status.clone().unwrap_or_default(),
        }
    }

    /// The intent, if it is this object's: a copied status names another uid.
    pub fn submission(&self) -> Option<&Submission> {
        self.status.submission.as_ref().filter(|s| self.owns(&s.job_name))
    }

    /// How long after its end the object is deleted: by the spec, or by the class that it was bound to.
    pub fn ttl(&self) -> Option<Duration> {
        let of_class = || self.status.class.as_ref()?.ttl_seconds_after_finished;
        let of_class = || u64::try_from(of_class()?).ok().map(Duration::from_secs);
        self.controls.ttl.or_else(of_class)
    }

    /// The attempts of this object, oldest first.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.status.attempts.iter().filter(|a| self.owns(&a.job_name))
    }

    fn owns(&self, job_name: &str) -> bool {
        JobName::parse(job_name).is_some_and(|name| name.uid == self.uid)
    }

    /// The job ended: nothing is done any more but deletion.
    pub fn finished(&self) -> bool {
        self.status.finished()
    }

    /// The object is a copy, or was restored from a backup: it must not start anything by itself.
    pub fn restored(&self) -> bool {
        self.submission().is_none() && self.owner_uid.as_ref().is_some_and(|uid| *uid != self.uid)
    }

    /// Somebody asks for a look now, whatever was scheduled.
    pub fn forced(&self) -> bool {
        self.reconcile_at.is_some() && self.reconcile_at != self.status.last_handled_reconcile_at
    }

    /// A condition by its type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.status.condition(type_)
    }

    /// Only somebody's action gets it further, it says.
    pub fn stalled(&self) -> Option<&Condition> {
        self.condition(conditions::STALLED)
    }

    /// The key was found unusable when it was last judged.
    pub fn key_refused(&self) -> bool {
        self.condition(conditions::ENCRYPTION_READY)
            .is_some_and(|c| c.status == "False")
    }

    /// Until when nothing is to be tried. A new spec or a forced look lifts it.
    pub fn backing_off_until(&self, now: Timestamp) -> Option<Timestamp> {
        let refused_spec = match &self.status.refusal {
            Some(refusal) => Some(refusal.generation),
            None => self.stalled().and_then(|c| c.observed_generation),
        };
        let corrected = refused_spec.is_some_and(|generation| generation != self.generation);
        let until = self.status.next_attempt_time.as_ref().map(|t| t.0)?;
        (until > now && !corrected && !self.forced()).then_some(until)
    }

    /// The last refusal passes without anybody's doing: the same Start is tried again.
    pub fn refusal_passes(&self) -> bool {
        self.status
            .refusal
            .as_ref()
            .is_some_and(|r| FaultKind::of_code(&r.code).passes_by_itself())
    }

    /// AWS kept refusing this job by its limits while it admitted others: the media seems to be too long.
    pub fn limit_is_the_medias(&self) -> bool {
        self.stalled()
            .is_some_and(|c| c.reason == Reason::LimitOrInputTooLong.as_str())
    }

    /// It carries our finalizer, and says whose it is: a copy of it can be told from it.
    pub fn marked(&self) -> bool {
        self.protected && self.owner_uid.is_some()
    }

    /// Nothing of it is started any more: its class and its spec matter no longer.
    pub fn needs_no_class(&self) -> bool {
        let acknowledged = self.submission().is_some_and(|s| s.outcome.acknowledged());
        self.deleted.is_some() || self.finished() || acknowledged
    }

    /// When the first submission is due at the latest.
    pub fn start_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let suspended = self.condition(conditions::SUSPENDED);
        let since = match suspended.map(|c| c.status.as_str()) {
            Some("True") => now,
            _ => suspended.map_or(self.created, |c| c.last_transition_time.0),
        };
        self.controls.start_deadline.map(|deadline| later(since, deadline))
    }

    /// How many attempts ended in failure so far.
    pub fn failures(&self) -> usize {
        self.attempts().filter(|a| a.failure_reason.is_some()).count()
    }
}

impl JobStatus {
    /// A condition by its type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.type_ == type_)
    }

    /// The job ended.
    pub fn finished(&self) -> bool {
        self.condition(conditions::FINISHED).is_some_and(|c| c.status == "True")
    }
}

impl SubmissionOutcome {
    /// AWS may be at work on it, as far as is known.
    pub const fn may_run(self) -> bool {
        match self {
            Self::Sent | Self::Acknowledged | Self::Conflict => true,
            Self::Refused | Self::Ended => false,
        }
    }

    /// AWS has, or had, a job of this name: no further Start in this attempt.
    pub const fn acknowledged(self) -> bool {
        match self {
            Self::Acknowledged | Self::Conflict => true,
            Self::Sent | Self::Refused | Self::Ended => false,
        }
    }
}

impl Submission {
    /// From when on nothing of this attempt can land in AWS any more.
    pub fn quiet_at(&self, rules: &Rules) -> Timestamp {
        let stray = self.stray_until.as_ref().map(|t| t.0);
        let sent = (self.outcome == SubmissionOutcome::Sent).then(|| later(self.started_at.0, rules.in_flight_bound()));
        stray.max(sent).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Nothing of this attempt can land any more.
    pub fn quiet(&self, rules: &Rules, now: Timestamp) -> bool {
        now > self.quiet_at(rules)
    }
}

/// `time + wait`, saturating at the end of time.
pub fn later(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| time.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}
