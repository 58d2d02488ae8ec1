//! The flags of `run`.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use clap::Args;

use crate::{
    api::types::KmsKeyRef,
    aws,
    cli::{
        config_error::ConfigError,
        install::InstallArgs,
        values::{duration, interval},
        webhook::WebhookArgs,
    },
    domain::{NamePrefix, ProtocolLimits},
    runtime::telemetry::LogFormat,
};

/// How long AWS accepts a signed request.
const SIGNATURE_WINDOW: Duration = Duration::from_mins(15);
/// The smallest tolerated clock difference that is safe with AWS itself.
const MAX_SKEW: Duration = Duration::from_secs(150);

/// The flags of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The default class.
    #[command(flatten)]
    pub install: InstallArgs,
    /// The id that tells this cluster's jobs from those of other clusters in the account: 1 to 100 characters of a-z
    /// and 0-9. Default: the uid of the namespace kube-system without dashes. Set it when a cluster was cloned.
    #[arg(long, env = "CLUSTER_ID")]
    pub cluster_id: Option<String>,
    /// How long to wait before a rejected KMS key is checked again.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = interval)]
    pub key_recheck_interval: Duration,
    /// The admission webhook.
    #[command(flatten)]
    pub webhook: WebhookArgs,
    /// A custom endpoint for AWS KMS.
    #[arg(long, env = "AWS_ENDPOINT_URL_KMS", value_name = "URL")]
    pub kms_endpoint: Option<String>,
    /// A custom endpoint for Amazon Transcribe.
    #[arg(long, env = "AWS_ENDPOINT_URL_TRANSCRIBE", value_name = "URL")]
    pub transcribe_endpoint: Option<String>,
    /// A custom endpoint for AWS STS.
    #[arg(long, env = "AWS_ENDPOINT_URL_STS", value_name = "URL")]
    pub sts_endpoint: Option<String>,
    /// Allow endpoints without TLS, for emulators on this machine.
    #[arg(long)]
    pub allow_insecure_endpoints: bool,
    /// The address that serves /metrics, /readyz and /livez.
    #[arg(long, default_value = "[::]:8080", value_name = "ADDRESS")]
    pub metrics_listen: SocketAddr,
    /// How long the endpoint accepts a signed request. AWS: 15m. Less is allowed only with an emulator as
    /// --transcribe-endpoint.
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = duration)]
    pub signature_window: Duration,
    /// The largest difference between the operator's clock and AWS's at which jobs are submitted. Less than 150s is
    /// allowed only with an emulator as --transcribe-endpoint.
    #[arg(long, default_value = "150s", value_name = "TIME", value_parser = duration)]
    pub max_skew: Duration,
    /// How long a deleted object waits for its AWS record before the garbage collector takes over.
    #[arg(long, default_value = "2m", value_name = "TIME", value_parser = duration)]
    pub deletion_max_wait: Duration,
    /// How often running jobs are listed.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = interval)]
    pub poll_interval: Duration,
    /// How often the garbage collector searches for records without an object.
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = interval)]
    pub gc_interval: Duration,
    /// Only count the records without an object, and delete none of them.
    #[arg(long)]
    pub gc_dry_run: bool,
    /// How many objects of a kind are reconciled at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// How long a reconcile of one object may take before it is aborted and retried.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = interval)]
    pub reconcile_timeout: Duration,
    /// The namespace of the operator's own objects, such as the webhook's Secret.
    #[arg(long, env = "POD_NAMESPACE", default_value = "transcribe-operator")]
    pub namespace: String,
    /// The name of the Pod, which Events name as their reporter.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// The format of log lines.
    #[arg(long, value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Which log lines are written, in the syntax of RUST_LOG.
    // kube logs each reconcile, which the operator already does in shorter lines.
    #[arg(long, env = "RUST_LOG", default_value = "info,kube_runtime=warn")]
    pub log: String,
}

/// Whether an endpoint belongs to AWS, such as one in a VPC. Then AWS's bounds apply.
fn is_aws(url: &str) -> bool {
    let host = url.split('/').nth(2).unwrap_or_default();
    host.contains(".amazonaws.") || host.contains(".api.aws")
}

impl RunArgs {
    /// Rejects unsafe combinations of flags.
    pub fn check(&self) -> Result<(), ConfigError> {
        let insecure = [&self.transcribe_endpoint, &self.kms_endpoint, &self.sts_endpoint]
            .into_iter()
            .flatten()
            .find(|url| !url.starts_with("https://"));
        if let Some(url) = insecure.filter(|_| !self.allow_insecure_endpoints) {
            return Err(ConfigError::InsecureEndpoint(url.clone()));
        }
        let smaller = self.signature_window < SIGNATURE_WINDOW || self.max_skew < MAX_SKEW;
        if smaller && self.transcribe_endpoint.as_deref().is_none_or(is_aws) {
            return Err(ConfigError::UnsafeBound);
        }
        self.webhook.check()?;
        let key_region = self.install.default_kms_key.as_ref().and_then(KmsKeyRef::region);
        if let (Some(of_key), Some(region)) = (key_region, &self.install.region)
            && of_key != region.as_str()
        {
            return Err(ConfigError::DefaultKeyRegion(of_key.to_owned(), region.to_string()));
        }
        Ok(())
    }

    /// The addresses to try to listen on, in order. `[::]` falls back to `0.0.0.0`, for a machine without IPv6.
    pub fn addresses(asked: SocketAddr) -> Vec<SocketAddr> {
        let any_ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, asked.port()));
        let fallback = (asked.ip() == Ipv6Addr::UNSPECIFIED).then_some(any_ipv4);
        std::iter::once(asked).chain(fallback).collect()
    }

    /// The bounds of the protocol, for the decisions.
    pub fn limits(&self, cluster_id: &str) -> Result<ProtocolLimits, ConfigError> {
        Ok(ProtocolLimits {
            prefix: NamePrefix::new(cluster_id)?,
            signature_window: self.signature_window,
            max_skew: self.max_skew,
            deletion_max_wait: self.deletion_max_wait,
            key_recheck_interval: self.key_recheck_interval,
        })
    }

    /// The settings of the AWS clients.
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
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Command};

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
        let limits = args(&[]).unwrap().limits("c1").unwrap();
        assert_eq!(limits.in_flight_bound(), Duration::from_mins(20));
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
            ["--signature-window", "899s"],
            ["--max-skew", "149s"],
            ["--max-skew", "0s"],
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
        checked(&["--signature-window", "901s", "--max-skew", "151s"]).unwrap();
    }

    #[test]
    fn a_bound_beyond_all_time_is_one() {
        let most = format!("{}s", i64::MAX);
        let args = args(&["--signature-window", &most, "--max-skew", &most]).unwrap();
        let bound = args.limits("c1").unwrap().in_flight_bound();
        assert!(bound >= Duration::from_secs(i64::MAX.unsigned_abs()), "{bound:?}");
    }

    #[test]
    fn what_would_run_for_ever_or_not_at_all_is_refused() {
        for flag in [
            "--poll-interval",
            "--gc-interval",
            "--webhook-cert-interval",
            "--reconcile-timeout",
            "--key-recheck-interval",
        ] {
            for value in ["0s", "-1s", "1", "NaN", "inf", "1e300s"] {
                args(&[&format!("{flag}={value}")]).unwrap_err();
            }
            args(&[flag, "200ms"]).unwrap();
        }
        args(&["--concurrency", "0"]).unwrap_err();
        args(&["--concurrency", "1"]).unwrap();
    }

    #[test]
    fn a_cluster_id_is_short_and_plain() {
        for id in ["", "C1", "c-1", "c_1", &"c".repeat(101)] {
            assert!(
                matches!(args(&[]).unwrap().limits(id), Err(ConfigError::ClusterId(_))),
                "{id}"
            );
        }
        args(&[]).unwrap().limits(&"c".repeat(100)).unwrap();
    }
}
