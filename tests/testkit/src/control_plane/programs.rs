//! Where the Kubernetes programs are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context as _;

/// The path of one of the Kubernetes programs: `kube-apiserver`, `kube-controller-manager`, `etcd`, `kubectl`, `helm`.
///
/// Looked for in `KUBEBUILDER_ASSETS`, in the cache folder of `scripts/control-plane` (which builds them when it has to,
/// once, and says so), and for those that `KUBEBUILDER_ASSETS` does not hold, in the cache and on the `PATH`.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let mut folders = vec![built()?.clone()];
    if env::var_os("KUBEBUILDER_ASSETS").is_some() {
        folders.push(cached()?);
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    }
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()).with_context(|| {
        format!("there is no {name} in KUBEBUILDER_ASSETS, in the cache or on the PATH; unset KUBEBUILDER_ASSETS to have it built")
    })
}

fn built() -> anyhow::Result<&'static PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| script(&mut command()).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|e| anyhow::anyhow!("{e}"))
}

fn cached() -> anyhow::Result<PathBuf> {
    script(command().arg("--print-dir").env_remove("KUBEBUILDER_ASSETS"))
}

fn command() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/control-plane"))
}

fn script(command: &mut Command) -> anyhow::Result<PathBuf> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("scripts/control-plane")?;
    anyhow::ensure!(
        output.status.success(),
        "scripts/control-plane failed; what it said is above"
    );
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
