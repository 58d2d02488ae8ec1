//! The cases of the CEL rules, kind by kind, but for TranscriptionJob.

use serde_json::{Value, json};

use crate::rules::Case;

const MEDIA: Option<(&str, &str)> = Some(("spec.media", "needs mediaFileUri and takes no redactedMediaFileUri"));
const SPEAKERS: Option<(&str, &str)> = Some(("spec.settings.maxSpeakerLabels", "need each other"));
const FILTER: Option<(&str, &str)> = Some(("spec.settings.vocabularyFilterMethod", "remove, mask or tag"));
const CHANNELS: Option<(&str, &str)> = Some(("spec.channelDefinitions", "must be of different channels"));
const ROLES: Option<(&str, &str)> = Some(("spec.channelDefinitions", "must have different participantRoles"));

/// What every kind has. Where AWS takes no context, every one is refused.
pub fn encryption(takes_context: bool) -> Vec<Case> {
    let refused = Some(("spec.encryption.context", "StartCallAnalyticsJob has no parameter"));
    let refused = refused.filter(|_| !takes_context);
    let context = |context: Value| json!({"encryption": {"kmsKeyId": "alias/a", "context": context}});
    let mut cases = vec![
        ("a key", json!({"encryption": {"kmsKeyId": "alias/a"}}), None),
        ("no encryption", json!({"encryption": {}}), None),
        ("a context", context(json!({"team": "a", "teams": "b"})), refused),
        (
            "a context whose key comes from the class",
            json!({"encryption": {"context": {"team": "a"}}}),
            refused,
        ),
    ];
    if takes_context {
        cases.push((
            "context keys that differ in case alone",
            context(json!({"team": "a", "Team": "b"})),
            Some(("spec.encryption.context", "differ in more than upper and lower case")),
        ));
    }
    cases
}

/// Of the kinds that have both.
pub fn speakers_and_alternatives() -> Vec<Case> {
    let alternatives = Some(("spec.settings.maxAlternatives", "need each other"));
    vec![
        (
            "speakers",
            json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": 2}}),
            None,
        ),
        (
            "speakers without a number",
            json!({"settings": {"showSpeakerLabels": true}}),
            SPEAKERS,
        ),
        (
            "a number of speakers alone",
            json!({"settings": {"maxSpeakerLabels": 2}}),
            SPEAKERS,
        ),
        (
            "a number without speakers",
            json!({"settings": {"showSpeakerLabels": false, "maxSpeakerLabels": 2}}),
            SPEAKERS,
        ),
        ("no speakers", json!({"settings": {"showSpeakerLabels": false}}), None),
        (
            "speakers and channels",
            json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": 2, "channelIdentification": true}}),
            None,
        ),
        (
            "alternatives",
            json!({"settings": {"showAlternatives": true, "maxAlternatives": 2}}),
            None,
        ),
        (
            "alternatives without a number",
            json!({"settings": {"showAlternatives": true}}),
            alternatives,
        ),
        (
            "a number of alternatives alone",
            json!({"settings": {"maxAlternatives": 2}}),
            alternatives,
        ),
    ]
}

pub fn medical() -> Vec<Case> {
    vec![
        (
            "another language",
            json!({"languageCode": "en-GB"}),
            Some(("spec.languageCode", "set languageCode to en-US")),
        ),
        ("a conversation", json!({"type": "CONVERSATION"}), None),
        ("no media", json!({"media": {"mediaFileUri": null}}), MEDIA),
        (
            "redacted media",
            json!({"media": {"redactedMediaFileUri": "s3://media/b.wav"}}),
            MEDIA,
        ),
        (
            "an output key whose bucket comes from the class",
            json!({"outputKey": "a/"}),
            None,
        ),
    ]
}

pub fn analytics() -> Vec<Case> {
    let media = Some(("spec.media", "exactly one of mediaFileUri and redactedMediaFileUri"));
    let definitions = |first: Value, second: Value| json!({"channelDefinitions": [first, second]});
    let agent = json!({"channelId": 0, "participantRole": "AGENT"});
    let customer = json!({"channelId": 1, "participantRole": "CUSTOMER"});
    vec![
        ("no media", json!({"media": {"mediaFileUri": null}}), media),
        (
            "two files",
            json!({"media": {"redactedMediaFileUri": "s3://media/b.wav"}}),
            media,
        ),
        (
            "redacted media",
            json!({"media": {"mediaFileUri": null, "redactedMediaFileUri": "s3://media/b.wav"}}),
            None,
        ),
        ("both channels", definitions(agent.clone(), customer.clone()), None),
        (
            "both channels, the other way round",
            definitions(customer, agent.clone()),
            None,
        ),
        (
            "one channel twice",
            definitions(agent.clone(), json!({"channelId": 0, "participantRole": "CUSTOMER"})),
            CHANNELS,
        ),
        (
            "a channel without an id",
            definitions(agent.clone(), json!({"participantRole": "CUSTOMER"})),
            CHANNELS,
        ),
        (
            "one role twice",
            definitions(agent.clone(), json!({"channelId": 1, "participantRole": "AGENT"})),
            ROLES,
        ),
        (
            "a role that is not said",
            definitions(agent, json!({"channelId": 1})),
            None,
        ),
        (
            "no role is said",
            definitions(json!({"channelId": 0}), json!({"channelId": 1})),
            None,
        ),
        (
            "a filter without a method",
            json!({"settings": {"vocabularyFilterName": "f"}}),
            FILTER,
        ),
        (
            "a single language",
            json!({"settings": {"languageOptions": ["en-US"]}}),
            Some(("spec.settings.languageOptions", "at least two")),
        ),
        (
            "languages, redaction and a summary",
            json!({"settings": {
                "languageOptions": ["en-US", "en-GB"],
                "languageIdSettings": {"en-US": {"languageModelName": "m"}},
                "contentRedaction": {"redactionType": "PII", "redactionOutput": "redacted_and_unredacted"},
                "summarization": {"generateAbstractiveSummary": false},
            }}),
            None,
        ),
        (
            "a folder without its slash",
            json!({"outputLocation": "s3://bucket/folder"}),
            Some(("spec.outputLocation", "must end in a slash when it is a folder")),
        ),
        ("a bucket", json!({"outputLocation": "s3://bucket"}), None),
        ("a folder", json!({"outputLocation": "s3://bucket/folder/"}), None),
        ("a file", json!({"outputLocation": "s3://bucket/folder/a.json"}), None),
    ]
}

pub fn scribe() -> Vec<Case> {
    let one_of = Some((
        "spec.settings",
        "exactly one of showSpeakerLabels: true and channelIdentification: true",
    ));
    let needs = Some(("spec.channelDefinitions", "need each other"));
    let neither = json!({"showSpeakerLabels": null, "maxSpeakerLabels": null});
    let channels =
        |more: Value| json!({"showSpeakerLabels": null, "maxSpeakerLabels": null, "channelIdentification": more});
    let clinician = json!({"channelId": 0, "participantRole": "CLINICIAN"});
    let patient = json!({"channelId": 1, "participantRole": "PATIENT"});
    let with = |settings: Value, first: &Value, second: &Value| json!({"settings": settings, "channelDefinitions": [first, second]});
    vec![
        ("neither speakers nor channels", json!({"settings": neither}), one_of),
        (
            "speakers and channels",
            with(json!({"channelIdentification": true}), &clinician, &patient),
            one_of,
        ),
        (
            "speakers, and channels that are off",
            json!({"settings": {"channelIdentification": false}}),
            None,
        ),
        (
            "speakers without a number",
            json!({"settings": {"maxSpeakerLabels": null}}),
            SPEAKERS,
        ),
        ("channels", with(channels(json!(true)), &clinician, &patient), None),
        (
            "channels that nobody speaks on",
            json!({"settings": channels(json!(true))}),
            needs,
        ),
        (
            "definitions with speakers",
            with(json!({}), &clinician, &patient),
            needs,
        ),
        (
            "one channel twice",
            with(
                channels(json!(true)),
                &clinician,
                &json!({"channelId": 0, "participantRole": "PATIENT"}),
            ),
            CHANNELS,
        ),
        (
            "one role twice",
            with(
                channels(json!(true)),
                &clinician,
                &json!({"channelId": 1, "participantRole": "CLINICIAN"}),
            ),
            ROLES,
        ),
        (
            "a filter without a method",
            json!({"settings": {"vocabularyFilterName": "f"}}),
            FILTER,
        ),
        ("no media", json!({"media": {"mediaFileUri": null}}), MEDIA),
        (
            "a note and a patient",
            json!({
                "settings": {"clinicalNoteGenerationSettings": {"noteTemplate": "DAP"}},
                "medicalScribeContext": {"patientContext": {"pronouns": "HE_HIM"}},
            }),
            None,
        ),
        ("a bucket and a role that come from the class", json!({}), None),
    ]
}
