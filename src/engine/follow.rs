//! Running jobs are followed by sweeps: a list of all of them costs one call for a hundred jobs, a Get for each would use
//! up the account's rate.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tracing::{debug, warn};

use super::{place::Place, session::Session};
use crate::{
    api::{
        Kind,
        conditions::{READY, Reason},
    },
    aws::transcribe::ListOf,
    class::ClassStore,
    lifecycle::{Facts, Fault, FaultKind, Sighting, Subject, Sweep, fault::NO_CREDENTIALS},
    reconcile::Stored,
    runtime::{clock::now, metrics::Metrics},
};

/// While lists fail they are asked for ever less often: after so many failures at every eighth interval.
const FAILURES_COUNTED: u32 = 3;

/// What a follower needs.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The account and Region.
    pub place: Arc<Place>,
    /// Who may look there.
    pub classes: Arc<ClassStore>,
    /// The kind of jobs.
    pub kind: Kind,
    /// The objects.
    pub store: Store<Stored>,
    /// Where objects to look at are sent.
    pub wake: mpsc::Sender<ObjectRef<Stored>>,
    /// What all names of this cluster's jobs contain.
    pub head: String,
    /// How often to sweep.
    pub interval: Duration,
    /// Counts.
    pub metrics: Metrics,
}

impl Follower {
    /// Sweeps as long as there is something to follow.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        loop {
            ticks.tick().await;
            let followed = self.followed();
            self.metrics.following(&self.place.identity, self.kind, followed.len());
            if followed.is_empty() {
                continue;
            }
            let sweep = by_any(&self.classes, &self.place, |session| self.sweep(session).boxed());
            match sweep.await {
                Ok(sweep) => {
                    failures = 0;
                    self.publish(sweep).await;
                }
                Err(fault) => {
                    failures += 1;
                    ticks.reset_after(self.interval.saturating_mul(1 + skipped(failures)));
                    self.warn(&fault);
                }
            }
        }
    }

    fn warn(&self, fault: &Fault) {
        warn!(
            kind = self.kind.name(),
            account = self.place.identity.account,
            region = self.place.identity.region,
            code = fault.code,
            answer = fault.in_full(),
            "running jobs could not be listed"
        );
    }

    fn followed(&self) -> Vec<(ObjectRef<Stored>, Subject)> {
        let subjects = self.store.state().into_iter().filter_map(|stored| {
            let job = stored.0.as_ref().ok()?;
            let subject = Subject::of(job);
            let submission = subject.submission()?;
            let here = &self.place.identity;
            let is_here = submission.account == here.account && submission.region == here.region;
            let follows = is_here && submission.outcome.may_run();
            (follows && !subject.finished())
                .then(|| (ObjectRef::from_obj_with(&*stored, self.kind.resource()), subject))
        });
        subjects.collect()
    }

    /// Lists QUEUED before IN_PROGRESS, so that a job which moves meanwhile is seen at least once.
    async fn sweep(&self, session: Session) -> Result<Sweep, Fault> {
        let begun_at = now();
        let mut running = HashMap::new();
        for of in [ListOf::Queued, ListOf::InProgress] {
            running.extend(list_all(&session, &self.place, self.kind, of, &self.head).await?);
        }
        Ok(Sweep { begun_at, running })
    }

    async fn publish(&self, sweep: Sweep) {
        let sweep = Arc::new(sweep);
        debug!(kind = self.kind.name(), running = sweep.running.len(), "swept");
        self.place.of(self.kind).sweep.send_replace(Some(sweep.clone()));
        for (reference, subject) in self.followed() {
            let news = match Sighting::of(Some(&sweep), subject.submission()) {
                Sighting::None => false,
                Sighting::Left => true,
                Sighting::Listed { facts, .. } => {
                    let told = subject.deleted.is_some() || says_running(&subject);
                    !told || subject.status.job_status.as_ref() != Some(&facts.job_status)
                }
            };
            if news && self.wake.send(reference).await.is_err() {
                return;
            }
        }
    }
}

/// How many times nothing is listed after so many failures in a row.
fn skipped(failures: u32) -> u32 {
    2_u32.pow(failures.min(FAILURES_COUNTED)) - 1
}

/// The object says that AWS has the job, and not that something stands in the way of looking at it.
fn says_running(subject: &Subject) -> bool {
    let running = [Reason::Queued, Reason::InProgress].map(Reason::as_str);
    subject
        .condition(READY)
        .is_some_and(|ready| running.contains(&ready.reason.as_str()))
}

/// Lists to the last page, or fails: a partial list proves nothing.
pub(super) async fn list_all(
    session: &Session,
    place: &Place,
    kind: Kind,
    of: ListOf,
    head: &str,
) -> Result<HashMap<String, Facts>, Fault> {
    let mut jobs = HashMap::new();
    let mut from = None;
    loop {
        place.of(kind).budget.list().await;
        let page = session.connection().list(kind, of, head, from).await?;
        jobs.extend(page.jobs.into_iter().filter(|(name, _)| name.starts_with(head)));
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(jobs),
        }
    }
}

/// Does something in a place with the session of any class there: with the next one, where one fails. Of several failures the
/// one is told that may pass: only when AWS refuses it to all is it refused.
pub(super) async fn by_any<'a, T>(
    classes: &ClassStore,
    place: &Place,
    call: impl Fn(Session) -> BoxFuture<'a, Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut failure: Option<Fault> = None;
    for session in classes.sessions_at(&place.identity).await {
        let verified = session.verify().await;
        if let Ok(identity) = &verified
            && *identity != place.identity
        {
            continue;
        }
        let said = match verified {
            Ok(_) => call(session).await,
            Err(fault) => Err(fault),
        };
        match said {
            Ok(done) => return Ok(done),
            Err(fault) if failure.as_ref().is_none_or(|told| !told.kind.passes_by_itself()) => failure = Some(fault),
            Err(_) => {}
        }
    }
    Err(failure.unwrap_or_else(|| {
        let message = "no class has credentials for this account and Region";
        Fault::new(FaultKind::NotSent, NO_CREDENTIALS, message)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_fails_is_asked_for_ever_less_often_but_never_given_up() {
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(skipped), [0, 1, 3, 7, 7, 7]);
    }
}
