//! A spec of any kind.

use std::fmt;
use std::sync::LazyLock;

use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Kind;
use super::common::{Encryption, JobControls, SharedMembers, Tags};
use super::crd;
use super::transcription_class::TranscriptionClassSpec;
use super::types::{ClassName, ResourceName, RoleArn, S3Uri};

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

/// What a kind says of its own members.
pub(super) trait JobSpec {
    /// Whether AWS takes an encryption context.
    fn takes_context(&self) -> bool {
        true
    }
    /// Where the output is to go.
    fn output(&self) -> WantedOutput<'_>;
    /// The vocabularies, filters and language models that are named, and the fields that name them.
    fn resource_names(&self) -> Vec<(String, &ResourceName)>;
    /// The role that Amazon Transcribe is to assume, where the request has a place for one.
    fn data_access(&self) -> Option<WantedRole<'_>> {
        None
    }
}

/// Where a spec wants its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedOutput<'a> {
    /// The bucket, where the spec names one.
    pub bucket: Option<&'a str>,
    /// The field that names a bucket.
    pub bucket_field: &'static str,
    /// The key. `None`: AWS lets nobody choose one.
    pub key: Option<WantedKey<'a>>,
    /// AWS accepts no job without a bucket.
    pub required: bool,
}

/// Which key a spec wants for its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedKey<'a> {
    /// The key, or the prefix of keys, where the spec names one.
    pub named: Option<&'a str>,
    /// The field that names it.
    pub field: &'static str,
}

impl<'a> WantedOutput<'a> {
    /// Of a request with the member OutputBucketName.
    pub(super) fn in_bucket(bucket: Option<&'a str>) -> Self {
        Self {
            bucket,
            bucket_field: "spec.outputBucketName",
            key: None,
            required: true,
        }
    }

    /// Of a request that has the member OutputKey too.
    pub(super) fn at_key(self, named: Option<&'a str>) -> Self {
        let field = "spec.outputKey";
        Self {
            key: Some(WantedKey { named, field }),
            ..self
        }
    }
}

/// The role that a spec wants Amazon Transcribe to assume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedRole<'a> {
    /// The field that names it.
    pub field: &'static str,
    /// The role, where the spec names one.
    pub named: Option<&'a RoleArn>,
    /// AWS accepts no job without one.
    pub required: bool,
}

/// Defines the spec of any kind, by the type of each kind's.
macro_rules! specs {
    ($($Kind:ident: $Spec:path,)+) => {
        /// A valid spec.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(untagged)]
        pub enum Spec {
            $(
                #[doc = concat!("Of a ", stringify!($Kind), ".")]
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
    /// Reads a spec and holds it against all rules that no class can change: those of the CRD.
    ///
    /// # Errors
    /// All broken rules; where the spec cannot be read at all, the first place.
    pub fn parse(kind: Kind, spec: &Value) -> Result<Self, Vec<Violation>> {
        readable(kind.schema(), spec)?;
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

    /// The request alone, without how the operator runs the job.
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

    /// The media that the spec names, and the field that names it.
    pub fn media_uris(&self) -> Vec<(&'static str, &S3Uri)> {
        self.shared().media.uris()
    }

    /// The vocabularies, filters and language models that the spec names, and the fields that name them.
    pub fn resource_names(&self) -> Vec<(String, &ResourceName)> {
        self.own().resource_names()
    }

    /// The role that Amazon Transcribe is to assume, where the request has a place for one.
    pub fn data_access(&self) -> Option<WantedRole<'_>> {
        self.own().data_access()
    }

    /// Evaluates the CEL rules of the CRD on what was read, so that each rule exists once.
    fn check_rules(&self) -> Result<(), Vec<Violation>> {
        let value = serde_json::to_value(self).map_err(|error| vec![violation("", error.to_string())])?;
        keeps(self.kind().rules(), &value)
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

/// Flattened members are read on their own first: serde cannot tell a path within them.
fn decode<T: DeserializeOwned>(spec: &Value) -> Result<T, Vec<Violation>> {
    at_path::<JobControls>(spec)
        .and_then(|_| at_path::<SharedMembers>(spec))
        .and_then(|_| at_path(spec))
        .map_err(|violation| vec![violation])
}

fn at_path<T: DeserializeOwned>(spec: &Value) -> Result<T, Violation> {
    serde_path_to_error::deserialize(spec).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        if let Some(member) = missing(&message) {
            return violation(&format!("{path}.{member}"), "required".to_owned());
        }
        // The names of our structs mean nothing to a user.
        let message = match message.split_once("expected struct ") {
            Some((found, _)) => format!("{found}expected an object"),
            None => message,
        };
        violation(&path, without_text(message))
    })
}

/// The member that serde misses: it names the object that lacks it as the place.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
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
