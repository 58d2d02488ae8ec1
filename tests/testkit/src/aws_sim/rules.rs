//! What AWS refuses although the model admits it: rules between members, as the API reference states them.
//!
//! Texts that are documented or recorded stand word for word; for the others only the code is known.

use serde_json::Value;

use super::error::AwsError;

/// The languages of batch redaction.
const REDACTION: [&str; 9] = [
    "en-US", "es-US", "fr-FR", "fr-CA", "de-DE", "de-CH", "it-IT", "pt-PT", "pt-BR",
];
/// The Regions in which ar-SA needs 16 kHz.
const AR_SA_WIDEBAND: [&str; 4] = ["us-gov-west-1", "us-gov-east-1", "ca-west-1", "af-south-1"];
/// A resource has at most this many tags.
pub(super) const MAX_TAGS: usize = 50;

/// A rule: when it is broken, and what AWS says then.
type Rule = (fn(&Value) -> bool, &'static str);

/// The rules of StartTranscriptionJob.
const TRANSCRIPTION: [Rule; 17] = [
    (
        |body| ways_to_a_language(body) == 0,
        "The language code is missing. Either add a language code or turn on language identification.",
    ),
    (
        |body| !has(body, "/Media/MediaFileUri"),
        "The media file URI is missing. Add the location of your media file and try your request again.",
    ),
    (
        |body| has(body, "/Media/RedactedMediaFileUri"),
        "RedactedMediaFileUri is only supported for Call Analytics jobs.",
    ),
    (
        |body| has(body, "/LanguageOptions") && (!identifies(body) || length(body, "/LanguageOptions") < 2),
        "LanguageOptions needs language identification and at least two language codes.",
    ),
    (
        |body| has(body, "/LanguageIdSettings") && !identifies(body),
        "LanguageIdSettings can only be used with language identification.",
    ),
    (
        |body| {
            flag(body, "/IdentifyMultipleLanguages")
                && members(body, "/LanguageIdSettings").any(|settings| has(settings, "/LanguageModelName"))
        },
        "Custom language models can't be used with multi-language identification.",
    ),
    (
        |body| has(body, "/ModelSettings") && (identifies(body) || !has(body, "/ModelSettings/LanguageModelName")),
        "ModelSettings needs a LanguageModelName and can't be used with language identification.",
    ),
    (
        |body| has(body, "/OutputKey") && !has(body, "/OutputBucketName"),
        "You must specify a value for outputBucketName when you specify outputKey.",
    ),
    (
        |body| has(body, "/OutputEncryptionKMSKeyId") && !has(body, "/OutputBucketName"),
        "You must specify a value for outputBucketName when you specify outputEncryptionKMSKeyId.",
    ),
    (
        |body| has(body, "/KMSEncryptionContext") && !has(body, "/OutputEncryptionKMSKeyId"),
        "You must specify a value for outputEncryptionKMSKeyId when you specify an encryption context.",
    ),
    (
        |body| {
            let settings = "/JobExecutionSettings";
            has(body, settings)
                && !(has(body, &format!("{settings}/AllowDeferredExecution"))
                    && has(body, &format!("{settings}/DataAccessRoleArn")))
        },
        "JobExecutionSettings needs both AllowDeferredExecution and DataAccessRoleArn.",
    ),
    (
        |body| flag(body, "/Settings/ShowSpeakerLabels") != has(body, "/Settings/MaxSpeakerLabels"),
        "ShowSpeakerLabels and MaxSpeakerLabels must be used together.",
    ),
    (
        |body| flag(body, "/Settings/ShowAlternatives") != has(body, "/Settings/MaxAlternatives"),
        "ShowAlternatives and MaxAlternatives must be used together.",
    ),
    (
        |body| has(body, "/Settings/VocabularyFilterName") && !has(body, "/Settings/VocabularyFilterMethod"),
        "VocabularyFilterName needs a VocabularyFilterMethod.",
    ),
    (
        |body| has(body, "/ContentRedaction") && (identifies(body) || !REDACTION.contains(&language(body))),
        "Content redaction isn't supported for the language that you specified.",
    ),
    (
        |body| has(body, "/ToxicityDetection") && (identifies(body) || language(body) != "en-US"),
        "Toxicity detection is only supported for US English.",
    ),
    (
        |body| text(body, "/Settings/VocabularyName").contains("missing"),
        "The requested vocabulary couldn't be found. Check the vocabulary name and try your request again.",
    ),
];

/// Check StartTranscriptionJob.
pub(super) fn transcription(body: &Value, region: &str) -> Result<(), AwsError> {
    if let Some((_, text)) = TRANSCRIPTION.iter().find(|(broken, _)| broken(body)) {
        return Err(AwsError::bad_request(*text));
    }
    let rate = body.get("MediaSampleRateHertz").and_then(Value::as_i64);
    if language(body) == "ar-SA" && AR_SA_WIDEBAND.contains(&region) && rate.is_some_and(|rate| rate < 16_000) {
        return Err(AwsError::bad_request(
            "In this Region, ar-SA needs a sample rate of at least 16,000 Hz.",
        ));
    }
    tags(body)
}

/// More than one way to a language is accepted, and "your transcription job fails".
pub(super) fn transcription_doomed(body: &Value) -> Option<&'static str> {
    (ways_to_a_language(body) > 1).then_some(
        "Only one of LanguageCode, IdentifyLanguage and IdentifyMultipleLanguages can be used in a transcription job",
    )
}

/// Tags of any request: at most 50, each key once, none of AWS's own.
pub(super) fn tags(body: &Value) -> Result<(), AwsError> {
    let mut keys: Vec<_> = members(body, "/Tags").map(|tag| text(tag, "/Key")).collect();
    if keys.len() > MAX_TAGS {
        return Err(AwsError::bad_request("A resource can have at most 50 tags."));
    }
    if keys.iter().any(|key| key.starts_with("aws:")) {
        return Err(AwsError::bad_request(
            "Tag keys can't begin with aws:, this prefix is reserved for AWS use.",
        ));
    }
    let given = keys.len();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() == given {
        Ok(())
    } else {
        Err(AwsError::bad_request("Tag keys must be unique."))
    }
}

fn ways_to_a_language(body: &Value) -> usize {
    usize::from(has(body, "/LanguageCode"))
        + usize::from(flag(body, "/IdentifyLanguage"))
        + usize::from(flag(body, "/IdentifyMultipleLanguages"))
}

fn identifies(body: &Value) -> bool {
    flag(body, "/IdentifyLanguage") || flag(body, "/IdentifyMultipleLanguages")
}

fn language(body: &Value) -> &str {
    text(body, "/LanguageCode")
}

fn has(body: &Value, pointer: &str) -> bool {
    body.pointer(pointer).is_some_and(|value| !value.is_null())
}

fn flag(body: &Value, pointer: &str) -> bool {
    body.pointer(pointer) == Some(&Value::Bool(true))
}

fn text<'b>(body: &'b Value, pointer: &str) -> &'b str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn length(body: &Value, pointer: &str) -> usize {
    members(body, pointer).count()
}

/// The items of a list or the values of a map.
fn members<'b>(body: &'b Value, pointer: &str) -> Box<dyn Iterator<Item = &'b Value> + 'b> {
    match body.pointer(pointer) {
        Some(Value::Array(items)) => Box::new(items.iter()),
        Some(Value::Object(items)) => Box::new(items.values()),
        _ => Box::new(std::iter::empty()),
    }
}
