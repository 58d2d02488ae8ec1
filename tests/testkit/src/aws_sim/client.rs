//! Requests over the wire that no SDK among the dependencies makes: what a container asks the agent of EKS Pod Identity, and
//! what `aws s3 cp` asks S3.

use anyhow::Context as _;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::output::bucket_and_key;
use super::world::at;
use super::{AwsSim, SessionCredentials};

impl AwsSim {
    /// The objects that jobs have written so far, as `s3://` URIs.
    pub fn objects(&self) -> Vec<String> {
        let world = self.sim.world();
        let written = world.jobs.written(world.now());
        written.map(|(bucket, key)| format!("s3://{bucket}/{key}")).collect()
    }

    /// Read an object with the credentials of a session: what is in it, or else the code and the text that S3 answers.
    /// Errors: there is no answer; it is not the URI of an object.
    pub async fn read(
        &self,
        reader: &SessionCredentials,
        region: &str,
        uri: &str,
    ) -> anyhow::Result<Result<String, String>> {
        let (bucket, key) = bucket_and_key(uri).with_context(|| format!("not the URI of an object: {uri}"))?;
        let now = at(self.sim.machine.now());
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{}/{region}/s3/aws4_request", reader.access_key_id, &date[..8]);
        let (names, signature) = (
            "host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
            "0".repeat(64),
        );
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}");
        let request = http::Request::get(format!("{}/{bucket}/{key}", self.url()))
            .header("x-amz-date", date)
            .header("x-amz-security-token", &reader.session_token)
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header("authorization", authorization);
        let (status, text) = sent(request).await?;
        let part = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_default();
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        let told = format!("{}: {}", part("Code"), part("Message"));
        Ok(if status.is_success() { Ok(text) } else { Err(told) })
    }

    /// The credentials that a container gets from the agent of EKS Pod Identity for its token, or else the code that the agent
    /// answers. Errors: there is no answer.
    pub async fn pod_credentials(&self, token: &str) -> anyhow::Result<Result<SessionCredentials, String>> {
        let request = http::Request::get(format!("{}/v1/credentials", self.url())).header("authorization", token);
        let (_, text) = sent(request).await?;
        let answer: Value = serde_json::from_str(&text)?;
        let part = |member: &str| answer[member].as_str().map(str::to_owned).context(member.to_owned());
        if let Ok(code) = part("code") {
            return Ok(Err(code));
        }
        Ok(Ok(SessionCredentials {
            access_key_id: part("AccessKeyId")?,
            secret_access_key: part("SecretAccessKey")?,
            session_token: part("Token")?,
            expiration: part("Expiration")?.parse()?,
        }))
    }
}

async fn sent(request: http::request::Builder) -> anyhow::Result<(StatusCode, String)> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request.body(Empty::<Bytes>::new())?).await?.into_parts();
    let text = String::from_utf8(body.collect().await?.to_bytes().into())?;
    Ok((parts.status, text))
}
