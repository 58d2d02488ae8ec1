//! Derives all conditions of a job, in one place.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    api::{
        conditions::{COMPLETE, ENCRYPTION_READY, FAILED, FINISHED, READY, RECONCILING, Reason, STALLED, SUSPENDED},
        status::{EncryptionMode, JobStatus},
    },
    domain::{
        job::{
            observed::Observed,
            plan::Step,
            status::state::{State, seconds},
        },
        key::{KEY_FIELD, KeyVerdict},
    },
};

/// The longest message of a condition. The API server allows 32768, but a tenant reads much less.
const LONGEST_MESSAGE: usize = 1024;

/// Updates the conditions. Without a new state, only `Suspended` and `EncryptionReady` are updated.
pub(super) fn set_conditions(next: &mut JobStatus, seen: &Observed, step: &Step, state: Option<State>, now: Timestamp) {
    let mut list = Conditions {
        list: std::mem::take(&mut next.conditions),
        generation: seen.job.generation,
        now,
    };
    if let Some(state) = state {
        list.show(&state);
    }
    list.suspension(next, seen, step);
    list.encryption(next, seen, step);
    next.conditions = list.list;
}

struct Conditions {
    list: Vec<Condition>,
    generation: i64,
    now: Timestamp,
}

impl Conditions {
    fn show(&mut self, state: &State) {
        match state {
            State::Progressing(reason, message) => {
                self.set(READY, false, *reason, message);
                self.set(RECONCILING, true, *reason, message);
                self.remove(STALLED);
            }
            State::Suspended => {
                let message = "spec.suspend holds the submission back";
                self.set(READY, false, Reason::Suspended, message);
                self.set(SUSPENDED, true, Reason::Suspended, message);
                self.remove(RECONCILING);
                self.remove(STALLED);
            }
            State::Stalled(reason, message) => self.stalled(*reason, message),
            State::Complete(message) => {
                for type_ in [READY, COMPLETE, FINISHED] {
                    self.set(type_, true, Reason::Completed, message);
                }
                self.remove(RECONCILING);
                self.remove(STALLED);
            }
            State::Failed(reason, message) => {
                self.stalled(*reason, message);
                self.set(FAILED, true, *reason, message);
                self.set(FINISHED, true, *reason, message);
            }
        }
    }

    fn stalled(&mut self, reason: Reason, message: &str) {
        self.set(READY, false, reason, message);
        self.set(STALLED, true, reason, message);
        self.remove(RECONCILING);
    }

    /// `Suspended` follows `spec.suspend`, and says when that was set too late to hold back the job.
    fn suspension(&mut self, next: &JobStatus, seen: &Observed, step: &Step) {
        let shown = self.list.iter().any(|c| c.type_ == SUSPENDED);
        if seen.job.controls.suspend && next.submission.is_some() && !seen.job.finished() && *step != Step::Suspend {
            let message = "the job is already submitted and keeps running: Amazon Transcribe cannot stop it";
            self.set(SUSPENDED, false, Reason::AlreadySubmitted, message);
        } else if shown && !seen.job.controls.suspend {
            self.set(SUSPENDED, false, Reason::Resumed, "spec.suspend is not set");
        }
    }

    fn encryption(&mut self, next: &JobStatus, seen: &Observed, step: &Step) {
        let resolved = "the output is encrypted with the key in status.encryption";
        match (&seen.key, next.encryption.as_ref().map(|e| e.mode)) {
            (KeyVerdict::Refused(rejection), _) => {
                self.set(ENCRYPTION_READY, false, rejection.reason, &rejection.to_string());
            }
            (KeyVerdict::Unsettled { rejection, .. }, _) => {
                self.put(ENCRYPTION_READY, "Unknown", rejection.reason, &rejection.to_string());
            }
            (KeyVerdict::Usable { doubt: Some(doubt), .. }, Some(_)) => {
                self.set(ENCRYPTION_READY, true, Reason::KeyUseUnproven, doubt);
            }
            (KeyVerdict::Usable { doubt: None, .. }, Some(_)) => {
                self.set(ENCRYPTION_READY, true, Reason::KeyResolved, resolved);
            }
            (KeyVerdict::NotAsked | KeyVerdict::NotNeeded, Some(EncryptionMode::SseKms)) => {
                // Keep what the verdict before the Start reported.
                if !self
                    .list
                    .iter()
                    .any(|c| c.type_ == ENCRYPTION_READY && c.status == "True")
                {
                    self.set(ENCRYPTION_READY, true, Reason::KeyResolved, resolved);
                }
            }
            (KeyVerdict::NotAsked | KeyVerdict::NotNeeded, Some(EncryptionMode::SseS3)) => {
                let message = "no key is asked for: Amazon S3 encrypts the output with its own keys (SSE-S3)";
                self.set(ENCRYPTION_READY, true, Reason::ServiceManagedKey, message);
            }
            (KeyVerdict::NotAsked | KeyVerdict::NotNeeded | KeyVerdict::Usable { .. }, None) => {
                if let Step::Stall(rejection) = step
                    && rejection.field.as_deref() == Some(KEY_FIELD)
                {
                    self.set(ENCRYPTION_READY, false, rejection.reason, &rejection.to_string());
                }
            }
        }
    }

    fn set(&mut self, type_: &str, status: bool, reason: Reason, message: &str) {
        self.put(type_, if status { "True" } else { "False" }, reason, message);
    }

    fn put(&mut self, type_: &str, status: &str, reason: Reason, message: &str) {
        let old = self.list.iter().find(|c| c.type_ == type_);
        let since = old
            .filter(|c| c.status == status)
            .map(|c| c.last_transition_time.clone());
        let new = Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: message.chars().take(LONGEST_MESSAGE).collect(),
            observed_generation: Some(self.generation),
            last_transition_time: since.unwrap_or_else(|| seconds(self.now)),
        };
        match self.list.iter_mut().find(|c| c.type_ == type_) {
            Some(old) => *old = new,
            None => self.list.push(new),
        }
    }

    fn remove(&mut self, type_: &str) {
        self.list.retain(|c| c.type_ != type_);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(list: Vec<Condition>, state: &State, at: i64) -> Vec<Condition> {
        let now = Timestamp::from_second(at).unwrap_or_default();
        let mut conditions = Conditions {
            list,
            generation: 1,
            now,
        };
        conditions.show(state);
        conditions.list
    }

    fn named<'a>(list: &'a [Condition], type_: &str) -> Option<&'a Condition> {
        list.iter().find(|c| c.type_ == type_)
    }

    #[test]
    fn a_transition_has_its_time_and_another_reason_is_none() {
        let queued = after(Vec::new(), &State::Progressing(Reason::Queued, "queued".into()), 10);
        let running = after(
            queued.clone(),
            &State::Progressing(Reason::InProgress, "running".into()),
            20,
        );
        let times = |list: &[Condition]| named(list, READY).map(|c| c.last_transition_time.0.as_second());
        assert_eq!((times(&queued), times(&running)), (Some(10), Some(10)));
        let complete = after(running, &State::Complete("done".into()), 30);
        assert_eq!(times(&complete), Some(30));
    }

    #[test]
    fn an_object_is_stalled_or_being_reconciled_and_never_both() {
        let stalled = State::Stalled(Reason::Refused, "refused".into());
        let progressing = State::Progressing(Reason::Queued, "queued".into());
        let first = after(after(Vec::new(), &progressing, 1), &stalled, 2);
        assert!(named(&first, STALLED).is_some() && named(&first, RECONCILING).is_none());
        let then = after(first, &progressing, 3);
        assert!(named(&then, STALLED).is_none() && named(&then, RECONCILING).is_some());
    }
}
