//! The desired request: the tenant's spec, bound to a class.

use sha2::{Digest as _, Sha256};

use crate::{
    api::{
        Kind, Spec,
        class_patterns::{AccessCheck, expand},
        status::{ClassRef, PinnedRequest},
        types::{DeletionPolicy, KmsKeyRef},
    },
    domain::{
        account::AccountRegion,
        class::selection::Class,
        job::{name::NamePrefix, view::JobView},
        policy::{self, CONTEXT_FIELD, Effective, personal_pairs},
        rejection::Rejection,
    },
};

/// The tenant's spec, parsed. Parsing needs no class.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The spec.
    pub spec: Spec,
}

impl Request {
    /// Parses a stored spec. The rejection names every field that is invalid.
    pub fn parse(kind: Kind, spec: &serde_json::Value) -> Result<Self, Rejection> {
        Spec::parse(kind, spec)
            .map(|spec| Self { spec })
            .map_err(Rejection::invalid)
    }
}

/// The effective request: the tenant's, with the defaults and rules of the class applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// What the tenant wrote.
    pub spec: Spec,
    /// The class that it is bound to.
    pub class: ClassRef,
    /// The reference of the key that encrypts the output. The intent pins its ARN.
    pub key: Option<KmsKeyRef>,
    /// The values that the intent pins. The key's ARN is not set yet, and `{attempt}` is not yet replaced by the number.
    pub pinned: PinnedRequest,
    /// What to do when AWS KMS does not confirm that the key can be used.
    pub verify_access: AccessCheck,
    /// Whether the AWS record outlives the object.
    pub retain: bool,
}

impl Desired {
    /// Binds a request to a class, and checks every rule about the *effective* request.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub fn bind(request: Request, class: &Class, prefix: &NamePrefix, job: &JobView) -> Result<Self, Rejection> {
        let Request { spec } = request;
        let output = policy::output(&spec, class, job)?;
        policy::media(&spec, class, job)?;
        policy::resource_names(&spec, class, job)?;
        let Effective { key, context } = policy::effective(&spec, class, job, output.bucket.as_ref())?;
        let pinned = PinnedRequest {
            kms_key_arn: None,
            context,
            output_bucket_name: output.bucket,
            output_key: output.key,
            data_access_role_arn: policy::data_access_role(&spec, class)?,
            tags: policy::tags(&spec, class, prefix, job)?,
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

    /// Whether the key was checked against the class. Until the account is known, a bare key id or alias could mean any key:
    /// AWS KMS is not asked about it, and nothing is submitted with it.
    pub fn key_is_judged(&self) -> bool {
        self.key.is_none() || self.class.account_id.is_some()
    }

    /// Whether these credentials are of the account and Region that the request was bound for.
    pub fn is_for(&self, identity: &AccountRegion) -> bool {
        let account = self.class.account_id.as_ref();
        self.key_is_judged()
            && account.is_none_or(|account| *account == identity.account)
            && self.class.region == identity.region
    }

    /// Returns the values that the intent of an attempt pins, with the key resolved.
    pub fn pin(&self, key_arn: Option<&str>, attempt: i32) -> PinnedRequest {
        let key = self.pinned.output_key.as_deref();
        // Only the class's prefix has placeholders: the tenant's own part stays as it is.
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

    /// Warnings about a request that is accepted, one line each.
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

    /// Returns a hash of the whole effective request. The leading `v1` is the version of the algorithm.
    pub fn request_hash(&self, pinned: &PinnedRequest) -> String {
        // Serialize without going through `Value`: then the order of fields does not depend on serde_json's features.
        let text = serde_json::to_string(&(self.spec.without_controls(), pinned)).unwrap_or_default();
        let hash = Sha256::digest(text.as_bytes());
        let short = u128::from_be_bytes(std::array::from_fn(|i| hash[i]));
        format!("v1:{short:032x}")
    }
}
