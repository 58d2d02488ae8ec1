//! The status of a class, and whether it may be deleted, as functions of what was observed.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::transcription_class::{
        ABANDON_ANNOTATION, ClassJobs, ClassStatus, DEFAULT_CLASS_ANNOTATION, TranscriptionClass,
    },
    domain::{account::AccountRegion, aws_error::AwsError, key::KeyVerdict},
};

const LONGEST_MESSAGE: usize = 1024;

/// The records without an object, as found by a complete search of all kinds of job in one account and Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrphanSearch {
    /// When the search began.
    pub begun_at: Timestamp,
    /// How many records the garbage collector has to remove, now or once they have ended.
    pub left: usize,
}

/// Everything that was observed of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassObservation {
    /// The account and Region of its credentials, or why they are not known.
    pub identity: Result<AccountRegion, AwsError>,
    /// The verdict on its default key, if it has one and AWS KMS could be asked.
    pub key: Option<KeyVerdict>,
    /// Its jobs, and how many of them are being deleted. `None` until all are known.
    pub jobs: Option<(ClassJobs, usize)>,
    /// Since when it has had no submitted job.
    pub quiet_since: Option<Timestamp>,
    /// The name of the default class.
    pub default: Option<String>,
    /// What the last search for records without an object found.
    pub orphans: Option<OrphanSearch>,
    /// Whether another class uses the same account and Region, so that its session can remove the records of this one.
    pub shared: bool,
}

/// Returns why a class that is being deleted must stay. `None`: its finalizer may be removed.
pub fn stays(class: &TranscriptionClass, seen: &ClassObservation) -> Option<String> {
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
            return Some(format!("{running} submitted jobs have not ended"));
        }
        (Some((_, deleting)), _) if deleting > 0 => return Some(format!("{deleting} jobs are being deleted")),
        (Some(_) | None, _) => return Some("its jobs are not counted yet".to_owned()),
    };
    let never_used = seen.identity.is_err() && class.status.as_ref().is_none_or(|status| status.account_id.is_none());
    if seen.shared || never_used || is_annotated(class, ABANDON_ANNOTATION) {
        return None;
    }
    let later = |records: &&OrphanSearch| records.begun_at > quiet_since;
    let searched = match (seen.orphans.as_ref().filter(later), &seen.identity) {
        (Some(OrphanSearch { left: 0, .. }), _) => return None,
        (Some(records), _) => format!(
            "AWS has {} records of jobs whose objects are gone; they are removed once they have ended",
            records.left
        ),
        (None, Ok(_)) => "AWS is searched for records of jobs whose objects are gone".to_owned(),
        (None, Err(fault)) => format!(
            "AWS cannot be searched for records of jobs whose objects are gone: {}",
            fault.detail()
        ),
    };
    Some(format!(
        "{searched}. The annotation {ABANDON_ANNOTATION}: \"true\" abandons them"
    ))
}

fn is_annotated(class: &TranscriptionClass, annotation: &str) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(annotation))
        .is_some_and(|value| value == "true")
}

/// Returns the status of a class.
pub fn status(class: &TranscriptionClass, seen: &ClassObservation, now: Timestamp) -> ClassStatus {
    let before = class.status.clone().unwrap_or_default();
    let verified = seen.identity.as_ref().ok();
    let mut conditions = vec![ready(class, seen)];
    conditions.extend(seen.key.as_ref().map(default_key));
    if is_annotated(class, DEFAULT_CLASS_ANNOTATION) {
        conditions.push(default(class, seen));
    }
    let stamped = |draft: ConditionDraft| draft.stamp(&before.conditions, class.metadata.generation, now);
    let after = ClassStatus {
        observed_generation: class.metadata.generation,
        account_id: verified
            .map(|identity| identity.account.clone())
            .or(before.account_id.clone()),
        jobs: seen.jobs.map(|(jobs, _)| jobs).or(before.jobs),
        last_verified_time: before.last_verified_time.clone(),
        conditions: conditions.into_iter().map(stamped).collect(),
    };
    // Update the time only with another change, or else every reconcile would write the status.
    if after == before || verified.is_none() {
        return after;
    }
    ClassStatus {
        last_verified_time: Timestamp::from_second(now.as_second()).ok().map(Time),
        ..after
    }
}

/// A condition without its transition time.
struct ConditionDraft {
    type_: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl ConditionDraft {
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

fn ready(class: &TranscriptionClass, seen: &ClassObservation) -> ConditionDraft {
    let (status, reason, message) = match (stays(class, seen), &seen.identity) {
        (Some(why), _) => {
            let message = format!("the class accepts no new jobs and cannot be removed yet: {why}");
            ("False", "Terminating", message)
        }
        (None, Ok(AccountRegion { account, region })) => {
            let message = format!("jobs run in account {account} in {region}");
            ("True", "IdentityVerified", message)
        }
        (None, Err(fault)) => {
            let message = format!("no job is submitted: {}", fault.detail());
            ("False", "IdentityNotVerified", message)
        }
    };
    ConditionDraft {
        type_: "Ready",
        status,
        reason,
        message,
    }
}

fn default_key(verdict: &KeyVerdict) -> ConditionDraft {
    let (status, reason, message) = match verdict {
        KeyVerdict::Usable { arn, doubt: None } => ("True", "KeyResolved", format!("the key is {arn}")),
        KeyVerdict::Usable {
            arn,
            doubt: Some(doubt),
        } => ("True", "KeyUseUnproven", format!("the key is {arn}; {doubt}")),
        KeyVerdict::Refused(rejection) => ("False", rejection.reason.as_str(), rejection.message.clone()),
        KeyVerdict::Unsettled { rejection, .. } => ("Unknown", rejection.reason.as_str(), rejection.message.clone()),
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded => ("Unknown", "NotAsked", "AWS KMS was not asked yet".to_owned()),
    };
    ConditionDraft {
        type_: "DefaultKeyReady",
        status,
        reason,
        message,
    }
}

fn default(class: &TranscriptionClass, seen: &ClassObservation) -> ConditionDraft {
    let (status, reason, message) = match &seen.default {
        Some(name) if class.metadata.name.as_ref() == Some(name) => (
            "True",
            "IsDefault",
            format!("jobs that name no class use class '{name}'"),
        ),
        Some(name) => (
            "False",
            "AnotherIsDefault",
            format!("class '{name}' is newer and marked as the default too, so jobs that name no class use that one"),
        ),
        None => (
            "False",
            "Terminating",
            "a class that is being deleted cannot be the default".to_owned(),
        ),
    };
    ConditionDraft {
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
    use crate::domain::aws_error::AwsErrorKind;

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

    fn seen() -> ClassObservation {
        ClassObservation {
            identity: Ok(AccountRegion {
                account: "111122223333".to_owned(),
                region: "eu-west-1".to_owned(),
            }),
            key: None,
            jobs: Some((ClassJobs::default(), 0)),
            quiet_since: Some(time(1)),
            default: Some("finance".to_owned()),
            orphans: None,
            shared: false,
        }
    }

    fn denied() -> Result<AccountRegion, AwsError> {
        Err(AwsError {
            kind: AwsErrorKind::NotSent,
            code: "NoCredentials".to_owned(),
            message: "AWS does not let the operator assume the role".to_owned(),
            detail: Some("AWS does not let the operator assume the role arn".to_owned()),
        })
    }

    fn jobs(running: i32, deleting: usize) -> ClassObservation {
        ClassObservation {
            jobs: Some((ClassJobs { waiting: 5, running }, deleting)),
            quiet_since: None,
            ..found(5, 0)
        }
    }

    fn found(second: i64, left: usize) -> ClassObservation {
        let begun_at = time(second);
        ClassObservation {
            orphans: Some(OrphanSearch { begun_at, left }),
            ..seen()
        }
    }

    fn lost(seen: ClassObservation) -> ClassObservation {
        ClassObservation {
            identity: denied(),
            ..seen
        }
    }

    #[test]
    #[expect(clippy::large_stack_arrays, reason = "a table of cases")]
    fn a_deleted_class_stays_while_something_of_it_is_left() {
        let shared = ClassObservation { shared: true, ..seen() };
        let uncounted = ClassObservation {
            jobs: None,
            ..found(5, 0)
        };
        let mut unused = deleted(&[]);
        unused.status = None;
        let abandoned = || deleted(&[ABANDON_ANNOTATION]);
        for (case, class, seen, why) in [
            ("a live class", class(&[]), jobs(2, 0), ""),
            ("jobs run", deleted(&[]), jobs(2, 1), "2 submitted jobs"),
            ("jobs leave", deleted(&[]), jobs(0, 1), "1 jobs are being"),
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
            let reason = stays(&class, &seen).unwrap_or_default();
            assert_eq!(reason.is_empty(), why.is_empty(), "{case}: {reason}");
            assert!(reason.contains(why), "{case}: {reason}");
        }
    }

    #[test]
    fn the_conditions_say_what_was_seen() {
        let summary = |class: &TranscriptionClass, seen: &ClassObservation| {
            let conditions = status(class, seen, time(9)).conditions;
            let summary = conditions
                .iter()
                .map(|c| format!("{}={}/{}", c.type_, c.status, c.reason));
            summary.collect::<Vec<_>>().join(" ")
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
                ClassObservation {
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
                ClassObservation {
                    default: Some("other".to_owned()),
                    ..seen()
                },
                "Ready=True/IdentityVerified Default=False/AnotherIsDefault",
            ),
            (
                class(&[]),
                ClassObservation {
                    key: Some(usable),
                    ..seen()
                },
                "Ready=True/IdentityVerified DefaultKeyReady=True/KeyResolved",
            ),
            (deleted(&[]), seen(), "Ready=False/Terminating"),
        ] {
            assert_eq!(summary(&class, &seen), expected);
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
            &ClassObservation {
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
