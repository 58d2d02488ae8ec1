//! The rows about what no class can change: the rules of the CRDs.

use serde_json::{Value, json};

use super::row::{A, Group, NA, Row, key};
use crate::cases::{CONTEXT, KEY};

/// Where AWS takes no context, and there is one.
const NO_CONTEXT: &str = "DDDD@spec.encryption.context*:StartCallAnalyticsJob has no parameter";

/// Every layer denies: it is in the schema.
const D: &str = "DDDD";

/// Roles that are another kind's.
const OTHER_ROLES: &str = "DDDD@spec.channelDefinitions*:";

fn row(name: &'static str, change: Value, cells: [&'static str; 4], field: &'static str, says: &'static str) -> Row {
    Row::new(Group::Cel, name, change, cells, field, says)
}

fn context(context: Value) -> Value {
    json!({"encryption": {"kmsKeyId": "alias/a", "context": context}})
}

fn identify(more: Value) -> Value {
    let mut change = json!({"languageCode": null, "identifyLanguage": true});
    change
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    change
}

/// A rule each of the CRDs, by its message.
#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn cel() -> Vec<Row> {
    let redaction = json!({"redactionType": "PII", "redactionOutput": "redacted"});
    let toxicity = json!([{"toxicityCategories": ["ALL"]}]);
    let by_language = json!({"german": {}});
    let model = json!({"languageCode": null, "identifyMultipleLanguages": true, "languageIdSettings": {"en-US": {"languageModelName": "m"}}});
    let channel = |id: u8, role: &str| json!({"channelId": id, "participantRole": role});
    let on_channels = json!({"showSpeakerLabels": null, "maxSpeakerLabels": null, "channelIdentification": true});
    let arn = |tail: &str| format!("arn:aws:kms:eu-west-1:111122223333:{tail}");
    let in_arn = "must have 1 to 250 letters, digits, slashes";
    let conversation = |first: Value, second: Value| json!({"settings": on_channels, "channelDefinitions": [first, second]});
    let call = |first: Value, second: Value| json!({"channelDefinitions": [first, second]});
    vec![
        //   what is tried                             what it changes                                                    T   M   C   S
        row("no language",                            json!({"languageCode": null}),                                     [D, "DDDD@spec.languageCode:", NA, NA], "spec", "exactly one of languageCode"),
        row("a language, and its identification",     json!({"identifyLanguage": true}),                                 [D, NA, NA, NA], "spec", "exactly one of languageCode"),
        row("language options with a language",       json!({"languageOptions": ["en-US", "de-DE"]}),                    [D, NA, NA, NA], "spec.languageOptions", "narrows the identification"),
        row("a single language option",               identify(json!({"languageOptions": ["en-US"]})),                   [D, NA, NA, NA], "spec.languageOptions", "for a single one use languageCode"),
        row("a single language option of a call",     json!({"settings": {"languageOptions": ["en-US"]}}),               [NA, NA, D, NA], "spec.settings.languageOptions", "remove it when you do not know them"),
        row("settings by language with a language",   json!({"languageIdSettings": {"en-US": {}}}),                      [D, NA, NA, NA], "spec.languageIdSettings", "is for the identification of the language"),
        row("a model by one of several languages",    model,                                                             [D, NA, NA, NA], "spec.languageIdSettings", "takes no custom language model"),
        row("settings by what is no language",        identify(json!({"languageIdSettings": by_language})),              [D, NA, NA, NA], "spec.languageIdSettings", "each key must be a language code"),
        row("the same of a call",                     json!({"settings": {"languageIdSettings": by_language}}),          [NA, NA, D, NA], "spec.settings.languageIdSettings", "each key must be a language code"),
        row("a model, and identification",            identify(json!({"modelSettings": {"languageModelName": "m"}})),    [D, NA, NA, NA], "spec.modelSettings", "modelSettings needs languageCode"),
        row("model settings without a model",         json!({"modelSettings": {}}),                                      [D, NA, NA, NA], "spec.modelSettings.languageModelName", "needs languageModelName"),
        row("redaction, and identification",          identify(json!({"contentRedaction": redaction})),                  [D, NA, NA, NA], "spec.contentRedaction", "does not work with the identification"),
        row("toxicity in another language",           json!({"languageCode": "de-DE", "toxicityDetection": toxicity}),   [D, NA, NA, NA], "spec.toxicityDetection", "only available for languageCode en-US"),
        row("deferred execution that is not said",    json!({"jobExecutionSettings": {}}),                               [D, NA, NA, NA], "spec.jobExecutionSettings.allowDeferredExecution", "set it to true or false"),
        row("medical speech in another language",     json!({"languageCode": "en-GB"}),                                  [A, D, NA, NA],  "spec.languageCode", "knows en-US only"),
        row("media that is redacted already",         json!({"media": {"redactedMediaFileUri": "s3://media/b.wav"}}),    [D, D, "DDDD:exactly one of mediaFileUri", D], "spec.media", "takes no redactedMediaFileUri"),
        row("no media file",                          json!({"media": {"mediaFileUri": null}}),                          [D, D, "DDDD:exactly one of mediaFileUri", D], "spec.media", "takes no redactedMediaFileUri"),
        row("speakers without a number",              json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": null}}), [D, D, NA, D], "spec.settings.maxSpeakerLabels", "need each other"),
        row("a number of alternatives alone",         json!({"settings": {"maxAlternatives": 2}}),                       [D, D, NA, NA],  "spec.settings.maxAlternatives", "need each other"),
        row("a filter without a method",              json!({"settings": {"vocabularyFilterName": "f"}}),                [D, NA, D, D],   "spec.settings.vocabularyFilterMethod", "set it to remove, mask or tag"),
        row("neither speakers nor channels",          json!({"settings": {"showSpeakerLabels": null, "maxSpeakerLabels": null}}), [A, A, NA, D], "spec.settings", "exactly one of showSpeakerLabels"),
        row("channels that nobody speaks on",         json!({"settings": on_channels}),                                  [A, A, NA, D],   "spec.channelDefinitions", "need each other"),
        row("one channel twice, in a call",           call(channel(0, "AGENT"), channel(0, "CUSTOMER")),                 [NA, NA, D, OTHER_ROLES], "spec.channelDefinitions", "must be of different channels"),
        row("one role twice, in a call",              call(channel(0, "AGENT"), channel(1, "AGENT")),                    [NA, NA, D, OTHER_ROLES], "spec.channelDefinitions", "AGENT for one and CUSTOMER for the other"),
        row("one channel twice, in a conversation",   conversation(channel(0, "CLINICIAN"), channel(0, "PATIENT")),      [NA, NA, NA, D], "spec.channelDefinitions", "must be of different channels"),
        row("one role twice, in a conversation",      conversation(channel(0, "PATIENT"), channel(1, "PATIENT")),        [NA, NA, NA, D], "spec.channelDefinitions", "CLINICIAN for one and PATIENT for the other"),
        row("a folder without its slash",             json!({"outputLocation": "s3://transcripts/calls"}),               [NA, NA, D, NA], "spec.outputLocation", "must end in a slash"),
        row("a key with an invisible character",      key("alias/a\u{200b}"),                                            [D, D, D, D], KEY, "must not contain white space"),
        row("an AWS managed key",                     key("alias/aws/s3"),                                               [D, D, D, D], KEY, "must not be an AWS managed key"),
        row("a key that is none",                     key("transcripts"),                                                [D, D, D, D], KEY, "must be a KMS key: a key id"),
        row("an alias with a dot",                    key("alias/a.b"),                                                  [D, D, D, D], KEY, in_arn),
        row("an ARN of five parts",                   key("arn:aws:kms:eu-west-1:111122223333"),                         [D, D, D, D], KEY, "must have all six parts"),
        row("an ARN of no partition",                 key(&arn("alias/a").replace(":aws:", ":amazon:")),                 [D, D, D, D], KEY, "must name an AWS partition"),
        row("an ARN of another service",              key(&arn("alias/a").replace("kms", "s3")),                         [D, D, D, D], KEY, "must be an ARN of KMS"),
        row("an ARN of no Region",                    key(&arn("alias/a").replace("eu-west-1", "ireland")),              [D, D, D, D], KEY, "must name a Region"),
        row("an ARN of no account",                   key(&arn("alias/a").replace("111122223333", "1234")),              [D, D, D, D], KEY, "must name an account"),
        row("an ARN of no key",                       key(&arn("key/a")),                                                [D, D, D, D], KEY, "must end in key/ and a key id"),
        row("an alias ARN with a dot",                key(&arn("alias/a.b")),                                            [D, D, D, D], KEY, in_arn),
        row("a context",                              context(json!({"team": "a"})),                                     [A, A, NO_CONTEXT, A], CONTEXT, "StartCallAnalyticsJob has no parameter"),
        row("a key of a context that is no ASCII",    context(json!({"\u{fc}": "a"})),                                   [D, D, D, D], CONTEXT, "each key must be printable ASCII"),
        row("a key of a context of AWS's own",        context(json!({"aws:s3:arn": "a"})),                               [D, D, D, D], CONTEXT, "each key must not begin with aws:"),
        row("keys of a context equal but for case",   context(json!({"team": "a", "Team": "b"})),                        [D, D, D, D], CONTEXT, "keys must differ in more than upper and lower case"),
        row("a value of a context that is no ASCII",  context(json!({"team": "\u{fc}"})),                                [D, D, "DDDD@spec.encryption.context*", D], "spec.encryption.context.team", "must be printable ASCII and not blank"),
        row("a tag with a control character",         json!({"tags": {"a\tb": "c"}}),                                    [D, D, D, D], "spec.tags", "each key must be 1 to 128 characters"),
        row("a tag of AWS's own",                     json!({"tags": {"aws:a": "c"}}),                                   [D, D, D, D], "spec.tags", "each key must not begin with aws: or"),
        row("a tag of the operator's own",            json!({"tags": {"Transcribe-Operator.io/uid": "c"}}),              [D, D, D, D], "spec.tags", "each key must not begin with aws: or"),
        edit("a request that is submitted",           json!({"tags": {"a": "b"}}),                                       ["D---"; 4],  "spec", "can no longer change"),
        edit("its class",                             json!({"transcriptionClassName": "keyed"}),                        ["D---"; 4],  "spec", "can no longer change"),
        edit("what is not of the request",            json!({"ttlSecondsAfterFinished": 60}),                            [A; 4], "", ""),
    ]
}

fn edit(name: &'static str, change: Value, cells: [&'static str; 4], field: &'static str, says: &'static str) -> Row {
    Row {
        edit: true,
        ..row(name, change, cells, field, says)
    }
}

/// What else the schema says, one of each sort.
#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn schema() -> Vec<Row> {
    let many = |count: usize| (0..count).map(|n| (format!("k{n:02}"), json!("v"))).collect::<Value>();
    let unspoken = json!({"channelDefinitions": [{"channelId": 0}, {"channelId": 1}]});
    let one_channel = json!({"channelDefinitions": [{"channelId": 0}]});
    let filter = json!({"settings": {"vocabularyFilterName": "f", "vocabularyFilterMethod": "hide"}});
    let speakers = json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": 31}});
    let rows = vec![
        //   what is tried                             what it changes                                                    T   M   C   S
        row("the least that a kind needs",            json!({}),                                                         [A, A, A, A],    "", ""),
        row("no media",                               json!({"media": null}),                                            [D, D, D, D],    "spec.media", "required"),
        row("no specialty",                           json!({"specialty": null}),                                        [NA, D, NA, NA], "spec.specialty", "required"),
        row("no type",                                json!({"type": null}),                                             [NA, D, NA, NA], "spec.type", "required"),
        row("no settings",                            json!({"settings": null}),                                         [A, A, A, D],    "spec.settings", "required"),
        row("channels without roles",                 unspoken,                                                          [NA, NA, A, D],  "spec.channelDefinitions*", "required"),
        row("half a redaction",                       json!({"contentRedaction": {"redactionType": "PII"}}),             [D, NA, NA, NA], "spec.contentRedaction.redactionOutput", "required"),
        row("half a redaction of a call",             json!({"settings": {"contentRedaction": {"redactionType": "PII"}}}), [NA, NA, D, NA], "spec.settings.contentRedaction.redactionOutput", "required"),
        row("half a summary",                         json!({"settings": {"summarization": {}}}),                        [NA, NA, D, NA], "spec.settings.summarization.generateAbstractiveSummary", "required"),
        row("a member that there is not",             json!({"encription": {"kmsKeyId": "alias/a"}}),                    ["D--D"; 4],     "spec.encription", "unknown field"),
        row("a text for a truth value",               json!({"suspend": "yes"}),                                         [D, D, D, D],    "spec.suspend", ""),
        row("a number for a text",                    json!({"media": {"mediaFileUri": 1}}),                             [D, D, D, D],    "spec.media.mediaFileUri", ""),
        row("a deletion policy that there is not",    json!({"deletionPolicy": "Keep"}),                                 [D, D, D, D],    "spec.deletionPolicy", "Retain"),
        row("a format that there is not",             json!({"mediaFormat": "aiff"}),                                    [D, D, NA, NA],  "spec.mediaFormat", "flac"),
        row("a method that there is not",             filter,                                                            [D, NA, D, D],   "spec.settings.vocabularyFilterMethod", "mask"),
        row("a specialty that there is not",          json!({"specialty": "CARDIOLOGY"}),                                [NA, D, NA, NA], "spec.specialty", "PRIMARYCARE"),
        row("a note that there is not",               json!({"settings": {"clinicalNoteGenerationSettings": {"noteTemplate": "A"}}}), [NA, NA, NA, D], "spec.settings.clinicalNoteGenerationSettings.noteTemplate", "SOAP"),
        row("pronouns that there are not",            json!({"medicalScribeContext": {"patientContext": {"pronouns": "A"}}}), [NA, NA, NA, D], "spec.medicalScribeContext.patientContext.pronouns", "THEY_THEM"),
        row("media on the web",                       json!({"media": {"mediaFileUri": "https://media.example.com/a.wav"}}), [D, D, D, D], "spec.media.mediaFileUri", "must be an object in Amazon S3"),
        row("a bucket in capitals",                   json!({"outputBucketName": "Transcripts"}),                        [D, D, NA, D],   "spec.outputBucketName", "must be a bucket name"),
        row("a key with a blank",                     json!({"outputKey": "a b"}),                                       [D, D, NA, NA],  "spec.outputKey", "must be a key of letters"),
        row("a location without s3:",                 json!({"outputLocation": "transcripts"}),                          [NA, NA, D, NA], "spec.outputLocation", "must be a place in Amazon S3"),
        row("a role that is none",                    json!({"dataAccessRoleArn": "arn:aws:iam::111122223333:user/a"}),  [NA, NA, D, D],  "spec.dataAccessRoleArn", "must be the ARN of an IAM role"),
        row("a role that is none, for a queue",       json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": "arn:aws:iam::111122223333:user/a"}}), [D, NA, NA, NA], "spec.jobExecutionSettings.dataAccessRoleArn", "must be the ARN of an IAM role"),
        row("a vocabulary with a blank",              json!({"settings": {"vocabularyName": "a b"}}),                    [D, D, D, D],    "spec.settings.vocabularyName", "must be a name of letters"),
        row("a class with a blank",                   json!({"transcriptionClassName": "a b"}),                          [D, D, D, D],    "spec.transcriptionClassName", "must be the name of a class"),
        row("a language that is none",                json!({"languageCode": "english"}),                                [D, D, NA, NA],  "spec.languageCode", "must be a language code"),
        row("a sample rate of 8000",                  json!({"mediaSampleRateHertz": 8000}),                             [A, D, NA, NA],  "spec.mediaSampleRateHertz", "16000"),
        row("a sample rate of 7999",                  json!({"mediaSampleRateHertz": 7999}),                             [D, "DDDD:16000", NA, NA], "spec.mediaSampleRateHertz", "8000"),
        row("31 speakers",                            speakers,                                                          [D, D, NA, D],   "spec.settings.maxSpeakerLabels", "30"),
        row("11 further attempts",                           json!({"backoffLimit": 11}),                                       [D, D, D, D],    "spec.backoffLimit", "10"),
        row("a negative time",                        json!({"ttlSecondsAfterFinished": -1}),                            [D, D, D, D],    "spec.ttlSecondsAfterFinished", "0"),
        row("one channel alone",                      one_channel,                                                       [NA, NA, D, "DDDD@spec.channelDefinitions*:"], "spec.channelDefinitions", "must have at least 2 items"),
        row("a context of 11 pairs",                  context(many(11)),                                                 [D, D, D, D],    CONTEXT, "must have at most 10 entries"),
        row("a context without pairs",                context(json!({})),                                                [D, D, D, D],    CONTEXT, "must have at least 1 entries"),
        row("a value of 2001 characters",             context(json!({"a": "v".repeat(2001)})),                           [D, D, "DDDD@spec.encryption.context*", D], "spec.encryption.context.a", "at most 2000 characters"),
        row("47 tags",                                json!({"tags": many(47)}),                                         [D, D, D, D],    "spec.tags", "must have at most 46 entries"),
        row("a tag of 257 characters",                json!({"tags": {"a": "v".repeat(257)}}),                           [D, D, D, D],    "spec.tags.a", "at most 256 characters"),
    ];
    rows.into_iter().map(|row| Row { group: Group::Schema, ..row }).collect()
}
