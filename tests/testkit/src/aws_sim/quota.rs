//! Calls per second, per account, Region and operation.

use std::collections::{HashMap, VecDeque};

use super::auth::Caller;
use super::config::{Config, Window};
use super::kinds::{Kind, Verb};

/// AWS names no rate for calls on tags; they are rare, and this is the lowest of its rates.
const TAGS_PER_SECOND: u32 = 5;

/// What has been used of each quota.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    used: HashMap<(String, String, String), Used>,
}

#[derive(Debug)]
enum Used {
    TokenBucket { thousandths: i64, at: i64 },
    Fixed { second: i64, calls: i64 },
    Sliding { calls: VecDeque<i64> },
}

impl Quotas {
    /// Count a call; false if it is one too many. `now` is in milliseconds.
    pub(super) fn take(&mut self, caller: &Caller, operation: &str, config: &Config, now: i64) -> bool {
        if !config.rates {
            return true;
        }
        let rate = i64::from(
            config
                .rate
                .get(operation)
                .copied()
                .unwrap_or_else(|| aws_rate(operation)),
        );
        let window = config
            .window
            .unwrap_or([Window::TokenBucket, Window::Fixed, Window::Sliding][seeded(config.seed)]);
        let key = (caller.account.clone(), caller.region.clone(), operation.to_owned());
        let used = self.used.entry(key).or_insert_with(|| Used::new(window, rate, now));
        if !used.is(window) {
            *used = Used::new(window, rate, now);
        }
        used.take(rate, now)
    }
}

/// The low bits of small seeds differ, which is all that is needed.
fn seeded(seed: u64) -> usize {
    usize::try_from(seed % 3).unwrap_or(0)
}

fn aws_rate(operation: &str) -> u32 {
    match Kind::of_operation(operation) {
        Some((kind, Verb::Start)) => kind.rates[0],
        Some((kind, Verb::Get)) => kind.rates[1],
        Some((kind, Verb::List)) => kind.rates[2],
        Some((kind, Verb::Delete)) => kind.rates[3],
        None => match operation {
            "DescribeKey" => 2_000,
            "Encrypt" | "GenerateDataKey" => 10_000,
            _ => TAGS_PER_SECOND,
        },
    }
}

impl Used {
    fn new(window: Window, rate: i64, now: i64) -> Self {
        match window {
            Window::TokenBucket => Self::TokenBucket {
                thousandths: rate * 1000,
                at: now,
            },
            Window::Fixed => Self::Fixed {
                second: now / 1000,
                calls: 0,
            },
            Window::Sliding => Self::Sliding { calls: VecDeque::new() },
        }
    }

    fn is(&self, window: Window) -> bool {
        matches!(
            (self, window),
            (Self::TokenBucket { .. }, Window::TokenBucket)
                | (Self::Fixed { .. }, Window::Fixed)
                | (Self::Sliding { .. }, Window::Sliding)
        )
    }

    fn take(&mut self, rate: i64, now: i64) -> bool {
        match self {
            Self::TokenBucket { thousandths, at } => {
                *thousandths = (*thousandths + (now - *at).max(0) * rate).min(rate * 1000);
                *at = now;
                let admitted = *thousandths >= 1000;
                *thousandths -= if admitted { 1000 } else { 0 };
                admitted
            }
            Self::Fixed { second, calls } => {
                if *second != now / 1000 {
                    (*second, *calls) = (now / 1000, 0);
                }
                *calls += 1;
                *calls <= rate
            }
            Self::Sliding { calls } => {
                while calls.front().is_some_and(|at| at + 1000 <= now) {
                    calls.pop_front();
                }
                let admitted = i64::try_from(calls.len()).is_ok_and(|used| used < rate);
                calls.extend(admitted.then_some(now));
                admitted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::iam::Principal;
    use super::*;

    /// How many of a burst of 20 calls at each instant a rate of 5 a second admits.
    fn admitted(window: Window, instants: &[i64]) -> Vec<usize> {
        let mut used = Used::new(window, 5, 10_000);
        instants
            .iter()
            .map(|at| (0..20).filter(|_| used.take(5, 10_000 + at)).count())
            .collect()
    }

    #[test]
    fn each_operation_has_the_rate_that_aws_gives_it() {
        let caller = Caller {
            access_key: String::new(),
            account: String::new(),
            region: String::new(),
            service: String::new(),
            signed_at: jiff::Timestamp::UNIX_EPOCH,
            principal: Principal::unknown("", ""),
        };
        for (operation, rate) in [
            ("StartTranscriptionJob", 25),
            ("GetTranscriptionJob", 30),
            ("ListTranscriptionJobs", 5),
            ("DeleteTranscriptionJob", 5),
            ("StartMedicalTranscriptionJob", 25),
            ("GetMedicalTranscriptionJob", 30),
            ("ListMedicalTranscriptionJobs", 5),
            ("DeleteMedicalTranscriptionJob", 5),
            ("StartCallAnalyticsJob", 10),
            ("GetCallAnalyticsJob", 20),
            ("ListCallAnalyticsJobs", 5),
            ("DeleteCallAnalyticsJob", 5),
            ("StartMedicalScribeJob", 10),
            ("GetMedicalScribeJob", 20),
            ("ListMedicalScribeJobs", 5),
            ("DeleteMedicalScribeJob", 5),
            ("TagResource", 5),
            ("DescribeKey", 2_000),
            ("Encrypt", 10_000),
            ("GenerateDataKey", 10_000),
        ] {
            let (mut quotas, config) = (Quotas::default(), Config::default());
            let calls = (0..10_001).filter(|_| quotas.take(&caller, operation, &config, 0));
            assert_eq!(calls.count(), rate, "{operation}");
        }
    }

    #[test]
    fn each_window_admits_its_share() {
        assert_eq!(admitted(Window::TokenBucket, &[0, 400, 2000]), [5, 2, 5]);
        assert_eq!(admitted(Window::Fixed, &[900, 1100, 1900]), [5, 5, 0]);
        assert_eq!(admitted(Window::Sliding, &[900, 1100, 1900]), [5, 0, 5]);
    }
}
