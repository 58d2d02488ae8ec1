//! The controls over HTTP, for the standalone program. JSON in, JSON out.
//!
//! | request | meaning |
//! |---|---|
//! | `GET /_sim/ledger` | the applied calls |
//! | `GET /_sim/calls` | all calls, by operation and outcome |
//! | `GET /_sim/jobs` | the records |
//! | `POST /_sim/jobs` | add a record of someone else's, a [`ForeignJob`] |
//! | `DELETE /_sim/jobs/NAME` | let a record vanish |
//! | `POST /_sim/finish` | end every job |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults and how often each hit; add a [`FaultRule`]; use all up |
//! | `GET`, `POST /_sim/keys` | the KMS keys; add a [`Key`], or change the members that the body has |
//! | `DELETE /_sim/keys/ARN` | let a key vanish, its aliases too |
//! | `GET`, `POST /_sim/aliases` | the aliases; let one name a key: `{"name": "alias/finance", "key": "ARN"}` |
//! | `DELETE /_sim/aliases/ARN` | take an alias away |
//! | `GET /_sim/kms-calls` | the calls of KMS in detail, each a [`super::KmsCall`] |
//! | `GET`, `POST /_sim/roles` | the roles; add a [`super::Role`], or change the members that the body has |
//! | `DELETE /_sim/roles/ARN` | let a role vanish |
//! | `GET`, `POST /_sim/users` | the users; add a [`super::User`], or put it in the place of the one with its ARN |
//! | `DELETE /_sim/users/ARN` | let a user vanish |
//! | `POST /_sim/sessions` | credentials of a new session: `{"role": "ARN", "name": "pod"}` |
//! | `POST /_sim/sessions/expire`, `…/revoke` | let the sessions of a role expire, or revoke them: `{"role": "ARN"}` |
//! | `GET`, `POST /_sim/buckets` | the buckets; add a [`super::Bucket`], or put it in the place of the one with its name |
//! | `DELETE /_sim/buckets/NAME` | forget a bucket |
//! | `GET`, `POST /_sim/clusters` | the EKS clusters; add a [`super::Cluster`], or put it in the place of the one with its ARN |
//! | `GET /_sim/trail` | the calls of all services, each a [`super::TrailEvent`] |
//! | `GET`, `POST /_sim/config` | the [`super::Config`]; change the members that the body has |
//! | `GET /_sim/ca.pem` | the CA, if TLS is on |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FaultRule, ForeignJob, Key, Sim, admin_identity, server};

pub(super) type Shared = State<Arc<Sim>>;
pub(super) type Answer = Result<Json<Value>, (StatusCode, String)>;

/// The routes below `/_sim`.
pub(super) fn routes(sim: Arc<Sim>) -> Router {
    Router::new()
        .route(
            "/ledger",
            get(async |State(sim): Shared| Json(json!(sim.world().ledger.lines()))),
        )
        .route(
            "/calls",
            get(async |State(sim): Shared| Json(json!(sim.world().ledger.calls()))),
        )
        .route(
            "/jobs",
            get(async |State(sim): Shared| Json(json!(sim.jobs()))).post(put_job),
        )
        .route("/jobs/{name}", delete(remove_job))
        .route("/finish", post(finish))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route(
            "/config",
            get(async |State(sim): Shared| Json(json!(sim.world().config))).post(set_config),
        )
        .route(
            "/ca.pem",
            get(async |State(sim): Shared| sim.ca_pem.clone().unwrap_or_default()),
        )
        .merge(key_routes())
        .merge(admin_identity::routes())
        .route("/{*path}", any(server::nowhere))
        .with_state(sim)
}

fn key_routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/keys", get(keys).post(put_key))
        .route("/keys/{*arn}", delete(remove_key))
        .route(
            "/aliases",
            get(async |State(sim): Shared| Json(json!(sim.world().estate.keys.aliases()))).post(put_alias),
        )
        .route("/aliases/{*arn}", delete(remove_alias))
        .route(
            "/kms-calls",
            get(async |State(sim): Shared| Json(json!(sim.world().kms_calls.list()))),
        )
}

async fn keys(State(sim): Shared) -> Json<Value> {
    Json(json!(sim.world().estate.keys.all().collect::<Vec<_>>()))
}

/// The key that the body names as it is, if there is one, and the body's members in place of its own.
async fn put_key(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let given: Key = serde_json::from_value(body.clone()).map_err(refused)?;
    let arn = given.arn();
    let found = sim.world().estate.keys.find(&arn).cloned();
    let key = match found {
        Some(key) => merged(&key, body)?,
        None => given,
    };
    sim.put_key(key).map_err(refused)?;
    Ok(Json(json!({"key": arn})))
}

async fn remove_key(State(sim): Shared, Path(arn): Path<String>) -> Answer {
    Ok(Json(
        json!({"removed": sim.world().change(|estate| estate.keys.remove(&arn))}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alias {
    name: String,
    key: String,
}

async fn put_alias(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let Alias { name, key } = serde_json::from_value(body).map_err(refused)?;
    let put = sim.world().change(|estate| estate.keys.put_alias(&name, &key));
    put.map_err(refused)?;
    Ok(Json(json!({"name": name})))
}

async fn remove_alias(State(sim): Shared, Path(arn): Path<String>) -> Answer {
    Ok(Json(
        json!({"removed": sim.world().change(|estate| estate.keys.remove_alias(&arn))}),
    ))
}

async fn put_job(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let foreign: ForeignJob = serde_json::from_value(body).map_err(refused)?;
    sim.put_foreign_job(&foreign).map_err(refused)?;
    Ok(Json(json!({"name": foreign.name})))
}

async fn remove_job(State(sim): Shared, Path(name): Path<String>) -> Answer {
    Ok(Json(json!({"removed": sim.remove_job(&name)})))
}

async fn finish(State(sim): Shared) -> Answer {
    sim.finish(|_| true);
    Ok(Json(json!({})))
}

async fn faults(State(sim): Shared) -> Answer {
    Ok(Json(json!(sim.world().faults.entries())))
}

async fn add_fault(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let rule: FaultRule = serde_json::from_value(body).map_err(refused)?;
    Ok(Json(json!({"fault": sim.world().faults.add(rule)})))
}

async fn clear_faults(State(sim): Shared) -> Answer {
    sim.world().faults.clear();
    Ok(Json(json!({})))
}

/// The members of the body take the place of the configuration's.
async fn set_config(State(sim): Shared, Json(body): Json<Value>) -> Answer {
    let mut world = sim.world();
    world.config = merged(&world.config, body)?;
    Ok(Json(json!(world.config)))
}

/// The members of the body in place of those of what there is.
pub(super) fn merged<T: Serialize + DeserializeOwned>(there_is: &T, body: Value) -> Result<T, (StatusCode, String)> {
    let mut all = serde_json::to_value(there_is).map_err(refused)?;
    if let (Some(all), Value::Object(given)) = (all.as_object_mut(), body) {
        all.extend(given);
    }
    serde_json::from_value(all).map_err(refused)
}

pub(super) fn refused(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, format!("{error}\n"))
}
