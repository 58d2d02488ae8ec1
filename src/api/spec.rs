//! The spec of a job of any kind.

use std::sync::LazyLock;

use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{
    common::{Encryption, JobControls, SharedMembers, Tags},
    crd::class_schema,
    job_spec::{JobSpec, WantedOutput, WantedRole},
    kind::Kind,
    structure,
    transcription_class::TranscriptionClassSpec,
    types::{ClassName, ResourceName, S3Uri},
    violation::Violation,
};

/// Defines [`Spec`] from the spec type of each kind.
macro_rules! specs {
    ($($Kind:ident: $Spec:path,)+) => {
        /// A valid spec.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(untagged)]
        pub enum Spec {
            $(
                #[doc = concat!("The spec of a ", stringify!($Kind), ".")]
                $Kind(Box<$Spec>),
            )+
        }

        impl Spec {
            fn read(kind: Kind, spec: &Value) -> Result<Self, Vec<Violation>> {
                match kind {
                    $(Kind::$Kind => decode(spec).map(|spec| Self::$Kind(Box::new(spec))),)+
                }
            }

            /// Which kind of spec it is.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$Kind(_) => Kind::$Kind,)+
                }
            }

            fn own(&self) -> &dyn JobSpec {
                match self {
                    $(Self::$Kind(spec) => &**spec,)+
                }
            }

            fn shared(&self) -> &SharedMembers {
                match self {
                    $(Self::$Kind(spec) => &spec.shared,)+
                }
            }

            fn shared_mut(&mut self) -> &mut SharedMembers {
                match self {
                    $(Self::$Kind(spec) => &mut spec.shared,)+
                }
            }
        }
    };
}

specs! {
    TranscriptionJob: super::transcription_job::TranscriptionJobSpec,
    MedicalTranscriptionJob: super::medical_transcription_job::MedicalTranscriptionJobSpec,
    CallAnalyticsJob: super::call_analytics_job::CallAnalyticsJobSpec,
    MedicalScribeJob: super::medical_scribe_job::MedicalScribeJobSpec,
}

impl Spec {
    /// Parses a spec and checks all rules of its CRD, that is, the rules that do not depend on a class.
    ///
    /// # Errors
    /// All broken rules; or, if members have the wrong type, all of those members instead.
    pub fn parse(kind: Kind, spec: &Value) -> Result<Self, Vec<Violation>> {
        typed(kind.schema(), spec)?;
        let spec = Self::read(kind, spec)?;
        spec.check_rules()?;
        Ok(spec)
    }

    /// The encryption that the spec asks for.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.shared().encryption.as_ref()
    }

    /// Whether AWS takes an encryption context.
    pub fn takes_context(&self) -> bool {
        self.own().takes_context()
    }

    /// The tags that the spec asks for.
    pub fn tags(&self) -> Option<&Tags> {
        self.shared().tags.as_ref()
    }

    /// How the operator runs the job.
    pub fn controls(&self) -> &JobControls {
        &self.shared().controls
    }

    /// The request alone: the same spec with default controls.
    #[must_use]
    pub fn without_controls(&self) -> Self {
        let mut spec = self.clone();
        spec.shared_mut().controls = JobControls::default();
        spec
    }

    /// The class that the spec names.
    pub fn class_name(&self) -> Option<&ClassName> {
        self.controls().transcription_class_name.as_ref()
    }

    /// Where the spec wants its output.
    pub fn output(&self) -> WantedOutput<'_> {
        self.own().output()
    }

    /// The media that the spec names, each with the field that names it.
    pub fn media_uris(&self) -> Vec<(&'static str, &S3Uri)> {
        self.shared().media.uris()
    }

    /// The vocabularies, filters and language models that the spec names, each with the field that names it.
    pub fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        self.own().resource_names()
    }

    /// The role that Amazon Transcribe is to assume. `None`: the request has no role.
    pub fn data_access(&self) -> Option<WantedRole<'_>> {
        self.own().data_access()
    }

    /// Evaluates the CEL rules of the CRD on the parsed spec, so that each rule is written only once.
    fn check_rules(&self) -> Result<(), Vec<Violation>> {
        let value = serde_json::to_value(self).map_err(|error| vec![violation("", error.to_string())])?;
        keeps(self.kind().rules(), &value)
    }
}

impl TranscriptionClassSpec {
    /// Parses the spec of a class and checks the rules of its CRD.
    ///
    /// # Errors
    /// All broken rules; or, if members have the wrong type, all of those members instead.
    pub fn parse(spec: &Value) -> Result<Self, Vec<Violation>> {
        static RULES: LazyLock<CompiledSchema> = LazyLock::new(|| compile_schema(class_schema()));
        typed(class_schema(), spec)?;
        let read: Self = at_path(spec).map_err(|error| vec![error])?;
        let value = serde_json::to_value(&read).map_err(|error| vec![violation("", error.to_string())])?;
        keeps(&RULES, &value).map(|()| read)
    }
}

fn keeps(rules: &CompiledSchema, value: &Value) -> Result<(), Vec<Violation>> {
    validate_compiled(rules, value, None).map_err(|errors| {
        let errors = errors.into_vec().into_iter();
        errors
            .map(|error| violation(&error.field_path, error.message))
            .collect()
    })
}

/// Checks that the value has the types of the schema.
fn typed(schema: &Value, spec: &Value) -> Result<(), Vec<Violation>> {
    let faults = structure::faults(schema, spec, "spec");
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Reads flattened members on their own first, because serde reports no path within them.
fn decode<T: DeserializeOwned>(spec: &Value) -> Result<T, Vec<Violation>> {
    at_path::<JobControls>(spec)
        .and_then(|_| at_path::<SharedMembers>(spec))
        .and_then(|_| at_path(spec))
        .map_err(|violation| vec![violation])
}

/// Reads a value whose JSON types are right, so that any error comes from the parser of a member's type.
fn at_path<T: DeserializeOwned>(spec: &Value) -> Result<T, Violation> {
    serde_path_to_error::deserialize(spec).map_err(|error| {
        let path = error.path().to_string();
        violation(&path, error.into_inner().to_string())
    })
}

fn violation(path: &str, message: String) -> Violation {
    let path = path.trim_start_matches('.');
    let field = if path.is_empty() {
        "spec".to_owned()
    } else {
        format!("spec.{path}")
    };
    Violation { field, message }
}
