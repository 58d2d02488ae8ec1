//! What the operator writes: the status, with one type for all kinds.

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
    /// The metadata.generation that this status describes. If it is lower than that of the object, the operator has not
    /// seen the latest spec yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The class that the job is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassRef>,
    /// The name of the job in Amazon Transcribe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// The number of the current attempt, from 1. Each attempt is an AWS job of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// The write-ahead intent: what was, or is about to be, submitted. It is stored before the submission. Once it
    /// exists, the request fields of the spec are immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// The job's status in Amazon Transcribe, verbatim: QUEUED, IN_PROGRESS, COMPLETED or FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_status: Option<String>,
    /// The encryption that is in effect for the output: the mode, the key and the encryption context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionStatus>,
    /// When AWS created the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Time>,
    /// When AWS started to process the job.
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
    /// Why the job failed, in the words of Amazon Transcribe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The last time AWS refused this job's submission. Removed when the spec changes or AWS accepts the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<RejectionStatus>,
    /// All attempts so far, the current one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 11))]
    pub attempts: Vec<Attempt>,
    /// When the operator tries again. It does not retry before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
    /// The last value of the annotation `transcribe-operator.io/reconcile-at` that the operator acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Conditions: `Ready`, `Reconciling`, `Stalled`, `Complete`, `Failed`, `Suspended`, `Finished`, `EncryptionReady`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The class that a job is bound to, as it was at the submission, or when the job ended without one.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassRef {
    /// The name of the class.
    pub name: String,
    /// The uid of the class, if it is an object in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The metadata.generation of the class at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The AWS Region.
    pub region: String,
    /// The AWS account, once it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The time to live, in seconds, that the class gives to finished objects that set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// The write-ahead intent of one attempt. It is stored before the Start, and pins everything that later steps need.
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
    /// The part of the request that comes from the class and from the resolution of the key.
    pub request: PinnedRequest,
    /// A hash of the whole effective request, with the version of the method that made it.
    pub request_hash: String,
    /// When the operator began the first Start of this attempt. An AWS record older than this is not of this object.
    pub first_started_at: MicroTime,
    /// When the operator began the last Start. The request is signed with this time, so that AWS refuses it once it is
    /// stale.
    pub started_at: MicroTime,
    /// What is known about the outcome of the last Start.
    pub outcome: SubmissionOutcome,
    /// When the operator first knew that AWS had accepted the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<MicroTime>,
    /// Until when an earlier Start of this attempt, whose reply was lost, could still reach AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_until: Option<MicroTime>,
    /// When the AWS record of an acknowledged job was first found missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<MicroTime>,
}

/// What is known about the outcome of a Start.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionOutcome {
    /// The Start may or may not have reached AWS.
    Sent,
    /// AWS accepted the Start, or was seen to have the job. The job is never started again.
    Acknowledged,
    /// AWS answered that a job of this name exists. The operator reads that job, and never starts it again.
    Conflict,
    /// AWS refused the Start; `status.rejection` says why.
    Refused,
    /// The job ended as FAILED, and another attempt follows.
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

/// The encryption that is in effect for the output.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionStatus {
    /// `SSE-KMS`: with the KMS key in kmsKeyArn. `SSE-S3`: with keys that Amazon S3 manages.
    pub mode: EncryptionMode,
    /// The ARN of the KMS key. Absent for SSE-S3.
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
    /// The transcript, as `s3://bucket/key`.
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
    /// How many seconds of the media are in this language, as a decimal number, if AWS reports it.
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
    /// Why it was left out, as an AWS code, such as INSUFFICIENT_CONVERSATION_CONTENT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// Why it was left out, in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A refused submission.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RejectionStatus {
    /// The AWS error code.
    pub code: String,
    /// The AWS error message, shortened.
    pub message: String,
    /// How many times in a row AWS refused it with this code.
    pub count: i32,
    /// When AWS last refused it.
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
    /// When the operator began its first Start.
    pub started_at: MicroTime,
    /// Why it failed, in the words of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Whether there is nothing left to delete in AWS, because the record is known to be gone or not to be of this
    /// object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record_gone: bool,
}
