//! The kinds of jobs.

use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use kube::core::ApiResource;
use kube::core::cel::{CompiledSchema, compile_schema};
use serde_json::Value;

use super::crd;
use super::text::closed_enum;

/// Defines the kinds, by the type of each kind's objects, its name, as in a manifest, and that of its resource, as in a URL.
macro_rules! kinds {
    ($($(#[$doc:meta])* $Kind:ident = $name:literal in $plural:literal: $Job:path,)+) => {
        closed_enum! {
            /// A kind of job.
            Kind { $($(#[$doc])* $Kind = $name,)+ }
        }

        impl Kind {
            /// The name of the resource, as in a URL.
            pub const fn plural(self) -> &'static str {
                match self {
                    $(Self::$Kind => $plural,)+
                }
            }

            /// What a dynamic client needs to know.
            pub fn resource(self) -> ApiResource {
                match self {
                    $(Self::$Kind => ApiResource::erase::<$Job>(&()),)+
                }
            }

            fn derived_crd(self) -> CustomResourceDefinition {
                match self {
                    $(Self::$Kind => <$Job>::crd(),)+
                }
            }
        }
    };
}

kinds! {
    /// A batch transcription.
    TranscriptionJob = "TranscriptionJob" in "transcriptionjobs": super::transcription_job::TranscriptionJob,
    /// A batch transcription of medical speech.
    MedicalTranscriptionJob = "MedicalTranscriptionJob" in "medicaltranscriptionjobs":
        super::medical_transcription_job::MedicalTranscriptionJob,
    /// The analysis of a call.
    CallAnalyticsJob = "CallAnalyticsJob" in "callanalyticsjobs": super::call_analytics_job::CallAnalyticsJob,
    /// Clinical notes of a medical conversation.
    MedicalScribeJob = "MedicalScribeJob" in "medicalscribejobs": super::medical_scribe_job::MedicalScribeJob,
}

impl Kind {
    /// The kind's name, as in a manifest.
    pub const fn name(self) -> &'static str {
        self.as_str()
    }

    /// The kind of this name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The CRD as users get it.
    pub(super) fn crd(self) -> CustomResourceDefinition {
        crd::tidy(crd::with_columns(self.derived_crd()))
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
