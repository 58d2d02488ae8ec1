//! Builders: an object, what was seen of it, and short words for what is decided.
//!
//! [`check`] holds every row against the code with every kind, and [`fixpoint`](crate::fixpoint) draws its kinds. Where a test
//! has one case only, it is of a TranscriptionJob: `look`, `plan`, `status` and `requeue` do not know the kind, which
//! `fixpoint::no_decision_depends_on_the_kind` proves.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use serde_json::json;
use transcribe_operator::{
    api::{
        Kind, TAG_CLUSTER, TAG_UID,
        conditions::{COMPLETE, FAILED, FINISHED, READY, RECONCILING, Reason, STALLED, SUSPENDED},
        status::{Attempt, JobStatus, PinnedRequest, RejectionStatus, Submission, SubmissionOutcome},
        transcription_class::TranscriptionClass,
    },
    domain::{
        AccountRegion, AwsError, AwsErrorKind, Class, Controls, Desired, JobName, JobView, KeyVerdict, NamePrefix,
        Observation, Observed, Outcome, ProtocolLimits, Rejection, RemoteJob, Request, Step, Unknown, plan, requeue,
        status,
    },
};

use crate::samples::minimal;

pub const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
pub const OTHER_UID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
pub const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-1";
pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 3600;
/// The signature window plus twice the allowed skew.
pub const BOUND: i64 = 20 * MINUTE;

/// The one "now" of all tables; every other time is so many seconds before or after it.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub fn after(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

pub fn ago(seconds: i64) -> Timestamp {
    after(-seconds)
}

pub fn rules() -> ProtocolLimits {
    ProtocolLimits {
        prefix: head(),
        signature_window: Duration::from_mins(15),
        max_skew: Duration::from_secs(150),
        deletion_max_wait: Duration::from_mins(2),
        key_recheck_interval: Duration::from_mins(5),
    }
}

pub fn head() -> NamePrefix {
    NamePrefix::new("c1").unwrap()
}

pub fn job_name(attempt: i32) -> String {
    named(UID, attempt, false)
}

pub fn named(uid: &str, attempt: i32, retain: bool) -> String {
    let name = JobName {
        prefix: head(),
        uid: uid.to_owned(),
        attempt,
        retain,
    };
    name.to_string()
}

pub fn identity() -> AccountRegion {
    AccountRegion {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    }
}

/// A class of this spec, in our Region; without an account it is not verified yet.
pub fn class(account: Option<&str>, spec: serde_json::Value) -> Class {
    let class = TranscriptionClass::new("finance", serde_json::from_value(spec).unwrap());
    Class::new(&class, account.map(ToOwned::to_owned))
}

/// What is wanted of each kind, with these members besides.
fn bind(members: impl Fn(Kind) -> serde_json::Value) -> BTreeMap<Kind, Desired> {
    let anything = class(
        Some(ACCOUNT),
        json!({
            "region": REGION,
            "input": {"allowedUris": ["*"]},
            "output": {"bucketName": "transcripts", "unprefixedKinds": ["MedicalScribeJob"]},
            "encryption": {"allowedKmsKeys": ["*"]},
            "dataAccess": {"defaultRoleArn": "arn:aws:iam::111122223333:role/data"},
        }),
    );
    let desired = |kind: &Kind| {
        let mut spec = minimal(*kind);
        spec.as_object_mut()
            .unwrap()
            .extend(members(*kind).as_object().unwrap().clone());
        let request = Request::parse(*kind, &spec).unwrap();
        (*kind, Desired::bind(request, &anything, &head(), &subject()).unwrap())
    };
    Kind::ALL.iter().map(desired).collect()
}

/// What is wanted of a kind without a key.
pub fn plain(kind: Kind) -> &'static Desired {
    static ALL: LazyLock<BTreeMap<Kind, Desired>> = LazyLock::new(|| bind(|_| json!({})));
    &ALL[&kind]
}

/// What is wanted of a kind with one, and with a context where AWS takes one.
pub fn encrypted(kind: Kind) -> &'static Desired {
    static ALL: LazyLock<BTreeMap<Kind, Desired>> = LazyLock::new(|| {
        bind(|kind| match kind {
            Kind::CallAnalyticsJob => json!({"encryption": {"kmsKeyId": KEY}}),
            Kind::TranscriptionJob | Kind::MedicalTranscriptionJob | Kind::MedicalScribeJob => {
                json!({"encryption": {"kmsKeyId": KEY, "context": {"department": "finance"}}})
            }
        })
    });
    &ALL[&kind]
}

pub fn subject() -> JobView {
    JobView {
        namespace: "team".to_owned(),
        name: "call".to_owned(),
        uid: UID.to_owned(),
        generation: 1,
        created: ago(MINUTE),
        deleted: None,
        has_finalizer: true,
        owner_uid: Some(UID.to_owned()),
        reconcile_at: None,
        class_name: None,
        controls: Controls::default(),
        status: JobStatus::default(),
    }
}

/// Running since a minute, with our tags.
pub fn facts(job_status: &str) -> RemoteJob {
    let tags = [(TAG_UID, UID), (TAG_CLUSTER, "c1")];
    RemoteJob {
        job_status: job_status.to_owned(),
        creation_time: Some(ago(30)),
        tags: Some(tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
        ..RemoteJob::default()
    }
}

pub fn failed(reason: &str) -> RemoteJob {
    RemoteJob {
        failure_reason: Some(reason.to_owned()),
        ..facts("FAILED")
    }
}

pub fn fault(kind: AwsErrorKind, code: &str) -> AwsError {
    AwsError::new(kind, code, format!("{code} it is"))
}

/// One object, what is wanted of it and what was seen: first a job that can be submitted at once.
#[derive(Clone, Debug)]
pub struct Case {
    pub desired: Result<Desired, Rejection>,
    pub seen: Observed,
}

pub fn case() -> Case {
    let seen = Observed {
        permit: true,
        leader_for: Duration::MAX,
        identity: Some(identity()),
        key: KeyVerdict::NotNeeded,
        ..Observed::unseen(subject(), rules())
    };
    Case {
        desired: Ok(plain(Kind::TranscriptionJob).clone()),
        seen,
    }
}

/// An intent of the given outcome, begun so many seconds ago.
pub fn sent(seconds_ago: i64) -> Case {
    case().intent(SubmissionOutcome::Sent, seconds_ago)
}

/// A job that AWS has accepted.
pub fn acknowledged(seconds_ago: i64) -> Case {
    case()
        .intent(SubmissionOutcome::Acknowledged, seconds_ago)
        .with(|s| s.acknowledged_at = Some(MicroTime(ago(seconds_ago - 1))))
}

/// A Start that AWS refused, to be tried again so many seconds from now.
pub fn refused(code: &str, next: i64) -> Case {
    case()
        .intent(SubmissionOutcome::Refused, MINUTE)
        .rejection(code, 1, next)
}

/// The first attempt has failed, and the next one is due so many seconds from now.
pub fn failed_once(next: i64) -> Case {
    let mut case = case().intent(SubmissionOutcome::Ended, HOUR).limit(2);
    let status = &mut case.seen.job.status;
    status.attempts[0].failure_reason = Some("Internal error".to_owned());
    status.failure_reason = Some("Internal error".to_owned());
    status.next_attempt_time = Some(Time(after(next)));
    case
}

impl Case {
    /// The same case of another kind.
    pub fn of(mut self, kind: Kind) -> Self {
        if let Ok(desired) = &mut self.desired {
            let wanted = if desired.key.is_some() { encrypted } else { plain };
            *desired = Desired {
                retain: desired.retain,
                class: desired.class.clone(),
                verify_access: desired.verify_access,
                ..wanted(kind).clone()
            };
        }
        self
    }

    pub fn job(mut self, change: impl FnOnce(&mut JobView)) -> Self {
        change(&mut self.seen.job);
        self
    }

    pub fn seen(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.seen);
        self
    }

    pub fn intent(mut self, outcome: SubmissionOutcome, seconds_ago: i64) -> Self {
        let at = MicroTime(ago(seconds_ago));
        let retain = self.desired.as_ref().is_ok_and(|desired| desired.retain);
        let job = &mut self.seen.job;
        let name = named(&job.uid, 1, retain);
        let request = PinnedRequest::default();
        job.status.submission = Some(Submission {
            attempt: 1,
            job_name: name.clone(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            request,
            request_hash: "v1:0".to_owned(),
            first_started_at: at.clone(),
            started_at: at,
            outcome,
            acknowledged_at: None,
            in_flight_until: None,
            absent_since: None,
        });
        job.status.attempts = vec![attempt(&name, 1, ago(seconds_ago))];
        job.status.job_name = Some(name);
        job.status.attempt = Some(1);
        self
    }

    /// The record is to outlive the object.
    pub fn retained(mut self) -> Self {
        self.desired.as_mut().unwrap().retain = true;
        self
    }

    /// Changes the intent.
    pub fn with(self, change: impl FnOnce(&mut Submission)) -> Self {
        self.job(|job| change(job.status.submission.as_mut().unwrap()))
    }

    /// The intent is of this attempt; the earlier ones have failed.
    pub fn attempt(self, number: i32) -> Self {
        self.job(|job| {
            let submission = job.status.submission.as_mut().unwrap();
            submission.attempt = number;
            submission.job_name = job_name(number);
            job.status.attempts = (1..=number)
                .map(|n| Attempt {
                    failure_reason: (n < number).then(|| "Internal error".to_owned()),
                    ..attempt(&job_name(n), n, submission.first_started_at.0)
                })
                .collect();
        })
    }

    /// An earlier lost request of this attempt could land until then.
    pub fn stray(self, seconds: i64) -> Self {
        self.with(|s| s.in_flight_until = Some(MicroTime(after(seconds))))
    }

    pub fn absent_since(self, seconds_ago: i64) -> Self {
        self.with(|s| s.absent_since = Some(MicroTime(ago(seconds_ago))))
    }

    pub fn rejection(self, code: &str, count: i32, next: i64) -> Self {
        self.job(|job| {
            job.status.rejection = Some(RejectionStatus {
                code: code.to_owned(),
                message: format!("{code} it is"),
                count,
                time: Time(ago(5)),
                generation: job.generation,
            });
            job.status.next_attempt_time = Some(Time(after(next)));
        })
    }

    pub fn condition(self, type_: &str, status: &str, reason: Reason, seconds_ago: i64) -> Self {
        self.job(|job| {
            job.status.conditions.push(Condition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason: reason.as_str().to_owned(),
                message: String::new(),
                observed_generation: Some(1),
                last_transition_time: Time(ago(seconds_ago)),
            });
        })
    }

    pub fn finished(self, seconds_ago: i64) -> Self {
        self.condition(FINISHED, "True", Reason::Completed, seconds_ago)
    }

    pub fn suspended(self) -> Self {
        self.job(|job| job.controls.suspend = true)
    }

    pub fn deadline(self, seconds: u64) -> Self {
        self.job(|job| job.controls.start_deadline = Some(Duration::from_secs(seconds)))
    }

    pub fn ttl(self, seconds: u64) -> Self {
        self.job(|job| job.controls.ttl = Some(Duration::from_secs(seconds)))
    }

    pub fn limit(self, attempts: usize) -> Self {
        self.job(|job| job.controls.backoff_limit = attempts)
    }

    pub fn deleted(self, seconds_ago: i64) -> Self {
        self.job(|job| job.deleted = Some(ago(seconds_ago)))
    }

    pub fn forced(self) -> Self {
        self.job(|job| job.reconcile_at = Some("now".to_owned()))
    }

    pub fn invalid(mut self, reason: Reason) -> Self {
        self.desired = Err(Rejection::new(reason, "fix it"));
        self
    }

    /// A key is wanted, and this is known of it.
    pub fn key(mut self, verdict: KeyVerdict) -> Self {
        self.desired = Ok(encrypted(Kind::TranscriptionJob).clone());
        self.seen.key = verdict;
        self
    }

    pub fn record(self, record: Observation) -> Self {
        self.seen(|seen| seen.record = record)
    }

    pub fn running(self) -> Self {
        self.found(facts("IN_PROGRESS"))
    }

    pub fn completed(self) -> Self {
        self.found(facts("COMPLETED"))
    }

    pub fn found(self, facts: RemoteJob) -> Self {
        let (facts, as_of) = (Box::new(facts), now());
        self.record(if facts.terminal() {
            Observation::Terminal { facts, as_of }
        } else {
            Observation::Running { facts, as_of }
        })
    }

    pub fn absent(self) -> Self {
        self.absent_as_of(0)
    }

    pub fn absent_as_of(self, seconds_ago: i64) -> Self {
        let as_of = ago(seconds_ago);
        self.record(Observation::Absent { as_of })
    }

    pub fn unknown(self, why: Unknown) -> Self {
        self.record(Observation::Unknown(why))
    }

    pub fn unreachable(self) -> Self {
        self.unknown(Unknown::Failed(fault(AwsErrorKind::Ambiguous, "Timeout")))
    }

    pub fn other_account(self) -> Self {
        let other = AccountRegion {
            account: "999999999999".to_owned(),
            region: REGION.to_owned(),
        };
        self.unknown(Unknown::OtherIdentity(Some(other.clone())))
            .seen(|seen| seen.identity = Some(other))
    }

    pub fn plan(&self) -> Step {
        self.plan_at(now())
    }

    pub fn plan_at(&self, now: Timestamp) -> Step {
        plan(&self.desired, &self.seen, now)
    }

    pub fn status(&self, step: &Step, outcome: &Outcome) -> JobStatus {
        self.status_at(step, outcome, now())
    }

    pub fn status_at(&self, step: &Step, outcome: &Outcome, now: Timestamp) -> JobStatus {
        status(&self.desired, &self.seen, step, outcome, now)
    }

    /// The same observation of an object whose status is this one.
    pub fn having(&self, status: JobStatus) -> Self {
        self.clone().job(|job| job.status = status)
    }
}

pub fn attempt(name: &str, number: i32, started_at: Timestamp) -> Attempt {
    Attempt {
        attempt: number,
        job_name: name.to_owned(),
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        started_at: MicroTime(started_at),
        failure_reason: None,
        record_gone: false,
    }
}

pub fn usable() -> KeyVerdict {
    KeyVerdict::Usable {
        arn: KEY.to_owned(),
        doubt: None,
    }
}

pub fn bad_key() -> KeyVerdict {
    let message = "the key is in another Region";
    KeyVerdict::Refused(Rejection::field(
        Reason::KeyRegionMismatch,
        "spec.encryption.kmsKeyId",
        message,
    ))
}

pub fn unsettled(reason: Reason, passes: bool) -> KeyVerdict {
    KeyVerdict::Unsettled {
        rejection: Rejection::field(reason, "spec.encryption.kmsKeyId", "not known"),
        passes,
    }
}

/// An object whose key was refused, and is to be judged again in so many minutes.
pub fn refused_key(minutes: i64) -> Case {
    let stalled = case().condition(STALLED, "True", Reason::KeyDisabled, 5);
    stalled.job(|job| {
        job.status.next_attempt_time = Some(Time(after(minutes * 60)));
    })
}

/// A step in a few words; times count from now.
pub fn tell(step: &Step) -> String {
    let number = |name: &str| JobName::parse(name).map_or(0, |name| name.attempt);
    match step {
        Step::NoOp { until: None } => "Rest".to_owned(),
        Step::NoOp { until: Some(until) } => format!("Rest {}", from_now(*until)),
        Step::AddFinalizer => "Protect".to_owned(),
        Step::Submit(intent) => submit(intent),
        Step::Follow(facts) => format!("Follow {}", facts.job_status),
        Step::Complete(facts) => format!("Conclude {}", facts.job_status),
        Step::Retry(_, at) => format!("TryAgain {}", from_now(*at)),
        Step::NoteAbsent(as_of) => format!("Missing {}", from_now(*as_of)),
        Step::Withdraw => "Withdraw".to_owned(),
        Step::Wait(wait) => {
            let until = wait.until.map(|until| format!(" {}", from_now(until)));
            format!("Wait {}{}", wait.reason.as_str(), until.unwrap_or_default())
        }
        Step::Suspend => "Suspend".to_owned(),
        Step::Stall(rejection) => format!("Stall {}", rejection.reason.as_str()),
        Step::Fail(rejection) => format!("Fail {}", rejection.reason.as_str()),
        Step::DeleteRecord(target) => format!("DeleteRecord #{}", number(&target.job_name)),
        Step::MarkRecordGone(target) => format!("Forget #{}", number(&target.job_name)),
        Step::RemoveFinalizer { left: None } => "Release".to_owned(),
        Step::RemoveFinalizer { left: Some(name) } => format!("Release, #{} left", number(name)),
        Step::Expire => "Expire".to_owned(),
    }
}

fn submit(intent: &Submission) -> String {
    let key = intent.request.kms_key_arn.as_ref().map_or("", |_| " with key");
    let stray = intent
        .in_flight_until
        .as_ref()
        .map(|t| format!(" stray {}", from_now(t.0)));
    format!("Submit #{}{key}{}", intent.attempt, stray.unwrap_or_default())
}

fn from_now(time: Timestamp) -> String {
    span(time.duration_since(now()))
}

fn span(span: SignedDuration) -> String {
    if span.is_negative() {
        format!("-{:#}", span.abs())
    } else {
        format!("+{span:#}")
    }
}

/// How an object is, in two words: the state and the reason of `Ready`.
pub fn shown(status: &JobStatus) -> String {
    let is = |type_: &str| status.conditions.iter().any(|c| c.type_ == type_ && c.status == "True");
    let Some(ready) = status.conditions.iter().find(|c| c.type_ == READY) else {
        return "nothing".to_owned();
    };
    let state = [COMPLETE, FAILED, STALLED, RECONCILING, SUSPENDED];
    let state = state.into_iter().find(|type_| is(type_)).unwrap_or("None");
    format!("{state}/{}", ready.reason)
}

/// One row of a table.
pub struct Row {
    says: &'static str,
    case: Case,
    step: &'static str,
    outcome: Outcome,
    shows: Option<&'static str>,
    back: Option<&'static str>,
}

/// In this case, this is the step.
pub fn row(says: &'static str, case: Case, step: &'static str) -> Row {
    Row {
        says,
        case,
        step,
        outcome: Outcome::Pending,
        shows: None,
        back: None,
    }
}

impl Row {
    /// The step has this outcome.
    pub fn ends(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// The state and the reason of `Ready` that are shown afterwards.
    pub fn shows(self, shows: &'static str) -> Self {
        Self {
            shows: Some(shows),
            ..self
        }
    }

    /// When the object is looked at again: `never` until it changes.
    pub fn back(self, back: &'static str) -> Self {
        Self {
            back: Some(back),
            ..self
        }
    }

    fn faults(&self, kind: Kind) -> Vec<String> {
        let case = self.case.clone().of(kind);
        let step = case.plan();
        let after = case.status(&step, &self.outcome);
        let back = requeue(&step, &after, now()).map(|d| span(SignedDuration::try_from(d).unwrap()));
        let told = [
            (Some(self.step), tell(&step)),
            (self.shows, shown(&after)),
            (self.back, back.unwrap_or_else(|| "never".to_owned())),
        ];
        told.into_iter()
            .filter(|(expected, is)| expected.is_some_and(|expected| expected != is))
            .map(|(expected, is)| {
                format!(
                    "{}, of a {kind}:\n    expected {}\n    but is   {is}",
                    self.says,
                    expected.unwrap()
                )
            })
            .collect()
    }
}

/// Holds all rows against the code, with every kind, and tells of all that differ.
#[allow(clippy::needless_pass_by_value, reason = "a table is written where it is checked")]
pub fn check<const N: usize>(rows: [Row; N]) {
    let of_kind = |kind: &Kind| rows.iter().flat_map(|row| row.faults(*kind)).collect::<Vec<_>>();
    let faults: Vec<_> = Kind::ALL.iter().flat_map(of_kind).collect();
    assert!(
        faults.is_empty(),
        "{} differences in {N} rows with every kind:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

pub fn tags(uid: &str, cluster: &str) -> BTreeMap<String, String> {
    [(TAG_UID, uid), (TAG_CLUSTER, cluster)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}
