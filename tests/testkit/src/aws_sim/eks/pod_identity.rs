//! The agent of EKS Pod Identity, and the EKS Auth API behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::token::Bound;
use super::{Association, Cluster, Token};
use crate::aws_sim::TrailEvent;
use crate::aws_sim::error::AwsError;
use crate::aws_sim::iam::{NewSession, Principal, Wish, account_of};
use crate::aws_sim::world::{Estate, Sim, World};

/// The service as trust policies name it, and the audience of the tokens that it takes.
const SERVICE: &str = "pods.eks.amazonaws.com";
const OPERATION: &str = "AssumeRoleForPodIdentity";
/// The longest that the name of a session may be.
const LONGEST_NAME: usize = 64;
const LIFETIME: SignedDuration = SignedDuration::from_hours(6);

/// Answer a container that asks with its token.
pub(in crate::aws_sim) async fn credentials(State(sim): State<Arc<Sim>>, headers: HeaderMap) -> Response {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    let mut world = sim.world();
    let time = world.clock(world.now());
    let answer = assume(&mut world, token.unwrap_or_default(), time);
    let outcome = answer.as_ref().err().map_or("ok", |error| &error.code);
    world.ledger.count(OPERATION, outcome);
    let event = TrailEvent::of(time, "eks-auth", OPERATION, None, Value::Null, outcome);
    world.trail.add(event);
    match answer {
        Ok(credentials) => Json(credentials).into_response(),
        Err(AwsError { code, message, .. }) => {
            (StatusCode::BAD_REQUEST, Json(json!({"code": code, "message": message}))).into_response()
        }
    }
}

fn assume(world: &mut World, token: &str, now: Timestamp) -> Result<Value, AwsError> {
    let invalid = || AwsError::new("InvalidTokenException", "The token is not one of a Pod of the cluster");
    let token = Token::read(token).ok_or_else(invalid)?;
    let good = token.claims.audiences.iter().any(|audience| audience == SERVICE);
    let bound = token.claims.bound.as_ref().filter(|_| good).ok_or_else(invalid)?;
    if token.claims.expires <= now.as_second() {
        return Err(AwsError::new("ExpiredTokenException", "The token has expired"));
    }
    let mut clusters = world.estate.clusters.of_issuer(&token.claims.issuer);
    let cluster = clusters
        .find(|cluster| token.is_signed_by(&cluster.keys))
        .ok_or_else(invalid)?;
    let association = cluster.associations.iter().find(|association| {
        (&association.namespace, &association.service_account) == (&bound.namespace, &bound.serviceaccount.name)
    });
    let association = association.ok_or_else(|| {
        AwsError::new(
            "ResourceNotFoundException",
            "No association found for the service account",
        )
    })?;
    let tags = if association.session_tags {
        tags(cluster, bound)
    } else {
        BTreeMap::new()
    };
    authorize(&world.estate, cluster, association, &tags)?;
    let name = format!("eks-{}-{}", cluster.name(), bound.serviceaccount.name);
    let new = NewSession {
        name: name.chars().take(LONGEST_NAME).collect(),
        transitive: tags.keys().cloned().collect(),
        tags,
        ..NewSession::default()
    };
    let lifetime = world.config.session_ms.map_or(LIFETIME, SignedDuration::from_millis);
    let role_arn = association.role_arn.clone();
    let issued = world.estate.iam.issue(&role_arn, new, now + lifetime);
    let (credentials, principal) = issued.ok_or_else(refused)?;
    Ok(json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "AccountId": principal.account,
        "Expiration": credentials.expiration,
    }))
}

/// The tags that say whose a session is; all of them go on to the sessions that it begets.
fn tags(cluster: &Cluster, bound: &Bound) -> BTreeMap<String, String> {
    let pod = bound.pod.iter().flat_map(|pod| {
        [
            ("kubernetes-pod-name", pod.name.as_str()),
            ("kubernetes-pod-uid", pod.uid.as_str()),
        ]
    });
    let tags = [
        ("eks-cluster-arn", cluster.arn.as_str()),
        ("eks-cluster-name", cluster.name()),
        ("kubernetes-namespace", &bound.namespace),
        ("kubernetes-service-account", &bound.serviceaccount.name),
    ];
    tags.into_iter()
        .chain(pod)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The role's trust in the service, for Pods of the cluster.
fn authorize(
    estate: &Estate,
    cluster: &Cluster,
    association: &Association,
    tags: &BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let (service, role) = (Principal::service(SERVICE), &association.role_arn);
    let actions: &[&str] = if tags.is_empty() {
        &["AssumeRole"]
    } else {
        &["AssumeRole", "TagSession"]
    };
    for action in actions {
        let mut wish = Wish::new(&service, format!("sts:{action}"), role, cluster.region(), None)
            .with("aws:SourceArn", &cluster.arn)
            .with("aws:SourceAccount", account_of(&cluster.arn));
        wish.facts.add_asked_tags(tags);
        for key in tags.keys() {
            wish.facts.add("sts:TransitiveTagKeys", key);
        }
        let judged = estate.iam.judge(&wish, Some(estate.iam.trust_of(role)));
        judged.map_err(|_| refused())?;
    }
    Ok(())
}

fn refused() -> AwsError {
    AwsError::access_denied("Unauthorized Exception! EKS does not have permissions to assume the associated role.")
}
