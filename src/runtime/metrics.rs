//! Prometheus metrics. No label ever names an object, so that the number of time series is bounded.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{
    api::Kind,
    domain::{AccountRegion, AwsError, AwsErrorKind},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AwsCall {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Where {
    account: String,
    region: String,
    kind: &'static str,
}

/// All metrics of the process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    aws_calls: Family<AwsCall, Counter>,
    writes: Family<What, Counter>,
    reconciles: Family<Reconcile, Counter>,
    reviews: Family<What, Counter>,
    followed: Family<Where, Gauge>,
    orphans: Family<What, Counter>,
    certificate_expiry: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers the metrics.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("transcribe_operator");
        let aws_calls = Family::<AwsCall, Counter>::default();
        let reconciles = Family::<Reconcile, Counter>::default();
        let [writes, orphans, reviews] = [(); 3].map(|()| Family::<What, Counter>::default());
        let followed = Family::<Where, Gauge>::default();
        let certificate_expiry = Gauge::default();
        registry.register("aws_calls", "Calls to AWS by operation and outcome", aws_calls.clone());
        registry.register(
            "object_writes",
            "Writes to the API server by what was written",
            writes.clone(),
        );
        registry.register("reconcile", "Reconciles of jobs by kind and result", reconciles.clone());
        registry.register("admission_reviews", "Admission reviews by verdict", reviews.clone());
        registry.register("followed_jobs", "Jobs that the status pollers follow", followed.clone());
        registry.register(
            "orphans",
            "AWS records without an object, by what the garbage collector did",
            orphans.clone(),
        );
        registry.register(
            "webhook_certificate_expiry_timestamp_seconds",
            "When the webhook's certificate ends, if the operator makes it, as Unix time",
            certificate_expiry.clone(),
        );
        Self {
            registry: Arc::new(registry),
            aws_calls,
            writes,
            reconciles,
            reviews,
            followed,
            orphans,
            certificate_expiry,
        }
    }

    /// Counts a call to AWS.
    pub fn aws_call(&self, operation: &'static str, fault: Option<&AwsError>) {
        let outcome = fault.map_or("ok", |fault| match fault.kind {
            AwsErrorKind::Conflict => "conflict",
            AwsErrorKind::Absent => "absent",
            AwsErrorKind::Throttled => "throttled",
            AwsErrorKind::Denied => "denied",
            AwsErrorKind::Invalid => "invalid",
            AwsErrorKind::NotSent => "not_sent",
            AwsErrorKind::Ambiguous => "ambiguous",
        });
        self.aws_calls.get_or_create(&AwsCall { operation, outcome }).inc();
    }

    /// Counts a write to the API server.
    pub fn write(&self, what: &'static str) {
        self.writes.get_or_create(&What { what }).inc();
    }

    /// Counts a reconcile.
    pub fn reconcile(&self, kind: Kind, result: &'static str) {
        let kind = kind.name();
        self.reconciles.get_or_create(&Reconcile { kind, result }).inc();
    }

    /// Counts an admission review.
    pub fn review(&self, what: &'static str) {
        self.reviews.get_or_create(&What { what }).inc();
    }

    /// Sets when the webhook's certificate expires.
    pub fn certificate_expires(&self, at: jiff::Timestamp) {
        self.certificate_expiry.set(at.as_second());
    }

    /// Sets how many jobs of a kind the status poller of an account and Region follows.
    pub fn following(&self, at: &AccountRegion, kind: Kind, jobs: usize) {
        let at = Where {
            account: at.account.clone(),
            region: at.region.clone(),
            kind: kind.name(),
        };
        self.followed
            .get_or_create(&at)
            .set(i64::try_from(jobs).unwrap_or(i64::MAX));
    }

    /// Counts what the garbage collector did with an AWS record that has no object.
    pub fn orphan(&self, what: &'static str) {
        self.orphans.get_or_create(&What { what }).inc();
    }

    /// The metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# the metrics could not be written: {error}\n"),
        }
    }
}
