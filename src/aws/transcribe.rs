//! The port to Amazon Transcribe: start, get, list, delete, for every kind.

use std::collections::HashMap;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_transcribe::{Client, config::Builder, error::BuildError};
use jiff::Timestamp;

use super::{
    Connection,
    classify::{fault, printable},
    signing::SignedAt,
};
use crate::{
    api::{Kind, Spec, status::Submission},
    lifecycle::{Facts, Fault, FaultKind, fault::UNREADABLE_REPLY, plan::START_TAKES},
};

/// The four calls of a kind. AWS's builders and replies are alike from kind to kind, and have no type in common: the kind's
/// file says `request`, `job_facts` and `summary_facts`, and here they are sent and read.
macro_rules! calls {
    ($Spec:ty, $job:ident by $name:ident, $get:ident, $list:ident of $summaries:ident, $delete:ident) => {
        use aws_sdk_transcribe::{Client, config::Builder};

        use crate::{
            api::status::Submission,
            lifecycle::{Facts, Fault},
        };

        pub(super) async fn start(
            client: &Client,
            spec: &$Spec,
            intent: &Submission,
            once: Builder,
        ) -> Result<Facts, Fault> {
            let call = request(client, spec, intent).map_err(|error| super::unsendable(&error))?;
            let call = call.customize().config_override(once);
            let reply = call.send().await.map_err(|error| super::fault(&error))?;
            Ok(reply.$job.map_or_else(super::accepted, job_facts))
        }

        pub(super) async fn get(client: &Client, job_name: &str) -> Result<Facts, Fault> {
            let call = client.$get().$name(job_name);
            let reply = call.send().await.map_err(|error| super::fault(&error))?;
            reply.$job.map(job_facts).ok_or_else(super::no_job)
        }

        pub(super) async fn list(
            client: &Client,
            status: &str,
            part: &str,
            from: Option<String>,
        ) -> Result<super::Page, Fault> {
            let call = client.$list().status(status.into()).job_name_contains(part);
            let call = call.max_results(100).set_next_token(from);
            let reply = call.send().await.map_err(|error| super::fault(&error))?;
            let jobs = reply.$summaries.unwrap_or_default().into_iter();
            let jobs = jobs.filter_map(|job| Some((job.$name.clone()?, summary_facts(job)?)));
            Ok(super::Page {
                jobs: jobs.collect(),
                next: reply.next_token,
            })
        }

        pub(super) async fn delete(client: &Client, job_name: &str) -> Result<(), Fault> {
            let call = client.$delete().$name(job_name);
            call.send()
                .await
                .map(|_| ())
                .map_err(|error| super::fault(&error))
        }
    };
}

/// What the records and the summaries of all kinds have in common.
macro_rules! common_facts {
    ($job:ident.$status:ident) => {
        crate::lifecycle::Facts {
            job_status: super::status($job.$status.map(|said| said.as_str().to_owned())),
            creation_time: super::time($job.creation_time),
            start_time: super::time($job.start_time),
            completion_time: super::time($job.completion_time),
            failure_reason: $job.failure_reason.as_deref().map(super::printable),
            language_code: $job.language_code.map(|code| code.as_str().to_owned()),
            ..crate::lifecycle::Facts::default()
        }
    };
}

mod parts;

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

/// Each call of any kind, by the module of each kind.
macro_rules! modules {
    ($($Kind:ident: $module:ident,)+) => {
        $(mod $module;)+

        async fn start(aws: &Client, spec: &Spec, intent: &Submission, once: Builder) -> Result<Facts, Fault> {
            match spec {
                $(Spec::$Kind(spec) => $module::start(aws, spec, intent, once).await,)+
            }
        }

        async fn get(aws: &Client, kind: Kind, job_name: &str) -> Result<Facts, Fault> {
            match kind {
                $(Kind::$Kind => $module::get(aws, job_name).await,)+
            }
        }

        async fn list(
            aws: &Client,
            kind: Kind,
            status: &str,
            part: &str,
            from: Option<String>,
        ) -> Result<Page, Fault> {
            match kind {
                $(Kind::$Kind => $module::list(aws, status, part, from).await,)+
            }
        }

        async fn delete(aws: &Client, kind: Kind, job_name: &str) -> Result<(), Fault> {
            match kind {
                $(Kind::$Kind => $module::delete(aws, job_name).await,)+
            }
        }
    };
}

modules! {
    TranscriptionJob: transcription,
    MedicalTranscriptionJob: medical_transcription,
    CallAnalyticsJob: call_analytics,
    MedicalScribeJob: medical_scribe,
}

impl Connection {
    /// Starts a job, exactly as its intent says, in one attempt that is signed with the intent's time.
    pub async fn start(&self, spec: &Spec, intent: &Submission) -> Result<Facts, Fault> {
        let reply = start(&self.transcribe, spec, intent, once(intent.started_at.0)).await;
        self.count("Start", &reply);
        reply
    }

    /// Looks at one job. `None`: AWS has no such job.
    pub async fn get(&self, kind: Kind, job_name: &str) -> Result<Option<Facts>, Fault> {
        let reply = get(&self.transcribe, kind, job_name).await;
        self.count("Get", &reply);
        match reply {
            Ok(facts) => Ok(Some(facts)),
            Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Lists a page of jobs whose names contain `part` (compared without case by AWS).
    pub async fn list(&self, kind: Kind, of: ListOf, part: &str, from: Option<String>) -> Result<Page, Fault> {
        let reply = list(&self.transcribe, kind, of.status(), part, from).await;
        self.count("List", &reply);
        reply
    }

    /// Deletes the record of a job that has ended.
    pub async fn delete(&self, kind: Kind, job_name: &str) -> Result<(), Fault> {
        let reply = delete(&self.transcribe, kind, job_name).await;
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

/// A request that the SDK itself refuses to build.
fn unsendable(error: &BuildError) -> Fault {
    Fault::new(FaultKind::Invalid, "InvalidRequest", printable(&error.to_string()))
}

fn no_job() -> Fault {
    Fault::new(FaultKind::Ambiguous, UNREADABLE_REPLY, "AWS's reply has no job")
}

/// AWS accepted the job and said nothing about it.
fn accepted() -> Facts {
    Facts {
        job_status: status(None),
        ..Facts::default()
    }
}

/// A record without a status is a new one.
fn status(said: Option<String>) -> String {
    said.unwrap_or_else(|| "QUEUED".to_owned())
}

fn time(time: Option<aws_sdk_transcribe::primitives::DateTime>) -> Option<Timestamp> {
    time.and_then(|t| Timestamp::new(t.secs(), i32::try_from(t.subsec_nanos()).ok()?).ok())
}
