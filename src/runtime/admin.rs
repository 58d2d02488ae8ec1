//! The admin endpoints: `/metrics`, `/readyz`, `/livez`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, http::StatusCode, routing::get};
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::runtime::metrics::Metrics;

/// The check that fails while the API server would not accept the webhook's certificate.
pub const WEBHOOK: &str = "webhook";

/// Whether the process is ready, and if not, which checks fail and why.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Marks a check as failing; `why` is what `/readyz` answers. The process is not ready until the check is done.
    pub fn waits(&self, what: &'static str, why: impl Into<String>) {
        self.0.lock().insert(what, why.into());
    }

    /// Marks a check as done, so that it no longer keeps the process from being ready.
    pub fn done(&self, what: &'static str) {
        self.0.lock().remove(what);
    }

    /// Whether a check still fails.
    pub fn awaits(&self, what: &'static str) -> bool {
        self.0.lock().contains_key(what)
    }

    fn status(&self) -> (StatusCode, String) {
        let awaited = self.0.lock();
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
