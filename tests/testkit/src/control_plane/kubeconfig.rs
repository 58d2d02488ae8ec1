//! Ways in: kubeconfig files and client configurations.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::ControlPlane;

impl ControlPlane {
    /// The path of the administrator's kubeconfig: for the tests' own clients, never for an operator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// A kubeconfig for `server` that carries this bearer token, for example one of
    /// [`ControlPlane::service_account_token`]. The path is new each time.
    pub fn kubeconfig_with(&self, server: &str, token: &str) -> anyhow::Result<PathBuf> {
        let path = self.fresh_path("kubeconfig");
        fs::write(&path, self.kubeconfig_text(server, token))?;
        Ok(path)
    }

    /// A kubeconfig of a service account that exists, for its own namespace.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> anyhow::Result<PathBuf> {
        let token = self.service_account_token(namespace, account).await?;
        let path = self.kubeconfig_with(&self.url(), &token)?;
        let mut kubeconfig: Value = serde_json::from_slice(&fs::read(&path)?)?;
        kubeconfig["contexts"][0]["context"]["namespace"] = namespace.into();
        fs::write(&path, kubeconfig.to_string())?;
        Ok(path)
    }

    /// The configuration of a client with every right, without kube's own retries: a test wants to see each answer.
    pub fn config(&self) -> anyhow::Result<kube::Config> {
        let mut config = kube::Config::new(self.url().parse()?);
        config.root_cert = Some(vec![self.authority_der()]);
        config.auth_info.token = Some(self.token.clone().into());
        config.default_retry = false;
        Ok(config)
    }

    /// JSON is YAML, so every client reads it.
    pub(crate) fn kubeconfig_text(&self, server: &str, token: &str) -> String {
        let mut cluster = json!({ "server": server });
        if server.starts_with("https://") {
            cluster["certificate-authority"] = json!(self.tls.file("ca.crt"));
        }
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": cluster }],
            "users": [{ "name": "test", "user": { "token": token } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "current-context": "test",
        })
        .to_string()
    }
}
