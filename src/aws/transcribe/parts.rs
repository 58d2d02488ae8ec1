//! The parts of requests and records that several kinds share.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_transcribe::{
    error::BuildError,
    types::{self as aws, Tag, Transcript},
};

use crate::{
    api::{
        common::{ContentRedaction, LanguageIdSettings, LanguageIdSettingsMap, LanguageOptions, Media},
        status::{OutputStatus, PinnedRequest},
        types::{ResourceName, VocabularyFilterMethod},
    },
    aws::uri,
};

pub(super) fn media(media: &Media) -> aws::Media {
    aws::Media::builder()
        .set_media_file_uri(media.media_file_uri.as_ref().map(ToString::to_string))
        .set_redacted_media_file_uri(media.redacted_media_file_uri.as_ref().map(ToString::to_string))
        .build()
}

/// `None` for an empty context, because AWS does not accept an empty one.
pub(super) fn context(pinned: &PinnedRequest) -> Option<HashMap<String, String>> {
    (!pinned.context.is_empty()).then(|| pinned.context.clone().into_iter().collect())
}

/// `None` for an empty list of tags, because AWS does not accept an empty one.
pub(super) fn tags(pinned: &PinnedRequest) -> Result<Option<Vec<Tag>>, BuildError> {
    let tags = pinned.tags.iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    Ok((!tags.is_empty()).then_some(tags))
}

pub(super) fn name(name: Option<&ResourceName>) -> Option<String> {
    name.map(ToString::to_string)
}

pub(super) fn filter_method(method: Option<VocabularyFilterMethod>) -> Option<aws::VocabularyFilterMethod> {
    method.map(|method| method.as_str().into())
}

pub(super) fn redaction(redaction: &ContentRedaction) -> Result<aws::ContentRedaction, BuildError> {
    let types = redaction.pii_entity_types.as_ref();
    aws::ContentRedaction::builder()
        .redaction_type(redaction.redaction_type.as_str().into())
        .redaction_output(redaction.redaction_output.as_str().into())
        .set_pii_entity_types(types.map(|list| list.iter().map(|t| t.as_str().into()).collect()))
        .build()
}

pub(super) fn languages(options: &LanguageOptions) -> Vec<aws::LanguageCode> {
    options.iter().map(|code| code.as_str().into()).collect()
}

pub(super) fn by_language(settings: &LanguageIdSettingsMap) -> HashMap<aws::LanguageCode, aws::LanguageIdSettings> {
    let entries = settings.iter();
    entries
        .map(|(code, settings)| (code.as_str().into(), language_id(settings)))
        .collect()
}

fn language_id(settings: &LanguageIdSettings) -> aws::LanguageIdSettings {
    aws::LanguageIdSettings::builder()
        .set_vocabulary_name(name(settings.vocabulary_name.as_ref()))
        .set_vocabulary_filter_name(name(settings.vocabulary_filter_name.as_ref()))
        .set_language_model_name(name(settings.language_model_name.as_ref()))
        .build()
}

pub(super) fn own_tags(tags: Option<Vec<Tag>>) -> Option<BTreeMap<String, String>> {
    tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Where the transcript is, and its redacted version.
pub(super) fn transcripts(transcript: Option<&Transcript>) -> OutputStatus {
    let location = |uri: Option<&String>| uri.and_then(|uri| uri::s3(uri));
    OutputStatus {
        transcript_uri: location(transcript.and_then(|t| t.transcript_file_uri.as_ref())),
        redacted_transcript_uri: location(transcript.and_then(|t| t.redacted_transcript_file_uri.as_ref())),
        ..OutputStatus::default()
    }
}
