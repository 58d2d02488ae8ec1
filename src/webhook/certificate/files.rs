//! The webhook's certificate from files, which are reloaded when they change.

use std::{io, path::Path, sync::Arc, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tracing::{info, warn};

use crate::webhook::certificate::tls::server_config;

/// How often the files are read. The kubelet itself needs about a minute to update a changed Secret in a Pod.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub(in crate::webhook) enum BadCertificate {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, io::Error),
    /// A file does not hold the expected PEM block.
    #[error("{0} holds no PEM-encoded {1}")]
    NotPem(String, &'static str),
    /// rustls rejects the certificate or the key.
    #[error("the certificate cannot be served: {0}")]
    Refused(#[from] rustls::Error),
}

/// The content of `tls.crt` and `tls.key`.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    chain: Vec<u8>,
    key: Vec<u8>,
}

async fn read(folder: &Path) -> Result<Files, BadCertificate> {
    let file = async |name: &str| {
        let path = folder.join(name);
        let unreadable = |error| BadCertificate::Unreadable(path.display().to_string(), error);
        tokio::fs::read(&path).await.map_err(unreadable)
    };
    Ok(Files {
        chain: file("tls.crt").await?,
        key: file("tls.key").await?,
    })
}

fn serve(files: &Files) -> Result<Arc<ServerConfig>, BadCertificate> {
    let not_pem = |file: &str, what| BadCertificate::NotPem(file.to_owned(), what);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| not_pem("tls.crt", "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| not_pem("tls.key", "private key"))?;
    Ok(server_config(chain, key)?)
}

/// Loads the certificate of a folder, and reloads it when it changes. If the new one cannot be served, the last one
/// stays.
///
/// # Errors
/// The first certificate cannot be read or served.
pub(in crate::webhook) async fn from_folder(folder: &Path) -> Result<RustlsConfig, BadCertificate> {
    let files = read(folder).await?;
    let config = RustlsConfig::from_config(serve(&files)?);
    tokio::spawn(keep_current(folder.to_owned(), files, config.clone()));
    Ok(config)
}

async fn keep_current(folder: std::path::PathBuf, mut served: Files, config: RustlsConfig) {
    loop {
        tokio::time::sleep(RELOAD_INTERVAL).await;
        let files = match read(&folder).await {
            Ok(files) if files == served => continue,
            Ok(files) => files,
            Err(error) => {
                warn!(%error, "the webhook's certificate cannot be read; the last one stays");
                continue;
            }
        };
        match serve(&files) {
            Ok(fresh) => {
                config.reload_from_config(fresh);
                served = files;
                info!("the webhook serves a new certificate");
            }
            Err(error) => warn!(%error, "the webhook's new certificate cannot be served; the last one stays"),
        }
    }
}
