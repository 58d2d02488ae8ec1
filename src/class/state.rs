//! What a class says about itself, and whether it may go: functions of what was seen.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::transcription_class::{
        ABANDON_ANNOTATION, ClassJobs, ClassStatus, DEFAULT_CLASS_ANNOTATION, TranscriptionClass,
    },
    engine::place::Records,
    lifecycle::{Fault, Identity, KeyVerdict},
};

const LONGEST_MESSAGE: usize = 1024;

/// Everything that was seen of a class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// Whose credentials it has, or why that is not known.
    pub(super) identity: Result<Identity, Fault>,
    /// What AWS KMS says of its default key, if it has one and could be asked.
    pub(super) key: Option<KeyVerdict>,
    /// Its jobs, and how many of them are being deleted, once all are known.
    pub(super) jobs: Option<(ClassJobs, usize)>,
    /// Since when nothing of it is submitted.
    pub(super) quiet_since: Option<Timestamp>,
    /// The class of jobs that name none.
    pub(super) default: Option<String>,
    /// What the last search for records without an object found.
    pub(super) records: Option<Records>,
    /// Another class works in the same account and Region, so that what this one leaves is still looked after.
    pub(super) shared: bool,
}

/// Why a class that is being deleted must stay. `None`: it may go.
pub(super) fn stays(class: &TranscriptionClass, seen: &Seen) -> Option<String> {
    class.metadata.deletion_timestamp.as_ref()?;
    let quiet_since = match (seen.jobs, seen.quiet_since) {
        (Some((ClassJobs { running: 0, .. }, 0)), Some(since)) => since,
        (
            Some((
                ClassJobs {
                    running: running @ 1.., ..
                },
                _,
            )),
            _,
        ) => {
            return Some(format!("{running} submitted jobs of it have not ended"));
        }
        (Some((_, leaving)), _) if leaving > 0 => return Some(format!("{leaving} jobs of it are being deleted")),
        (Some(_) | None, _) => return Some("its jobs are not counted yet".to_owned()),
    };
    let never_used = seen.identity.is_err() && class.status.as_ref().is_none_or(|status| status.account_id.is_none());
    if seen.shared || never_used || says(class, ABANDON_ANNOTATION) {
        return None;
    }
    let later = |records: &&Records| records.begun_at > quiet_since;
    let searched = match (seen.records.as_ref().filter(later), &seen.identity) {
        (Some(Records { left: 0, .. }), _) => return None,
        (Some(records), _) => format!(
            "AWS has {} records of jobs whose objects are gone; they are removed once they have ended",
            records.left
        ),
        (None, Ok(_)) => "AWS is searched for records of jobs whose objects are gone".to_owned(),
        (None, Err(fault)) => format!(
            "AWS cannot be searched for records of jobs whose objects are gone: {}",
            fault.in_full()
        ),
    };
    Some(format!(
        "{searched}. The annotation {ABANDON_ANNOTATION}: \"true\" leaves them"
    ))
}

fn says(class: &TranscriptionClass, annotation: &str) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(annotation))
        .is_some_and(|value| value == "true")
}

/// The status.
pub(super) fn status(class: &TranscriptionClass, seen: &Seen, now: Timestamp) -> ClassStatus {
    let before = class.status.clone().unwrap_or_default();
    let verified = seen.identity.as_ref().ok();
    let mut conditions = vec![ready(class, seen)];
    conditions.extend(seen.key.as_ref().map(default_key));
    if says(class, DEFAULT_CLASS_ANNOTATION) {
        conditions.push(default(class, seen));
    }
    let stamped = |said: Said| said.stamp(&before.conditions, class.metadata.generation, now);
    let after = ClassStatus {
        observed_generation: class.metadata.generation,
        account_id: verified
            .map(|identity| identity.account.clone())
            .or(before.account_id.clone()),
        jobs: seen.jobs.map(|(jobs, _)| jobs).or(before.jobs),
        last_verified_time: before.last_verified_time.clone(),
        conditions: conditions.into_iter().map(stamped).collect(),
    };
    // A time that is always now would be written all the time.
    if after == before || verified.is_none() {
        return after;
    }
    ClassStatus {
        last_verified_time: Timestamp::from_second(now.as_second()).ok().map(Time),
        ..after
    }
}

/// A condition, before it is known since when.
struct Said {
    type_: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Said {
    fn stamp(self, before: &[Condition], generation: Option<i64>, now: Timestamp) -> Condition {
        let same = before.iter().find(|c| c.type_ == self.type_ && c.status == self.status);
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Condition {
            type_: self.type_.to_owned(),
            status: self.status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.chars().take(LONGEST_MESSAGE).collect(),
            last_transition_time: same.map_or(Time(second), |c| c.last_transition_time.clone()),
            observed_generation: generation,
        }
    }
}

fn ready(class: &TranscriptionClass, seen: &Seen) -> Said {
    let (status, reason, message) = match (stays(class, seen), &seen.identity) {
        (Some(why), _) => {
            let told = format!("the class accepts no new job and stays until this is over: {why}");
            ("False", "Terminating", told)
        }
        (None, Ok(Identity { account, region })) => {
            let told = format!("jobs run in account {account} in {region}");
            ("True", "IdentityVerified", told)
        }
        (None, Err(fault)) => {
            let told = format!("no job is submitted: {}", fault.in_full());
            ("False", "IdentityNotVerified", told)
        }
    };
    Said {
        type_: "Ready",
        status,
        reason,
        message,
    }
}

fn default_key(verdict: &KeyVerdict) -> Said {
    let (status, reason, message) = match verdict {
        KeyVerdict::Usable { arn, doubt: None } => ("True", "KeyResolved", format!("the key is {arn}")),
        KeyVerdict::Usable {
            arn,
            doubt: Some(doubt),
        } => ("True", "KeyUseUnproven", format!("the key is {arn}; {doubt}")),
        KeyVerdict::Refused(refusal) => ("False", refusal.reason.as_str(), refusal.message.clone()),
        KeyVerdict::Unsettled { refusal, .. } => ("Unknown", refusal.reason.as_str(), refusal.message.clone()),
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded => ("Unknown", "NotAsked", "AWS KMS was not asked yet".to_owned()),
    };
    Said {
        type_: "DefaultKeyReady",
        status,
        reason,
        message,
    }
}

fn default(class: &TranscriptionClass, seen: &Seen) -> Said {
    let (status, reason, message) = match &seen.default {
        Some(name) if class.metadata.name.as_ref() == Some(name) => (
            "True",
            "IsDefault",
            format!("jobs that name no class are of class '{name}'"),
        ),
        Some(name) => (
            "False",
            "AnotherIsDefault",
            format!(
                "class '{name}' is newer and marked as the default too, so jobs that name no class are of that one"
            ),
        ),
        None => (
            "False",
            "Terminating",
            "a class that is being deleted is no default".to_owned(),
        ),
    };
    Said {
        type_: "Default",
        status,
        reason,
        message,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::lifecycle::FaultKind;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn class(annotations: &[&str]) -> TranscriptionClass {
        let mut class = TranscriptionClass::new("finance", serde_json::from_str(r#"{"region": "eu-west-1"}"#).unwrap());
        let annotations = annotations.iter().map(|key| ((*key).to_owned(), "true".to_owned()));
        class.metadata.annotations = Some(annotations.collect());
        class.metadata.generation = Some(3);
        class
    }

    fn deleted(annotations: &[&str]) -> TranscriptionClass {
        let mut class = class(annotations);
        class.metadata.deletion_timestamp = Some(Time(time(0)));
        class.status = Some(ClassStatus {
            account_id: Some("111122223333".to_owned()),
            ..ClassStatus::default()
        });
        class
    }

    fn seen() -> Seen {
        Seen {
            identity: Ok(Identity {
                account: "111122223333".to_owned(),
                region: "eu-west-1".to_owned(),
            }),
            key: None,
            jobs: Some((ClassJobs::default(), 0)),
            quiet_since: Some(time(1)),
            default: Some("finance".to_owned()),
            records: None,
            shared: false,
        }
    }

    fn denied() -> Result<Identity, Fault> {
        Err(Fault {
            kind: FaultKind::NotSent,
            code: "NoCredentials".to_owned(),
            message: "AWS does not let the operator assume the role".to_owned(),
            detail: Some("AWS does not let the operator assume the role arn".to_owned()),
        })
    }

    fn jobs(running: i32, leaving: usize) -> Seen {
        Seen {
            jobs: Some((ClassJobs { waiting: 5, running }, leaving)),
            quiet_since: None,
            ..found(5, 0)
        }
    }

    fn found(second: i64, left: usize) -> Seen {
        let begun_at = time(second);
        Seen {
            records: Some(Records { begun_at, left }),
            ..seen()
        }
    }

    fn lost(seen: Seen) -> Seen {
        Seen {
            identity: denied(),
            ..seen
        }
    }

    #[test]
    fn a_deleted_class_stays_while_something_of_it_is_left() {
        let shared = Seen { shared: true, ..seen() };
        let uncounted = Seen {
            jobs: None,
            ..found(5, 0)
        };
        let mut unused = deleted(&[]);
        unused.status = None;
        let abandoned = || deleted(&[ABANDON_ANNOTATION]);
        for (says, class, seen, why) in [
            ("a live class", class(&[]), jobs(2, 0), ""),
            ("jobs run", deleted(&[]), jobs(2, 1), "2 submitted jobs"),
            ("jobs leave", deleted(&[]), jobs(0, 1), "1 jobs of it are being"),
            ("jobs are not known", deleted(&[]), uncounted, "not counted"),
            ("not searched", deleted(&[]), seen(), "AWS is searched"),
            ("searched too early", deleted(&[]), found(1, 0), "AWS is searched"),
            ("nothing left", deleted(&[]), found(2, 0), ""),
            ("records left", deleted(&[]), found(2, 3), "AWS has 3 records"),
            ("left to another class", deleted(&[]), shared, ""),
            ("abandoned", abandoned(), found(2, 3), ""),
            ("abandoned with jobs", abandoned(), jobs(2, 0), "2 submitted"),
            ("the role is gone", deleted(&[]), lost(seen()), "cannot be searched"),
            ("it never had credentials", unused, lost(seen()), ""),
        ] {
            let said = stays(&class, &seen).unwrap_or_default();
            assert_eq!(said.is_empty(), why.is_empty(), "{says}: {said}");
            assert!(said.contains(why), "{says}: {said}");
        }
    }

    #[test]
    fn the_conditions_say_what_was_seen() {
        let told = |class: &TranscriptionClass, seen: &Seen| {
            let conditions = status(class, seen, time(9)).conditions;
            let told = conditions
                .iter()
                .map(|c| format!("{}={}/{}", c.type_, c.status, c.reason));
            told.collect::<Vec<_>>().join(" ")
        };
        let default = [DEFAULT_CLASS_ANNOTATION];
        let usable = KeyVerdict::Usable {
            arn: "arn".to_owned(),
            doubt: None,
        };
        for (class, seen, expected) in [
            (class(&[]), seen(), "Ready=True/IdentityVerified"),
            (
                class(&[]),
                Seen {
                    identity: denied(),
                    ..seen()
                },
                "Ready=False/IdentityNotVerified",
            ),
            (
                class(&default),
                seen(),
                "Ready=True/IdentityVerified Default=True/IsDefault",
            ),
            (
                class(&default),
                Seen {
                    default: Some("other".to_owned()),
                    ..seen()
                },
                "Ready=True/IdentityVerified Default=False/AnotherIsDefault",
            ),
            (
                class(&[]),
                Seen {
                    key: Some(usable),
                    ..seen()
                },
                "Ready=True/IdentityVerified DefaultKeyReady=True/KeyResolved",
            ),
            (deleted(&[]), seen(), "Ready=False/Terminating"),
        ] {
            assert_eq!(told(&class, &seen), expected);
        }
        let ready = status(&class(&[]), &lost(seen()), time(9)).conditions;
        assert!(ready[0].message.ends_with("the role arn"), "{}", ready[0].message);
    }

    #[test]
    fn an_unchanged_class_has_an_unchanged_status() {
        let mut class = class(&[DEFAULT_CLASS_ANNOTATION]);
        class.status = Some(status(&class, &seen(), time(0)));
        assert_eq!(Some(status(&class, &seen(), time(600))), class.status);
        let lost = status(
            &class,
            &Seen {
                identity: denied(),
                ..seen()
            },
            time(600),
        );
        assert_eq!(lost.account_id.as_deref(), Some("111122223333"), "it had that account");
        assert_eq!(lost.conditions[0].last_transition_time, Time(time(600)));
        assert_eq!(lost.last_verified_time, Some(Time(time(0))));
    }
}
