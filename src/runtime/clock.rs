//! The only place that reads the wall clock.

use jiff::Timestamp;

/// The current time, in the precision in which the API server stores it (microseconds).
#[expect(clippy::disallowed_methods, reason = "everything else takes the time as an argument")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}
