//! A real Kubernetes node on this machine: kubelet, containerd, runc, kube-proxy and kube-scheduler, in namespaces of
//! their own.
//!
//! ```no_run
//! # fn example() -> anyhow::Result<()> {
//! use testkit::node::{self, Node};
//! let node = Node::enter()?; // from here on, this thread and those that it starts are in the node's network
//! tokio::runtime::Runtime::new()?.block_on(async {
//!     let plane = node::control_plane().start().await?;
//!     let node = node.join(&plane, &[]).await?;
//! #   drop(node);
//!     Ok(())
//! })
//! # }
//! ```

mod parts;
mod pods;
mod traces;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

pub use traces::Traces;

use crate::control_plane::{self, ControlPlane};
use crate::process::{self, Process};
use crate::wait::{self, Look};

/// The node's address. What listens there can be reached from Pods.
pub const ADDRESS: &str = "10.89.0.1";
/// The first address of the Services: the API server's.
const FIRST_SERVICE: &str = "10.96.0.1";

/// Why this machine cannot run a node: one line, fit to be shown.
#[derive(Debug)]
pub struct NotHere(String);

impl std::fmt::Display for NotHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotHere {}

/// The namespaces of a node, and what runs in them.
///
/// All of it ends when this is dropped, and also when the test process ends in another way: the programs, the Pods, the
/// mounts, the network and the cgroups.
#[derive(Debug)]
pub struct Node {
    // The first to end: it is the parent of process 1 of the namespaces, which takes all others in them along.
    namespaces: Process,
    parts: Vec<Process>,
    programs: PathBuf,
    cgroup: String,
    folder: TempDir,
}

impl Node {
    /// Makes the namespaces and moves the calling thread into their network, for good: what it, its child processes and
    /// the threads that it starts later call the network is the node's. There are no programs yet.
    ///
    /// The error is a [`NotHere`] where the machine cannot run a node.
    pub fn enter() -> anyhow::Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("node-").tempdir()?;
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
        let cgroup = format!("transcribe-{name}");
        process::remove_at_exit(folder.path());
        process::run_at_exit(&format!("'{}' {cgroup}", source("remove-cgroups").display()));

        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--pid", "--ipc", "--propagation", "private"]);
        command.args(["--fork", "--kill-child", "--mount-proc"]);
        command.arg(source("init")).arg(folder.path()).arg(&cgroup);
        let log = folder.path().join("init.log");
        let mut node = Self {
            namespaces: Process::start("the node's process 1", command, &log)?,
            parts: Vec::new(),
            programs,
            cgroup,
            folder,
        };
        node.wait_entered()?;
        let network = File::open(node.namespace("net"))?;
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(node)
    }

    /// Starts the node's programs, has it join the cluster with these images (docker-archives) in store, and waits until
    /// it is ready.
    pub async fn join(mut self, plane: &ControlPlane, images: &[&Path]) -> anyhow::Result<Self> {
        self.configure(&plane.kubeconfig())?;
        let containerd = self.containerd();
        self.start("containerd", containerd)?;
        self.import(images).await?;
        for (name, command) in [
            ("kubelet", self.kubelet(&plane.kubeconfig())),
            ("kube-proxy", self.kube_proxy()),
            ("kube-scheduler", self.kube_scheduler(&plane.kubeconfig())),
        ] {
            self.start(name, command)?;
        }
        self.wait_ready(plane).await?;
        Ok(self)
    }

    /// The ends of the logs of all parts, for messages of failing tests.
    pub fn log_tails(&self) -> String {
        let tails: Vec<String> = self.parts.iter().map(|part| part.log_tail(20)).collect();
        tails.join("\n")
    }

    fn start(&mut self, name: &str, command: Command) -> anyhow::Result<()> {
        let log = self.folder.path().join(format!("{name}.log"));
        self.parts.push(Process::start(name, command, &log)?);
        Ok(())
    }

    /// A command in all of the node's namespaces, with its programs first on the PATH.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        for (flag, namespace) in [
            ("mount", "mnt"),
            ("net", "net"),
            ("ipc", "ipc"),
            ("pid", "pid_for_children"),
        ] {
            command.arg(format!("--{flag}={}", self.namespace(namespace).display()));
        }
        command.arg(self.programs.join(program));
        command.env(
            "PATH",
            format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.programs.display()),
        );
        command
    }

    fn namespace(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/{name}", self.namespaces.pid()))
    }

    fn wait_entered(&mut self) -> anyhow::Result<()> {
        wait::until_blocking("the node's namespaces are ready", || {
            let log = self.namespaces.log_tail(20);
            let ended = self.namespaces.exited()?;
            anyhow::ensure!(ended.is_none(), "they ended ({ended:?})\n{log}");
            Ok(Look::at(self.folder.path().join("ready").exists(), log))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.namespaces.kill();
        // The folder can be removed when nothing in the namespaces runs any more, and so can the cgroups.
        Command::new(source("remove-cgroups")).arg(&self.cgroup).status().ok();
    }
}

/// A control plane with all controllers that Pods and the node can reach; to be started after [`Node::enter`].
pub fn control_plane() -> control_plane::Builder {
    ControlPlane::builder()
        .controllers_named(&["*"])
        .server_name(ADDRESS)
        .server_name(FIRST_SERVICE)
        .apiserver_arg("--bind-address=0.0.0.0")
        .apiserver_arg(format!("--advertise-address={ADDRESS}"))
        .apiserver_arg("--endpoint-reconciler-type=lease")
        .apiserver_arg("--service-cluster-ip-range=10.96.0.0/16")
        .apiserver_arg("--kubelet-preferred-address-types=InternalIP")
}

/// Packs a program as a container image, as the Dockerfile would, into `archive`.
pub fn image(archive: &Path, name: &str, program: impl AsRef<OsStr>) -> anyhow::Result<()> {
    let mut command = Command::new(script("image"));
    let status = command.arg(archive).arg(name).arg(program).status()?;
    anyhow::ensure!(status.success(), "scripts/image failed; what it said is above");
    Ok(())
}

/// Sees whether this machine can run a node. The error is a [`NotHere`] where it cannot.
pub fn check() -> anyhow::Result<()> {
    ask(&["--check"]).map(drop)
}

/// The folder of the node's programs; the script builds them when it has to, once, and says so.
fn programs() -> anyhow::Result<PathBuf> {
    ask(&[]).map(PathBuf::from)
}

/// What scripts/node says.
fn ask(args: &[&str]) -> anyhow::Result<String> {
    const CANNOT: i32 = 69;
    let output = Command::new(script("node"))
        .args(args)
        .stderr(Stdio::inherit())
        .output();
    let output = output.context("scripts/node")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.code() == Some(CANNOT) {
        return Err(NotHere(said).into());
    }
    anyhow::ensure!(output.status.success(), "scripts/node failed; what it said is above");
    Ok(said)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(name)
}

/// A file of the folder `node`.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(name)
}

/// The text of such a file.
fn text(name: &str) -> anyhow::Result<String> {
    fs::read_to_string(source(name)).context(name.to_owned())
}
