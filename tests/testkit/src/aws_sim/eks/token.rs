//! A service account's token: a JWT, and whether a key of its issuer has signed it.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A token as far as it can be read without trusting it.
pub(crate) struct Token<'t> {
    pub(crate) claims: Claims,
    key_id: String,
    signed: &'t str,
    signature: Vec<u8>,
}

/// What a token says.
#[derive(Deserialize)]
pub(crate) struct Claims {
    #[serde(rename = "iss")]
    pub(crate) issuer: String,
    #[serde(rename = "sub")]
    pub(crate) subject: String,
    #[serde(rename = "aud")]
    pub(crate) audiences: Vec<String>,
    /// Seconds since 1970.
    #[serde(rename = "exp")]
    pub(crate) expires: i64,
    #[serde(rename = "kubernetes.io")]
    pub(crate) bound: Option<Bound>,
}

/// Whom Kubernetes gave it to.
#[derive(Deserialize)]
pub(crate) struct Bound {
    pub(crate) namespace: String,
    pub(crate) serviceaccount: Named,
    pub(crate) pod: Option<Named>,
}

/// An object of Kubernetes.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) uid: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

impl<'t> Token<'t> {
    /// Read a token. None: it is none, or one of an algorithm that is not known here.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = decoded(header)?;
        Some(Self {
            claims: decoded(claims)?,
            key_id: Some(header.kid).filter(|_| header.alg == "ES256")?,
            signed,
            signature: bytes(signature)?,
        })
    }

    /// Whether one of these public keys, a JSON Web Key Set, has signed it.
    pub(crate) fn is_signed_by(&self, keys: &Value) -> bool {
        let keys = keys["keys"].as_array().into_iter().flatten();
        let mut ours = keys.filter(|key| key["kid"] == *self.key_id && key["crv"] == "P-256");
        ours.any(|key| {
            let point = ["x", "y"].map(|part| key[part].as_str().and_then(bytes).unwrap_or_default());
            let point = [&[4][..], &point[0], &point[1]].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            key.verify(self.signed.as_bytes(), &self.signature).is_ok()
        })
    }
}

fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&bytes(part)?).ok()
}

fn bytes(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}
