//! AWS KMS: DescribeKey, Encrypt and GenerateDataKey.
//!
//! A call passes the quota, the AWS model, the search for the key, the key's policy, its state and its kind, in this
//! order. Nothing is encrypted: a ciphertext here is a made-up text of the right form.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::World;
use super::error::AwsError;
use super::kms_id::{full_arn, resolve};
use super::kms_keys::{Key, KeyState, Keys, arn};
use super::kms_metadata::{encryption_algorithms, metadata};
use super::kms_policy::{Access, Policy, Verdict};
use super::transcribe::Call;

/// Apply a call and answer it.
pub(super) fn apply(world: &mut World, call: &Call<'_>) -> Result<Value, AwsError> {
    if !world.quotas.take(call.caller, call.operation, &world.config, call.now) {
        let text = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
        return Err(refusal("ThrottlingException", text));
    }
    call.model.check_input(call.operation, &call.body)?;
    let context = texts(&call.body, "EncryptionContext");
    let principal = call.caller.arn();
    let access = Access {
        operation: call.operation,
        principal: &principal,
        account: &call.caller.account,
        region: &call.caller.region,
        context: &context,
        via: None,
    };
    match call.operation {
        "DescribeKey" => describe(world, call, &access),
        "Encrypt" => encrypt(&world.keys, call, &access),
        "GenerateDataKey" => generate_data_key(&world.keys, call, &access),
        _ => Err(AwsError::new("UnknownOperationException", "")),
    }
}

fn describe(world: &mut World, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
    let id = call.text("/KeyId");
    provide_managed_key(world, call, access)?;
    let key = permitted(&world.keys, id, access)?;
    Ok(json!({"KeyMetadata": metadata(key, &world.keys)}))
}

fn encrypt(keys: &Keys, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
    let key = usable(keys, call.text("/KeyId"), access)?;
    let algorithm = match call.text("/EncryptionAlgorithm") {
        "" => "SYMMETRIC_DEFAULT",
        given => given,
    };
    // The code is documented, the text is inferred.
    if !encryption_algorithms(key).contains(&algorithm) {
        let text = format!(
            "{} key KeySpec is {} which is not valid for {algorithm}.",
            key.arn(),
            key.key_spec
        );
        return Err(refusal("InvalidKeyUsageException", text));
    }
    // That a context is refused is documented, the code and the text are inferred.
    if !key.is_symmetric() && !access.context.is_empty() {
        let text = "You cannot specify an encryption context with an asymmetric KMS key.";
        return Err(refusal("ValidationException", text));
    }
    dry_run(call)?;
    Ok(json!({"CiphertextBlob": blob(call.nonce, 152), "KeyId": key.arn(), "EncryptionAlgorithm": algorithm}))
}

fn generate_data_key(keys: &Keys, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
    let bytes = call.body.get("NumberOfBytes").and_then(Value::as_u64);
    let bytes = match (call.text("/KeySpec"), bytes) {
        ("", Some(bytes)) => usize::try_from(bytes).unwrap_or(usize::MAX),
        ("AES_128", None) => 16,
        ("AES_256", None) => 32,
        _ => {
            let text = "Please specify either number of bytes or key spec.";
            return Err(refusal("ValidationException", text));
        }
    };
    let key = usable(keys, call.text("/KeyId"), access)?;
    dry_run(call)?;
    let reply = json!({
        "CiphertextBlob": blob(call.nonce, 184),
        "Plaintext": blob(call.nonce, bytes),
        "KeyId": key.arn(),
        "KeyMaterialId": metadata(key, keys)["CurrentKeyMaterialId"],
    });
    Ok(reply)
}

/// The key, if it exists and may be used so.
fn permitted<'k>(keys: &'k Keys, id: &str, access: &Access<'_>) -> Result<&'k Key, AwsError> {
    let key = resolve(keys, id, access)?;
    let verdict = match &key.policy {
        // A policy that cannot be read is never put.
        Some(policy) => Policy::read(policy).map_or(Verdict::Denied, |policy| policy.verdict(&key.arn(), access)),
        None if key.account == access.account => Verdict::Allowed,
        None => Verdict::NotAllowed,
    };
    let why = match verdict {
        Verdict::Allowed => return Ok(key),
        Verdict::Denied | Verdict::NotAllowed if key.account != access.account => return Err(denied_unseen(access)),
        Verdict::Denied => "with an explicit deny in a resource-based policy".to_owned(),
        Verdict::NotAllowed => format!(
            "because no resource-based policy allows the kms:{} action",
            access.operation
        ),
    };
    Err(denied(access, &format!("on resource: {} {why}", key.arn())))
}

/// The key, if it exists, may be used so, and can encrypt (for GenerateDataKey: is symmetric) in the state it is in.
pub(super) fn usable<'k>(keys: &'k Keys, id: &str, access: &Access<'_>) -> Result<&'k Key, AwsError> {
    let key = permitted(keys, id, access)?;
    let arn = key.arn();
    // The texts of Creating and Unavailable are inferred.
    let invalid = |state: &str| Err(refusal("KMSInvalidStateException", format!("{arn} is {state}.")));
    match key.key_state {
        KeyState::Enabled | KeyState::Updating => {}
        KeyState::Disabled => return Err(refusal("DisabledException", format!("{arn} is disabled."))),
        KeyState::PendingDeletion => return invalid("pending deletion"),
        KeyState::PendingReplicaDeletion => return invalid("pending replica deletion"),
        KeyState::PendingImport => return invalid("pending import"),
        KeyState::Unavailable => return invalid("unavailable"),
        KeyState::Creating => return invalid("creating"),
    }
    let operation = access.operation;
    let wrong = if key.key_usage != "ENCRYPT_DECRYPT" {
        format!("key usage is {}", key.key_usage)
    } else if operation == "GenerateDataKey" && !key.is_symmetric() {
        format!("key KeySpec is {}", key.key_spec)
    } else {
        return Ok(key);
    };
    let text = format!("{arn} {wrong} which is not valid for {operation}.");
    Err(refusal("InvalidKeyUsageException", text))
}

/// DescribeKey of a predefined alias that has no key yet makes an AWS managed key. Any service counts as one that AWS
/// has predefined an alias for. The key's policy is AWS's own: use is for that service only.
fn provide_managed_key(world: &mut World, call: &Call<'_>, access: &Access<'_>) -> Result<(), AwsError> {
    let alias = full_arn(call.text("/KeyId"), access)?;
    let own = arn(access.account, access.region, "alias/aws/");
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let service = alias.strip_prefix(&own).unwrap_or_default();
    if service.is_empty() || !service.bytes().all(letter) || world.keys.find(&alias).is_some() {
        return Ok(());
    }
    let (account, region) = (access.account, access.region);
    let mut key = Key::new(region, &world.next_id());
    account.clone_into(&mut key.account);
    "AWS".clone_into(&mut key.key_manager);
    let service_only = json!({"StringEquals": {
        "kms:ViaService": format!("{service}.{region}.amazonaws.com"), "kms:CallerAccount": account,
    }});
    key.policy = Some(json!({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*", "Condition": service_only,
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]},
        {"Effect": "Allow", "Principal": {"AWS": account}, "Resource": "*", "Action": "kms:Describe*"},
    ]}));
    let key_arn = key.arn();
    let made = world.clock(call.now);
    let put = world.keys.put(key, made);
    put.and_then(|()| world.keys.put_alias(&format!("alias/aws/{service}"), &key_arn))
        .map_err(|error| AwsError::new("KMSInternalException", error.to_string()))
}

fn dry_run(call: &Call<'_>) -> Result<(), AwsError> {
    if call.body.get("DryRun") != Some(&Value::Bool(true)) {
        return Ok(());
    }
    let text = "The request would have succeeded, but the DryRun option is set.";
    Err(refusal("DryRunOperationException", text))
}

/// An error of KMS: on its only protocol AWS was seen to answer 400 to every client error.
pub(super) fn refusal(code: &str, text: impl Into<String>) -> AwsError {
    AwsError {
        status: Some(400),
        ..AwsError::new(code, text)
    }
}

/// Another account's key may not be used, or is not there; AWS does not tell which.
pub(super) fn denied_unseen(access: &Access<'_>) -> AwsError {
    denied(
        access,
        "on this resource because the resource does not exist in this Region, no resource-based policies allow \
         access, or a resource-based policy explicitly denies access",
    )
}

fn denied(access: &Access<'_>, why: &str) -> AwsError {
    let Access {
        principal, operation, ..
    } = access;
    let text = format!("User: {principal} is not authorized to perform: kms:{operation} {why}");
    refusal("AccessDeniedException", text)
}

/// The texts of a map of a body.
pub(super) fn texts(body: &Value, member: &str) -> BTreeMap<String, String> {
    let pairs = body
        .get(member)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter);
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// So many bytes in base64, other ones for other calls: hex digits are digits of base64 too.
fn blob(nonce: u64, bytes: usize) -> String {
    let digits = format!("{:x}", Sha256::digest(format!("{nonce}/{bytes}")));
    let whole = digits.chars().cycle().take(bytes / 3 * 4);
    let rest = ["", "AA==", "AAA="][bytes % 3];
    whole.chain(rest.chars()).collect()
}
