//! The kinds of jobs, described by data.
//!
//! A further kind is one more file here and one more entry of [`KINDS`]: its names, its quotas, its cross-field rules,
//! where its requests say what, and its output. All else (routing, validation, states, lists, rights, keys and buckets,
//! tags, faults, the ledger) follows from these and from the AWS model.

mod analytics;
mod medical;
mod scribe;
mod transcription;

use serde_json::{Map, Value};

use super::jobs::Job;
use super::output::{Files, Output};
use super::rules::Rule;

/// One kind of job.
#[derive(Debug)]
pub(super) struct Kind {
    /// The noun in the operations' names; also the shape of a job and the member that holds it in replies.
    pub(super) entity: &'static str,
    /// The noun in the name of the List operation.
    pub(super) plural: &'static str,
    /// The member that names a job.
    pub(super) name: &'static str,
    /// The member that holds the status.
    pub(super) status: &'static str,
    /// The resource type in an ARN.
    pub(super) resource: &'static str,
    /// Calls per second of Start, Get, List and Delete.
    pub(super) rates: [u32; 4],
    /// Jobs that may run at once.
    pub(super) concurrent: usize,
    /// Where a Start may name its media: pointers, of which it uses the first that it has.
    pub(super) media: &'static [&'static str],
    /// Where a Start may give Transcribe a role: a pointer.
    pub(super) role: Option<&'static str>,
    /// The member by which a Start says where its output goes: a bucket's name, or an `s3://` URI.
    pub(super) destination: &'static str,
    /// Whether a Start that finds no free slot waits for one.
    pub(super) defers: fn(&Value) -> bool,
    /// The service's name for the kind in what it adds to an encryption context, if it adds anything.
    pub(super) context: Option<&'static str>,
    /// The key of the transcript in a bucket of one's own: from the prefix that is asked for, and the job's name.
    pub(super) key: fn(Option<&str>, &str) -> String,
    /// What is written, for a request whose transcript has that key.
    pub(super) files: fn(&Value, &str) -> Files,
    /// What AWS refuses beyond the model.
    pub(super) rules: &'static [Rule],
    /// What AWS accepts and then lets the job fail for, with the text of the rule.
    pub(super) doomed: &'static [Rule],
    /// The members of a job that are neither in the request nor common to all kinds; a summary shows those of them that
    /// its shape has. The output is there once the job is complete.
    pub(super) shows: fn(&Job, Option<&Output>) -> Map<String, Value>,
}

/// What is done to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Get,
    List,
    Delete,
}

/// The kinds that exist.
pub(super) static KINDS: [&Kind; 4] = [&transcription::KIND, &medical::KIND, &analytics::KIND, &scribe::KIND];

/// Of all kinds but Call Analytics.
const MEDIA: &[&str] = &["/Media/MediaFileUri"];

impl Kind {
    /// The kind and the verb of an operation.
    pub(super) fn of_operation(operation: &str) -> Option<(&'static Self, Verb)> {
        KINDS.iter().find_map(|kind| {
            let verb = match operation {
                _ if operation.strip_prefix("Start") == Some(kind.entity) => Verb::Start,
                _ if operation.strip_prefix("Get") == Some(kind.entity) => Verb::Get,
                _ if operation.strip_prefix("List") == Some(kind.plural) => Verb::List,
                _ if operation.strip_prefix("Delete") == Some(kind.entity) => Verb::Delete,
                _ => return None,
            };
            Some((*kind, verb))
        })
    }

    /// The kind of that name.
    pub(super) fn of_entity(entity: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.entity == entity)
    }

    /// The kind of that resource type in an ARN.
    pub(super) fn of_resource(resource: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.resource == resource)
    }

    /// The media of a request; empty if it names none.
    pub(super) fn media<'b>(&self, request: &'b Value) -> &'b str {
        let mut named = self
            .media
            .iter()
            .filter_map(|pointer| request.pointer(pointer)?.as_str());
        named.next().unwrap_or_default()
    }

    /// The role that a request gives to Transcribe.
    pub(super) fn role<'b>(&self, request: &'b Value) -> Option<&'b str> {
        request.pointer(self.role?)?.as_str().filter(|arn| !arn.is_empty())
    }
}

/// A map of those members.
fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::Model;
    use super::*;

    #[test]
    fn what_a_kind_says_is_in_the_model() {
        let model = Model::transcribe().unwrap();
        for kind in KINDS {
            let entity = kind.entity;
            let start = model.input_members(&format!("Start{entity}"));
            for member in [kind.name, kind.destination] {
                assert!(start.contains(&member), "{entity}: {member}");
            }
            let first = |pointer: &&'static str| pointer.split('/').nth(1).unwrap();
            for member in kind.media.iter().chain(&kind.role).map(first) {
                assert!(start.contains(&member), "{entity}: {member}");
            }
            assert_eq!(
                kind.role.is_some(),
                start
                    .iter()
                    .any(|member| { ["JobExecutionSettings", "DataAccessRoleArn"].contains(member) }),
                "{entity}"
            );
            for member in [kind.name, kind.status] {
                assert!(model.members(entity).contains(&member), "{entity}: {member}");
            }
            for (operation, verb) in [
                (format!("Start{entity}"), Verb::Start),
                (format!("Get{entity}"), Verb::Get),
                (format!("List{}", kind.plural), Verb::List),
                (format!("Delete{entity}"), Verb::Delete),
            ] {
                assert!(!model.input_members(&operation).is_empty(), "{operation}");
                let (found, asked) = Kind::of_operation(&operation).unwrap();
                assert_eq!((found.entity, asked), (entity, verb));
            }
        }
    }
}
