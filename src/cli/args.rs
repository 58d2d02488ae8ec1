//! The subcommands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::{check::CheckArgs, run::RunArgs};

/// Runs Amazon Transcribe jobs from Kubernetes: once, and encrypted as asked.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    #[command(args_override_self = true)]
    Run(Box<RunArgs>),
    /// Print the CustomResourceDefinitions.
    Crds {
        /// Write one file for each kind into this folder, instead of standard output.
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// Check whether manifests would be admitted, without a cluster and without AWS.
    ///
    /// Exits with 0 if all are allowed, 1 if one is denied, and 2 if something cannot be read.
    Check(CheckArgs),
    /// Print the API reference.
    #[command(hide = true)]
    Reference,
}
