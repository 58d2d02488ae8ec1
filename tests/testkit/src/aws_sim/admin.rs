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
//! | `GET`, `POST /_sim/config` | the [`super::Config`]; change the members that the body has |
//! | `GET /_sim/ca.pem` | the CA, if TLS is on |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{FaultRule, ForeignJob, Sim, server};

type Shared = State<Arc<Sim>>;
type Answer = Result<Json<Value>, (StatusCode, String)>;

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
        .fallback(server::nowhere)
        .with_state(sim)
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
    sim.finish_all();
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
    let mut merged = serde_json::to_value(&world.config).map_err(refused)?;
    if let (Some(all), Value::Object(given)) = (merged.as_object_mut(), body) {
        all.extend(given);
    }
    world.config = serde_json::from_value(merged.clone()).map_err(refused)?;
    Ok(Json(merged))
}

fn refused(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, format!("{error}\n"))
}
