//! Free ports.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::Context as _;

/// Below the range from which systems take the ports of outgoing connections (Linux from 32768, others from 49152), so
/// that a port stays free while its API server is stopped for a while.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port on the loopback address that nothing listens on, and that this process was not given before. Another process
/// may take it before the caller does: try again.
pub fn free() -> anyhow::Result<u16> {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let random = RandomState::new();
    let span = u64::from(RANGE.end - RANGE.start);
    (0_u8..100)
        .map(|attempt| RANGE.start + u16::try_from(random.hash_one(attempt) % span).unwrap_or_default())
        .filter(|port| GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(*port))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port on the loopback address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_and_each_is_free() {
        let ports: Vec<u16> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        assert!(
            ports
                .iter()
                .all(|port| RANGE.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
        );
    }
}
