//! What the operator writes: the status, one type for all kinds.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most recently observed state of a job.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct JobStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The class that the job was bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassRef>,
    /// The name of the job in Amazon Transcribe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// The number of the current attempt, from 1. Each attempt is an AWS job of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// The write-ahead intent: what is, or is about to be, submitted. The request fields of the spec are immutable from
    /// the moment this exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// The job's status in Amazon Transcribe, verbatim: QUEUED, IN_PROGRESS, COMPLETED or FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_status: Option<String>,
    /// The encryption of the output that is in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionStatus>,
    /// When AWS created the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Time>,
    /// When AWS started to work on the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the job ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// From creation to completion, such as `2m13s`. Written once, at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Where the results are, always as `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputStatus>,
    /// The language of the media, as given or as identified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// The languages that Amazon Transcribe identified in the media.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub identified_languages: Vec<IdentifiedLanguage>,
    /// What Amazon Transcribe left out although it completed the job, such as a summary (CallAnalyticsJob).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub skipped: Vec<SkippedFeature>,
    /// Why Amazon Transcribe failed the job, in its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The last refusal of this job's submission. Removed when the spec changes or the job is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalStatus>,
    /// All attempts that were begun, the current one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 11))]
    pub attempts: Vec<Attempt>,
    /// Not before this time is anything tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
    /// The value of the annotation `transcribe-operator.io/reconcile-at` that was last acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Conditions: `Ready`, `Reconciling`, `Stalled`, `Complete`, `Failed`, `Suspended`, `Finished`, `EncryptionReady`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The class that a job was bound to: as it was at the submission, or when the job ended without one.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassRef {
    /// The name of the class.
    pub name: String,
    /// The uid of the class, when it is an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The generation of the class that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The AWS Region.
    pub region: String,
    /// The AWS account, once it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The time to live that the class gives to finished objects which set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// The write-ahead intent of one attempt. It is stored before the job is started and pins everything that later steps need.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// The attempt that this intent belongs to, from 1.
    #[schemars(range(min = 1))]
    pub attempt: i32,
    /// The name of the job in Amazon Transcribe.
    pub job_name: String,
    /// The AWS account that the job runs in.
    pub account: String,
    /// The AWS Region that the job runs in.
    pub region: String,
    /// What the class and the key's resolution put into the request.
    pub request: PinnedRequest,
    /// A hash of the whole effective request, with the version of its making.
    pub request_hash: String,
    /// When the first Start of this attempt was begun. A record older than this is not ours.
    pub first_started_at: MicroTime,
    /// When the last Start was begun. The request is signed with this time, so that AWS refuses it once it is stale.
    pub started_at: MicroTime,
    /// What is known of the last Start.
    pub outcome: SubmissionOutcome,
    /// When the record was first known to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<MicroTime>,
    /// Until when an earlier Start of this attempt, whose reply was lost, could still arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stray_until: Option<MicroTime>,
    /// When the record of an acknowledged job was first found absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<MicroTime>,
}

/// What is known of a Start.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionOutcome {
    /// It may or may not have reached AWS.
    Sent,
    /// AWS accepted it, or was seen to have the job. It is never started again.
    Acknowledged,
    /// AWS answered that a job of this name exists. It is looked at, and never started again.
    Conflict,
    /// AWS refused it; `status.refusal` says how.
    Refused,
    /// The job was seen FAILED, and another attempt follows.
    Ended,
}

/// The part of the request that does not come from the spec alone.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PinnedRequest {
    /// The ARN of the key that encrypts the output. Absent: SSE-S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// The encryption context.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    /// The output bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bucket_name: Option<String>,
    /// The output key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_key: Option<String>,
    /// The data-access role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access_role_arn: Option<String>,
    /// All tags of the AWS job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The encryption of the output that is in effect.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionStatus {
    /// `SSE-KMS` with a key of yours, `SSE-S3` with AWS's own.
    pub mode: EncryptionMode,
    /// The ARN of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// The encryption context. It is not secret: CloudTrail shows it in plain text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

/// How Amazon S3 encrypts the output.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptionMode {
    /// With a KMS key.
    #[serde(rename = "SSE-KMS")]
    SseKms,
    /// With keys that Amazon S3 manages.
    #[serde(rename = "SSE-S3")]
    SseS3,
}

/// Where the results are.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OutputStatus {
    /// The transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript_uri: Option<String>,
    /// The transcript with personal data redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted_transcript_uri: Option<String>,
    /// The subtitle files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitle_uris: Vec<String>,
    /// The clinical document (MedicalScribeJob).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinical_document_uri: Option<String>,
    /// The media with personal data redacted from the audio (CallAnalyticsJob).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted_media_uri: Option<String>,
}

/// A language that Amazon Transcribe identified.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IdentifiedLanguage {
    /// The language code.
    pub language_code: String,
    /// For how many seconds it was spoken, as a decimal number (where AWS says so).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_in_seconds: Option<String>,
}

/// A feature that Amazon Transcribe left out.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SkippedFeature {
    /// The feature, such as GENERATIVE_SUMMARIZATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Why, as a code of AWS, such as INSUFFICIENT_CONVERSATION_CONTENT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// Why, in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A refused submission.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefusalStatus {
    /// The AWS error code.
    pub code: String,
    /// The AWS error message, shortened.
    pub message: String,
    /// How often in a row it was refused with this code.
    pub count: i32,
    /// When it was last refused.
    pub time: Time,
    /// The generation of the spec that was refused.
    #[serde(default)]
    pub generation: i64,
}

/// One attempt: an AWS job of its own.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The attempt's number, from 1.
    pub attempt: i32,
    /// The name of its job in Amazon Transcribe.
    pub job_name: String,
    /// The AWS account.
    pub account: String,
    /// The AWS Region.
    pub region: String,
    /// When its first Start was begun.
    pub started_at: MicroTime,
    /// Why it failed, in AWS's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Its record is known to be gone, or not to be ours: there is nothing left to delete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record_gone: bool,
}
