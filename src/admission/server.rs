//! The webhook's shell: TLS and HTTP within bounds, and the questions to AWS.

use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use axum_server::{accept::NoDelayAcceptor, tls_rustls::RustlsAcceptor};
use hyper_util::rt::TokioTimer;
use kube::core::{
    DynamicObject,
    admission::{AdmissionRequest, AdmissionReview},
};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use tracing::{debug, info};

use super::{
    Verdict,
    certificate::{self, Managed},
    response, submitted,
};
use crate::{
    class::{Binder, ClassStore},
    lifecycle::{Desired, KeyVerdict, Refusal, Subject, fault::TIMEOUT, key::unanswered},
    runtime::metrics::Metrics,
};

/// The API server takes objects of 3 MiB at most; a review of an update holds two of them.
const LARGEST_BODY: usize = 7 * 1024 * 1024;
/// How many reviews are judged at the same time; further ones wait their turn.
const AT_ONCE: usize = 128;
/// The API server waits five seconds.
const LONGEST: Duration = Duration::from_millis(4500);
/// How long KMS is waited for: the rest of the time is for the way there and back.
const KMS_TAKES: Duration = Duration::from_secs(3);
/// The time that a client has for its request's head, and for the TLS handshake.
const HEAD: Duration = Duration::from_secs(5);

/// What a review needs.
#[derive(Clone)]
pub struct Webhook {
    /// The classes of the kinds that are served.
    pub binders: Arc<[Binder]>,
    /// The sessions of the classes.
    pub classes: Arc<ClassStore>,
    /// Counts.
    pub metrics: Metrics,
}

/// Where the certificate comes from.
pub enum Source {
    /// From files that somebody else keeps.
    Folder(PathBuf),
    /// From the operator's own authority.
    Managed(Box<Managed>),
}

impl Webhook {
    /// Serves `/validate` on a listener until the process ends.
    pub async fn serve(self, listener: TcpListener, certificate: Source) -> anyhow::Result<()> {
        listener.set_nonblocking(true)?;
        let tls = match certificate {
            Source::Folder(folder) => certificate::from_folder(&folder).await.context("--webhook-cert-dir")?,
            Source::Managed(managed) => managed.start().await,
        };
        // A small answer must not wait for the client's acknowledgement of the one before.
        let acceptor = RustlsAcceptor::new(tls)
            .handshake_timeout(HEAD)
            .acceptor(NoDelayAcceptor::new());
        let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor);
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD);
        server
            .http_builder()
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HEAD)
            .max_concurrent_streams(u32::try_from(AT_ONCE).unwrap_or(u32::MAX));
        info!("serving the webhook");
        Ok(server.serve(self.routes().into_make_service()).await?)
    }

    fn routes(self) -> Router {
        Router::new()
            .route("/validate", post(validate))
            .layer(GlobalConcurrencyLimitLayer::new(AT_ONCE))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .layer(CatchPanicLayer::new())
            .with_state(self)
    }

    async fn judge(&self, request: &AdmissionRequest<DynamicObject>) -> Verdict {
        let (kind, job) = match submitted(request) {
            Ok(Some(judged)) => judged,
            Ok(None) => return Verdict::default(),
            Err(refusal) => return Verdict::denied(refusal),
        };
        let Some(binder) = self.binders.iter().find(|binder| binder.kind == kind) else {
            return Verdict::denied(Refusal::new(
                crate::api::conditions::Reason::InvalidSpec,
                format!("this operator does not run {kind}s"),
            ));
        };
        let desired = match binder.bind(&job, &Subject::of(&job)).await {
            Ok(desired) => desired,
            Err(refusal) => return Verdict::denied(refusal),
        };
        let namespace = request.namespace.as_deref().unwrap_or_default();
        let judged = tokio::time::timeout(KMS_TAKES, self.key(&desired, namespace));
        let key = judged.await.unwrap_or_else(|_| unanswered(TIMEOUT));
        Verdict::of(&desired, &key)
    }

    /// Judges the key with the session that would start the job. While the class's account is not known, nobody is asked: the
    /// key was not judged by it.
    async fn key(&self, desired: &Desired, namespace: &str) -> KeyVerdict {
        let Some(key) = &desired.key else {
            return KeyVerdict::NotNeeded;
        };
        let starter = match &desired.class.account_id {
            Some(_) => self.classes.starter(&desired.class, namespace).await,
            None => None,
        };
        let Some((_, session)) = starter else {
            return KeyVerdict::NotAsked;
        };
        match session.verify().await {
            Ok(_) => {
                session
                    .judge_key(key, &desired.pinned.context, desired.verify_access, None)
                    .await
            }
            Err(_) => KeyVerdict::NotAsked,
        }
    }
}

async fn validate(State(webhook): State<Webhook>, body: Bytes) -> Response {
    let review = serde_json::from_slice::<AdmissionReview<DynamicObject>>(&body).ok();
    let request: Option<AdmissionRequest<DynamicObject>> = review.and_then(|review| review.try_into().ok());
    let Some(request) = request else {
        return (
            StatusCode::BAD_REQUEST,
            "the body is no AdmissionReview with a request\n",
        )
            .into_response();
    };
    let verdict = webhook.judge(&request).await;
    webhook
        .metrics
        .review(if verdict.denial.is_some() { "denied" } else { "allowed" });
    log(&request, &verdict);
    Json(response(&request, &verdict).into_review()).into_response()
}

/// What is admitted as it is needs no line: the object's own passes have theirs.
fn log(request: &AdmissionRequest<DynamicObject>, verdict: &Verdict) {
    let object = format!("{}/{}", request.namespace.as_deref().unwrap_or_default(), request.name);
    match &verdict.denial {
        Some(refusal) => info!(object, reason = refusal.reason.as_str(), denial = %refusal, "denied"),
        None if verdict.warnings.is_empty() => debug!(object, "admitted"),
        None => info!(object, warnings = ?verdict.warnings, "admitted with warnings"),
    }
}
