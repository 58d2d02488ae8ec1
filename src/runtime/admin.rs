//! The admin endpoints: `/metrics`, `/readyz`, `/livez`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;

use super::metrics::Metrics;

/// Whether the process does its work: the objects are listed.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on the process is ready.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn status(&self) -> (StatusCode, &'static str) {
        if self.0.load(Ordering::Relaxed) {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "the objects are not listed yet\n")
        }
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
