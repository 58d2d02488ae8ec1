//! TranscriptionJob: the mapping to and from StartTranscriptionJob and its siblings.

use aws_sdk_transcribe::{
    error::BuildError,
    operation::start_transcription_job::builders::StartTranscriptionJobFluentBuilder,
    types::{self as aws, LanguageCodeItem, TranscriptionJob, TranscriptionJobSummary},
};

use crate::{api::{status::{IdentifiedLanguage, OutputStatus}, transcription_job::{JobExecutionSettings, ModelSettings, Settings, Subtitles, ToxicityDetectionSettings, TranscriptionJobSpec}, types::Int}, aws::{transcribe::parts, uri}};

calls!(
    TranscriptionJobSpec,
    transcription_job by transcription_job_name,
    get_transcription_job,
    list_transcription_jobs of transcription_job_summaries,
    delete_transcription_job
);

/// Builds the request from the tenant's spec and from what the intent pins.
fn request(
    client: &Client,
    spec: &TranscriptionJobSpec,
    intent: &Submission,
) -> Result<StartTranscriptionJobFluentBuilder, BuildError> {
    let pinned = &intent.request;
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
        .media(parts::media(&spec.shared.media))
        .set_output_bucket_name(pinned.output_bucket_name.clone())
        .set_output_key(pinned.output_key.clone())
        .set_output_encryption_kms_key_id(pinned.kms_key_arn.clone())
        .set_kms_encryption_context(parts::context(pinned))
        .set_settings(spec.settings.as_ref().map(settings))
        .set_model_settings(spec.model_settings.as_ref().map(model_settings))
        .set_job_execution_settings(
            spec.job_execution_settings
                .as_ref()
                .map(|s| execution(s, pinned.data_access_role_arn.clone())),
        )
        .set_content_redaction(spec.content_redaction.as_ref().map(parts::redaction).transpose()?)
        .set_identify_language(spec.identify_language)
        .set_identify_multiple_languages(spec.identify_multiple_languages)
        .set_language_options(spec.language_options.as_ref().map(parts::languages))
        .set_subtitles(spec.subtitles.as_ref().map(subtitles))
        .set_tags(parts::tags(pinned)?)
        .set_language_id_settings(spec.language_id_settings.as_ref().map(parts::by_language))
        .set_toxicity_detection(toxicity.transpose()?))
}

fn settings(settings: &Settings) -> aws::Settings {
    aws::Settings::builder()
        .set_vocabulary_name(parts::name(settings.vocabulary_name.as_ref()))
        .set_show_speaker_labels(settings.show_speaker_labels)
        .set_max_speaker_labels(settings.max_speaker_labels.map(Int::get))
        .set_channel_identification(settings.channel_identification)
        .set_show_alternatives(settings.show_alternatives)
        .set_max_alternatives(settings.max_alternatives.map(Int::get))
        .set_vocabulary_filter_name(parts::name(settings.vocabulary_filter_name.as_ref()))
        .set_vocabulary_filter_method(parts::filter_method(settings.vocabulary_filter_method))
        .build()
}

fn model_settings(settings: &ModelSettings) -> aws::ModelSettings {
    aws::ModelSettings::builder()
        .set_language_model_name(parts::name(settings.language_model_name.as_ref()))
        .build()
}

fn execution(settings: &JobExecutionSettings, role: Option<String>) -> aws::JobExecutionSettings {
    aws::JobExecutionSettings::builder()
        .set_allow_deferred_execution(settings.allow_deferred_execution)
        .set_data_access_role_arn(role)
        .build()
}

fn subtitles(subtitles: &Subtitles) -> aws::Subtitles {
    let formats = subtitles.formats.as_ref();
    aws::Subtitles::builder()
        .set_formats(formats.map(|list| list.iter().map(|format| format.as_str().into()).collect()))
        .set_output_start_index(subtitles.output_start_index.map(Int::get))
        .build()
}

fn toxicity(settings: &ToxicityDetectionSettings) -> Result<aws::ToxicityDetectionSettings, BuildError> {
    aws::ToxicityDetectionSettings::builder()
        .set_toxicity_categories(Some(
            settings.toxicity_categories.iter().map(|c| c.as_str().into()).collect(),
        ))
        .build()
}

fn job_facts(job: TranscriptionJob) -> RemoteJob {
    let subtitles = job.subtitles.and_then(|s| s.subtitle_file_uris).unwrap_or_default();
    let identified = job.language_codes.unwrap_or_default();
    RemoteJob {
        tags: parts::own_tags(job.tags),
        identified_languages: identified.iter().filter_map(self::identified).collect(),
        output: OutputStatus {
            subtitle_uris: subtitles.iter().filter_map(|uri| uri::s3(uri)).collect(),
            ..parts::transcripts(job.transcript.as_ref())
        },
        ..common_facts!(job.transcription_job_status)
    }
}

fn identified(item: &LanguageCodeItem) -> Option<IdentifiedLanguage> {
    let language_code = item.language_code.as_ref()?.as_str().to_owned();
    Some(IdentifiedLanguage {
        language_code,
        duration_in_seconds: item.duration_in_seconds.map(|s| s.to_string()),
    })
}

fn summary_facts(job: TranscriptionJobSummary) -> Option<RemoteJob> {
    job.transcription_job_status.as_ref()?;
    Some(common_facts!(job.transcription_job_status))
}
