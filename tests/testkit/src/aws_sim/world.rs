//! The state of a simulator, behind one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::buckets::Buckets;
use super::clock::Clock;
use super::eks::Clusters;
use super::iam::Directory;
use super::kms_controls::KmsCalls;
use super::kms_keys::Keys;
use super::trail::Trail;
use super::{Config, ForeignJob, JobView, Model, What, When, faults, jobs, ledger, outcomes, quota, transcribe};

/// What the connections share.
#[derive(Debug)]
pub(super) struct Sim {
    pub(super) transcribe: Model,
    pub(super) kms: Model,
    pub(super) sts: Model,
    pub(super) ca_pem: Option<String>,
    pub(super) machine: Arc<Clock>,
    world: Mutex<World>,
}

/// All that changes.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: Config,
    pub(super) jobs: jobs::Jobs,
    pub(super) estate: Estate,
    pub(super) kms_calls: KmsCalls,
    pub(super) trail: Trail,
    pub(super) quotas: quota::Quotas,
    pub(super) ledger: ledger::Ledger,
    pub(super) faults: faults::Faults,
    pub(super) seen: outcomes::Seen,
    machine: Arc<Clock>,
    nonce: u64,
}

/// What tests put there, and what Transcribe needs for its jobs.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) iam: Directory,
    pub(super) keys: Keys,
    pub(super) buckets: Buckets,
    pub(super) clusters: Clusters,
}

impl Sim {
    pub(super) fn new(config: Config) -> anyhow::Result<Self> {
        let ledger = ledger::Ledger::open(config.ledger.as_deref())?;
        let machine = Arc::<Clock>::default();
        let now = at(machine.now().saturating_add(config.clock_offset_ms));
        let world = World {
            config,
            jobs: jobs::Jobs::default(),
            estate: Estate {
                iam: Directory::default(),
                keys: Keys::new(now)?,
                buckets: Buckets::default(),
                clusters: Clusters::default(),
            },
            kms_calls: KmsCalls::default(),
            trail: Trail::default(),
            quotas: quota::Quotas::default(),
            ledger,
            faults: faults::Faults::default(),
            seen: outcomes::Seen::default(),
            machine: machine.clone(),
            nonce: 0,
        };
        Ok(Self {
            transcribe: Model::transcribe()?,
            kms: Model::kms()?,
            sts: Model::sts()?,
            ca_pem: None,
            machine,
            world: Mutex::new(world),
        })
    }

    /// The world; a panic elsewhere does not hide it.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pick_fault(&self, operation: &str, job_name: &str, key_id: &str) -> Option<(When, What)> {
        let mut world = self.world();
        let seed = world.config.seed;
        world.faults.pick(operation, job_name, key_id, seed)
    }

    /// The `Date` and the request id of a reply.
    pub(super) fn stamp(&self) -> (String, String) {
        let mut world = self.world();
        let now = world.now();
        (
            world.clock(now).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            world.next_id(),
        )
    }

    pub(super) fn jobs(&self) -> Vec<JobView> {
        let mut world = self.world();
        let now = world.now();
        let World { config, jobs, .. } = &mut *world;
        jobs.advance(now, config);
        jobs.all(now).map(|job| view(job, now)).collect()
    }

    pub(super) fn put_foreign_job(&self, foreign: &ForeignJob) -> anyhow::Result<()> {
        let mut world = self.world();
        let job = transcribe::foreign(foreign, &world, world.now())?;
        world.jobs.insert(job);
        Ok(())
    }

    pub(super) fn remove_job(&self, name: &str) -> usize {
        let mut world = self.world();
        let now = world.now();
        world.jobs.remove(name, now)
    }

    pub(super) fn finish(&self, which: impl Fn(&JobView) -> bool) {
        let mut world = self.world();
        let now = world.now();
        world.jobs.finish(now, |job| which(&view(job, now)));
    }
}

impl World {
    /// The machine's clock, in milliseconds, or what it shows while it is stopped.
    pub(super) fn now(&self) -> i64 {
        self.machine.now()
    }

    /// The simulator's clock at an instant of the machine's.
    pub(super) fn clock(&self, now: i64) -> Timestamp {
        at(now.saturating_add(self.config.clock_offset_ms))
    }

    /// Change what there is; jobs that have not ended yet will fail if they cannot write their output any more.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Estate) -> T) -> T {
        let now = self.now();
        self.jobs.advance(now, &self.config);
        let result = change(&mut self.estate);
        self.jobs.judge(now, &self.estate);
        result
    }

    pub(super) fn next_nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce
    }

    /// A request id: a UUID's form.
    pub(super) fn next_id(&mut self) -> String {
        let nonce = self.next_nonce();
        let hex = format!("{:x}", Sha256::digest(format!("{}/{nonce}", self.config.seed)));
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..32]
        )
    }
}

/// What the controls show of a job.
fn view(job: &jobs::Job, now: i64) -> JobView {
    JobView {
        account: job.key.account.clone(),
        region: job.key.region.clone(),
        kind: job.key.entity.to_owned(),
        name: job.key.name.clone(),
        status: job.status(now).to_owned(),
        created: at(job.created.saturating_add(job.clock_offset)),
        tags: job.tags.clone(),
        request: Value::Object(job.request.clone()),
    }
}

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH
        .saturating_add(SignedDuration::from_millis(ms))
        .unwrap_or(Timestamp::MAX)
}
