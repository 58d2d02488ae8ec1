//! The webhook's server: TLS and HTTP with limits, and the calls to AWS.

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

use crate::{
    domain::{
        Desired, JobView, KeyVerdict, Rejection,
        aws_error::TIMEOUT,
        key::unanswered,
        review::{Verdict, review},
    },
    runtime::metrics::Metrics,
    tenancy::{ClassResolver, ClassStore},
    webhook::{
        certificate::{self, Managed},
        request::submitted,
        response::response,
    },
};

/// In bytes. The API server accepts objects of at most 3 MiB, and a review of an update holds two of them.
const MAX_BODY: usize = 7 * 1024 * 1024;
/// How many reviews run at the same time; further ones wait.
const MAX_CONCURRENT: usize = 128;
/// A little less than the five seconds that the API server waits.
const REVIEW_TIMEOUT: Duration = Duration::from_millis(4500);
/// How long a review waits for AWS KMS. The rest of its time is for the network.
const KMS_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout for the headers of a request, and for the TLS handshake.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// The webhook, and what a review needs.
#[derive(Clone)]
pub struct Webhook {
    /// The class resolvers of the kinds that are served.
    pub resolvers: Arc<[ClassResolver]>,
    /// The classes and their sessions.
    pub classes: Arc<ClassStore>,
    /// The metrics.
    pub metrics: Metrics,
}

/// Where the certificate comes from.
pub enum Source {
    /// Files that somebody else renews, for example cert-manager.
    Folder(PathBuf),
    /// The operator's own certificate authority.
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
        // Without TCP_NODELAY a small response may wait for the client to acknowledge the one before.
        let acceptor = RustlsAcceptor::new(tls)
            .handshake_timeout(HEADER_TIMEOUT)
            .acceptor(NoDelayAcceptor::new());
        let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor);
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT);
        server
            .http_builder()
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HEADER_TIMEOUT)
            .max_concurrent_streams(u32::try_from(MAX_CONCURRENT).unwrap_or(u32::MAX));
        info!("serving the webhook");
        Ok(server.serve(self.routes().into_make_service()).await?)
    }

    fn routes(self) -> Router {
        Router::new()
            .route("/validate", post(validate))
            .layer(GlobalConcurrencyLimitLayer::new(MAX_CONCURRENT))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::SERVICE_UNAVAILABLE,
                REVIEW_TIMEOUT,
            ))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(CatchPanicLayer::new())
            .with_state(self)
    }

    async fn judge(&self, request: &AdmissionRequest<DynamicObject>) -> Verdict {
        let (kind, job) = match submitted(request) {
            Ok(Some(judged)) => judged,
            Ok(None) => return Verdict::default(),
            Err(rejection) => return Verdict::from(rejection),
        };
        let Some(resolver) = self.resolvers.iter().find(|resolver| resolver.kind == kind) else {
            return Verdict::from(Rejection::new(
                crate::api::conditions::Reason::InvalidSpec,
                format!("this operator does not run {kind}s"),
            ));
        };
        let bound = resolver.bind(&job, &JobView::of(&job)).await;
        let key = match &bound {
            Ok(desired) => {
                let namespace = request.namespace.as_deref().unwrap_or_default();
                let judged = tokio::time::timeout(KMS_TIMEOUT, self.key(desired, namespace));
                judged.await.unwrap_or_else(|_| unanswered(TIMEOUT))
            }
            Err(_) => KeyVerdict::NotAsked,
        };
        review(&bound, &key)
    }

    /// Judges the key with the session that would start the job. While the account of the class is not known, AWS is
    /// not asked, because the class has not judged the key either.
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
            "the body is not an AdmissionReview with a request\n",
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

/// Logs the verdict. An admission without warnings is logged at debug level only, because the object's reconciles are
/// logged.
fn log(request: &AdmissionRequest<DynamicObject>, verdict: &Verdict) {
    let object = format!("{}/{}", request.namespace.as_deref().unwrap_or_default(), request.name);
    match &verdict.denial {
        Some(rejection) => info!(object, reason = rejection.reason.as_str(), denial = %rejection, "denied"),
        None if verdict.warnings.is_empty() => debug!(object, "admitted"),
        None => info!(object, warnings = ?verdict.warnings, "admitted with warnings"),
    }
}
