//! What the kinds have in common.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::types::{
    ClassName, ContextKey, ContextValue, DeletionPolicy, Int, KmsKeyRef, LanguageCode, List, Map, PiiEntityType,
    RedactionOutput, RedactionType, ResourceName, S3Uri, TagKey, TagValue, UNBOUNDED,
};

/// The members that the spec of every job has.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct SharedMembers {
    /// The media to process: a file in Amazon S3.
    pub media: Media,
    /// How the output is encrypted: with the key named here, otherwise with the default key of the class, otherwise
    /// with keys that Amazon S3 manages (SSE-S3). status.encryption shows what is in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Tags of the job in Amazon Transcribe. Keys that begin with transcribe-operator.io/ or aws: are reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// How the operator runs the job.
    #[serde(flatten)]
    pub controls: JobControls,
}

/// How the operator runs a job; none of it is sent to AWS.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct JobControls {
    /// The TranscriptionClass that determines which AWS account, Region, buckets and keys the job uses. The default
    /// class when omitted. Immutable once the job is submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription_class_name: Option<ClassName>,
    /// Holds back the submission while true. A job that is already submitted keeps running, because Amazon Transcribe
    /// cannot stop one.
    #[serde(default)]
    pub suspend: bool,
    /// The time within which the job must be submitted, in seconds from the creation of the object or from the last
    /// time it was resumed. A job that is not submitted in time fails and costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline_seconds: Option<Seconds>,
    /// How many times a job that ended as FAILED in Amazon Transcribe is run again. Each attempt is a new job in AWS
    /// and is billed. Only failures that may be transient are retried. A refused submission does not count as an
    /// attempt.
    #[serde(default)]
    pub backoff_limit: Int<0, 10>,
    /// The object is deleted this many seconds after the job finished. Files in Amazon S3 stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<Seconds>,
    /// What happens to the job's record in Amazon Transcribe when this object is deleted: Delete deletes it, Retain
    /// keeps it until AWS removes it after 90 days. Delete when omitted, unless the class sets another default. Files
    /// in Amazon S3 are never deleted. Immutable once the job is submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// A time span in whole seconds.
pub type Seconds = Int<0, { i32::MAX }>;

impl JobControls {
    /// The controls that may change at any time. Everything else of a spec is immutable once the job is submitted.
    pub const MUTABLE: &'static [&'static str] = &[
        "suspend",
        "startDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ];

    /// Reads each control on its own from a spec that may be invalid. A control that cannot be read gets its default.
    pub fn read(spec: &Value) -> Self {
        fn member<T: Default + serde::de::DeserializeOwned>(spec: &Value, name: &str) -> T {
            spec.get(name)
                .and_then(|value| T::deserialize(value).ok())
                .unwrap_or_default()
        }
        Self {
            transcription_class_name: member(spec, "transcriptionClassName"),
            suspend: member(spec, "suspend"),
            start_deadline_seconds: member(spec, "startDeadlineSeconds"),
            backoff_limit: member(spec, "backoffLimit"),
            ttl_seconds_after_finished: member(spec, "ttlSecondsAfterFinished"),
            deletion_policy: member(spec, "deletionPolicy"),
        }
    }
}

/// How Amazon S3 encrypts the output.
///
/// Without a key here, the default key of the class applies; without that, Amazon S3 encrypts with keys that it manages
/// (SSE-S3). `status.encryption` shows what is in effect.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// The KMS key that encrypts the output (AWS: OutputEncryptionKMSKeyId): a key id, an alias name (alias/name), a
    /// key ARN or an alias ARN. A bare id or alias is in the account and Region of the class; a key in another account
    /// must be given as an ARN. It must be a customer managed, symmetric key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<KmsKeyRef>,
    /// The encryption context (AWS: KMSEncryptionContext): 1 to 10 pairs that are bound to the output and recorded with
    /// each use of the key. Not secret: CloudTrail shows it in plain text. It needs a key, here or in the class. AWS
    /// accepts none for a CallAnalyticsJob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.all(k, self.exists_one(o, o.lowerAscii() == k.lowerAscii()))").message(
        "keys must differ in more than upper and lower case: IAM matches kms:EncryptionContext:<key> without regard to it"
    ))]
    pub context: Option<EncryptionContext>,
}

/// An encryption context.
pub type EncryptionContext = Map<ContextKey, ContextValue, 1, 10>;

/// Tags of the AWS job. AWS allows 50, of which the operator uses four.
pub type Tags = Map<TagKey, TagValue, 0, 46>;

/// The media to transcribe.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// The media file, as s3://bucket/key. The bucket must be in the Region of the class, and the class must allow the
    /// URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_file_uri: Option<S3Uri>,
    /// A media file whose audio is redacted already, as s3://bucket/key. Only a CallAnalyticsJob takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted_media_file_uri: Option<S3Uri>,
}

impl Media {
    /// The files, and the fields that name them.
    pub fn uris(&self) -> Vec<(&'static str, &S3Uri)> {
        let media = self.media_file_uri.as_ref().map(|uri| ("spec.media.mediaFileUri", uri));
        let redacted = self.redacted_media_file_uri.as_ref();
        media
            .into_iter()
            .chain(redacted.map(|uri| ("spec.media.redactedMediaFileUri", uri)))
            .collect()
    }
}

/// What to redact from the transcript.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ContentRedaction {
    /// The category of what is redacted: PII, personally identifiable information.
    pub redaction_type: RedactionType,
    /// Which transcripts are made: the redacted one only, or both.
    pub redaction_output: RedactionOutput,
    /// The types of personal data to redact, such as NAME or SSN. All types when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pii_entity_types: Option<List<PiiEntityType, 0, 29>>,
}

/// The settings that apply if this is the language that Amazon Transcribe identifies.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct LanguageIdSettings {
    /// The custom vocabulary to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_name: Option<ResourceName>,
    /// The custom vocabulary filter to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_filter_name: Option<ResourceName>,
    /// The custom language model to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_model_name: Option<ResourceName>,
}

/// [`LanguageIdSettings`] by language.
pub type LanguageIdSettingsMap = Map<LanguageCode, LanguageIdSettings, 1, 5>;

/// The languages that may be in the media.
pub type LanguageOptions = List<LanguageCode, 1, UNBOUNDED>;

/// The fields that name something, each with the name.
pub(super) fn named<'a, const N: usize>(
    fields: [(&'static str, Option<&'a ResourceName>); N],
) -> impl Iterator<Item = (String, &'a ResourceName)> {
    let named = fields.into_iter().filter_map(|(field, name)| Some((field, name?)));
    named.map(|(field, name)| (field.to_owned(), name))
}

/// The vocabularies, filters and models that are named for each language, and the fields that name them.
pub(super) fn named_by_language<'a>(
    field: &'static str,
    settings: Option<&'a LanguageIdSettingsMap>,
) -> impl Iterator<Item = (String, &'a ResourceName)> {
    let languages = settings.into_iter().flat_map(|languages| languages.iter());
    languages.flat_map(move |(language, settings)| {
        let members = named([
            ("vocabularyName", settings.vocabulary_name.as_ref()),
            ("vocabularyFilterName", settings.vocabulary_filter_name.as_ref()),
            ("languageModelName", settings.language_model_name.as_ref()),
        ]);
        members.map(move |(member, name)| (format!("{field}[{language}].{member}"), name))
    })
}
