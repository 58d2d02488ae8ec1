//! What is wanted: the tenant's request, bound to a class.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{
    bind::{self, CONTEXT_FIELD, Effective, personal_pairs},
    class::Class,
    fault::{FaultKind, NO_CREDENTIALS},
    name::NameHead,
    observed::Identity,
    subject::Subject,
};
use crate::api::{
    Kind, Spec, Violation,
    class_words::{AccessCheck, expand},
    conditions::Reason,
    status::{ClassRef, PinnedRequest, RefusalStatus},
    types::{DeletionPolicy, KmsKeyRef},
};

/// Why something cannot be done, told to the tenant who sees it in `kubectl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The condition's reason.
    pub reason: Reason,
    /// The field that it is about, such as `spec.encryption.kmsKeyId`.
    pub field: Option<String>,
    /// What is wrong and what helps, without the field.
    pub message: String,
}

impl Refusal {
    /// A refusal that is not about one field.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: None,
            message: message.into(),
        }
    }

    /// A refusal of one field's value.
    pub fn field(reason: Reason, field: &str, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: Some(field.to_owned()),
            message: message.into(),
        }
    }
}

impl From<&RefusalStatus> for Refusal {
    fn from(refusal: &RefusalStatus) -> Self {
        let RefusalStatus { code, message, .. } = refusal;
        let answered = format!("Amazon Transcribe answered {code}: {message}");
        let (reason, message) = match FaultKind::of_code(code) {
            FaultKind::Throttled => (Reason::Throttled, answered),
            FaultKind::Denied => (Reason::AccessDenied, answered),
            FaultKind::NotSent if code == NO_CREDENTIALS => (Reason::AccessDenied, message.clone()),
            FaultKind::NotSent => {
                let late = format!("the submission did not get through ({code}): {message}; it is tried again");
                (Reason::AwsUnreachable, late)
            }
            FaultKind::Ambiguous => (Reason::Submitting, answered),
            FaultKind::Conflict | FaultKind::Absent | FaultKind::Invalid => (Reason::Refused, answered),
        };
        Self::new(reason, message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// What the tenant wrote, parsed. No class is needed for that.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The spec.
    pub spec: Spec,
}

impl Request {
    /// Parses a stored spec. The error names all fields that are wrong.
    pub fn parse(kind: Kind, spec: &serde_json::Value) -> Result<Self, Refusal> {
        Spec::parse(kind, spec)
            .map(|spec| Self { spec })
            .map_err(|violations| invalid(&violations))
    }
}

/// All that is wrong, after the field where there is but one.
fn invalid(violations: &[Violation]) -> Refusal {
    let first = violations.first().map(|violation| &violation.field);
    let field = first.filter(|field| violations.iter().all(|violation| violation.field == **field));
    let told = violations.iter().map(|violation| match field {
        Some(_) => violation.message.clone(),
        None => violation.to_string(),
    });
    Refusal {
        reason: Reason::InvalidSpec,
        field: field.cloned(),
        message: told.collect::<Vec<_>>().join("; "),
    }
}

/// The effective request: the tenant's, with the class bound in.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// What the tenant wrote.
    pub spec: Spec,
    /// The class that was bound in.
    pub class: ClassRef,
    /// The key that is to encrypt the output, as a reference. Its ARN is pinned by the intent.
    pub key: Option<KmsKeyRef>,
    /// What the class puts into the request. The key's ARN is still missing, and `{attempt}` stands for the attempt's number.
    pub pinned: PinnedRequest,
    /// What is done when the use of the key cannot be proven.
    pub verify_access: AccessCheck,
    /// Whether the AWS record outlives the object.
    pub retain: bool,
}

impl Desired {
    /// Binds a request to a class. Every rule about the *effective* request is judged here.
    pub fn bind(request: Request, class: &Class, head: &NameHead, job: &Subject) -> Result<Self, Refusal> {
        let Request { spec } = request;
        let output = bind::output(&spec, class, job)?;
        bind::media(&spec, class, job)?;
        bind::resource_names(&spec, class, job)?;
        let Effective { key, context } = bind::effective(&spec, class, job, output.bucket.as_ref())?;
        let pinned = PinnedRequest {
            kms_key_arn: None,
            context,
            output_bucket_name: output.bucket,
            output_key: output.key,
            data_access_role_arn: bind::data_access_role(&spec, class)?,
            tags: bind::tags(&spec, class, head, job)?,
        };
        let (controls, defaults) = (spec.controls(), class.spec.job_defaults.as_ref());
        let retention = controls.deletion_policy.or(defaults.and_then(|d| d.deletion_policy));
        Ok(Self {
            key,
            class: class.reference.clone(),
            verify_access: class.verify_access(),
            retain: retention == Some(DeletionPolicy::Retain),
            pinned,
            spec,
        })
    }

    /// Whether the key is known to be one that the class allows. While the account is not known, nobody can say which key a
    /// bare id or alias means: AWS KMS is not asked about it, and nothing is submitted with it.
    pub fn key_is_judged(&self) -> bool {
        self.key.is_none() || self.class.account_id.is_some()
    }

    /// These credentials are those that the request was bound for.
    pub fn is_for(&self, identity: &Identity) -> bool {
        let account = self.class.account_id.as_ref();
        self.key_is_judged()
            && account.is_none_or(|account| *account == identity.account)
            && self.class.region == identity.region
    }

    /// What is pinned by the intent of an attempt, once the key is resolved.
    pub fn pin(&self, key_arn: Option<&str>, attempt: i32) -> PinnedRequest {
        let key = self.pinned.output_key.as_deref();
        // The placeholder is the class's: what the tenant has named stays as it is.
        let named = self.spec.output().key.and_then(|key| key.named).unwrap_or_default();
        let numbered = |key: &str| {
            let prefix = key.strip_suffix(named).unwrap_or(key);
            expand(prefix, &[("attempt", &attempt.to_string())]) + named
        };
        PinnedRequest {
            kms_key_arn: key_arn.map(ToOwned::to_owned),
            output_key: key.map(numbered),
            ..self.pinned.clone()
        }
    }

    /// What the tenant should know of a request that is accepted, each on one line.
    pub fn warnings(&self) -> Vec<String> {
        let personal = personal_pairs(&self.pinned.context).map(|message| format!("{CONTEXT_FIELD}: {message}"));
        let unencrypted = self.key.is_none().then(|| {
            "spec.encryption names no key: Amazon S3 encrypts the output with its own keys (SSE-S3)".to_owned()
        });
        let unreachable = self.pinned.output_bucket_name.is_none().then(|| {
            let field = self.spec.output().bucket_field;
            format!("{field} is not set: Amazon Transcribe keeps the transcript in a bucket of its own")
        });
        unencrypted.into_iter().chain(unreachable).chain(personal).collect()
    }

    /// A hash of the whole effective request. The leading `v1` is the version of its making.
    pub fn request_hash(&self, pinned: &PinnedRequest) -> String {
        // Straight to text: the members of a struct have one order, whatever features serde_json is built with.
        let text = serde_json::to_string(&(self.spec.without_controls(), pinned)).unwrap_or_default();
        let hash = Sha256::digest(text.as_bytes());
        let short = u128::from_be_bytes(std::array::from_fn(|i| hash[i]));
        format!("v1:{short:032x}")
    }
}
