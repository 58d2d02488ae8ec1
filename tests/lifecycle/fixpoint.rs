//! Whatever is stored and whatever AWS says: every pass finds a step, and passes over an unchanged world come to rest.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use proptest::{option, prelude::*, sample::select};
use transcribe_operator::{
    api::{
        Kind,
        conditions::{COMPLETE, FAILED, FINISHED, READY, RECONCILING, Reason, STALLED, SUSPENDED},
        status::{JobStatus, PinnedRequest, SubmissionOutcome},
    },
    domain::{
        AccountRegion, AwsErrorKind, Controls, KeyVerdict, Observation, Outcome, RemoteJob, Sighting, Step, Unknown,
        look, requeue,
    },
};

use crate::world::{
    BOUND, Case, HOUR, KEY, OTHER_UID, after, attempt, bad_key, case, facts, failed, fault, identity, job_name, now,
    tags, tell, unsettled, usable,
};

/// An object as it may be stored, and a world as it may be: what AWS would answer if it were asked.
#[derive(Clone, Debug)]
pub struct World {
    pub kind: Kind,
    pub case: Case,
    /// What a Get finds.
    pub record: Observation,
    /// A sweep lists the job.
    listed: bool,
    /// What the judge of keys says.
    key: KeyVerdict,
    /// What AWS answers to a Start.
    start: Result<Box<RemoteJob>, transcribe_operator::domain::AwsError>,
    /// What AWS answers to a Delete.
    delete: Result<(), transcribe_operator::domain::AwsError>,
}

/// Seconds from now, mostly round the bounds that decisions turn on.
fn offset() -> impl Strategy<Value = i64> {
    let telling = [
        0,
        1,
        -1,
        5,
        -60,
        -BOUND,
        -BOUND - 1,
        1 - BOUND,
        BOUND,
        -2 * BOUND,
        -HOUR * 30,
        HOUR,
    ];
    prop_oneof![4 => select(telling.to_vec()), 1 => -2 * BOUND..2 * BOUND]
}

fn time() -> impl Strategy<Value = Timestamp> {
    // The years that RFC 3339 has.
    let ends = select(vec![-62_135_596_800, 0, 253_402_200_000]).prop_map(|s| Timestamp::from_second(s).unwrap());
    prop_oneof![30 => offset().prop_map(after), 1 => ends]
}

fn seconds() -> impl Strategy<Value = Option<Duration>> {
    option::of(select(vec![0, 1, 60, 100_000, u64::MAX]).prop_map(Duration::from_secs))
}

fn controls() -> impl Strategy<Value = Controls> {
    (any::<bool>(), seconds(), 0_usize..4, seconds()).prop_map(|(suspend, start_deadline, backoff_limit, ttl)| {
        Controls {
            suspend,
            start_deadline,
            backoff_limit,
            ttl,
        }
    })
}

fn outcome() -> impl Strategy<Value = SubmissionOutcome> {
    use SubmissionOutcome::{Acknowledged, Conflict, Ended, Refused, Sent};
    select(vec![Sent, Acknowledged, Conflict, Refused, Ended])
}

fn code() -> impl Strategy<Value = &'static str> {
    let codes = [
        "ThrottlingException",
        "LimitExceededException",
        "BadRequestException",
        "AccessDeniedException",
    ];
    prop_oneof![
        select(codes.to_vec()),
        select(vec!["NotSent", "Timeout", "UnreadableReply", "NewException"])
    ]
}

/// Adds an intent of some attempt, with everything that may go with it.
fn with_intent(case: impl Strategy<Value = Case>) -> impl Strategy<Value = Case> {
    let times = (time(), option::of(time()), option::of(time()), option::of(time()));
    (case, outcome(), 1..4, times, any::<(bool, bool)>()).prop_map(
        |(case, outcome, number, (started, stray, absent, acknowledged), (key, gone))| {
            case.intent(outcome, 0)
                .attempt(number)
                .with(|s| {
                    s.started_at = MicroTime(started);
                    s.first_started_at = MicroTime(started.min(stray.unwrap_or(started)));
                    s.in_flight_until = stray.map(MicroTime);
                    s.absent_since = absent.map(MicroTime);
                    let since = acknowledged.unwrap_or(started).min(now());
                    s.acknowledged_at = (outcome == SubmissionOutcome::Acknowledged).then_some(MicroTime(since));
                    s.request.kms_key_arn = key.then(|| KEY.to_owned());
                })
                .job(|job| job.status.attempts[0].record_gone = gone)
        },
    )
}

fn bare() -> impl Strategy<Value = Case> {
    let metadata = (
        any::<bool>(),
        option::weighted(0.3, time()),
        any::<bool>(),
        any::<bool>(),
        1..3_i64,
    );
    let rejection = option::of((code(), 1..8, offset()));
    let suspended = option::of((any::<bool>(), offset()));
    (
        metadata,
        time(),
        controls(),
        rejection,
        suspended,
        option::weighted(0.1, offset()),
    )
        .prop_map(
            |((protected, deleted, copied, forced, generation), created, controls, rejection, suspended, finished)| {
                let mut case = case();
                if let Some((code, count, next)) = rejection {
                    case = case.rejection(code, count, next);
                }
                if let Some((is, since)) = suspended {
                    let status = if is { "True" } else { "False" };
                    case = case.condition(SUSPENDED, status, Reason::Suspended, -since);
                }
                if let Some(since) = finished {
                    case = case.finished(-since);
                }
                case.job(|job| {
                    (job.has_finalizer, job.deleted, job.created) = (protected, deleted, created);
                    (job.controls, job.generation) = (controls, generation);
                    job.owner_uid = copied.then(|| OTHER_UID.to_owned());
                    job.reconcile_at = forced.then(|| "now".to_owned());
                })
            },
        )
}

fn stored() -> impl Strategy<Value = Case> {
    let record_of_an_older_attempt = attempt(&job_name(1), 1, after(-HOUR));
    prop_oneof![
        1 => bare(),
        1 => bare().prop_map(move |case| {
            let older = record_of_an_older_attempt.clone();
            case.job(|job| job.status.attempts = vec![older])
        }),
        6 => with_intent(bare()),
    ]
}

fn found() -> impl Strategy<Value = RemoteJob> {
    let status = select(vec!["QUEUED", "IN_PROGRESS", "COMPLETED", "FAILED", "PAUSED"]);
    let other = option::of(select(vec![
        tags(OTHER_UID, "c1"),
        tags(crate::world::UID, "c1"),
        [].into(),
    ]));
    let reason = select(vec!["Internal error", "Unsupported media format"]);
    let times = (option::of(time()), option::of(time()));
    (status, times, other, option::of(reason)).prop_map(|(status, (creation_time, completion_time), tags, reason)| {
        let base = reason.map_or_else(|| facts(status), failed);
        RemoteJob {
            job_status: status.to_owned(),
            creation_time,
            completion_time,
            tags,
            ..base
        }
    })
}

fn record() -> impl Strategy<Value = Observation> {
    let other = AccountRegion {
        region: "us-east-1".to_owned(),
        ..identity()
    };
    let unknown = vec![
        Unknown::NoPermit,
        Unknown::Failed(fault(AwsErrorKind::Ambiguous, "Timeout")),
        Unknown::OtherIdentity(Some(other)),
    ];
    prop_oneof![
        3 => found().prop_map(|facts| case().found(facts).seen.record),
        2 => Just(Observation::Absent { as_of: now() }),
        1 => select(unknown).prop_map(Observation::Unknown),
    ]
}

fn reply() -> impl Strategy<Value = transcribe_operator::domain::AwsError> {
    use AwsErrorKind::{Absent, Ambiguous, Conflict, Denied, Invalid, NotSent, Throttled};
    let kinds = vec![
        (Conflict, "ConflictException"),
        (Absent, "NotFoundException"),
        (Throttled, "LimitExceededException"),
        (Denied, "AccessDeniedException"),
        (Invalid, "BadRequestException"),
        (NotSent, "NotSent"),
        (Ambiguous, "Timeout"),
    ];
    select(kinds).prop_map(|(kind, code)| fault(kind, code))
}

fn verdict() -> impl Strategy<Value = KeyVerdict> {
    let waits = unsettled(Reason::KmsUnreachable, true);
    let stalls = unsettled(Reason::KeyNotResolvable, false);
    select(vec![usable(), bad_key(), waits, stalls])
}

pub fn world() -> impl Strategy<Value = World> {
    let start = prop_oneof![Just(Ok(Box::new(facts("QUEUED")))), reply().prop_map(Err)];
    let delete = prop_oneof![Just(Ok(())), reply().prop_map(Err)];
    let wanted = (
        select(vec![Some(false), Some(true), None]),
        any::<bool>(),
        select(Kind::ALL.to_vec()),
    );
    let seen = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        option::weighted(0.8, Just(identity())),
        any::<bool>(),
    );
    (
        stored(),
        record(),
        any::<bool>(),
        verdict(),
        (start, delete),
        wanted,
        seen,
    )
        .prop_map(
            |(
                case,
                record,
                listed,
                key,
                (start, delete),
                (wanted, retain, kind),
                (permit, leads, skewed, identity, admitted),
            )| {
                let case = match wanted {
                    None => case.invalid(Reason::NoClass),
                    Some(true) => case.key(KeyVerdict::NotAsked),
                    Some(false) => case,
                };
                let case = case.of(kind);
                let case = if retain && case.desired.is_ok() {
                    case.retained()
                } else {
                    case
                };
                let case = case.seen(|seen| {
                    seen.permit = permit;
                    seen.leader_for = Duration::from_secs(if leads { 60 } else { 0 });
                    seen.skew = Duration::from_secs(if skewed { 200 } else { 3 });
                    (seen.identity, seen.others_admitted) = (identity, admitted);
                });
                World {
                    kind,
                    case,
                    record,
                    listed,
                    key,
                    start,
                    delete,
                }
            },
        )
}

impl World {
    /// The same of another kind.
    fn of(&self, kind: Kind) -> Self {
        Self {
            kind,
            case: self.case.clone().of(kind),
            ..self.clone()
        }
    }

    /// What one pass sees: no more than `look` asks for, as in the shell.
    fn observe(&self, job: JobStatus, now: Timestamp) -> Case {
        let case = self.case.having(job);
        let subject = &case.seen.job;
        let sighting = if self.listed && subject.submission().is_some() {
            Sighting::Listed {
                facts: Box::new(facts("QUEUED")),
                as_of: now,
            }
        } else {
            Sighting::None
        };
        let look = look(subject, &case.desired, &sighting, &case.seen.limits, now);
        let listed = match sighting {
            Sighting::Listed { facts, as_of } => Observation::Running { facts, as_of },
            Sighting::None | Sighting::Left => Observation::Unknown(Unknown::NotAsked),
        };
        let record = look.get.map_or(listed, |_| self.got(now));
        let key = look.key.map_or(KeyVerdict::NotNeeded, |_| self.key.clone());
        case.seen(|seen| {
            (seen.record, seen.key) = (record, key);
            seen.permit &= look.permit;
        })
    }

    fn got(&self, now: Timestamp) -> Observation {
        match &self.record {
            Observation::Absent { .. } => Observation::Absent { as_of: now },
            other => other.clone(),
        }
    }

    fn outcome(&self, step: &Step) -> Outcome {
        match step {
            Step::Submit(_) => Outcome::Started(self.start.clone()),
            Step::DeleteRecord(_) => Outcome::Deleted(self.delete.clone()),
            _ => Outcome::Pending,
        }
    }
}

/// One pass at one instant.
struct Pass {
    before: Case,
    step: Step,
    after: JobStatus,
    back: Option<Duration>,
}

fn pass(world: &World, status: JobStatus, now: Timestamp) -> Pass {
    let before = world.observe(status, now);
    let step = before.plan_at(now);
    let after = before.status_at(&step, &world.outcome(&step), now);
    let back = requeue(&step, &after, now);
    Pass {
        before,
        step,
        after,
        back,
    }
}

/// Steps after which the object is another one, or gone.
fn leaves(step: &Step) -> bool {
    matches!(step, Step::AddFinalizer | Step::RemoveFinalizer { .. } | Step::Expire)
}

/// More passes than any object needs while neither the time nor the world moves.
const PASSES: usize = 10;

pub fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// However the object is stored and whatever is seen, even what no pass would look for.
    #[test]
    fn there_is_always_a_step(world in world(), extreme in time()) {
        let case = world.case.clone().record(world.record.clone()).seen(|seen| seen.key = world.key.clone());
        let step = case.plan_at(extreme);
        let after = case.status_at(&step, &world.outcome(&step), extreme);
        requeue(&step, &after, extreme);
    }

    /// The kind changes what is asked for, and nothing else: neither a step nor what is said about it.
    #[test]
    fn no_decision_depends_on_the_kind(world in world()) {
        let decided = |kind: &Kind| {
            let world = world.of(*kind);
            let mut pass = pass(&world, world.case.seen.job.status.clone(), now());
            let request = |status: &mut JobStatus| {
                status.encryption.iter_mut().for_each(|encryption| encryption.context.clear());
                if let Some(submission) = &mut status.submission {
                    (submission.request, submission.request_hash) = (PinnedRequest::default(), String::new());
                }
            };
            request(&mut pass.after);
            (tell(&pass.step), pass.after, pass.back)
        };
        let first = decided(&Kind::TranscriptionJob);
        for kind in Kind::ALL {
            prop_assert_eq!(&decided(kind), &first, "{}", kind);
        }
    }

    /// No hot loop: passes end at a status that the next pass leaves as it is, and that is not looked at again at once.
    #[test]
    fn passes_come_to_rest(world in world()) {
        let mut status = world.case.seen.job.status.clone();
        let mut steps = Vec::new();
        loop {
            let pass = pass(&world, status, now());
            steps.push(tell(&pass.step));
            prop_assert!(steps.len() <= PASSES, "no rest: {steps:?}");
            if leaves(&pass.step) {
                break;
            }
            let quiet = pass.after == pass.before.seen.job.status;
            prop_assert!(!quiet || pass.back != Some(Duration::ZERO), "again at once, for nothing: {steps:?}");
            if quiet {
                break;
            }
            status = pass.after;
        }
    }

    /// A message that tells the time of the pass would be written at every pass.
    #[test]
    fn nothing_is_written_because_time_passes(world in world(), millis in 1..3000_i64) {
        let first = pass(&world, world.case.seen.job.status.clone(), now());
        if first.step.has_effect() {
            return Ok(());
        }
        let second = pass(&world, first.after.clone(), now());
        if second.step.has_effect() || second.after != first.after {
            return Ok(());
        }
        let later = now() + SignedDuration::from_millis(millis);
        let third = pass(&world, first.after.clone(), later);
        // Another text tells of something else; the same text must not tell another time.
        let texts = |status: &JobStatus| status.conditions.iter().map(|c| c.message.clone()).collect::<Vec<_>>();
        let shapes = |status: &JobStatus| texts(status).join("\n").replace(|c: char| c.is_ascii_digit() || c == '.', "");
        if shapes(&third.after) == shapes(&first.after) {
            prop_assert_eq!(texts(&third.after), texts(&first.after), "{}", tell(&third.step));
        }
    }

    /// The API server keeps whole seconds of some times and microseconds of others.
    #[test]
    fn a_status_reads_back_as_it_was_written(world in world(), micros in 0..999_999_i64) {
        let now = now() + SignedDuration::from_micros(micros);
        let after = pass(&world, world.case.seen.job.status.clone(), now).after;
        let text = serde_json::to_string(&after).unwrap();
        prop_assert_eq!(serde_json::from_str::<JobStatus>(&text).unwrap(), after);
    }

    /// What conditions mean together.
    #[test]
    fn conditions_agree(world in world()) {
        prop_assume!(!world.case.seen.job.finished());
        let Pass { step, after, .. } = pass(&world, world.case.seen.job.status.clone(), now());
        let is = |type_: &str| after.conditions.iter().any(|c| c.type_ == type_ && c.status == "True");
        let reason = |type_: &str| after.conditions.iter().find(|c| c.type_ == type_).map(|c| c.reason.as_str());
        prop_assert_eq!(is(READY), is(COMPLETE));
        prop_assert_eq!(is(FINISHED), is(COMPLETE) || is(FAILED));
        prop_assert!(!(is(READY) && (is(RECONCILING) || is(STALLED))));
        prop_assert!(!(is(RECONCILING) && is(STALLED)));
        if is(FAILED) {
            prop_assert!(is(STALLED) && reason(FAILED) == reason(STALLED) && reason(READY) == reason(FAILED));
        }
        if !leaves(&step) {
            prop_assert_eq!(after.observed_generation, Some(world.case.seen.job.generation));
        }
        let mut types: Vec<_> = after.conditions.iter().map(|c| &c.type_).collect();
        types.sort();
        types.dedup();
        prop_assert_eq!(types.len(), after.conditions.len());
        prop_assert!(after.conditions.iter().all(|c| !c.reason.is_empty()));
    }

    /// What must hold whenever a job is started.
    #[test]
    fn a_start_is_safe(world in world()) {
        let before = world.observe(world.case.seen.job.status.clone(), now());
        let seen = &before.seen;
        let Step::Submit(intent) = before.plan() else { return Ok(()) };
        let rules = &seen.limits;
        prop_assert!(seen.permit && seen.skew <= rules.max_skew && seen.leader_for >= Duration::from_secs(5));
        prop_assert!(before.desired.is_ok() && seen.identity.is_some() && transcribe_operator::domain::review::denial(&before.desired, &seen.key).is_none());
        prop_assert!(seen.job.has_finalizer && seen.job.deleted.is_none() && !seen.job.finished() && !seen.job.restored());
        prop_assert!(!seen.job.controls.suspend);
        prop_assert_eq!((intent.started_at.0, intent.outcome), (now(), SubmissionOutcome::Sent));
        let Some(old) = seen.job.submission() else { return Ok(()) };
        prop_assert!(!old.outcome.acknowledged(), "an acknowledged job is never started again");
        let identity = seen.identity.as_ref().unwrap();
        if old.outcome == SubmissionOutcome::Ended {
            prop_assert_eq!(intent.attempt, old.attempt + 1);
        } else {
            prop_assert_eq!((&intent.job_name, &intent.request), (&old.job_name, &old.request));
            prop_assert_eq!((&intent.account, &intent.region), (&identity.account, &identity.region));
            prop_assert_eq!(&intent.first_started_at, &old.first_started_at);
            prop_assert!(intent.settled_at(rules) >= old.settled_at(rules), "a danger was forgotten");
        }
        if old.outcome == SubmissionOutcome::Sent {
            prop_assert!(matches!(seen.record, Observation::Absent { .. }), "not known to be absent");
        }
    }

    /// What must hold whenever a record is deleted, or an object given up.
    #[test]
    fn an_end_is_safe(world in world()) {
        let before = world.observe(world.case.seen.job.status.clone(), now());
        let job = &before.seen.job;
        let quiet = job.submission().is_none_or(|s| s.is_settled(&before.seen.limits, now()));
        match before.plan() {
            Step::DeleteRecord(_) => {
                prop_assert!(job.deleted.is_some() && quiet);
                let terminal = matches!(before.seen.record, Observation::Terminal { .. });
                prop_assert!(terminal);
            }
            Step::RemoveFinalizer { .. } => prop_assert!(job.deleted.is_some() && quiet),
            Step::Withdraw => {
                let absent = matches!(before.seen.record, Observation::Absent { .. });
                prop_assert!(quiet && absent);
                prop_assert!(job.submission().is_some_and(|s| !s.outcome.acknowledged()));
            }
            Step::Expire => prop_assert!(job.finished() && job.deleted.is_none()),
            _ => {}
        }
    }
}

#[test]
fn times_are_kept_as_the_api_server_keeps_them() {
    let case = crate::world::acknowledged(HOUR).completed();
    let at = now() + SignedDuration::from_millis(1);
    let after = case.status_at(&case.plan_at(at), &Outcome::Pending, at);
    assert_eq!(after.completion_time, Some(Time(now())));
}
