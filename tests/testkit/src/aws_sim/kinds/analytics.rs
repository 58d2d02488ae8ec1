//! CallAnalyticsJob.

use serde_json::{Map, Value, json};

use super::{Kind, members};
use crate::aws_sim::jobs::Job;
use crate::aws_sim::outcomes;
use crate::aws_sim::output::{Files, Output, key_below, redaction};
use crate::aws_sim::render::media_format;
use crate::aws_sim::rules::{self, Asked, Rule};

pub(super) static KIND: Kind = Kind {
    entity: "CallAnalyticsJob",
    plural: "CallAnalyticsJobs",
    name: "CallAnalyticsJobName",
    status: "CallAnalyticsJobStatus",
    resource: "analytics",
    rates: [10, 20, 5, 5],
    concurrent: 100,
    media: &["/Media/MediaFileUri", "/Media/RedactedMediaFileUri"],
    role: Some("/DataAccessRoleArn"),
    destination: "OutputLocation",
    // "If you pass a DataAccessRoleArn in your request and you exceed your Concurrent Job Limit, your job will
    // automatically be added to a queue".
    defers: |body| body.get("DataAccessRoleArn").is_some_and(Value::is_string),
    context: None,
    // The folders are those that were seen; AWS documents the name of the file only.
    key: |prefix, name| {
        let own = format!("{PLAIN}{name}.json");
        key_below(prefix, &own)
    },
    files,
    rules: &RULES,
    doomed: &[],
    shows,
};

const PLAIN: &str = "analytics/";
const REDACTED: &str = "redacted-analytics/";

const RULES: [Rule; 9] = [
    rules::MEDIA_OF_EITHER_SORT,
    (
        |asked| asked.has("/Media/MediaFileUri") && asked.has("/Media/RedactedMediaFileUri"),
        "You can specify either MediaFileUri or RedactedMediaFileUri, not both.",
    ),
    (
        |asked| asked.has("/OutputLocation") && !is_location(asked.text("/OutputLocation")),
        "The output location isn't valid. Use s3://bucket, s3://bucket/folder/ or s3://bucket/folder/file.json.",
    ),
    (
        |asked| asked.has("/OutputEncryptionKMSKeyId") && !asked.has("/OutputLocation"),
        "You must specify a value for outputLocation when you specify outputEncryptionKMSKeyId.",
    ),
    rules::CHANNEL_IDS,
    rules::CHANNEL_ROLES,
    (
        |asked| asked.has("/Settings/LanguageOptions") && asked.length("/Settings/LanguageOptions") < 2,
        "LanguageOptions needs at least two language codes.",
    ),
    rules::FILTER,
    rules::VOCABULARY,
];

/// The forms that are documented: a bucket, a folder in it, or a file.
fn is_location(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("s3://") else {
        return false;
    };
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (3..=63).contains(&bucket.len())
        && bucket.bytes().all(fits)
        && !bucket.starts_with(['.', '-'])
        && !bucket.ends_with(['.', '-'])
        && (key.is_empty() || key.ends_with('/') || key.strip_suffix(".json").is_some())
}

/// The transcript, and what is redacted: the transcript, and the audio, named after the job with the media's ending.
fn files(body: &Value, key: &str) -> Files {
    let redaction = redaction(body, "/Settings/ContentRedaction");
    let (folder, file) = key
        .rsplit_once('/')
        .map_or(("", key), |(_, file)| (&key[..key.len() - file.len()], file));
    let folder = folder.strip_suffix(PLAIN).unwrap_or(folder);
    let redacted = format!("{folder}{REDACTED}{file}");
    let stem = redacted.strip_suffix(".json").unwrap_or(&redacted);
    let audio = format!("{stem}.{}", media_format(KIND.media(body)));
    Files {
        more: redaction.map(|_| audio).into_iter().collect(),
        ..Files::transcripts(redaction, key.to_owned(), redacted.clone())
    }
}

fn shows(job: &Job, output: Option<&Output>) -> Map<String, Value> {
    let transcript = output.map_or_else(|| json!({}), Output::transcript);
    let mut shown = members([("Transcript", transcript)]);
    let Some(output) = output else { return shown };
    let language = job.member("Settings")["LanguageOptions"][0].as_str().unwrap_or("en-US");
    shown.extend(members([
        ("LanguageCode", language.into()),
        ("IdentifiedLanguageScore", 0.97.into()),
    ]));
    if let Some(audio) = output.more().into_iter().next() {
        let mut media = job.member("Media").clone();
        media["RedactedMediaFileUri"] = audio.into();
        shown.insert("Media".to_owned(), media);
    }
    if let Some(skipped) = skipped(job) {
        shown.insert("CallAnalyticsJobDetails".to_owned(), json!({ "Skipped": [skipped] }));
    }
    shown
}

/// The summary that was asked for and is not there, though the job is complete.
fn skipped(job: &Job) -> Option<Value> {
    let request = Value::Object(job.request.clone());
    let asked = Asked {
        body: &request,
        region: "",
    };
    let media = KIND.media(&request);
    let (_, code, message) = outcomes::SKIPS.into_iter().find(|(part, ..)| media.contains(part))?;
    asked
        .flag("/Settings/Summarization/GenerateAbstractiveSummary")
        .then(|| json!({"Feature": "GENERATIVE_SUMMARIZATION", "ReasonCode": code, "Message": message}))
}
