//! Time in ticks, relative to now by AWS's clock.

use jiff::{SignedDuration, Timestamp};

/// The length of a tick in seconds: longer than any first delay between attempts, so that each is over at the next tick.
pub const TICK: u64 = 60;
const NOW: i64 = 1_800_000_000;

/// So many ticks from now.
pub fn at(ticks: i8) -> Timestamp {
    Timestamp::from_second(NOW + i64::from(ticks) * 60).unwrap()
}

/// The same instant, seen from the given number of ticks later.
pub fn aged(time: Timestamp, ticks: u8) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(i64::from(ticks) * 60))
        .unwrap()
}
