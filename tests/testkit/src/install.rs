//! The chart, installed by the real helm for an operator that runs beside the cluster, as its notes tell a user to.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::control_plane::ControlPlane;
use crate::kubectl::Helm;
use crate::operator::{Builder, Operator};
use crate::ports;
use crate::rights::Account;
use crate::stage::{REGION, repository};

/// The release's namespace.
pub const NAMESPACE: &str = "transcribe";
/// The name of the release, and so of what it installs.
pub const RELEASE: &str = "transcribe-operator";

/// The path of the chart.
pub fn chart() -> anyhow::Result<String> {
    let chart = repository().join("charts/transcribe-operator");
    Ok(chart
        .to_str()
        .context("the path of the repository is not UTF-8")?
        .to_owned())
}

/// An installed release.
pub struct Install {
    /// What helm printed.
    pub notes: String,
    /// The chart's service account.
    pub account: Account,
    kubeconfig: String,
    /// The arguments that the notes say to start the operator with.
    pub args: Vec<String>,
    /// Where the API server calls the webhook.
    pub url: String,
    port: u16,
}

impl Install {
    /// Installs the chart with a default class and with these further values (`--set`).
    pub async fn new(plane: &ControlPlane, values: &[&str]) -> anyhow::Result<Self> {
        let region = format!("defaultClass.region={REGION}");
        Self::without_default_class(plane, &[&[&*region], values].concat()).await
    }

    /// Installs the chart with these values.
    pub async fn without_default_class(plane: &ControlPlane, values: &[&str]) -> anyhow::Result<Self> {
        let port = ports::free()?;
        let url = format!("https://127.0.0.1:{port}/validate");
        let at = format!("webhook.url={url}");
        let chart = chart()?;
        let mut args = vec![
            "install",
            RELEASE,
            &chart,
            "--namespace",
            NAMESPACE,
            "--create-namespace",
        ];
        for value in [&*at].iter().chain(values) {
            args.extend(["--set", value]);
        }
        let notes = Helm::new(plane)?.run(&args).await?.ok()?.stdout;
        let account = Account::of(plane, NAMESPACE, RELEASE).await?;
        Ok(Self {
            kubeconfig: plane.kubeconfig_text(&plane.url(), account.token()),
            account,
            args: arguments(&notes).context("the notes do not say how to start the operator")?,
            notes,
            url,
            port,
        })
    }

    /// The operator, started as the notes say, with its webhook where the API server looks for it, and with this in the
    /// place of AWS.
    pub fn operator(&self, program: impl Into<PathBuf>, aws: &str) -> Builder {
        Operator::builder(program, self.kubeconfig.clone())
            .args(&self.args)
            .emulator(aws)
            .args(["--webhook-listen", &format!("127.0.0.1:{}", self.port)])
    }
}

/// The lines after the program's name: one quoted argument each, and a backslash but for the last.
fn arguments(notes: &str) -> Option<Vec<String>> {
    let (_, rest) = notes.split_once("  transcribe-operator \\\n")?;
    let mut args = Vec::new();
    for line in rest.lines() {
        let line = line.trim();
        let last = !line.ends_with('\\');
        args.push(line.trim_end_matches('\\').trim().trim_matches('"').to_owned());
        if last {
            return Some(args);
        }
    }
    None
}
