//! Decides from what KMS reports of a key whether a job can use it.
//!
//! A usable key is a customer managed key with `SYMMETRIC_DEFAULT` and `ENCRYPT_DECRYPT` (Transcribe developer guide, "Key
//! management"; RSA keys can be `ENCRYPT_DECRYPT` too) in a state in which it encrypts (KMS developer guide, "Key states"). A
//! missing answer of KMS is never taken for a denial.

use crate::{
    api::{
        class_patterns::AccessCheck,
        conditions::Reason,
        types::{KeyForm, KmsKeyRef},
    },
    domain::{
        aws_error::{AwsError, AwsErrorKind},
        rejection::Rejection,
    },
};

/// The field that names the key.
pub const KEY_FIELD: &str = "spec.encryption.kmsKeyId";

/// What DescribeKey reports of a key, verbatim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFacts {
    /// The ARN of the key, also if the request named an alias.
    pub arn: String,
    /// `CUSTOMER` or `AWS`.
    pub key_manager: String,
    /// `SYMMETRIC_DEFAULT`, or another key spec.
    pub key_spec: String,
    /// `ENCRYPT_DECRYPT`, or another key usage.
    pub key_usage: String,
    /// `Enabled`, or another key state.
    pub key_state: String,
}

/// The result of the dry runs: whether the key can be used with the job's encryption context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// One of them would have succeeded.
    Allowed,
    /// All were denied. This is only a hint: a policy with `kms:ViaService` denies direct use although the job works.
    Denied,
    /// KMS could not be asked.
    Unknown(AwsError),
}

/// KMS's answers about a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySeen {
    /// The answer to DescribeKey.
    pub facts: Result<KeyFacts, AwsError>,
    /// The dry runs of GenerateDataKey and Encrypt. `None`: they were not tried.
    pub access: Option<Access>,
}

/// Whether the key can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// KMS was not asked.
    NotAsked,
    /// The job needs no key.
    NotNeeded,
    /// Nothing certain speaks against the key.
    Usable {
        /// The key ARN that the reference resolves to.
        arn: String,
        /// What could not be verified, as the tenant sees it.
        doubt: Option<String>,
    },
    /// The key cannot be used until somebody acts.
    Refused(Rejection),
    /// Whether the key can be used is not known. Nothing is submitted, but the spec is not at fault.
    Unsettled {
        /// What is not known, and why.
        rejection: Rejection,
        /// Whether this may clear by itself; otherwise somebody has to act.
        passes: bool,
    },
}

/// Judges a key by what KMS reports of it. `account` and `region` are the job's: a bare key id or alias is resolved there.
pub fn judge(reference: &KmsKeyRef, account: Option<&str>, region: &str, seen: &KeySeen) -> KeyVerdict {
    let facts = match &seen.facts {
        Ok(facts) => facts,
        Err(fault) => return undescribed(reference, account, region, fault, seen),
    };
    if !same_key(reference, account, region, &facts.arn) {
        let message = "AWS KMS answered for a different key than the one requested; nothing is encrypted with it";
        return unsettled(Reason::KeyNotResolvable, message, false);
    }
    match unfit(facts) {
        Some((reason, message)) => KeyVerdict::Refused(Rejection::field(reason, KEY_FIELD, message)),
        None => match facts.key_state.as_str() {
            "Enabled" => usable(facts.arn.clone(), None, seen),
            "Updating" => usable(facts.arn.clone(), Some("AWS KMS is updating the key"), seen),
            "Creating" => unsettled(Reason::KeyUnavailable, "AWS KMS is still creating the key", true),
            "Unavailable" => {
                let message = "the key is unavailable: its custom key store is disconnected; connect it";
                unsettled(Reason::KeyUnavailable, message, true)
            }
            other => {
                let message = format!("the key is in the state {other}, which the operator does not know");
                unsettled(Reason::KeyUnavailable, message, true)
            }
        },
    }
}

/// Applies the class's `verifyAccess`. If the class asks for proof that the key can be used, a denial rejects the key, and a
/// missing answer is waited for.
pub fn enforce(check: AccessCheck, seen: &KeySeen, verdict: KeyVerdict) -> KeyVerdict {
    match (check, &seen.access, verdict) {
        (AccessCheck::Deny, Some(Access::Denied), KeyVerdict::Usable { .. }) => {
            let message = "AWS KMS denies the use of the key with this encryption context, and the class asks for proof that \
                           it can be used (verifyAccess); allow it in the key's policy, or use another key";
            KeyVerdict::Refused(Rejection::field(Reason::KeyUseDenied, KEY_FIELD, message))
        }
        (AccessCheck::Deny, Some(Access::Unknown(fault)), KeyVerdict::Usable { .. }) => {
            let message = format!(
                "the class asks for proof that the key can be used (verifyAccess), and AWS KMS did not give it ({}); it is \
                 asked again",
                fault.code
            );
            unsettled(Reason::KmsUnreachable, message, true)
        }
        (AccessCheck::Warn | AccessCheck::Deny | AccessCheck::Off, _, verdict) => verdict,
    }
}

/// Returns why a key is unusable until somebody acts: its type or its state.
fn unfit(facts: &KeyFacts) -> Option<(Reason, String)> {
    if facts.key_manager != "CUSTOMER" {
        let message =
            "the key is an AWS managed key, which cannot be shared with Amazon Transcribe; use a customer managed key";
        return Some((Reason::KeyNotCustomerManaged, message.to_owned()));
    }
    if let Some(message) = asymmetric(&facts.key_spec, &facts.key_usage) {
        return Some((Reason::KeyNotSymmetric, message));
    }
    let (reason, message) = match facts.key_state.as_str() {
        "Disabled" => (
            Reason::KeyDisabled,
            "the key is disabled; enable it (aws kms enable-key) or use another key",
        ),
        "PendingDeletion" => (
            Reason::KeyPendingDeletion,
            "the key is scheduled for deletion, and with it everything that it encrypts would be lost; cancel that (aws kms \
             cancel-key-deletion) and enable the key, or use another one",
        ),
        "PendingReplicaDeletion" => (
            Reason::KeyPendingDeletion,
            "the multi-Region key is deleted as soon as its replicas are; cancel that (aws kms cancel-key-deletion) and \
             enable the key, or use another one",
        ),
        "PendingImport" => (
            Reason::KeyPendingImport,
            "the key has no key material; import it (aws kms import-key-material) or use another key",
        ),
        _ => return None,
    };
    Some((reason, message.to_owned()))
}

fn asymmetric(spec: &str, usage: &str) -> Option<String> {
    const WANTED: &str = "use a symmetric encryption key (SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT)";
    let what = match (spec, usage) {
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") => return None,
        ("SYMMETRIC_DEFAULT", _) => return Some(format!("the key is not for encryption but for {usage}; {WANTED}")),
        (_, "GENERATE_VERIFY_MAC") => "an HMAC key, which encrypts nothing",
        (_, "SIGN_VERIFY") => "an asymmetric key for signatures, which encrypts nothing",
        (_, "ENCRYPT_DECRYPT") => "asymmetric: it encrypts, but not what Amazon S3 stores",
        _ => "asymmetric",
    };
    Some(format!("the key ({spec}, {usage}) is {what}; {WANTED}"))
}

fn usable(arn: String, doubt: Option<&str>, seen: &KeySeen) -> KeyVerdict {
    let access = match &seen.access {
        Some(Access::Denied) => Some(
            "AWS KMS denies the operator to use the key with this encryption context directly; the job fails unless the \
             key's policy allows it through Amazon Transcribe"
                .to_owned(),
        ),
        Some(Access::Unknown(fault)) => Some(format!("whether the key may be used is not known ({})", fault.code)),
        Some(Access::Allowed) | None => None,
    };
    let doubts: Vec<String> = doubt.map(str::to_owned).into_iter().chain(access).collect();
    let doubt = (!doubts.is_empty()).then(|| doubts.join("; "));
    KeyVerdict::Usable { arn, doubt }
}

/// The verdict if DescribeKey failed.
fn undescribed(
    reference: &KmsKeyRef,
    account: Option<&str>,
    region: &str,
    fault: &AwsError,
    seen: &KeySeen,
) -> KeyVerdict {
    let absent = match fault.kind {
        AwsErrorKind::Absent => true,
        AwsErrorKind::Invalid => fault.code == "InvalidArnException",
        AwsErrorKind::Denied if fault.code.starts_with("AccessDenied") => {
            return not_permitted(reference, account, region, seen);
        }
        AwsErrorKind::Conflict
        | AwsErrorKind::Throttled
        | AwsErrorKind::Denied
        | AwsErrorKind::NotSent
        | AwsErrorKind::Ambiguous => false,
    };
    if absent {
        let message =
            "there is no such key in the account and Region of the job; correct it, or name the key by its ARN";
        return KeyVerdict::Refused(Rejection::field(Reason::KeyNotFound, KEY_FIELD, message));
    }
    unanswered(&fault.code)
}

/// The verdict if DescribeKey was denied. The use of the key may be allowed all the same. Only an alias needs DescribeKey,
/// because without it the key that it stands for is not known.
fn not_permitted(reference: &KmsKeyRef, account: Option<&str>, region: &str, seen: &KeySeen) -> KeyVerdict {
    match reference.arn(account, region) {
        Some(arn) if !arn.contains(":alias/") => {
            let doubt = "the operator may not ask AWS KMS about the key (kms:DescribeKey), so whether it exists and fits is \
                         not known";
            usable(arn, Some(doubt), seen)
        }
        Some(_) | None => {
            let message = "the operator may not ask AWS KMS what the alias means; allow it kms:DescribeKey, or name the \
                           key by its ARN (arn:aws:kms:region:account:key/id)";
            unsettled(Reason::KeyNotResolvable, message, false)
        }
    }
}

/// Whether KMS answered for the key that was requested: in the same Region and account, and with the same key id if the
/// reference names one.
fn same_key(reference: &KmsKeyRef, account: Option<&str>, region: &str, answered: &str) -> bool {
    let Ok(answered) = answered.parse::<KmsKeyRef>() else {
        return false;
    };
    let KeyForm::KeyArn {
        region: in_region,
        account: in_account,
        key_id: answered_id,
        ..
    } = answered.form()
    else {
        return false;
    };
    let ours = in_region == region && account.is_none_or(|account| account == in_account);
    match reference.form() {
        KeyForm::KeyArn { .. } => reference == &answered,
        KeyForm::AliasArn { region, account, .. } => (region, account) == (in_region, in_account),
        KeyForm::KeyId(key_id) => ours && key_id == answered_id,
        KeyForm::AliasName(_) => ours,
    }
}

/// Returns the verdict for a key of which KMS gave no answer in time.
pub fn unanswered(code: &str) -> KeyVerdict {
    let message = format!("AWS KMS could not be asked about the key ({code}); it is asked again");
    unsettled(Reason::KmsUnreachable, message, true)
}

fn unsettled(reason: Reason, message: impl Into<String>, passes: bool) -> KeyVerdict {
    KeyVerdict::Unsettled {
        rejection: Rejection::field(reason, KEY_FIELD, message),
        passes,
    }
}
