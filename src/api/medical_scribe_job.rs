//! `MedicalScribeJob`: one call of StartMedicalScribeJob.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::api::{
    common::{SharedMembers, named},
    job_spec::{JobSpec, WantedOutput, WantedRole},
    rules,
    status::JobStatus,
    types::{
        BucketName, Int, List, MedicalScribeParticipantRole, NoteTemplate, Pronouns, ResourceName, RoleArn,
        VocabularyFilterMethod,
    },
};

/// Which medical conversation to make notes of and how: the members of StartMedicalScribeJob under their AWS names in
/// lowerCamelCase, and how the operator runs the job. The request is immutable once the job is submitted.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[kube(
    group = "transcribe-operator.io",
    version = "v1alpha1",
    kind = "MedicalScribeJob",
    namespaced,
    status = "JobStatus",
    derive = "PartialEq",
    doc = "One batch job of AWS HealthScribe: it is submitted once, and its outcome is reported in the status.",
    shortname = "msj",
    category = "transcribe",
    validation = rules::frozen_once_submitted::<MedicalScribeJobSpec>()
)]
#[x_kube(
    validation = rules::plain_media(),
    validation = Rule::new(
        "has(self.channelDefinitions) == (has(self.settings.channelIdentification) && self.settings.channelIdentification)"
    ).message(
        "channelDefinitions and settings.channelIdentification: true need each other: set both, or neither and tell the \
         speakers apart with settings.showSpeakerLabels"
    ).field_path(".channelDefinitions")
)]
#[serde(rename_all = "camelCase")]
pub struct MedicalScribeJobSpec {
    /// The bucket for the output, which AWS requires; the class must allow it. The bucket of the class when omitted.
    /// AWS offers no choice of the key, so only a class that lists this kind in unprefixedKinds accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bucket_name: Option<BucketName>,
    /// The IAM role that AWS HealthScribe assumes to read the media, write the output and use the key, which AWS
    /// requires; the class must allow it. The default role of the class when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access_role_arn: Option<RoleArn>,
    /// Speakers or channels, vocabulary, the clinical note.
    pub settings: MedicalScribeSettings,
    /// Who speaks on which of the two channels. Only with settings.channelIdentification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = rules::two_channels(),
        validation = rules::two_roles("CLINICIAN for one and PATIENT for the other")
    )]
    pub channel_definitions: Option<List<MedicalScribeChannelDefinition, 2, 2>>,
    /// What is known about the conversation in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medical_scribe_context: Option<MedicalScribeContext>,
    /// The members that every job has.
    #[serde(flatten)]
    pub shared: SharedMembers,
}

/// Speakers or channels, vocabulary, the clinical note.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[x_kube(
    validation = Rule::new(
        "(has(self.showSpeakerLabels) && self.showSpeakerLabels) != \
         (has(self.channelIdentification) && self.channelIdentification)"
    ).message(
        "exactly one of showSpeakerLabels: true and channelIdentification: true must be given; keep showSpeakerLabels \
         (with maxSpeakerLabels) for one channel, and channelIdentification (with channelDefinitions) for one \
         speaker on each of two"
    ),
    validation = rules::speakers(),
    validation = rules::filter_method()
)]
#[serde(rename_all = "camelCase")]
pub struct MedicalScribeSettings {
    /// Whether to tell the speakers apart. It needs maxSpeakerLabels, and excludes channelIdentification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_speaker_labels: Option<bool>,
    /// The maximum number of speakers to tell apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_speaker_labels: Option<Int<2, 30>>,
    /// Whether to transcribe each of two channels separately. It needs channelDefinitions, and excludes
    /// showSpeakerLabels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_identification: Option<bool>,
    /// The custom vocabulary to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_name: Option<ResourceName>,
    /// The custom vocabulary filter to use. It needs vocabularyFilterMethod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_name: Option<ResourceName>,
    /// What to do with the words that are in the vocabulary filter: remove, mask or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_method: Option<VocabularyFilterMethod>,
    /// How the clinical note is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinical_note_generation_settings: Option<ClinicalNoteGenerationSettings>,
}

/// How the clinical note is made.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ClinicalNoteGenerationSettings {
    /// The layout of the note. HISTORY_AND_PHYSICAL when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note_template: Option<NoteTemplate>,
}

/// Who speaks on a channel.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct MedicalScribeChannelDefinition {
    /// The channel: 0 is the first, 1 the second.
    pub channel_id: Int<0, 1>,
    /// Who speaks on it: PATIENT or CLINICIAN.
    pub participant_role: MedicalScribeParticipantRole,
}

/// What is known about the conversation in advance.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct MedicalScribeContext {
    /// What is known about the patient. Everybody who may read this object can see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient_context: Option<MedicalScribePatientContext>,
}

/// What is known about the patient.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct MedicalScribePatientContext {
    /// The patient's pronouns, for the note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pronouns: Option<Pronouns>,
}

impl JobSpec for MedicalScribeJobSpec {
    fn output(&self) -> WantedOutput<'_> {
        WantedOutput::in_bucket(self.output_bucket_name.as_ref().map(BucketName::as_str))
    }

    fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        named([
            ("spec.settings.vocabularyName", self.settings.vocabulary_name.as_ref()),
            (
                "spec.settings.vocabularyFilterName",
                self.settings.vocabulary_filter_name.as_ref(),
            ),
        ])
        .collect()
    }

    fn data_access(&self) -> Option<WantedRole<'_>> {
        Some(WantedRole {
            field: "spec.dataAccessRoleArn",
            named: self.data_access_role_arn.as_ref(),
            required: true,
        })
    }
}
