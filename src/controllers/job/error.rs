//! Why a reconcile failed.

/// Why a reconcile failed. An answer of AWS is not an error but an [`Outcome`](crate::domain::Outcome).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server answered with an error, or could not be reached.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// The API server did not answer in time.
    #[error("the API server did not answer in time")]
    ApiTimeout,
    /// The reconcile took too long.
    #[error("the reconcile took longer than allowed")]
    TimedOut,
    /// The reconcile panicked.
    #[error("the reconcile panicked")]
    Panicked,
}
