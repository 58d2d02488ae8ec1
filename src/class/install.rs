//! The default class that the install's flags make, when there is no class at all.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
};
use tracing::{info, warn};

use super::ClassStore;
use crate::{
    api::transcription_class::{DEFAULT_CLASS_ANNOTATION, TranscriptionClass},
    config::InstallArgs,
    engine::session::Caller,
    runtime::admin::Readiness,
};

/// What is awaited until the default class is there.
pub const DEFAULT: &str = "default class";

const RETRY: Duration = Duration::from_secs(3);
/// For how long a process is not ready for want of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the default class, once AWS has said which account it is of. One that exists, whatever its name, is left as it is.
pub async fn run(client: Client, classes: Arc<ClassStore>, install: InstallArgs, ready: Readiness) {
    let made = async {
        while let Err(error) = make(&client, &classes, &install).await {
            warn!(error = %format!("{error:#}"), "the default class is not there yet");
            tokio::time::sleep(RETRY).await;
        }
        // The sender lives in `classes`.
        classes.changes().wait_for(|all| !all.is_empty()).await.ok();
    };
    tokio::pin!(made);
    let soon = tokio::time::timeout(PATIENCE, &mut made).await;
    ready.done(DEFAULT);
    if soon.is_err() {
        made.await;
    }
}

async fn make(client: &Client, classes: &ClassStore, install: &InstallArgs) -> Result<()> {
    let region = install.region.as_ref().context("no --region")?;
    let api = Api::<TranscriptionClass>::all(client.clone());
    if !api
        .list_metadata(&ListParams::default().limit(1))
        .await?
        .items
        .is_empty()
    {
        return Ok(());
    }
    let session = classes.engine().session(&Caller::operator(region.as_str())).await;
    let identity = session.verify().await.map_err(|fault| {
        anyhow::anyhow!(
            "AWS has not confirmed whose credentials the operator has ({}: {})",
            fault.code,
            fault.in_full()
        )
    })?;
    let spec = install.class(region, Some(&identity.account))?;
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
    match api.create(&PostParams::default(), &class).await {
        Ok(_) => info!(account = identity.account, "made the default class"),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
