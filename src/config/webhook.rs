//! The webhook's flags.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use jiff::SignedDuration;

use super::ConfigError;
use crate::admission::certificate::Lifetimes;

const DAY: u32 = 24 * 60 * 60;

/// How the webhook is served. It is served if there is a certificate: one of `--webhook-configuration` and
/// `--webhook-cert-dir` says where it comes from.
#[derive(Args, Clone, Debug)]
pub struct WebhookArgs {
    /// Where the admission webhook is served, with TLS, at the path /validate.
    #[arg(long, default_value = "[::]:9443", value_name = "ADDRESS")]
    pub webhook_listen: SocketAddr,
    /// The ValidatingWebhookConfiguration of this operator. It makes the webhook's certificate itself, renews it, and keeps
    /// the caBundle of this configuration current.
    #[arg(
        long,
        env = "WEBHOOK_CONFIGURATION",
        value_name = "NAME",
        conflicts_with = "webhook_cert_dir"
    )]
    pub webhook_configuration: Option<String>,
    /// The Secret, in the operator's namespace, of the authority that the operator makes.
    #[arg(long, default_value = "transcribe-operator-webhook-ca", value_name = "NAME")]
    pub webhook_ca_secret: String,
    /// How many seconds that authority lives. It is renewed after two thirds of them.
    #[arg(long, default_value_t = 365 * DAY, value_name = "SECONDS")]
    pub webhook_ca_lifetime: u32,
    /// How many seconds a certificate of that authority lives. It is renewed after two thirds of them.
    #[arg(long, default_value_t = 7 * DAY, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub webhook_cert_lifetime: u32,
    /// How often, in seconds, that authority, the certificate and the caBundle are looked at.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub webhook_cert_interval: f64,
    /// The folder of a certificate that somebody else keeps: tls.crt (the chain) and tls.key, both PEM. Changes are picked
    /// up.
    #[arg(long, env = "WEBHOOK_CERT_DIR", value_name = "DIR")]
    pub webhook_cert_dir: Option<PathBuf>,
}

impl WebhookArgs {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let fits = self.webhook_ca_lifetime / 3 >= self.webhook_cert_lifetime;
        fits.then_some(()).ok_or(ConfigError::CertificateLifetimes)
    }

    /// How long certificates live.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            authority: SignedDuration::from_secs(self.webhook_ca_lifetime.into()),
            served: SignedDuration::from_secs(self.webhook_cert_lifetime.into()),
        }
    }

    /// How often the certificate is looked at.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.webhook_cert_interval)
    }
}
