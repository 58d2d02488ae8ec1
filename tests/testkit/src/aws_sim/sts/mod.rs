//! STS: GetCallerIdentity and AssumeRole. It speaks the Query protocol: a form in, XML out.
//!
//! AssumeRoleWithWebIdentity is not simulated: the operator's own identity is for the SDK to find, and a pod's session
//! can be had from [`super::AwsSim::session`].

mod assume;

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

/// Answer a call.
pub(super) fn apply(world: &mut World, model: &Model, caller: &Caller, body: &[u8]) -> Result<String, AwsError> {
    let operation = operation(body);
    let known = ["AssumeRole", "GetCallerIdentity"].contains(&operation.as_str());
    if form(body, "Version").as_deref() != Some(VERSION) || !known {
        let text = format!("Could not find operation {operation} for version {VERSION}");
        return Err(AwsError::new("InvalidAction", text));
    }
    let request = model.read_query(&operation, body)?;
    model.check_input(&operation, &request)?;
    let result = if operation == "AssumeRole" {
        assume::assume_role(world, caller, &request)?
    } else {
        identity(caller)
    };
    let request_id = world.next_id();
    Ok(format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\"><{operation}Result>{result}\
         </{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    ))
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
        "ExpiredTokenException" => ("ExpiredToken", 403),
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

fn element(name: &str, text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{escaped}</{name}>")
}
