//! The flags and their environment variables, and the subcommands that need no cluster.

mod args;
pub mod check;
mod config_error;
mod install;
mod run;
mod values;
mod webhook;

pub use args::{Cli, Command};
pub use config_error::ConfigError;
pub use install::InstallArgs;
pub use run::RunArgs;
pub use webhook::WebhookArgs;
