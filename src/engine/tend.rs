//! Each account and Region with a class has a follower and a sweeper for each kind, as long as there is such a class.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinHandle;
use tracing::info;

use super::{follow::Follower, orphans::Sweeper};
use crate::{class::ClassStore, lifecycle::Identity};

/// How often, at least, the classes are looked at: an account can become known without a change of a class.
const LOOK: Duration = Duration::from_secs(1);

/// Starts and ends followers and sweepers.
pub struct Tender {
    /// The classes.
    pub classes: Arc<ClassStore>,
    /// The followers, one for each kind, that each place gets copies of.
    pub followers: Vec<Follower>,
    /// The sweepers, likewise.
    pub sweepers: Vec<Sweeper>,
}

struct Tended(Vec<JoinHandle<()>>);

impl Tended {
    fn runs(&self) -> bool {
        self.0.iter().all(|task| !task.is_finished())
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Tender {
    /// Runs until the process ends.
    pub async fn run(self) {
        let mut tended: HashMap<Identity, Tended> = HashMap::new();
        let mut changes = self.classes.changes();
        loop {
            let places: HashSet<Identity> = self.classes.places().await;
            tended.retain(|identity, tasks| (places.contains(identity) && tasks.runs()) || self.forget(identity));
            for identity in places {
                tended
                    .entry(identity)
                    .or_insert_with_key(|identity| self.tend(identity));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// What was seen there gets old.
    fn forget(&self, identity: &Identity) -> bool {
        self.classes.engine().places.at(identity).forget();
        false
    }

    fn tend(&self, identity: &Identity) -> Tended {
        info!(account = identity.account, region = identity.region, "works here");
        let place = self.classes.engine().places.at(identity);
        let followers = self.followers.iter().map(|follower| {
            let place = place.clone();
            tokio::spawn(
                Follower {
                    place,
                    ..follower.clone()
                }
                .run(),
            )
        });
        let sweepers = self.sweepers.iter().map(|sweeper| {
            let place = place.clone();
            tokio::spawn(
                Sweeper {
                    place,
                    ..sweeper.clone()
                }
                .run(),
            )
        });
        Tended(followers.chain(sweepers).collect())
    }
}
