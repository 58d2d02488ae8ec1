//! MedicalScribeJob.

use serde_json::{Map, Value};

use super::{Kind, MEDIA, members};
use crate::aws_sim::jobs::Job;
use crate::aws_sim::output::{Files, Output, beside};
use crate::aws_sim::rules::{self, Rule};

pub(super) static KIND: Kind = Kind {
    entity: "MedicalScribeJob",
    plural: "MedicalScribeJobs",
    name: "MedicalScribeJobName",
    status: "MedicalScribeJobStatus",
    resource: "medical-scribe-job",
    // No quota of this kind could be found: these are the lowest of the other kinds'.
    rates: [10, 20, 5, 5],
    concurrent: 100,
    media: MEDIA,
    role: Some("/DataAccessRoleArn"),
    destination: "OutputBucketName",
    defers: |_| false,
    context: Some("medical-scribe"),
    // A folder named after the job: inferred, as are the names of the two files.
    key: |_, name| format!("{name}/transcript.json"),
    files: |_, key| Files {
        more: vec![beside(key, |_| "summary.json".to_owned())],
        ..Files::transcripts(None, key.to_owned(), String::new())
    },
    rules: &RULES,
    doomed: &[],
    shows,
};

const RULES: [Rule; 10] = [
    rules::MEDIA,
    rules::NO_REDACTED_MEDIA,
    rules::CONTEXT_NEEDS_KEY,
    (
        |asked| asked.flag("/Settings/ShowSpeakerLabels") == asked.flag("/Settings/ChannelIdentification"),
        "Settings must set exactly one of ShowSpeakerLabels and ChannelIdentification to true.",
    ),
    rules::SPEAKERS,
    (
        |asked| asked.flag("/Settings/ChannelIdentification") != asked.has("/ChannelDefinitions"),
        "ChannelDefinitions must be set if and only if ChannelIdentification is true.",
    ),
    rules::CHANNEL_IDS,
    rules::CHANNEL_ROLES,
    rules::FILTER,
    rules::VOCABULARY,
];

fn shows(job: &Job, output: Option<&Output>) -> Map<String, Value> {
    let told = !job.member("MedicalScribeContext").is_null();
    let mut shown = members([
        ("LanguageCode", "en-US".into()),
        ("MedicalScribeContextProvided", told.into()),
    ]);
    if let Some(output) = output {
        let mut files = output.transcript();
        files["ClinicalDocumentUri"] = output.more().into_iter().next().into();
        shown.insert("MedicalScribeOutput".to_owned(), files);
    }
    shown
}
