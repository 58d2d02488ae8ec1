//! `MedicalTranscriptionJob`: one call of StartMedicalTranscriptionJob.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::api::{
    common::{SharedMembers, named},
    job_spec::{JobSpec, WantedOutput},
    rules,
    status::JobStatus,
    types::{
        BucketName, Int, LanguageCode, MediaFormat, MedicalContentIdentificationType, MedicalType, OutputKey,
        ResourceName, Specialty,
    },
};

/// Which medical speech to transcribe and how: the members of StartMedicalTranscriptionJob under their AWS names in
/// lowerCamelCase, and how the operator runs the job. The request is immutable once the job is submitted.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[kube(
    group = "transcribe-operator.io",
    version = "v1alpha1",
    kind = "MedicalTranscriptionJob",
    namespaced,
    status = "JobStatus",
    derive = "PartialEq",
    doc = "One batch job of Amazon Transcribe Medical: it is submitted once, and its outcome is reported in the status.",
    shortname = "mtj",
    category = "transcribe",
    validation = rules::frozen_once_submitted::<MedicalTranscriptionJobSpec>()
)]
#[x_kube(
    validation = Rule::new("self.languageCode == 'en-US'").message(
        "medical transcription knows en-US only: set languageCode to en-US, or use a TranscriptionJob"
    ).field_path(".languageCode"),
    validation = rules::plain_media()
)]
#[serde(rename_all = "camelCase")]
pub struct MedicalTranscriptionJobSpec {
    /// The language of the media: en-US is the only one.
    pub language_code: LanguageCode,
    /// The sample rate of the media in hertz, at least 16000. Best omitted, because Amazon Transcribe detects it and
    /// a wrong one fails the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_sample_rate_hertz: Option<Int<16000, 48000>>,
    /// The format of the media. Best omitted, because Amazon Transcribe detects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_format: Option<MediaFormat>,
    /// The bucket for the output, which AWS requires; the class must allow it. The bucket of the class when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bucket_name: Option<BucketName>,
    /// Where in the output bucket the transcript goes: the key of the object if it ends in .json, otherwise a key
    /// prefix. It is placed below the key prefix of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_key: Option<OutputKey>,
    /// Speakers, channels, alternatives, vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<MedicalTranscriptionSettings>,
    /// What to label in the transcript: PHI, personal health information, is the only value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_identification_type: Option<MedicalContentIdentificationType>,
    /// The medical specialty of the media: PRIMARYCARE is the only one for batch jobs.
    pub specialty: Specialty,
    /// Whether one person speaks (DICTATION) or several do (CONVERSATION).
    #[serde(rename = "type")]
    pub medical_type: MedicalType,
    /// The members that every job has.
    #[serde(flatten)]
    pub shared: SharedMembers,
}

/// Speakers, channels, alternatives, vocabulary.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[x_kube(
    validation = rules::speakers(),
    validation = rules::alternatives()
)]
#[serde(rename_all = "camelCase")]
pub struct MedicalTranscriptionSettings {
    /// Whether to tell the speakers apart. It needs maxSpeakerLabels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_speaker_labels: Option<bool>,
    /// The maximum number of speakers to tell apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_speaker_labels: Option<Int<2, 30>>,
    /// Whether to transcribe each of two channels separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_identification: Option<bool>,
    /// Whether to include alternative transcriptions. It needs maxAlternatives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_alternatives: Option<bool>,
    /// The maximum number of alternatives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_alternatives: Option<Int<2, 10>>,
    /// The custom medical vocabulary to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_name: Option<ResourceName>,
}

impl JobSpec for MedicalTranscriptionJobSpec {
    fn output(&self) -> WantedOutput<'_> {
        let bucket = self.output_bucket_name.as_ref().map(BucketName::as_str);
        WantedOutput::in_bucket(bucket).at_key(self.output_key.as_ref().map(OutputKey::as_str))
    }

    fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        let settings = self.settings.as_ref();
        let vocabulary = settings.and_then(|s| s.vocabulary_name.as_ref());
        named([("spec.settings.vocabularyName", vocabulary)]).collect()
    }
}
