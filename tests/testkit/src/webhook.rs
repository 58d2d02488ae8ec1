//! The operator's admission webhook: its certificate, and its registration at an API server.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    RuleWithOperations, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tempfile::TempDir;

use crate::aws_sim::tls::issue;
use crate::{ports, wait};

/// The longest time that an API server can be told to wait for a webhook. What the chart says is for machines that are not tests.
const LONGEST: i32 = 30;

/// A client of a webhook.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
}

impl Caller {
    /// A client that trusts these authorities (PEM) and keeps its connection.
    pub fn new(url: String, ca_pem: &[u8]) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            roots.add(certificate?)?;
        }
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // As Go's clients do.
        tcp.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, url })
    }

    /// Posts a body: the status and the body of the answer.
    pub async fn post(&self, body: impl Into<Bytes>) -> anyhow::Result<(u16, String)> {
        let request = http::Request::post(&self.url)
            .header("content-type", "application/json")
            .body(Full::new(body.into()))?;
        let answer = wait::on("the webhook answers", self.client.request(request)).await??;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// A certificate in files, and a port.
#[derive(Debug)]
pub struct Webhook {
    folder: TempDir,
    ca_pem: String,
    port: u16,
}

impl Webhook {
    /// A free port, and a certificate of its own.
    pub fn new() -> anyhow::Result<Self> {
        let mut webhook = Self {
            folder: tempfile::Builder::new().prefix("webhook-").tempdir()?,
            ca_pem: String::new(),
            port: ports::free()?,
        };
        webhook.renew()?;
        Ok(webhook)
    }

    /// Puts another certificate, of another CA, into the place of the last one.
    pub fn renew(&mut self) -> anyhow::Result<()> {
        let issued = issue()?;
        std::fs::write(self.folder.path().join("tls.key"), issued.key.serialize_pem())?;
        std::fs::write(self.folder.path().join("tls.crt"), issued.certificate.pem())?;
        self.ca_pem = issued.ca_pem;
        Ok(())
    }

    /// The arguments of an operator that serves it.
    pub fn args(&self) -> [String; 4] {
        let folder = self.folder.path().display().to_string();
        let listen = format!("127.0.0.1:{}", self.port);
        [
            "--webhook-listen".to_owned(),
            listen,
            "--webhook-cert-dir".to_owned(),
            folder,
        ]
    }

    /// Where it is served.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/validate", self.port)
    }

    /// The address without a scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The CA that a client must trust, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Posts a body over a connection of its own: the status and the body of the answer.
    pub async fn post(&self, body: impl Into<Bytes>) -> anyhow::Result<(u16, String)> {
        self.caller()?.post(body).await
    }

    /// A client that keeps its connection, as an API server does.
    pub fn caller(&self) -> anyhow::Result<Caller> {
        Caller::new(self.url(), self.ca_pem.as_bytes())
    }

    /// Registers it: every create and update of a job waits for it, and fails without it.
    pub async fn register(&self, client: &kube::Client) -> anyhow::Result<()> {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let rule = RuleWithOperations {
            api_groups: words(&["transcribe-operator.io"]),
            api_versions: words(&["v1alpha1"]),
            operations: words(&["CREATE", "UPDATE"]),
            resources: words(&[
                "transcriptionjobs",
                "medicaltranscriptionjobs",
                "callanalyticsjobs",
                "medicalscribejobs",
            ]),
            scope: None,
        };
        let webhook = ValidatingWebhook {
            name: "validate.transcribe-operator.io".to_owned(),
            admission_review_versions: vec!["v1".to_owned()],
            client_config: WebhookClientConfig {
                ca_bundle: Some(ByteString(self.ca_pem.clone().into_bytes())),
                url: Some(self.url()),
                service: None,
            },
            failure_policy: Some("Fail".to_owned()),
            rules: Some(vec![rule]),
            side_effects: "None".to_owned(),
            timeout_seconds: Some(LONGEST),
            ..ValidatingWebhook::default()
        };
        let configuration = ValidatingWebhookConfiguration {
            metadata: ObjectMeta {
                name: Some("transcribe-operator".to_owned()),
                ..ObjectMeta::default()
            },
            webhooks: Some(vec![webhook]),
        };
        let api = Api::<ValidatingWebhookConfiguration>::all(client.clone());
        if api.get_opt("transcribe-operator").await?.is_some() {
            api.delete("transcribe-operator", &kube::api::DeleteParams::default())
                .await?;
        }
        api.create(&PostParams::default(), &configuration).await?;
        Ok(())
    }
}
