//! The request rates of one account and Region, as AWS documents them.

use std::{num::NonZeroU32, sync::Mutex, time::Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::api::Kind;

/// Token buckets by operation, for the jobs of one kind: AWS counts each operation on its own.
#[derive(Debug)]
pub struct Budget {
    start: DefaultDirectRateLimiter,
    get: DefaultDirectRateLimiter,
    list: DefaultDirectRateLimiter,
    delete: DefaultDirectRateLimiter,
    admitted: Mutex<Option<Instant>>,
}

/// The token bucket of questions to AWS KMS.
#[derive(Debug)]
pub struct Questions(DefaultDirectRateLimiter);

/// How many Starts and Gets a second, a little below the quota: others use the account too, and AWS counts in windows that we
/// do not know. The quotas are those of "Guidelines and quotas" in the developer guide; for MedicalScribeJob AWS documents
/// none, so that the lowest of the others is kept to.
const fn starts_and_gets(kind: Kind) -> (u32, u32) {
    match kind {
        Kind::TranscriptionJob | Kind::MedicalTranscriptionJob => (20, 25),
        Kind::CallAnalyticsJob | Kind::MedicalScribeJob => (8, 16),
    }
}
const LIST: u32 = 4;
const DELETE: u32 = 4;
/// KMS takes 2,000 DescribeKey a second of an account, and its cryptographic quota is shared with everything else there.
const QUESTIONS: u32 = 200;

fn bucket(per_second: u32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_second(
        NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN),
    ))
}

impl Default for Questions {
    fn default() -> Self {
        Self(bucket(QUESTIONS))
    }
}

impl Questions {
    /// A slot for a question, if there is one now.
    pub fn ask(&self) -> bool {
        self.0.check().is_ok()
    }
}

impl Budget {
    /// The budget of a kind.
    pub fn of(kind: Kind) -> Self {
        let (start, get) = starts_and_gets(kind);
        Self {
            start: bucket(start),
            get: bucket(get),
            list: bucket(LIST),
            delete: bucket(DELETE),
            admitted: Mutex::new(None),
        }
    }

    /// A slot for a Start, if there is one now.
    pub fn start(&self) -> bool {
        self.start.check().is_ok()
    }

    /// A slot for a Get, if there is one now.
    pub fn get(&self) -> bool {
        self.get.check().is_ok()
    }

    /// Waits for a slot for a List.
    pub async fn list(&self) {
        self.list.until_ready().await;
    }

    /// Waits for a slot for a Get. For the sweeper: an object's pass never waits.
    pub async fn get_later(&self) {
        self.get.until_ready().await;
    }

    /// Waits for a slot for a Delete.
    pub async fn delete(&self) {
        self.delete.until_ready().await;
    }

    /// AWS admitted a job.
    pub fn admitted(&self) {
        *self.admitted.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
    }

    /// AWS admitted a job within the last minutes.
    pub fn admits(&self) -> bool {
        let last = *self.admitted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        last.is_some_and(|at| at.elapsed().as_secs() < 600)
    }
}
