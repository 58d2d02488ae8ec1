//! Whose credentials these are: asked at the start and again from time to time.

use std::time::Duration;

use tracing::{info, warn};

use super::Engine;

const AGAIN: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(5);

/// Keeps the engine's identity verified. A failure leaves what was verified before: the credentials sign what they sign.
pub async fn run(engine: Engine) {
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
                AGAIN
            }
            Err(fault) => {
                warn!(
                    code = fault.code,
                    message = fault.message,
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
