//! AWS KMS: DescribeKey, Encrypt, GenerateDataKey and Decrypt.
//!
//! A call passes the quota, the AWS model, the search for the key, the policies, the key's state and its kind, in this
//! order. Nothing is encrypted: a ciphertext here is a made-up text of the right form, and nothing that Decrypt is given is one
//! of the key.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::World;
use super::error::AwsError;
use super::iam::{Holder, Layer, Principal, Wish};
use super::kms_id::{full_arn, resolve};
use super::kms_keys::{Key, KeyState, Keys, arn};
use super::kms_metadata::{encryption_algorithms, metadata};
use super::transcribe::Call;
use super::world::Estate;

/// One wish to use a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access<'a> {
    /// The operation, for example `DescribeKey`.
    pub(super) operation: &'a str,
    pub(super) principal: &'a Principal,
    /// The Region that is asked.
    pub(super) region: &'a str,
    /// Empty for operations that have none, among them DescribeKey: conditions on it do not hold there.
    pub(super) context: &'a BTreeMap<String, String>,
    /// The host name of the service that uses the key for the principal; absent if the principal does.
    pub(super) via: Option<&'a str>,
}

impl<'a> Access<'a> {
    /// The account of who asks.
    pub(super) fn account(&self) -> &'a str {
        &self.principal.account
    }

    /// The wish in the terms of policies, for a key that was named by `id`.
    fn wish(&self, key: &Key, id: &str, keys: &Keys) -> Wish<'a> {
        let action = format!("kms:{}", self.operation);
        let mut wish = Wish::new(self.principal, action, key.arn(), self.region, self.via);
        let facts = &mut wish.facts;
        facts.add("kms:CallerAccount", self.account());
        if let Some(via) = self.via {
            facts.add("kms:ViaService", via);
        }
        for (name, value) in self.context {
            facts.add(&format!("kms:EncryptionContext:{name}"), value);
            facts.add("kms:EncryptionContextKeys", name);
        }
        if let Some((_, alias)) = id.rsplit_once("alias/") {
            facts.add("kms:RequestAlias", format!("alias/{alias}"));
        }
        for alias in keys.aliases_of(key) {
            facts.add("kms:ResourceAliases", alias);
        }
        wish
    }
}

/// Apply a call and answer it.
pub(super) fn apply(world: &mut World, call: &Call<'_>) -> Result<Value, AwsError> {
    if !world.quotas.take(call.caller, call.operation, &world.config, call.now) {
        let text = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
        return Err(refusal("ThrottlingException", text));
    }
    call.model.check_input(call.operation, &call.body)?;
    let context = texts(&call.body, "EncryptionContext");
    let access = Access {
        operation: call.operation,
        principal: &call.caller.principal,
        region: &call.caller.region,
        context: &context,
        via: None,
    };
    match call.operation {
        "DescribeKey" => describe(world, call, &access),
        "Encrypt" => encrypt(&world.estate, call, &access),
        "GenerateDataKey" => generate_data_key(&world.estate, call, &access),
        "Decrypt" => decrypt(&world.estate, call, &access),
        _ => Err(AwsError::new("UnknownOperationException", "")),
    }
}

fn describe(world: &mut World, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
    let id = call.text("/KeyId");
    provide_managed_key(world, call, access)?;
    let key = permitted(&world.estate, id, access)?;
    Ok(json!({"KeyMetadata": metadata(key, &world.estate.keys)}))
}

fn encrypt(estate: &Estate, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
    let key = usable(estate, call.text("/KeyId"), access)?;
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

fn generate_data_key(estate: &Estate, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
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
    let key = usable(estate, call.text("/KeyId"), access)?;
    dry_run(call)?;
    let reply = json!({
        "CiphertextBlob": blob(call.nonce, 184),
        "Plaintext": blob(call.nonce, bytes),
        "KeyId": key.arn(),
        "KeyMaterialId": metadata(key, &estate.keys)["CurrentKeyMaterialId"],
    });
    Ok(reply)
}

/// Rights are looked at before the ciphertext is.
fn decrypt(estate: &Estate, call: &Call<'_>, access: &Access<'_>) -> Result<Value, AwsError> {
    usable(estate, call.text("/KeyId"), access)?;
    Err(refusal("InvalidCiphertextException", ""))
}

/// The key, if it exists and may be used so.
fn permitted<'k>(estate: &'k Estate, id: &str, access: &Access<'_>) -> Result<&'k Key, AwsError> {
    let key = resolve(&estate.keys, id, access)?;
    let wish = access.wish(key, id, &estate.keys);
    let policy = key
        .read_policy()
        .map_err(|error| AwsError::new("KMSInternalException", error.to_string()))?;
    let holder = Holder {
        account: &key.account,
        policy: Some(&policy),
        open: false,
    };
    match estate.iam.judge(&wish, Some(holder)) {
        Ok(()) => Ok(key),
        Err(refused) if refused.layer == Layer::Resource && key.account != access.account() => {
            Err(denied_unseen(access))
        }
        Err(refused) => Err(refusal("AccessDeniedException", refused.text(&wish))),
    }
}

/// The key, if it exists, may be used so, and can encrypt (for GenerateDataKey: is symmetric) in the state it is in.
pub(super) fn usable<'k>(estate: &'k Estate, id: &str, access: &Access<'_>) -> Result<&'k Key, AwsError> {
    let key = permitted(estate, id, access)?;
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
    let own = arn(access.account(), access.region, "alias/aws/");
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let service = alias.strip_prefix(&own).unwrap_or_default();
    if service.is_empty() || !service.bytes().all(letter) || world.estate.keys.find(&alias).is_some() {
        return Ok(());
    }
    let (account, region) = (access.account(), access.region);
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
    let put = world.estate.keys.put(key, made);
    put.and_then(|()| world.estate.keys.put_alias(&format!("alias/aws/{service}"), &key_arn))
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
    let text = format!(
        "User: {} is not authorized to perform: kms:{} on this resource because the resource does not exist in this \
         Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
        access.principal.arn, access.operation
    );
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
