//! Kubernetes Events. They are best effort: no decision depends on them, and nothing fails if they fail.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{self, EventType, Recorder, Reporter},
};
use tracing::{debug, info};

use crate::{domain::event::Event, runtime::metrics::Metrics};

const TIMEOUT: Duration = Duration::from_secs(3);
/// Below the API server's limit on a note, which is 1024 bytes.
const LONGEST_NOTE: usize = 1000;

/// Publishes Events.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    reporter: Reporter,
    /// Shared, so that an Event that is published again only increments the count of the first one.
    recorder: Recorder,
    metrics: Metrics,
}

impl Publisher {
    /// `instance` is the name of the Pod.
    pub fn new(client: Client, instance: Option<String>, metrics: Metrics) -> Self {
        let reporter = Reporter {
            controller: "transcribe-operator".to_owned(),
            instance,
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter.clone()),
            client,
            reporter,
            metrics,
        }
    }

    /// Publishes a transition. It gets an Event of its own even if an earlier one has the same reason, because the
    /// shared recorder would only increment the count of the earlier one and keep its note.
    pub async fn transition(&self, about: &ObjectReference, event: Event) {
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        self.publish(&recorder, about, event).await;
    }

    /// Publishes something that may recur. While the reason stays the same, it is one Event whose count increases.
    pub async fn repeated(&self, about: &ObjectReference, event: Event) {
        self.publish(&self.recorder, about, event).await;
    }

    async fn publish(&self, recorder: &Recorder, about: &ObjectReference, event: Event) {
        let Event { warning, reason, note } = event;
        info!(reason, note, "event");
        let event = events::Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            action: reason.clone(),
            reason,
            note: Some(note.chars().take(LONGEST_NOTE).collect()),
            secondary: None,
        };
        match tokio::time::timeout(TIMEOUT, recorder.publish(&event, about)).await {
            Ok(Ok(())) => self.metrics.write("event"),
            Ok(Err(error)) => debug!(%error, "an Event was not stored"),
            Err(_) => debug!("an Event was not stored in time"),
        }
    }
}
