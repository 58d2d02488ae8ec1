//! Transcribe's own use of a key: to encrypt a job's output.
//!
//! That the caller, and the role that the job runs as, must be allowed to use the key is documented. What AWS says of a
//! key that cannot be used, and when, is not: see [`KeyFault`]. Here Transcribe makes a data key, in the name of each of
//! them and with the job's encryption context. A managed key of AWS is refused by its own policy, which names another
//! service.

use std::collections::BTreeMap;

use super::config::KeyFault;
use super::error::AwsError;
use super::kms::{texts, usable};
use super::kms_id::resolve;
use super::kms_keys::{Key, Keys};
use super::kms_policy::Access;
use super::transcribe::Call;

/// The key that a job's output is to be encrypted with.
#[derive(Clone, Debug)]
pub(super) struct JobKey {
    /// The key's ARN; if the request names no key that exists, what the request says.
    key_id: String,
    region: String,
    /// The ARN and the account of the caller, and those of the role that the job runs as.
    principals: Vec<(String, String)>,
    context: BTreeMap<String, String>,
}

impl JobKey {
    /// The key of a Start; none if the request has none. An alias is followed now and not again.
    pub(super) fn of(call: &Call<'_>, keys: &Keys) -> Option<Self> {
        let key_id = Some(call.text("/OutputEncryptionKMSKeyId")).filter(|id| !id.is_empty())?;
        let caller = (call.caller.arn(), call.caller.account.clone());
        let roles = ["/JobExecutionSettings/DataAccessRoleArn", "/DataAccessRoleArn"];
        let roles = roles.into_iter().filter_map(|pointer| {
            let arn = call.text(pointer);
            Some((arn.to_owned(), arn.split(':').nth(4)?.to_owned()))
        });
        let mut found = Self {
            key_id: key_id.to_owned(),
            region: call.caller.region.clone(),
            principals: std::iter::once(caller).chain(roles).collect(),
            context: texts(&call.body, "KMSEncryptionContext"),
        };
        if let Some(arn) = found.resolved(keys) {
            found.key_id = arn;
        }
        Some(found)
    }

    /// Whether the output could be encrypted now.
    pub(super) fn is_usable(&self, keys: &Keys) -> bool {
        self.accesses(|access| usable(keys, &self.key_id, access).is_ok())
            .all(|usable| usable)
    }

    fn resolved(&self, keys: &Keys) -> Option<String> {
        self.accesses(|access| resolve(keys, &self.key_id, access).map(Key::arn).ok())
            .next()?
    }

    /// What becomes of each principal's use of the key.
    fn accesses<T>(&self, ask: impl Fn(&Access<'_>) -> T) -> impl Iterator<Item = T> {
        let via = format!("transcribe.{}.amazonaws.com", self.region);
        self.principals.iter().map(move |(principal, account)| {
            ask(&Access {
                operation: "GenerateDataKey",
                principal,
                account,
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
