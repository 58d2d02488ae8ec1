//! Every fault over real sockets, in front of a real API server and of a small server that counts.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use testkit::control_plane::ControlPlane;
use testkit::fault_proxy::{Class, Fault, FaultProxy, Rule};
use testkit::wait;
use tokio::time::Instant;

/// A stand-in for AWS that counts what reaches it, a proxy in front of it, and a caller.
struct Aws {
    calls: Arc<AtomicUsize>,
    proxy: FaultProxy,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Aws {
    async fn start() -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let answer = move |body: String| async move {
            let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
            format!("{n} {body}").into_response()
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let proxy = FaultProxy::http(&url).await.unwrap();
        let client = Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .build_http();
        Self { calls, proxy, client }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Calls an operation and returns status and body, or `None` when the connection closes without an answer.
    async fn call(&self, operation: &str) -> Option<(u16, String)> {
        let request = Request::post(self.proxy.url())
            .header("x-amz-target", format!("Transcribe.{operation}"))
            .body(Full::from("hello"))
            .unwrap();
        let answer = self.client.request(request).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Some((status, String::from_utf8(body.into()).unwrap()))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what a call returns")]
fn said(n: usize) -> Option<(u16, String)> {
    Some((200, format!("{n} hello")))
}

#[tokio::test]
async fn without_rules_everything_passes_and_is_recorded() {
    let aws = Aws::start().await;
    assert_eq!(aws.call("StartTranscriptionJob").await, said(1));
    assert_eq!(aws.call("GetTranscriptionJob").await, said(2));
    let requests = aws.proxy.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|r| (r.n, r.operation.as_deref().unwrap(), r.class, r.upstream))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "StartTranscriptionJob", Class::AwsWrite, Some(200)),
            (2, "GetTranscriptionJob", Class::AwsRead, Some(200))
        ]
    );
    assert_eq!(requests[0].body, "hello");
    aws.proxy.forget();
    aws.call("GetTranscriptionJob").await;
    assert_eq!(aws.proxy.requests()[0].n, 3);
}

#[tokio::test]
async fn a_dropped_request_does_not_arrive_and_a_dropped_answer_does() {
    let aws = Aws::start().await;
    let before = aws.proxy.add(Rule::new(Fault::Drop).times(1));
    assert_eq!(aws.call("StartTranscriptionJob").await, None);
    assert_eq!((aws.calls(), before.struck()), (0, 1));
    assert_eq!(aws.call("StartTranscriptionJob").await, said(1));
    before.remove();
    aws.proxy
        .add(Rule::new(Fault::Drop).operation("StartTranscriptionJob").after());
    assert_eq!(aws.call("StartTranscriptionJob").await, None);
    assert_eq!(aws.calls(), 2);
    assert_eq!(aws.call("GetTranscriptionJob").await, said(3));
    let last = aws.proxy.requests()[2].clone();
    assert_eq!((last.upstream, last.fault), (Some(200), Some("drop")));
}

#[tokio::test]
async fn a_rule_strikes_the_nth_request_or_the_first_ones_that_match() {
    let aws = Aws::start().await;
    let second = aws
        .proxy
        .add(Rule::new(Fault::Status(500)).operation("StartTranscriptionJob").nth(2));
    let mut statuses = Vec::new();
    for operation in [
        "StartTranscriptionJob",
        "GetTranscriptionJob",
        "StartTranscriptionJob",
        "StartTranscriptionJob",
    ] {
        statuses.push(aws.call(operation).await.unwrap().0);
    }
    assert_eq!(statuses, [200, 200, 500, 200]);
    assert_eq!(second.struck(), 1);
    aws.proxy
        .add(Rule::new(Fault::Status(503)).classes(&[Class::AwsRead]).times(2));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(aws.call("GetTranscriptionJob").await.unwrap().0);
    }
    assert_eq!(statuses, [503, 503, 200]);
}

#[tokio::test]
async fn a_duplicated_request_arrives_twice_and_the_second_answer_counts() {
    let aws = Aws::start().await;
    aws.proxy.add(Rule::new(Fault::Duplicate).times(1));
    assert_eq!(aws.call("StartTranscriptionJob").await, said(2));
    assert_eq!(aws.calls(), 2);
}

/// The hour passes when nothing else is left to do, since the clock is stopped.
#[tokio::test(start_paused = true)]
async fn a_delayed_request_arrives_late() {
    let aws = Aws::start().await;
    let hour = Duration::from_hours(1);
    let late = aws
        .proxy
        .add(Rule::new(Fault::Delay(hour)).operation("StartTranscriptionJob"));
    let began = Instant::now();
    let mut delayed = pin!(aws.call("StartTranscriptionJob"));
    tokio::select! {
        answer = &mut delayed => panic!("{answer:?}"),
        () = late.until(1) => {}
    }
    assert_eq!((aws.calls(), began.elapsed()), (0, Duration::ZERO));
    assert_eq!(delayed.await, said(1));
    assert_eq!(began.elapsed().as_secs(), hour.as_secs());
}

#[tokio::test]
async fn errors_speak_the_language_of_the_caller() {
    let aws = Aws::start().await;
    aws.proxy.add(Rule::new(Fault::Status(429)).times(1));
    let (status, body) = aws.call("StartTranscriptionJob").await.unwrap();
    assert_eq!(
        (status, body.contains(r#""__type":"ThrottlingException""#)),
        (429, true),
        "{body}"
    );
    let limit = Fault::AwsError(400, "LimitExceededException".to_owned(), "too many".to_owned());
    aws.proxy.add(Rule::new(limit).times(1));
    let body = aws.call("StartTranscriptionJob").await.unwrap().1;
    assert_eq!(body, r#"{"__type":"LimitExceededException","message":"too many"}"#);
    let html = Response::builder()
        .status(502)
        .body(Bytes::from("<html>bad gateway</html>"))
        .unwrap();
    aws.proxy.add(Rule::new(Fault::Answer(html)).after().times(1));
    assert_eq!(
        aws.call("StartTranscriptionJob").await,
        Some((502, "<html>bad gateway</html>".to_owned()))
    );
    assert_eq!(aws.calls(), 1);
}

#[tokio::test]
async fn half_an_answer_breaks_off_after_the_request_took_effect() {
    let aws = Aws::start().await;
    aws.proxy.add(Rule::new(Fault::HalfAnswer).times(1));
    let request = Request::post(aws.proxy.url()).body(Full::from("hello")).unwrap();
    let answer = aws.client.request(request).await.unwrap();
    assert_eq!(answer.headers()["content-length"], "7");
    let mut body = answer.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "1 h");
    body.frame().await.unwrap().unwrap_err();
    assert_eq!(aws.calls(), 1);
}

#[tokio::test]
async fn nothing_comes_out_of_a_black_hole() {
    let aws = Aws::start().await;
    let hole = aws
        .proxy
        .add(Rule::new(Fault::BlackHole).operation("StartTranscriptionJob"));
    let mut swallowed = pin!(aws.call("StartTranscriptionJob"));
    tokio::select! {
        answer = &mut swallowed => panic!("{answer:?}"),
        struck = wait::on("the request is swallowed", hole.until(1)) => struck.unwrap(),
    }
    for n in 1..=3 {
        assert_eq!(aws.call("GetTranscriptionJob").await, said(n), "others pass it");
    }
    assert!(swallowed.now_or_never().is_none());
    assert_eq!(hole.struck(), 1);
}

#[tokio::test]
async fn a_held_request_arrives_when_released_though_its_caller_has_gone() {
    let aws = Aws::start().await;
    let held = aws
        .proxy
        .hold(Rule::new(Fault::Drop).operation("StartTranscriptionJob"));
    tokio::select! {
        answer = aws.call("StartTranscriptionJob") => panic!("{answer:?}"),
        arrived = wait::on("the request arrives", held.arrived(1)) => arrived.unwrap(),
    }
    assert_eq!((aws.calls(), held.count()), (0, 1));
    held.release();
    wait::until_so("the released request arrives", async || aws.calls() == 1)
        .await
        .unwrap();
    assert_eq!(aws.call("StartTranscriptionJob").await, said(2));
}

#[tokio::test]
async fn at_a_kill_the_callback_runs_and_the_answer_is_lost() {
    let aws = Aws::start().await;
    let killed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&killed);
    let kill = Fault::kill(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    aws.proxy.add(Rule::new(kill).after().nth(2));
    assert_eq!(aws.call("StartTranscriptionJob").await, said(1));
    assert_eq!(aws.call("StartTranscriptionJob").await, None);
    assert_eq!((aws.calls(), killed.load(Ordering::SeqCst)), (2, 1));
}

/// A client through a proxy in front of the shared control plane, and a namespace of its own.
async fn kubernetes() -> (FaultProxy, kube::Client, String) {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("proxy").await.unwrap();
    let proxy = FaultProxy::kubernetes(plane).await.unwrap();
    let mut config = plane.config().unwrap();
    config.cluster_url = proxy.url().parse().unwrap();
    (proxy, kube::Client::try_from(config).unwrap(), namespace)
}

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    };
    ConfigMap {
        metadata,
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn the_api_server_refuses_as_it_would_itself() {
    let (proxy, client, namespace) = kubernetes().await;
    let maps = Api::<ConfigMap>::namespaced(client, &namespace);
    maps.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let patch = Patch::Merge(json!({ "data": { "x": "y" } }));
    proxy.add(
        Rule::new(Fault::Status(409))
            .method(Method::PATCH)
            .path("/configmaps/a$")
            .times(1),
    );
    let error = maps.patch("a", &PatchParams::default(), &patch).await.unwrap_err();
    assert!(
        matches!(&error, kube::Error::Api(status) if status.is_conflict()),
        "{error}"
    );
    assert_eq!(maps.get("a").await.unwrap().data, None);

    proxy.add(Rule::new(Fault::Status(504)).method(Method::PATCH).after());
    maps.patch("a", &PatchParams::default(), &patch).await.unwrap_err();
    assert_eq!(maps.get("a").await.unwrap().data.unwrap()["x"], "y");
    let writes = proxy
        .requests()
        .iter()
        .filter(|seen| seen.class == Class::ObjectWrite)
        .count();
    assert_eq!(writes, 3);
}

#[tokio::test]
async fn a_watch_streams_freezes_and_goes_on() {
    let (proxy, client, namespace) = kubernetes().await;
    let maps = Api::<ConfigMap>::namespaced(client, &namespace);
    let params = WatchParams::default()
        .fields("metadata.name!=kube-root-ca.crt")
        .disable_bookmarks();
    let mut watch = maps.watch(&params, "0").await.unwrap().boxed();
    let mut next = async || match wait::on("an event of the watch", watch.try_next()).await.unwrap() {
        Ok(Some(WatchEvent::Added(map))) => map.metadata.name,
        other => panic!("{other:?}"),
    };
    maps.create(&PostParams::default(), &config_map("one")).await.unwrap();
    assert_eq!(next().await.as_deref(), Some("one"));
    let frozen = proxy.add(Rule::new(Fault::Freeze).query("watch=true"));
    maps.create(&PostParams::default(), &config_map("two")).await.unwrap();
    let mut two = pin!(next());
    tokio::select! {
        event = &mut two => panic!("{event:?}"),
        held = wait::on("the event is held back", frozen.until_frozen()) => held.unwrap(),
    }
    // What the proxy has meanwhile passed on of others has come, and the event has not.
    maps.get("two").await.unwrap();
    assert!(two.as_mut().now_or_never().is_none(), "it is not frozen");
    frozen.remove();
    assert_eq!(two.await.as_deref(), Some("two"));
    assert_eq!(proxy.requests()[0].class, Class::Watch);
}

#[tokio::test]
async fn broken_connections_end_a_watch() {
    let (proxy, client, namespace) = kubernetes().await;
    let maps = Api::<ConfigMap>::namespaced(client, &namespace);
    let mut watch = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    proxy.break_connections();
    let end = async { while let Ok(Some(_)) = watch.try_next().await {} };
    wait::on("the watch ends", end).await.unwrap();
    maps.create(&PostParams::default(), &config_map("after")).await.unwrap();
}
