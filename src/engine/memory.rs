//! Answers that are remembered for a while, and asked for once for all who want to know at the same time.

use std::{
    borrow::Borrow,
    hash::Hash,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};

/// An answer, when it was asked for, and for how long it is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Answer<T> {
    asked_at: Instant,
    good_for: Duration,
    said: T,
}

struct GoodFor;

impl<K, T> Expiry<K, Answer<T>> for GoodFor {
    fn expire_after_create(&self, _: &K, answer: &Answer<T>, _: Instant) -> Option<Duration> {
        Some(answer.good_for)
    }

    fn expire_after_update(&self, _: &K, answer: &Answer<T>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(answer.good_for)
    }
}

/// Answers by their questions.
pub(crate) type Memory<K, T> = Cache<K, Answer<T>>;

/// A memory of so many answers.
pub(crate) fn memory<K, T>(answers: u64) -> Memory<K, T>
where
    K: Hash + Eq + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(answers).expire_after(GoodFor).build()
}

/// The answer that is remembered, unless it was asked for before `since`; otherwise the one that is asked for now, once for all
/// who wait for it.
pub(crate) async fn remembered<K, Q, T>(
    cache: &Memory<K, T>,
    key: &Q,
    since: Option<Instant>,
    ask: impl Future<Output = T>,
    good_for: impl FnOnce(&T) -> Duration,
) -> T
where
    K: Borrow<Q> + Hash + Eq + Send + Sync + 'static,
    Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    T: Clone + Send + Sync + 'static,
{
    let answer = async {
        let asked_at = Instant::now();
        let said = ask.await;
        Answer {
            asked_at,
            good_for: good_for(&said),
            said,
        }
    };
    let old = |answer: &Answer<T>| since.is_some_and(|since| answer.asked_at < since);
    cache
        .entry_by_ref(key)
        .or_insert_with_if(answer, old)
        .await
        .into_value()
        .said
}
