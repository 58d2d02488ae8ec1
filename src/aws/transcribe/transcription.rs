//! TranscriptionJob: the mapping to and from StartTranscriptionJob and its siblings.

use std::collections::HashMap;

use aws_sdk_transcribe::{
    Client,
    config::Builder,
    operation::start_transcription_job::builders::StartTranscriptionJobFluentBuilder,
    types::{self as aws, LanguageCodeItem, Tag, Transcript, TranscriptionJob, TranscriptionJobSummary},
};

use super::{Page, time};
use crate::{
    api::{
        common::{ContentRedaction, LanguageIdSettings, Media},
        status::{IdentifiedLanguage, OutputStatus, Submission},
        transcription_job::{JobExecutionSettings, ModelSettings, Settings, Subtitles, TranscriptionJobSpec},
        types::Int,
    },
    aws::{
        classify::{fault, printable},
        uri,
    },
    lifecycle::{Facts, Fault, FaultKind, fault::UNREADABLE_REPLY},
};

pub(super) async fn start(
    client: &Client,
    spec: &TranscriptionJobSpec,
    intent: &Submission,
    once: Builder,
) -> Result<Facts, Fault> {
    let call = request(client, spec, intent).map_err(|error| Fault {
        kind: FaultKind::Invalid,
        code: "InvalidRequest".to_owned(),
        message: printable(&error.to_string()),
    })?;
    let reply = call
        .customize()
        .config_override(once)
        .send()
        .await
        .map_err(|e| fault(&e))?;
    Ok(reply.transcription_job.map_or_else(accepted, job_facts))
}

/// AWS accepted the job and said nothing about it.
fn accepted() -> Facts {
    Facts {
        job_status: "QUEUED".to_owned(),
        ..Facts::default()
    }
}

/// The request: the tenant's members, and what the intent pins.
fn request(
    client: &Client,
    spec: &TranscriptionJobSpec,
    intent: &Submission,
) -> Result<StartTranscriptionJobFluentBuilder, aws_sdk_transcribe::error::BuildError> {
    let pinned = &intent.request;
    let context: HashMap<_, _> = pinned.context.clone().into_iter().collect();
    let tags = pinned
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()?;
    let toxicity = spec
        .toxicity_detection
        .as_ref()
        .map(|list| list.iter().map(toxicity).collect::<Result<Vec<_>, _>>());
    Ok(client
        .start_transcription_job()
        .transcription_job_name(&intent.job_name)
        .set_language_code(spec.language_code.as_ref().map(|code| code.as_str().into()))
        .set_media_sample_rate_hertz(spec.media_sample_rate_hertz.map(Int::get))
        .set_media_format(spec.media_format.map(|format| format.as_str().into()))
        .media(media(&spec.media))
        .set_output_bucket_name(pinned.output_bucket_name.clone())
        .set_output_key(pinned.output_key.clone())
        .set_output_encryption_kms_key_id(pinned.kms_key_arn.clone())
        .set_kms_encryption_context((!context.is_empty()).then_some(context))
        .set_settings(spec.settings.as_ref().map(settings))
        .set_model_settings(spec.model_settings.as_ref().map(model_settings))
        .set_job_execution_settings(
            spec.job_execution_settings
                .as_ref()
                .map(|s| execution(s, pinned.data_access_role_arn.clone())),
        )
        .set_content_redaction(spec.content_redaction.as_ref().map(redaction).transpose()?)
        .set_identify_language(spec.identify_language)
        .set_identify_multiple_languages(spec.identify_multiple_languages)
        .set_language_options(
            spec.language_options
                .as_ref()
                .map(|l| l.iter().map(|c| c.as_str().into()).collect()),
        )
        .set_subtitles(spec.subtitles.as_ref().map(subtitles))
        .set_tags((!tags.is_empty()).then_some(tags))
        .set_language_id_settings(spec.language_id_settings.as_ref().map(|map| {
            map.iter()
                .map(|(code, settings)| (code.as_str().into(), language_id(settings)))
                .collect()
        }))
        .set_toxicity_detection(toxicity.transpose()?))
}

fn media(media: &Media) -> aws::Media {
    aws::Media::builder()
        .set_media_file_uri(media.media_file_uri.as_ref().map(ToString::to_string))
        .set_redacted_media_file_uri(media.redacted_media_file_uri.as_ref().map(ToString::to_string))
        .build()
}

fn settings(settings: &Settings) -> aws::Settings {
    aws::Settings::builder()
        .set_vocabulary_name(settings.vocabulary_name.as_ref().map(ToString::to_string))
        .set_show_speaker_labels(settings.show_speaker_labels)
        .set_max_speaker_labels(settings.max_speaker_labels.map(Int::get))
        .set_channel_identification(settings.channel_identification)
        .set_show_alternatives(settings.show_alternatives)
        .set_max_alternatives(settings.max_alternatives.map(Int::get))
        .set_vocabulary_filter_name(settings.vocabulary_filter_name.as_ref().map(ToString::to_string))
        .set_vocabulary_filter_method(settings.vocabulary_filter_method.map(|method| method.as_str().into()))
        .build()
}

fn model_settings(settings: &ModelSettings) -> aws::ModelSettings {
    aws::ModelSettings::builder()
        .set_language_model_name(settings.language_model_name.as_ref().map(ToString::to_string))
        .build()
}

fn execution(settings: &JobExecutionSettings, role: Option<String>) -> aws::JobExecutionSettings {
    aws::JobExecutionSettings::builder()
        .set_allow_deferred_execution(settings.allow_deferred_execution)
        .set_data_access_role_arn(role)
        .build()
}

fn redaction(redaction: &ContentRedaction) -> Result<aws::ContentRedaction, aws_sdk_transcribe::error::BuildError> {
    let types = redaction.pii_entity_types.as_ref();
    aws::ContentRedaction::builder()
        .redaction_type(redaction.redaction_type.as_str().into())
        .redaction_output(redaction.redaction_output.as_str().into())
        .set_pii_entity_types(types.map(|list| list.iter().map(|t| t.as_str().into()).collect()))
        .build()
}

fn subtitles(subtitles: &Subtitles) -> aws::Subtitles {
    let formats = subtitles.formats.as_ref();
    aws::Subtitles::builder()
        .set_formats(formats.map(|list| list.iter().map(|format| format.as_str().into()).collect()))
        .set_output_start_index(subtitles.output_start_index.map(Int::get))
        .build()
}

fn language_id(settings: &LanguageIdSettings) -> aws::LanguageIdSettings {
    aws::LanguageIdSettings::builder()
        .set_vocabulary_name(settings.vocabulary_name.as_ref().map(ToString::to_string))
        .set_vocabulary_filter_name(settings.vocabulary_filter_name.as_ref().map(ToString::to_string))
        .set_language_model_name(settings.language_model_name.as_ref().map(ToString::to_string))
        .build()
}

fn toxicity(
    settings: &crate::api::transcription_job::ToxicityDetectionSettings,
) -> Result<aws::ToxicityDetectionSettings, aws_sdk_transcribe::error::BuildError> {
    aws::ToxicityDetectionSettings::builder()
        .set_toxicity_categories(Some(
            settings.toxicity_categories.iter().map(|c| c.as_str().into()).collect(),
        ))
        .build()
}

pub(super) async fn get(client: &Client, job_name: &str) -> Result<Facts, Fault> {
    let reply = client
        .get_transcription_job()
        .transcription_job_name(job_name)
        .send()
        .await
        .map_err(|e| fault(&e))?;
    reply.transcription_job.map(job_facts).ok_or_else(|| Fault {
        kind: FaultKind::Ambiguous,
        code: UNREADABLE_REPLY.to_owned(),
        message: "AWS's reply has no job".to_owned(),
    })
}

fn job_facts(job: TranscriptionJob) -> Facts {
    let tags = job
        .tags
        .map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect());
    let subtitles = job.subtitles.and_then(|s| s.subtitle_file_uris).unwrap_or_default();
    let transcript = job.transcript.unwrap_or_else(|| Transcript::builder().build());
    Facts {
        job_status: job
            .transcription_job_status
            .map_or_else(|| "QUEUED".to_owned(), |s| s.as_str().to_owned()),
        creation_time: time(job.creation_time),
        start_time: time(job.start_time),
        completion_time: time(job.completion_time),
        tags,
        failure_reason: job.failure_reason.as_deref().map(printable),
        language_code: job.language_code.map(|code| code.as_str().to_owned()),
        identified_languages: job
            .language_codes
            .unwrap_or_default()
            .iter()
            .filter_map(identified)
            .collect(),
        output: OutputStatus {
            transcript_uri: transcript.transcript_file_uri.as_deref().and_then(uri::s3),
            redacted_transcript_uri: transcript.redacted_transcript_file_uri.as_deref().and_then(uri::s3),
            subtitle_uris: subtitles.iter().filter_map(|uri| uri::s3(uri)).collect(),
            clinical_document_uri: None,
        },
    }
}

fn identified(item: &LanguageCodeItem) -> Option<IdentifiedLanguage> {
    let language_code = item.language_code.as_ref()?.as_str().to_owned();
    Some(IdentifiedLanguage {
        language_code,
        duration_in_seconds: item.duration_in_seconds.map(|s| s.to_string()),
    })
}

pub(super) async fn list(client: &Client, status: &str, part: &str, from: Option<String>) -> Result<Page, Fault> {
    let call = client
        .list_transcription_jobs()
        .status(status.into())
        .job_name_contains(part)
        .max_results(100);
    let reply = call.set_next_token(from).send().await.map_err(|e| fault(&e))?;
    let jobs = reply
        .transcription_job_summaries
        .unwrap_or_default()
        .into_iter()
        .filter_map(summary_facts)
        .collect();
    Ok(Page {
        jobs,
        next: reply.next_token,
    })
}

fn summary_facts(summary: TranscriptionJobSummary) -> Option<(String, Facts)> {
    let facts = Facts {
        job_status: summary.transcription_job_status?.as_str().to_owned(),
        creation_time: time(summary.creation_time),
        start_time: time(summary.start_time),
        completion_time: time(summary.completion_time),
        failure_reason: summary.failure_reason.as_deref().map(printable),
        language_code: summary.language_code.map(|code| code.as_str().to_owned()),
        ..Facts::default()
    };
    Some((summary.transcription_job_name?, facts))
}
