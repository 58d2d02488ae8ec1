//! The shipped functions, asked once for each question.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::json;
pub use transcribe_operator::api::status::SubmissionOutcome as Outcome;
use transcribe_operator::{
    api::{
        Kind, TAG_CLUSTER, TAG_UID,
        conditions::{FINISHED, READY, STALLED, SUSPENDED},
        transcription_class::TranscriptionClass,
    },
    domain::{
        self, AccountRegion, AwsError, AwsErrorKind, Class, Desired, JobName, JobView, KeyVerdict, ListSnapshot, Look,
        NamePrefix, Observation, Observed, ProtocolLimits, Rejection, RemoteJob, Request, Sighting, Step, Target,
        Unknown,
        aws_error::{LATE_SIGNATURE, NOT_SENT, TIMEOUT},
        class::selection::{Labels, select},
    },
};

use crate::{
    clock::{TICK, aged, at},
    configurations::{Binding, Configuration},
    mutants::Mutant,
    samples::minimal,
    subject::{UIDS, created, normalise, says_nothing_billed, shift, untimed},
    world::{ATTEMPTS, Account, Name, Pass, Phase, Reply, Seen},
};

const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];
const REGION: &str = "eu-central-1";

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ObjectId(u32);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PassId(u32);

/// What the model itself asks of an object.
#[derive(Clone, Debug, Default)]
pub struct Info {
    pub deleted: bool,
    pub has_finalizer: bool,
    pub suspended: bool,
    /// The reason of `Finished`.
    pub finished: Option<String>,
    pub stalled: Option<String>,
    pub shows_suspended: bool,
    pub outcome: Option<Outcome>,
    /// Of its own intent. 0: none.
    pub attempt: u8,
    /// Of its own intent.
    pub account: Account,
    pub says_nothing_billed: bool,
    /// Its annotation names another object.
    pub copied: bool,
}

/// A question to `plan`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Question {
    pub view: ObjectId,
    /// Which process asks: its clock is so much ahead of AWS's.
    pub process: u8,
    pub binding: u8,
    pub identity: u8,
    pub seen: Seen,
    pub as_of: i8,
}

/// The shipped answer.
#[derive(Clone, Debug)]
pub struct Decision {
    pub question: Question,
    pub seen: Observed,
    pub step: Step,
    /// The object with the status that is written first.
    pub pending: ObjectId,
    /// The name that a Submit or DeleteRecord is about.
    pub name: Option<Name>,
    pub account: Account,
}

/// What the last sweep says: when it began, and the phase of the object's job if it is listed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Swept {
    pub begun: i8,
    pub listed: Option<crate::world::Observation>,
}

/// What `look` asks for, and what is known without asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Looked {
    pub get: Option<(Name, Account)>,
    pub known: Seen,
    pub as_of: i8,
    pub left: bool,
}

/// The shipped functions under a configuration, with what they have answered so far.
pub struct Shipped {
    pub config: &'static Configuration,
    pub mutant: Option<Mutant>,
    rules: Vec<ProtocolLimits>,
    desired: Vec<Vec<Result<Desired, Rejection>>>,
    objects: Vec<(JobView, Info)>,
    ids: HashMap<String, ObjectId>,
    later: Vec<Option<ObjectId>>,
    looks: HashMap<(ObjectId, u8, u8, u8, Option<Swept>), Looked>,
    decisions: Vec<Decision>,
    decided: HashMap<Question, PassId>,
    same: HashMap<(ObjectId, String, u8, u8), PassId>,
    reports: HashMap<(PassId, u8, ObjectId, Reply), ObjectId>,
}

impl Shipped {
    pub fn new(config: &'static Configuration, kind: Kind, mutant: Option<Mutant>) -> Self {
        let mut rules: Vec<_> = config.cluster_ids.iter().map(|id| rules(config, id)).collect();
        if let Some(mutant) = mutant {
            rules.iter_mut().for_each(|rules| mutant.rules(rules));
        }
        let desired = (0..2).map(|slot| {
            let rules = &rules[config.cluster_of(slot)];
            config
                .bindings
                .iter()
                .map(|binding| bind(config, kind, *binding, rules, slot))
                .collect()
        });
        Self {
            desired: desired.collect(),
            config,
            mutant,
            rules,
            objects: Vec::new(),
            ids: HashMap::new(),
            later: Vec::new(),
            looks: HashMap::new(),
            decisions: Vec::new(),
            decided: HashMap::new(),
            same: HashMap::new(),
            reports: HashMap::new(),
        }
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub fn object(&self, id: ObjectId) -> &JobView {
        &self.objects[id.0 as usize].0
    }

    pub fn info(&self, id: ObjectId) -> &Info {
        &self.objects[id.0 as usize].1
    }

    pub fn pass(&self, id: PassId) -> &Decision {
        &self.decisions[id.0 as usize]
    }

    /// When the Start of a pass was signed: with the time of its intent.
    pub fn signed(&self, process: usize, pass: Pass) -> i8 {
        self.config.clocks[process] - i8::try_from(pass.age).unwrap()
    }

    pub fn first(&mut self) -> ObjectId {
        let job = created(self.config);
        self.intern(job)
    }

    pub fn intern(&mut self, mut job: JobView) -> ObjectId {
        normalise(&mut job, self.config);
        let key = format!("{job:?}");
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = ObjectId(u32::try_from(self.objects.len()).unwrap());
        let info = info(&job);
        self.objects.push((job, info));
        self.later.push(None);
        self.ids.insert(key, id);
        id
    }

    /// The object with a change to it.
    pub fn changed(&mut self, id: ObjectId, change: impl FnOnce(&mut JobView)) -> ObjectId {
        let mut job = self.object(id).clone();
        change(&mut job);
        self.intern(job)
    }

    /// The object a tick later.
    pub fn tick(&mut self, id: ObjectId) -> ObjectId {
        if let Some(later) = self.later[id.0 as usize] {
            return later;
        }
        let later = self.changed(id, |job| shift(job, 1));
        self.later[id.0 as usize] = Some(later);
        later
    }

    pub fn aged(&mut self, mut id: ObjectId, ticks: u8) -> ObjectId {
        for _ in 0..ticks {
            id = self.tick(id);
        }
        id
    }

    fn rules_for(&self, view: ObjectId) -> &ProtocolLimits {
        let slot = usize::from(self.object(view).name != "job");
        &self.rules[self.config.cluster_of(slot)]
    }

    fn desired_for(&self, view: ObjectId, binding: u8) -> &Result<Desired, Rejection> {
        let slot = usize::from(self.object(view).name != "job");
        &self.desired[slot][usize::from(binding)]
    }

    /// `Sighting::of` and `look`.
    pub fn look(&mut self, view: ObjectId, process: u8, binding: u8, identity: u8, swept: Option<Swept>) -> Looked {
        let key = (view, process, binding, identity, swept);
        if let Some(looked) = self.looks.get(&key) {
            return *looked;
        }
        let mut job = self.object(view).clone();
        if let Some(mutant) = self.mutant {
            mutant.object(&mut job);
        }
        let same_account = job
            .submission()
            .is_some_and(|s| s.account == ACCOUNTS[usize::from(identity)]);
        let sweep = swept.filter(|_| same_account).map(|swept| sweep(swept, &job));
        let sighting = Sighting::of(sweep.as_ref(), job.submission());
        let left = sighting == Sighting::Left;
        let listed = swept
            .and_then(|s| s.listed)
            .filter(|_| matches!(sighting, Sighting::Listed { .. }));
        let now = at(self.config.clocks[usize::from(process)]);
        let Look { get, .. } = domain::look(
            &job,
            self.desired_for(view, binding),
            &sighting,
            self.rules_for(view),
            now,
        );
        let trusting = listed.is_some() && self.mutant.is_some_and(Mutant::trusts_lists);
        let get = get.filter(|_| !trusting);
        let looked = Looked {
            get: get.map(|target| (name_of(&target.job_name), account_of(&target.account))),
            known: listed.map_or(Seen::NotAsked, |record| Seen::Found { record, tags: false }),
            as_of: swept.map_or(0, |s| s.begun),
            left,
        };
        self.looks.insert(key, looked);
        looked
    }

    /// `plan`, and `status` before anything is done.
    pub fn plan(&mut self, question: Question) -> PassId {
        if let Some(id) = self.decided.get(&question) {
            return *id;
        }
        let now = at(self.config.clocks[usize::from(question.process)]);
        let seen = self.observed(question);
        let desired = self.desired_for(question.view, question.binding);
        let step = match self.mutant {
            None => domain::plan(desired, &seen, now),
            Some(mutant) => {
                let mut altered = seen.clone();
                mutant.object(&mut altered.job);
                mutant.observed(&mut altered, now);
                mutant.step(domain::plan(desired, &altered, now), &altered, now)
            }
        };
        let mut after = domain::status(desired, &seen, &step, &domain::Outcome::Pending, now);
        if let Some(mutant) = self.mutant {
            mutant.status(&step, &seen.job.status, &mut after);
        }
        let (name, account) = match &step {
            Step::Submit(intent) => (Some(name_of(&intent.job_name)), account_of(&intent.account)),
            Step::DeleteRecord(target) => (Some(name_of(&target.job_name)), account_of(&target.account)),
            _ => (None, 0),
        };
        let pending = self.changed(question.view, |job| job.status = after);
        // What led to it is forgotten: the same step from the same object is the same decision.
        let same = (pending, format!("{step:?}"), question.process, question.binding);
        let next = PassId(u32::try_from(self.decisions.len()).unwrap());
        let id = *self.same.entry(same).or_insert(next);
        if id == next {
            self.decisions.push(Decision {
                question,
                seen,
                step,
                pending,
                name,
                account,
            });
        }
        self.decided.insert(question, id);
        id
    }

    fn observed(&self, question: Question) -> Observed {
        let job = self.object(question.view).clone();
        let rules = self.rules_for(question.view).clone();
        let identity = AccountRegion {
            account: ACCOUNTS[usize::from(question.identity)].to_owned(),
            region: REGION.to_owned(),
        };
        let desired = self.desired_for(question.view, question.binding);
        let binding = self.config.bindings[usize::from(question.binding)];
        let ahead = self.config.clocks[usize::from(question.process)];
        Observed {
            record: record(question.seen, at(question.as_of), &job, &identity),
            key: key(binding, desired.as_ref().ok()),
            permit: true,
            leader_for: Duration::from_hours(1),
            skew: Duration::from_secs(TICK * u64::from(ahead.unsigned_abs())),
            identity: Some(identity),
            ..Observed::unseen(job, rules)
        }
    }

    /// `status` once the reply is known, over the object as it is now.
    pub fn report(&mut self, pass: Pass, over: ObjectId, reply: Reply) -> ObjectId {
        let key = (pass.id, pass.age, over, reply);
        if let Some(id) = self.reports.get(&key) {
            return *id;
        }
        let decision = self.pass(pass.id);
        let now = at(self.config.clocks[usize::from(decision.question.process)]);
        let mut step = decision.step.clone();
        if let Step::Submit(intent) = &mut step {
            let micro = |time: &mut MicroTime| time.0 = aged(time.0, pass.age);
            micro(&mut intent.first_started_at);
            micro(&mut intent.started_at);
            intent.in_flight_until.as_mut().map(micro);
        }
        let seen = Observed {
            job: self.object(over).clone(),
            ..decision.seen.clone()
        };
        let outcome = outcome(reply, self.mutant);
        let desired = self.desired_for(decision.question.view, decision.question.binding);
        let after = domain::status(desired, &seen, &step, &outcome, now);
        let id = self.changed(over, |job| job.status = after);
        self.reports.insert(key, id);
        id
    }

    /// `requeue`, in ticks. `None`: not before the object changes.
    pub fn requeue(&self, pass: PassId, after: ObjectId) -> Option<u8> {
        let decision = self.pass(pass);
        let now = at(self.config.clocks[usize::from(decision.question.process)]);
        if self.is(Mutant::NeverComesBack) {
            return None;
        }
        let wait = domain::requeue(&decision.step, &self.object(after).status, now)?;
        Some(u8::try_from(wait.as_micros().div_ceil(u128::from(TICK) * 1_000_000)).unwrap_or(u8::MAX - 1))
    }

    /// At rest: passes over an object, all of its status included, change nothing, now and later.
    pub fn rests(&self, question: Question) -> Result<(), String> {
        let desired = self.desired_for(question.view, question.binding);
        let mut seen = self.observed(question);
        seen.job.status = untimed(&seen.job.status);
        let now = at(self.config.clocks[usize::from(question.process)]);
        for hours in [0, 0, 1, 100] {
            let now = now + jiff::SignedDuration::from_hours(hours);
            let step = domain::plan(desired, &seen, now);
            let after = domain::status(desired, &seen, &step, &domain::Outcome::Pending, now);
            if step.has_effect() && hours > 0 {
                return Err(format!("at rest, but {step:?} follows"));
            }
            if hours > 0 && untimed(&after) != untimed(&seen.job.status) {
                return Err(format!(
                    "at rest, but the status goes from {:?} to {after:?}",
                    seen.job.status
                ));
            }
            seen.job.status = after;
        }
        let sighting = Sighting::None;
        let look = domain::look(&seen.job, desired, &sighting, self.rules_for(question.view), now);
        if seen.job.finished() && look != Look::default() {
            return Err(format!("finished, but asks for {look:?}"));
        }
        Ok(())
    }

    /// One line about an object.
    pub fn describe(&self, id: ObjectId) -> String {
        let (job, info) = &self.objects[id.0 as usize];
        let ticks = |time: Timestamp| time.duration_since(at(0)).as_secs() as f64 / TICK as f64;
        let mut text = match &job.status.submission {
            None => "no intent".to_owned(),
            Some(s) => {
                let mut text = format!("{:?} #{}", s.outcome, s.attempt);
                if s.outcome == Outcome::Sent {
                    text += &format!(" started {:+}", ticks(s.started_at.0));
                }
                if let Some(stray) = &s.in_flight_until {
                    text += &format!(", stray until {:+}", ticks(stray.0));
                }
                if let Some(since) = &s.absent_since {
                    text += &format!(", absent since {:+}", ticks(since.0));
                }
                text
            }
        };
        if let Some(rejection) = &job.status.rejection {
            text += &format!(", rejection {}", rejection.code);
        }
        for (flag, name) in [
            (info.deleted, "deleted"),
            (!info.has_finalizer, "unprotected"),
            (info.suspended, "suspended"),
            (info.says_nothing_billed, "'nothing was billed'"),
            (info.copied, "copied"),
        ] {
            if flag {
                text += &format!(", {name}");
            }
        }
        if let Some(reason) = info.finished.as_ref().or(info.stalled.as_ref()) {
            text += &format!(", {reason}");
        }
        text
    }
}

fn rules(config: &Configuration, cluster_id: &str) -> ProtocolLimits {
    ProtocolLimits {
        prefix: NamePrefix::new(cluster_id).unwrap(),
        signature_window: Duration::from_secs(TICK * u64::from(config.window.unsigned_abs())),
        max_skew: Duration::from_secs(TICK * u64::from(config.max_skew.unsigned_abs())),
        deletion_max_wait: Duration::from_secs(TICK * config.deletion_wait),
        key_recheck_interval: Duration::from_secs(TICK),
    }
}

fn bind(
    config: &Configuration,
    kind: Kind,
    binding: Binding,
    rules: &ProtocolLimits,
    slot: usize,
) -> Result<Desired, Rejection> {
    let mut spec = minimal(kind);
    match binding {
        Binding::Plain | Binding::NoClass => {}
        Binding::Key | Binding::KeyRefused => {
            let arn = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
            spec["encryption"] = json!({"kmsKeyId": arn});
        }
    }
    if config.retain {
        spec["deletionPolicy"] = json!("Retain");
    }
    let account = spec.get("encryption").map(|_| ACCOUNTS[0]);
    let classes = Some(class()).filter(|_| binding != Binding::NoClass);
    let classes: Vec<_> = classes.map(Box::new).into_iter().collect();
    let class = Class::new(
        select(&classes, Some("default"), Some(&Labels::new()))?,
        account.map(ToOwned::to_owned),
    );
    let mut job = created(&crate::configurations::BASE);
    UIDS[slot].clone_into(&mut job.uid);
    Desired::bind(Request::parse(kind, &spec).unwrap(), &class, &rules.prefix, &job)
}

fn class() -> TranscriptionClass {
    let spec = json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "results", "unprefixedKinds": ["MedicalScribeJob"]},
        "dataAccess": {"defaultRoleArn": "arn:aws:iam::111111111111:role/data"},
        "encryption": {"allowedKmsKeys": ["*"]},
    });
    TranscriptionClass::new("default", serde_json::from_value(spec).unwrap())
}

fn key(binding: Binding, desired: Option<&Desired>) -> KeyVerdict {
    let key = desired.and_then(|d| d.key.clone());
    match (binding, key) {
        (Binding::KeyRefused, _) => KeyVerdict::Refused(Rejection::new(
            transcribe_operator::api::conditions::Reason::AccessDenied,
            "the key is disabled",
        )),
        (_, Some(key)) => KeyVerdict::Usable {
            arn: key.to_string(),
            doubt: None,
        },
        (_, None) => KeyVerdict::NotNeeded,
    }
}

fn sweep(swept: Swept, job: &JobView) -> ListSnapshot {
    let listed = swept.listed.zip(job.submission()).map(|(record, submission)| {
        let name = JobName::parse(&submission.job_name).unwrap();
        (submission.job_name.clone(), facts(record, false, &name))
    });
    ListSnapshot {
        begun_at: at(swept.begun),
        running: listed.into_iter().collect(),
    }
}

fn facts(record: crate::world::Observation, tags: bool, name: &JobName) -> RemoteJob {
    let uid = if record.foreign { "somebody" } else { &name.uid };
    let ours = [(TAG_UID, uid), (TAG_CLUSTER, name.prefix.cluster_id())];
    let tags = tags.then(|| BTreeMap::from(ours.map(|(key, value)| (key.to_owned(), value.to_owned()))));
    RemoteJob {
        job_status: record.phase.as_str().to_owned(),
        creation_time: Some(at(-i8::try_from(record.age).unwrap())),
        tags,
        failure_reason: (record.phase == Phase::Failed).then(|| "internal".to_owned()),
        ..RemoteJob::default()
    }
}

fn record(seen: Seen, as_of: Timestamp, job: &JobView, identity: &AccountRegion) -> Observation {
    match seen {
        Seen::NotAsked => Observation::Unknown(Unknown::NotAsked),
        Seen::Unreachable => Observation::Unknown(Unknown::Failed(fault(AwsErrorKind::Ambiguous, TIMEOUT))),
        Seen::OtherIdentity => Observation::Unknown(Unknown::OtherIdentity(Some(identity.clone()))),
        Seen::Absent => Observation::Absent { as_of },
        Seen::Found { record, tags } => {
            let target = domain::job::plan::first_target(job).filter(|_| job.deleted.is_some());
            let name = target.map(|Target { job_name, .. }| job_name);
            let name = name.or_else(|| job.submission().map(|s| s.job_name.clone())).unwrap();
            let facts = Box::new(facts(record, tags, &JobName::parse(&name).unwrap()));
            if record.phase.terminal() {
                Observation::Terminal { facts, as_of }
            } else {
                Observation::Running { facts, as_of }
            }
        }
    }
}

fn fault(kind: AwsErrorKind, code: &str) -> AwsError {
    AwsError::new(kind, code, "as AWS says")
}

fn outcome(reply: Reply, mutant: Option<Mutant>) -> domain::Outcome {
    use domain::Outcome::{Deleted, Started};
    match reply {
        Reply::Conflict if mutant == Some(Mutant::ConflictIsThrottling) => {
            Started(Err(fault(AwsErrorKind::Throttled, "ThrottlingException")))
        }
        Reply::Conflict if mutant == Some(Mutant::ConflictIsSuccess) => Started(Ok(Box::new(running()))),
        Reply::Ambiguous if mutant == Some(Mutant::SilenceIsRefusal) => {
            Started(Err(fault(AwsErrorKind::NotSent, NOT_SENT)))
        }
        Reply::Accepted => Started(Ok(Box::new(running()))),
        Reply::Conflict => Started(Err(fault(AwsErrorKind::Conflict, "ConflictException"))),
        Reply::Ambiguous => Started(Err(fault(AwsErrorKind::Ambiguous, TIMEOUT))),
        Reply::Throttled => Started(Err(fault(AwsErrorKind::Throttled, "ThrottlingException"))),
        Reply::Invalid => Started(Err(fault(AwsErrorKind::Invalid, "BadRequestException"))),
        Reply::Expired => Started(Err(fault(AwsErrorKind::NotSent, LATE_SIGNATURE))),
        Reply::Deleted => Deleted(Ok(())),
        Reply::DeleteAbsent => Deleted(Err(fault(AwsErrorKind::Absent, "BadRequestException"))),
        Reply::DeleteBusy => Deleted(Err(fault(AwsErrorKind::Invalid, "BadRequestException"))),
        Reply::DeleteAmbiguous => Deleted(Err(fault(AwsErrorKind::Ambiguous, TIMEOUT))),
    }
}

fn running() -> RemoteJob {
    RemoteJob {
        job_status: "IN_PROGRESS".to_owned(),
        ..RemoteJob::default()
    }
}

/// The index of a name, by its uid and attempt.
pub fn name_of(job_name: &str) -> Name {
    let name = JobName::parse(job_name).unwrap();
    let uid = UIDS.iter().position(|uid| *uid == name.uid).unwrap();
    let attempt = usize::try_from(name.attempt).unwrap();
    assert!(attempt <= ATTEMPTS, "the model has room for {ATTEMPTS} attempts");
    uid * ATTEMPTS + attempt - 1
}

fn account_of(account: &str) -> Account {
    ACCOUNTS.iter().position(|a| *a == account).unwrap()
}

fn info(job: &JobView) -> Info {
    let reason = |type_| {
        job.condition(type_)
            .filter(|c| c.status == "True")
            .map(|c| c.reason.clone())
    };
    let submission = job.submission();
    Info {
        deleted: job.deleted.is_some(),
        has_finalizer: job.has_finalizer,
        suspended: job.controls.suspend,
        finished: reason(FINISHED),
        stalled: reason(STALLED),
        shows_suspended: reason(SUSPENDED).is_some(),
        outcome: submission.map(|s| s.outcome),
        attempt: submission.map_or(0, |s| u8::try_from(s.attempt).unwrap()),
        account: submission.map_or(0, |s| account_of(&s.account)),
        says_nothing_billed: says_nothing_billed(&job.status) && job.condition(READY).is_some(),
        copied: job.owner_uid.as_ref().is_some_and(|uid| *uid != job.uid),
    }
}
