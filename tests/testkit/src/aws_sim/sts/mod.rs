//! STS: GetCallerIdentity, AssumeRole and AssumeRoleWithWebIdentity. It speaks the Query protocol: a form in, XML out.

mod assume;
mod web_identity;

use serde_json::Value;

use super::auth::Caller;
use super::error::AwsError;
use super::model::Model;
use super::world::World;

/// The XML name space and the `Version` of every STS call.
const VERSION: &str = "2011-06-15";

/// The operation that a form asks for.
pub(super) fn operation(body: &[u8]) -> String {
    form(body, "Action").unwrap_or_default()
}

/// The operation that needs no signature: the token in it says who asks.
pub(super) const UNSIGNED: &str = "AssumeRoleWithWebIdentity";

/// Answer a call.
pub(super) fn apply(world: &mut World, model: &Model, caller: &Caller, body: &[u8]) -> Result<String, AwsError> {
    let operation = operation(body);
    let request = read(model, &operation, body)?;
    let result = match operation.as_str() {
        "AssumeRole" => assume::assume_role(world, caller, &request)?,
        "GetCallerIdentity" => identity(caller),
        _ => return Err(unknown(&operation)),
    };
    Ok(reply(world, &operation, &result))
}

/// Answer a call that nobody signs.
pub(super) fn apply_unsigned(world: &mut World, model: &Model, body: &[u8]) -> Result<String, AwsError> {
    let request = read(model, UNSIGNED, body)?;
    let result = web_identity::assume_role(world, &request)?;
    Ok(reply(world, UNSIGNED, &result))
}

fn read(model: &Model, operation: &str, body: &[u8]) -> Result<Value, AwsError> {
    if form(body, "Version").as_deref() != Some(VERSION) {
        return Err(unknown(operation));
    }
    let request = model.read_query(operation, body).map_err(|_| unknown(operation))?;
    model.check_input(operation, &request)?;
    Ok(request)
}

fn unknown(operation: &str) -> AwsError {
    let text = format!("Could not find operation {operation} for version {VERSION}");
    AwsError::new("InvalidAction", text)
}

fn reply(world: &mut World, operation: &str, result: &str) -> String {
    let request_id = world.next_id();
    format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\"><{operation}Result>{result}\
         </{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    )
}

/// No policy can forbid to ask for this.
fn identity(caller: &Caller) -> String {
    let principal = &caller.principal;
    let members = [
        ("Arn", &principal.arn),
        ("UserId", &principal.unique_id),
        ("Account", &principal.account),
    ];
    members.map(|(name, text)| element(name, text)).concat()
}

/// An error as the Query protocol writes it. What is wrong with a signature or with credentials has a code and a status
/// of its own there.
pub(super) fn error(error: &AwsError, request_id: &str) -> (u16, String) {
    let (code, status) = match error.code.as_str() {
        "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
        "IncompleteSignatureException" => ("IncompleteSignature", 400),
        "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
        // Recorded there without the full stop that the other services print.
        "UnrecognizedClientException" => ("InvalidClientTokenId", 403),
        // Of credentials; that of a web identity's token keeps its name and has a status of its own.
        "ExpiredTokenException" if error.status.is_none() => ("ExpiredToken", 403),
        "AccessDeniedException" => ("AccessDenied", 403),
        other => (other, error.status.unwrap_or(400)),
    };
    let message = match code {
        "InvalidClientTokenId" => error.message.trim_end_matches('.'),
        _ => &error.message,
    };
    let text = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\"><Error><Type>Sender</Type>{}{}</Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        element("Code", code),
        element("Message", message),
    );
    (status, text)
}

fn form(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub(super) fn element(name: &str, text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{escaped}</{name}>")
}
