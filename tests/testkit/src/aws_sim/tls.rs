//! A certificate for localhost, and the CA that signed it, made anew for each simulator.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// A certificate, and the CA that signed it.
pub(crate) struct Issued {
    /// The CA, PEM.
    pub(crate) ca_pem: String,
    /// The certificate.
    pub(crate) certificate: Certificate,
    /// Its key.
    pub(crate) key: KeyPair,
}

/// A certificate for this machine, from a CA made for it.
pub(crate) fn issue() -> anyhow::Result<Issued> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "testkit CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    Ok(Issued {
        ca_pem,
        certificate,
        key,
    })
}

/// What a TLS server needs, and the PEM of the CA that a client must trust.
pub(super) fn server() -> anyhow::Result<(Arc<ServerConfig>, String)> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let Issued {
        ca_pem,
        certificate,
        key,
    } = issue()?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    // A dropped connection is a fault of its own only where a connection carries one request at a time.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), ca_pem))
}
