//! The command-line clients that users have: the real kubectl and helm.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::control_plane::{ControlPlane, program};

/// What a command printed, and whether it succeeded.
#[derive(Clone, Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error: messages, warnings.
    pub stderr: String,
    /// Whether the exit status was zero.
    pub success: bool,
}

impl Output {
    /// The output again if the command succeeded; else an error with what it said.
    pub fn ok(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.success, "{}{}", self.stdout, self.stderr);
        Ok(self)
    }
}

/// kubectl with a kubeconfig and a cache of its own: a discovery cache kept by port would confuse control planes.
#[derive(Clone, Debug)]
pub struct Kubectl {
    tool: Tool,
}

impl Kubectl {
    /// kubectl as the administrator.
    pub fn new(plane: &ControlPlane) -> anyhow::Result<Self> {
        Self::with_kubeconfig(plane, &plane.kubeconfig())
    }

    /// kubectl with another kubeconfig for the same control plane.
    pub fn with_kubeconfig(plane: &ControlPlane, kubeconfig: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            tool: Tool::new("kubectl", plane, kubeconfig)?,
        })
    }

    /// The same in a working directory.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.tool.folder);
        self
    }

    /// Runs `kubectl ARGS`. A failing command is an answer, not an error.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool.run(args, "").await
    }

    /// Runs `kubectl apply -f -` on the YAML.
    pub async fn apply(&self, yaml: &str) -> anyhow::Result<Output> {
        self.run_with(&["apply", "-f", "-"], yaml).await
    }

    /// Runs `kubectl ARGS` with `input` as its standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> anyhow::Result<Output> {
        self.tool.run(args, input).await
    }
}

/// helm with a kubeconfig and folders of its own.
#[derive(Clone, Debug)]
pub struct Helm {
    tool: Tool,
}

impl Helm {
    /// helm as the administrator.
    pub fn new(plane: &ControlPlane) -> anyhow::Result<Self> {
        Ok(Self {
            tool: Tool::new("helm", plane, &plane.kubeconfig())?,
        })
    }

    /// Runs `helm ARGS`. A failing command is an answer, not an error.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool.run(args, "").await
    }
}

#[derive(Clone, Debug)]
struct Tool {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    folder: PathBuf,
}

impl Tool {
    fn new(name: &str, plane: &ControlPlane, kubeconfig: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            program: program(name)?,
            kubeconfig: kubeconfig.to_owned(),
            home: plane.folder().join("home"),
            folder: PathBuf::from("."),
        })
    }

    async fn run(&self, args: &[&str], input: &str) -> anyhow::Result<Output> {
        let mut child = Command::new(&self.program)
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.home)
            .current_dir(&self.folder)
            .env_remove("KUBECACHEDIR")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        let feed = async move {
            // A command that reads nothing closes its end early.
            stdin.write_all(input.as_bytes()).await.ok();
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output?;
        Ok(Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        })
    }
}
