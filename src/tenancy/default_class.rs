//! Creates the default class from the flags of the install, if the cluster has no class at all.

use std::{collections::BTreeMap, str::FromStr, sync::Arc, time::Duration};

use anyhow::Result;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta},
};
use tracing::{info, warn};

use crate::{
    accounts::session::SessionKey,
    api::{
        class_patterns::{AccessCheck, ContextTemplate, Permission, RegionName, RolePattern, Severity},
        transcription_class::{
            ClassEncryption, ClassInput, ClassOutput, DEFAULT_CLASS_ANNOTATION, DataAccess, TranscriptionClass,
            TranscriptionClassSpec,
        },
        types::{BucketName, ContextKey, Invalid, KmsKeyRef, partition},
    },
    runtime::{admin::Readiness, objects::post_params},
    tenancy::store::ClassStore,
};

/// The readiness check that fails until the default class exists.
pub const DEFAULT: &str = "default class";

const RETRY: Duration = Duration::from_secs(3);
/// How long the process stays unready because the default class is missing.
const UNREADY_AT_MOST: Duration = Duration::from_secs(10);

/// The settings of the default class. The class lets every namespace read any media and write to any bucket that the
/// operator's own AWS identity may: the limits are those of its IAM policy.
#[derive(Clone, Debug)]
pub struct DefaultClass {
    /// The AWS Region.
    pub region: RegionName,
    /// The output bucket of jobs that name none.
    pub output_bucket: Option<BucketName>,
    /// The data-access roles that jobs may name.
    pub data_access_roles: Vec<RolePattern>,
    /// The KMS key of jobs that name none.
    pub default_kms_key: Option<KmsKeyRef>,
    /// Pairs added to the encryption context of every job with a key.
    pub added_context: Vec<(ContextKey, ContextTemplate)>,
    /// The accounts, other than the operator's own, whose KMS keys jobs may name by their ARN.
    pub key_accounts: Vec<String>,
}

/// Creates the default class once AWS has confirmed the operator's account. If any class exists, it does nothing.
pub async fn run(client: Client, classes: Arc<ClassStore>, default: DefaultClass, ready: Readiness) {
    let creation = async {
        while let Err(error) = make(&client, &classes, &default).await {
            warn!(error = %format!("{error:#}"), "the default class is not there yet");
            tokio::time::sleep(RETRY).await;
        }
        // The sender lives in `classes`.
        classes.changes().wait_for(|all| !all.is_empty()).await.ok();
    };
    tokio::pin!(creation);
    let in_time = tokio::time::timeout(UNREADY_AT_MOST, &mut creation).await;
    ready.done(DEFAULT);
    if in_time.is_err() {
        creation.await;
    }
}

async fn make(client: &Client, classes: &ClassStore, default: &DefaultClass) -> Result<()> {
    let api = Api::<TranscriptionClass>::all(client.clone());
    if !api
        .list_metadata(&ListParams::default().limit(1))
        .await?
        .items
        .is_empty()
    {
        return Ok(());
    }
    let session = classes
        .accounts()
        .session(&SessionKey::operator(default.region.as_str()))
        .await;
    let identity = session.verify().await.map_err(|fault| {
        anyhow::anyhow!(
            "AWS has not confirmed whose credentials the operator has ({}: {})",
            fault.code,
            fault.detail()
        )
    })?;
    let spec = default.spec(Some(&identity.account))?;
    let class = TranscriptionClass {
        metadata: ObjectMeta {
            name: Some("default".to_owned()),
            annotations: Some([(DEFAULT_CLASS_ANNOTATION.to_owned(), "true".to_owned())].into()),
            labels: Some(
                [(
                    "app.kubernetes.io/managed-by".to_owned(),
                    "transcribe-operator".to_owned(),
                )]
                .into(),
            ),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    };
    match api.create(&post_params(), &class).await {
        Ok(_) => info!(account = identity.account, "made the default class"),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The pattern that matches anything.
fn any<Pattern: FromStr<Err = Invalid>>() -> Result<Vec<Pattern>, Invalid> {
    Ok(vec!["*".parse()?])
}

impl DefaultClass {
    /// The spec of the class, in the account of the operator's identity. While the account is not known, the class
    /// allows the keys of all accounts.
    ///
    /// # Errors
    /// The flags make a list that is not valid in a class.
    pub fn spec(&self, account: Option<&str>) -> Result<TranscriptionClassSpec, Invalid> {
        let region = &self.region;
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
