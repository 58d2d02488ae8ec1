//! GetObject, of what jobs have written. Requests name the bucket in the path.
//!
//! Who reads needs `s3:GetObject`, and for an object that is encrypted with a KMS key `kms:Decrypt`, which S3 asks for in the
//! reader's name with the context that the object was encrypted with, and its ARN. Whether an object exists is told to who
//! may list the bucket. An object stays when the record of its job is deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::auth::{Caller, authenticate};
use super::buckets::ObjectUse;
use super::error::AwsError;
use super::kms_jobs::JobKey;
use super::output::bucket_and_key;
use super::world::{Sim, World};
use super::{AwsSim, SessionCredentials, TrailEvent, sts};

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

impl AwsSim {
    /// The objects that jobs have written so far, as `s3://` URIs.
    pub fn objects(&self) -> Vec<String> {
        let world = self.sim.world();
        let written = world.jobs.written(world.now());
        written.map(|(bucket, key)| format!("s3://{bucket}/{key}")).collect()
    }

    /// Read an object with the credentials of a session, by a request over the wire: what is in it, or else the code and the
    /// text that S3 answers. Errors: there is no answer; it is not the URI of an object.
    pub async fn read(
        &self,
        reader: &SessionCredentials,
        region: &str,
        uri: &str,
    ) -> anyhow::Result<Result<String, String>> {
        let (bucket, key) = bucket_and_key(uri).with_context(|| format!("not the URI of an object: {uri}"))?;
        let date = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{}/{region}/s3/aws4_request", reader.access_key_id, &date[..8]);
        let request = http::Request::get(format!("{}/{bucket}/{key}", self.url()))
            .header("x-amz-date", date)
            .header("x-amz-security-token", &reader.session_token)
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={scope}, \
                     SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature={}",
                    "0".repeat(64)
                ),
            )
            .body(Empty::<Bytes>::new())?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (parts, body) = client.request(request).await?.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().into())?;
        let part = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_default();
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        Ok(if parts.status.is_success() {
            Ok(text)
        } else {
            Err(format!("{}: {}", part("Code"), part("Message")))
        })
    }
}
