//! A cache in which each entry has its own time to live, and is fetched once for all callers that wait for it.

use std::{
    borrow::Borrow,
    fmt,
    hash::Hash,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};

/// A value, when its fetch began, and how long it is kept.
#[derive(Clone, Debug)]
struct Entry<T> {
    asked_at: Instant,
    ttl: Duration,
    value: T,
}

struct ByEntry;

impl<K, T> Expiry<K, Entry<T>> for ByEntry {
    fn expire_after_create(&self, _: &K, entry: &Entry<T>, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &K, entry: &Entry<T>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// A cache of values by key.
pub(crate) struct TtlCache<K, T>(Cache<K, Entry<T>>);

impl<K, T> fmt::Debug for TtlCache<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TtlCache")
    }
}

impl<K, T> TtlCache<K, T>
where
    K: Hash + Eq + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Creates an empty cache for at most `capacity` entries.
    pub(crate) fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).expire_after(ByEntry).build())
    }

    /// Returns the cached value, unless its fetch began before `since`. Otherwise fetches the value, once for all
    /// callers that wait for it, and keeps it for the duration that `ttl` returns.
    pub(crate) async fn get_or_fetch<Q>(
        &self,
        key: &Q,
        since: Option<Instant>,
        fetch: impl Future<Output = T>,
        ttl: impl FnOnce(&T) -> Duration,
    ) -> T
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    {
        let fetched = async {
            let asked_at = Instant::now();
            let value = fetch.await;
            Entry {
                asked_at,
                ttl: ttl(&value),
                value,
            }
        };
        let is_old = |entry: &Entry<T>| since.is_some_and(|since| entry.asked_at < since);
        let entry = self.0.entry_by_ref(key).or_insert_with_if(fetched, is_old).await;
        entry.into_value().value
    }
}
