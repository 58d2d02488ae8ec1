//! The records of jobs, and their states as functions of time.
//!
//! Times are milliseconds of the machine's clock. A record is never changed by being looked at: what it shows at an
//! instant follows from when it was created, began, ended and was removed, so that a look can also be one at the past.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use super::config::Config;
use super::error::AwsError;
use super::kinds::Kind;
use super::kms_jobs::JobKey;
use super::outcomes;
use super::s3_jobs::JobFiles;
use super::world::Estate;

/// What identifies a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) entity: &'static str,
    pub(super) name: String,
}

/// A record.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) key: Key,
    /// Order of creation.
    pub(super) seq: u64,
    pub(super) request: Map<String, Value>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: i64,
    /// What the simulator's clock was ahead by at creation; added to the times that the job shows.
    pub(super) clock_offset: i64,
    /// Not known while the job waits for a slot.
    pub(super) started: Option<i64>,
    pub(super) ended: Option<i64>,
    pub(super) removed: Option<i64>,
    pub(super) run_ms: i64,
    /// Why the job fails; absent: it completes, unless its output cannot be written.
    pub(super) failure: Option<String>,
    /// The key for its output.
    pub(super) encryption: Option<JobKey>,
    /// Where it reads and writes; absent for a job that no call made.
    pub(super) files: Option<JobFiles>,
    /// Why its output cannot be written, as things are.
    pub(super) lost: Option<&'static str>,
}

impl Job {
    /// A member of the request; null if it has none.
    pub(super) fn member(&self, name: &str) -> &Value {
        self.request.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn status(&self, at: i64) -> &'static str {
        match (self.started, self.ended, self.reason()) {
            (_, Some(ended), None) if ended <= at => "COMPLETED",
            (_, Some(ended), Some(_)) if ended <= at => "FAILED",
            (Some(started), ..) if started <= at => "IN_PROGRESS",
            _ => "QUEUED",
        }
    }

    /// Why the job fails, as things are.
    pub(super) fn reason(&self) -> Option<&str> {
        self.failure.as_deref().or(self.lost)
    }

    pub(super) fn is_terminal(&self, at: i64) -> bool {
        self.ended.is_some_and(|ended| ended <= at)
    }

    fn exists(&self, at: i64) -> bool {
        self.created <= at && self.removed.is_none_or(|removed| at < removed)
    }

    fn begin(&mut self, at: i64) -> i64 {
        let end = at.saturating_add(self.run_ms);
        (self.started, self.ended) = (Some(at), Some(end));
        end
    }
}

type Scope = (String, String, &'static str);

/// A job that has a slot: when it ends, and whether it had waited.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Running {
    end: i64,
    waited: bool,
    key: Key,
}

/// The slots of one kind in one account and Region.
#[derive(Debug, Default)]
struct Slots {
    running: BinaryHeap<Reverse<Running>>,
    waiting: VecDeque<Key>,
    running_after_wait: usize,
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_key: BTreeMap<Key, Job>,
    slots: HashMap<Scope, Slots>,
    last_seq: u64,
}

impl Jobs {
    /// The record as it was at an instant.
    pub(super) fn get(&self, key: &Key, at: i64) -> Option<&Job> {
        self.by_key.get(key).filter(|job| job.exists(at))
    }

    pub(super) fn get_mut(&mut self, key: &Key, at: i64) -> Option<&mut Job> {
        self.by_key.get_mut(key).filter(|job| job.exists(at))
    }

    /// Every record that existed at an instant.
    pub(super) fn all(&self, at: i64) -> impl Iterator<Item = &Job> {
        self.by_key.values().filter(move |job| job.exists(at))
    }

    /// One kind's records in one account and Region that existed at an instant, newest first.
    pub(super) fn newest_first(&self, account: &str, region: &str, kind: &'static Kind, at: i64) -> Vec<&Job> {
        let entity = kind.entity;
        let first = Key {
            account: account.to_owned(),
            region: region.to_owned(),
            entity,
            name: String::new(),
        };
        let here = |key: &Key| (&*key.account, &*key.region, key.entity) == (account, region, entity);
        let scope = self.by_key.range(first..).take_while(|(key, _)| here(key));
        let mut jobs: Vec<_> = scope.map(|(_, job)| job).filter(|job| job.exists(at)).collect();
        jobs.sort_by_key(|job| Reverse((job.created, job.seq)));
        jobs
    }

    /// Refuse a job that neither has a slot nor can wait for one.
    pub(super) fn check_room(&self, key: &Key, defer: bool, config: &Config) -> Result<(), AwsError> {
        let Some(slots) = self.slots.get(&scope(key)) else {
            return Ok(());
        };
        if slots.running.len() < limit(key.entity, config) {
            return Ok(());
        }
        if !defer {
            return Err(AwsError::limit());
        }
        if slots.waiting.len() < config.queued {
            return Ok(());
        }
        let text = "You have too many queued jobs. Wait until some have begun and try your request again.";
        Err(AwsError::new("LimitExceededConcurrentJobException", text))
    }

    /// Begin a job after its time in the queue; without a free slot, let it wait for one.
    pub(super) fn start(&mut self, mut job: Job, config: &Config) {
        let slots = self.slots.entry(scope(&job.key)).or_default();
        if slots.running.len() < limit(job.key.entity, config) {
            let end = job.begin(job.created.saturating_add(config.queue_ms));
            slots.running.push(Reverse(Running {
                end,
                waited: false,
                key: job.key.clone(),
            }));
        } else {
            slots.waiting.push_back(job.key.clone());
        }
        self.insert(job);
    }

    /// Add a record as it is, without a slot.
    pub(super) fn insert(&mut self, mut job: Job) {
        self.last_seq += 1;
        job.seq = self.last_seq;
        self.by_key.insert(job.key.clone(), job);
    }

    /// The objects that jobs have written, be their records there still or not: buckets and keys.
    pub(super) fn written(&self, at: i64) -> impl Iterator<Item = &(String, String)> {
        let complete = self.by_key.values().filter(move |job| job.status(at) == "COMPLETED");
        complete
            .filter_map(|job| job.files.as_ref())
            .flat_map(JobFiles::written)
    }

    /// The job that has written an object.
    pub(super) fn writer(&self, bucket: &str, key: &str, at: i64) -> Option<&Job> {
        let is = |object: &(String, String)| (object.0.as_str(), object.1.as_str()) == (bucket, key);
        let wrote = |job: &&Job| job.files.as_ref().is_some_and(|files| files.written().any(is));
        self.by_key
            .values()
            .filter(wrote)
            .find(|job| job.status(at) == "COMPLETED")
    }

    /// Give the slots that became free to the jobs that wait, each at the instant at which its slot became free.
    pub(super) fn advance(&mut self, now: i64, config: &Config) {
        for ((_, _, entity), slots) in &mut self.slots {
            let limit = limit(entity, config);
            slots.admit(&mut self.by_key, limit, now);
            while slots.running.peek().is_some_and(|Reverse(first)| first.end <= now) {
                let Some(Reverse(Running { end, waited, .. })) = slots.running.pop() else {
                    break;
                };
                slots.running_after_wait -= usize::from(waited);
                slots.admit(&mut self.by_key, limit, end);
            }
        }
    }

    /// End the jobs that are not at their end yet and that `which` picks, the waiting ones too.
    pub(super) fn finish(&mut self, now: i64, which: impl Fn(&Job) -> bool) {
        let mut ended = HashSet::new();
        for job in self
            .by_key
            .values_mut()
            .filter(|job| !job.is_terminal(now) && which(job))
        {
            job.started = Some(job.started.map_or(now, |started| started.min(now)));
            job.ended = Some(now);
            ended.insert(&job.key);
        }
        for slots in self.slots.values_mut() {
            slots.leave(&ended);
        }
    }

    /// Decide anew, for each job that has not ended, whether it can write its output.
    pub(super) fn judge(&mut self, now: i64, estate: &Estate) {
        for job in self.by_key.values_mut().filter(|job| !job.is_terminal(now)) {
            let key = job.encryption.as_ref().is_none_or(|key| key.is_usable(estate));
            let files = job.files.as_ref().is_none_or(|files| files.is_writable(estate));
            job.lost = match (key, files) {
                (false, _) => Some(outcomes::KEY_UNUSABLE),
                (true, false) => Some(outcomes::OUTPUT_UNWRITABLE),
                (true, true) => None,
            };
        }
    }

    /// Take every record of that name away, as its expiry would.
    pub(super) fn remove(&mut self, name: &str, now: i64) -> usize {
        let named = self
            .by_key
            .values_mut()
            .filter(|job| job.key.name == name && job.exists(now));
        named.map(|job| job.removed = Some(now)).count()
    }
}

impl Slots {
    /// Jobs that have waited may take nine slots of ten.
    fn admit(&mut self, jobs: &mut BTreeMap<Key, Job>, limit: usize, at: i64) {
        while self.running.len() < limit && self.running_after_wait < (limit * 9 / 10).max(1) {
            let Some(key) = self.waiting.pop_front() else { return };
            if let Some(job) = jobs
                .get_mut(&key)
                .filter(|job| job.removed.is_none() && job.started.is_none())
            {
                let end = job.begin(at.max(job.created));
                self.running.push(Reverse(Running { end, waited: true, key }));
                self.running_after_wait += 1;
            }
        }
    }

    /// These jobs have no slot any more and wait for none.
    fn leave(&mut self, ended: &HashSet<&Key>) {
        self.waiting.retain(|key| !ended.contains(key));
        self.running.retain(|Reverse(running)| !ended.contains(&running.key));
        self.running_after_wait = self.running.iter().filter(|Reverse(running)| running.waited).count();
    }
}

fn scope(key: &Key) -> Scope {
    (key.account.clone(), key.region.clone(), key.entity)
}

fn limit(entity: &str, config: &Config) -> usize {
    config
        .concurrent
        .unwrap_or_else(|| Kind::of_entity(entity).map_or(0, |kind| kind.concurrent))
}
