//! TranscriptionJob.

use serde_json::{Map, Value, json};

use super::{Kind, MEDIA, members};
use crate::aws_sim::jobs::Job;
use crate::aws_sim::output::{Files, Output, beside, key_below, redaction};
use crate::aws_sim::rules::{self, Asked, Rule};

pub(super) static KIND: Kind = Kind {
    entity: "TranscriptionJob",
    plural: "TranscriptionJobs",
    name: "TranscriptionJobName",
    status: "TranscriptionJobStatus",
    resource: "transcription-job",
    rates: [25, 30, 5, 5],
    concurrent: 250,
    media: MEDIA,
    role: Some("/JobExecutionSettings/DataAccessRoleArn"),
    destination: "OutputBucketName",
    defers: |body| body.pointer("/JobExecutionSettings/AllowDeferredExecution") == Some(&Value::Bool(true)),
    context: None,
    key: |prefix, name| key_below(prefix, &format!("{name}.json")),
    files,
    rules: &RULES,
    doomed: &DOOMED,
    shows,
};

/// The languages of batch redaction.
const REDACTION: [&str; 9] = [
    "en-US", "es-US", "fr-FR", "fr-CA", "de-DE", "de-CH", "it-IT", "pt-PT", "pt-BR",
];
/// The Regions in which ar-SA needs 16 kHz.
const AR_SA_WIDEBAND: [&str; 4] = ["us-gov-west-1", "us-gov-east-1", "ca-west-1", "af-south-1"];

const RULES: [Rule; 18] = [
    (
        |asked| ways_to_a_language(asked) == 0,
        "The language code is missing. Either add a language code or turn on language identification.",
    ),
    rules::MEDIA,
    rules::NO_REDACTED_MEDIA,
    (
        |asked| asked.has("/LanguageOptions") && (!identifies(asked) || asked.length("/LanguageOptions") < 2),
        "LanguageOptions needs language identification and at least two language codes.",
    ),
    (
        |asked| asked.has("/LanguageIdSettings") && !identifies(asked),
        "LanguageIdSettings can only be used with language identification.",
    ),
    (
        |asked| {
            let mut settings = asked.members("/LanguageIdSettings");
            asked.flag("/IdentifyMultipleLanguages")
                && settings.any(|settings| settings.get("LanguageModelName").is_some())
        },
        "Custom language models can't be used with multi-language identification.",
    ),
    (
        |asked| asked.has("/ModelSettings") && (identifies(asked) || !asked.has("/ModelSettings/LanguageModelName")),
        "ModelSettings needs a LanguageModelName and can't be used with language identification.",
    ),
    (
        |asked| asked.has("/OutputKey") && !asked.has("/OutputBucketName"),
        "You must specify a value for outputBucketName when you specify outputKey.",
    ),
    (
        |asked| asked.has("/OutputEncryptionKMSKeyId") && !asked.has("/OutputBucketName"),
        "You must specify a value for outputBucketName when you specify outputEncryptionKMSKeyId.",
    ),
    rules::CONTEXT_NEEDS_KEY,
    (
        |asked| {
            let [defer, role] = ["AllowDeferredExecution", "DataAccessRoleArn"];
            let has = |member| asked.has(&format!("/JobExecutionSettings/{member}"));
            asked.has("/JobExecutionSettings") && !(has(defer) && has(role))
        },
        "JobExecutionSettings needs both AllowDeferredExecution and DataAccessRoleArn.",
    ),
    rules::SPEAKERS,
    rules::ALTERNATIVES,
    rules::FILTER,
    (
        |asked| asked.has("/ContentRedaction") && (identifies(asked) || !REDACTION.contains(&language(asked))),
        "Content redaction isn't supported for the language that you specified.",
    ),
    (
        |asked| asked.has("/ToxicityDetection") && (identifies(asked) || language(asked) != "en-US"),
        "Toxicity detection is only supported for US English.",
    ),
    rules::VOCABULARY,
    (
        |asked| {
            let narrow = asked.number("/MediaSampleRateHertz").is_some_and(|rate| rate < 16_000);
            language(asked) == "ar-SA" && AR_SA_WIDEBAND.contains(&asked.region) && narrow
        },
        "In this Region, ar-SA needs a sample rate of at least 16,000 Hz.",
    ),
];

/// More than one way to a language is accepted, and "your transcription job fails".
const DOOMED: [Rule; 1] = [(
    |asked| ways_to_a_language(asked) > 1,
    "Only one of LanguageCode, IdentifyLanguage and IdentifyMultipleLanguages can be used in a transcription job",
)];

fn ways_to_a_language(asked: &Asked<'_>) -> usize {
    usize::from(asked.has("/LanguageCode"))
        + usize::from(asked.flag("/IdentifyLanguage"))
        + usize::from(asked.flag("/IdentifyMultipleLanguages"))
}

fn identifies(asked: &Asked<'_>) -> bool {
    asked.flag("/IdentifyLanguage") || asked.flag("/IdentifyMultipleLanguages")
}

fn language<'b>(asked: &Asked<'b>) -> &'b str {
    asked.text("/LanguageCode")
}

/// The transcript, the redacted one, and the subtitles, all in one folder.
fn files(body: &Value, key: &str) -> Files {
    let redaction = redaction(body, "/ContentRedaction");
    let redacted = beside(key, |file| format!("redacted-{file}"));
    let main = if redaction == Some("redacted") { &redacted } else { key };
    let stem = main.strip_suffix(".json").unwrap_or(main);
    let formats = body.pointer("/Subtitles/Formats").and_then(Value::as_array);
    let formats = formats.into_iter().flatten().filter_map(Value::as_str);
    Files {
        more: formats.map(|format| format!("{stem}.{format}")).collect(),
        ..Files::transcripts(redaction, key.to_owned(), redacted.clone())
    }
}

/// Defaults of the settings, the languages that were found, and where the output is.
fn shows(job: &Job, output: Option<&Output>) -> Map<String, Value> {
    let mut settings = json!({"ChannelIdentification": false, "ShowAlternatives": false});
    if let (Some(all), Some(given)) = (settings.as_object_mut(), job.member("Settings").as_object()) {
        all.extend(given.clone());
    }
    let transcript = output.map_or_else(|| json!({}), Output::transcript);
    let mut shown = members([("Settings", settings), ("Transcript", transcript)]);
    let Some(output) = output else { return shown };
    if let Some(asked) = job.member("Subtitles").as_object() {
        let given = |member: &str, default: Value| asked.get(member).cloned().unwrap_or(default);
        shown.insert(
            "Subtitles".to_owned(),
            json!({"Formats": given("Formats", json!([])), "SubtitleFileUris": output.more(),
                "OutputStartIndex": given("OutputStartIndex", 0.into())}),
        );
    }
    shown.extend(identified(job));
    shown
}

/// The language that was found: the first of the options.
fn identified(job: &Job) -> Map<String, Value> {
    let on = |member: &str| *job.member(member) == Value::Bool(true);
    let language = job.member("LanguageOptions")[0].as_str().unwrap_or("en-US");
    if on("IdentifyMultipleLanguages") {
        let codes = json!([{"LanguageCode": language, "DurationInSeconds": 12.5}]);
        members([("LanguageCodes", codes)]).into_iter().collect()
    } else if on("IdentifyLanguage") {
        members([
            ("LanguageCode", language.into()),
            ("IdentifiedLanguageScore", 0.97.into()),
        ])
    } else {
        Map::new()
    }
}
