//! `TranscriptionJob`: one call of StartTranscriptionJob.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::api::{
    common::{ContentRedaction, LanguageIdSettingsMap, LanguageOptions, SharedMembers, named, named_by_language},
    job_spec::{JobSpec, WantedOutput, WantedRole},
    rules,
    status::JobStatus,
    types::{
        BucketName, Int, LanguageCode, List, MediaFormat, OutputKey, ResourceName, RoleArn, SubtitleFormat,
        ToxicityCategory, UNBOUNDED, VocabularyFilterMethod,
    },
};

/// What to transcribe and how: the members of StartTranscriptionJob under their AWS names in lowerCamelCase, and how
/// the operator runs the job. The request is immutable once the job is submitted.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[kube(
    group = "transcribe-operator.io",
    version = "v1alpha1",
    kind = "TranscriptionJob",
    namespaced,
    status = "JobStatus",
    derive = "PartialEq",
    doc = "One batch job of Amazon Transcribe: it is submitted once, and its outcome is reported in the status.",
    shortname = "tj",
    category = "transcribe",
    validation = rules::frozen_once_submitted::<TranscriptionJobSpec>()
)]
#[x_kube(
    validation = Rule::new(
        "[has(self.languageCode), has(self.identifyLanguage) && self.identifyLanguage, \
         has(self.identifyMultipleLanguages) && self.identifyMultipleLanguages].filter(set, set).size() == 1"
    ).message(
        "exactly one of languageCode, identifyLanguage: true and identifyMultipleLanguages: true must be given; \
         keep the one that fits the media"
    ),
    validation = Rule::new(format!("{} || !has(self.languageOptions)", rules::IDENTIFIES)).message(
        "languageOptions narrows the identification of the language: also set identifyLanguage or \
         identifyMultipleLanguages to true in place of languageCode, or remove it"
    ).field_path(".languageOptions"),
    validation = rules::two_languages().message(
        "languageOptions must name at least two languages; for a single one use languageCode"
    ),
    validation = Rule::new(format!("{} || !has(self.languageIdSettings)", rules::IDENTIFIES)).message(
        "languageIdSettings is for the identification of the language: also set identifyLanguage or \
         identifyMultipleLanguages to true in place of languageCode, or use settings and modelSettings"
    ).field_path(".languageIdSettings"),
    validation = Rule::new(
        "!has(self.languageIdSettings) || !has(self.identifyMultipleLanguages) || !self.identifyMultipleLanguages || \
         self.languageIdSettings.all(k, !has(self.languageIdSettings[k].languageModelName))"
    ).message(
        "identifyMultipleLanguages takes no custom language model: remove languageModelName, or use identifyLanguage"
    ).field_path(".languageIdSettings"),
    validation = Rule::new(format!("!{} || !has(self.modelSettings)", rules::IDENTIFIES)).message(
        "modelSettings needs languageCode; when the language is identified, name the model in languageIdSettings"
    ).field_path(".modelSettings"),
    validation = Rule::new(format!("!{} || !has(self.contentRedaction)", rules::IDENTIFIES)).message(
        "contentRedaction does not work with the identification of the language: give languageCode, \
         or remove contentRedaction"
    ).field_path(".contentRedaction"),
    validation = Rule::new(
        "!has(self.toxicityDetection) || (has(self.languageCode) && self.languageCode == 'en-US')"
    ).message(
        "toxicityDetection is only available for languageCode en-US; give that, or remove toxicityDetection"
    ).field_path(".toxicityDetection"),
    validation = rules::plain_media()
)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptionJobSpec {
    /// The language of the media, such as en-US. Exactly one of languageCode, identifyLanguage and
    /// identifyMultipleLanguages must be given. A code that the operator does not know yet is passed on to AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_code: Option<LanguageCode>,
    /// The sample rate of the media in hertz. Best omitted, because Amazon Transcribe detects it and a wrong one
    /// fails the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_sample_rate_hertz: Option<Int<8000, 48000>>,
    /// The format of the media. Best omitted, because Amazon Transcribe detects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_format: Option<MediaFormat>,
    /// The bucket for the output; the class must allow it. The bucket of the class when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bucket_name: Option<BucketName>,
    /// Where in the output bucket the transcript goes: the key of the object if it ends in .json, otherwise a key
    /// prefix. It is placed below the key prefix of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_key: Option<OutputKey>,
    /// Speakers, channels, alternatives, vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// The custom language model to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_settings: Option<ModelSettings>,
    /// What happens when the account's limit on running jobs is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_execution_settings: Option<JobExecutionSettings>,
    /// What to redact from the transcript. It excludes identifyLanguage and identifyMultipleLanguages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_redaction: Option<ContentRedaction>,
    /// Whether Amazon Transcribe identifies the language, for media in one language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identify_language: Option<bool>,
    /// Whether Amazon Transcribe identifies all languages, for media in several languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identify_multiple_languages: Option<bool>,
    /// Two or more languages that the media may be in, to help identify the right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_options: Option<LanguageOptions>,
    /// The subtitle files to make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtitles: Option<Subtitles>,
    /// The vocabulary, vocabulary filter and language model for each language that may be identified. Name the same
    /// languages in languageOptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_id_settings: Option<LanguageIdSettingsMap>,
    /// Marks toxic speech in the transcript (en-US only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity_detection: Option<List<ToxicityDetectionSettings, 1, 1>>,
    /// The members that every job has.
    #[serde(flatten)]
    pub shared: SharedMembers,
}

/// Speakers, channels, alternatives, vocabulary.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[x_kube(
    validation = rules::speakers(),
    validation = rules::alternatives(),
    validation = rules::filter_method()
)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The custom vocabulary to use. It must be in the language of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_name: Option<ResourceName>,
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
    /// The custom vocabulary filter to use. It needs vocabularyFilterMethod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_name: Option<ResourceName>,
    /// What to do with the words that are in the vocabulary filter: remove, mask or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_method: Option<VocabularyFilterMethod>,
}

/// The custom language model to use.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[x_kube(validation = Rule::new("has(self.languageModelName)").message(
    "modelSettings needs languageModelName: name a custom language model, or remove modelSettings"
).field_path(".languageModelName"))]
#[serde(rename_all = "camelCase")]
pub struct ModelSettings {
    /// The name of the model. Its language must be that of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_model_name: Option<ResourceName>,
}

/// What happens when the account's limit on running jobs is reached.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[x_kube(validation = Rule::new("has(self.allowDeferredExecution)").message(
    "jobExecutionSettings needs allowDeferredExecution: set it to true or false, or remove jobExecutionSettings"
).field_path(".allowDeferredExecution"))]
#[serde(rename_all = "camelCase")]
pub struct JobExecutionSettings {
    /// Whether Amazon Transcribe queues the job when the limit on running jobs is reached. If not, the operator does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_deferred_execution: Option<bool>,
    /// The IAM role that Amazon Transcribe assumes to access the data of a queued job; the class must allow it. The
    /// default role of the class when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access_role_arn: Option<RoleArn>,
}

/// The subtitle files to make. They are placed next to the transcript.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Subtitles {
    /// The formats: vtt, srt or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formats: Option<List<SubtitleFormat, 0, UNBOUNDED>>,
    /// The number of the first subtitle: 0 (AWS's default) or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_start_index: Option<Int<0, 1>>,
}

/// Which categories of toxic speech to mark.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ToxicityDetectionSettings {
    /// The categories: ALL is the only value.
    pub toxicity_categories: List<ToxicityCategory, 1, 1>,
}

impl JobSpec for TranscriptionJobSpec {
    fn output(&self) -> WantedOutput<'_> {
        let bucket = self.output_bucket_name.as_ref().map(BucketName::as_str);
        WantedOutput {
            required: false,
            ..WantedOutput::in_bucket(bucket).at_key(self.output_key.as_ref().map(OutputKey::as_str))
        }
    }

    fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        let settings = self.settings.as_ref();
        let model = self.model_settings.as_ref();
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
                "spec.modelSettings.languageModelName",
                model.and_then(|s| s.language_model_name.as_ref()),
            ),
        ])
        .chain(named_by_language(
            "spec.languageIdSettings",
            self.language_id_settings.as_ref(),
        ))
        .collect()
    }

    fn data_access(&self) -> Option<WantedRole<'_>> {
        self.job_execution_settings.as_ref().map(|settings| WantedRole {
            field: "spec.jobExecutionSettings.dataAccessRoleArn",
            named: settings.data_access_role_arn.as_ref(),
            required: false,
        })
    }
}
