//! EKS clusters, as far as AWS vouches for their service accounts: by IAM roles for service accounts, for which AWS STS takes
//! a token ([`super::sts`]), and by EKS Pod Identity, where the agent on the node takes one and gives credentials.
//!
//! A cluster signs its tokens itself, and its issuer publishes the public keys; here a test brings them. A key is one of P-256,
//! as the tests' control plane has it; those of EKS are RSA keys.
//!
//! The agent is asked at `/v1/credentials`. That conditions see the cluster's ARN and account as the source is documented, as
//! are the tags and that they are transitive; the codes are those of the EKS Auth API, the texts are inferred.

mod pod_identity;
mod token;

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use pod_identity::credentials;
pub(super) use token::Token;

use super::AwsSim;
use super::iam::account_of;

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// For example `arn:aws:eks:eu-west-1:111122223333:cluster/prod`.
    pub arn: String,
    /// What its tokens name as their issuer: an `https://` URL.
    pub issuer: String,
    /// The issuer's public keys, a JSON Web Key Set: what the API server shows at `/openid/v1/jwks`.
    pub keys: Value,
    /// The audiences of the IAM OIDC provider for the issuer, in the cluster's account. Empty: there is no provider.
    pub audiences: Vec<String>,
    /// Which service account gets which role by EKS Pod Identity.
    pub associations: Vec<Association>,
}

/// An association of EKS Pod Identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Association {
    /// The namespace of the service account.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
    /// The role.
    pub role_arn: String,
    /// Whether the session gets the tags that say whose it is, as it does by default.
    pub session_tags: bool,
}

impl Cluster {
    /// Its IAM OIDC provider, be there one or not.
    pub(super) fn provider(&self) -> String {
        let partition = self.arn.split(':').nth(1).unwrap_or_default();
        format!(
            "arn:{partition}:iam::{}:oidc-provider/{}",
            account_of(&self.arn),
            self.host()
        )
    }

    /// The issuer as condition keys name it.
    pub(super) fn host(&self) -> &str {
        self.issuer.trim_start_matches("https://")
    }

    pub(super) fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }
}

/// The clusters that tests have put there, by ARN.
#[derive(Debug, Default)]
pub(super) struct Clusters(BTreeMap<String, Cluster>);

impl Clusters {
    pub(super) fn put(&mut self, cluster: Cluster) -> anyhow::Result<()> {
        let parts: Vec<_> = cluster.arn.splitn(6, ':').collect();
        let named = matches!(parts[..], ["arn", _, "eks", _, _, name] if name.starts_with("cluster/"));
        ensure!(named, "not the ARN of a cluster: {}", cluster.arn);
        ensure!(
            cluster.issuer.starts_with("https://"),
            "not an issuer: {}",
            cluster.issuer
        );
        ensure!(cluster.keys["keys"].is_array(), "not a key set: {}", cluster.keys);
        self.0.insert(cluster.arn.clone(), cluster);
        Ok(())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Cluster> {
        self.0.values()
    }

    pub(super) fn of_issuer(&self, issuer: &str) -> impl Iterator<Item = &Cluster> {
        self.all().filter(move |cluster| cluster.issuer == issuer)
    }
}

impl AwsSim {
    /// Add a cluster, or put it in the place of the one with its ARN. Errors: it has no such ARN, issuer or keys.
    pub fn put_cluster(&self, cluster: Cluster) -> anyhow::Result<()> {
        self.sim.world().change(|estate| estate.clusters.put(cluster))
    }
}
