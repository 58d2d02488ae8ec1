//! The admin endpoints: `/metrics`, `/readyz`, `/livez`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;

use super::metrics::Metrics;

/// What is awaited while the API server would not accept the webhook's certificate.
pub const WEBHOOK: &str = "webhook";

/// Whether the process does its work, and if not, why.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// From now on the process is not ready, and this is why.
    pub fn waits(&self, what: &'static str, why: impl Into<String>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(what, why.into());
    }

    /// This is not awaited any more.
    pub fn done(&self, what: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }

    /// Whether this is awaited.
    pub fn awaits(&self, what: &'static str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(what)
    }

    fn status(&self) -> (StatusCode, String) {
        let awaited = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if awaited.is_empty() {
            return (StatusCode::OK, "ok\n".to_owned());
        }
        let why = awaited.values().flat_map(|why| [why, "\n"]).collect();
        (StatusCode::SERVICE_UNAVAILABLE, why)
    }
}

/// Serves the endpoints until the process ends.
pub async fn serve(listener: TcpListener, metrics: Metrics, ready: Readiness) -> std::io::Result<()> {
    let app = Router::new()
        .route("/metrics", get(async move || metrics.render()))
        .route("/readyz", get(async move || ready.status()))
        .route("/livez", get(async || "ok\n"));
    axum::serve(listener, app).await
}
