//! The controls of users, roles, sessions, buckets and clusters over HTTP; the table is in [`super::admin`].

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin::{Answer, Shared, merged, refused};
use super::{Bucket, Cluster, Role, Sim, User};

pub(super) fn routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/roles", get(roles).post(put_role))
        .route("/roles/{*arn}", delete(remove_role))
        .route("/users", get(users).post(put_user))
        .route("/users/{*arn}", delete(remove_user))
        .route("/buckets", get(buckets).post(put_bucket))
        .route("/buckets/{name}", delete(remove_bucket))
        .route("/clusters", get(clusters).post(put_cluster))
        .route("/sessions", post(session))
        .route("/sessions/expire", post(expire))
        .route("/sessions/revoke", post(revoke))
        .route("/trail", get(trail))
}

async fn roles(State(sim): Shared) -> Json<Value> {
    Json(json!(sim.world().estate.iam.roles().collect::<Vec<_>>()))
}

/// The role that the body names as it is, if there is one, and the body's members in place of its own.
async fn put_role(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let given: Role = serde_json::from_value(body.clone()).map_err(refused)?;
    let mut world = sim.world();
    let role = match world.estate.iam.role(&given.arn) {
        Some(role) => merged(role, body)?,
        None => given,
    };
    let arn = role.arn.clone();
    world.change(|estate| estate.iam.put_role(role)).map_err(refused)?;
    Ok(Json(json!({"role": arn})))
}

async fn remove_role(State(sim): Shared, Path(arn): Path<String>) -> Json<Value> {
    Json(json!({"removed": sim.world().change(|estate| estate.iam.remove_role(&arn))}))
}

async fn users(State(sim): Shared) -> Json<Value> {
    Json(json!(sim.world().estate.iam.users().collect::<Vec<_>>()))
}

async fn put_user(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let user: User = serde_json::from_value(body).map_err(refused)?;
    let arn = user.arn.clone();
    let put = sim.world().change(|estate| estate.iam.put_user(user));
    put.map_err(refused)?;
    Ok(Json(json!({"user": arn})))
}

async fn remove_user(State(sim): Shared, Path(arn): Path<String>) -> Json<Value> {
    Json(json!({"removed": sim.world().change(|estate| estate.iam.remove_user(&arn))}))
}

async fn buckets(State(sim): Shared) -> Json<Value> {
    Json(json!(sim.world().estate.buckets.all().collect::<Vec<_>>()))
}

async fn put_bucket(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let bucket: Bucket = serde_json::from_value(body).map_err(refused)?;
    let name = bucket.name.clone();
    let put = sim.world().change(|estate| estate.buckets.put(bucket));
    put.map_err(refused)?;
    Ok(Json(json!({"bucket": name})))
}

async fn remove_bucket(State(sim): Shared, Path(name): Path<String>) -> Json<Value> {
    Json(json!({"removed": sim.world().change(|estate| estate.buckets.remove(&name))}))
}

async fn clusters(State(sim): Shared) -> Json<Value> {
    Json(json!(sim.world().estate.clusters.all().collect::<Vec<_>>()))
}

async fn put_cluster(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let cluster: Cluster = serde_json::from_value(body).map_err(refused)?;
    let arn = cluster.arn.clone();
    let put = sim.world().change(|estate| estate.clusters.put(cluster));
    put.map_err(refused)?;
    Ok(Json(json!({"cluster": arn})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    role: String,
    name: Option<String>,
}

async fn session(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let asked: Asked = serde_json::from_value(body).map_err(refused)?;
    let issued = sim.session(&asked.role, asked.name.as_deref().unwrap_or("session"));
    Ok(Json(json!(issued.map_err(refused)?)))
}

async fn expire(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let asked: Asked = serde_json::from_value(body).map_err(refused)?;
    Ok(Json(json!({"expired": sim.expire_sessions(&asked.role)})))
}

async fn revoke(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let asked: Asked = serde_json::from_value(body).map_err(refused)?;
    Ok(Json(
        json!({"revoked": sim.world().change(|estate| estate.iam.revoke(&asked.role))}),
    ))
}

async fn trail(State(sim): Shared) -> Json<Value> {
    Json(json!(sim.world().trail.list()))
}
