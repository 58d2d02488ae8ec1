//! `TranscriptionClass`: what the platform team sets for a class of jobs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{
    Kind,
    class_patterns::{
        AccessCheck, BucketPattern, ClassRoleArn, ContextTemplate, ExternalId, KeyPattern, KeyPrefix, NamePattern,
        Permission, RegionName, RolePattern, Severity, UriPattern,
    },
    common::{Seconds, Tags},
    types::{BucketName, ContextKey, DeletionPolicy, Int, KmsKeyRef, List, Map},
};

/// The annotation that makes a class the default: jobs that name no class use it.
pub const DEFAULT_CLASS_ANNOTATION: &str = "transcribe-operator.io/is-default-class";
/// The finalizer of a class. It stays while jobs of the class run, or their records remain in AWS.
pub const CLASS_FINALIZER: &str = "transcribe-operator.io/class";
/// The annotation that lets a class be deleted although AWS may still have records of its jobs.
pub const ABANDON_ANNOTATION: &str = "transcribe-operator.io/abandon-records";

/// Which AWS account, identity, buckets and keys the jobs of this class use, and who may use the class. Every list of
/// allowed values fails closed: when omitted, it allows only what the class itself sets; `*` allows anything.
// Not in the category `transcribe`, because tenants list that category and may not read classes.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[allow(clippy::duplicated_attributes, reason = "columns have types")]
#[kube(
    group = "transcribe-operator.io",
    version = "v1alpha1",
    kind = "TranscriptionClass",
    status = "ClassStatus",
    derive = "PartialEq",
    doc = "What the platform team sets for a class of jobs: the AWS account, buckets and keys. A job only names its class.",
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
        "the Region of a class cannot change, because its jobs are there; create another class"
    ).field_path(".region"),
    validation = Rule::new(
        "has(self.identity) == has(oldSelf.identity) && (!has(self.identity) || \
         self.identity.roleArn.split(':')[4] == oldSelf.identity.roleArn.split(':')[4])"
    ).message(
        "the AWS account of a class cannot change, because its jobs are there; the role may become another one of the same \
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
    /// The AWS Region in which the jobs run. It cannot change.
    pub region: RegionName,
    /// The AWS identity with which the operator runs the jobs of this class. The operator's own when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ClassIdentity>,
    /// Which namespaces may use the class, by their labels. No namespace when omitted; every namespace when empty ({}).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(
        "!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] \
         ? has(e.values) && e.values.size() > 0 \
         : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || e.values.size() == 0))"
    ).message(
        "matchExpressions: the operator must be In or NotIn, with values, or Exists or DoesNotExist, without"
    ))]
    pub namespace_selector: Option<LabelSelector>,
    /// Which media the jobs may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<ClassInput>,
    /// Where the output of the jobs goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ClassOutput>,
    /// How the output of the jobs is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<ClassEncryption>,
    /// Which vocabularies, vocabulary filters and language models the jobs may name, such as `finance-*` or
    /// `{namespace}_*` (a namespace's name has no underscore). None when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_names: Option<List<NamePattern, 0, 64>>,
    /// Which IAM roles the jobs may tell Amazon Transcribe to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access: Option<DataAccess>,
    /// How many jobs may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Tags of every AWS job of this class. A tenant cannot override them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Defaults for jobs that do not set these fields themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_defaults: Option<JobDefaults>,
}

/// A role that the operator assumes. Each namespace gets its own session, whose name and tags identify the namespace.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassIdentity {
    /// The role that the operator assumes for the jobs of this class. Its account cannot change.
    pub role_arn: ClassRoleArn,
    /// The external id that the role's trust policy requires (sts:ExternalId).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
}

/// Which media the jobs may read.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassInput {
    /// URIs such as `s3://finance-media/{namespace}/`: jobs may read everything at or below them. Nothing when omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_uris: Option<List<UriPattern, 0, 64>>,
}

/// Where the output of the jobs goes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassOutput {
    /// The bucket for jobs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_name: Option<BucketName>,
    /// The prefix of every output key; a key that a tenant names goes below it. Placeholders: {namespace} (mandatory,
    /// as a whole segment), {uid} (mandatory), {kind}, {name} and {attempt}. When omitted:
    /// {namespace}/{kind}/{name}/{uid}-{attempt}/
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<KeyPrefix>,
    /// The buckets that a job may name, besides bucketName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_buckets: Option<List<BucketPattern, 0, 64>>,
    /// The kinds that are accepted although AWS offers no choice of their output key, so that it cannot have the
    /// keyPrefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprefixed_kinds: Option<List<Kind, 0, { Kind::ALL.len() }>>,
    /// Whether jobs without any output bucket are accepted. Amazon Transcribe keeps their output, and no tenant can
    /// read it.
    #[serde(default)]
    pub allow_service_managed: bool,
}

/// The key prefix of a class that sets none.
pub const DEFAULT_KEY_PREFIX: &str = "{namespace}/{kind}/{name}/{uid}-{attempt}/";

/// How the output of the jobs is encrypted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassEncryption {
    /// Whether a job is refused if neither it nor this class names a key.
    #[serde(default)]
    pub required: bool,
    /// The key for jobs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_kms_key_id: Option<KmsKeyRef>,
    /// The keys that a job may name, besides the default one. The operator writes the job's key as an ARN, with the
    /// Region and account of the class, and checks it against this list before it asks AWS KMS anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_kms_keys: Option<List<KeyPattern, 0, 64>>,
    /// Pairs that are added to the encryption context of every job with a key. A tenant can neither override nor shadow
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.all(k, self.exists_one(o, o.lowerAscii() == k.lowerAscii()))").message(
        "keys must differ in more than upper and lower case: IAM matches kms:EncryptionContext:<key> without regard to it"
    ))]
    pub added_context: Option<Map<ContextKey, ContextTemplate, 1, 10>>,
    /// Keys that the encryption context of every job must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_context_keys: Option<List<ContextKey, 0, 10>>,
    /// Whether kinds that take no encryption context are accepted although this class asks for one.
    #[serde(default = "deny")]
    pub kinds_without_context: Permission,
    /// What happens when a dry run cannot prove that the caller may use the key: Warn accepts the job with a warning,
    /// Deny refuses it, and Off makes no dry run.
    #[serde(default = "warn_access")]
    pub verify_access: AccessCheck,
    /// What happens when an encryption context seems to contain personal data: Warn accepts the job with a warning,
    /// Deny refuses it.
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

/// Which IAM roles the jobs may tell Amazon Transcribe to assume.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DataAccess {
    /// The roles that a job may name, besides the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_role_arns: Option<List<RolePattern, 0, 64>>,
    /// The role for jobs that need one and name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role_arn: Option<ClassRoleArn>,
}

/// How many jobs may run at once.
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

/// Defaults for jobs that do not set these fields themselves.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JobDefaults {
    /// The default of the job's field ttlSecondsAfterFinished, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<Seconds>,
    /// The default of the job's field deletionPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// The most recently observed state of a class.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClassStatus {
    /// The metadata.generation that this status describes. If it is lower than that of the object, the operator has not
    /// seen the latest spec yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The AWS account of the class, as AWS reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// How many jobs the class has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<ClassJobs>,
    /// When AWS last confirmed the identity of the class.
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
