//! The four kinds through the AWS SDK, which has other types for each: what they have in common.

use aws_sdk_transcribe::Client;
use aws_sdk_transcribe::types::{
    LanguageCode, Media, MedicalScribeChannelDefinition, MedicalScribeParticipantRole, MedicalScribeSettings,
    Specialty, Tag, Type,
};

use super::kinds::{Kind, ROLE};
use super::told;

/// A job as the SDK shows it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) status: String,
    /// Which of creation, start and completion have a time.
    pub(super) times: [bool; 3],
    pub(super) tags: Vec<String>,
    pub(super) output: Vec<String>,
}

macro_rules! shown {
    ($reply:expr, $entity:ident, $status:ident, |$job:ident| $output:expr) => {{
        let $job = $reply.map_err(|error| told(&error))?.$entity.unwrap();
        let times = [
            $job.creation_time.is_some(),
            $job.start_time.is_some(),
            $job.completion_time.is_some(),
        ];
        let status = $job.$status.clone().unwrap().as_str().to_owned();
        let tags = $job
            .tags()
            .iter()
            .map(|tag| format!("{}={}", tag.key(), tag.value()))
            .collect();
        let output: Option<Vec<Option<String>>> = $output;
        let output = output.into_iter().flatten().flatten().collect();
        Shown {
            status,
            times,
            tags,
            output,
        }
    }};
}

macro_rules! reply {
    ($kind:expr, $transcription:expr, $medical:expr, $analytics:expr, $scribe:expr) => {
        Ok(match $kind.entity {
            "TranscriptionJob" => shown!(
                $transcription.await,
                transcription_job,
                transcription_job_status,
                |job| {
                    job.transcript
                        .map(|found| vec![found.transcript_file_uri, found.redacted_transcript_file_uri])
                }
            ),
            "MedicalTranscriptionJob" => shown!(
                $medical.await,
                medical_transcription_job,
                transcription_job_status,
                |job| { job.transcript.map(|found| vec![found.transcript_file_uri]) }
            ),
            "CallAnalyticsJob" => shown!($analytics.await, call_analytics_job, call_analytics_job_status, |job| {
                job.transcript
                    .map(|found| vec![found.transcript_file_uri, found.redacted_transcript_file_uri])
            }),
            "MedicalScribeJob" => shown!($scribe.await, medical_scribe_job, medical_scribe_job_status, |job| {
                job.medical_scribe_output
                    .map(|found| vec![Some(found.transcript_file_uri), Some(found.clinical_document_uri)])
            }),
            other => panic!("no such kind: {other}"),
        })
    };
}

/// A Start with a tag, whose output goes to the bucket `results`, and for a scribe job with two channels.
pub(super) async fn start(client: &Client, kind: &Kind, name: &str, uri: &str) -> Result<Shown, String> {
    let media = Media::builder().media_file_uri(uri).build();
    let tag = Tag::builder()
        .key("transcribe-operator.io/uid")
        .value("u-1")
        .build()
        .unwrap();
    let bucket = "results";
    let channel = |id, role| {
        let channel = MedicalScribeChannelDefinition::builder().channel_id(id);
        channel.participant_role(role).build().unwrap()
    };
    let settings = MedicalScribeSettings::builder().channel_identification(true).build();
    reply!(
        kind,
        client
            .start_transcription_job()
            .transcription_job_name(name)
            .language_code(LanguageCode::EnUs)
            .media(media)
            .tags(tag)
            .output_bucket_name(bucket)
            .output_key("finance/")
            .send(),
        client
            .start_medical_transcription_job()
            .medical_transcription_job_name(name)
            .language_code(LanguageCode::EnUs)
            .specialty(Specialty::Primarycare)
            .r#type(Type::Conversation)
            .media(media)
            .tags(tag)
            .output_bucket_name(bucket)
            .output_key("finance/")
            .send(),
        client
            .start_call_analytics_job()
            .call_analytics_job_name(name)
            .media(media)
            .tags(tag)
            .output_location(format!("s3://{bucket}/finance/"))
            .data_access_role_arn(ROLE)
            .send(),
        client
            .start_medical_scribe_job()
            .medical_scribe_job_name(name)
            .media(media)
            .tags(tag)
            .output_bucket_name(bucket)
            .data_access_role_arn(ROLE)
            .settings(settings)
            .channel_definitions(channel(0, MedicalScribeParticipantRole::Clinician))
            .channel_definitions(channel(1, MedicalScribeParticipantRole::Patient))
            .send()
    )
}

pub(super) async fn get(client: &Client, kind: &Kind, name: &str) -> Result<Shown, String> {
    reply!(
        kind,
        client.get_transcription_job().transcription_job_name(name).send(),
        client
            .get_medical_transcription_job()
            .medical_transcription_job_name(name)
            .send(),
        client.get_call_analytics_job().call_analytics_job_name(name).send(),
        client.get_medical_scribe_job().medical_scribe_job_name(name).send()
    )
}

macro_rules! deleted {
    ($call:expr) => {
        $call.await.map(drop).map_err(|error| told(&error))
    };
}

pub(super) async fn delete(client: &Client, kind: &Kind, name: &str) -> Result<(), String> {
    match kind.entity {
        "TranscriptionJob" => deleted!(client.delete_transcription_job().transcription_job_name(name).send()),
        "MedicalTranscriptionJob" => {
            deleted!(
                client
                    .delete_medical_transcription_job()
                    .medical_transcription_job_name(name)
                    .send()
            )
        }
        "CallAnalyticsJob" => deleted!(client.delete_call_analytics_job().call_analytics_job_name(name).send()),
        "MedicalScribeJob" => deleted!(client.delete_medical_scribe_job().medical_scribe_job_name(name).send()),
        other => panic!("no such kind: {other}"),
    }
}

macro_rules! pages {
    ($call:expr, $page:expr, $summaries:ident, $name:ident) => {{
        let call = $call.set_max_results($page);
        let (mut sizes, mut names, mut token) = (Vec::new(), Vec::new(), None);
        loop {
            let page = call.clone().set_next_token(token).send().await.unwrap();
            sizes.push(page.$summaries().len());
            names.extend(page.$summaries().iter().map(|job| job.$name.clone().unwrap()));
            token = page.next_token;
            if token.is_none() {
                return (sizes, names);
            }
        }
    }};
}

/// The sizes of the pages of a List, and all names.
pub(super) async fn list(client: &Client, kind: &Kind, page: Option<i32>) -> (Vec<usize>, Vec<String>) {
    match kind.entity {
        "TranscriptionJob" => {
            pages!(
                client.list_transcription_jobs(),
                page,
                transcription_job_summaries,
                transcription_job_name
            )
        }
        "MedicalTranscriptionJob" => pages!(
            client.list_medical_transcription_jobs(),
            page,
            medical_transcription_job_summaries,
            medical_transcription_job_name
        ),
        "CallAnalyticsJob" => {
            pages!(
                client.list_call_analytics_jobs(),
                page,
                call_analytics_job_summaries,
                call_analytics_job_name
            )
        }
        "MedicalScribeJob" => {
            pages!(
                client.list_medical_scribe_jobs(),
                page,
                medical_scribe_job_summaries,
                medical_scribe_job_name
            )
        }
        other => panic!("no such kind: {other}"),
    }
}
