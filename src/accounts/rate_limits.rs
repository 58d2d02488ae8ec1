//! The rate limits of one account and Region, a little below the quotas that AWS documents.

use std::{num::NonZeroU32, time::Instant};

use governor::{DefaultDirectRateLimiter, Quota};
use parking_lot::Mutex;

use crate::api::Kind;

/// Token buckets for the jobs of one kind, one for each operation, because AWS counts each operation separately.
#[derive(Debug)]
pub struct RateLimiter {
    start: DefaultDirectRateLimiter,
    get: DefaultDirectRateLimiter,
    list: DefaultDirectRateLimiter,
    delete: DefaultDirectRateLimiter,
    last_admitted: Mutex<Option<Instant>>,
}

/// The token bucket for requests to AWS KMS.
#[derive(Debug)]
pub struct KmsRateLimiter(DefaultDirectRateLimiter);

/// Starts and Gets per second. They are a little below the quotas, because others use the account too and we do not know AWS's
/// counting windows. The quotas are those of "Guidelines and quotas" in the developer guide. AWS documents none for
/// MedicalScribeJob, so it gets the lowest of the others.
const fn starts_and_gets(kind: Kind) -> (u32, u32) {
    match kind {
        Kind::TranscriptionJob | Kind::MedicalTranscriptionJob => (20, 25),
        Kind::CallAnalyticsJob | Kind::MedicalScribeJob => (8, 16),
    }
}
/// Lists per second. AWS's quota is 5.
const LISTS: u32 = 4;
/// Deletes per second. AWS's quota is 5.
const DELETES: u32 = 4;
/// Requests to KMS per second. KMS accepts 2,000 DescribeKey per second and account, and its cryptographic quota is shared with
/// everything else in the account.
const KMS_REQUESTS: u32 = 200;
/// For how many seconds after AWS accepted a job it counts as accepting jobs.
const ADMITS_FOR: u64 = 600;

fn bucket(per_second: u32) -> DefaultDirectRateLimiter {
    let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
    governor::RateLimiter::direct(Quota::per_second(per_second))
}

impl Default for KmsRateLimiter {
    fn default() -> Self {
        Self(bucket(KMS_REQUESTS))
    }
}

impl KmsRateLimiter {
    /// Takes a token for a request, if there is one now.
    pub fn try_acquire(&self) -> bool {
        self.0.check().is_ok()
    }
}

impl RateLimiter {
    /// Makes the rate limiter of a kind.
    pub fn of(kind: Kind) -> Self {
        let (start, get) = starts_and_gets(kind);
        Self {
            start: bucket(start),
            get: bucket(get),
            list: bucket(LISTS),
            delete: bucket(DELETES),
            last_admitted: Mutex::new(None),
        }
    }

    /// Takes a token for a Start, if there is one now.
    pub fn try_start(&self) -> bool {
        self.start.check().is_ok()
    }

    /// Takes a token for a Get, if there is one now.
    pub fn try_get(&self) -> bool {
        self.get.check().is_ok()
    }

    /// Waits for a token for a List.
    pub async fn list(&self) {
        self.list.until_ready().await;
    }

    /// Waits for a token for a Get. Only for the garbage collector, because a reconcile never waits.
    pub async fn get(&self) {
        self.get.until_ready().await;
    }

    /// Waits for a token for a Delete.
    pub async fn delete(&self) {
        self.delete.until_ready().await;
    }

    /// Notes that AWS accepted a job.
    pub fn note_admitted(&self) {
        *self.last_admitted.lock() = Some(Instant::now());
    }

    /// Whether AWS accepted a job within the last ten minutes.
    pub fn admits(&self) -> bool {
        self.last_admitted
            .lock()
            .is_some_and(|at| at.elapsed().as_secs() < ADMITS_FOR)
    }
}
