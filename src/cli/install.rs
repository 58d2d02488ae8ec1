//! The flags of the default class, which exists so that a first job needs no class of its own.

use clap::Args;

use crate::{
    api::{
        class_patterns::{ContextTemplate, RegionName, RolePattern},
        types::{BucketName, ContextKey, Invalid, KmsKeyRef},
    },
    cli::values::account,
    tenancy::default_class::DefaultClass,
};

/// The flags of the default class. It lets every namespace read any media and write to any bucket that the operator's
/// own AWS identity may: the limits are those of its IAM policy.
#[derive(Args, Clone, Debug, Default)]
pub struct InstallArgs {
    /// The AWS Region of the default class. Without it no default class is created. AWS_REGION is not used, because EKS
    /// sets it in each Pod that has a role, whether its owner wants a default class or not.
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
    /// A pair to add to the encryption context of every job with a key. May be given more than once.
    #[arg(long = "added-context", value_name = "KEY=VALUE", value_parser = pair)]
    pub added_context: Vec<(ContextKey, ContextTemplate)>,
    /// An account, other than the operator's own, whose KMS keys jobs may name by their ARN. May be given more than
    /// once. Default: none.
    #[arg(long = "key-account", value_name = "ACCOUNT", value_parser = account)]
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

impl InstallArgs {
    /// The settings of the default class. `None`: there is none, because no Region is set.
    pub fn default_class(&self) -> Option<DefaultClass> {
        Some(DefaultClass {
            region: self.region.clone()?,
            output_bucket: self.output_bucket.clone(),
            data_access_roles: self.data_access_roles.clone(),
            default_kms_key: self.default_kms_key.clone(),
            added_context: self.added_context.clone(),
            key_accounts: self.key_accounts.clone(),
        })
    }
}
