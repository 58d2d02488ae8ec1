//! The kinds of jobs, described by data.
//!
//! A further kind is one more entry, its cross-field rules and its output members; all else (routing, validation,
//! states, lists, quotas) follows from the names here and from the AWS model.

use serde_json::{Map, Value};

use super::error::AwsError;
use super::jobs::Job;
use super::{render, rules};

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
    /// What AWS refuses beyond the model; the second argument is the Region.
    pub(super) rules: fn(&Value, &str) -> Result<(), AwsError>,
    /// Why AWS accepts the request and then lets the job fail, if it does.
    pub(super) doomed: fn(&Value) -> Option<&'static str>,
    /// The members of a job that come neither from the request nor from the states.
    pub(super) output: fn(&Job, render::Moment) -> Map<String, Value>,
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
pub(super) static KINDS: [Kind; 1] = [Kind {
    entity: "TranscriptionJob",
    plural: "TranscriptionJobs",
    name: "TranscriptionJobName",
    status: "TranscriptionJobStatus",
    resource: "transcription-job",
    rates: [25, 30, 5, 5],
    concurrent: 250,
    rules: rules::transcription,
    doomed: rules::transcription_doomed,
    output: render::transcription,
}];

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
            Some((kind, verb))
        })
    }

    /// The kind of that name.
    pub(super) fn of_entity(entity: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.entity == entity)
    }
}
