//! Generates keys and certificates.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::webhook::certificate::{
    authority::{BACKDATED, Certificate, Served},
    tls::server_config,
};

/// Why a certificate cannot be issued.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotIssued {
    /// Generating the key or signing failed.
    #[error("a certificate cannot be made: {0}")]
    Making(#[from] rcgen::Error),
    /// rustls rejects the new certificate.
    #[error("the certificate that was made cannot be served: {0}")]
    Serving(#[from] rustls::Error),
    /// A time that a certificate cannot hold.
    #[error("the clock or the lifetime is out of bounds")]
    Time,
}

/// A certificate authority with its key.
pub(super) struct Authority {
    pub(super) certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// Generates a new authority.
    pub(super) fn create(now: Timestamp, lifetime: SignedDuration) -> Result<Self, NotIssued> {
        let mut params = CertificateParams::new(Vec::new())?;
        // The time makes the name of each authority unique.
        let name = format!("transcribe-operator webhook CA {}", now.as_second());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        validity(&mut params, now, lifetime)?;
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate: Certificate::from_der(certificate.der()).ok_or(NotIssued::Time)?,
            key,
        })
    }

    /// Parses a stored authority. `None`: the certificate is not an authority's, or the key does not belong to it.
    pub(super) fn from_pem(certificate: &[u8], key: &[u8]) -> Option<Self> {
        let certificate = Certificate::bundle(certificate).into_iter().next()?;
        let key = KeyPair::from_pem(std::str::from_utf8(key).ok()?).ok()?;
        let (_, parsed) = X509Certificate::from_der(&certificate.der).ok()?;
        let fits = parsed.is_ca() && parsed.public_key().raw == key.subject_public_key_info();
        fits.then_some(Self { certificate, key })
    }

    /// The key as PEM, to be stored in the Secret.
    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Issues a server certificate for these names, and returns it with its TLS configuration. Its key never leaves the
    /// process.
    pub(super) fn issue(
        &self,
        names: &[String],
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Result<(Served, Arc<ServerConfig>), NotIssued> {
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, lifetime)?;
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(&self.certificate.der[..]), &self.key)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let served = Served {
            certificate: Certificate::from_der(certificate.der()).ok_or(NotIssued::Time)?,
            issuer: self.certificate.clone(),
            names: names.to_vec(),
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok((served, server_config(vec![certificate.der().clone()], key)?))
    }
}

fn validity(params: &mut CertificateParams, now: Timestamp, lifetime: SignedDuration) -> Result<(), NotIssued> {
    let at = |time: Option<Timestamp>| {
        let second = time.ok_or(NotIssued::Time)?.as_second();
        OffsetDateTime::from_unix_timestamp(second).map_err(|_| NotIssued::Time)
    };
    params.not_before = at(now.checked_sub(BACKDATED).ok())?;
    params.not_after = at(now.checked_add(lifetime).ok())?;
    Ok(())
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a certificate must be valid now for a client to take it"
)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_the_authority_that_was_made() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let made = Authority::create(now, SignedDuration::from_hours(24)).unwrap();
        assert_eq!(made.certificate.issued, now);
        assert_eq!(made.certificate.expires, now + SignedDuration::from_hours(24));
        let pem = crate::webhook::certificate::authority::to_pem(std::slice::from_ref(&made.certificate));
        let read = Authority::from_pem(pem.as_bytes(), made.key_pem().as_bytes()).unwrap();
        assert_eq!(read.certificate, made.certificate);

        let other = Authority::create(now, SignedDuration::from_hours(24)).unwrap();
        assert!(Authority::from_pem(pem.as_bytes(), other.key_pem().as_bytes()).is_none());
        assert!(Authority::from_pem(pem.as_bytes(), b"no key").is_none());
        let (served, _) = made
            .issue(&["a.test".to_owned()], now, SignedDuration::from_hours(1))
            .unwrap();
        let leaf = crate::webhook::certificate::authority::to_pem(&[served.certificate]);
        assert!(
            Authority::from_pem(leaf.as_bytes(), made.key_pem().as_bytes()).is_none(),
            "not an authority"
        );
    }

    #[test]
    fn a_client_that_trusts_the_authority_accepts_what_it_issues_for_its_names_only() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let now = Timestamp::now();
        let authority = Authority::create(now, SignedDuration::from_hours(24)).unwrap();
        let names = ["webhook.test.svc".to_owned(), "127.0.0.1".to_owned()];
        let (served, _) = authority.issue(&names, now, SignedDuration::from_hours(1)).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from(authority.certificate.der.clone()))
            .unwrap();
        let verifier = rustls::client::WebPkiServerVerifier::builder(Arc::new(roots))
            .build()
            .unwrap();
        let verify = |name: &str| {
            rustls::client::danger::ServerCertVerifier::verify_server_cert(
                &*verifier,
                &CertificateDer::from(served.certificate.der.clone()),
                &[],
                &name.to_owned().try_into().unwrap(),
                &[],
                rustls::pki_types::UnixTime::now(),
            )
        };
        verify("webhook.test.svc").unwrap();
        verify("127.0.0.1").unwrap();
        verify("other.test.svc").unwrap_err();
    }
}
