//! Starting, and waiting until the API server is ready.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use tokio::time::timeout;

use super::certificates::Certificates;
use super::components::{self, CONTROLLERS, Ports};
use super::{ControlPlane, held};
use crate::ports;
use crate::process::{self, Process};
use crate::wait::{self, Look};

/// How long one answer may take: an API server that hangs is told apart from a slow one.
const ANSWER: Duration = Duration::from_mins(1);

/// Choices before a control plane starts.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    controllers: Vec<String>,
    apiserver_args: Vec<String>,
    audited: bool,
    server_names: Vec<String>,
}

impl Builder {
    /// Also runs kube-controller-manager with what makes namespaces end, owner references work and service accounts
    /// appear.
    #[must_use]
    pub fn controllers(self) -> Self {
        self.controllers_named(CONTROLLERS)
    }

    /// Also runs kube-controller-manager with these controllers.
    #[must_use]
    pub fn controllers_named(mut self, names: &[&str]) -> Self {
        self.controllers = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Keeps an audit of what service accounts ask for: [`ControlPlane::audit`].
    #[must_use]
    pub fn audited(mut self) -> Self {
        self.audited = true;
        self
    }

    /// One more name or address that the API server's certificate is for.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_names.push(name.into());
        self
    }

    /// One more flag for kube-apiserver; of a flag given twice, the last counts.
    #[must_use]
    pub fn apiserver_arg(mut self, arg: impl Into<String>) -> Self {
        self.apiserver_args.push(arg.into());
        self
    }

    /// Starts the components and waits until the API server is ready. The error holds the end of the failing
    /// component's log.
    pub async fn start(self) -> anyhow::Result<ControlPlane> {
        // Another process may take a port between our look and the bind of the component.
        const ATTEMPTS: u8 = 3;
        for _ in 1..ATTEMPTS {
            match self.attempt().await {
                Err(error) if format!("{error:#}").contains("address already in use") => {}
                result => return result,
            }
        }
        self.attempt().await
    }

    async fn attempt(&self) -> anyhow::Result<ControlPlane> {
        let mut plane = ControlPlane::prepare(self)?;
        if self.audited {
            plane.apiserver_args.extend(plane.audit_args()?);
        }
        *held(&plane.etcd) = Some(plane.launch_etcd()?);
        plane.etcd_ready().await?;
        *held(&plane.apiserver) = Some(plane.launch_apiserver()?);
        plane.ready().await?;
        if !self.controllers.is_empty() {
            *held(&plane.controller_manager) = Some(plane.launch_controller_manager(&self.controllers)?);
        }
        Ok(plane)
    }
}

impl ControlPlane {
    fn prepare(choices: &Builder) -> anyhow::Result<Self> {
        // An error means that a provider is installed already, which is as good.
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let folder = tempfile::Builder::new().prefix("control-plane-").tempdir()?;
        process::remove_at_exit(folder.path());
        let tls = Certificates::create(folder.path(), &choices.server_names)?;
        let token = format!("{:016x}", RandomState::new().hash_one(folder.path()));
        fs::write(
            folder.path().join("tokens.csv"),
            format!("{token},admin,admin,\"system:masters\"\n"),
        )?;
        let ports = Ports {
            apiserver: ports::free()?,
            etcd: ports::free()?,
            peer: ports::free()?,
        };
        let plane = Self {
            controller_manager: Mutex::default(),
            apiserver: Mutex::default(),
            etcd: Mutex::default(),
            tls,
            ports,
            token,
            apiserver_args: choices.apiserver_args.clone(),
            files: AtomicU32::new(0),
            folder,
        };
        fs::write(plane.kubeconfig(), plane.kubeconfig_text(&plane.url(), &plane.token))?;
        Ok(plane)
    }

    fn launch_etcd(&self) -> anyhow::Result<Process> {
        let command = components::etcd(self.ports, &self.path("etcd").display().to_string())?;
        Process::start("etcd", command, &self.path("etcd.log"))
    }

    pub(super) fn launch_apiserver(&self) -> anyhow::Result<Process> {
        let command = components::apiserver(self.ports, &self.tls, &self.apiserver_args)?;
        Process::start("kube-apiserver", command, &self.path("kube-apiserver.log"))
    }

    fn launch_controller_manager(&self, controllers: &[String]) -> anyhow::Result<Process> {
        let kubeconfig = self.kubeconfig().display().to_string();
        let command = components::controller_manager(&kubeconfig, &self.tls, controllers)?;
        Process::start(
            "kube-controller-manager",
            command,
            &self.path("kube-controller-manager.log"),
        )
    }

    async fn etcd_ready(&self) -> anyhow::Result<()> {
        wait::until("etcd is ready", async || {
            let log = running(&self.etcd)?;
            let listens = TcpStream::connect(("127.0.0.1", self.ports.etcd)).is_ok();
            Ok(Look::at(listens, log))
        })
        .await
    }

    /// Waits for `/readyz` and for the namespace `default`, which the API server makes a moment later.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let client = self.client()?;
        wait::until("the API server is ready", async || {
            let is_ready = matches!(timeout(ANSWER, is_ready(&client)).await, Ok(Ok(())));
            running(&self.etcd)?;
            Ok(Look::at(is_ready, running(&self.apiserver)?))
        })
        .await
    }
}

async fn is_ready(client: &kube::Client) -> Result<(), kube::Error> {
    client
        .request_text(
            http::Request::get("/readyz")
                .body(Vec::new())
                .map_err(kube::Error::HttpError)?,
        )
        .await?;
    Api::<Namespace>::all(client.clone()).get("default").await?;
    Ok(())
}

/// The end of the log of a process; an error with it when the process has ended.
fn running(slot: &Mutex<Option<Process>>) -> anyhow::Result<String> {
    let mut slot = held(slot);
    let process = slot
        .as_mut()
        .context("the component was stopped while it was starting")?;
    if let Some(status) = process.exited()? {
        anyhow::bail!("ended before it was ready ({status})\n{}", process.log_tail(30));
    }
    Ok(process.log_tail(30))
}
