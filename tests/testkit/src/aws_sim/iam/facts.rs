//! What is known of a request: the values of its condition keys.

use std::collections::BTreeMap;

/// The condition keys that a request may have. A policy with any other one is refused, since a test would otherwise rest
/// on a condition that never holds.
const KEYS: [&str; 26] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:requestedregion",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:tagkeys",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "iam:passedtoservice",
    "kms:calleraccount",
    "kms:encryptioncontextkeys",
    "kms:requestalias",
    "kms:resourcealiases",
    "kms:viaservice",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:transitivetagkeys",
    "transcribe:outputbucketname",
    "transcribe:outputencryptionkmskeyid",
    "transcribe:outputkey",
    "transcribe:outputlocation",
    // Of these, the rest of the key is the requester's to choose.
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "kms:encryptioncontext:",
];

/// Whether a request can have a condition key.
pub(crate) fn is_known(key: &str) -> bool {
    let key = key.to_lowercase();
    let open = |known: &str| known.ends_with(['/', ':']);
    is_of_issuer(&key)
        || KEYS.iter().any(|known| {
            if open(known) {
                key.strip_prefix(known).is_some_and(|rest| !rest.is_empty())
            } else {
                key == *known
            }
        })
}

/// A claim of a token: the issuer's host and path, and `aud` or `sub`.
fn is_of_issuer(key: &str) -> bool {
    let claim = key.rsplit_once(':');
    claim
        .is_some_and(|(issuer, claim)| ["aud", "sub"].contains(&claim) && issuer.contains('.') && !issuer.contains(':'))
}

/// The condition keys of a request and their values. AWS does not tell small and capital letters apart in the keys,
/// names of tags and of an encryption context included; in values it does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(BTreeMap<String, Vec<String>>);

impl Facts {
    /// Add a value.
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_lowercase()).or_default().push(value.into());
    }

    /// Add the tags of something: the value of each under the prefix.
    pub(crate) fn add_tags(&mut self, prefix: &str, tags: &BTreeMap<String, String>) {
        for (key, value) in tags {
            self.add(&format!("{prefix}{key}"), value);
        }
    }

    /// Add the tags that a request asks for.
    pub(crate) fn add_asked_tags(&mut self, tags: &BTreeMap<String, String>) {
        self.add_tags("aws:RequestTag/", tags);
        for key in tags.keys() {
            self.add("aws:TagKeys", key);
        }
    }

    /// The values of a key, which is in small letters; none if the request does not have it.
    pub(crate) fn of(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}
