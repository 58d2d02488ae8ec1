//! Whose credentials these are: asked at the start and again from time to time.

use std::time::Duration;

use tracing::{info, warn};

use super::Engine;

const AGAIN: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(5);

/// Waits until the identity is verified, but not for long: until then nothing can be submitted or looked at.
pub async fn verified(engine: &Engine) {
    let mut identity = engine.identity.subscribe();
    // The sender lives in `engine`.
    tokio::time::timeout(RETRY, identity.wait_for(Option::is_some))
        .await
        .ok();
}

/// Keeps the engine's identity verified. A failure leaves what was verified before: the credentials sign what they sign.
/// While the clocks differ by more than `max_skew` AWS is asked often, so that a corrected clock is noticed.
pub async fn run(engine: Engine, max_skew: Duration) {
    loop {
        let wait = match engine.connection.verify_identity().await {
            Ok(identity) => {
                let changed = engine.identity.send_if_modified(|known| {
                    let changed = known.as_ref() != Some(&identity);
                    *known = Some(identity.clone());
                    changed
                });
                if changed {
                    info!(
                        account = identity.account,
                        region = identity.region,
                        "verified the AWS identity"
                    );
                }
                if engine.connection.skew() > max_skew {
                    RETRY
                } else {
                    AGAIN
                }
            }
            Err(fault) => {
                warn!(
                    code = fault.code,
                    answer = fault.message,
                    "AWS did not confirm the operator's identity"
                );
                if engine.identity.borrow().is_some() {
                    AGAIN
                } else {
                    RETRY
                }
            }
        };
        tokio::time::sleep(wait).await;
    }
}
