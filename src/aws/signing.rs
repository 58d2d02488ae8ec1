//! Clocks: the time with which a Start is signed, and the skew between AWS's clock and ours.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef, dyn_dispatch_hint},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{config_bag::ConfigBag, date_time::Format};
use jiff::Timestamp;

/// Signs with the time of the intent, not with the current time. AWS refuses the request once the signature window is
/// over, so a process that was frozen for an hour can no longer start a job with that intent.
#[derive(Debug)]
pub(super) struct SignedAt(pub(super) Timestamp);

impl TimeSource for SignedAt {
    fn now(&self) -> SystemTime {
        SystemTime::from(self.0)
    }
}

/// The difference between our clock and the `Date` of AWS's last reply, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct SkewProbe(AtomicU64);

impl SkewProbe {
    pub(super) fn last(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn note(&self, date: &str) {
        // The result is the skew plus a little, because `Date` has whole seconds and the reply took a while to arrive.
        let Ok(theirs) = aws_smithy_types::DateTime::from_str(date, Format::HttpDate) else {
            return;
        };
        let skew_millis = (crate::runtime::clock::now().as_second() - theirs.secs())
            .unsigned_abs()
            .saturating_mul(1000);
        self.0.store(skew_millis, Ordering::Relaxed);
    }
}

/// The probe as an interceptor of the SDK.
#[derive(Debug)]
pub(super) struct SharedProbe(pub(super) Arc<SkewProbe>);

#[dyn_dispatch_hint]
impl Intercept for SharedProbe {
    fn name(&self) -> &'static str {
        "SkewProbe"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.note(date);
        }
        Ok(())
    }
}
