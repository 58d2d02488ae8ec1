//! Why flags are rejected.

/// Why flags are rejected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An endpoint without TLS.
    #[error("{0} is not https: requests would be readable in transit. Set --allow-insecure-endpoints to allow it")]
    InsecureEndpoint(String),
    /// A bound smaller than AWS's, which is safe only with an emulator.
    #[error(
        "--signature-window and --max-skew may be smaller than AWS's (15m and 150s) only with an emulator as \
         --transcribe-endpoint"
    )]
    UnsafeBound,
    /// A default key in another Region than the jobs, so that no job can use it.
    #[error("--default-kms-key is in {0}, but the jobs run in {1}; use a key of {1}")]
    DefaultKeyRegion(String, String),
    /// Certificate lifetimes with which a certificate could outlive its authority.
    #[error("--webhook-ca-lifetime must be at least three times --webhook-cert-lifetime")]
    CertificateLifetimes,
    /// Not a valid cluster id.
    #[error("--cluster-id: {0}")]
    ClusterId(#[from] crate::domain::job::name::BadClusterId),
}
