//! `CallAnalyticsJob`: one call of StartCallAnalyticsJob.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::api::{
    common::{ContentRedaction, LanguageIdSettingsMap, LanguageOptions, SharedMembers, named, named_by_language},
    job_spec::{JobSpec, WantedKey, WantedOutput, WantedRole},
    rules,
    status::JobStatus,
    types::{Int, List, OutputLocation, ParticipantRole, ResourceName, RoleArn, VocabularyFilterMethod},
};

/// Which call to analyse and how: the members of StartCallAnalyticsJob under their AWS names in lowerCamelCase, and how
/// the operator runs the job. The request is immutable once the job is submitted.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[kube(
    group = "transcribe-operator.io",
    version = "v1alpha1",
    kind = "CallAnalyticsJob",
    namespaced,
    status = "JobStatus",
    derive = "PartialEq",
    doc = "One batch job of Amazon Transcribe Call Analytics: it is submitted once, and its outcome is reported in the status.",
    shortname = "caj",
    category = "transcribe",
    validation = rules::frozen_once_submitted::<CallAnalyticsJobSpec>()
)]
#[x_kube(
    validation = Rule::new("has(self.media.mediaFileUri) != has(self.media.redactedMediaFileUri)").message(
        "exactly one of mediaFileUri and redactedMediaFileUri must be given: keep mediaFileUri, or redactedMediaFileUri \
         when the audio is redacted already"
    ).field_path(".media"),
    validation = Rule::new("!has(self.encryption) || !has(self.encryption.context)").message(
        "StartCallAnalyticsJob has no parameter for an encryption context (KMSEncryptionContext): remove context; \
         kmsKeyId alone encrypts the output. Where a context is required, use a TranscriptionJob"
    ).field_path(".encryption.context")
)]
#[serde(rename_all = "camelCase")]
pub struct CallAnalyticsJobSpec {
    /// Where the output goes: s3://bucket, s3://bucket/folder/ or s3://bucket/folder/name.json. The class must allow
    /// the bucket. The bucket of the class when omitted. The rest is placed below the key prefix of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_location: Option<OutputLocation>,
    /// The IAM role that Amazon Transcribe assumes to read the media. With a role, AWS queues the job when the limit
    /// on running jobs is reached; without one, the operator does. The class must allow the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access_role_arn: Option<RoleArn>,
    /// Languages, vocabulary, redaction, summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<CallAnalyticsJobSettings>,
    /// Who speaks on which of the two channels. Without it, each channel may be either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = rules::two_channels(),
        validation = rules::two_roles("AGENT for one and CUSTOMER for the other")
    )]
    pub channel_definitions: Option<List<ChannelDefinition, 2, 2>>,
    /// The members that every job has.
    #[serde(flatten)]
    pub shared: SharedMembers,
}

/// Languages, vocabulary, redaction, summary. The language is always identified.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[x_kube(
    validation = rules::filter_method(),
    validation = rules::two_languages().message(
        "languageOptions must name at least two languages; remove it when you do not know them"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct CallAnalyticsJobSettings {
    /// The custom vocabulary to use. It applies only if it is in the identified language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_name: Option<ResourceName>,
    /// The custom vocabulary filter to use. It needs vocabularyFilterMethod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_name: Option<ResourceName>,
    /// What to do with the words that are in the vocabulary filter: remove, mask or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_method: Option<VocabularyFilterMethod>,
    /// The custom language model to use. It applies only if it is in the identified language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_model_name: Option<ResourceName>,
    /// What to redact from the transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_redaction: Option<ContentRedaction>,
    /// Two or more languages that the call may be in, to help identify the right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_options: Option<LanguageOptions>,
    /// The vocabulary, vocabulary filter and language model for each language that may be identified. Name the same
    /// languages in languageOptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_id_settings: Option<LanguageIdSettingsMap>,
    /// Whether to summarize the call. AWS may skip the summary; status.skipped then says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summarization: Option<Summarization>,
}

/// A summary of the call.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Summarization {
    /// Whether to generate a summary.
    pub generate_abstractive_summary: bool,
}

/// Who speaks on a channel.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDefinition {
    /// The channel: 0 is the first, 1 the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Int<0, 1>>,
    /// Who speaks on it: AGENT or CUSTOMER. It may be either when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_role: Option<ParticipantRole>,
}

impl JobSpec for CallAnalyticsJobSpec {
    fn takes_context(&self) -> bool {
        false
    }

    fn output(&self) -> WantedOutput<'_> {
        let field = "spec.outputLocation";
        let (bucket, key) = self.output_location.as_ref().map(OutputLocation::parts).unzip();
        WantedOutput {
            bucket,
            bucket_field: field,
            key: Some(WantedKey {
                named: key.filter(|key| !key.is_empty()),
                field,
            }),
            required: false,
        }
    }

    fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        let settings = self.settings.as_ref();
        named([
            (
                "spec.settings.vocabularyName",
                settings.and_then(|s| s.vocabulary_name.as_ref()),
            ),
            (
                "spec.settings.vocabularyFilterName",
                settings.and_then(|s| s.vocabulary_filter_name.as_ref()),
            ),
            (
                "spec.settings.languageModelName",
                settings.and_then(|s| s.language_model_name.as_ref()),
            ),
        ])
        .chain(named_by_language(
            "spec.settings.languageIdSettings",
            settings.and_then(|s| s.language_id_settings.as_ref()),
        ))
        .collect()
    }

    fn data_access(&self) -> Option<WantedRole<'_>> {
        self.data_access_role_arn.as_ref().map(|role| WantedRole {
            field: "spec.dataAccessRoleArn",
            named: Some(role),
            required: false,
        })
    }
}
