//! The machine's clock, as far as a test lets it go.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Runs with the machine until a test stops it. From then on it moves only by hand, so that what happens at which time does
/// not depend on how fast the machine is.
#[derive(Debug, Default)]
pub(super) struct Clock {
    stopped_at: watch::Sender<Option<i64>>,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.stopped_at.borrow().unwrap_or_else(machine)
    }

    /// Stops it, if it runs, and moves it on; the time that it shows then.
    pub(super) fn pass(&self, ms: i64) -> i64 {
        let passed = self.now().saturating_add(ms);
        self.stopped_at.send_replace(Some(passed));
        passed
    }

    /// Waits until so many milliseconds are over by this clock.
    pub(super) async fn sleep(&self, ms: u64) {
        let end = self.now().saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        let mut moved = self.stopped_at.subscribe();
        loop {
            let stopped_at = *moved.borrow_and_update();
            let left = end.saturating_sub(stopped_at.unwrap_or_else(machine));
            if left <= 0 {
                return;
            }
            let left = Duration::from_millis(left.unsigned_abs());
            tokio::select! {
                // The sender is in `self`.
                _ = moved.changed() => {}
                () = tokio::time::sleep(left), if stopped_at.is_none() => {}
            }
        }
    }
}

fn machine() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stopped_clock_moves_by_hand_only() {
        let clock = Clock::default();
        assert!(clock.now() >= Timestamp::UNIX_EPOCH.as_millisecond());
        let begun = clock.pass(0);
        assert_eq!((clock.pass(5), clock.now()), (begun + 5, begun + 5));
        let mut sleeps = std::pin::pin!(clock.sleep(1000));
        assert_eq!(sleeps.as_mut().now_or_never(), None);
        clock.pass(999);
        assert_eq!(sleeps.as_mut().now_or_never(), None);
        clock.pass(1);
        sleeps.await;
    }

    #[tokio::test]
    async fn a_clock_that_runs_ends_a_sleep_by_itself_and_one_that_is_stopped_meanwhile_does_not() {
        let clock = Clock::default();
        clock.sleep(0).await;
        clock.sleep(5).await;
        let mut sleeps = std::pin::pin!(clock.sleep(1_000_000));
        assert_eq!(sleeps.as_mut().now_or_never(), None);
        clock.pass(0);
        assert_eq!(sleeps.as_mut().now_or_never(), None);
        clock.pass(1_000_000);
        sleeps.await;
    }
}
