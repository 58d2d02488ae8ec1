//! The port to Amazon Transcribe: start, get, list, delete, for every kind.

use std::collections::HashMap;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_transcribe::{Client, config::Builder, error::BuildError};
use jiff::Timestamp;

use crate::{
    api::{Kind, Spec, status::Submission},
    aws::{
        Connection,
        classify::{fault, printable},
        signing::SignedAt,
    },
    domain::{AwsError, AwsErrorKind, RemoteJob, aws_error::UNREADABLE_REPLY, job::plan::START_TAKES},
};

/// Defines the four calls of a kind. A macro, because AWS's builders and replies are alike from kind to kind but have
/// no type in common. The file of the kind defines `request`, `job_facts` and `summary_facts`.
macro_rules! calls {
    ($Spec:ty, $job:ident by $name:ident, $get:ident, $list:ident of $summaries:ident, $delete:ident) => {
        use aws_sdk_transcribe::{Client, config::Builder};

        use crate::{
            api::status::Submission,
            domain::{AwsError, RemoteJob},
        };

        pub(super) async fn start(
            client: &Client,
            spec: &$Spec,
            intent: &Submission,
            once: Builder,
        ) -> Result<RemoteJob, AwsError> {
            let call = request(client, spec, intent).map_err(|error| super::unsendable(&error))?;
            let call = call.customize().config_override(once);
            let reply = call.send().await.map_err(|error| super::fault(&error))?;
            Ok(reply.$job.map_or_else(super::accepted, job_facts))
        }

        pub(super) async fn get(client: &Client, job_name: &str) -> Result<RemoteJob, AwsError> {
            let call = client.$get().$name(job_name);
            let reply = call.send().await.map_err(|error| super::fault(&error))?;
            reply.$job.map(job_facts).ok_or_else(super::no_job)
        }

        pub(super) async fn list(
            client: &Client,
            status: &str,
            part: &str,
            from: Option<String>,
        ) -> Result<super::Page, AwsError> {
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

        pub(super) async fn delete(client: &Client, job_name: &str) -> Result<(), AwsError> {
            let call = client.$delete().$name(job_name);
            call.send()
                .await
                .map(|_| ())
                .map_err(|error| super::fault(&error))
        }
    };
}

/// The facts that the records and the summaries of all kinds have in common.
macro_rules! common_facts {
    ($job:ident.$status:ident) => {
        crate::domain::RemoteJob {
            job_status: super::status($job.$status.map(|status| status.as_str().to_owned())),
            creation_time: super::time($job.creation_time),
            start_time: super::time($job.start_time),
            completion_time: super::time($job.completion_time),
            failure_reason: $job.failure_reason.as_deref().map(super::printable),
            language_code: $job.language_code.map(|code| code.as_str().to_owned()),
            ..crate::domain::RemoteJob::default()
        }
    };
}

mod parts;

/// Which jobs a List returns: those with this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    /// QUEUED: waiting in AWS's queue.
    Queued,
    /// IN_PROGRESS: being processed.
    InProgress,
    /// COMPLETED: ended with a result.
    Completed,
    /// FAILED: ended without a result.
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
    pub jobs: HashMap<String, RemoteJob>,
    /// The token of the next page. `None`: this is the last page.
    pub next: Option<String>,
}

/// Dispatches each call to the module of its kind.
macro_rules! modules {
    ($($Kind:ident: $module:ident,)+) => {
        $(mod $module;)+

        async fn start(aws: &Client, spec: &Spec, intent: &Submission, once: Builder) -> Result<RemoteJob, AwsError> {
            match spec {
                $(Spec::$Kind(spec) => $module::start(aws, spec, intent, once).await,)+
            }
        }

        async fn get(aws: &Client, kind: Kind, job_name: &str) -> Result<RemoteJob, AwsError> {
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
        ) -> Result<Page, AwsError> {
            match kind {
                $(Kind::$Kind => $module::list(aws, status, part, from).await,)+
            }
        }

        async fn delete(aws: &Client, kind: Kind, job_name: &str) -> Result<(), AwsError> {
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
    /// Starts a job exactly as its intent says. Sends the request once, signed with the time of the intent.
    pub async fn start(&self, spec: &Spec, intent: &Submission) -> Result<RemoteJob, AwsError> {
        let reply = start(&self.transcribe, spec, intent, once(intent.started_at.0)).await;
        self.count("Start", &reply);
        reply
    }

    /// Gets one job. `None`: AWS has no such job.
    pub async fn get(&self, kind: Kind, job_name: &str) -> Result<Option<RemoteJob>, AwsError> {
        let reply = get(&self.transcribe, kind, job_name).await;
        self.count("Get", &reply);
        match reply {
            Ok(facts) => Ok(Some(facts)),
            Err(fault) if fault.kind == AwsErrorKind::Absent => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Lists one page of the jobs whose names contain `part` (AWS ignores case).
    pub async fn list(&self, kind: Kind, of: ListOf, part: &str, from: Option<String>) -> Result<Page, AwsError> {
        let reply = list(&self.transcribe, kind, of.status(), part, from).await;
        self.count("List", &reply);
        reply
    }

    /// Deletes the record of a job that has ended.
    pub async fn delete(&self, kind: Kind, job_name: &str) -> Result<(), AwsError> {
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

/// The error for a request that the SDK itself refuses to build.
fn unsendable(error: &BuildError) -> AwsError {
    AwsError::new(AwsErrorKind::Invalid, "InvalidRequest", printable(&error.to_string()))
}

fn no_job() -> AwsError {
    AwsError::new(AwsErrorKind::Ambiguous, UNREADABLE_REPLY, "AWS's reply has no job")
}

/// A job that AWS accepted without returning anything about it.
fn accepted() -> RemoteJob {
    RemoteJob {
        job_status: status(None),
        ..RemoteJob::default()
    }
}

/// A record without a status counts as queued, because it is new.
fn status(status: Option<String>) -> String {
    status.unwrap_or_else(|| "QUEUED".to_owned())
}

fn time(time: Option<aws_sdk_transcribe::primitives::DateTime>) -> Option<Timestamp> {
    time.and_then(|t| Timestamp::new(t.secs(), i32::try_from(t.subsec_nanos()).ok()?).ok())
}
