//! The `transcribe-operator` binary.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use transcribe_operator::{
    api,
    cli::{Cli, Command, RunArgs, check},
    operator::{self, Clients},
    runtime::telemetry,
};

fn main() -> Result<ExitCode> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    match Cli::parse().command {
        Command::Run(args) => run(*args)?,
        Command::Crds { output } => crds(output.as_deref())?,
        Command::Check(args) => return Ok(check::run(args)),
        Command::Reference => print!("{}", api::render_reference()),
    }
    Ok(ExitCode::SUCCESS)
}

fn crds(output: Option<&Path>) -> Result<()> {
    for (file, text) in api::render_crds()? {
        match output {
            Some(folder) => std::fs::write(folder.join(file), text)?,
            None => print!("---\n{text}"),
        }
    }
    Ok(())
}

#[tokio::main]
async fn run(args: RunArgs) -> Result<()> {
    telemetry::init(args.log_format, &args.log);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: no new work starts; running reconciles finish");
    };
    operator::run(args, Clients::infer().await?, stop).await
}
