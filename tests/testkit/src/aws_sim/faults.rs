//! Faults on demand.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A rule: to which calls, at which point, what happens. Absent conditions fit every call. Of several rules that fit a
/// call the first that has not been used up is taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRule {
    /// The operation, for example `StartTranscriptionJob`.
    pub operation: Option<String>,
    /// A part of the job's name.
    pub job_name_contains: Option<String>,
    /// A part of the KeyId of a call of KMS, as it is sent.
    pub key_id_contains: Option<String>,
    /// The first fitting call that is hit, counted from 1.
    pub nth: u64,
    /// How many calls are hit, from the nth on.
    pub times: u64,
    /// Hit each of those only with this probability, by the seed.
    pub probability: Option<f64>,
    /// Before or after the call is applied.
    #[serde(rename = "where")]
    pub when: When,
    /// What happens.
    pub what: What,
}

impl Default for FaultRule {
    fn default() -> Self {
        Self {
            operation: None,
            job_name_contains: None,
            key_id_contains: None,
            nth: 1,
            times: 1,
            probability: None,
            when: When::Before,
            what: What::Drop,
        }
    }
}

impl FaultRule {
    /// A fault in the next call of an operation.
    pub fn next(operation: &str, when: When, what: What) -> Self {
        Self {
            operation: Some(operation.to_owned()),
            when,
            what,
            ..Self::default()
        }
    }

    /// The same fault in every call that fits.
    #[must_use]
    pub fn always(self) -> Self {
        Self {
            times: u64::MAX,
            ..self
        }
    }
}

/// Before or after the call is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The call never happens (a delayed one happens late, and even if the client has gone).
    Before,
    /// The call has happened; only its reply suffers.
    After,
}

/// What happens to the call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// The reply is this error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The value of `__type`.
        code: String,
        /// The text.
        message: String,
    },
    /// The reply is this text, for example an HTML page.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The connection is closed without a reply.
    Drop,
    /// So many milliseconds pass.
    Delay(u64),
    /// No reply, ever; the connection stays open.
    BlackHole,
    /// A 200 whose body nobody can read.
    Garbage,
}

/// The rules, and how often each was fitted and has hit.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Entry>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    rule: FaultRule,
    fitted: u64,
    pub(super) fired: u64,
}

impl Faults {
    /// Add a rule; its number is its place.
    pub(super) fn add(&mut self, rule: FaultRule) -> usize {
        self.rules.push(Entry {
            rule,
            fitted: 0,
            fired: 0,
        });
        self.rules.len() - 1
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.rules
    }

    /// Use up every rule; the numbers stay.
    pub(super) fn clear(&mut self) {
        for entry in &mut self.rules {
            entry.rule.times = 0;
        }
    }

    /// What happens to this call. The job's name and the KeyId are empty where a call has none.
    pub(super) fn pick(&mut self, operation: &str, job_name: &str, key_id: &str, seed: u64) -> Option<(When, What)> {
        let has = |text: &str, part: &Option<String>| part.as_ref().is_none_or(|part| text.contains(part));
        self.rules.iter_mut().enumerate().find_map(|(number, entry)| {
            let rule = &entry.rule;
            let fits = rule.operation.as_ref().is_none_or(|wanted| wanted == operation)
                && has(job_name, &rule.job_name_contains)
                && has(key_id, &rule.key_id_contains);
            if !fits {
                return None;
            }
            entry.fitted += 1;
            let since = entry.fitted.checked_sub(rule.nth.max(1))?;
            let lucky = rule.probability.is_none_or(|p| drawn(seed, number, entry.fitted) < p);
            if since >= rule.times || !lucky {
                return None;
            }
            entry.fired += 1;
            Some((rule.when, rule.what.clone()))
        })
    }
}

/// A number from 0 to 1, the same for the same seed, rule and call.
fn drawn(seed: u64, rule: usize, call: u64) -> f64 {
    let digest = Sha256::digest(format!("{seed}/{rule}/{call}"));
    f64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_hits_from_the_nth_on_and_so_often() {
        let mut faults = Faults::default();
        let rule = FaultRule {
            nth: 2,
            times: 2,
            ..FaultRule::next("Get", When::Before, What::Drop)
        };
        faults.add(rule);
        let hits: Vec<_> = (0..5).map(|_| faults.pick("Get", "a", "", 0).is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.pick("List", "a", "", 0).is_none());
        assert_eq!(faults.entries()[0].fired, 2);
    }

    #[test]
    fn a_probability_hits_its_share_and_repeats_by_the_seed() {
        let run = |seed| {
            let mut faults = Faults::default();
            faults.add(
                FaultRule {
                    probability: Some(0.1),
                    ..FaultRule::default()
                }
                .always(),
            );
            (0..1000)
                .map(|_| faults.pick("Get", "", "", seed).is_some())
                .collect::<Vec<_>>()
        };
        let hits = run(7).iter().filter(|hit| **hit).count();
        assert!((60..140).contains(&hits), "{hits} of 1000");
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
