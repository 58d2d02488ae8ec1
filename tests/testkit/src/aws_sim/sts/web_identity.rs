//! AssumeRoleWithWebIdentity: a token of somebody whom an OIDC provider of the role's account vouches for. Nobody signs the
//! request. Codes and texts are those that were seen; which of them wins is inferred.

use jiff::Timestamp;
use serde_json::Value;

use super::assume::{lifetime, role_arn, session};
use super::element;
use crate::aws_sim::eks::{Cluster, Token};
use crate::aws_sim::error::AwsError;
use crate::aws_sim::iam::{NewSession, Principal, Wish, account_of};
use crate::aws_sim::world::{Estate, World};

/// What it takes and the simulator does not.
const UNKNOWN: [&str; 3] = ["ProviderId", "PolicyArns", "Policy"];

/// Answer a call that fits the model.
pub(super) fn assume_role(world: &mut World, request: &Value) -> Result<String, AwsError> {
    if let Some(member) = UNKNOWN.iter().find(|member| !request[**member].is_null()) {
        let text = format!("The simulator does not know {member}");
        return Err(AwsError::new("InvalidParameterValue", text));
    }
    let role_arn = role_arn(request)?;
    let token = request["WebIdentityToken"].as_str().and_then(Token::read);
    let token = token.ok_or_else(|| invalid("The ID Token provided is not a valid JWT."))?;
    let now = world.clock(world.now());
    let (provider, audience) = vouched(&world.estate, role_arn, &token, now)?;
    let expires = now + lifetime(world, false, role_arn, request)?;
    let new = NewSession {
        name: request["RoleSessionName"].as_str().unwrap_or_default().to_owned(),
        ..NewSession::default()
    };
    let issued = world.estate.iam.issue(role_arn, new, expires);
    let members = [
        ("SubjectFromWebIdentityToken", &token.claims.subject),
        ("Audience", &audience),
        ("Provider", &provider),
    ];
    let members = members.map(|(name, text)| element(name, text)).concat();
    Ok(session(&issued.ok_or_else(denied)?) + &members)
}

/// The provider that vouches for who has the token, and the audience that it is for; the role trusts both.
fn vouched(estate: &Estate, role_arn: &str, token: &Token<'_>, now: Timestamp) -> Result<(String, String), AwsError> {
    let claims = &token.claims;
    let account = account_of(role_arn);
    let of_account = |cluster: &&Cluster| account_of(&cluster.arn) == account && !cluster.audiences.is_empty();
    let cluster = estate
        .clusters
        .of_issuer(&claims.issuer)
        .find(of_account)
        .ok_or_else(|| {
            invalid(&format!(
                "No OpenIDConnect provider found in your account for {}",
                claims.issuer
            ))
        })?;
    if !token.is_signed_by(&cluster.keys) {
        return Err(invalid(
            "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity \
             documentation for requirements",
        ));
    }
    let (seconds, until) = (now.as_second(), claims.expires);
    if until <= seconds {
        let text =
            format!("Token expired: current date/time {seconds} must be before the expiration date/time {until}");
        return Err(refusal("ExpiredTokenException", &text));
    }
    let audience = claims
        .audiences
        .iter()
        .find(|audience| cluster.audiences.contains(audience));
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
    let provider = cluster.provider();
    let somebody = Principal::federated(&provider);
    let action = "sts:AssumeRoleWithWebIdentity".to_owned();
    let wish = Wish::new(&somebody, action, role_arn, cluster.region(), None)
        .with(&format!("{}:aud", cluster.host()), audience)
        .with(&format!("{}:sub", cluster.host()), &claims.subject);
    let judged = estate.iam.judge(&wish, Some(estate.iam.trust_of(role_arn)));
    judged.map_err(|_| denied())?;
    Ok((provider, audience.clone()))
}

fn denied() -> AwsError {
    AwsError::access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
}

fn invalid(text: &str) -> AwsError {
    refusal("InvalidIdentityToken", text)
}

fn refusal(code: &str, text: &str) -> AwsError {
    AwsError {
        status: Some(400),
        ..AwsError::new(code, text)
    }
}
