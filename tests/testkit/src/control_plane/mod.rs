//! A real Kubernetes control plane on the loopback address: etcd, kube-apiserver and, where wanted, kube-controller-manager.

mod audit;
mod certificates;
mod components;
mod kubeconfig;
mod programs;
mod start;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use tempfile::TempDir;

pub use programs::program;
pub use start::Builder;

use crate::process::Process;
use certificates::Certificates;
use components::Ports;

/// A running control plane with its own authority, data and ports; several run side by side.
///
/// Everything it started ends when it is dropped, and also when the test process ends in another way.
pub struct ControlPlane {
    // In this order they end: an API server whose etcd is gone lingers.
    controller_manager: Mutex<Option<Process>>,
    apiserver: Mutex<Option<Process>>,
    etcd: Mutex<Option<Process>>,
    tls: Certificates,
    ports: Ports,
    token: String,
    apiserver_args: Vec<String>,
    files: AtomicU32,
    folder: TempDir,
}

impl ControlPlane {
    /// etcd and an API server, ready; no controllers.
    pub async fn start() -> anyhow::Result<Self> {
        Self::builder().start().await
    }

    /// Choices before starting: controllers, more flags.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One control plane, with controllers, for all tests of this process that can share it. Use a namespace of your own
    /// ([`ControlPlane::namespace`]), and do not stop its API server.
    pub async fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: tokio::sync::OnceCell<ControlPlane> = tokio::sync::OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::builder().controllers().start()).await
    }

    /// Where the API server listens.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.apiserver)
    }

    /// The certificate (PEM) of the authority that signed the API server's.
    pub fn authority(&self) -> String {
        self.tls.authority()
    }

    /// The same, DER.
    pub fn authority_der(&self) -> Vec<u8> {
        self.tls.authority_der()
    }

    /// The administrator's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A folder that goes when the control plane goes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client with every right. Make one per test: a client lives on the runtime that made it.
    pub fn client(&self) -> anyhow::Result<kube::Client> {
        Ok(kube::Client::try_from(self.config()?)?)
    }

    /// A client that the API server treats as this user in these groups (the administrator impersonates them), so that
    /// RBAC applies to it.
    pub fn client_as(&self, user: &str, groups: &[&str]) -> anyhow::Result<kube::Client> {
        let mut config = self.config()?;
        config
            .headers
            .push((http::HeaderName::from_static("impersonate-user"), user.parse()?));
        for group in groups {
            config
                .headers
                .push((http::HeaderName::from_static("impersonate-group"), group.parse()?));
        }
        Ok(kube::Client::try_from(config)?)
    }

    /// Makes a namespace of its own for a test; the name starts with `prefix`.
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<String> {
        let metadata = ObjectMeta {
            generate_name: Some(format!("{prefix}-")),
            ..ObjectMeta::default()
        };
        let namespace = Namespace {
            metadata,
            ..Namespace::default()
        };
        let made = Api::<Namespace>::all(self.client()?)
            .create(&PostParams::default(), &namespace)
            .await?;
        made.metadata.name.context("a namespace has a name")
    }

    /// A token of a service account that exists, good for an hour.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> anyhow::Result<String> {
        self.service_account_token_for(namespace, name, &[]).await
    }

    /// The same for other audiences than the API server.
    pub async fn service_account_token_for(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[&str],
    ) -> anyhow::Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client()?, namespace);
        let spec = TokenRequestSpec {
            audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
            expiration_seconds: Some(3600),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest {
            spec,
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await?;
        Ok(answer.status.context("a token request has an answer")?.token)
    }

    /// The public keys that those tokens can be verified with: a JSON Web Key Set.
    pub async fn token_keys(&self) -> anyhow::Result<serde_json::Value> {
        let request = http::Request::get("/openid/v1/jwks").body(Vec::new())?;
        Ok(self.client()?.request(request).await?)
    }

    /// Kills the API server: every connection breaks and new ones are refused until it is started again.
    pub fn stop_apiserver(&self) {
        held(&self.apiserver).take();
    }

    /// Starts the API server again on the same address and data, and waits until it is ready.
    pub async fn start_apiserver(&self) -> anyhow::Result<()> {
        anyhow::ensure!(held(&self.apiserver).is_none(), "the API server is running");
        *held(&self.apiserver) = Some(self.launch_apiserver()?);
        self.ready().await
    }

    /// Kills the API server and starts it again.
    pub async fn restart_apiserver(&self) -> anyhow::Result<()> {
        self.stop_apiserver();
        self.start_apiserver().await
    }

    /// Ends everything now; dropping does the same.
    pub fn shutdown(self) {
        drop(self);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fresh_path(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}-{}", self.files.fetch_add(1, Ordering::Relaxed)))
    }
}

fn held(slot: &Mutex<Option<Process>>) -> MutexGuard<'_, Option<Process>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
