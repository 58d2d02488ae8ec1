//! A certificate authority for one control plane, and the files that its programs read.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// The authority, and the folder that holds `ca.crt`, `server.crt`, `server.key`, `tokens.key` and `tokens.pub`.
pub(super) struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Certificates {
    /// Makes everything anew and writes it into `folder`. The server is known by these names too.
    pub(super) fn create(folder: &Path, names: &[String]) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let certificates = Self {
            authority,
            folder: folder.to_owned(),
        };
        certificates.write("ca.crt", &certificates.authority.pem())?;
        certificates.serve(names)?;
        let tokens = KeyPair::generate()?;
        certificates.write("tokens.key", &tokens.serialize_pem())?;
        certificates.write("tokens.pub", &tokens.public_key_pem())?;
        Ok(certificates)
    }

    /// The path of one of the files.
    pub(super) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The authority's own certificate, PEM.
    pub(super) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// The same, DER.
    pub(super) fn authority_der(&self) -> Vec<u8> {
        self.authority.der().to_vec()
    }

    fn serve(&self, more: &[String]) -> anyhow::Result<()> {
        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"].map(String::from);
        let mut params = CertificateParams::new([&names, more].concat())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        self.write("server.crt", &params.signed_by(&key, &self.authority)?.pem())?;
        self.write("server.key", &key.serialize_pem())
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join(name), text)?)
    }
}
