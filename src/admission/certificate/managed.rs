//! The operator's own authority, kept in a Secret, and the `caBundle` of its webhook configuration.

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
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tracing::{debug, info, warn};

use super::{
    authority::{Certificate, Lifetimes, Seen, Served, Step, Stored, next, not_ready, to_pem},
    issue::{Authority, NotIssued},
};
use crate::runtime::{
    admin::{Readiness, WEBHOOK},
    clock,
    metrics::Metrics,
};

/// More steps than it takes from nothing to a certificate, with room for another process that writes at the same time.
const STEPS: usize = 12;

/// Why a pass did not get to its end.
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

/// What keeps the webhook's certificate: it makes the authority and the certificate, has the API server trust them, and
/// renews them. Any number of processes may do so at the same time: each write names the version that was read.
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
    /// How often all is looked at.
    pub interval: Duration,
    /// Told whether the API server accepts what is served.
    pub ready: Readiness,
    /// Told when the certificate ends.
    pub metrics: Metrics,
}

/// What is in the cluster.
struct Cluster {
    configuration: ValidatingWebhookConfiguration,
    trusted: Vec<Vec<Certificate>>,
    names: Vec<String>,
    /// The Secret, whatever is in it.
    secret: Option<Secret>,
    /// What is in the Secret, if it can be used.
    stored: Option<(Stored, Authority)>,
}

impl Managed {
    /// Waits for the first certificate and keeps it current from then on.
    pub(in super::super) async fn start(self) -> RustlsConfig {
        let mut keeper = Keeper {
            managed: self,
            served: None,
            tls: None,
        };
        loop {
            keeper.look().await;
            if let Some(tls) = keeper.tls.clone() {
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(keeper.managed.interval).await;
                        keeper.look().await;
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

    /// Stores the authority and what is trusted, over the version that was read.
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
                // It goes when the webhook goes.
                owner_references: cluster.configuration.owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(content),
            ..Secret::default()
        };
        let written = match &cluster.secret {
            None => self.secrets().create(&PostParams::default(), &secret).await,
            Some(_) => {
                self.secrets()
                    .replace(&self.secret, &PostParams::default(), &secret)
                    .await
            }
        };
        unless_somebody_else(written.map(drop))
    }

    /// Writes the `caBundle` of each webhook, over the version that was read.
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
            .patch(&self.configuration, &PatchParams::default(), &patch)
            .await;
        unless_somebody_else(written.map(drop))
    }
}

/// A write that came too late is no failure: what there is now is read next. (A failed `test` of a JSON patch is answered
/// as 422.)
fn unless_somebody_else(written: Result<(), kube::Error>) -> Result<(), Error> {
    match written {
        Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => {
            debug!(answer = status.message, "somebody else wrote first");
            Ok(())
        }
        written => Ok(written?),
    }
}

/// The name that the API server expects in the certificate.
fn name(client: &WebhookClientConfig) -> Option<String> {
    if let Some(service) = &client.service {
        return Some(format!("{}.{}.svc", service.name, service.namespace));
    }
    let url: http::Uri = client.url.as_ref()?.parse().ok()?;
    let host = url.host()?;
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

fn stored(secret: &Secret) -> Option<(Stored, Authority)> {
    let data = secret.data.as_ref()?;
    let authority = Authority::from_pem(&data.get("tls.crt")?.0, &data.get("tls.key")?.0)?;
    let stored = Stored {
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
    async fn look(&mut self) {
        if let Err(error) = self.settle().await {
            warn!(%error, "the webhook's certificate is not settled; it is looked at again");
            if self.served.is_none() {
                self.managed.ready.waits(WEBHOOK, error.to_string());
            }
        }
    }

    /// Takes steps until there is none to take.
    async fn settle(&mut self) -> Result<(), Error> {
        for _ in 0..STEPS {
            let cluster = self.managed.observe().await?;
            let seen = Seen {
                now: clock::now(),
                stored: cluster.stored.as_ref().map(|(stored, _)| stored),
                trusted: &cluster.trusted,
                names: &cluster.names,
                served: self.served.as_ref(),
            };
            match not_ready(seen) {
                Some(why) => self.managed.ready.waits(WEBHOOK, why.to_owned()),
                None => self.managed.ready.done(WEBHOOK),
            }
            let step = next(seen, self.managed.lifetimes);
            if step == Step::Rest {
                return Ok(());
            }
            self.take(step, &cluster).await?;
        }
        Err(Error::Unsettled)
    }

    async fn take(&mut self, step: Step, cluster: &Cluster) -> Result<(), Error> {
        let managed = &self.managed;
        match (step, &cluster.stored) {
            (Step::Found(keep), _) => {
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
                    "the API server is told which authorities to trust"
                );
            }
            (Step::Issue, Some((_, authority))) => self.issue(authority, &cluster.names)?,
            (Step::Rest | Step::Trim(_) | Step::Publish | Step::Issue, _) => {}
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
