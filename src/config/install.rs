//! The default class that an install's flags make, so that a first job needs no class to be written.

use std::{collections::BTreeMap, str::FromStr};

use clap::Args;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::api::{
    class_words::{AccessCheck, ContextTemplate, Permission, RegionName, RolePattern, Severity},
    transcription_class::{ClassEncryption, ClassInput, ClassOutput, DataAccess, TranscriptionClassSpec},
    types::{BucketName, ContextKey, Invalid, KmsKeyRef, partition},
};

/// The flags of the default class. It lets every namespace read any media and write to any bucket that the operator's own AWS
/// identity may: the limits are those of its IAM policy.
#[derive(Args, Clone, Debug, Default)]
pub struct InstallArgs {
    /// The AWS Region of the default class. Without it none is made. The environment is not asked: EKS puts AWS_REGION into
    /// each Pod that has a role, whether its owner wants a default class or not.
    #[arg(long)]
    pub region: Option<RegionName>,
    /// The output bucket of jobs that name none.
    #[arg(long, env = "OUTPUT_BUCKET")]
    pub output_bucket: Option<BucketName>,
    /// A data-access role that jobs may name. May be given more than once. Default: none.
    #[arg(long = "data-access-role", value_name = "ARN")]
    pub data_access_roles: Vec<RolePattern>,
    /// The KMS key of jobs that name none. Default: none, so that Amazon S3 encrypts their output with its own keys.
    #[arg(long, env = "DEFAULT_KMS_KEY", value_name = "KEY")]
    pub default_kms_key: Option<KmsKeyRef>,
    /// A pair that is added to the encryption context of every job with a key. May be given more than once.
    #[arg(long = "added-context", value_name = "KEY=VALUE", value_parser = pair)]
    pub added_context: Vec<(ContextKey, ContextTemplate)>,
    /// An account, other than the operator's own, whose KMS keys jobs may name by their ARN. May be given more than once.
    /// Default: none.
    #[arg(long = "key-account", value_name = "ACCOUNT", value_parser = super::account)]
    pub key_accounts: Vec<String>,
}

fn pair(text: &str) -> Result<(ContextKey, ContextTemplate), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    let of = |what: &str, error: Invalid| format!("the {what} {error}");
    Ok((
        key.parse().map_err(|error| of("key", error))?,
        value.parse().map_err(|error| of("value", error))?,
    ))
}

/// The pattern that stands for anything.
fn any<Pattern: FromStr<Err = Invalid>>() -> Result<Vec<Pattern>, Invalid> {
    Ok(vec!["*".parse()?])
}

impl InstallArgs {
    /// The class, in the account of the operator's identity. Where that is not known the keys of all accounts are allowed.
    pub fn class(&self, region: &RegionName, account: Option<&str>) -> Result<TranscriptionClassSpec, Invalid> {
        let accounts = account.into_iter().chain(self.key_accounts.iter().map(String::as_str));
        let keys = accounts.flat_map(|account| {
            let prefix = format!("arn:{}:kms:{region}:{account}", partition(region.as_str()));
            [format!("{prefix}:key/*"), format!("{prefix}:alias/*")].map(|pattern| pattern.parse())
        });
        let keys = if account.is_some() {
            keys.collect::<Result<_, _>>()?
        } else {
            any()?
        };
        let added: BTreeMap<String, ContextTemplate> = self
            .added_context
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect();
        Ok(TranscriptionClassSpec {
            region: region.clone(),
            identity: None,
            namespace_selector: Some(LabelSelector::default()),
            input: Some(ClassInput {
                allowed_uris: Some(any()?.try_into()?),
            }),
            output: Some(ClassOutput {
                bucket_name: self.output_bucket.clone(),
                allowed_buckets: Some(any()?.try_into()?),
                ..ClassOutput::default()
            }),
            encryption: Some(ClassEncryption {
                required: false,
                default_kms_key_id: self.default_kms_key.clone(),
                allowed_kms_keys: Some(keys.try_into()?),
                added_context: (!added.is_empty()).then(|| added.try_into()).transpose()?,
                required_context_keys: None,
                kinds_without_context: Permission::Deny,
                verify_access: AccessCheck::Warn,
                personal_data_in_context: Severity::Warn,
            }),
            resource_names: Some(any()?.try_into()?),
            data_access: Some(DataAccess {
                allowed_role_arns: Some(self.data_access_roles.clone().try_into()?),
                default_role_arn: None,
            }),
            limits: None,
            tags: None,
            job_defaults: None,
        })
    }
}
