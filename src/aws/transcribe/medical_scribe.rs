//! MedicalScribeJob: the mapping to and from StartMedicalScribeJob and its siblings.

use aws_sdk_transcribe::{
    error::BuildError,
    operation::start_medical_scribe_job::builders::StartMedicalScribeJobFluentBuilder,
    types::{self as aws, MedicalScribeJob, MedicalScribeJobSummary},
};

use crate::{api::{medical_scribe_job::{ClinicalNoteGenerationSettings, MedicalScribeChannelDefinition, MedicalScribeContext, MedicalScribeJobSpec, MedicalScribePatientContext, MedicalScribeSettings}, status::OutputStatus, types::Int}, aws::{transcribe::parts, uri}};

calls!(
    MedicalScribeJobSpec,
    medical_scribe_job by medical_scribe_job_name,
    get_medical_scribe_job,
    list_medical_scribe_jobs of medical_scribe_job_summaries,
    delete_medical_scribe_job
);

/// Builds the request from the tenant's spec and from what the intent pins. The operation has no output key.
fn request(
    client: &Client,
    spec: &MedicalScribeJobSpec,
    intent: &Submission,
) -> Result<StartMedicalScribeJobFluentBuilder, BuildError> {
    let pinned = &intent.request;
    let channels = spec.channel_definitions.as_ref();
    let channels = channels.map(|list| list.iter().map(channel).collect::<Result<_, _>>());
    Ok(client
        .start_medical_scribe_job()
        .medical_scribe_job_name(&intent.job_name)
        .media(parts::media(&spec.shared.media))
        .set_output_bucket_name(pinned.output_bucket_name.clone())
        .set_output_encryption_kms_key_id(pinned.kms_key_arn.clone())
        .set_kms_encryption_context(parts::context(pinned))
        .set_data_access_role_arn(pinned.data_access_role_arn.clone())
        .settings(settings(&spec.settings))
        .set_channel_definitions(channels.transpose()?)
        .set_tags(parts::tags(pinned)?)
        .set_medical_scribe_context(spec.medical_scribe_context.as_ref().map(context)))
}

fn settings(settings: &MedicalScribeSettings) -> aws::MedicalScribeSettings {
    aws::MedicalScribeSettings::builder()
        .set_show_speaker_labels(settings.show_speaker_labels)
        .set_max_speaker_labels(settings.max_speaker_labels.map(Int::get))
        .set_channel_identification(settings.channel_identification)
        .set_vocabulary_name(parts::name(settings.vocabulary_name.as_ref()))
        .set_vocabulary_filter_name(parts::name(settings.vocabulary_filter_name.as_ref()))
        .set_vocabulary_filter_method(parts::filter_method(settings.vocabulary_filter_method))
        .set_clinical_note_generation_settings(settings.clinical_note_generation_settings.as_ref().map(note))
        .build()
}

fn note(settings: &ClinicalNoteGenerationSettings) -> aws::ClinicalNoteGenerationSettings {
    aws::ClinicalNoteGenerationSettings::builder()
        .set_note_template(settings.note_template.map(|template| template.as_str().into()))
        .build()
}

fn channel(channel: &MedicalScribeChannelDefinition) -> Result<aws::MedicalScribeChannelDefinition, BuildError> {
    aws::MedicalScribeChannelDefinition::builder()
        .channel_id(channel.channel_id.get())
        .participant_role(channel.participant_role.as_str().into())
        .build()
}

fn context(context: &MedicalScribeContext) -> aws::MedicalScribeContext {
    aws::MedicalScribeContext::builder()
        .set_patient_context(context.patient_context.as_ref().map(patient))
        .build()
}

fn patient(patient: &MedicalScribePatientContext) -> aws::MedicalScribePatientContext {
    aws::MedicalScribePatientContext::builder()
        .set_pronouns(patient.pronouns.map(|pronouns| pronouns.as_str().into()))
        .build()
}

fn job_facts(job: MedicalScribeJob) -> RemoteJob {
    let results = job.medical_scribe_output.as_ref();
    RemoteJob {
        tags: parts::own_tags(job.tags),
        output: OutputStatus {
            transcript_uri: results.and_then(|output| uri::s3(&output.transcript_file_uri)),
            clinical_document_uri: results.and_then(|output| uri::s3(&output.clinical_document_uri)),
            ..OutputStatus::default()
        },
        ..common_facts!(job.medical_scribe_job_status)
    }
}

fn summary_facts(job: MedicalScribeJobSummary) -> Option<RemoteJob> {
    job.medical_scribe_job_status.as_ref()?;
    Some(common_facts!(job.medical_scribe_job_status))
}
