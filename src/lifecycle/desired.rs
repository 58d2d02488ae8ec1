//! What is wanted: the tenant's request, bound to a class.

use std::{collections::BTreeMap, fmt};

use sha2::{Digest as _, Sha256};

use super::{fault::FaultKind, key::KEY_FIELD, name::NameHead, subject::Subject};
use crate::{
    admission::rules::{credential, personal_data},
    api::{
        Kind, Spec, TAG_CLUSTER, TAG_NAME, TAG_NAMESPACE, TAG_UID, Violation,
        conditions::Reason,
        status::{ClassRef, PinnedRequest, RefusalStatus},
        types::{ContextKey, ContextValue, KeyForm, KmsKeyRef, partition},
    },
};

const CONTEXT_FIELD: &str = "spec.encryption.context";
/// How many pairs of encryption context AWS takes.
const MOST_PAIRS: usize = 10;

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

fn invalid(violations: &[Violation]) -> Refusal {
    let field = violations
        .first()
        .filter(|_| violations.len() == 1)
        .map(|v| v.field.clone());
    let message = match violations {
        [one] => one.message.clone(),
        many => many
            .iter()
            .map(|v| format!("{}: {}", v.field, v.message))
            .collect::<Vec<_>>()
            .join("; "),
    };
    Refusal {
        reason: Reason::InvalidSpec,
        field,
        message,
    }
}

/// What the platform team allows and supplies. Until classes are objects, the install's flags make the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The class as status names it. Without an account, that is not verified yet.
    pub reference: ClassRef,
    /// The bucket for the output of jobs that name none.
    pub output_bucket: Option<String>,
    /// The key of jobs that name none.
    pub default_key: Option<KmsKeyRef>,
    /// Pairs that are added to the encryption context of every job with a key. A tenant can neither override nor shadow one.
    pub added_context: BTreeMap<ContextKey, ContextValue>,
    /// Accounts other than the job's own whose keys a job may name. Empty: none.
    pub key_accounts: Vec<String>,
    /// The data-access roles that a job may name. Empty: none.
    pub data_access_roles: Vec<String>,
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
    /// What the class puts into the request. The key's ARN is still missing.
    pub pinned: PinnedRequest,
}

impl Desired {
    /// Binds a request to a class. Every rule about the *effective* request is judged here.
    pub fn bind(request: Request, class: &Class, head: &NameHead, job: &Subject) -> Result<Self, Refusal> {
        let Request { spec } = request;
        let wanted = spec.class_name();
        if wanted.is_some_and(|name| name.as_str() != class.reference.name) {
            let message = format!(
                "there is no such class; this namespace may use '{}'",
                class.reference.name
            );
            return Err(Refusal::field(Reason::NoClass, "spec.transcriptionClassName", message));
        }
        let bucket = spec
            .output_bucket()
            .map(ToString::to_string)
            .or_else(|| class.output_bucket.clone());
        let Some(bucket) = bucket else {
            let message = "required: without an output bucket the transcript would be out of your reach, \
                           and this install has no default bucket";
            return Err(Refusal::field(Reason::OutputRequired, "spec.outputBucketName", message));
        };
        let encryption = spec.encryption();
        let named = encryption.and_then(|e| e.kms_key_id.as_ref());
        if let Some(key) = named {
            place(key, class)?;
        }
        let key = named.or(class.default_key.as_ref()).cloned();
        let context = context(&spec, class, key.is_some())?;
        let pinned = PinnedRequest {
            kms_key_arn: None,
            context,
            output_bucket_name: Some(bucket),
            output_key: spec.output_key().map(ToString::to_string),
            data_access_role_arn: data_access_role(&spec, class)?,
            tags: tags(&spec, head, job),
        };
        Ok(Self {
            key,
            class: class.reference.clone(),
            pinned,
            spec,
        })
    }

    /// What is pinned by an intent, once the key is resolved.
    pub fn pin(&self, key_arn: Option<&str>) -> PinnedRequest {
        PinnedRequest {
            kms_key_arn: key_arn.map(ToOwned::to_owned),
            ..self.pinned.clone()
        }
    }

    /// What the tenant should know of a request that is accepted, each on one line.
    pub fn warnings(&self) -> Vec<String> {
        let personal = self
            .pinned
            .context
            .iter()
            .filter_map(|(key, value)| Some((key, personal_data(value)?)));
        let personal = personal.map(|(key, what)| {
            format!(
                "{CONTEXT_FIELD}: the value of '{}' looks like {what}; CloudTrail records a context in plain text",
                brief(key)
            )
        });
        let unencrypted = self.key.is_none().then(|| {
            "spec.encryption names no key: Amazon S3 encrypts the output with its own keys (SSE-S3)".to_owned()
        });
        unencrypted.into_iter().chain(personal).collect()
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

/// A key that is named by an ARN is in the job's Region and partition, and in an account that the class allows.
fn place(key: &KmsKeyRef, class: &Class) -> Result<(), Refusal> {
    let (KeyForm::KeyArn {
        partition: in_partition,
        region: in_region,
        account: in_account,
        ..
    }
    | KeyForm::AliasArn {
        partition: in_partition,
        region: in_region,
        account: in_account,
        ..
    }) = key.form()
    else {
        return Ok(());
    };
    let refused = |reason, message| Err(Refusal::field(reason, KEY_FIELD, message));
    let region = &class.reference.region;
    if in_region != region {
        let message = format!("the key is in {in_region}, but the job runs in {region}; use a key of {region}");
        return refused(Reason::KeyRegionMismatch, message);
    }
    let partition = partition(region);
    if in_partition != partition {
        let message = format!("the key's partition is {in_partition}, but {region} is in {partition}; correct the ARN");
        return refused(Reason::KeyRegionMismatch, message);
    }
    let foreign = class
        .reference
        .account_id
        .as_ref()
        .filter(|account| *account != in_account);
    if foreign.is_some() && !class.key_accounts.iter().any(|allowed| allowed == in_account) {
        let message = format!(
            "the key is in account {in_account}, whose keys class '{}' does not allow; use a key of the job's own account",
            class.reference.name
        );
        return refused(Reason::KeyAccountMismatch, message);
    }
    Ok(())
}

/// The effective encryption context: the tenant's pairs and the class's.
fn context(spec: &Spec, class: &Class, key: bool) -> Result<BTreeMap<String, String>, Refusal> {
    let refused = |message: String| Err(Refusal::field(Reason::InvalidSpec, CONTEXT_FIELD, message));
    let given = spec.encryption().and_then(|e| e.context.as_deref());
    let mut context = texts(given);
    if !key {
        return if context.is_empty() {
            Ok(context)
        } else {
            refused("an encryption context needs a key; set spec.encryption.kmsKeyId or remove the context".to_owned())
        };
    }
    if let Some(message) = leaks(&context) {
        return refused(message);
    }
    let added = texts(Some(&class.added_context));
    if let Some(taken) = context
        .keys()
        .find(|key| added.keys().any(|other| other.eq_ignore_ascii_case(key)))
    {
        let message = format!(
            "class '{}' sets '{}' itself; remove it from the context",
            class.reference.name,
            brief(taken)
        );
        return refused(message);
    }
    context.extend(added);
    if context.len() > MOST_PAIRS {
        let ours = class.added_context.len();
        let message = format!(
            "AWS takes {MOST_PAIRS} pairs at most, of which class '{}' adds {ours}; remove {} of the context",
            class.reference.name,
            context.len() - MOST_PAIRS
        );
        return refused(message);
    }
    Ok(context)
}

/// What looks like a credential is never repeated: what stands in a status is read by more people than what stands in a spec.
fn leaks(context: &BTreeMap<String, String>) -> Option<String> {
    const ADVICE: &str = "an encryption context is not secret (CloudTrail records it in plain text), so remove it and replace \
                          the credential";
    context
        .iter()
        .find_map(|(key, value)| match (credential(key), credential(value)) {
            (Some(what), _) => Some(format!("one of the keys looks like {what}; {ADVICE}")),
            (None, Some(what)) => Some(format!("the value of '{}' looks like {what}; {ADVICE}", brief(key))),
            (None, None) => None,
        })
}

/// A key of a context as it may stand in a message.
fn brief(key: &str) -> String {
    const LONGEST: usize = 64;
    let mut brief: String = key.chars().take(LONGEST).collect();
    if brief.len() < key.len() {
        brief.push('…');
    }
    brief
}

fn tags(spec: &Spec, head: &NameHead, job: &Subject) -> BTreeMap<String, String> {
    let ours = [
        (TAG_UID, job.uid.as_str()),
        (TAG_CLUSTER, head.cluster_id()),
        (TAG_NAMESPACE, job.namespace.as_str()),
        (TAG_NAME, job.name.as_str()),
    ];
    let ours = ours.map(|(key, value)| (key.to_owned(), value.to_owned()));
    texts(spec.tags().map(|tags| &**tags)).into_iter().chain(ours).collect()
}

/// A role that Amazon Transcribe assumes is a privilege: only one that the class names is passed on.
fn data_access_role(spec: &Spec, class: &Class) -> Result<Option<String>, Refusal> {
    let Some((field, role)) = spec.data_access_role() else {
        return Ok(None);
    };
    if class.data_access_roles.iter().any(|allowed| allowed == role.as_str()) {
        return Ok(Some(role.to_string()));
    }
    let message = format!(
        "class '{}' does not allow this role; leave it out or ask for it to be allowed",
        class.reference.name
    );
    Err(Refusal::field(Reason::InvalidSpec, field, message))
}

fn texts<K: ToString, V: ToString>(map: Option<&BTreeMap<K, V>>) -> BTreeMap<String, String> {
    map.into_iter()
        .flatten()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}
