//! CallAnalyticsJob: the mapping to and from StartCallAnalyticsJob and its siblings.

use aws_sdk_transcribe::{
    error::BuildError,
    operation::start_call_analytics_job::builders::StartCallAnalyticsJobFluentBuilder,
    types::{self as aws, CallAnalyticsJob, CallAnalyticsJobSummary, CallAnalyticsSkippedFeature, Media},
};

use crate::{api::{call_analytics_job::{CallAnalyticsJobSettings, CallAnalyticsJobSpec, ChannelDefinition, Summarization}, status::{OutputStatus, PinnedRequest, SkippedFeature}, types::Int}, aws::{transcribe::{parts, printable}, uri}};

calls!(
    CallAnalyticsJobSpec,
    call_analytics_job by call_analytics_job_name,
    get_call_analytics_job,
    list_call_analytics_jobs of call_analytics_job_summaries,
    delete_call_analytics_job
);

/// The maximum number of skipped features in a status; AWS knows one today.
const MOST_SKIPPED: usize = 50;

/// Builds the request from the tenant's spec and from what the intent pins. The operation has no encryption context.
fn request(
    client: &Client,
    spec: &CallAnalyticsJobSpec,
    intent: &Submission,
) -> Result<StartCallAnalyticsJobFluentBuilder, BuildError> {
    let pinned = &intent.request;
    let channels = spec.channel_definitions.as_ref();
    Ok(client
        .start_call_analytics_job()
        .call_analytics_job_name(&intent.job_name)
        .media(parts::media(&spec.shared.media))
        .set_output_location(location(pinned))
        .set_output_encryption_kms_key_id(pinned.kms_key_arn.clone())
        .set_data_access_role_arn(pinned.data_access_role_arn.clone())
        .set_settings(spec.settings.as_ref().map(settings).transpose()?)
        .set_tags(parts::tags(pinned)?)
        .set_channel_definitions(channels.map(|list| list.iter().map(channel).collect())))
}

fn location(pinned: &PinnedRequest) -> Option<String> {
    let key = pinned.output_key.as_deref().unwrap_or_default();
    let bucket = pinned.output_bucket_name.as_ref()?;
    Some(format!("s3://{bucket}/{key}"))
}

fn settings(settings: &CallAnalyticsJobSettings) -> Result<aws::CallAnalyticsJobSettings, BuildError> {
    Ok(aws::CallAnalyticsJobSettings::builder()
        .set_vocabulary_name(parts::name(settings.vocabulary_name.as_ref()))
        .set_vocabulary_filter_name(parts::name(settings.vocabulary_filter_name.as_ref()))
        .set_vocabulary_filter_method(parts::filter_method(settings.vocabulary_filter_method))
        .set_language_model_name(parts::name(settings.language_model_name.as_ref()))
        .set_content_redaction(settings.content_redaction.as_ref().map(parts::redaction).transpose()?)
        .set_language_options(settings.language_options.as_ref().map(parts::languages))
        .set_language_id_settings(settings.language_id_settings.as_ref().map(parts::by_language))
        .set_summarization(settings.summarization.as_ref().map(summarization).transpose()?)
        .build())
}

fn summarization(settings: &Summarization) -> Result<aws::Summarization, BuildError> {
    aws::Summarization::builder()
        .generate_abstractive_summary(settings.generate_abstractive_summary)
        .build()
}

fn channel(channel: &ChannelDefinition) -> aws::ChannelDefinition {
    aws::ChannelDefinition::builder()
        .set_channel_id(channel.channel_id.map(Int::get))
        .set_participant_role(channel.participant_role.map(|role| role.as_str().into()))
        .build()
}

fn job_facts(job: CallAnalyticsJob) -> RemoteJob {
    let skipped = job.call_analytics_job_details.and_then(|details| details.skipped);
    RemoteJob {
        tags: parts::own_tags(job.tags),
        output: OutputStatus {
            redacted_media_uri: job.media.as_ref().and_then(redacted_media),
            ..parts::transcripts(job.transcript.as_ref())
        },
        skipped: skipped.iter().flatten().take(MOST_SKIPPED).map(self::skipped).collect(),
        ..common_facts!(job.call_analytics_job_status)
    }
}

/// The media with redacted audio, if it is a result. A request has one media file and its record repeats it, so if a
/// record has two, the redacted one is a result.
fn redacted_media(media: &Media) -> Option<String> {
    let redacted = media
        .media_file_uri
        .as_ref()
        .and(media.redacted_media_file_uri.as_ref());
    redacted.and_then(|uri| uri::s3(uri))
}

fn skipped(feature: &CallAnalyticsSkippedFeature) -> SkippedFeature {
    SkippedFeature {
        feature: feature.feature.as_ref().map(|feature| printable(feature.as_str())),
        reason_code: feature.reason_code.as_ref().map(|code| printable(code.as_str())),
        message: feature.message.as_deref().map(printable),
    }
}

fn summary_facts(job: CallAnalyticsJobSummary) -> Option<RemoteJob> {
    job.call_analytics_job_status.as_ref()?;
    Some(common_facts!(job.call_analytics_job_status))
}
