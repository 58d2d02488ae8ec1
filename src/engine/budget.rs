//! The request rates of one account and Region, as AWS documents them.

use std::{num::NonZeroU32, sync::Mutex, time::Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Token buckets by operation.
#[derive(Debug)]
pub struct Budget {
    start: DefaultDirectRateLimiter,
    get: DefaultDirectRateLimiter,
    list: DefaultDirectRateLimiter,
    delete: DefaultDirectRateLimiter,
    question: DefaultDirectRateLimiter,
    admitted: Mutex<Option<Instant>>,
}

/// A little below the quota: others use the account too, and AWS counts in windows that we do not know.
const START: u32 = 20;
const GET: u32 = 25;
const LIST: u32 = 4;
const DELETE: u32 = 4;
/// KMS takes 2,000 DescribeKey a second of an account, and its cryptographic quota is shared with everything else there.
const QUESTIONS: u32 = 200;

fn bucket(per_second: u32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_second(
        NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN),
    ))
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            start: bucket(START),
            get: bucket(GET),
            list: bucket(LIST),
            delete: bucket(DELETE),
            question: bucket(QUESTIONS),
            admitted: Mutex::new(None),
        }
    }
}

impl Budget {
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

    /// A slot for a question to AWS KMS, if there is one now.
    pub fn question(&self) -> bool {
        self.question.check().is_ok()
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
