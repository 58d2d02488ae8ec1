//! The way of one request through the proxy.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::uri::{Authority, Scheme};
use http::{HeaderName, Request, Response, Uri, request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::rule::{Fault, When};
use super::{Seen, Shared};

type Body = UnsyncBoxBody<Bytes, BoxError>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The connection to the caller is to be closed without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by the fault proxy")
    }
}

impl std::error::Error for Closed {}

/// The server behind the proxy.
pub(super) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
}

impl Upstream {
    pub(super) fn plain(url: &str) -> anyhow::Result<Self> {
        Self::with_roots(url, rustls::RootCertStore::empty())
    }

    pub(super) fn tls(url: &str, authority: &[u8]) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.to_vec().into())?;
        Self::with_roots(url, roots)
    }

    fn with_roots(url: &str, roots: rustls::RootCertStore) -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        // A request is sent once or the caller learns of it: the client here repeats nothing on its own.
        let client = Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .build(connector);
        let parts = url.parse::<Uri>()?.into_parts();
        let scheme = parts.scheme.context("a URL with a scheme")?;
        Ok(Self {
            client,
            scheme,
            authority: parts.authority.context("a URL with a host")?,
        })
    }

    async fn send(&self, head: &request::Parts, body: Bytes) -> anyhow::Result<Response<Incoming>> {
        let mut uri = head.uri.clone().into_parts();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = Uri::from_parts(uri)?;
        *request.headers_mut() = head.headers.clone();
        request.headers_mut().remove(http::header::CONNECTION);
        Ok(self.client.request(request).await?)
    }
}

/// Serves connections until the task is aborted.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&shared)));
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let mut broken = shared.broken.subscribe();
    let service = service_fn(|request| serve(Arc::clone(&shared), request));
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // How a connection ends is the caller's affair.
        _ = serving => {}
        _ = broken.changed() => {}
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    // In a task of its own: a request that has left its caller arrives, also when the caller dies meanwhile.
    tokio::spawn(pass(shared, head, body)).await.unwrap_or(Err(Closed))
}

async fn pass(shared: Arc<Shared>, head: request::Parts, body: Bytes) -> Result<Response<Body>, Closed> {
    let mut seen = Seen::new(&head, &body);
    let strikes = shared.arrive(&mut seen);
    let call = Call {
        shared,
        head,
        body,
        seen,
    };
    let Some((when, fault)) = strikes else {
        return call.forward().await;
    };
    let early = match when {
        When::Before => None,
        When::After => Some(call.forward().await?),
    };
    call.suffer(&fault, early).await
}

/// One request on its way.
struct Call {
    shared: Arc<Shared>,
    head: request::Parts,
    body: Bytes,
    seen: Seen,
}

impl Call {
    /// What the fault makes of the request; `early` is the answer from upstream when the fault strikes after it.
    async fn suffer(self, fault: &Fault, early: Option<Response<Body>>) -> Result<Response<Body>, Closed> {
        if let Some(answer) = fault.answer(&self.seen) {
            return Ok(answer.map(|body| Full::new(body).map_err(never).boxed_unsync()));
        }
        match fault {
            Fault::Kill(callback) => {
                callback();
                return Err(Closed);
            }
            Fault::Drop => return Err(Closed),
            Fault::BlackHole => std::future::pending().await,
            Fault::Delay(time) => sleep(*time).await,
            Fault::Hold(gate) => gate.pass().await,
            Fault::Duplicate => drop(self.forward().await?),
            Fault::HalfAnswer => {
                let whole = match early {
                    Some(answer) => answer,
                    None => self.forward().await?,
                };
                return halved(whole).await;
            }
            Fault::Freeze | Fault::Status(_) | Fault::AwsError(..) | Fault::Answer(_) => {}
        }
        match early {
            Some(answer) => Ok(answer),
            None => self.forward().await,
        }
    }

    async fn forward(&self) -> Result<Response<Body>, Closed> {
        let answer = self
            .shared
            .upstream
            .send(&self.head, self.body.clone())
            .await
            .map_err(|_| Closed)?;
        self.shared.answered(self.seen.n, answer.status().as_u16());
        let (mut head, body) = answer.into_parts();
        // Of this hop, not of the next; hyper frames the body anew.
        for name in [
            http::header::CONNECTION,
            http::header::TRANSFER_ENCODING,
            HeaderName::from_static("keep-alive"),
        ] {
            head.headers.remove(name);
        }
        self.shared.thaw(&self.seen).await;
        Ok(Response::from_parts(
            head,
            stream_of(body, Arc::clone(&self.shared), self.seen.clone()),
        ))
    }
}

/// The body as it comes, frame by frame, unless frozen.
fn stream_of(body: Incoming, shared: Arc<Shared>, seen: Seen) -> Body {
    let frames = stream::unfold((body, shared, seen), |(mut body, shared, seen)| async move {
        let frame = body.frame().await.map(|frame| frame.map_err(BoxError::from));
        // The end is news too: a frozen stream does not end.
        shared.thaw(&seen).await;
        frame.map(|frame| (frame, (body, shared, seen)))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The answer as announced, but only half of its body.
async fn halved(answer: Response<Body>) -> Result<Response<Body>, Closed> {
    let (head, body) = answer.into_parts();
    let whole = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let half = Frame::data(whole.slice(..whole.len() / 2));
    // hyper sends what it has once it must wait; an error at once would take the half along.
    let broken = async {
        sleep(Duration::from_millis(20)).await;
        Err(BoxError::from(Closed))
    };
    let frames = stream::iter([Ok(half)]).chain(stream::once(broken));
    Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

fn never(never: Infallible) -> BoxError {
    match never {}
}
