//! `TranscriptionClass`: what the platform team says that a class of jobs means.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::class_words::{
    AccessCheck, BucketPattern, ClassRoleArn, ContextTemplate, ExternalId, KeyPattern, KeyPrefix, NamePattern,
    Permission, RegionName, RolePattern, Severity, UriPattern,
};
use super::common::{Seconds, Tags};
use super::types::{BucketName, ContextKey, DeletionPolicy, Int, KmsKeyRef, List, Map};

/// The annotation that makes a class the one of jobs that name none.
pub const DEFAULT_CLASS_ANNOTATION: &str = "transcribe-operator.io/is-default-class";
/// The finalizer of a class: it stays while jobs of it run, or their records remain.
pub const CLASS_FINALIZER: &str = "transcribe-operator.io/class";
/// The annotation by which a class that is being deleted goes although AWS may still have records of its jobs.
pub const ABANDON_ANNOTATION: &str = "transcribe-operator.io/abandon-records";

/// Which AWS account, identity, buckets and keys the jobs of this class use, and who may use it. Every list of what is
/// allowed fails closed: omitted, it allows only what the class itself sets; `*` allows anything.
// Not of the category `transcribe`: tenants, who ask for it, may not read classes.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[allow(clippy::duplicated_attributes, reason = "columns have types")]
#[kube(
    group = "transcribe-operator.io",
    version = "v1alpha1",
    kind = "TranscriptionClass",
    status = "ClassStatus",
    derive = "PartialEq",
    doc = "What the platform team says that a class of jobs means: tenants name the class, and nothing of what is in it.",
    shortname = "tcls",
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Running", type_ = "integer", json_path = ".status.jobs.running"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.identity.roleArn", priority = 1)
)]
#[x_kube(
    validation = Rule::new("self.region == oldSelf.region").message(
        "the Region of a class cannot change, since jobs of it are there; create another class"
    ).field_path(".region"),
    validation = Rule::new(
        "has(self.identity) == has(oldSelf.identity) && (!has(self.identity) || \
         self.identity.roleArn.split(':')[4] == oldSelf.identity.roleArn.split(':')[4])"
    ).message(
        "the AWS account of a class cannot change, since jobs of it are there; the role may become another one of the same \
         account, but cannot be added or removed. Create another class"
    ).field_path(".identity"),
    validation = Rule::new(
        "!has(self.encryption) || !has(self.encryption.defaultKmsKeyId) || !self.encryption.defaultKmsKeyId.startsWith('arn:') \
         || self.encryption.defaultKmsKeyId.split(':')[3] == self.region"
    ).message(
        "the default key must be in the Region of the class: use a key of that Region"
    ).field_path(".encryption.defaultKmsKeyId")
)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptionClassSpec {
    /// The AWS Region of the jobs. It cannot change.
    pub region: RegionName,
    /// The AWS identity that works for this class. The operator's own when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ClassIdentity>,
    /// Which namespaces may use the class, by their labels. None when omitted; every one when empty ({}).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(
        "!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] \
         ? has(e.values) && e.values.size() > 0 \
         : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || e.values.size() == 0))"
    ).message(
        "matchExpressions: the operator must be In or NotIn, with values, or Exists or DoesNotExist, without"
    ))]
    pub namespace_selector: Option<LabelSelector>,
    /// Which media may be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<ClassInput>,
    /// Where output goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ClassOutput>,
    /// How output is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<ClassEncryption>,
    /// Which vocabularies, vocabulary filters and language models may be named, such as `finance-*` or
    /// `{namespace}_*` (a namespace's name has no underscore). None when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_names: Option<List<NamePattern, 0, 64>>,
    /// Which roles Amazon Transcribe may be told to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access: Option<DataAccess>,
    /// How many jobs run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Tags of every AWS job. A tenant cannot override one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// The controls of jobs that do not set them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_defaults: Option<JobDefaults>,
}

/// A role that the operator assumes, once for each namespace: the session's name and tags say which.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassIdentity {
    /// The role that the operator assumes for the jobs of this class. Its account cannot change.
    pub role_arn: ClassRoleArn,
    /// What the role's trust policy asks for as sts:ExternalId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
}

/// Which media may be read.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassInput {
    /// Everything at or below these URIs, such as `s3://finance-media/{namespace}/`. Nothing when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_uris: Option<List<UriPattern, 0, 64>>,
}

/// Where output goes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassOutput {
    /// The bucket of jobs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_name: Option<BucketName>,
    /// What the key of every output begins with; a tenant's own key goes below it. Placeholders: {namespace}, which is a
    /// whole segment and mandatory, {uid}, mandatory, {kind}, {name} and {attempt}. When omitted:
    /// {namespace}/{kind}/{name}/{uid}-{attempt}/
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<KeyPrefix>,
    /// The buckets that a job may name, besides bucketName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_buckets: Option<List<BucketPattern, 0, 64>>,
    /// The kinds that are accepted although AWS lets nobody choose their output's key, so that it has no prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprefixed_kinds: Option<List<Kind, 0, { Kind::ALL.len() }>>,
    /// Accept jobs without any output bucket: Amazon Transcribe keeps their output, and no tenant can read it.
    #[serde(default)]
    pub allow_service_managed: bool,
}

/// The prefix of a class that sets none.
pub const DEFAULT_KEY_PREFIX: &str = "{namespace}/{kind}/{name}/{uid}-{attempt}/";

/// How output is encrypted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassEncryption {
    /// Refuse a job that has no key in the end.
    #[serde(default)]
    pub required: bool,
    /// The key of jobs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_kms_key_id: Option<KmsKeyRef>,
    /// The keys that a job may name, besides the default one. What a job names is written out as an ARN, with the class's
    /// Region and account, and held against these before AWS KMS is asked anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_kms_keys: Option<List<KeyPattern, 0, 64>>,
    /// Pairs that are added to the encryption context of every job with a key. A tenant can neither override nor shadow one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.all(k, self.exists_one(o, o.lowerAscii() == k.lowerAscii()))").message(
        "keys must differ in more than upper and lower case: IAM matches kms:EncryptionContext:<key> without regard to it"
    ))]
    pub added_context: Option<Map<ContextKey, ContextTemplate, 1, 10>>,
    /// Keys that the encryption context of every job must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_context_keys: Option<List<ContextKey, 0, 10>>,
    /// Whether kinds that take no encryption context are accepted where this class asks for one.
    #[serde(default = "deny")]
    pub kinds_without_context: Permission,
    /// What is done when the caller's use of the key cannot be proven by a dry run.
    #[serde(default = "warn_access")]
    pub verify_access: AccessCheck,
    /// What is done about what looks like personal data in a context.
    #[serde(default = "warn")]
    pub personal_data_in_context: Severity,
}

const fn deny() -> Permission {
    Permission::Deny
}

const fn warn_access() -> AccessCheck {
    AccessCheck::Warn
}

const fn warn() -> Severity {
    Severity::Warn
}

/// Which roles Amazon Transcribe may be told to assume.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DataAccess {
    /// The roles that a job may name, besides the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_role_arns: Option<List<RolePattern, 0, 64>>,
    /// The role of jobs that need one and name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role_arn: Option<ClassRoleArn>,
}

/// How many jobs run at once.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many jobs of this class may run at once, in all namespaces together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running_jobs: Option<Int<1, 100_000>>,
    /// How many jobs of this class may run at once in one namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running_jobs_per_namespace: Option<Int<1, 100_000>>,
}

/// The controls of jobs that do not set them.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JobDefaults {
    /// As the field of a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<Seconds>,
    /// As the field of a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// The most recently observed state of a class.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClassStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The AWS account of the class, as AWS said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The jobs of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<ClassJobs>,
    /// When AWS last confirmed the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified_time: Option<Time>,
    /// Conditions: `Ready`, `DefaultKeyReady`, `Default`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// How many jobs a class has.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassJobs {
    /// Not yet submitted.
    pub waiting: i32,
    /// Submitted, and not finished.
    pub running: i32,
}
