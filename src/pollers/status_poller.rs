//! The status poller: observes running jobs with List calls, because one call returns a hundred jobs, while a Get for
//! each job would use up the account's rate limit.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::FutureExt as _;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tracing::{debug, warn};

use crate::{
    accounts::{account::AwsAccount, session::Session},
    api::{
        Kind,
        conditions::{READY, Reason},
    },
    aws::transcribe::ListOf,
    domain::{AwsError, JobView, ListSnapshot, Sighting},
    pollers::listing::{by_any, list_all},
    runtime::{clock::now, metrics::Metrics, watch::WatchedJob},
    tenancy::ClassStore,
};

/// The number of failures in a row after which the pause stops growing: from then on, jobs are listed every eighth
/// interval.
const MAX_BACKOFF_FAILURES: u32 = 3;

/// Polls the jobs of one kind in one account and Region.
#[derive(Clone, Debug)]
pub struct StatusPoller {
    /// The account and Region.
    pub account: Arc<AwsAccount>,
    /// The classes, whose sessions it uses.
    pub classes: Arc<ClassStore>,
    /// The kind of jobs.
    pub kind: Kind,
    /// The objects.
    pub store: Store<WatchedJob>,
    /// The channel that triggers a reconcile.
    pub wake: mpsc::Sender<ObjectRef<WatchedJob>>,
    /// The prefix of the AWS names of this cluster's jobs.
    pub prefix: String,
    /// The time between two lists.
    pub interval: Duration,
    /// The metrics.
    pub metrics: Metrics,
}

impl StatusPoller {
    /// Lists the running jobs at every interval, if there are any.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        loop {
            ticks.tick().await;
            let running = self.running();
            self.metrics.following(&self.account.at, self.kind, running.len());
            if running.is_empty() {
                continue;
            }
            let snapshot = by_any(&self.classes, &self.account, |session| self.list(session).boxed());
            match snapshot.await {
                Ok(snapshot) => {
                    failures = 0;
                    self.publish(snapshot).await;
                }
                Err(fault) => {
                    failures += 1;
                    ticks.reset_after(self.interval.saturating_mul(1 + skipped(failures)));
                    self.warn(&fault);
                }
            }
        }
    }

    fn warn(&self, fault: &AwsError) {
        warn!(
            kind = self.kind.name(),
            account = self.account.at.account,
            region = self.account.at.region,
            code = fault.code,
            answer = fault.detail(),
            "running jobs could not be listed"
        );
    }

    fn running(&self) -> Vec<(ObjectRef<WatchedJob>, JobView)> {
        let jobs = self.store.state().into_iter().filter_map(|stored| {
            let job = stored.0.as_ref().ok()?;
            let view = JobView::of(job);
            let submission = view.submission()?;
            let here = &self.account.at;
            let is_here = submission.account == here.account && submission.region == here.region;
            let follows = is_here && submission.outcome.may_run();
            (follows && !view.finished()).then(|| (ObjectRef::from_obj_with(&*stored, self.kind.resource()), view))
        });
        jobs.collect()
    }

    /// Lists QUEUED before IN_PROGRESS, so that a job that changes its state meanwhile is listed at least once.
    async fn list(&self, session: Session) -> Result<ListSnapshot, AwsError> {
        let begun_at = now();
        let mut running = HashMap::new();
        for of in [ListOf::Queued, ListOf::InProgress] {
            running.extend(list_all(&session, &self.account, self.kind, of, &self.prefix).await?);
        }
        Ok(ListSnapshot { begun_at, running })
    }

    async fn publish(&self, snapshot: ListSnapshot) {
        let snapshot = Arc::new(snapshot);
        debug!(
            kind = self.kind.name(),
            running = snapshot.running.len(),
            "listed the running jobs"
        );
        self.account.of(self.kind).snapshot.send_replace(Some(snapshot.clone()));
        for (reference, view) in self.running() {
            let changed = match Sighting::of(Some(&snapshot), view.submission()) {
                Sighting::None => false,
                Sighting::Left => true,
                Sighting::Listed { facts, .. } => {
                    let is_shown = view.deleted.is_some() || shows_running(&view);
                    !is_shown || view.status.job_status.as_ref() != Some(&facts.job_status)
                }
            };
            if changed && self.wake.send(reference).await.is_err() {
                return;
            }
        }
    }
}

/// How many intervals are skipped after this many failures in a row.
fn skipped(failures: u32) -> u32 {
    2_u32.pow(failures.min(MAX_BACKOFF_FAILURES)) - 1
}

/// Whether the object's Ready condition shows the job as queued or running, and not as one that cannot be read.
fn shows_running(view: &JobView) -> bool {
    let running = [Reason::Queued, Reason::InProgress].map(Reason::as_str);
    view.condition(READY)
        .is_some_and(|ready| running.contains(&ready.reason.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_fails_is_asked_for_ever_less_often_but_never_given_up() {
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(skipped), [0, 1, 3, 7, 7, 7]);
    }
}
