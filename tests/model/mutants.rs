//! Wrong operators. Each must be caught by the invariant that it names, in the configuration that it names.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use transcribe_operator::{
    api::{
        conditions::Reason,
        status::{JobStatus, Submission, SubmissionOutcome},
    },
    domain::{
        JobName, JobView, Observation, Observed, ProtocolLimits, RemoteJob, Step, Unknown, Wait,
        job::plan::first_target,
    },
};

use crate::invariants::Invariant::{
    self, HandsOff, NoLateStart, NothingLeaked, NothingLost, OneAttemptAtATime, PaidOnce, Rest,
};

macro_rules! mutants {
    ($($name:ident breaks $breaks:ident in $shown_by:literal: $about:literal,)+) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutant { $($name,)+ }

        pub const MUTANTS: &[Case] = &[$(Case {
            mutant: Mutant::$name,
            about: $about,
            breaks: $breaks,
            shown_by: $shown_by,
        },)+];
    };
}

pub struct Case {
    pub mutant: Mutant,
    pub about: &'static str,
    /// The invariant that must catch it,
    pub breaks: Invariant,
    /// in this configuration.
    pub shown_by: &'static str,
}

mutants! {
    // The intent and its fence.
    NoFence breaks NoLateStart in "leaders": "the intent is stored without the resourceVersion that was read",
    CachedPlan breaks NoLateStart in "leaders": "plans on a cached copy, and takes only the resourceVersion from a fresh one",
    SignsWithNow breaks NoLateStart in "frozen": "a Start is signed with the time of its sending, not with its intent's",
    ReportsOverOthers breaks NoLateStart in "leaders": "stores its outcome over what somebody else has found out meanwhile",
    ForgetsFirstStart breaks NothingLost in "exact": "a further Start forgets when the first one was",
    // What is on its way.
    WithdrawsAtOnce breaks NoLateStart in "suspend": "takes an intent back while its Start can still arrive",
    IgnoresStrays breaks NoLateStart in "throttle": "takes only the last Start for on its way, not those before",
    ForgetsStraysOnSight breaks PaidOnce in "attempts": "takes the Start that made the record for the last one",
    ForgetsStraysOnRetry breaks PaidOnce in "attempts": "a new attempt forgets the Starts of the one before",
    DeletesAtOnce breaks NoLateStart in "crash": "deletes without waiting for a lost Start",
    NoSkewInBound breaks NoLateStart in "skew": "the bound is the window alone, without the allowed skew",
    TrustsItsClock breaks NoLateStart in "fast clock": "does not notice that its clock is wrong",
    AbsentAsOfNow breaks NothingLost in "frozen, suspended": "takes an old absence for one of now",
    // What a reply means.
    SilenceIsRefusal breaks NoLateStart in "suspend": "takes a lost reply for a rejection",
    ConflictIsThrottling breaks Rest in "crash": "takes a Conflict for a rejection that passes",
    ConflictIsSuccess breaks HandsOff in "foreign": "takes a Conflict for its own success",
    RestartsAcknowledged breaks NoLateStart in "lag": "starts an acknowledged job again when its record is absent",
    LostAtFirstAbsence breaks NothingLost in "lag": "declares a record lost at the first absence",
    UnreachableIsAbsent breaks NothingLost in "crash": "takes an answer that it did not get for an absence",
    OtherAccountIsAbsent breaks NothingLost in "identity": "looks in the wrong account and concludes absence",
    // Whose record it is.
    ForeignIsOurs breaks HandsOff in "foreign": "does not ask whose a record is",
    ForeignByListIsOurs breaks HandsOff in "foreign": "takes a listed job for its own without asking for its tags",
    OldIsOurs breaks HandsOff in "foreign, untagged": "does not ask how old a record is",
    DeletesForeign breaks HandsOff in "foreign": "deletes a record under its name, whosever it is",
    CopyStarts breaks PaidOnce in "copy": "a copy of an object starts by itself",
    // Attempts.
    ReusesTheName breaks HandsOff in "attempts": "a further attempt has the name of the first",
    RetriesWhatIsLost breaks OneAttemptAtATime in "vanished": "begins a new attempt without having seen FAILED",
    DeletesLastAttemptOnly breaks NothingLeaked in "attempts": "knows only the record of the last attempt",
    // The spec and the end.
    IgnoresSuspend breaks NoLateStart in "suspend": "starts although the spec holds it back",
    NoDeletionDeadline breaks NothingLost in "identity lost": "waits for ever for a record that it cannot reach",
    NeverComesBack breaks NothingLost in "crash": "relies on changes of the object alone, without ever coming back",
    // The sweeper.
    SweepsObjectsFirst breaks HandsOff in "copy, swept": "lists the objects before the records",
    SweepsOnPartialList breaks HandsOff in "crash": "takes a list of objects that failed for an empty one",
    SweepsRetained breaks HandsOff in "retain": "ignores the retain mark",
    SweepsWithoutTags breaks HandsOff in "foreign": "deletes without asking for the tags",
}

impl Mutant {
    /// What it takes the install's bounds for.
    pub fn rules(self, rules: &mut ProtocolLimits) {
        if self == Self::NoSkewInBound {
            rules.signature_window = rules.signature_window.saturating_sub(2 * rules.max_skew);
        }
    }

    /// What it takes the object for.
    pub fn object(self, job: &mut JobView) {
        let deleted = job.deleted.is_some();
        let submission = job.status.submission.as_mut();
        match self {
            Self::IgnoresStrays => submission.into_iter().for_each(|s| s.in_flight_until = None),
            Self::DeletesAtOnce if deleted => submission.into_iter().for_each(|s| {
                s.outcome = SubmissionOutcome::Refused;
                s.in_flight_until = None;
            }),
            Self::CopyStarts if job.owner_uid.is_some() => job.owner_uid = Some(job.uid.clone()),
            Self::IgnoresSuspend => job.controls.suspend = false,
            Self::DeletesLastAttemptOnly if deleted => {
                let before = job.status.attempts.len().saturating_sub(1);
                job.status.attempts.drain(..before);
            }
            _ => {}
        }
    }

    /// It gets no record that a sweep lists.
    pub fn trusts_lists(self) -> bool {
        self == Self::ForeignByListIsOurs
    }

    /// What it takes the world for.
    pub fn observed(self, seen: &mut Observed, now: Timestamp) {
        if self == Self::TrustsItsClock {
            seen.skew = Duration::ZERO;
        }
        match (self, &mut seen.record) {
            (Self::AbsentAsOfNow, Observation::Absent { as_of }) => *as_of = now,
            (Self::UnreachableIsAbsent, record @ Observation::Unknown(Unknown::Failed(_)))
            | (Self::OtherAccountIsAbsent, record @ Observation::Unknown(Unknown::OtherIdentity(_))) => {
                *record = Observation::Absent { as_of: now };
            }
            (Self::ForeignIsOurs, Observation::Running { facts, .. } | Observation::Terminal { facts, .. }) => {
                facts.tags = None;
            }
            (Self::OldIsOurs, Observation::Running { facts, .. } | Observation::Terminal { facts, .. }) => {
                facts.creation_time = None;
            }
            _ => {}
        }
    }

    /// What it does instead.
    pub fn step(self, step: Step, seen: &Observed, now: Timestamp) -> Step {
        let absent = matches!(seen.record, Observation::Absent { .. });
        match (self, step) {
            (
                Self::WithdrawsAtOnce,
                Step::Wait(Wait {
                    reason: Reason::Withdrawing,
                    ..
                }),
            ) if absent => Step::Withdraw,
            (Self::RestartsAcknowledged, Step::NoteAbsent(_)) => Step::Submit(Box::new(Submission {
                outcome: SubmissionOutcome::Sent,
                started_at: MicroTime(now),
                ..seen.job.submission().unwrap().clone()
            })),
            (Self::LostAtFirstAbsence, Step::NoteAbsent(_)) => fail(Reason::RecordLost),
            (Self::RetriesWhatIsLost, Step::Fail(rejection)) if rejection.reason == Reason::RecordLost => {
                let failed = RemoteJob {
                    job_status: "FAILED".to_owned(),
                    ..RemoteJob::default()
                };
                Step::Retry(Box::new(failed), now)
            }
            (Self::ReusesTheName, Step::Submit(mut intent)) => {
                let name = JobName::parse(&intent.job_name).unwrap();
                intent.job_name = JobName { attempt: 1, ..name }.to_string();
                Step::Submit(intent)
            }
            (Self::ForgetsFirstStart, Step::Submit(mut intent)) => {
                intent.first_started_at = intent.started_at.clone();
                Step::Submit(intent)
            }
            (Self::ForgetsStraysOnRetry, Step::Submit(mut intent)) if intent.first_started_at == intent.started_at => {
                intent.in_flight_until = None;
                Step::Submit(intent)
            }
            (Self::DeletesForeign, Step::RemoveFinalizer { .. })
                if matches!(seen.record, Observation::Terminal { .. }) =>
            {
                Step::DeleteRecord(first_target(&seen.job).unwrap())
            }
            (Self::NoDeletionDeadline, Step::RemoveFinalizer { left: Some(_) }) => Step::Wait(Wait {
                reason: Reason::Deleting,
                message: String::new(),
                until: Some(now + jiff::SignedDuration::from_mins(1)),
            }),
            (_, step) => step,
        }
    }

    /// What it stores instead.
    pub fn status(self, step: &Step, before: &JobStatus, after: &mut JobStatus) {
        let sight = matches!(step, Step::Follow(_) | Step::Complete(_) | Step::Retry(..));
        if let (Self::ForgetsStraysOnSight, true, Some(old), Some(new)) =
            (self, sight, &before.submission, &mut after.submission)
        {
            new.in_flight_until.clone_from(&old.in_flight_until);
        }
    }
}

fn fail(reason: Reason) -> Step {
    Step::Fail(transcribe_operator::domain::Rejection::new(
        reason,
        "the mutant says so",
    ))
}
