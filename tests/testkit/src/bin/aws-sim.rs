//! aws-sim as a program. The first line of its output is its URL; it runs until it is ended.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use testkit::aws_sim::{AwsSim, Config};

/// An Amazon Transcribe, KMS and STS for tests; its controls are under /_sim/.
#[derive(Parser)]
#[command(name = "aws-sim")]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Serve TLS; the CA is at /_sim/ca.pem, and in the file of --ca-file.
    #[arg(long)]
    tls: bool,
    /// Write the CA to this file.
    #[arg(long, requires = "tls")]
    ca_file: Option<PathBuf>,
    /// Write the port to this file once it is open.
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// Append every applied call to this file, as JSON lines.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// Decides what AWS leaves open.
    #[arg(long)]
    seed: Option<u64>,
    /// How long jobs are QUEUED.
    #[arg(long)]
    queue_ms: Option<i64>,
    /// How long jobs are IN_PROGRESS.
    #[arg(long)]
    run_ms: Option<i64>,
    /// How old or young a signature may be.
    #[arg(long)]
    signature_window_seconds: Option<i64>,
    /// No limit on calls per second.
    #[arg(long)]
    no_rates: bool,
    /// Members of the configuration, as JSON; the flags above win.
    #[arg(long)]
    config: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let given: Config = args
        .config
        .as_deref()
        .map(serde_json::from_str)
        .transpose()?
        .unwrap_or_default();
    let sim = AwsSim::start(Config {
        listen: args.listen,
        tls: args.tls,
        ledger: args.ledger,
        seed: args.seed.unwrap_or(given.seed),
        queue_ms: args.queue_ms.unwrap_or(given.queue_ms),
        run_ms: args.run_ms.unwrap_or(given.run_ms),
        signature_window_ms: args
            .signature_window_seconds
            .map_or(given.signature_window_ms, |seconds| seconds * 1000),
        rates: given.rates && !args.no_rates,
        ..given
    })
    .await?;
    if let (Some(path), Some(pem)) = (&args.ca_file, sim.ca_pem()) {
        std::fs::write(path, pem)?;
    }
    if let Some(path) = &args.port_file {
        let port = sim.url().rsplit(':').next().unwrap_or_default();
        std::fs::write(path, port)?;
    }
    println!("{}", sim.url());
    tokio::signal::ctrl_c().await?;
    sim.shutdown();
    Ok(())
}
