//! Counts the running jobs of a class, and enforces its limits.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::runtime::reflector::Store;
use parking_lot::Mutex;

use crate::{
    api::{
        status::JobStatus,
        transcription_class::{ClassJobs, Limits},
        types::Int,
    },
    domain::JobView,
    runtime::watch::WatchedJob,
};

/// How old a count may be.
const MAX_AGE: Duration = Duration::from_millis(500);
/// How long an admitted job counts while the cache does not show it yet.
const ADMITTED_TTL: Duration = Duration::from_mins(1);

/// The class and the namespace against whose limits a job counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    class: String,
    namespace: String,
}

/// The running jobs by class: those in the caches, and those that were admitted just now.
#[derive(Clone, Debug)]
pub struct RunningJobs {
    jobs: Arc<[Store<WatchedJob>]>,
    seen: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    at: Option<Instant>,
    running: HashMap<String, Holder>,
    admitted: HashMap<String, (Holder, Instant)>,
}

impl Counted {
    /// Returns the limit because of which the class takes no further job now.
    fn full(&self, uid: &str, of: &Holder, limits: &Limits) -> Option<String> {
        let known = self
            .running
            .iter()
            .chain(self.admitted.iter().map(|(uid, (of, _))| (uid, of)));
        // No job counts twice, because `admitted` has only jobs that are not in `running`.
        let others: Vec<&Holder> = known.filter(|(other, _)| *other != uid).map(|(_, of)| of).collect();
        let count = |fits: &dyn Fn(&Holder) -> bool| {
            i32::try_from(others.iter().filter(|of| fits(of)).count()).unwrap_or(i32::MAX)
        };
        let of_class = |other: &Holder| other.class == of.class;
        let reached = |limit: i32, running: i32| running >= limit;
        if let Some(most) = limits.max_running_jobs.map(Int::get)
            && reached(most, count(&of_class))
        {
            return Some(format!("its limit of {most} running jobs is reached"));
        }
        let most = limits.max_running_jobs_per_namespace.map(Int::get)?;
        reached(most, count(&|other| of_class(other) && other.namespace == of.namespace))
            .then(|| format!("its limit of {most} running jobs in a namespace is reached"))
    }
}

impl RunningJobs {
    /// Counts the jobs in these caches.
    pub fn of(jobs: impl Into<Arc<[Store<WatchedJob>]>>) -> Self {
        Self {
            jobs: jobs.into(),
            seen: Arc::default(),
        }
    }

    /// Takes a slot among the running jobs of a class.
    ///
    /// # Errors
    /// No slot is free. The error is a text that names the limit.
    pub fn admit(&self, job: &JobView, class: &str, limits: Option<&Limits>) -> Result<ClassSlot, String> {
        let slot = ClassSlot {
            uid: job.uid.clone(),
            seen: self.seen.clone(),
            is_used: false,
        };
        let Some(limits) = limits else { return Ok(slot) };
        let holder = Holder {
            class: class.to_owned(),
            namespace: job.namespace.clone(),
        };
        let mut seen = self.seen.lock();
        if seen.at.is_none_or(|at| at.elapsed() >= MAX_AGE) {
            self.count(&mut seen);
        }
        if let Some(limit) = seen.full(&job.uid, &holder, limits) {
            return Err(limit);
        }
        if !seen.running.contains_key(&job.uid) {
            seen.admitted.insert(job.uid.clone(), (holder, Instant::now()));
        }
        drop(seen);
        Ok(slot)
    }

    fn count(&self, seen: &mut Counted) {
        seen.at = Some(Instant::now());
        let stored = self.jobs.iter().flat_map(Store::state);
        let running: HashMap<String, Holder> = stored
            .filter_map(|stored| {
                let job = stored.0.as_ref().ok()?;
                let status = job.status.as_ref().filter(|status| runs(status))?;
                let class = status.class.as_ref()?.name.clone();
                let namespace = job.metadata.namespace.clone()?;
                Some((job.metadata.uid.clone()?, Holder { class, namespace }))
            })
            .collect();
        seen.admitted
            .retain(|uid, (_, at)| at.elapsed() < ADMITTED_TTL && !running.contains_key(uid));
        seen.running = running;
    }

    /// Returns the number of jobs of a class, and how many submitted ones are being deleted.
    pub fn jobs(&self, class: &str) -> (ClassJobs, usize) {
        let mut jobs = ClassJobs::default();
        let mut deleting = 0;
        let stored = self.jobs.iter().flat_map(Store::state);
        for job in stored {
            let Some((job, status)) = job.0.as_ref().ok().and_then(|job| Some((job, job.status.as_ref()?))) else {
                continue;
            };
            if status.class.as_ref().is_none_or(|of| of.name != class) {
                continue;
            }
            let submitted = status.submission.is_some();
            if job.metadata.deletion_timestamp.is_some() && submitted {
                deleting += 1;
            }
            match (status.finished(), submitted) {
                (true, _) => {}
                (false, true) => jobs.running += 1,
                (false, false) => jobs.waiting += 1,
            }
        }
        (jobs, deleting)
    }
}

/// A slot among the running jobs of a class. If it is dropped without [`ClassSlot::use_up`], it is free again.
#[derive(Debug)]
pub struct ClassSlot {
    uid: String,
    seen: Arc<Mutex<Counted>>,
    is_used: bool,
}

impl ClassSlot {
    /// Keeps the slot, because the job is about to be started and counts from now on.
    pub fn use_up(mut self) {
        self.is_used = true;
    }
}

impl Drop for ClassSlot {
    fn drop(&mut self) {
        if !self.is_used {
            self.seen.lock().admitted.remove(&self.uid);
        }
    }
}

/// Whether AWS may be running the job.
fn runs(status: &JobStatus) -> bool {
    !status.finished()
        && status
            .submission
            .as_ref()
            .is_some_and(|submission| submission.outcome.may_run())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(class: &str, namespace: &str) -> Holder {
        Holder {
            class: class.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    #[test]
    fn a_limit_counts_others_of_the_class_once() {
        let seen = Counted {
            at: None,
            running: [("a", of("x", "n")), ("b", of("x", "m")), ("c", of("y", "n"))]
                .map(|(uid, of)| (uid.to_owned(), of))
                .into(),
            admitted: [("d".to_owned(), (of("x", "n"), Instant::now()))].into(),
        };
        let limits = |class: Option<i32>, namespace: Option<i32>| Limits {
            max_running_jobs: class.map(|most| i64::from(most).try_into().unwrap()),
            max_running_jobs_per_namespace: namespace.map(|most| i64::from(most).try_into().unwrap()),
        };
        for (case, uid, namespace, limits, full) in [
            ("no limit", "e", "n", limits(None, None), None),
            (
                "three of three run",
                "e",
                "n",
                limits(Some(3), None),
                Some("of 3 running jobs is"),
            ),
            ("one is free", "e", "n", limits(Some(4), None), None),
            (
                "one that runs already has its place",
                "a",
                "n",
                limits(Some(3), None),
                None,
            ),
            ("one that is admitted too", "d", "n", limits(Some(3), None), None),
            (
                "two in the namespace",
                "e",
                "n",
                limits(Some(9), Some(2)),
                Some("of 2 running jobs in a namespace"),
            ),
            ("another namespace", "e", "o", limits(None, Some(1)), None),
        ] {
            let limit = seen.full(uid, &of("x", namespace), &limits);
            assert_eq!(limit.is_some(), full.is_some(), "{case}: {limit:?}");
            assert!(
                full.is_none_or(|full| limit.is_some_and(|limit| limit.contains(full))),
                "{case}"
            );
        }
    }
}
