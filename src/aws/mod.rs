//! The other side: the only folder that names an AWS crate.
//!
//! [`Connection`] is one identity in one Region. Its calls return values and [`Fault`]s, never an `SdkError`: those print
//! headers and bodies.

mod assume;
mod classify;
mod kms;
mod signing;
pub mod transcribe;
mod uri;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use assume::Assumed;
pub use assume::Role;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::{
    lifecycle::{Fault, FaultKind, Identity, fault::UNREADABLE_REPLY},
    runtime::metrics::Metrics,
};

/// How AWS is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The Region. Without one the SDK looks for that of the machine.
    pub region: String,
    /// Another endpoint for Amazon Transcribe (an emulator, or a VPC endpoint).
    pub transcribe_endpoint: Option<String>,
    /// Another endpoint for AWS KMS.
    pub kms_endpoint: Option<String>,
    /// Another endpoint for AWS STS.
    pub sts_endpoint: Option<String>,
}

/// One identity in one Region.
#[derive(Clone, Debug)]
pub struct Connection {
    transcribe: aws_sdk_transcribe::Client,
    kms: aws_sdk_kms::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    skew: Arc<signing::SkewProbe>,
    refused: Arc<AtomicBool>,
    metrics: Metrics,
}

/// The SDK sets only a connect timeout by itself; one black-holed call would hold an object for ever.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(25))
        .build()
}

/// What AWS answers to credentials that it takes no more.
const NOT_TAKEN: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidTokenException",
    "UnrecognizedClientException",
];

/// Credentials are fetched anew this long before they end.
const AHEAD: Duration = Duration::from_mins(5);

fn identity_cache() -> impl aws_smithy_runtime_api::client::identity::ResolveCachedIdentity + 'static {
    IdentityCache::lazy().buffer_time(AHEAD).build()
}

/// What all connections have in common: the operator's own credentials, time-outs and endpoints, and the clock.
#[derive(Clone, Debug)]
pub struct Aws {
    shared: SdkConfig,
    settings: Settings,
    skew: Arc<signing::SkewProbe>,
    metrics: Metrics,
}

impl Aws {
    /// Reads the environment. Nothing is sent yet.
    pub async fn load(settings: Settings, metrics: Metrics) -> Self {
        let mut shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .identity_cache(identity_cache())
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(2));
        // Otherwise the SDK looks for the Region of the machine.
        if !settings.region.is_empty() {
            shared = shared.region(Region::new(settings.region.clone()));
        }
        let shared = shared.load().await.into_builder();
        Self {
            shared: shared.disable_clock_skew_correction(true).build(),
            settings,
            skew: Arc::default(),
            metrics,
        }
    }

    /// Prepares the clients of a Region with the credentials of a role, or the operator's own. They share one cache of
    /// credentials. Nothing is sent yet.
    pub async fn connect(&self, region: &str, role: Option<&Role>) -> Connection {
        let mut shared = self
            .shared
            .clone()
            .into_builder()
            .region(Region::new(region.to_owned()));
        if let Some(role) = role {
            shared = shared.credentials_provider(self.assume(role, region).await);
            shared = shared.identity_cache(identity_cache());
        }
        let settings = Settings {
            region: region.to_owned(),
            ..self.settings.clone()
        };
        Connection::with_probe(&shared.build(), &settings, self.skew.clone(), self.metrics.clone())
    }

    async fn assume(&self, role: &Role, region: &str) -> SharedCredentialsProvider {
        let mut sts = self
            .shared
            .clone()
            .into_builder()
            .region(Region::new(region.to_owned()));
        if self.settings.sts_endpoint.is_some() {
            sts.set_endpoint_url(self.settings.sts_endpoint.clone());
        }
        SharedCredentialsProvider::new(Assumed::new(role, &sts.build()).await)
    }

    /// How far our clock and AWS's were apart when AWS last answered.
    pub fn skew(&self) -> Duration {
        self.skew.last()
    }
}

impl Connection {
    /// Prepares the clients with a way to AWS of one's own: its credentials, time-outs and retries are those of the
    /// configuration given.
    pub fn from_config(shared: &SdkConfig, settings: &Settings, metrics: Metrics) -> Self {
        Self::with_probe(shared, settings, Arc::default(), metrics)
    }

    fn with_probe(shared: &SdkConfig, settings: &Settings, skew: Arc<signing::SkewProbe>, metrics: Metrics) -> Self {
        let mut transcribe = aws_sdk_transcribe::config::Builder::from(shared)
            .disable_clock_skew_correction(true)
            .interceptor(signing::SharedProbe(skew.clone()));
        transcribe.set_endpoint_url(settings.transcribe_endpoint.clone());
        let mut kms = aws_sdk_kms::config::Builder::from(shared)
            .disable_clock_skew_correction(true)
            .interceptor(signing::SharedProbe(skew.clone()));
        kms.set_endpoint_url(settings.kms_endpoint.clone());
        let mut sts = aws_sdk_sts::config::Builder::from(shared)
            .disable_clock_skew_correction(true)
            .interceptor(signing::SharedProbe(skew.clone()));
        sts.set_endpoint_url(settings.sts_endpoint.clone());
        Self {
            transcribe: aws_sdk_transcribe::Client::from_conf(transcribe.build()),
            kms: aws_sdk_kms::Client::from_conf(kms.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            region: settings.region.clone(),
            skew,
            refused: Arc::default(),
            metrics,
        }
    }

    /// AWS takes these credentials no more, although their time is not over: they were revoked, or their role was made anew.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Asks AWS whose credentials these are.
    pub async fn verify_identity(&self) -> Result<Identity, Fault> {
        let reply = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|e| classify::fault(&e));
        self.count("GetCallerIdentity", &reply);
        let account = reply?.account.filter(|account| !account.is_empty());
        let account = account.ok_or_else(|| {
            let message = "AWS's reply names no account";
            Fault::new(FaultKind::Ambiguous, UNREADABLE_REPLY, message)
        })?;
        Ok(Identity {
            account,
            region: self.region.clone(),
        })
    }

    /// The Region of the jobs.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// How far our clock and AWS's were apart when AWS last answered.
    pub fn skew(&self) -> Duration {
        self.skew.last()
    }

    fn count<T>(&self, operation: &'static str, reply: &Result<T, Fault>) {
        let fault = reply.as_ref().err();
        if fault.is_some_and(|fault| NOT_TAKEN.contains(&fault.code.as_str())) {
            self.refused.store(true, Ordering::Relaxed);
        }
        self.metrics.aws_call(operation, fault);
    }
}
