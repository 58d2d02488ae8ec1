//! The port to Amazon Transcribe: start, get, list, delete, for every kind.

mod transcription;

use std::collections::HashMap;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_transcribe::config::Builder;
use jiff::Timestamp;

use super::{Connection, classify::fault, signing::SignedAt};
use crate::{
    api::{Kind, Spec, status::Submission},
    lifecycle::{Facts, Fault, FaultKind, plan::START_TAKES},
};

/// Which jobs a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    /// Waiting in AWS's queue.
    Queued,
    /// Being worked on.
    InProgress,
    /// With a result.
    Completed,
    /// Without one.
    Failed,
}

impl ListOf {
    const fn status(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The jobs by name.
    pub jobs: HashMap<String, Facts>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl Connection {
    /// Starts a job, exactly as its intent says, in one attempt that is signed with the intent's time.
    pub async fn start(&self, spec: &Spec, intent: &Submission) -> Result<Facts, Fault> {
        let once = once(intent.started_at.0);
        let reply = match spec {
            Spec::TranscriptionJob(spec) => transcription::start(&self.transcribe, spec, intent, once).await,
        };
        self.count("Start", &reply);
        reply
    }

    /// Looks at one job. `None`: AWS has no such job.
    pub async fn get(&self, kind: Kind, job_name: &str) -> Result<Option<Facts>, Fault> {
        let reply = match kind {
            Kind::TranscriptionJob => transcription::get(&self.transcribe, job_name).await,
        };
        self.count("Get", &reply);
        match reply {
            Ok(facts) => Ok(Some(facts)),
            Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Lists a page of jobs whose names contain `part` (compared without case by AWS).
    pub async fn list(&self, kind: Kind, of: ListOf, part: &str, from: Option<String>) -> Result<Page, Fault> {
        let reply = match kind {
            Kind::TranscriptionJob => transcription::list(&self.transcribe, of.status(), part, from).await,
        };
        self.count("List", &reply);
        reply
    }

    /// Deletes the record of a job that has ended.
    pub async fn delete(&self, kind: Kind, job_name: &str) -> Result<(), Fault> {
        let reply = match kind {
            Kind::TranscriptionJob => {
                let call = self
                    .transcribe
                    .delete_transcription_job()
                    .transcription_job_name(job_name);
                call.send().await.map(|_| ()).map_err(|e| fault(&e))
            }
        };
        self.count("Delete", &reply);
        reply
    }
}

fn once(signed_at: Timestamp) -> Builder {
    Builder::new()
        .time_source(SignedAt(signed_at))
        .retry_config(RetryConfig::disabled())
        .disable_clock_skew_correction(true)
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(START_TAKES)
                .operation_attempt_timeout(START_TAKES)
                .build(),
        )
}

fn time(time: Option<aws_sdk_transcribe::primitives::DateTime>) -> Option<Timestamp> {
    time.and_then(|t| Timestamp::new(t.secs(), i32::try_from(t.subsec_nanos()).ok()?).ok())
}
