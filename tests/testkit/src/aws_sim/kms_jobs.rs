//! Transcribe's own use of a key: to encrypt a job's output.
//!
//! That the caller, and the role that the job runs as, must be allowed to use the key is documented. What AWS says of a
//! key that cannot be used, and when, is not: see [`KeyFault`]. Here Transcribe makes a data key, in the name of each of
//! them and with the job's encryption context; with another account's key it also encrypts. A managed key of AWS is
//! refused by its own policy, which names another service. To the context of some kinds of jobs it adds pairs of its own.

use std::collections::BTreeMap;

use super::config::KeyFault;
use super::error::AwsError;
use super::iam::{Principal, account_of};
use super::kinds::Kind;
use super::kms::{Access, texts, usable};
use super::kms_id::resolve;
use super::kms_keys::{Key, Keys};
use super::transcribe::Call;
use super::world::Estate;

/// The key that a job's output is to be encrypted with.
#[derive(Clone, Debug)]
pub(super) struct JobKey {
    /// The key's ARN; if the request names no key that exists, what the request says.
    key_id: String,
    region: String,
    /// The caller, and the role that the job runs as.
    principals: Vec<Principal>,
    context: BTreeMap<String, String>,
}

impl JobKey {
    /// The key of a Start; none if the request has none. An alias is followed now and not again. `runner` is whom the
    /// job runs as, be it the caller or a role.
    pub(super) fn of(call: &Call<'_>, kind: &Kind, keys: &Keys, runner: &Principal) -> Option<Self> {
        let key_id = Some(call.text("/OutputEncryptionKMSKeyId")).filter(|id| !id.is_empty())?;
        let role = Some(runner).filter(|runner| runner.arn != call.caller.principal.arn);
        let mut found = Self {
            key_id: key_id.to_owned(),
            region: call.caller.region.clone(),
            principals: std::iter::once(&call.caller.principal).chain(role).cloned().collect(),
            context: texts(&call.body, "KMSEncryptionContext"),
        };
        if let Some(service) = kind.context {
            let added = |what: &str| format!("aws:{}:transcribe:{service}:{what}", call.caller.region);
            let name = call.text(&format!("/{}", kind.name)).to_owned();
            found.context.insert(added("job-name"), name);
            found.context.insert(added("start-time-epoch-ms"), call.now.to_string());
        }
        if let Some(arn) = found.resolved(keys) {
            found.key_id = arn;
        }
        Some(found)
    }

    /// The key's ARN and the context that stand with the output.
    pub(super) fn stored(&self) -> (&str, &BTreeMap<String, String>) {
        (&self.key_id, &self.context)
    }

    /// Whether the output could be encrypted now.
    pub(super) fn is_usable(&self, estate: &Estate) -> bool {
        let may = |operation| {
            self.accesses(operation, |access| usable(estate, &self.key_id, access).is_ok())
                .all(|usable| usable)
        };
        may("GenerateDataKey") && (!self.is_foreign() || may("Encrypt"))
    }

    /// For another account's key the caller needs the right to Encrypt too.
    fn is_foreign(&self) -> bool {
        let owner = account_of(&self.key_id);
        !owner.is_empty() && self.principals.iter().any(|principal| principal.account != owner)
    }

    fn resolved(&self, keys: &Keys) -> Option<String> {
        self.accesses("GenerateDataKey", |access| {
            resolve(keys, &self.key_id, access).map(Key::arn).ok()
        })
        .next()?
    }

    /// What becomes of each principal's use of the key.
    fn accesses<T>(&self, operation: &str, ask: impl Fn(&Access<'_>) -> T) -> impl Iterator<Item = T> {
        let via = format!("transcribe.{}.amazonaws.com", self.region);
        self.principals.iter().map(move |principal| {
            ask(&Access {
                operation,
                principal,
                region: &self.region,
                context: &self.context,
                via: Some(&via),
            })
        })
    }
}

/// Refuse a Start whose key cannot be used, if that is when it is found out. The text is inferred.
pub(super) fn refuse(usable: bool, when: KeyFault) -> Result<(), AwsError> {
    if usable || when == KeyFault::AtRun {
        return Ok(());
    }
    Err(AwsError::bad_request(
        "The KMS key that you specified isn't valid or can't be accessed. Check the key and its permissions, then try \
         your request again.",
    ))
}
