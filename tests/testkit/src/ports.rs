//! Free ports.

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;

use anyhow::Context as _;

/// Below the range from which systems take the ports of outgoing connections (Linux from 32768, others from 49152), so
/// that a port stays free while its API server is stopped for a while.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port on the loopback address that nothing listens on. Another process may take it before the caller does: try again.
pub fn free() -> anyhow::Result<u16> {
    let random = RandomState::new();
    (0_u8..100)
        .map(|attempt| {
            let span = u64::from(RANGE.end - RANGE.start);
            RANGE.start + u16::try_from(random.hash_one(attempt) % span).unwrap_or_default()
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port on the loopback address")
}
