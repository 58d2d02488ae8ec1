//! Waiting without a clock that decides a test.
//!
//! A wait looks again and again. It ends well when what is wanted is there. It gives up when nothing has changed for
//! [`LOOKS`] looks in a row. Patience is counted in looks and not in seconds, because a look at a busy API server takes
//! longer too: a machine that is ten times slower gives everything ten times as long.

use std::time::Duration;

use anyhow::{Context as _, bail};

/// The pause between two looks.
pub const PAUSE: Duration = Duration::from_millis(50);
/// After how many looks in a row at which nothing had changed a wait gives up: at least two minutes of pauses.
pub const LOOKS: u32 = 2400;
/// After how many looks a wait gives up although things still change: nothing may go round in circles for ever.
pub const MOST: u32 = 10 * LOOKS;
/// How long kubectl and helm may wait for something by themselves. They do not see progress, so this is long enough for a
/// machine ten times slower than the slowest that we know.
pub const TIMEOUT: &str = "--timeout=10m";

/// What a look shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    /// It is as wanted.
    Done(T),
    /// It is not yet. The text says how it is instead; while the text changes there is progress.
    Not(String),
}

impl Look<()> {
    /// Done when `is_so`; otherwise `state` says how it is instead.
    pub fn at(is_so: bool, state: impl Into<String>) -> Self {
        if is_so { Self::Done(()) } else { Self::Not(state.into()) }
    }
}

/// How patient a wait still is.
struct Patience<'a> {
    what: &'a str,
    last: Option<String>,
    unchanged: u32,
    looks: u32,
}

impl<'a> Patience<'a> {
    fn new(what: &'a str) -> Self {
        Self {
            what,
            last: None,
            unchanged: 0,
            looks: 0,
        }
    }

    /// Takes a look into account; an error when nothing has changed for too long.
    fn seen(&mut self, state: String) -> anyhow::Result<()> {
        if self.last.as_ref() == Some(&state) {
            self.unchanged += 1;
        } else {
            self.unchanged = 0;
            self.last = Some(state);
        }
        self.looks += 1;
        let state = self.last.as_deref().unwrap_or_default();
        if self.unchanged >= LOOKS {
            bail!("gave up: {}: nothing has changed for {LOOKS} looks: {state}", self.what);
        }
        if self.looks >= MOST {
            bail!("gave up: {}: not so after {MOST} looks: {state}", self.what);
        }
        Ok(())
    }
}

/// Waits until `look` is done, and returns what it found. `what` says in the error what was waited for. An error of `look`
/// ends the wait at once.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> anyhow::Result<Look<T>>) -> anyhow::Result<T> {
    let mut patience = Patience::new(what);
    loop {
        match look().await.with_context(|| what.to_owned())? {
            Look::Done(found) => return Ok(found),
            Look::Not(state) => patience.seen(state)?,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until `is_so`. It sees no progress: for what changes once.
pub async fn until_so(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    until(what, async || Ok(Look::at(is_so().await, "not so"))).await
}

/// [`until`] for a thread without a runtime.
pub fn until_blocking<T>(what: &str, mut look: impl FnMut() -> anyhow::Result<Look<T>>) -> anyhow::Result<T> {
    let mut patience = Patience::new(what);
    loop {
        match look().with_context(|| what.to_owned())? {
            Look::Done(found) => return Ok(found),
            Look::Not(state) => patience.seen(state)?,
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits for a future that shows nothing before it ends.
pub async fn on<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut future = std::pin::pin!(future);
    let mut patience = Patience::new(what);
    loop {
        tokio::select! {
            biased;
            found = &mut future => return Ok(found),
            () = tokio::time::sleep(PAUSE) => patience.seen("it has not ended".to_owned())?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_goes_on_while_there_is_progress_and_gives_up_when_there_is_none() {
        let mut looks = 0;
        let found = until("the end of slow progress", async || {
            looks += 1;
            // It moves once in a while, and takes far more looks altogether than a wait without progress gets.
            let moved = looks / (LOOKS - 1);
            Ok(if moved < 5 {
                Look::Not(moved.to_string())
            } else {
                Look::Done(moved)
            })
        });
        assert_eq!(found.await.unwrap(), 5);

        let mut looks = 0;
        let stuck = until("what never comes", async || {
            looks += 1;
            Ok(Look::<()>::Not("stuck".to_owned()))
        });
        let error = stuck.await.unwrap_err().to_string();
        assert!(
            error.contains("what never comes") && error.ends_with("stuck"),
            "{error}"
        );
        assert_eq!(looks, LOOKS + 1);

        let mut looks = 0;
        let circles = until("the end of a circle", async || {
            looks += 1;
            Ok(Look::<()>::Not(looks.to_string()))
        });
        circles.await.unwrap_err();
        assert_eq!(looks, MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_ends_a_wait_at_once_and_a_future_is_not_waited_for_for_ever() {
        let failed = until("a look", async || Err::<Look<()>, _>(anyhow::anyhow!("no connection")));
        assert_eq!(format!("{:#}", failed.await.unwrap_err()), "a look: no connection");
        on("a future that never ends", std::future::pending::<()>())
            .await
            .unwrap_err();
        assert_eq!(on("one that does", async { 7 }).await.unwrap(), 7);
        until_so("what is so", async || true).await.unwrap();
    }
}
