//! What the demo starts.

use std::path::PathBuf;

use anyhow::Context as _;
use tempfile::TempDir;
use testkit::aws_sim::{AwsSim, Config, Key};
use testkit::control_plane::ControlPlane;
use testkit::fault_proxy::FaultProxy;
use testkit::install::Install;
use testkit::kubectl::Kubectl;
use testkit::operator::Operator;
use testkit::process::remove_at_exit;

use crate::story::{say, shown};

/// The team's namespace.
pub(crate) const TEAM: &str = "finance";
/// An alias of a symmetric key.
pub(crate) const KEY: &str = "alias/finance-transcripts";
/// An alias of a key for signatures.
pub(crate) const SIGNING_KEY: &str = "alias/finance-signatures";

/// Everything that runs. What is named first ends first.
pub(crate) struct Parts {
    /// The operator.
    pub(crate) operator: Operator,
    /// What can break the operator's way to AWS.
    pub(crate) way_to_aws: FaultProxy,
    /// The simulated AWS.
    pub(crate) aws: AwsSim,
    /// kubectl with the rights of a tenant in the team's namespace.
    pub(crate) tenant: Kubectl,
    /// That kubectl's kubeconfig.
    pub(crate) kubeconfig: PathBuf,
    /// The folder of that tenant's manifests.
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
        keys(&aws)?;
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
            .args(["--log-format", "text", "--follow-interval", "0.5"])
            .start()?;
        operator.wait_ready().await?;
        println!("  It has made its webhook's certificate, and the API server trusts it: ready.");

        let (tenant, kubeconfig) = tenant(&plane).await?;
        let manifests = tempfile::Builder::new().prefix("demo-").tempdir()?;
        remove_at_exit(manifests.path());
        Ok(Self {
            operator,
            way_to_aws,
            aws,
            tenant: tenant.in_folder(manifests.path()),
            kubeconfig,
            manifests,
            _plane: plane,
        })
    }
}

fn keys(aws: &AwsSim) -> anyhow::Result<()> {
    let symmetric = Key::new("eu-west-1", "0d990263-018e-4e65-a703-eff731de951e");
    let signing = Key {
        key_spec: "RSA_2048".to_owned(),
        key_usage: "SIGN_VERIFY".to_owned(),
        ..Key::new("eu-west-1", "9f2c6d35-6d3a-4b0e-9b7e-0c4e1a2b3c4d")
    };
    for (alias, key) in [(KEY, symmetric), (SIGNING_KEY, signing)] {
        let arn = key.arn();
        aws.put_key(key)?;
        aws.put_alias(alias, &arn)?;
    }
    Ok(())
}

/// A namespace, and somebody in it who may edit jobs and nothing else.
async fn tenant(plane: &ControlPlane) -> anyhow::Result<(Kubectl, PathBuf)> {
    say("It lets the team finance submit jobs, and nothing else, in its own namespace");
    let admin = Kubectl::new(plane)?;
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
    let kubeconfig = plane.kubeconfig_of(TEAM, "member").await?;
    Ok((Kubectl::with_kubeconfig(plane, &kubeconfig)?, kubeconfig))
}
