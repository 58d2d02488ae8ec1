//! The kinds of jobs.

use std::fmt;
use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::ApiResource;
use kube::core::cel::{CompiledSchema, compile_schema};
use kube::{CustomResourceExt, Resource};
use serde_json::Value;

use super::call_analytics_job::CallAnalyticsJob;
use super::crd;
use super::medical_scribe_job::MedicalScribeJob;
use super::medical_transcription_job::MedicalTranscriptionJob;
use super::transcription_job::TranscriptionJob;

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A batch transcription.
    TranscriptionJob,
    /// A batch transcription of medical speech.
    MedicalTranscriptionJob,
    /// The analysis of a call.
    CallAnalyticsJob,
    /// Clinical notes of a medical conversation.
    MedicalScribeJob,
}

/// An expression about the Rust type of a kind's objects.
macro_rules! with_type {
    ($kind:expr, $Job:ident => $value:expr) => {
        match $kind {
            Kind::TranscriptionJob => {
                type $Job = TranscriptionJob;
                $value
            }
            Kind::MedicalTranscriptionJob => {
                type $Job = MedicalTranscriptionJob;
                $value
            }
            Kind::CallAnalyticsJob => {
                type $Job = CallAnalyticsJob;
                $value
            }
            Kind::MedicalScribeJob => {
                type $Job = MedicalScribeJob;
                $value
            }
        }
    };
}

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::TranscriptionJob,
        Self::MedicalTranscriptionJob,
        Self::CallAnalyticsJob,
        Self::MedicalScribeJob,
    ];

    /// The kind's name, as in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TranscriptionJob => "TranscriptionJob",
            Self::MedicalTranscriptionJob => "MedicalTranscriptionJob",
            Self::CallAnalyticsJob => "CallAnalyticsJob",
            Self::MedicalScribeJob => "MedicalScribeJob",
        }
    }

    /// The kind of this name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The name of the resource, as in a URL.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::TranscriptionJob => "transcriptionjobs",
            Self::MedicalTranscriptionJob => "medicaltranscriptionjobs",
            Self::CallAnalyticsJob => "callanalyticsjobs",
            Self::MedicalScribeJob => "medicalscribejobs",
        }
    }

    /// What a dynamic client needs to know.
    pub fn resource(self) -> ApiResource {
        with_type!(self, Job => ApiResource::erase::<Job>(&<Job as Resource>::DynamicType::default()))
    }

    /// The CRD as users get it.
    pub(super) fn crd(self) -> CustomResourceDefinition {
        crd::tidy(crd::with_columns(with_type!(self, Job => Job::crd())))
    }

    /// The schema of the spec.
    pub(super) fn schema(self) -> &'static Value {
        static SCHEMAS: [OnceLock<Value>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
        SCHEMAS[self as usize].get_or_init(|| crd::spec_schema(&self.crd()))
    }

    /// The compiled CEL rules of the spec: those of the CRD itself.
    pub(super) fn rules(self) -> &'static CompiledSchema {
        static RULES: [OnceLock<CompiledSchema>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
        RULES[self as usize].get_or_init(|| compile_schema(self.schema()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
