//! MedicalTranscriptionJob.

use serde_json::{Map, Value, json};

use super::{Kind, MEDIA, members};
use crate::aws_sim::jobs::Job;
use crate::aws_sim::output::{Files, Output, key_below};
use crate::aws_sim::rules::{self, Rule};

pub(super) static KIND: Kind = Kind {
    entity: "MedicalTranscriptionJob",
    plural: "MedicalTranscriptionJobs",
    name: "MedicalTranscriptionJobName",
    status: "TranscriptionJobStatus",
    resource: "medical-transcription-job",
    rates: [25, 30, 5, 5],
    concurrent: 250,
    media: MEDIA,
    role: None,
    destination: "OutputBucketName",
    defers: |_| false,
    context: None,
    // Without an OutputKey the transcript was seen in a folder of its own; nobody has documented it.
    key: |prefix, name| key_below(prefix.or(Some("medical")), &format!("{name}.json")),
    files: |_, key| Files::transcripts(None, key.to_owned(), String::new()),
    rules: &RULES,
    doomed: &[],
    shows,
};

const RULES: [Rule; 7] = [
    (
        |asked| asked.text("/LanguageCode") != "en-US",
        "The language code isn't valid. US English (en-US) is the only valid value for medical transcription jobs.",
    ),
    rules::MEDIA,
    rules::NO_REDACTED_MEDIA,
    rules::CONTEXT_NEEDS_KEY,
    rules::SPEAKERS,
    rules::ALTERNATIVES,
    rules::VOCABULARY,
];

fn shows(_: &Job, output: Option<&Output>) -> Map<String, Value> {
    members([("Transcript", output.map_or_else(|| json!({}), Output::transcript))])
}
