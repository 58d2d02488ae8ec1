//! The garbage collector: deletes the AWS records of objects that are gone, for example because a finalizer was removed
//! by hand or because a deletion could not wait for a running job.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
};
use tracing::{debug, info, warn};

use crate::{
    accounts::{account::AwsAccount, session::Session},
    api::Kind,
    aws::transcribe::ListOf,
    domain::{
        AwsError, AwsErrorKind, JobName, ProtocolLimits, RemoteJob, class::status::OrphanSearch, job::view::later,
    },
    pollers::listing::{by_any, list_all},
    runtime::{clock::now, metrics::Metrics},
    tenancy::ClassStore,
};

/// The most records that one round deletes.
const MAX_PER_ROUND: usize = 200;
/// The delay of a round that was requested, so that requests cannot make rounds more frequent than this.
const REQUEST_DELAY: Duration = Duration::from_secs(5);

/// Collects the records of one kind in one account and Region.
#[derive(Clone)]
pub struct GarbageCollector {
    /// The account and Region.
    pub account: Arc<AwsAccount>,
    /// The classes, whose sessions it uses.
    pub classes: Arc<ClassStore>,
    /// The kind of jobs.
    pub kind: Kind,
    /// The API server.
    pub client: Client,
    /// The bounds of the protocol.
    pub limits: ProtocolLimits,
    /// The time between two rounds.
    pub interval: Duration,
    /// Only count, and delete nothing.
    pub dry_run: bool,
    /// The metrics.
    pub metrics: Metrics,
    /// When each record was first found without an object. Losing this costs time only.
    pub found: Found,
}

/// When each record was first found without an object. A record is deleted only after its object has been missing for
/// as long as a request can be in flight, because an object whose finalizer was removed by force may have left a Start
/// in flight: if that arrived after the record was deleted, it would run the job again.
#[derive(Clone, Debug, Default)]
pub struct Found(BTreeMap<String, Timestamp>);

impl Found {
    /// Notes the orphans of this round, and returns those that were first found long enough ago to be deleted.
    fn due(&mut self, orphans: Vec<String>, limits: &ProtocolLimits, now: Timestamp) -> Vec<String> {
        let mut known = std::mem::take(&mut self.0);
        let since = |name: String| {
            let since = known.remove(&name).unwrap_or(now);
            (name, since)
        };
        self.0 = orphans.into_iter().map(since).collect();
        let long_ago = |since: Timestamp| now > later(since, limits.in_flight_bound());
        let due = self.0.iter().filter(|(_, since)| long_ago(**since));
        due.map(|(name, _)| name.clone()).take(MAX_PER_ROUND).collect()
    }
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("AWS: {} {}", .0.code, .0.detail())]
    Aws(AwsError),
    #[error("the API server: {0}")]
    Objects(#[from] kube::Error),
}

impl GarbageCollector {
    /// Runs a round at every interval, and soon after one is requested.
    pub async fn run(mut self) {
        loop {
            let requested = async {
                self.account.of(self.kind).collect_soon.notified().await;
                tokio::time::sleep(REQUEST_DELAY.min(self.interval)).await;
            };
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = requested => {}
            }
            if let Err(error) = self.round().await {
                warn!(kind = self.kind.name(), %error, "the search for records without an object failed");
            }
        }
    }

    async fn round(&mut self) -> Result<(), RoundError> {
        let begun_at = now();
        let listed = by_any(&self.classes, &self.account, |session| self.records(session).boxed()).await;
        let uids = self.uids().await?;
        let (session, records) = match listed {
            Ok(listed) => listed,
            Err(fault) if uids.is_empty() && self.has_no_such_jobs(&fault).await => {
                debug!(kind = self.kind.name(), code = fault.code, "AWS has no such jobs here");
                self.publish(begun_at, 0);
                return Ok(());
            }
            Err(fault) => return Err(RoundError::Aws(fault)),
        };
        let now = now();
        let left = left_behind(&records, &uids, &self.limits);
        let orphans = orphans(&records, &uids, &self.limits, now);
        for name in self.found.due(orphans, &self.limits, now) {
            self.remove(&session, &name).await.map_err(RoundError::Aws)?;
        }
        self.publish(begun_at, left);
        Ok(())
    }

    fn publish(&self, begun_at: Timestamp, left: usize) {
        let records = OrphanSearch { begun_at, left };
        self.account.of(self.kind).orphans.send_replace(Some(records));
    }

    /// Whether AWS knows the credentials but refuses the list: not every Region has every kind, and not every role may
    /// use every kind. While the cluster has no object of the kind either, there is nothing to collect and nothing for
    /// a class to wait for.
    async fn has_no_such_jobs(&self, fault: &AwsError) -> bool {
        if !matches!(fault.kind, AwsErrorKind::Denied | AwsErrorKind::Invalid) {
            return false;
        }
        let sessions = self.classes.sessions_at(&self.account.at).await;
        let known = sessions.iter().map(async |session| session.verify().await.is_ok());
        futures::future::join_all(known).await.into_iter().all(|known| known)
    }

    /// Lists all records. The states are in the order in which a job passes them, so that one that changes its state
    /// meanwhile is listed at least once.
    async fn records(&self, session: Session) -> Result<(Session, HashMap<String, RemoteJob>), AwsError> {
        let mut records = HashMap::new();
        for of in [ListOf::Queued, ListOf::InProgress, ListOf::Completed, ListOf::Failed] {
            records.extend(list_all(&session, &self.account, self.kind, of, self.limits.prefix.as_str()).await?);
        }
        Ok((session, records))
    }

    /// The uids of all objects, by a quorum list that begins after the records were listed. A 404 is an error, because
    /// without the CRD every record would look like an orphan.
    async fn uids(&self) -> Result<HashSet<String>, kube::Error> {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &self.kind.resource());
        let mut uids = HashSet::new();
        let mut params = ListParams::default().limit(500);
        loop {
            let page = api.list_metadata(&params).await?;
            uids.extend(page.items.into_iter().filter_map(|item| item.metadata.uid));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(uids),
            }
        }
    }

    /// Reads the record again, with its tags, and deletes it if it has ended and is ours.
    async fn remove(&self, session: &Session, name: &str) -> Result<(), AwsError> {
        if self.dry_run {
            info!(job_name = name, "dry run: a record without an object would be deleted");
            self.metrics.orphan("left");
            return Ok(());
        }
        self.account.of(self.kind).rates.get().await;
        let Some(facts) = session.connection().get(self.kind, name).await? else {
            return Ok(());
        };
        let ours = JobName::parse(name).is_some_and(|parsed| facts.ours(&parsed, Timestamp::MIN, &self.limits));
        if !ours || !facts.terminal() {
            self.metrics.orphan("not_ours");
            return Ok(());
        }
        self.account.of(self.kind).rates.delete().await;
        session.connection().delete(self.kind, name).await?;
        info!(job_name = name, "deleted a record without an object");
        self.metrics.orphan("deleted");
        Ok(())
    }
}

/// The names of the records to delete, sorted: those of this cluster that have ended, are not to be retained, have no
/// object, and are older than any request that could still be in flight.
#[expect(clippy::implicit_hasher, reason = "called with the standard one only")]
pub fn orphans(
    records: &HashMap<String, RemoteJob>,
    uids: &HashSet<String>,
    limits: &ProtocolLimits,
    now: Timestamp,
) -> Vec<String> {
    let is_orphan = |name: &str, facts: &RemoteJob| {
        let begun = facts.creation_time.or(facts.completion_time);
        let old = begun.is_some_and(|at| now > later(at, limits.in_flight_bound()));
        is_left_behind(name, uids, limits) && facts.terminal() && old
    };
    let mut found: Vec<_> = records
        .iter()
        .filter(|(name, facts)| is_orphan(name, facts))
        .map(|(n, _)| n.clone())
        .collect();
    found.sort();
    found
}

/// The number of records, ended or not, that have to be deleted sooner or later.
fn left_behind(records: &HashMap<String, RemoteJob>, uids: &HashSet<String>, limits: &ProtocolLimits) -> usize {
    records.keys().filter(|name| is_left_behind(name, uids, limits)).count()
}

fn is_left_behind(name: &str, uids: &HashSet<String>, limits: &ProtocolLimits) -> bool {
    JobName::parse(name)
        .is_some_and(|parsed| parsed.prefix == limits.prefix && !parsed.retain && !uids.contains(&parsed.uid))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::NamePrefix;

    const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const OTHER: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

    fn limits() -> ProtocolLimits {
        ProtocolLimits {
            prefix: NamePrefix::new("c1").unwrap(),
            signature_window: Duration::from_mins(15),
            max_skew: Duration::from_secs(150),
            deletion_max_wait: Duration::from_mins(2),
            key_recheck_interval: Duration::from_mins(5),
        }
    }

    fn record(job_status: &str, minutes_ago: i64) -> RemoteJob {
        RemoteJob {
            job_status: job_status.to_owned(),
            creation_time: Some(time() - SignedDuration::from_mins(minutes_ago)),
            ..RemoteJob::default()
        }
    }

    fn time() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn is_orphan(name: &str, facts: RemoteJob) -> bool {
        let records = HashMap::from([(name.to_owned(), facts)]);
        let found = orphans(&records, &HashSet::from([OTHER.to_owned()]), &limits(), time());
        assert!(found.is_empty() || found == [name]);
        !found.is_empty()
    }

    #[test]
    fn a_record_is_removed_once_its_object_has_been_missing_for_the_bound() {
        let mut found = Found::default();
        let mut due = |names: &[&str], minutes: i64| {
            let orphans = names.iter().map(ToString::to_string).collect();
            found.due(orphans, &limits(), time() + SignedDuration::from_mins(minutes))
        };
        assert!(due(&["a", "b"], 0).is_empty());
        assert!(due(&["a"], 20).is_empty(), "not longer than the bound");
        assert_eq!(due(&["a", "b"], 21), ["a"], "b had its object back meanwhile");
        assert_eq!(due(&["b"], 42), ["b"]);
    }

    #[test]
    fn the_record_of_an_object_that_is_gone() {
        for (says, facts, expected) in [
            ("completed", record("COMPLETED", 60), true),
            ("failed", record("FAILED", 60), true),
            ("running", record("IN_PROGRESS", 60), false),
            ("queued", record("QUEUED", 60), false),
            ("in a state that is not known", record("PAUSED", 60), false),
            (
                "too young: its object may not have been listed",
                record("COMPLETED", 20),
                false,
            ),
            ("just old enough", record("COMPLETED", 21), true),
        ] {
            assert_eq!(is_orphan(&format!("tro-c1-{UID}-1"), facts), expected, "{says}");
        }
    }

    #[test]
    fn a_record_of_unknown_age_is_left() {
        let name = format!("tro-c1-{UID}-1");
        let ageless = RemoteJob {
            creation_time: None,
            ..record("COMPLETED", 0)
        };
        assert!(!is_orphan(&name, ageless.clone()));
        let ended = RemoteJob {
            completion_time: record("", 60).creation_time,
            ..ageless
        };
        assert!(is_orphan(&name, ended), "its end is an age too");
    }

    #[test]
    fn only_names_of_this_cluster_and_of_no_object() {
        for (says, name, expected) in [
            ("a later attempt", format!("tro-c1-{UID}-7"), true),
            ("to be retained", format!("tro-c1-{UID}-1r"), false),
            ("of an object that exists", format!("tro-c1-{OTHER}-1"), false),
            ("of another cluster", format!("tro-c2-{UID}-1"), false),
            ("of a cluster whose id begins alike", format!("tro-c12-{UID}-1"), false),
            ("of a cluster whose id ends alike", format!("tro-xc1-{UID}-1"), false),
            (
                "in other case: AWS compares without it",
                format!("TRO-C1-{UID}-1"),
                false,
            ),
            ("that merely contains ours", format!("x-tro-c1-{UID}-1"), false),
            ("of somebody else", "tro-c1-report".to_owned(), false),
            ("without an attempt", format!("tro-c1-{UID}"), false),
        ] {
            assert_eq!(is_orphan(&name, record("COMPLETED", 60)), expected, "{says}: {name}");
        }
    }

    #[test]
    fn all_of_them_in_order() {
        let names = [format!("tro-c1-{UID}-2"), format!("tro-c1-{UID}-1")];
        let records = names.clone().map(|name| (name, record("FAILED", 60))).into();
        let found = orphans(&records, &HashSet::new(), &limits(), time());
        assert_eq!(found, [names[1].clone(), names[0].clone()]);
    }
}
