//! STS: GetCallerIdentity. It speaks the Query protocol: a form in, XML out.

use super::auth::Caller;
use super::error::AwsError;

/// The XML name space and the `Version` of every STS call.
const VERSION: &str = "2011-06-15";

/// The operation that a form asks for.
pub(super) fn operation(body: &[u8]) -> String {
    form(body, "Action").unwrap_or_default()
}

/// Answer a call.
pub(super) fn apply(caller: &Caller, body: &[u8], request_id: &str) -> Result<String, AwsError> {
    if form(body, "Version").as_deref() != Some(VERSION) || operation(body) != "GetCallerIdentity" {
        let text = format!("Could not find operation {} for version {VERSION}", operation(body));
        return Err(AwsError::new("InvalidAction", text));
    }
    let Caller {
        access_key, account, ..
    } = caller;
    Ok(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>{key}</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        arn = escaped(&caller.arn()),
        key = escaped(access_key),
    ))
}

/// An error as the Query protocol writes it. A bad or stale signature has a code and a status of its own there.
pub(super) fn error(error: &AwsError, request_id: &str) -> (u16, String) {
    let (code, status) = match error.code.as_str() {
        "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
        "IncompleteSignatureException" => ("IncompleteSignature", 400),
        "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
        other => (other, error.status.unwrap_or(400)),
    };
    let text = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\"><Error><Type>Sender</Type>\
         <Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        escaped(code),
        escaped(&error.message),
    );
    (status, text)
}

fn form(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
