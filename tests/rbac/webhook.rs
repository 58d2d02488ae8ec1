//! What the scenarios about the webhook's certificate need.

use anyhow::Result;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use testkit::install::RELEASE;
use testkit::operator::Operator;
use testkit::ports;

use crate::scene::Scene;

const SECRET: &str = "transcribe-operator-webhook-ca";

impl Scene<'_> {
    /// An operator with a webhook, for which the API server asks about nothing.
    pub async fn with_webhook(&self) -> Result<Operator> {
        let listen = format!("127.0.0.1:{}", ports::free()?);
        let configuration = json!({
            "metadata": {"name": RELEASE},
            "webhooks": [{
                "name": "jobs.transcribe-operator.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": {"url": format!("https://{listen}/validate")},
            }],
        });
        let configuration = serde_json::from_value(configuration)?;
        self.configurations()
            .create(&PostParams::default(), &configuration)
            .await?;
        self.builder(&self.stage.plane.url())
            .args(["--namespace", &self.namespace, "--webhook-listen", &listen])
            .args(["--webhook-configuration", RELEASE, "--webhook-ca-secret", SECRET])
            .args(["--webhook-cert-interval", "500ms"])
            .start()
    }

    /// Whether the webhook has a `caBundle`.
    pub async fn trusts(&self) -> Result<bool> {
        let webhooks = self.configurations().get(RELEASE).await?.webhooks;
        Ok(webhooks
            .into_iter()
            .flatten()
            .all(|webhook| webhook.client_config.ca_bundle.is_some()))
    }

    /// The certificate of the authority that is stored.
    pub async fn authority(&self) -> Result<Option<Vec<u8>>> {
        let secret = self.secrets().get_opt(SECRET).await?;
        let data = secret.and_then(|secret| secret.data).unwrap_or_default();
        Ok(data.get("tls.crt").map(|bytes| bytes.0.clone()))
    }

    /// Stores what is no authority.
    pub async fn spoil_authority(&self) -> Result<()> {
        let secret = json!({
            "metadata": {"name": SECRET}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": "none", "tls.key": "none"},
        });
        self.secrets()
            .create(&PostParams::default(), &serde_json::from_value(secret)?)
            .await?;
        Ok(())
    }

    /// Takes the webhook away again, if there is one.
    pub async fn unregister(&self) -> Result<()> {
        if self.configurations().get_opt(RELEASE).await?.is_some() {
            self.configurations().delete(RELEASE, &DeleteParams::default()).await?;
        }
        Ok(())
    }

    fn configurations(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.stage.client.clone())
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.stage.client.clone(), &self.namespace)
    }
}
