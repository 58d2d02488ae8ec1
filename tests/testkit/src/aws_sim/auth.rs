//! Who calls, from the SigV4 `Authorization` header.
//!
//! The header's form, the credential scope and the age of the signing time are checked as AWS does. The signature
//! itself is not: the simulator has no secret keys, and no client under test computes signatures of its own.

use http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::AwsError;
use super::iam::Principal;
use super::world::World;

/// The caller of one request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) access_key: String,
    /// The principal's.
    pub(super) account: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) signed_at: Timestamp,
    pub(super) principal: Principal,
}

/// Read the caller, or refuse as AWS does. `now` is the simulator's clock.
pub(super) fn authenticate(headers: &HeaderMap, world: &World, now: Timestamp) -> Result<Caller, AwsError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(authorization) = header("authorization") else {
        return Err(AwsError::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(|| incomplete("'Algorithm'"))?;
    let field = |name: &str| {
        let found = fields
            .split(',')
            .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| incomplete(&format!("'{name}'")))
    };
    let signature = field("Signature")?;
    if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(incomplete("a well-formed 'Signature'"));
    }
    let signed_headers: Vec<_> = field("SignedHeaders")?.split(';').collect();
    let date = header("x-amz-date").ok_or_else(|| incomplete("'X-Amz-Date'"))?;
    if !["host", "x-amz-date"].iter().all(|name| signed_headers.contains(name)) {
        return Err(invalid(
            "'Host' and 'X-Amz-Date' must be signed headers in the AWS Authorization.",
        ));
    }
    let scope = Scope::read(field("Credential")?, date)?;
    in_window(scope.signed_at, now, world.config.signature_window_ms)?;
    let token = header("x-amz-security-token");
    if token.is_some() && !signed_headers.contains(&"x-amz-security-token") {
        return Err(invalid(
            "'X-Amz-Security-Token' must be a signed header in the AWS Authorization.",
        ));
    }
    let principal = match world.estate.iam.identify(scope.access_key, token, now)? {
        Some(principal) => principal,
        None => Principal::unknown_user(world.config.account_of(scope.access_key), scope.access_key),
    };
    Ok(Caller {
        access_key: scope.access_key.to_owned(),
        account: principal.account.clone(),
        region: scope.region.to_owned(),
        service: scope.service.to_owned(),
        signed_at: scope.signed_at,
        principal,
    })
}

/// `key/date/region/service/aws4_request`, and the time of the signature.
struct Scope<'h> {
    access_key: &'h str,
    region: &'h str,
    service: &'h str,
    signed_at: Timestamp,
}

impl<'h> Scope<'h> {
    fn read(credential: &'h str, date: &str) -> Result<Self, AwsError> {
        let [access_key, day, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return Err(incomplete(
                "a credential of the form '<key>/YYYYMMDD/REGION/SERVICE/aws4_request'",
            ));
        };
        let signed_at = parse_date(date).ok_or_else(|| incomplete("a valid 'X-Amz-Date'"))?;
        if !date.starts_with(day) || day.len() != 8 {
            let text = format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{date}'."
            );
            return Err(invalid(&text));
        }
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if access_key.is_empty() || region.split('-').count() < 3 || !region.bytes().all(letters) {
            return Err(invalid("Credential should be scoped to a valid region."));
        }
        Ok(Self {
            access_key,
            region,
            service,
            signed_at,
        })
    }
}

fn parse_date(date: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A signature is good from the window before its time to the window after it.
fn in_window(signed_at: Timestamp, now: Timestamp, window_ms: i64) -> Result<(), AwsError> {
    let window = SignedDuration::from_millis(window_ms);
    let print = |at: Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let (signed, clock) = (print(signed_at), print(now));
    let length = match window_ms {
        whole if whole % 60_000 == 0 => format!("{} min.", whole / 60_000),
        other => format!("{other} ms."),
    };
    if signed_at < now - window {
        let edge = print(now - window);
        return Err(invalid(&format!(
            "Signature expired: {signed} is now earlier than {edge} ({clock} - {length})"
        )));
    }
    if signed_at > now + window {
        let edge = print(now + window);
        return Err(invalid(&format!(
            "Signature not yet current: {signed} is still later than {edge} ({clock} + {length})"
        )));
    }
    Ok(())
}

fn incomplete(what: &str) -> AwsError {
    AwsError::new(
        "IncompleteSignatureException",
        format!("Authorization header requires {what}."),
    )
}

fn invalid(text: &str) -> AwsError {
    AwsError::new("InvalidSignatureException", text)
}
