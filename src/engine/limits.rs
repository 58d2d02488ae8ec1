//! How many jobs of a class run, and how many may.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::runtime::reflector::Store;

use crate::{
    api::{
        status::JobStatus,
        transcription_class::{ClassJobs, Limits},
        types::Int,
    },
    lifecycle::Subject,
    reconcile::Stored,
};

/// How old a count may be.
const FRESH: Duration = Duration::from_millis(500);
/// For how long a job counts that was admitted, before the cache shows it.
const ADMITTED: Duration = Duration::from_mins(1);

/// The class and the namespace of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Of {
    class: String,
    namespace: String,
}

/// Counts jobs by class: what the caches say, and what was admitted just now.
#[derive(Clone, Debug)]
pub struct Counts {
    jobs: Arc<[Store<Stored>]>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    at: Option<Instant>,
    running: HashMap<String, Of>,
    admitted: HashMap<String, (Of, Instant)>,
}

impl Seen {
    /// Why the class takes no further job now.
    fn full(&self, uid: &str, of: &Of, limits: &Limits) -> Option<String> {
        let known = self
            .running
            .iter()
            .chain(self.admitted.iter().map(|(uid, (of, _))| (uid, of)));
        // One that is in both counts once: `admitted` holds only what `running` does not.
        let others: Vec<&Of> = known.filter(|(other, _)| *other != uid).map(|(_, of)| of).collect();
        let count =
            |fits: &dyn Fn(&Of) -> bool| i32::try_from(others.iter().filter(|of| fits(of)).count()).unwrap_or(i32::MAX);
        let of_class = |other: &Of| other.class == of.class;
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

impl Counts {
    /// Counts in these caches.
    pub fn of(jobs: impl Into<Arc<[Store<Stored>]>>) -> Self {
        Self {
            jobs: jobs.into(),
            seen: Arc::default(),
        }
    }

    /// Takes a place among the running jobs of a class.
    ///
    /// # Errors
    /// There is none: the limit that is reached.
    pub fn admit(&self, job: &Subject, class: &str, limits: Option<&Limits>) -> Result<(), String> {
        let Some(limits) = limits else { return Ok(()) };
        let of = Of {
            class: class.to_owned(),
            namespace: job.namespace.clone(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.at.is_none_or(|at| at.elapsed() >= FRESH) {
            self.count(&mut seen);
        }
        if let Some(limit) = seen.full(&job.uid, &of, limits) {
            return Err(limit);
        }
        if !seen.running.contains_key(&job.uid) {
            seen.admitted.insert(job.uid.clone(), (of, Instant::now()));
        }
        Ok(())
    }

    /// Gives a place back that was not used.
    pub fn release(&self, uid: &str) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admitted
            .remove(uid);
    }

    fn count(&self, seen: &mut Seen) {
        seen.at = Some(Instant::now());
        let stored = self.jobs.iter().flat_map(Store::state);
        let running: HashMap<String, Of> = stored
            .filter_map(|stored| {
                let job = stored.0.as_ref().ok()?;
                let status = job.status.as_ref().filter(|status| runs(status))?;
                let class = status.class.as_ref()?.name.clone();
                let namespace = job.metadata.namespace.clone()?;
                Some((job.metadata.uid.clone()?, Of { class, namespace }))
            })
            .collect();
        seen.admitted
            .retain(|uid, (_, at)| at.elapsed() < ADMITTED && !running.contains_key(uid));
        seen.running = running;
    }

    /// The jobs of a class, and how many of them are being deleted.
    pub fn jobs(&self, class: &str) -> (ClassJobs, usize) {
        let mut jobs = ClassJobs::default();
        let mut leaving = 0;
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
                leaving += 1;
            }
            match (status.finished(), submitted) {
                (true, _) => {}
                (false, true) => jobs.running += 1,
                (false, false) => jobs.waiting += 1,
            }
        }
        (jobs, leaving)
    }
}

/// AWS works on it, as far as is known.
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

    fn of(class: &str, namespace: &str) -> Of {
        Of {
            class: class.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    #[test]
    fn a_limit_counts_others_of_the_class_once() {
        let seen = Seen {
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
        for (says, uid, namespace, limits, full) in [
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
            let said = seen.full(uid, &of("x", namespace), &limits);
            assert_eq!(said.is_some(), full.is_some(), "{says}: {said:?}");
            assert!(
                full.is_none_or(|full| said.is_some_and(|said| said.contains(full))),
                "{says}"
            );
        }
    }
}
