//! What a job costs: calls to AWS, requests to the API server, memory. Prints figures, asserts none.
//!
//! `make bench` runs it against the release build of the operator, a real control plane and the AWS simulator at AWS's
//! default quotas. `BENCH_JOBS` sets the number of jobs.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it prints figures, and takes its settings from the environment"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{DynamicObject, ListParams, PostParams};
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Class, FaultProxy, Seen};
use testkit::operator::Operator;
use testkit::stage::{Stage, condition, job_resource};
use testkit::wait::{self, Look};
use tokio::time::sleep;

/// For how long the cluster is watched at rest.
const REST: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok()
        .context("TLS is set up already")?;
    let jobs: usize = std::env::var("BENCH_JOBS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    let stage = Stage::start(Config {
        run_ms: 3000,
        ..Config::default()
    })
    .await?;
    let proxy = FaultProxy::kubernetes(&stage.plane).await?;
    let operator = stage
        .operator_at(env!("CARGO_BIN_EXE_transcribe-operator"), &proxy.url(), stage.sim.url())
        .args(["--poll-interval", "5s"])
        .start()?;
    operator.wait_ready().await?;
    sleep(Duration::from_secs(2)).await;
    println!(
        "operator: {} build",
        if cfg!(debug_assertions) { "debug" } else { "release" }
    );
    println!("resident memory with 0 jobs: {} MiB", resident(&operator)?);

    let begun = Instant::now();
    create(&stage, jobs).await?;
    println!("{jobs} jobs created in {:.1} s", begun.elapsed().as_secs_f64());
    until_finished(&stage, jobs).await?;
    println!(
        "{jobs} jobs finished after {:.1} s (AWS's quota: 25 Starts a second)",
        begun.elapsed().as_secs_f64()
    );
    per_job(&stage, &proxy, jobs);
    println!(
        "resident memory with {jobs} finished jobs: {} MiB",
        resident(&operator)?
    );

    at_rest(&stage, &proxy).await;
    operator.restart()?;
    operator.wait_ready().await?;
    println!("after a restart of the operator:");
    at_rest(&stage, &proxy).await;
    println!(
        "resident memory with {jobs} finished jobs after the restart: {} MiB",
        resident(&operator)?
    );
    Ok(())
}

fn resident(operator: &Operator) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", operator.pid()))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kib / 1024)
}

async fn create(stage: &Stage, jobs: usize) -> anyhow::Result<()> {
    let api = stage.jobs("default");
    let create = |n: usize| {
        let api = api.clone();
        async move {
            let job = DynamicObject::new(&format!("job-{n:05}"), &job_resource()).data(serde_json::json!({"spec": {
                "languageCode": "en-US", "media": {"mediaFileUri": format!("s3://bench-media/{n}.wav")}}}));
            api.create(&PostParams::default(), &job).await.map(|_| ())
        }
    };
    stream::iter(0..jobs)
        .map(create)
        .buffer_unordered(16)
        .try_collect::<()>()
        .await?;
    Ok(())
}

async fn until_finished(stage: &Stage, jobs: usize) -> anyhow::Result<()> {
    let api = stage.jobs("default");
    wait::until("all jobs finish", async || {
        // A list of all is work for the API server, too: not many of them.
        sleep(Duration::from_secs(1)).await;
        let list = api.list(&ListParams::default()).await?;
        let finished = |job: &&DynamicObject| condition(&job.data, "Finished").is_some_and(|c| c["status"] == "True");
        let count = list.items.iter().filter(finished).count();
        Ok(Look::at(count == jobs, format!("{count} of {jobs}")))
    })
    .await
}

fn per_job(stage: &Stage, proxy: &FaultProxy, jobs: usize) {
    println!("per job, calls to AWS:");
    for operation in [
        "StartTranscriptionJob",
        "GetTranscriptionJob",
        "ListTranscriptionJobs",
        "DeleteTranscriptionJob",
    ] {
        println!(
            "  {operation:24} {:.2}",
            ratio(usize::try_from(stage.sim.called(operation)).unwrap_or_default(), jobs)
        );
    }
    println!("per job, requests to the API server:");
    for (what, count) in counted(&proxy.requests()) {
        println!("  {what:24} {:.2}", ratio(count, jobs));
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

fn counted(seen: &[Seen]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for request in seen {
        let what = match request.class {
            Class::ObjectWrite => "object writes",
            Class::StatusWrite => "status writes",
            Class::Event => "events",
            Class::Lease => "lease",
            Class::Read => "reads",
            Class::Watch => "watches",
            Class::Review => "reviews",
            Class::AwsWrite | Class::AwsRead => "AWS",
        };
        *counts.entry(what).or_default() += 1;
    }
    counts
}

async fn at_rest(stage: &Stage, proxy: &FaultProxy) {
    sleep(Duration::from_secs(5)).await;
    proxy.forget();
    let operations = [
        "StartTranscriptionJob",
        "GetTranscriptionJob",
        "DeleteTranscriptionJob",
        "ListTranscriptionJobs",
    ];
    let called = || operations.map(|operation| stage.sim.called(operation));
    let before = called();
    sleep(REST).await;
    let after = called();
    let calls: Vec<_> = operations
        .iter()
        .zip(after.iter().zip(before).map(|(a, b)| a - b))
        .collect();
    println!("at rest, with all jobs finished, in {} s:", REST.as_secs());
    println!(
        "  calls to AWS: {}",
        calls
            .iter()
            .map(|(op, n)| format!("{op} {n}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    println!("  requests to the API server: {:?}", counted(&proxy.requests()));
}
