//! The HTTP side: dispatch, faults, replies.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::auth::{Caller, authenticate};
use super::error::AwsError;
use super::faults::{What, When};
use super::transcribe::{self, Call};
use super::{KmsCall, Model, Sim, TrailEvent, admin, eks, kms, s3, sts};

/// The whole service: AWS at `/`, the agent of EKS Pod Identity at `/v1/credentials`, the objects of S3 below their bucket,
/// the controls under `/_sim`.
pub(super) fn service(sim: Arc<Sim>) -> Dropping {
    let aws = Router::new()
        .route("/", post(handle))
        .route("/v1/credentials", get(eks::credentials))
        .route("/{bucket}/{*key}", get(s3::get_object))
        .with_state(sim.clone());
    Dropping(aws.nest("/_sim", admin::routes(sim)))
}

/// What becomes of a request.
enum Reply {
    Http {
        status: u16,
        content_type: &'static str,
        body: String,
    },
    Drop,
    Silence,
}

/// A request as far as it can be read without checking it.
struct Incoming {
    headers: HeaderMap,
    body: Bytes,
    target: Option<String>,
    service: Service,
}

/// Whose operation a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// Speaks the Query protocol, in which requests have no target.
    Sts,
    Transcribe,
    Kms,
}

impl Service {
    /// What is of no service is taken for Transcribe's.
    fn of(target: Option<&str>, sim: &Sim) -> Self {
        match target {
            None => Self::Sts,
            Some(target) if sim.kms.is_target(target) => Self::Kms,
            Some(_) => Self::Transcribe,
        }
    }

    fn model(self, sim: &Sim) -> &Model {
        match self {
            Self::Sts => &sim.sts,
            Self::Transcribe => &sim.transcribe,
            Self::Kms => &sim.kms,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Transcribe => "transcribe",
            Self::Kms => "kms",
        }
    }
}

async fn handle(State(sim): State<Arc<Sim>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .map(str::to_owned);
    let incoming = Incoming {
        service: Service::of(target.as_deref(), &sim),
        headers,
        body,
        target,
    };
    // In a task of its own: a request that AWS has received happens even if the client has gone away.
    let reply = tokio::spawn(process(sim.clone(), incoming)).await;
    match reply {
        Ok(Reply::Http {
            status,
            content_type,
            body,
        }) => {
            let (date, id) = sim.stamp();
            let headers = [
                ("content-type", content_type.to_owned()),
                ("date", date),
                ("x-amzn-requestid", id),
            ];
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, headers, body).into_response()
        }
        Ok(Reply::Silence) => std::future::pending().await,
        Ok(Reply::Drop) | Err(_) => dropped(),
    }
}

/// The request's way: a fault before, the call, a fault after.
async fn process(sim: Arc<Sim>, incoming: Incoming) -> Reply {
    let operation = incoming.operation(&sim);
    let fault = sim.pick_fault(&operation, &incoming.job_name(), &incoming.key_id());
    match fault {
        Some((When::Before, What::Delay(ms))) => sim.machine.sleep(ms).await,
        Some((When::Before, what)) => {
            incoming.count(&sim, &operation, "fault");
            return incoming.suffer(what);
        }
        Some((When::After, what)) => {
            let reply = answer(&sim, &operation, &incoming);
            if let What::Delay(ms) = what {
                sim.machine.sleep(ms).await;
                return reply;
            }
            return incoming.suffer(what);
        }
        None => {}
    }
    answer(&sim, &operation, &incoming)
}

/// Apply the call and count it.
fn answer(sim: &Sim, operation: &str, incoming: &Incoming) -> Reply {
    let result = call(sim, operation, incoming);
    let outcome = result.as_ref().err().map_or("ok", |error| &error.code);
    incoming.count(sim, operation, outcome);
    match result {
        Ok(body) => incoming.reply(200, body),
        Err(error) => incoming.fail(sim, &error),
    }
}

fn call(sim: &Sim, operation: &str, incoming: &Incoming) -> Result<String, AwsError> {
    let mut world = sim.world();
    let now = world.now();
    let model = incoming.service.model(sim);
    if incoming.service == Service::Sts && operation == sts::UNSIGNED {
        return sts::apply_unsigned(&mut world, model, &incoming.body);
    }
    let caller = authenticate(&incoming.headers, &world, world.clock(now))?;
    in_service(&caller, model.service())?;
    if incoming.service == Service::Sts {
        return sts::apply(&mut world, model, &caller, &incoming.body);
    }
    let typed = incoming
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    if operation.is_empty() || typed != Some("application/x-amz-json-1.1") {
        return Err(AwsError::new("UnknownOperationException", ""));
    }
    let body: Value = serde_json::from_slice(&incoming.body)
        .map_err(|error| AwsError::serialization(format!("The body is not JSON: {error}")))?;
    let nonce = world.next_nonce();
    let call = Call {
        model,
        caller: &caller,
        operation,
        body,
        now,
        nonce,
    };
    let apply = match incoming.service {
        Service::Kms => kms::apply,
        Service::Transcribe | Service::Sts => transcribe::apply,
    };
    Ok(apply(&mut world, &call)?.to_string())
}

fn in_service(caller: &Caller, service: &str) -> Result<(), AwsError> {
    if caller.service == service {
        return Ok(());
    }
    let text = format!("Credential should be scoped to correct service: '{service}'.");
    Err(AwsError::new("InvalidSignatureException", text))
}

impl Incoming {
    /// The operation's name; empty if there is no such operation.
    fn operation(&self, sim: &Sim) -> String {
        match &self.target {
            Some(target) => self.service.model(sim).operation(target).unwrap_or_default().to_owned(),
            None => sts::operation(&self.body),
        }
    }

    /// The body as far as it is JSON.
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as JSON, a form of the Query protocol too; null if it is neither.
    fn request(&self, sim: &Sim, operation: &str) -> Value {
        match self.service {
            Service::Sts => sim.sts.read_query(operation, &self.body).unwrap_or_default(),
            Service::Transcribe | Service::Kms => self.json(),
        }
    }

    /// Count the call and note who made it; one of KMS leaves its details too.
    fn count(&self, sim: &Sim, operation: &str, outcome: &str) {
        let operation = if operation.is_empty() { "unknown" } else { operation };
        let mut request = self.request(sim, operation);
        // CloudTrail shows no token either.
        if let Some(members) = request.as_object_mut() {
            members.remove("WebIdentityToken");
        }
        let mut world = sim.world();
        world.ledger.count(operation, outcome);
        let time = world.clock(world.now());
        let caller = authenticate(&self.headers, &world, time).ok();
        let caller = caller.as_ref();
        if self.service == Service::Kms {
            let call = KmsCall::of(time, caller, operation, &request, outcome);
            world.kms_calls.add(call);
        }
        let event = TrailEvent::of(time, self.service.name(), operation, caller, request, outcome);
        world.trail.add(event);
    }

    /// The job's name as it stands in the body or at the end of an ARN; empty if there is none.
    fn job_name(&self) -> String {
        let body = self.json();
        let members = body.as_object().into_iter().flatten();
        let mut named = members.filter(|(name, _)| name.ends_with("JobName") || *name == "ResourceArn");
        let name = named.find_map(|(_, value)| value.as_str()).unwrap_or_default();
        name.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The KeyId as it stands in the body; empty if there is none.
    fn key_id(&self) -> String {
        self.json()["KeyId"].as_str().unwrap_or_default().to_owned()
    }

    fn suffer(&self, what: What) -> Reply {
        match what {
            What::Error { status, code, message } => {
                let error = AwsError {
                    code,
                    message,
                    status: Some(status),
                };
                self.write(&error, status)
            }
            What::Raw { status, body } => Reply::Http {
                status,
                content_type: "text/html",
                body,
            },
            What::Garbage => self.reply(200, "{\"TranscriptionJob\":{\"Transcr".to_owned()),
            What::BlackHole => Reply::Silence,
            What::Drop | What::Delay(_) => Reply::Drop,
        }
    }

    fn reply(&self, status: u16, body: String) -> Reply {
        let content_type = match self.service {
            Service::Sts => "text/xml",
            Service::Transcribe | Service::Kms => "application/x-amz-json-1.1",
        };
        Reply::Http {
            status,
            content_type,
            body,
        }
    }

    fn fail(&self, sim: &Sim, error: &AwsError) -> Reply {
        let statuses = sim.world().config.statuses;
        self.write(error, error.http_status(statuses))
    }

    fn write(&self, error: &AwsError, status: u16) -> Reply {
        let json = |member: &str| json!({"__type": error.code, member: error.message}).to_string();
        let (status, body) = match self.service {
            Service::Transcribe => (status, json("Message")),
            Service::Kms => (status, json("message")),
            Service::Sts => sts::error(error, "00000000-0000-0000-0000-000000000000"),
        };
        self.reply(status, body)
    }
}

/// Marks a response that must not be sent.
#[derive(Clone)]
struct Unsent;

fn dropped() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Unsent);
    response
}

/// A router whose requests can end without a response: an error of the service makes the server close the connection.
#[derive(Clone)]
pub(super) struct Dropping(Router);

impl<B> tower_service::Service<http::Request<B>> for Dropping
where
    Router: tower_service::Service<http::Request<B>, Response = Response, Error = Infallible>,
    <Router as tower_service::Service<http::Request<B>>>::Future: Send + 'static,
{
    type Response = Response;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let reply = tower_service::Service::call(&mut self.0, request);
        Box::pin(async move {
            let Ok(response) = reply.await;
            match response.extensions().get::<Unsent>() {
                Some(Unsent) => Err(std::io::Error::other("dropped on demand")),
                None => Ok(response),
            }
        })
    }
}

/// What the controls do not have: a request to nowhere.
pub(super) async fn nowhere(request: Request) -> (StatusCode, String) {
    (
        StatusCode::NOT_FOUND,
        format!("{} {}\n", request.method(), request.uri().path()),
    )
}
