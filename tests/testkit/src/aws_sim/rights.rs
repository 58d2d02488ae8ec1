//! What the caller of Transcribe may do.
//!
//! Get and Delete are on the job, all else is on no resource, and conditions see the tags that a request gives and those
//! that the job has, as the Service Authorization Reference says. Start with tags also takes `transcribe:TagResource`:
//! AWS does not document that it does, nor that it does not, and who has that right passes either way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::World;
use super::error::AwsError;
use super::iam::{Principal, Wish, account_of};
use super::kinds::{Kind, Verb};
use super::kms_keys::partition;
use super::transcribe::{Call, given_tags};
use super::world::Estate;

/// The service as trust policies and `iam:PassedToService` name it.
const SERVICE: &str = "transcribe.amazonaws.com";

/// Members of a Start and the condition keys that have their values. An operation has those keys whose members it has.
const OUTPUT: [(&str, &str); 4] = [
    ("/OutputBucketName", "transcribe:OutputBucketName"),
    ("/OutputKey", "transcribe:OutputKey"),
    ("/OutputEncryptionKMSKeyId", "transcribe:OutputEncryptionKMSKeyId"),
    ("/OutputLocation", "transcribe:OutputLocation"),
];

/// Refuse a call that the caller's policies do not allow.
pub(super) fn authorize(world: &World, call: &Call<'_>) -> Result<(), AwsError> {
    let caller = call.caller;
    let named = match Kind::of_operation(call.operation) {
        Some((kind, Verb::Get | Verb::Delete)) => Some(job_arn(call, kind)),
        Some((_, Verb::Start | Verb::List)) | None => None,
    };
    let resource = named.unwrap_or_else(|| "*".to_owned());
    let asked = given_tags(&call.body);
    let mut actions = vec![call.operation];
    if call.operation.starts_with("Start") && !asked.is_empty() {
        actions.push("TagResource");
    }
    for action in actions {
        let action = format!("transcribe:{action}");
        let mut wish = Wish::new(&caller.principal, action, &resource, &caller.region, None);
        wish.facts.add_asked_tags(&asked);
        for key in call.body["TagKeys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            wish.facts.add("aws:TagKeys", key);
        }
        wish.facts.add_tags("aws:ResourceTag/", &job_tags(world, call));
        for (pointer, key) in OUTPUT {
            let value = call.text(pointer);
            if !value.is_empty() {
                wish.facts.add(key, value);
            }
        }
        allow(&world.estate, &wish)?;
    }
    let role = match Kind::of_operation(call.operation) {
        Some((kind, Verb::Start)) => kind.role(&call.body),
        Some((_, Verb::Get | Verb::List | Verb::Delete)) | None => None,
    };
    match role {
        Some(role_arn) => pass_role(&world.estate, call, role_arn),
        None => Ok(()),
    }
}

/// Whether the role exists and trusts Transcribe, for jobs of the caller's account. A role that no test has put there
/// is taken to be good for a caller whom no test has put there.
pub(super) fn assume(estate: &Estate, call: &Call<'_>, kind: &Kind) -> Result<Principal, AwsError> {
    let caller = &call.caller.principal;
    let Some(arn) = kind.role(&call.body) else {
        return Ok(caller.clone());
    };
    if estate.iam.role(arn).is_none() && caller.is_unknown() {
        return Ok(Principal::unknown(account_of(arn), arn));
    }
    let service = Principal::service(SERVICE);
    let wish = Wish::new(&service, "sts:AssumeRole".to_owned(), arn, &call.caller.region, None)
        .with("aws:SourceAccount", &caller.account)
        .with("aws:SourceArn", &job_arn(call, kind));
    let trusted = estate.iam.judge(&wish, Some(estate.iam.trust_of(arn))).is_ok();
    let session = estate.iam.service_session(arn, "transcribe").filter(|_| trusted);
    // The code follows from the modelled errors of Start, the text is inferred.
    session.ok_or_else(|| {
        AwsError::bad_request(format!(
            "The data access role {arn} can't be assumed. Check that it exists and that it trusts {SERVICE}, and try \
             your request again."
        ))
    })
}

/// A role can be passed within its account only, and by who has the right to.
fn pass_role(estate: &Estate, call: &Call<'_>, arn: &str) -> Result<(), AwsError> {
    let caller = call.caller;
    let wish = Wish::new(&caller.principal, "iam:PassRole".to_owned(), arn, &caller.region, None)
        .with("iam:PassedToService", SERVICE);
    allow(estate, &wish)?;
    if account_of(arn) != caller.account && !caller.principal.is_unknown() {
        return Err(AwsError::access_denied("Cross-account pass role is not allowed."));
    }
    Ok(())
}

fn allow(estate: &Estate, wish: &Wish<'_>) -> Result<(), AwsError> {
    let judged = estate.iam.judge(wish, None);
    judged.map_err(|refusal| AwsError::access_denied(refusal.text(wish)))
}

/// The ARN of the job that a call names.
fn job_arn(call: &Call<'_>, kind: &Kind) -> String {
    let (region, account) = (&call.caller.region, &call.caller.account);
    let name = call.text(&format!("/{}", kind.name));
    format!(
        "arn:{}:transcribe:{region}:{account}:{}/{name}",
        partition(region),
        kind.resource
    )
}

/// The tags of the job that a call is on; none if there is no such job.
fn job_tags(world: &World, call: &Call<'_>) -> BTreeMap<String, String> {
    let key = match Kind::of_operation(call.operation) {
        Some((kind, Verb::Get | Verb::Delete)) => Some(call.key(kind)),
        Some((_, Verb::Start | Verb::List)) => None,
        None => call.resource().ok(),
    };
    let job = key.and_then(|key| world.jobs.get(&key, call.now));
    job.map(|job| job.tags.clone()).unwrap_or_default()
}
