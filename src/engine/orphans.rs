//! The sweeper: removes the records of objects that are gone, such as those whose finalizer was removed by hand or whose
//! deletion could not wait for a running job.

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

use super::{
    follow::{by_any, list_all},
    place::{Place, Records},
    session::Session,
};
use crate::{
    api::Kind,
    aws::transcribe::ListOf,
    class::ClassStore,
    lifecycle::{Facts, Fault, FaultKind, JobName, Rules, subject::later},
    runtime::clock::now,
    runtime::metrics::Metrics,
};

/// No more than this many records are removed in one round.
const AT_ONCE: usize = 200;
/// How long a search waits that is asked for.
const AT_MOST_EVERY: Duration = Duration::from_secs(5);

/// What the sweeper needs.
#[derive(Clone)]
pub struct Sweeper {
    /// The account and Region.
    pub place: Arc<Place>,
    /// Who may look there.
    pub classes: Arc<ClassStore>,
    /// The kind of jobs.
    pub kind: Kind,
    /// The API server.
    pub client: Client,
    /// The bounds.
    pub rules: Rules,
    /// How often.
    pub interval: Duration,
    /// Only count.
    pub dry_run: bool,
    /// Counts.
    pub metrics: Metrics,
    /// When each record was first found without an object. Forgetting it costs time only.
    pub since: Found,
}

/// Since when records are known to have no object. One whose finalizer was removed by force may have left a Start on its way,
/// which would make the job once more if the record were gone before it arrives: so a record is removed only once its object
/// has been missing for as long as anything can be on its way.
#[derive(Clone, Debug, Default)]
pub struct Found(BTreeMap<String, Timestamp>);

impl Found {
    /// Notes what was found in this round, and says what was found long enough ago to be removed.
    fn due(&mut self, orphans: Vec<String>, rules: &Rules, now: Timestamp) -> Vec<String> {
        let mut known = std::mem::take(&mut self.0);
        let since = |name: String| {
            let since = known.remove(&name).unwrap_or(now);
            (name, since)
        };
        self.0 = orphans.into_iter().map(since).collect();
        let long_ago = |since: Timestamp| now > later(since, rules.in_flight_bound());
        let due = self.0.iter().filter(|(_, since)| long_ago(**since));
        due.map(|(name, _)| name.clone()).take(AT_ONCE).collect()
    }
}

/// Why a round was given up.
#[derive(Debug, thiserror::Error)]
enum Abandoned {
    #[error("AWS: {} {}", .0.code, .0.in_full())]
    Aws(Fault),
    #[error("the API server: {0}")]
    Objects(#[from] kube::Error),
}

impl Sweeper {
    /// Sweeps at every interval.
    pub async fn run(mut self) {
        loop {
            let asked = async {
                self.place.of(self.kind).sweep_soon.notified().await;
                tokio::time::sleep(AT_MOST_EVERY.min(self.interval)).await;
            };
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = asked => {}
            }
            if let Err(error) = self.round().await {
                warn!(kind = self.kind.name(), %error, "the search for records without an object was given up");
            }
        }
    }

    async fn round(&mut self) -> Result<(), Abandoned> {
        let begun_at = now();
        let listed = by_any(&self.classes, &self.place, |session| self.records(session).boxed()).await;
        let uids = self.uids().await?;
        let (session, records) = match listed {
            Ok(listed) => listed,
            Err(fault) if uids.is_empty() && self.has_no_such_jobs(&fault).await => {
                debug!(kind = self.kind.name(), code = fault.code, "AWS has no such jobs here");
                self.found(begun_at, 0);
                return Ok(());
            }
            Err(fault) => return Err(Abandoned::Aws(fault)),
        };
        let now = now();
        let left = left_behind(&records, &uids, &self.rules);
        let orphans = orphans(&records, &uids, &self.rules, now);
        for name in self.since.due(orphans, &self.rules, now) {
            self.remove(&session, &name).await.map_err(Abandoned::Aws)?;
        }
        self.found(begun_at, left);
        Ok(())
    }

    fn found(&self, begun_at: Timestamp, left: usize) {
        let records = Records { begun_at, left };
        self.place.of(self.kind).records.send_replace(Some(records));
    }

    /// AWS knows who asks, and refuses the list: not every Region has every kind, and not every role is for every kind. While the
    /// cluster has no object of it either, there is nothing to look for, and nothing that a class would have to wait for.
    async fn has_no_such_jobs(&self, fault: &Fault) -> bool {
        if !matches!(fault.kind, FaultKind::Denied | FaultKind::Invalid) {
            return false;
        }
        let sessions = self.classes.sessions_at(&self.place.identity).await;
        let known = sessions.iter().map(async |session| session.verify().await.is_ok());
        futures::future::join_all(known).await.into_iter().all(|known| known)
    }

    /// All records, in the order in which a job moves, so that one which moves meanwhile is seen at least once.
    async fn records(&self, session: Session) -> Result<(Session, HashMap<String, Facts>), Fault> {
        let mut records = HashMap::new();
        for of in [ListOf::Queued, ListOf::InProgress, ListOf::Completed, ListOf::Failed] {
            records.extend(list_all(&session, &self.place, self.kind, of, self.rules.head.as_str()).await?);
        }
        Ok((session, records))
    }

    /// The uids of all objects, by a quorum list that begins after the records were listed. A 404 is a failure: without the
    /// CRD every record would look like an orphan.
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

    /// Looks at the record once more, with its tags, and deletes it if it is what it seems.
    async fn remove(&self, session: &Session, name: &str) -> Result<(), Fault> {
        if self.dry_run {
            info!(job_name = name, "a record without an object is left: dry run");
            self.metrics.orphan("left");
            return Ok(());
        }
        self.place.of(self.kind).budget.get_later().await;
        let Some(facts) = session.connection().get(self.kind, name).await? else {
            return Ok(());
        };
        let ours = JobName::parse(name).is_some_and(|parsed| facts.ours(&parsed, Timestamp::MIN, &self.rules));
        if !ours || !facts.terminal() {
            self.metrics.orphan("not_ours");
            return Ok(());
        }
        self.place.of(self.kind).budget.delete().await;
        session.connection().delete(self.kind, name).await?;
        info!(job_name = name, "deleted a record without an object");
        self.metrics.orphan("deleted");
        Ok(())
    }
}

/// The records to remove: ended, of this cluster, not to be retained, of no object, and older than anything that could still
/// be on its way.
#[expect(clippy::implicit_hasher, reason = "called with the standard one only")]
pub fn orphans(records: &HashMap<String, Facts>, uids: &HashSet<String>, rules: &Rules, now: Timestamp) -> Vec<String> {
    let is_orphan = |name: &str, facts: &Facts| {
        let begun = facts.creation_time.or(facts.completion_time);
        let old = begun.is_some_and(|at| now > later(at, rules.in_flight_bound()));
        is_left_behind(name, uids, rules) && facts.terminal() && old
    };
    let mut found: Vec<_> = records
        .iter()
        .filter(|(name, facts)| is_orphan(name, facts))
        .map(|(n, _)| n.clone())
        .collect();
    found.sort();
    found
}

/// How many records there are, ended or not, that are to be removed in the end.
fn left_behind(records: &HashMap<String, Facts>, uids: &HashSet<String>, rules: &Rules) -> usize {
    records.keys().filter(|name| is_left_behind(name, uids, rules)).count()
}

fn is_left_behind(name: &str, uids: &HashSet<String>, rules: &Rules) -> bool {
    JobName::parse(name)
        .is_some_and(|parsed| parsed.head == rules.head && !parsed.retain && !uids.contains(&parsed.uid))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::lifecycle::NameHead;

    const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const OTHER: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

    fn rules() -> Rules {
        Rules {
            head: NameHead::new("c1").unwrap(),
            signature_window: Duration::from_mins(15),
            max_skew: Duration::from_secs(150),
            deletion_max_wait: Duration::from_mins(2),
            key_retry: Duration::from_mins(5),
        }
    }

    fn record(job_status: &str, minutes_ago: i64) -> Facts {
        Facts {
            job_status: job_status.to_owned(),
            creation_time: Some(time() - SignedDuration::from_mins(minutes_ago)),
            ..Facts::default()
        }
    }

    fn time() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn is_orphan(name: &str, facts: Facts) -> bool {
        let records = HashMap::from([(name.to_owned(), facts)]);
        let found = orphans(&records, &HashSet::from([OTHER.to_owned()]), &rules(), time());
        assert!(found.is_empty() || found == [name]);
        !found.is_empty()
    }

    #[test]
    fn a_record_is_removed_once_its_object_has_been_missing_for_the_bound() {
        let mut found = Found::default();
        let mut due = |names: &[&str], minutes: i64| {
            let orphans = names.iter().map(ToString::to_string).collect();
            found.due(orphans, &rules(), time() + SignedDuration::from_mins(minutes))
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
        let ageless = Facts {
            creation_time: None,
            ..record("COMPLETED", 0)
        };
        assert!(!is_orphan(&name, ageless.clone()));
        let ended = Facts {
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
        let found = orphans(&records, &HashSet::new(), &rules(), time());
        assert_eq!(found, [names[1].clone(), names[0].clone()]);
    }
}
