//! The programs of a node: their files, their command lines, and waiting for them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::{ADDRESS, Node, text};
use crate::control_plane::ControlPlane;
use crate::kubectl::Kubectl;
use crate::wait::{self, Look};

/// The node's name in the cluster.
const NAME: &str = "node";

impl Node {
    /// Writes the files that the programs read.
    pub(super) fn configure(&self, kubeconfig: &Path) -> anyhow::Result<()> {
        let folder = self.folder.path();
        for name in ["containerd.toml", "kubelet.yaml", "kube-proxy.yaml"] {
            let text = text(name)?
                .replace("@FOLDER@", &folder.display().to_string())
                .replace("@PROGRAMS@", &self.programs.display().to_string())
                .replace("@CGROUP@", &self.cgroup)
                .replace("@KUBECONFIG@", &kubeconfig.display().to_string());
            fs::write(folder.join(name), text)?;
        }
        fs::create_dir(folder.join("cni"))?;
        fs::write(folder.join("cni/network.conflist"), text("network.conflist")?)?;
        // Nothing here is found by name.
        fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        Ok(())
    }

    pub(super) fn containerd(&self) -> Command {
        let mut command = self.inside("containerd");
        command.arg("--config").arg(self.folder.path().join("containerd.toml"));
        command
    }

    pub(super) fn kubelet(&self, kubeconfig: &Path) -> Command {
        let folder = self.folder.path();
        let mut command = self.inside("kubelet");
        command.arg("--config").arg(folder.join("kubelet.yaml"));
        command.arg("--kubeconfig").arg(kubeconfig);
        command.arg("--root-dir").arg(folder.join("kubelet"));
        command.arg("--cert-dir").arg(folder.join("kubelet-certificates"));
        command.args(["--hostname-override", NAME, "--node-ip", ADDRESS]);
        command
    }

    pub(super) fn kube_proxy(&self) -> Command {
        let mut command = self.inside("kube-proxy");
        command.arg("--config").arg(self.folder.path().join("kube-proxy.yaml"));
        command
    }

    pub(super) fn kube_scheduler(&self, kubeconfig: &Path) -> Command {
        let mut command = self.inside("kube-scheduler");
        command.arg("--kubeconfig").arg(kubeconfig);
        command.args(["--leader-elect=false", "--secure-port=0"]);
        command
    }

    /// Puts images into containerd's store, as soon as it answers.
    pub(super) async fn import(&mut self, images: &[&Path]) -> anyhow::Result<()> {
        wait::until("containerd answers", async || {
            let answers = self.ctr(&["version"]).await.is_ok();
            Ok(Look::at(answers, self.running()?))
        })
        .await?;
        let pause = self.programs.join("pause.tar");
        for image in [&[pause.as_path()], images].concat() {
            let image = image.to_str().context("the path of the image is not UTF-8")?;
            self.ctr(&["--namespace", "k8s.io", "images", "import", "--local", image])
                .await?;
        }
        Ok(())
    }

    async fn ctr(&self, args: &[&str]) -> anyhow::Result<()> {
        let mut command = tokio::process::Command::from(self.inside("ctr"));
        command
            .args(["--address", "/run/containerd/containerd.sock"])
            .args(args);
        let output = command.output().await?;
        anyhow::ensure!(
            output.status.success(),
            "ctr {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Waits until the cluster sees the node as ready.
    pub(super) async fn wait_ready(&mut self, plane: &ControlPlane) -> anyhow::Result<()> {
        let kubectl = Kubectl::new(plane)?;
        let status = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        wait::until("the node is ready", async || {
            let answer = kubectl.run(&["get", "node", NAME, "-o", status]).await?;
            Ok(Look::at(answer.stdout == "True", self.running()?))
        })
        .await
    }

    /// The ends of the logs; an error with them when a part has ended.
    fn running(&mut self) -> anyhow::Result<String> {
        let mut ended = false;
        for part in &mut self.parts {
            ended |= part.exited()?.is_some();
        }
        anyhow::ensure!(!ended, "a part of the node ended\n{}", self.log_tails());
        Ok(self.log_tails())
    }
}
