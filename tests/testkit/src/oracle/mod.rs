//! Judges what happened from the outside: the ledger of the AWS side, the objects, and the requests that were seen.
//!
//! Pure functions that share nothing with the operator's code: agreement with it would prove nothing. They know the public
//! contract only: the tags and the name of a job, the shape of an object.

mod summary;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use summary::{Summary, masked, summary};

use crate::aws_sim::LedgerLine;
use crate::fault_proxy::{Class, Seen};

const UID: &str = "transcribe-operator.io/uid";

/// Something that must not happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An attempt was started, and paid, more than once.
    Double {
        /// The object.
        uid: String,
        /// The attempt, from 1.
        attempt: String,
        /// The ledger's numbers of the Starts.
        seqs: Vec<u64>,
    },
    /// An object says that it was completed, but nothing was ever started for it.
    Phantom {
        /// The object: `namespace/name`.
        object: String,
    },
    /// A job stands in AWS whose object is gone, and nobody asked to keep it.
    Leak {
        /// The name of the job.
        job_name: String,
    },
    /// An object is not finished although its time is up.
    Loss {
        /// The object: `namespace/name`.
        object: String,
    },
    /// An object is being deleted for longer than that may take.
    Stuck {
        /// The object: `namespace/name`.
        object: String,
    },
    /// An object was written too often.
    Hot {
        /// The path of the object.
        object: String,
        /// How often.
        writes: usize,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Double { uid, attempt, seqs } => {
                write!(
                    f,
                    "attempt {attempt} of {uid} was started {} times: ledger lines {seqs:?}",
                    seqs.len()
                )
            }
            Self::Phantom { object } => write!(f, "{object} is complete, but nothing was started for it"),
            Self::Leak { job_name } => write!(f, "the job {job_name} stands in AWS without an object"),
            Self::Loss { object } => write!(f, "{object} is not finished, and its time is up"),
            Self::Stuck { object } => write!(f, "{object} is being deleted and does not go"),
            Self::Hot { object, writes } => write!(f, "{object} was written {writes} times"),
        }
    }
}

/// Everything that was observed of a run.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Every applied call.
    pub ledger: &'a [LedgerLine],
    /// Every object of the operator's kinds that exists, as JSON.
    pub objects: &'a [Value],
    /// Every request to the API server.
    pub requests: &'a [Seen],
    /// When the objects were read.
    pub now: Timestamp,
}

/// What is still good behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long an object may take from creation to Finished.
    pub finish: SignedDuration,
    /// How long an object may take from its deletion to being gone.
    pub deletion: SignedDuration,
    /// How often an object may be written by the operator.
    pub writes: usize,
}

/// All violations, by all rules.
pub fn judge(evidence: &Evidence<'_>, bounds: &Bounds) -> Vec<Violation> {
    let Evidence {
        ledger,
        objects,
        requests,
        now,
    } = *evidence;
    let mut found = doubles(ledger);
    found.extend(phantoms(ledger, objects));
    found.extend(leaks(ledger, objects));
    found.extend(losses(objects, now, bounds.finish));
    found.extend(stuck(objects, now, bounds.deletion));
    found.extend(hot(requests, bounds.writes));
    found
}

/// Attempts with more than one applied Start, whatever names these used.
pub fn doubles(ledger: &[LedgerLine]) -> Vec<Violation> {
    let mut starts: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    for line in ledger.iter().filter(|line| line.operation.starts_with("Start")) {
        starts
            .entry((uid(line), attempt(&line.job_name)))
            .or_default()
            .push(line.seq);
    }
    let paid_twice = starts.into_iter().filter(|(_, seqs)| seqs.len() > 1);
    paid_twice
        .map(|((uid, attempt), seqs)| Violation::Double { uid, attempt, seqs })
        .collect()
}

/// Objects that claim to be complete, of which the ledger has no Start.
pub fn phantoms(ledger: &[LedgerLine], objects: &[Value]) -> Vec<Violation> {
    let starts = ledger.iter().filter(|line| line.operation.starts_with("Start"));
    let started: BTreeSet<String> = starts.map(uid).collect();
    let claims = objects.iter().filter(|object| condition(object, "Complete"));
    let unfounded = claims.filter(|object| !text(object, "/metadata/uid").is_some_and(|uid| started.contains(uid)));
    unfounded
        .map(|object| Violation::Phantom { object: name(object) })
        .collect()
}

/// Jobs that were started and not deleted, whose object is gone and whose name does not carry the mark of retention.
pub fn leaks(ledger: &[LedgerLine], objects: &[Value]) -> Vec<Violation> {
    let alive: BTreeSet<&str> = objects
        .iter()
        .filter_map(|object| text(object, "/metadata/uid"))
        .collect();
    let mut standing: BTreeMap<(&str, &str), &LedgerLine> = BTreeMap::new();
    for line in ledger {
        if let Some(kind) = line.operation.strip_prefix("Start") {
            standing.insert((kind, &line.job_name), line);
        } else if let Some(kind) = line.operation.strip_prefix("Delete") {
            standing.remove(&(kind, line.job_name.as_str()));
        }
    }
    let orphans = standing
        .into_values()
        .filter(|line| !alive.contains(uid(line).as_str()) && !retained(&line.job_name));
    orphans
        .map(|line| Violation::Leak {
            job_name: line.job_name.clone(),
        })
        .collect()
}

/// Objects, not being deleted, that were created more than `bound` ago and are not finished.
pub fn losses(objects: &[Value], now: Timestamp, bound: SignedDuration) -> Vec<Violation> {
    let late = objects.iter().filter(|object| {
        time(object, "/metadata/deletionTimestamp").is_none()
            && older(object, "/metadata/creationTimestamp", now, bound)
            && !["Finished", "Complete", "Failed"]
                .iter()
                .any(|name| condition(object, name))
    });
    late.map(|object| Violation::Loss { object: name(object) }).collect()
}

/// Objects that were deleted more than `bound` ago and still exist.
pub fn stuck(objects: &[Value], now: Timestamp, bound: SignedDuration) -> Vec<Violation> {
    let staying = objects
        .iter()
        .filter(|object| older(object, "/metadata/deletionTimestamp", now, bound));
    staying
        .map(|object| Violation::Stuck { object: name(object) })
        .collect()
}

/// Objects that were written more than `bound` times; refused writes count, events and leases do not.
pub fn hot(requests: &[Seen], bound: usize) -> Vec<Violation> {
    let mut writes: BTreeMap<&str, usize> = BTreeMap::new();
    let of_objects = |seen: &&Seen| matches!(seen.class, Class::ObjectWrite | Class::StatusWrite);
    for seen in requests
        .iter()
        .filter(of_objects)
        .filter(|seen| seen.object().is_some())
    {
        *writes
            .entry(seen.path.strip_suffix("/status").unwrap_or(&seen.path))
            .or_default() += 1;
    }
    let often = writes.into_iter().filter(|(_, writes)| *writes > bound);
    often
        .map(|(object, writes)| Violation::Hot {
            object: object.to_owned(),
            writes,
        })
        .collect()
}

/// Those of `secrets` that stand in the text, a log for example.
pub fn told<'a>(text: &str, secrets: &[&'a str]) -> Vec<&'a str> {
    secrets.iter().copied().filter(|secret| text.contains(secret)).collect()
}

/// The uid that the job is tagged with; the name of a job without that tag, which then stands for itself.
fn uid(line: &LedgerLine) -> String {
    line.tags.get(UID).unwrap_or(&line.job_name).clone()
}

/// The last part of the name, `…-<uid>-<attempt>`, without the mark of retention.
fn attempt(job_name: &str) -> String {
    let last = job_name.rsplit('-').next().unwrap_or(job_name);
    last.strip_suffix('r').unwrap_or(last).to_owned()
}

fn retained(job_name: &str) -> bool {
    let last = job_name.rsplit('-').next().unwrap_or(job_name);
    last.strip_suffix('r')
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}

fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer)?.parse().ok()
}

fn older(object: &Value, pointer: &str, now: Timestamp, bound: SignedDuration) -> bool {
    time(object, pointer).is_some_and(|then| now.duration_since(then) > bound)
}

fn name(object: &Value) -> String {
    let part = |pointer| text(object, pointer).unwrap_or_default();
    format!("{}/{}", part("/metadata/namespace"), part("/metadata/name"))
}

fn condition(object: &Value, name: &str) -> bool {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .any(|one| one["type"] == name && one["status"] == "True")
}
