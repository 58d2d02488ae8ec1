//! AssumeRole: who may, for how long, with which tags.
//!
//! A role that is not there is refused like one that may not be assumed. Codes and texts are AWS's as far as they are
//! known; those of the rules on tags are inferred.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use super::element;
use crate::aws_sim::auth::Caller;
use crate::aws_sim::error::AwsError;
use crate::aws_sim::iam::{NewSession, Policy, Principal, SessionCredentials, Sort, Wish};
use crate::aws_sim::world::World;

/// The longest session that another session may begin.
const CHAINED_SECONDS: u64 = 3600;
/// What AssumeRole takes and the simulator does not.
const UNKNOWN: [&str; 5] = [
    "PolicyArns",
    "SerialNumber",
    "TokenCode",
    "SourceIdentity",
    "ProvidedContexts",
];

/// Answer a call that fits the model.
pub(super) fn assume_role(world: &mut World, caller: &Caller, request: &Value) -> Result<String, AwsError> {
    if let Some(member) = UNKNOWN.iter().find(|member| !request[**member].is_null()) {
        let text = format!("The simulator does not know {member}");
        return Err(AwsError::new("InvalidParameterValue", text));
    }
    let role_arn = role_arn(request)?;
    let new = new_session(caller, request)?;
    authorize(world, caller, role_arn, request, &new)?;
    let chained = caller.principal.session().is_some();
    let expires = world.clock(world.now()) + lifetime(world, chained, role_arn, request)?;
    let packed = packed_size(&new)?;
    let issued = world.estate.iam.issue(role_arn, new, expires);
    let issued = issued.ok_or_else(|| denied(caller, "sts:AssumeRole", role_arn))?;
    Ok(session(&issued) + &packed)
}

/// The role that is to be assumed.
pub(super) fn role_arn(request: &Value) -> Result<&str, AwsError> {
    let arn = request["RoleArn"].as_str().unwrap_or_default();
    if !(arn.starts_with("arn:aws") && arn.contains(":iam::") && arn.contains(":role/")) {
        return Err(invalid(format!("{arn} is invalid")));
    }
    Ok(arn)
}

/// A session as replies show it.
pub(super) fn session((credentials, principal): &(SessionCredentials, Principal)) -> String {
    let user = [("AssumedRoleId", &principal.unique_id), ("Arn", &principal.arn)];
    let expiration = credentials.expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let secrets = [
        ("AccessKeyId", &credentials.access_key_id),
        ("SecretAccessKey", &credentials.secret_access_key),
        ("SessionToken", &credentials.session_token),
        ("Expiration", &expiration),
    ];
    format!(
        "<AssumedRoleUser>{}</AssumedRoleUser><Credentials>{}</Credentials>",
        user.map(|(name, text)| element(name, text)).concat(),
        secrets.map(|(name, text)| element(name, text)).concat(),
    )
}

/// How much of the room for policies and tags is used, in percent, shown only if some is. How AWS packs them is not
/// documented. It was seen to refuse tags of 2268 letters as 498 %, and letters of inherited tags count like others: a
/// session of EKS Pod Identity with its own tags has room for few more.
fn packed_size(new: &NewSession) -> Result<String, AwsError> {
    let letters: usize = new.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let percent = letters * 498 / 2268;
    if percent > 100 {
        let text = format!("Packed size of session tags consumes {percent}% of allotted space.");
        return Err(AwsError::new("PackedPolicyTooLarge", text));
    }
    let shown = new.policy.is_some() || letters > 0;
    Ok(if shown {
        element("PackedPolicySize", &percent.max(1).to_string())
    } else {
        String::new()
    })
}

/// What the session is to have: what the request gives it, and the transitive tags of the caller's session.
fn new_session(caller: &Caller, request: &Value) -> Result<NewSession, AwsError> {
    let text = |member: &str| request[member].as_str().unwrap_or_default().to_owned();
    let mut tags = BTreeMap::new();
    let mut seen = Vec::new();
    for tag in request["Tags"].as_array().into_iter().flatten() {
        let (key, value) = (
            tag["Key"].as_str().unwrap_or_default(),
            tag["Value"].as_str().unwrap_or_default(),
        );
        if seen.contains(&key.to_lowercase()) {
            return Err(parameter(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(parameter("Tag keys that begin with aws: are reserved."));
        }
        seen.push(key.to_lowercase());
        tags.insert(key.to_owned(), value.to_owned());
    }
    let keys = request["TransitiveTagKeys"].as_array().into_iter().flatten();
    let mut transitive: Vec<_> = keys.filter_map(Value::as_str).map(str::to_owned).collect();
    if transitive.iter().any(|key| !seen.contains(&key.to_lowercase())) {
        return Err(invalid(
            "The specified transitive tag key must be included in the requested tags.",
        ));
    }
    for (key, value) in inherited(caller) {
        if seen.contains(&key.to_lowercase()) {
            return Err(parameter(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
                 from the calling session.",
            ));
        }
        tags.insert(key.clone(), value);
        transitive.push(key);
    }
    let policy = match request["Policy"].as_str() {
        Some(policy) => Some(read_policy(policy)?),
        None => None,
    };
    Ok(NewSession {
        name: text("RoleSessionName"),
        external_id: text("ExternalId"),
        tags,
        transitive,
        policy,
    })
}

fn read_policy(text: &str) -> Result<Policy, AwsError> {
    let malformed = |error: String| AwsError::new("MalformedPolicyDocument", error);
    let policy = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    Policy::read(Sort::Identity, &policy).map_err(|error| malformed(format!("{error:#}")))
}

fn inherited(caller: &Caller) -> Vec<(String, String)> {
    let Some(session) = caller.principal.session() else {
        return Vec::new();
    };
    let tags = session.transitive.iter();
    tags.filter_map(|key| Some((key.clone(), session.tags.get(key)?.clone())))
        .collect()
}

/// The role's trust, and the caller's own policies. A session with tags, also inherited ones, takes a right of its own.
/// By the Service Authorization Reference that right has no `sts:ExternalId`: a condition on it does not hold there.
fn authorize(
    world: &World,
    caller: &Caller,
    role_arn: &str,
    request: &Value,
    new: &NewSession,
) -> Result<(), AwsError> {
    let actions: &[&str] = if new.tags.is_empty() {
        &["AssumeRole"]
    } else {
        &["AssumeRole", "TagSession"]
    };
    let given = |key: &String| !inherited(caller).iter().any(|(other, _)| other == key);
    let asked: BTreeMap<_, _> = new.tags.clone().into_iter().filter(|(key, _)| given(key)).collect();
    for action in actions {
        let action = format!("sts:{action}");
        let mut wish = Wish::new(&caller.principal, action.clone(), role_arn, &caller.region, None);
        wish.facts.add_asked_tags(&asked);
        for key in new.transitive.iter().filter(|key| given(key)) {
            wish.facts.add("sts:TransitiveTagKeys", key);
        }
        if action == "sts:AssumeRole" {
            wish.facts.add("sts:RoleSessionName", &new.name);
            if let Some(external_id) = request["ExternalId"].as_str() {
                wish.facts.add("sts:ExternalId", external_id);
            }
        }
        let iam = &world.estate.iam;
        match iam.judge(&wish, Some(iam.trust_of(role_arn))) {
            Ok(()) => {}
            Err(refusal) if refusal.denied => return Err(AwsError::access_denied(refusal.text(&wish))),
            Err(_) => return Err(denied(caller, &action, role_arn)),
        }
    }
    Ok(())
}

/// How long the credentials are good for.
pub(super) fn lifetime(
    world: &World,
    chained: bool,
    role_arn: &str,
    request: &Value,
) -> Result<SignedDuration, AwsError> {
    let seconds = request["DurationSeconds"].as_u64().unwrap_or(3600);
    let role = world.estate.iam.role(role_arn);
    if role.is_some_and(|role| seconds > u64::from(role.max_session_seconds)) {
        return Err(invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    if chained && seconds > CHAINED_SECONDS {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    let asked = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Ok(world.config.session_ms.map_or(asked, SignedDuration::from_millis))
}

/// AWS prints no reason where nothing allows.
fn denied(caller: &Caller, action: &str, role_arn: &str) -> AwsError {
    let user = &caller.principal.arn;
    AwsError::access_denied(format!(
        "User: {user} is not authorized to perform: {action} on resource: {role_arn}"
    ))
}

pub(super) fn invalid(text: impl Into<String>) -> AwsError {
    AwsError::new("ValidationError", text)
}

fn parameter(text: &str) -> AwsError {
    AwsError::new("InvalidParameterValue", text)
}
