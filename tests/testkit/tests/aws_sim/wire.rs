//! Signatures, clocks, faults, TLS, STS and the program.

use super::*;

#[tokio::test]
async fn a_dead_letter_is_refused_by_its_signing_time() {
    let sim = sim().await;
    let now = sim.stop_clock();
    let at = |minutes: u64| SystemTime::from(now) - Duration::from_mins(minutes);
    for (minutes, wanted) in [(14, Ok(())), (16, Err("InvalidSignatureException".to_owned()))] {
        let client = aws_sdk_transcribe::Client::from_conf(
            sdk_config(&sim).time_source(StaticTimeSource::new(at(minutes))).build(),
        );
        assert_eq!(
            start(&client, &format!("job-{minutes}"), "s3://media/a.wav").await,
            wanted,
            "{minutes} min."
        );
    }
    sim.set_config(|config| config.signature_window_ms = 5_000);
    let mut raw = Raw::new(&sim);
    for (seconds, wanted) in [
        (-7, "Signature expired: "),
        (7, "Signature not yet current: "),
        (-3, "none"),
        (3, "none"),
    ] {
        raw.signed_at = now + SignedDuration::from_secs(seconds);
        let answer = raw.call(START, request(&format!("job{seconds}"), json!({}))).await;
        assert!(answer.message().starts_with(wanted), "{seconds}: {}", answer.text);
    }
    let applied: Vec<_> = sim.ledger().iter().map(|line| line.job_name.clone()).collect();
    assert_eq!(applied, ["job-14", "job-3", "job3"]);
}

#[tokio::test]
async fn the_date_header_tells_the_simulators_clock() {
    let sim = sim_with(|config| config.clock_offset_ms = 3_600_000).await;
    let ahead = sim.stop_clock() + SignedDuration::from_hours(1);
    let answer = call(&sim, START, request("job", json!({}))).await;
    assert_eq!(
        answer.code(),
        "InvalidSignatureException",
        "the caller's clock is an hour behind"
    );
    let date = answer.headers["date"].to_str().unwrap();
    let date = Timestamp::strptime("%a, %d %b %Y %H:%M:%S %z", date.replace("GMT", "+0000")).unwrap();
    assert_eq!(date.as_second(), ahead.as_second());
    assert_eq!(answer.headers["x-amzn-requestid"].len(), 36);

    let mut raw = Raw::new(&sim);
    raw.signed_at = ahead;
    let created = raw.call(START, request("job", json!({}))).await.json()["TranscriptionJob"]["CreationTime"].clone();
    let created = Timestamp::UNIX_EPOCH + SignedDuration::try_from_secs_f64(created.as_f64().unwrap()).unwrap();
    assert_eq!(created.round(jiff::Unit::Millisecond).unwrap(), ahead);
}

#[tokio::test]
async fn faults_hit_before_or_after_the_call_is_applied() {
    let sim = sim().await;
    let client = sdk(&sim);
    let error = |code: &str| What::Error {
        status: 500,
        code: code.to_owned(),
        message: "no".to_owned(),
    };
    #[rustfmt::skip]
    let table = [
        (When::Before, error("InternalFailureException"), Some("InternalFailureException"), 0),
        (When::After, error("InternalFailureException"), Some("InternalFailureException"), 1),
        (When::Before, error("ThrottlingException"), Some("ThrottlingException"), 0),
        (When::Before, What::Drop, Some("none"), 0),
        (When::After, What::Drop, Some("none"), 1),
        (When::Before, What::BlackHole, None, 0),
        (When::After, What::BlackHole, None, 1),
        (When::After, What::Garbage, Some("none"), 1),
        (When::Before, What::Raw {status: 502, body: "<html>".into(), }, Some("none"), 0),
    ];
    let mut applied = 0;
    for (index, (when, what, code, lines)) in table.into_iter().enumerate() {
        let fault = sim.fault(FaultRule::next(START, when, what));
        let name = format!("job-{index}");
        let started = start(&client, &name, "s3://media/a.wav");
        match code {
            Some(code) => assert_eq!(started.await, Err(code.to_owned()), "row {index}"),
            None => is_not_answered(&sim, fault, started).await,
        }
        applied += lines;
        assert_eq!((sim.ledger().len(), sim.fired(fault)), (applied, 1), "row {index}");
    }
    start(&client, "after-all", "s3://media/a.wav").await.unwrap();
    assert_eq!(sim.calls()[START]["fault"], 5);
}

#[tokio::test]
async fn a_dropped_call_ends_the_connection_without_a_byte() {
    let sim = sim().await;
    sim.fault(FaultRule::next(START, When::After, What::Drop));
    let lost = Raw::new(&sim)
        .try_send(START, request("job", json!({})).to_string())
        .await;
    assert!(lost.is_err());
    assert_eq!(sim.ledger().len(), 1);
}

#[tokio::test]
async fn a_delayed_call_happens_although_its_client_has_gone() {
    let sim = sim().await;
    sim.stop_clock();
    let rule = FaultRule {
        job_name_contains: Some("late".into()),
        ..FaultRule::default()
    };
    let fault = sim.fault(FaultRule {
        what: What::Delay(600),
        ..rule
    });
    let client = sdk(&sim);
    is_not_answered(&sim, fault, start(&client, "late", "s3://media/a.wav")).await;
    start(&client, "next", "s3://media/a.wav").await.unwrap();
    let order = || -> Vec<String> { sim.ledger().into_iter().map(|line| line.job_name).collect() };
    sim.pass(599);
    assert_eq!(order(), ["next"]);
    sim.pass(1);
    wait::until_so("the late one arrives", async || order().len() == 2)
        .await
        .unwrap();
    assert_eq!(order(), ["next", "late"]);
}

#[tokio::test]
async fn sts_tells_the_account_of_the_access_key() {
    let sim = sim_with(|config| drop(config.accounts.insert("AKIDEXAMPLE".into(), "444455556666".into()))).await;
    let config = |at| {
        aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
            .endpoint_url(sim.url())
            .region(aws_sdk_sts::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_sts::config::Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                None,
                None,
                "test",
            ))
            .time_source(StaticTimeSource::new(at))
            .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
            .disable_clock_skew_correction(true)
            .build()
    };
    let client = aws_sdk_sts::Client::from_conf(config(SystemTime::now()));
    let identity = client.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some("444455556666"));
    assert_eq!(identity.arn(), Some("arn:aws:iam::444455556666:user/AKIDEXAMPLE"));
    let stale = aws_sdk_sts::Client::from_conf(config(SystemTime::now() - Duration::from_hours(1)));
    let error = stale.get_caller_identity().send().await.unwrap_err();
    assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
    assert_eq!(sim.calls()["GetCallerIdentity"]["ok"], 1);

    let raw = Raw {
        service: "sts",
        ..Raw::new(&sim)
    }
    .header("x-amz-target", None);
    let answer = raw.send("", "Action=GetSessionToken&Version=2011-06-15").await;
    assert!(answer.text.contains("<Code>InvalidAction</Code>"), "{}", answer.text);
}

#[tokio::test]
async fn tls_works_for_who_trusts_the_ca() {
    let sim = sim_with(|config| config.tls = true).await;
    let fetch = async |roots: rustls::RootCertStore| {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
        let tls = tls.unwrap().with_root_certificates(roots).with_no_client_auth();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build::<_, Full<bytes::Bytes>>(https);
        let uri = sim.url().replace("127.0.0.1", "localhost") + "/_sim/calls";
        client
            .get(uri.parse().unwrap())
            .await
            .map(|answer| answer.status().as_u16())
    };
    let ca = rustls::pki_types::CertificateDer::from_pem_slice(sim.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    assert!(fetch(roots.clone()).await.is_err());
    roots.add(ca).unwrap();
    assert_eq!(fetch(roots).await.unwrap(), 200);
}

#[tokio::test]
async fn the_program_is_controlled_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("port");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_aws-sim"))
        .args([
            "--run-ms",
            "3600000",
            "--no-rates",
            "--signature-window-seconds",
            "60",
            "--port-file",
        ])
        .arg(&port)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim().to_owned();
    assert!(url.ends_with(&std::fs::read_to_string(&port).unwrap()));
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let ask = async |method: &str, path: &str, body: Value| {
        let body = Full::new(bytes::Bytes::from(body.to_string()));
        let request = http::Request::builder().method(method).uri(format!("{url}/_sim{path}"));
        let answer = client
            .request(request.header("content-type", "application/json").body(body).unwrap())
            .await
            .unwrap();
        let (status, body) = (
            answer.status().as_u16(),
            answer.into_body().collect().await.unwrap().to_bytes(),
        );
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    assert_eq!(ask("GET", "/config", json!({})).await.1["signature_window_ms"], 60_000);
    assert_eq!(ask("POST", "/config", json!({"run_ms": 5})).await.1["run_ms"], 5);
    assert_eq!(ask("POST", "/config", json!({"run_minutes": 5})).await.0, 400);
    assert_eq!(
        ask("POST", "/jobs", json!({"name": "theirs", "status": "IN_PROGRESS"}))
            .await
            .0,
        200
    );
    assert_eq!(ask("GET", "/jobs", json!({})).await.1[0]["status"], "IN_PROGRESS");
    assert_eq!(ask("POST", "/finish", json!({})).await.0, 200);
    assert_eq!(ask("GET", "/jobs", json!({})).await.1[0]["status"], "COMPLETED");
    let fault = json!({"operation": "GetTranscriptionJob", "where": "after", "what": {"delay": 10}});
    assert_eq!(ask("POST", "/faults", fault).await.0, 200);
    assert_eq!(ask("GET", "/faults", json!({})).await.1[0]["fired"], 0);
    assert_eq!(ask("DELETE", "/faults", json!({})).await.0, 200);
    assert_eq!(ask("DELETE", "/jobs/theirs", json!({})).await.1["removed"], 1);
    assert_eq!(ask("GET", "/ledger", json!({})).await.1, json!([]));

    let arn = Key::default().arn();
    assert_eq!(ask("GET", "/keys", json!({})).await.1.as_array().unwrap().len(), 3);
    let state = |state: &str| json!({"key_id": DEFAULT_KEY_ID, "key_state": state});
    assert_eq!(ask("POST", "/keys", state("Lost")).await.0, 400);
    assert_eq!(ask("POST", "/keys", state("Disabled")).await.1["key"], *arn);
    let signing = json!({"key_id": DEFAULT_KEY_ID, "key_usage": "SIGN_VERIFY"});
    assert_eq!(ask("POST", "/keys", signing).await.0, 200);
    let key = ask("GET", "/keys", json!({})).await.1[1].clone();
    assert_eq!(
        (&key["region"], &key["key_state"], &key["key_usage"]),
        (&json!("us-east-1"), &json!("Disabled"), &json!("SIGN_VERIFY")),
        "a member that is not given stays"
    );
    let alias = arn.replace(&format!("key/{DEFAULT_KEY_ID}"), "alias/finance");
    let named = json!({"name": "alias/finance", "key": arn});
    assert_eq!(ask("POST", "/aliases", named).await.0, 200);
    assert_eq!(ask("GET", "/aliases", json!({})).await.1[&alias], *arn);
    assert_eq!(
        ask("DELETE", &format!("/aliases/{alias}"), json!({})).await.1["removed"],
        true
    );
    assert_eq!(
        ask("DELETE", &format!("/keys/{arn}"), json!({})).await.1["removed"],
        true
    );
    assert_eq!(ask("GET", "/aliases", json!({})).await.1.as_object().unwrap().len(), 2);
    assert_eq!(ask("GET", "/kms-calls", json!({})).await.1, json!([]));
    assert_eq!(ask("GET", "/nothing", json!({})).await.0, 404);
    program.kill().unwrap();
    program.wait().unwrap();
}
