//! MedicalTranscriptionJob: the mapping to and from StartMedicalTranscriptionJob and its siblings.

use aws_sdk_transcribe::{
    error::BuildError,
    operation::start_medical_transcription_job::builders::StartMedicalTranscriptionJobFluentBuilder,
    types::{self as aws, MedicalTranscriptionJob, MedicalTranscriptionJobSummary},
};

use crate::{api::{medical_transcription_job::{MedicalTranscriptionJobSpec, MedicalTranscriptionSettings}, status::OutputStatus, types::Int}, aws::{transcribe::parts, uri}};

calls!(
    MedicalTranscriptionJobSpec,
    medical_transcription_job by medical_transcription_job_name,
    get_medical_transcription_job,
    list_medical_transcription_jobs of medical_transcription_job_summaries,
    delete_medical_transcription_job
);

/// Builds the request from the tenant's spec and from what the intent pins.
fn request(
    client: &Client,
    spec: &MedicalTranscriptionJobSpec,
    intent: &Submission,
) -> Result<StartMedicalTranscriptionJobFluentBuilder, BuildError> {
    let pinned = &intent.request;
    Ok(client
        .start_medical_transcription_job()
        .medical_transcription_job_name(&intent.job_name)
        .language_code(spec.language_code.as_str().into())
        .set_media_sample_rate_hertz(spec.media_sample_rate_hertz.map(Int::get))
        .set_media_format(spec.media_format.map(|format| format.as_str().into()))
        .media(parts::media(&spec.shared.media))
        .set_output_bucket_name(pinned.output_bucket_name.clone())
        .set_output_key(pinned.output_key.clone())
        .set_output_encryption_kms_key_id(pinned.kms_key_arn.clone())
        .set_kms_encryption_context(parts::context(pinned))
        .set_settings(spec.settings.as_ref().map(settings))
        .set_content_identification_type(spec.content_identification_type.map(|label| label.as_str().into()))
        .specialty(spec.specialty.as_str().into())
        .r#type(spec.medical_type.as_str().into())
        .set_tags(parts::tags(pinned)?))
}

fn settings(settings: &MedicalTranscriptionSettings) -> aws::MedicalTranscriptionSetting {
    aws::MedicalTranscriptionSetting::builder()
        .set_show_speaker_labels(settings.show_speaker_labels)
        .set_max_speaker_labels(settings.max_speaker_labels.map(Int::get))
        .set_channel_identification(settings.channel_identification)
        .set_show_alternatives(settings.show_alternatives)
        .set_max_alternatives(settings.max_alternatives.map(Int::get))
        .set_vocabulary_name(parts::name(settings.vocabulary_name.as_ref()))
        .build()
}

fn job_facts(job: MedicalTranscriptionJob) -> RemoteJob {
    let transcript = job.transcript.and_then(|transcript| transcript.transcript_file_uri);
    RemoteJob {
        tags: parts::own_tags(job.tags),
        output: OutputStatus {
            transcript_uri: transcript.as_deref().and_then(uri::s3),
            ..OutputStatus::default()
        },
        ..common_facts!(job.transcription_job_status)
    }
}

fn summary_facts(job: MedicalTranscriptionJobSummary) -> Option<RemoteJob> {
    job.transcription_job_status.as_ref()?;
    Some(common_facts!(job.transcription_job_status))
}
