//! The webhook's flags.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use jiff::SignedDuration;

use crate::{
    cli::{config_error::ConfigError, values::interval},
    webhook::certificate::Lifetimes,
};

/// The flags of the webhook. It is served if `--webhook-configuration` or `--webhook-cert-dir` sets the source of its
/// certificate.
#[derive(Args, Clone, Debug)]
pub struct WebhookArgs {
    /// The address that serves the admission webhook, with TLS, at the path /validate.
    #[arg(long, default_value = "[::]:9443", value_name = "ADDRESS")]
    pub webhook_listen: SocketAddr,
    /// The ValidatingWebhookConfiguration of this operator. If set, the operator issues and renews the webhook's
    /// certificate itself, and keeps the caBundle of this configuration current.
    #[arg(
        long,
        env = "WEBHOOK_CONFIGURATION",
        value_name = "NAME",
        conflicts_with = "webhook_cert_dir"
    )]
    pub webhook_configuration: Option<String>,
    /// The Secret, in the operator's namespace, of the operator's own certificate authority.
    #[arg(long, default_value = "transcribe-operator-webhook-ca", value_name = "NAME")]
    pub webhook_ca_secret: String,
    /// The lifetime of that authority. It is renewed after two thirds of that time. Default: a year.
    #[arg(long, default_value = "8760h", value_name = "TIME", value_parser = interval)]
    pub webhook_ca_lifetime: Duration,
    /// The lifetime of a certificate of that authority. It is renewed after two thirds of that time. Default: a week.
    #[arg(long, default_value = "168h", value_name = "TIME", value_parser = interval)]
    pub webhook_cert_lifetime: Duration,
    /// How often that authority, the certificate and the caBundle are checked.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = interval)]
    pub webhook_cert_interval: Duration,
    /// The folder of a certificate that somebody else renews: tls.crt (the chain) and tls.key, both PEM. It is reloaded
    /// when it changes.
    #[arg(long, env = "WEBHOOK_CERT_DIR", value_name = "DIR")]
    pub webhook_cert_dir: Option<PathBuf>,
}

impl WebhookArgs {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let fits = self.webhook_ca_lifetime / 3 >= self.webhook_cert_lifetime;
        fits.then_some(()).ok_or(ConfigError::CertificateLifetimes)
    }

    /// The lifetimes of certificates.
    pub fn lifetimes(&self) -> Lifetimes {
        let signed = |time: Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        Lifetimes {
            authority: signed(self.webhook_ca_lifetime),
            served: signed(self.webhook_cert_lifetime),
        }
    }
}
