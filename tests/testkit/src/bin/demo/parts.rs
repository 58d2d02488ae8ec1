//! What the demo starts.

use std::path::PathBuf;

use anyhow::Context as _;
use tempfile::TempDir;
use testkit::aws_sim::{AwsSim, Config};
use testkit::control_plane::ControlPlane;
use testkit::fault_proxy::FaultProxy;
use testkit::install::Install;
use testkit::kubectl::Kubectl;
use testkit::operator::Operator;
use testkit::process::remove_at_exit;

use crate::account;
use crate::story::{say, shown};

/// The team's namespace.
pub(crate) const TEAM: &str = "finance";

/// Everything that runs. What is named first ends first.
pub(crate) struct Parts {
    /// The operator.
    pub(crate) operator: Operator,
    /// What can break the operator's way to AWS.
    pub(crate) way_to_aws: FaultProxy,
    /// The simulated AWS.
    pub(crate) aws: AwsSim,
    /// kubectl as the cluster's administrator.
    pub(crate) admin: Kubectl,
    /// kubectl with the rights of a tenant in the team's namespace.
    pub(crate) tenant: Kubectl,
    /// That kubectl's kubeconfig.
    pub(crate) kubeconfig: PathBuf,
    /// The folder of the manifests.
    pub(crate) manifests: TempDir,
    _plane: ControlPlane,
}

/// The folder of the programs that were built: this one's own.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().context("a program is in a folder")?.to_owned())
}

impl Parts {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let program = folder()?.join("transcribe-operator");
        anyhow::ensure!(program.exists(), "{} is not built: use `make demo`", program.display());
        say("Starting etcd, kube-apiserver and kube-controller-manager, and a simulated AWS, on this machine");
        let config = Config {
            queue_ms: 800,
            run_ms: 2500,
            ..Config::default()
        };
        let (plane, aws) = tokio::try_join!(ControlPlane::builder().controllers().start(), AwsSim::start(config))?;
        account::furnish(&aws)?;
        println!("  API server {}, AWS simulator {}", plane.url(), aws.url());

        say("A platform team installs the chart");
        println!(
            "  $ helm install transcribe-operator charts/transcribe-operator --namespace transcribe --create-namespace \\\n      \
             --set defaultClass.region=eu-west-1 --set defaultClass.outputBucket=finance-transcripts"
        );
        let install = Install::new(&plane, &["defaultClass.outputBucket=finance-transcripts"]).await?;
        let release = install.notes.lines().take_while(|line| !line.starts_with("NOTES"));
        print!("{}", shown(&release.collect::<Vec<_>>().join("\n")));
        println!("\n  It runs beside the cluster here, as the chart's notes say, with the chart's service account.");
        let way_to_aws = FaultProxy::http(aws.url()).await?;
        let operator = install
            .operator(program, &way_to_aws.url())
            .args(["--log-format", "text", "--poll-interval", "500ms"])
            .start()?;
        operator.wait_ready().await?;
        println!("  It has made its webhook's certificate, and the API server trusts it: ready.");

        let manifests = tempfile::Builder::new().prefix("demo-").tempdir()?;
        remove_at_exit(manifests.path());
        let admin = Kubectl::new(&plane)?.in_folder(manifests.path());
        let kubeconfig = tenant(&plane, &admin).await?;
        Ok(Self {
            operator,
            way_to_aws,
            aws,
            admin,
            tenant: Kubectl::with_kubeconfig(&plane, &kubeconfig)?.in_folder(manifests.path()),
            kubeconfig,
            manifests,
            _plane: plane,
        })
    }
}

/// A namespace, and somebody in it who may edit jobs and nothing else.
async fn tenant(plane: &ControlPlane, admin: &Kubectl) -> anyhow::Result<PathBuf> {
    say("It lets the team finance submit jobs, and nothing else, in its own namespace");
    let member = format!("--serviceaccount={TEAM}:member");
    for args in [
        &["create", "namespace", TEAM][..],
        &["create", "serviceaccount", "member", "-n", TEAM],
        &[
            "create",
            "rolebinding",
            "transcription",
            "--clusterrole=transcribe-operator-jobs-edit",
            &member,
            "-n",
            TEAM,
        ],
    ] {
        println!("  $ kubectl {}", args.join(" "));
        print!("{}", shown(&admin.run(args).await?.ok()?.stdout));
    }
    plane.kubeconfig_of(TEAM, "member").await
}
