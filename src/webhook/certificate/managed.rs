//! The operator's own certificate authority, stored in a Secret, and the `caBundle` of its webhook configuration.

use std::{collections::BTreeMap, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{ValidatingWebhookConfiguration, WebhookClientConfig},
        core::v1::Secret,
    },
};
use kube::{
    Api, Client, Resource as _, ResourceExt,
    api::{ObjectMeta, Patch},
};
use serde_json::json;
use tracing::{debug, info, warn};

use crate::{
    runtime::{
        admin::{Readiness, WEBHOOK},
        clock,
        metrics::Metrics,
        objects::{merge_params, post_params},
    },
    webhook::certificate::{
        authority::{Certificate, Lifetimes, Observed, Served, Step, StoredAuthority, next, not_ready, to_pem},
        issue::{Authority, NotIssued},
    },
};

/// The most steps of one reconcile: more than the first certificate needs, with room for another process that writes as
/// well.
const MAX_STEPS: usize = 12;

/// Why a reconcile of the certificate failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the ValidatingWebhookConfiguration {0} does not exist, so that no webhook is called")]
    NoConfiguration(String),
    #[error("a webhook of the ValidatingWebhookConfiguration has neither a service nor a url with a host")]
    NoName,
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    #[error(transparent)]
    NotIssued(#[from] NotIssued),
    #[error("a patch cannot be written: {0}")]
    Patch(#[from] serde_json::Error),
    #[error("another process keeps changing the Secret or the configuration")]
    Unsettled,
}

/// Manages the webhook's certificate: creates the authority and the certificate, makes the API server trust them, and
/// renews them. Any number of processes may do so at the same time, because each write is fenced by the resourceVersion
/// that was read.
pub struct Managed {
    /// The API server.
    pub client: Client,
    /// The namespace of the Secret.
    pub namespace: String,
    /// The name of the Secret.
    pub secret: String,
    /// The name of the ValidatingWebhookConfiguration.
    pub configuration: String,
    /// How long certificates live.
    pub lifetimes: Lifetimes,
    /// How often all of it is reconciled.
    pub interval: Duration,
    /// Is set according to whether the API server accepts the served certificate.
    pub ready: Readiness,
    /// Exports when the certificate expires.
    pub metrics: Metrics,
}

/// The current state of the cluster.
struct Cluster {
    configuration: ValidatingWebhookConfiguration,
    trusted: Vec<Vec<Certificate>>,
    names: Vec<String>,
    /// The Secret, with any content.
    secret: Option<Secret>,
    /// The content of the Secret, if it can be used.
    stored: Option<(StoredAuthority, Authority)>,
}

impl Managed {
    /// Waits for the first certificate, then keeps it current in the background.
    pub(in crate::webhook) async fn start(self) -> RustlsConfig {
        let mut keeper = Keeper {
            managed: self,
            served: None,
            tls: None,
        };
        loop {
            keeper.reconcile().await;
            if let Some(tls) = keeper.tls.clone() {
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(keeper.managed.interval).await;
                        keeper.reconcile().await;
                    }
                });
                return tls;
            }
            tokio::time::sleep(keeper.managed.interval).await;
        }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn configurations(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    async fn observe(&self) -> Result<Cluster, Error> {
        let configuration = self.configurations().get_opt(&self.configuration).await?;
        let configuration = configuration.ok_or_else(|| Error::NoConfiguration(self.configuration.clone()))?;
        let webhooks = configuration.webhooks.iter().flatten();
        let clients: Vec<&WebhookClientConfig> = webhooks.map(|webhook| &webhook.client_config).collect();
        let trusted = clients.iter().map(|client| {
            let bundle = client.ca_bundle.as_ref();
            bundle.map_or_else(Vec::new, |bundle| Certificate::bundle(&bundle.0))
        });
        let mut names = clients
            .iter()
            .map(|client| name(client))
            .collect::<Option<Vec<_>>>()
            .ok_or(Error::NoName)?;
        names.sort();
        names.dedup();
        let secret = self.secrets().get_opt(&self.secret).await?;
        let stored = secret.as_ref().and_then(stored);
        if secret.is_some() && stored.is_none() {
            warn!(
                secret = self.secret,
                "the Secret holds no certificate authority; it gets a new one"
            );
        }
        Ok(Cluster {
            trusted: trusted.collect(),
            names,
            secret,
            stored,
            configuration,
        })
    }

    /// Writes the authority and the trusted bundle to the Secret, fenced by the resourceVersion that was read.
    async fn store(&self, cluster: &Cluster, authority: &Authority, bundle: &[Certificate]) -> Result<(), Error> {
        let bytes = |text: String| ByteString(text.into_bytes());
        let content = BTreeMap::from([
            (
                "tls.crt".to_owned(),
                bytes(to_pem(std::slice::from_ref(&authority.certificate))),
            ),
            ("tls.key".to_owned(), bytes(authority.key_pem())),
            ("ca.crt".to_owned(), bytes(to_pem(bundle))),
        ]);
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.secret.clone()),
                resource_version: cluster.secret.as_ref().and_then(ResourceExt::resource_version),
                labels: Some(BTreeMap::from([(
                    "app.kubernetes.io/managed-by".to_owned(),
                    "transcribe-operator".to_owned(),
                )])),
                // The Secret is deleted together with the webhook configuration.
                owner_references: cluster.configuration.owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(content),
            ..Secret::default()
        };
        let written = match &cluster.secret {
            None => self.secrets().create(&post_params(), &secret).await,
            Some(_) => self.secrets().replace(&self.secret, &post_params(), &secret).await,
        };
        ignore_conflict(written.map(drop))
    }

    /// Writes the `caBundle` of each webhook, fenced by the resourceVersion that was read.
    async fn publish(&self, cluster: &Cluster, bundle: &[Certificate]) -> Result<(), Error> {
        let bundle = ByteString(to_pem(bundle).into_bytes());
        let version = json!({"op": "test", "path": "/metadata/resourceVersion",
            "value": cluster.configuration.resource_version()});
        let bundles = (0..cluster.trusted.len())
            .map(|i| json!({"op": "add", "path": format!("/webhooks/{i}/clientConfig/caBundle"), "value": bundle}));
        let patch = serde_json::from_value(std::iter::once(version).chain(bundles).collect())?;
        let patch = Patch::Json::<()>(patch);
        let written = self
            .configurations()
            .patch(&self.configuration, &merge_params(), &patch)
            .await;
        ignore_conflict(written.map(drop))
    }
}

/// Ignores that a write came too late, because the next step reads the state again. (A failed `test` of a JSON patch is
/// answered with 422.)
fn ignore_conflict(written: Result<(), kube::Error>) -> Result<(), Error> {
    match written {
        Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => {
            debug!(answer = status.message, "somebody else wrote first");
            Ok(())
        }
        written => Ok(written?),
    }
}

/// The host name that the API server expects in the certificate.
fn name(client: &WebhookClientConfig) -> Option<String> {
    if let Some(service) = &client.service {
        return Some(format!("{}.{}.svc", service.name, service.namespace));
    }
    let url: http::Uri = client.url.as_ref()?.parse().ok()?;
    let host = url.host()?;
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

fn stored(secret: &Secret) -> Option<(StoredAuthority, Authority)> {
    let data = secret.data.as_ref()?;
    let authority = Authority::from_pem(&data.get("tls.crt")?.0, &data.get("tls.key")?.0)?;
    let stored = StoredAuthority {
        authority: authority.certificate.clone(),
        bundle: Certificate::bundle(&data.get("ca.crt")?.0),
    };
    Some((stored, authority))
}

struct Keeper {
    managed: Managed,
    served: Option<Served>,
    tls: Option<RustlsConfig>,
}

impl Keeper {
    async fn reconcile(&mut self) {
        if let Err(error) = self.settle().await {
            warn!(%error, "the webhook's certificate could not be reconciled and will be retried");
            if self.served.is_none() {
                self.managed.ready.waits(WEBHOOK, error.to_string());
            }
        }
    }

    /// Takes steps until there is nothing left to do.
    async fn settle(&mut self) -> Result<(), Error> {
        for _ in 0..MAX_STEPS {
            let cluster = self.managed.observe().await?;
            let observed = Observed {
                now: clock::now(),
                stored: cluster.stored.as_ref().map(|(stored, _)| stored),
                trusted: &cluster.trusted,
                names: &cluster.names,
                served: self.served.as_ref(),
            };
            match not_ready(observed) {
                Some(why) => self.managed.ready.waits(WEBHOOK, why.to_owned()),
                None => self.managed.ready.done(WEBHOOK),
            }
            let step = next(observed, self.managed.lifetimes);
            if step == Step::Done {
                return Ok(());
            }
            self.take(step, &cluster).await?;
        }
        Err(Error::Unsettled)
    }

    async fn take(&mut self, step: Step, cluster: &Cluster) -> Result<(), Error> {
        let managed = &self.managed;
        match (step, &cluster.stored) {
            (Step::CreateAuthority(keep), _) => {
                let authority = Authority::create(clock::now(), managed.lifetimes.authority)?;
                let bundle = [std::slice::from_ref(&authority.certificate), &keep].concat();
                managed.store(cluster, &authority, &bundle).await?;
                info!(
                    secret = managed.secret,
                    still_trusted = keep.len(),
                    "made a certificate authority for the webhook"
                );
            }
            (Step::Trim(bundle), Some((_, authority))) => managed.store(cluster, authority, &bundle).await?,
            (Step::Publish, Some((stored, _))) => {
                managed.publish(cluster, &stored.bundle).await?;
                info!(
                    configuration = managed.configuration,
                    "updated the caBundle of the webhook configuration"
                );
            }
            (Step::Issue, Some((_, authority))) => self.issue(authority, &cluster.names)?,
            (Step::Done | Step::Trim(_) | Step::Publish | Step::Issue, _) => {}
        }
        Ok(())
    }

    fn issue(&mut self, authority: &Authority, names: &[String]) -> Result<(), Error> {
        let (served, config) = authority.issue(names, clock::now(), self.managed.lifetimes.served)?;
        match &self.tls {
            Some(tls) => tls.reload_from_config(config),
            None => self.tls = Some(RustlsConfig::from_config(config)),
        }
        info!(?names, until = %served.certificate.expires, "the webhook serves a new certificate");
        self.managed.metrics.certificate_expires(served.certificate.expires);
        self.served = Some(served);
        Ok(())
    }
}
