//! The kinds of jobs.

use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use kube::core::ApiResource;
use kube::core::cel::{CompiledSchema, compile_schema};
use serde_json::Value;

use crate::api::{schema, text::closed_enum};

/// Defines the kinds: for each, its name in a manifest, the name of its resource in a URL, and the type of its objects.
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

            /// The API resource, for a dynamic client.
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

    /// The CRD that users install.
    pub(super) fn crd(self) -> CustomResourceDefinition {
        schema::tidy(schema::with_columns(self.derived_crd()))
    }

    /// The schema of the spec.
    pub(super) fn schema(self) -> &'static Value {
        static SCHEMAS: [OnceLock<Value>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
        SCHEMAS[self as usize].get_or_init(|| schema::spec_schema(&self.crd()))
    }

    /// The compiled CEL rules of the spec, taken from the CRD.
    pub(super) fn rules(self) -> &'static CompiledSchema {
        static RULES: [OnceLock<CompiledSchema>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
        RULES[self as usize].get_or_init(|| compile_schema(self.schema()))
    }
}
