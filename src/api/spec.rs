//! The kinds of jobs, and a spec of any of them.

use std::fmt;
use std::sync::{LazyLock, OnceLock};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::ApiResource;
use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use kube::{CustomResourceExt, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::common::{Encryption, JobControls, Tags};
use super::crd;
use super::transcription_class::TranscriptionClassSpec;
use super::transcription_job::{TranscriptionJob, TranscriptionJobSpec};
use super::types::{BucketName, ClassName, OutputKey, ResourceName, RoleArn, S3Uri};

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A batch transcription.
    TranscriptionJob,
}

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[Self::TranscriptionJob];

    /// The kind's name, as in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TranscriptionJob => "TranscriptionJob",
        }
    }

    /// The kind of this name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The name of the resource, as in a URL.
    pub fn plural(self) -> &'static str {
        match self {
            Self::TranscriptionJob => "transcriptionjobs",
        }
    }

    /// What a dynamic client needs to know.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::TranscriptionJob => {
                ApiResource::erase::<TranscriptionJob>(&<TranscriptionJob as Resource>::DynamicType::default())
            }
        }
    }

    /// The CRD as users get it.
    pub(super) fn crd(self) -> CustomResourceDefinition {
        crd::tidy(match self {
            Self::TranscriptionJob => TranscriptionJob::crd(),
        })
    }

    /// The schema of the spec.
    pub(super) fn schema(self) -> &'static Value {
        static TRANSCRIPTION_JOB: OnceLock<Value> = OnceLock::new();
        let cell = match self {
            Self::TranscriptionJob => &TRANSCRIPTION_JOB,
        };
        cell.get_or_init(|| crd::spec_schema(&self.crd()))
    }

    /// The compiled CEL rules of the spec: those of the CRD itself.
    fn rules(self) -> &'static CompiledSchema {
        static TRANSCRIPTION_JOB: OnceLock<CompiledSchema> = OnceLock::new();
        let cell = match self {
            Self::TranscriptionJob => &TRANSCRIPTION_JOB,
        };
        cell.get_or_init(|| compile_schema(self.schema()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A member of a spec that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Violation {
    /// The path of the member, such as `spec.settings.maxSpeakerLabels`.
    pub field: String,
    /// What is wrong and what to do instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// A valid spec.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Spec {
    /// Of a [`TranscriptionJob`].
    TranscriptionJob(Box<TranscriptionJobSpec>),
}

impl Spec {
    /// Reads a spec and holds it against all rules that no class can change: those of the CRD.
    ///
    /// # Errors
    /// All broken rules; where the spec cannot be read at all, the first place.
    pub fn parse(kind: Kind, spec: &Value) -> Result<Self, Vec<Violation>> {
        readable(kind.schema(), spec)?;
        let spec = match kind {
            Kind::TranscriptionJob => Self::TranscriptionJob(Box::new(decode(spec)?)),
        };
        spec.check_rules(kind)?;
        Ok(spec)
    }

    /// Which kind of spec it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::TranscriptionJob(_) => Kind::TranscriptionJob,
        }
    }

    /// The encryption that the spec asks for.
    pub fn encryption(&self) -> Option<&Encryption> {
        match self {
            Self::TranscriptionJob(spec) => spec.encryption.as_ref(),
        }
    }

    /// The tags that the spec asks for.
    pub fn tags(&self) -> Option<&Tags> {
        match self {
            Self::TranscriptionJob(spec) => spec.tags.as_ref(),
        }
    }

    /// How the operator runs the job.
    pub fn controls(&self) -> &JobControls {
        match self {
            Self::TranscriptionJob(spec) => &spec.controls,
        }
    }

    /// The request alone, without how the operator runs the job.
    #[must_use]
    pub fn without_controls(&self) -> Self {
        match self {
            Self::TranscriptionJob(spec) => Self::TranscriptionJob(Box::new(TranscriptionJobSpec {
                controls: JobControls::default(),
                ..(**spec).clone()
            })),
        }
    }

    /// The class that the spec names.
    pub fn class_name(&self) -> Option<&ClassName> {
        self.controls().transcription_class_name.as_ref()
    }

    /// The output bucket that the spec names.
    pub fn output_bucket(&self) -> Option<&BucketName> {
        match self {
            Self::TranscriptionJob(spec) => spec.output_bucket_name.as_ref(),
        }
    }

    /// The output key that the spec names.
    pub fn output_key(&self) -> Option<&OutputKey> {
        match self {
            Self::TranscriptionJob(spec) => spec.output_key.as_ref(),
        }
    }

    /// Whether AWS lets the output's key be chosen.
    pub fn takes_output_key(&self) -> bool {
        match self {
            Self::TranscriptionJob(_) => true,
        }
    }

    /// Whether AWS takes an encryption context.
    pub fn takes_context(&self) -> bool {
        match self {
            Self::TranscriptionJob(_) => true,
        }
    }

    /// The media that the spec names, and the field that names it.
    pub fn media_uris(&self) -> Vec<(&'static str, &S3Uri)> {
        match self {
            Self::TranscriptionJob(spec) => spec.media.uris(),
        }
    }

    /// The vocabularies, filters and language models that the spec names, and the fields that name them.
    pub fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        match self {
            Self::TranscriptionJob(spec) => spec.resource_names(),
        }
    }

    /// The role that Amazon Transcribe is to assume, and its field, where there is a block for one.
    pub fn data_access(&self) -> Option<(&'static str, Option<&RoleArn>)> {
        match self {
            Self::TranscriptionJob(spec) => {
                let role = spec.job_execution_settings.as_ref()?.data_access_role_arn.as_ref();
                Some(("spec.jobExecutionSettings.dataAccessRoleArn", role))
            }
        }
    }

    /// Evaluates the CEL rules of the CRD on what was read, so that each rule exists once.
    fn check_rules(&self, kind: Kind) -> Result<(), Vec<Violation>> {
        let value = serde_json::to_value(self).map_err(|error| vec![violation("", error.to_string())])?;
        keeps(kind.rules(), &value)
    }
}

impl TranscriptionClassSpec {
    /// Reads the spec of a class and holds it against the rules of its CRD.
    ///
    /// # Errors
    /// All broken rules; where the spec cannot be read at all, the first place.
    pub fn parse(spec: &Value) -> Result<Self, Vec<Violation>> {
        static RULES: LazyLock<CompiledSchema> = LazyLock::new(|| compile_schema(crd::class_schema()));
        readable(crd::class_schema(), spec)?;
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

/// Serde would read a list in the place of an object.
fn readable(schema: &Value, spec: &Value) -> Result<(), Vec<Violation>> {
    if !spec.is_object() {
        return Err(vec![violation("", "is missing, or is no object".to_owned())]);
    }
    match crd::list_for_object(schema, spec, "") {
        Some(path) => Err(vec![violation(&path, "must be an object, and is a list".to_owned())]),
        None => Ok(()),
    }
}

/// The flattened controls are read on their own too: serde cannot tell a path within a flattened struct.
fn decode<T: DeserializeOwned>(spec: &Value) -> Result<T, Vec<Violation>> {
    let controls = at_path::<JobControls>(spec).err();
    match at_path(spec) {
        Ok(spec) => Ok(spec),
        Err(error) => Err(vec![controls.unwrap_or(error)]),
    }
}

fn at_path<T: DeserializeOwned>(spec: &Value) -> Result<T, Violation> {
    serde_path_to_error::deserialize(spec).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // The names of our structs mean nothing to a user.
        let message = match message.split_once("expected struct ") {
            Some((found, _)) => format!("{found}expected an object"),
            None => message,
        };
        violation(&path, without_text(message))
    })
}

/// A text in the wrong place may be confidential, and is not repeated.
fn without_text(message: String) -> String {
    match (
        message.starts_with("invalid type: string "),
        message.rsplit_once(", expected "),
    ) {
        (true, Some((_, expected))) => format!("invalid type: string, expected {expected}"),
        (true, None) | (false, _) => message,
    }
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
