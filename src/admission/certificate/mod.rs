//! The webhook's certificate: from files that somebody else keeps, or from an authority of the operator's own.

mod authority;
mod files;
mod issue;
mod managed;

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};

pub use authority::Lifetimes;
pub(super) use files::from_folder;
pub use managed::Managed;

/// TLS 1.2 and 1.3, as rustls has it by default, for HTTP/2 and HTTP/1.1.
fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
