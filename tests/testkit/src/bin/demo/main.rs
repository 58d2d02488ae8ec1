//! The demo: a real control plane, a simulated AWS, the chart, the operator, and a tenant's jobs of every kind.
//!
//! `demo` walks through and ends; `demo keep` leaves everything up in a process of its own, which `demo down` ends.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod account;
mod keep;
mod kinds;
mod parts;
mod story;

use anyhow::Context as _;
use parts::Parts;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok()
        .context("TLS is set up already")?;
    match std::env::args().nth(1).as_deref() {
        None => {
            story::tell(&Parts::start().await?).await?;
            story::say("Done. Everything that was started is ended. `make demo KEEP=1` leaves it up for you to try");
            Ok(())
        }
        Some("keep") => keep::keep().await,
        Some(keep::STAY) => keep::stay().await,
        Some("down") => keep::down(),
        Some(other) => anyhow::bail!("{other}: not one of keep, down"),
    }
}
