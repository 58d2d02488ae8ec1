//! The AWS side: the only folder that names an AWS crate.
//!
//! [`Connection`] is one identity in one Region. Its calls return values and [`AwsError`]s, never an `SdkError`,
//! because that prints headers and bodies.

mod assume;
mod classify;
mod kms;
mod not_assumed;
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
    domain::{AccountRegion, AwsError, AwsErrorKind, aws_error::UNREADABLE_REPLY},
    runtime::metrics::Metrics,
};

/// How AWS is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The Region. If empty, the SDK looks for the Region of the machine.
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

/// The time-outs of all calls. They are set because the SDK sets only a connect time-out by default, and one
/// black-holed call would block an object for ever.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(25))
        .build()
}

/// The error codes with which AWS rejects credentials that it no longer accepts.
const NOT_TAKEN: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidTokenException",
    "UnrecognizedClientException",
];

/// Credentials are renewed this long before they expire.
const AHEAD: Duration = Duration::from_mins(5);

fn identity_cache() -> impl aws_smithy_runtime_api::client::identity::ResolveCachedIdentity + 'static {
    IdentityCache::lazy().buffer_time(AHEAD).build()
}

/// What all connections share: the operator's own credentials, time-outs and endpoints, and the measured clock skew.
#[derive(Clone, Debug)]
pub struct Aws {
    shared: SdkConfig,
    settings: Settings,
    skew: Arc<signing::SkewProbe>,
    metrics: Metrics,
}

impl Aws {
    /// Loads the configuration from the environment. Nothing is sent yet.
    pub async fn load(settings: Settings, metrics: Metrics) -> Self {
        let mut shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .identity_cache(identity_cache())
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(2));
        // Without one, the SDK looks for the Region of the machine.
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

    /// Prepares the clients of a Region, with the credentials of a role or the operator's own. The clients share one
    /// cache of credentials. Nothing is sent yet.
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

    /// The skew between our clock and AWS's when AWS last answered.
    pub fn skew(&self) -> Duration {
        self.skew.last()
    }
}

impl Connection {
    /// Prepares the clients from a given configuration, which determines the credentials, time-outs and retries.
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

    /// Whether AWS no longer accepts these credentials although they have not expired, because they were revoked or
    /// their role was recreated.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Asks AWS STS which account these credentials belong to.
    pub async fn verify_identity(&self) -> Result<AccountRegion, AwsError> {
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
            AwsError::new(AwsErrorKind::Ambiguous, UNREADABLE_REPLY, message)
        })?;
        Ok(AccountRegion {
            account,
            region: self.region.clone(),
        })
    }

    /// The Region of the jobs.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The skew between our clock and AWS's when AWS last answered.
    pub fn skew(&self) -> Duration {
        self.skew.last()
    }

    fn count<T>(&self, operation: &'static str, reply: &Result<T, AwsError>) {
        let fault = reply.as_ref().err();
        if fault.is_some_and(|fault| NOT_TAKEN.contains(&fault.code.as_str())) {
            self.refused.store(true, Ordering::Relaxed);
        }
        self.metrics.aws_call(operation, fault);
    }
}
