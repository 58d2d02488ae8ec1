//! What AWS refuses although the model admits it: rules between members, as the API reference states them. Here is what
//! the kinds share; what one has for itself is with it in [`super::kinds`].
//!
//! Texts that are documented or recorded stand word for word; for the others only the code is known.

use serde_json::Value;

use super::error::AwsError;
use super::kinds::Kind;

/// A resource has at most this many tags.
pub(super) const MAX_TAGS: usize = 50;

/// A rule: when it is broken, and what AWS says then.
pub(super) type Rule = (fn(&Asked<'_>) -> bool, &'static str);

/// What a Start asks for, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'b> {
    pub(super) body: &'b Value,
    pub(super) region: &'b str,
}

pub(super) const MEDIA: Rule = (
    |asked| !asked.has("/Media/MediaFileUri"),
    "The media file URI is missing. Add the location of your media file and try your request again.",
);
pub(super) const MEDIA_OF_EITHER_SORT: Rule = (
    |asked| !asked.has("/Media/MediaFileUri") && !asked.has("/Media/RedactedMediaFileUri"),
    MEDIA.1,
);
pub(super) const NO_REDACTED_MEDIA: Rule = (
    |asked| asked.has("/Media/RedactedMediaFileUri"),
    "RedactedMediaFileUri is only supported for Call Analytics jobs.",
);
pub(super) const CONTEXT_NEEDS_KEY: Rule = (
    |asked| asked.has("/KMSEncryptionContext") && !asked.has("/OutputEncryptionKMSKeyId"),
    "You must specify a value for outputEncryptionKMSKeyId when you specify an encryption context.",
);
pub(super) const SPEAKERS: Rule = (
    |asked| asked.flag("/Settings/ShowSpeakerLabels") != asked.has("/Settings/MaxSpeakerLabels"),
    "ShowSpeakerLabels and MaxSpeakerLabels must be used together.",
);
pub(super) const ALTERNATIVES: Rule = (
    |asked| asked.flag("/Settings/ShowAlternatives") != asked.has("/Settings/MaxAlternatives"),
    "ShowAlternatives and MaxAlternatives must be used together.",
);
pub(super) const FILTER: Rule = (
    |asked| asked.has("/Settings/VocabularyFilterName") && !asked.has("/Settings/VocabularyFilterMethod"),
    "VocabularyFilterName needs a VocabularyFilterMethod.",
);
pub(super) const VOCABULARY: Rule = (
    |asked| asked.text("/Settings/VocabularyName").contains("missing"),
    "The requested vocabulary couldn't be found. Check the vocabulary name and try your request again.",
);
pub(super) const CHANNEL_IDS: Rule = (
    |asked| {
        let mut ids: Vec<_> = asked
            .members("/ChannelDefinitions")
            .map(|channel| channel["ChannelId"].as_i64())
            .collect();
        ids.sort_unstable();
        !ids.is_empty() && ids != [Some(0), Some(1)]
    },
    "ChannelDefinitions must define channel 0 and channel 1.",
);
/// A channel without a role is one of both participants.
pub(super) const CHANNEL_ROLES: Rule = (
    |asked| {
        let mut roles = asked
            .members("/ChannelDefinitions")
            .filter_map(|channel| channel["ParticipantRole"].as_str());
        roles.next().is_some_and(|first| roles.any(|role| role == first))
    },
    "Each channel in ChannelDefinitions must have a ParticipantRole of its own.",
);

/// Check a Start.
pub(super) fn check(kind: &Kind, asked: &Asked<'_>) -> Result<(), AwsError> {
    match broken(kind.rules, asked) {
        Some(text) => Err(AwsError::bad_request(text)),
        None => tags(asked.body),
    }
}

/// The text of the first rule that is broken.
pub(super) fn broken(rules: &[Rule], asked: &Asked<'_>) -> Option<&'static str> {
    rules.iter().find(|(broken, _)| broken(asked)).map(|(_, text)| *text)
}

/// Tags of any request: at most 50, each key once, none of AWS's own.
pub(super) fn tags(body: &Value) -> Result<(), AwsError> {
    let asked = Asked { body, region: "" };
    let key = |tag: &'_ Value| tag["Key"].as_str().unwrap_or_default().to_owned();
    let mut keys: Vec<_> = asked.members("/Tags").map(key).collect();
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

impl<'b> Asked<'b> {
    /// Whether there is such a member; a null one is absent.
    pub(super) fn has(&self, pointer: &str) -> bool {
        self.body.pointer(pointer).is_some_and(|value| !value.is_null())
    }

    /// Whether the member is true.
    pub(super) fn flag(&self, pointer: &str) -> bool {
        self.body.pointer(pointer) == Some(&Value::Bool(true))
    }

    /// The member's text, empty if there is none.
    pub(super) fn text(&self, pointer: &str) -> &'b str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The member's number.
    pub(super) fn number(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer)?.as_i64()
    }

    /// How many items or values the member has.
    pub(super) fn length(&self, pointer: &str) -> usize {
        self.members(pointer).count()
    }

    /// The items of a list or the values of a map.
    pub(super) fn members(&self, pointer: &str) -> Box<dyn Iterator<Item = &'b Value> + 'b> {
        match self.body.pointer(pointer) {
            Some(Value::Array(items)) => Box::new(items.iter()),
            Some(Value::Object(items)) => Box::new(items.values()),
            _ => Box::new(std::iter::empty()),
        }
    }
}
