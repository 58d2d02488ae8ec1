//! Flags and environment.

mod install;
mod webhook;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
pub use install::InstallArgs;
pub use webhook::WebhookArgs;

use crate::{
    api::types::KmsKeyRef,
    aws,
    check::CheckArgs,
    lifecycle::{NameHead, Rules},
    runtime::telemetry::LogFormat,
};

/// For how long AWS accepts a signed request.
const SIGNATURE_WINDOW: Duration = Duration::from_mins(15);

/// Runs Amazon Transcribe jobs from Kubernetes: once, and encrypted as asked.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    #[command(args_override_self = true)]
    Run(Box<RunArgs>),
    /// Print the CustomResourceDefinitions.
    Crds {
        /// Write one file for each kind into this folder instead.
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// Say of manifests whether they would be admitted, without a cluster and without AWS.
    ///
    /// Exits with 0 when all are allowed, 1 when one is denied, 2 when something cannot be read.
    Check(CheckArgs),
    /// Print the reference of the API.
    #[command(hide = true)]
    Reference,
}

/// The flags of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The default class.
    #[command(flatten)]
    pub install: InstallArgs,
    /// What tells this cluster's jobs from others' in the account: 1 to 100 of a-z and 0-9. Default: the uid of the
    /// namespace kube-system without dashes. Set it when a cluster was cloned.
    #[arg(long, env = "CLUSTER_ID")]
    pub cluster_id: Option<String>,
    /// After how many seconds a key that was refused is judged again.
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub key_retry: u64,
    /// The admission webhook.
    #[command(flatten)]
    pub webhook: WebhookArgs,
    /// Another endpoint for AWS KMS.
    #[arg(long, env = "AWS_ENDPOINT_URL_KMS", value_name = "URL")]
    pub kms_endpoint: Option<String>,
    /// Another endpoint for Amazon Transcribe.
    #[arg(long, env = "AWS_ENDPOINT_URL_TRANSCRIBE", value_name = "URL")]
    pub transcribe_endpoint: Option<String>,
    /// Another endpoint for AWS STS.
    #[arg(long, env = "AWS_ENDPOINT_URL_STS", value_name = "URL")]
    pub sts_endpoint: Option<String>,
    /// Accept endpoints without TLS. For emulators on this machine.
    #[arg(long)]
    pub allow_insecure_endpoints: bool,
    /// Where /metrics, /readyz and /livez are served.
    #[arg(long, default_value = "[::]:8080", value_name = "ADDRESS")]
    pub metrics_listen: SocketAddr,
    /// For how many seconds the endpoint accepts a signed request. AWS: 900. Less is accepted only with another endpoint.
    #[arg(long, default_value_t = SIGNATURE_WINDOW.as_secs(), value_name = "SECONDS")]
    pub signature_window: u64,
    /// The difference between our clock and AWS's, in seconds, beyond which nothing is submitted. Less than 150 is accepted
    /// only with another endpoint.
    #[arg(long, default_value_t = 150, value_name = "SECONDS")]
    pub max_skew: u64,
    /// For how many seconds a deleted object waits for its AWS record before the sweeper takes over.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub deletion_max_wait: u64,
    /// How often, in seconds, running jobs are listed.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub follow_interval: f64,
    /// How often, in seconds, records without an object are looked for.
    #[arg(long, default_value_t = 900.0, value_name = "SECONDS")]
    pub orphan_interval: f64,
    /// Only count the records without an object, and delete none.
    #[arg(long)]
    pub orphan_dry_run: bool,
    /// How many objects of a kind are worked on at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// After how many seconds the work on one object is given up and begun anew.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub pass_timeout: u64,
    /// The namespace that the operator keeps its own things in.
    #[arg(long, env = "POD_NAMESPACE", default_value = "transcribe-operator")]
    pub namespace: String,
    /// The name of the Pod, for the Events.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Which log lines are written, in the syntax of RUST_LOG.
    // kube says of each pass what the operator says shorter.
    #[arg(long, env = "RUST_LOG", default_value = "info,kube_runtime=warn")]
    pub log: String,
}

/// An account id.
pub(crate) fn account(text: &str) -> Result<String, &'static str> {
    let is_one = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one
        .then(|| text.to_owned())
        .ok_or("must be an account id of 12 digits")
}

/// An endpoint within AWS, such as that of a VPC: its bounds are AWS's.
fn is_aws(url: &str) -> bool {
    let host = url.split('/').nth(2).unwrap_or_default();
    host.contains(".amazonaws.") || host.contains(".api.aws")
}

/// Why flags do not go together.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An endpoint without TLS.
    #[error("{0} is not https: the requests would be readable on the way. --allow-insecure-endpoints accepts it")]
    InsecureEndpoint(String),
    /// A bound that is safe only with an emulator.
    #[error(
        "--signature-window and --max-skew may be smaller than AWS's (900 and 150) only with an emulator as \
         --transcribe-endpoint"
    )]
    UnsafeBound,
    /// An interval that is none.
    #[error("--follow-interval, --orphan-interval and --webhook-cert-interval must be positive numbers of seconds")]
    BadInterval,
    /// A default key that no job can use.
    #[error("--default-kms-key is in {0}, but the jobs run in {1}; use a key of {1}")]
    DefaultKeyRegion(String, String),
    /// Certificates that would outlive their authority.
    #[error("--webhook-ca-lifetime must be at least three times --webhook-cert-lifetime")]
    CertificateLifetimes,
    /// Not a cluster id.
    #[error("--cluster-id: {0}")]
    ClusterId(#[from] crate::lifecycle::name::BadClusterId),
}

impl RunArgs {
    /// Refuses what is unsafe.
    pub fn check(&self) -> Result<(), ConfigError> {
        let insecure = [&self.transcribe_endpoint, &self.kms_endpoint, &self.sts_endpoint]
            .into_iter()
            .flatten()
            .find(|url| !url.starts_with("https://"));
        if let Some(url) = insecure.filter(|_| !self.allow_insecure_endpoints) {
            return Err(ConfigError::InsecureEndpoint(url.clone()));
        }
        let smaller = self.signature_window < SIGNATURE_WINDOW.as_secs() || self.max_skew < 150;
        if smaller && self.transcribe_endpoint.as_deref().is_none_or(is_aws) {
            return Err(ConfigError::UnsafeBound);
        }
        self.webhook.check()?;
        let intervals = [
            self.follow_interval,
            self.orphan_interval,
            self.webhook.webhook_cert_interval,
        ];
        if intervals
            .iter()
            .any(|seconds| Duration::try_from_secs_f64(*seconds).map_or(true, |d| d.is_zero()))
        {
            return Err(ConfigError::BadInterval);
        }
        let key_region = self.install.default_kms_key.as_ref().and_then(KmsKeyRef::region);
        if let (Some(of_key), Some(region)) = (key_region, &self.install.region)
            && of_key != region.as_str()
        {
            return Err(ConfigError::DefaultKeyRegion(of_key.to_owned(), region.to_string()));
        }
        Ok(())
    }

    /// Where to serve at an address. A machine without IPv6 takes any of its IPv4 addresses for any at all.
    pub fn addresses(asked: SocketAddr) -> Vec<SocketAddr> {
        let any_ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, asked.port()));
        let fallback = (asked.ip() == Ipv6Addr::UNSPECIFIED).then_some(any_ipv4);
        std::iter::once(asked).chain(fallback).collect()
    }

    /// The bounds that decisions rest on.
    pub fn rules(&self, cluster_id: &str) -> Result<Rules, ConfigError> {
        Ok(Rules {
            head: NameHead::new(cluster_id)?,
            signature_window: Duration::from_secs(self.signature_window),
            max_skew: Duration::from_secs(self.max_skew),
            deletion_max_wait: Duration::from_secs(self.deletion_max_wait),
            key_retry: Duration::from_secs(self.key_retry),
        })
    }

    /// How AWS is reached.
    pub fn aws(&self) -> aws::Settings {
        aws::Settings {
            region: self
                .install
                .region
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            transcribe_endpoint: self.transcribe_endpoint.clone(),
            kms_endpoint: self.kms_endpoint.clone(),
            sts_endpoint: self.sts_endpoint.clone(),
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]
mod tests {
    use super::*;

    fn args(flags: &[&str]) -> Result<RunArgs, clap::Error> {
        let words = ["transcribe-operator", "run", "--region", "eu-west-1"];
        match Cli::try_parse_from(words.iter().chain(flags))?.command {
            Command::Run(args) => Ok(*args),
            other => panic!("not run: {other:?}"),
        }
    }

    fn checked(flags: &[&str]) -> Result<(), ConfigError> {
        args(flags).unwrap().check()
    }

    const EMULATOR: [&str; 2] = ["--transcribe-endpoint", "https://localhost:4566"];

    #[test]
    fn the_defaults_are_accepted_and_are_awss() {
        checked(&[]).unwrap();
        let rules = args(&[]).unwrap().rules("c1").unwrap();
        assert_eq!(rules.in_flight_bound(), Duration::from_mins(20));
    }

    #[test]
    fn an_endpoint_without_tls_must_be_accepted_by_a_flag() {
        for flag in ["--transcribe-endpoint", "--kms-endpoint", "--sts-endpoint"] {
            for url in ["http://localhost:4566", "localhost:4566", "ftp://localhost"] {
                let refused = checked(&[flag, url]);
                assert!(
                    matches!(refused, Err(ConfigError::InsecureEndpoint(is)) if is == url),
                    "{flag} {url}"
                );
                checked(&[flag, url, "--allow-insecure-endpoints"]).unwrap();
            }
            checked(&[flag, "https://localhost:4566"]).unwrap();
        }
    }

    #[test]
    fn smaller_bounds_are_for_emulators() {
        for smaller in [
            ["--signature-window", "899"],
            ["--max-skew", "149"],
            ["--max-skew", "0"],
        ] {
            assert!(
                matches!(checked(&smaller), Err(ConfigError::UnsafeBound)),
                "{smaller:?}"
            );
            checked(&[&smaller[..], &EMULATOR].concat()).unwrap();
            for endpoint in [
                "https://vpce-1.transcribe.eu-west-1.vpce.amazonaws.com",
                "https://transcribe.cn-north-1.amazonaws.com.cn/",
                "https://transcribe.eu-west-1.api.aws",
            ] {
                let flags = [&smaller[..], &["--transcribe-endpoint", endpoint]].concat();
                assert!(matches!(checked(&flags), Err(ConfigError::UnsafeBound)), "{endpoint}");
            }
        }
        checked(&["--signature-window", "901", "--max-skew", "151"]).unwrap();
    }

    #[test]
    fn a_bound_beyond_all_time_is_one() {
        let most = u64::MAX.to_string();
        let args = args(&["--signature-window", &most, "--max-skew", &most]).unwrap();
        assert_eq!(args.rules("c1").unwrap().in_flight_bound(), Duration::MAX);
    }

    #[test]
    fn what_would_run_for_ever_or_not_at_all_is_refused() {
        for flag in ["--follow-interval", "--orphan-interval", "--webhook-cert-interval"] {
            for value in ["0", "-1", "NaN", "inf", "1e300", "0.0000000001"] {
                let flag = format!("{flag}={value}");
                assert!(matches!(checked(&[&flag]), Err(ConfigError::BadInterval)), "{flag}");
            }
            checked(&[flag, "0.2"]).unwrap();
        }
        for flag in ["--concurrency", "--pass-timeout"] {
            args(&[flag, "0"]).unwrap_err();
            args(&[flag, "1"]).unwrap();
        }
    }

    #[test]
    fn a_cluster_id_is_short_and_plain() {
        for id in ["", "C1", "c-1", "c_1", &"c".repeat(101)] {
            assert!(
                matches!(args(&[]).unwrap().rules(id), Err(ConfigError::ClusterId(_))),
                "{id}"
            );
        }
        args(&[]).unwrap().rules(&"c".repeat(100)).unwrap();
    }
}
