//! Which key a KeyId means.
//!
//! A KeyId is a key's id, an alias's name, or the ARN of either. Without an ARN it means the caller's account and the
//! Region that is asked. Codes and texts are those recorded from AWS, except where a comment says otherwise.

use super::error::AwsError;
use super::kms::{Access, denied_unseen, refusal};
use super::kms_keys::{Key, Keys, arn, partition};

/// The key that a KeyId means. A foreign key that is not there is answered like one that may not be used: AWS's text
/// for both is the same.
pub(super) fn resolve<'k>(keys: &'k Keys, id: &str, access: &Access<'_>) -> Result<&'k Key, AwsError> {
    let arn = full_arn(id, access)?;
    if let Some(key) = keys.find(&arn) {
        return Ok(key);
    }
    if arn.split(':').nth(4) != Some(access.account()) {
        return Err(denied_unseen(access));
    }
    let text = if arn.contains(":alias/") {
        format!("Alias {arn} is not found.")
    } else {
        format!("Key '{arn}' does not exist")
    };
    Err(not_found(text))
}

/// The ARN of the key or alias that a KeyId means, whether it exists or not.
pub(super) fn full_arn(id: &str, access: &Access<'_>) -> Result<String, AwsError> {
    let here = |resource: &str| Ok(arn(access.account(), access.region, resource));
    match id {
        _ if id.starts_with("arn:") => of_region(id, access).map(|()| id.to_owned()),
        _ if id.starts_with("alias/") => here(id),
        _ if Key::is_id(id) => here(&format!("key/{id}")),
        _ => Err(invalid_id(id)),
    }
}

/// An ARN must be of KMS and of the Region that is asked, also one of a multi-Region key. Recorded is the answer to
/// another Region only; that the rest is answered alike is inferred.
fn of_region(id: &str, access: &Access<'_>) -> Result<(), AwsError> {
    let invalid = |what: &str| not_found(format!("Invalid arn {what}"));
    let parts: Vec<_> = id.splitn(6, ':').collect();
    let [_, part, "kms", region, account, resource] = parts[..] else {
        return Err(invalid(id));
    };
    if region != access.region {
        return Err(invalid(region));
    }
    if part != partition(region) || account.len() != 12 {
        return Err(invalid(id));
    }
    let key = resource.strip_prefix("key/").is_some_and(Key::is_id);
    if key || resource.starts_with("alias/") {
        return Ok(());
    }
    Err(invalid_id(resource.strip_prefix("key/").unwrap_or(resource)))
}

fn invalid_id(id: &str) -> AwsError {
    not_found(format!("Invalid keyId '{id}'"))
}

fn not_found(text: String) -> AwsError {
    refusal("NotFoundException", text)
}
