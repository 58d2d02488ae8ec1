//! GetObject, of what jobs have written. Requests name the bucket in the path.
//!
//! Who reads needs `s3:GetObject`, and for an object that is encrypted with a KMS key `kms:Decrypt`, which S3 asks for in the
//! reader's name with the context that the object was encrypted with, and its ARN. Whether an object exists is told to who
//! may list the bucket. An object stays when the record of its job is deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::auth::{Caller, authenticate};
use super::buckets::ObjectUse;
use super::error::AwsError;
use super::kms_jobs::JobKey;
use super::world::{Sim, World};
use super::{TrailEvent, sts};

/// What S3 says of an object, and what is in it.
struct Object {
    key_arn: Option<String>,
    body: String,
}

/// Answer a request for an object.
pub(super) async fn get_object(
    State(sim): State<Arc<Sim>>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut world = sim.world();
    let time = world.clock(world.now());
    let caller = authenticate(&headers, &world, time);
    let answer = caller
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|caller| read(&world, caller, &bucket, &key));
    let outcome = answer.as_ref().err().map_or("ok", |error| &error.code);
    world.ledger.count("GetObject", outcome);
    let request = json!({"Bucket": bucket, "Key": key});
    let event = TrailEvent::of(time, "s3", "GetObject", caller.as_ref().ok(), request, outcome);
    world.trail.add(event);
    match answer {
        Ok(object) => shown(object),
        Err(error) => refused(&error),
    }
}

fn read(world: &World, caller: &Caller, bucket: &str, key: &str) -> Result<Object, AwsError> {
    if caller.service != "s3" {
        return Err(AwsError::new(
            "InvalidSignatureException",
            "Credential should be scoped to 's3'.",
        ));
    }
    let used = ObjectUse {
        principal: &caller.principal,
        operation: "GetObject",
        region: &caller.region,
        bucket,
        key,
        via: None,
    };
    used.authorize(&world.estate)?;
    let Some(job) = world.jobs.writer(bucket, key, world.now()) else {
        let listed = ObjectUse {
            operation: "ListBucket",
            key: "",
            ..used
        };
        listed.authorize(&world.estate)?;
        return Err(AwsError {
            status: Some(404),
            ..AwsError::new("NoSuchKey", "The specified key does not exist.")
        });
    };
    let stored = job.encryption.as_ref().map(JobKey::stored);
    if let Some((arn, context)) = stored {
        used.decrypt(&world.estate, arn, context)?;
    }
    let body = json!({"jobName": job.key.name, "accountId": job.key.account, "status": "COMPLETED", "results": {
        "transcripts": [{"transcript": "Nobody said anything."}], "items": Value::Array(Vec::new())}});
    let key_arn = stored.map(|(arn, _)| arn.to_owned());
    Ok(Object {
        key_arn,
        body: body.to_string(),
    })
}

fn shown(object: Object) -> Response {
    let mut headers = BTreeMap::from([("content-type", "application/json".to_owned())]);
    let algorithm = if object.key_arn.is_some() { "aws:kms" } else { "AES256" };
    headers.insert("x-amz-server-side-encryption", algorithm.to_owned());
    if let Some(arn) = object.key_arn {
        headers.insert("x-amz-server-side-encryption-aws-kms-key-id", arn);
    }
    let mut response = object.body.into_response();
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// All that is wrong with credentials, and all that they may not do, is 403.
fn refused(error: &AwsError) -> Response {
    let code = error.code.trim_end_matches("Exception");
    let status = error.status.filter(|status| *status == 404).unwrap_or(403);
    let text = format!(
        "<Error>{}{}</Error>",
        sts::element("Code", code),
        sts::element("Message", &error.message)
    );
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    (status, [("content-type", "application/xml")], text).into_response()
}
