//! How the operator's Pod becomes the operator's role: by EKS Pod Identity, or by IAM roles for service accounts. The service
//! account is the chart's, the cluster that signs for it a real one.

use anyhow::Result;
use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sts::error::ProvideErrorMetadata as _;
use serde_json::{Value, json};
use testkit::aws_sim::{Association, AwsSim, Cluster, Config, Role};
use testkit::control_plane::{self, ControlPlane};
use testkit::install::{NAMESPACE, RELEASE};
use testkit::kubectl::Kubectl;
use testkit::operator::Builder;
use testkit::stage::REGION;

use crate::platform::{guide, role};

const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";
const CLUSTER: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/prod";
const STS: &str = "sts.amazonaws.com";
const AGENT: &str = "pods.eks.amazonaws.com";

/// The way of the Pod to its role.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    PodIdentity,
    ServiceAccount,
}

impl Way {
    /// The trust policy of the page.
    pub(crate) const fn trust(self) -> &'static str {
        match self {
            Self::PodIdentity => "operator-trust.json",
            Self::ServiceAccount => "operator-trust-irsa.json",
        }
    }

    /// The call that gives the credentials.
    pub(crate) const fn call(self) -> &'static str {
        match self {
            Self::PodIdentity => "AssumeRoleForPodIdentity",
            Self::ServiceAccount => "AssumeRoleWithWebIdentity",
        }
    }

    /// What EKS puts into the Pod: a token, and where it is good for what.
    pub(crate) async fn equip(self, operator: Builder, plane: &ControlPlane, sim: &AwsSim) -> Result<Builder> {
        let audience = match self {
            Self::PodIdentity => AGENT,
            Self::ServiceAccount => STS,
        };
        let token = plane.service_account_token_for(NAMESPACE, RELEASE, &[audience]).await?;
        let file = plane.folder().join("aws-token");
        std::fs::write(&file, token)?;
        let operator = operator
            .without_env("AWS_ACCESS_KEY_ID")
            .without_env("AWS_SECRET_ACCESS_KEY")
            .env("AWS_REGION", REGION);
        Ok(match self {
            Self::PodIdentity => operator
                .env(
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    format!("{}/v1/credentials", sim.url()),
                )
                .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file),
            Self::ServiceAccount => operator
                .env("AWS_ENDPOINT_URL_STS", sim.url())
                .env("AWS_ROLE_ARN", role("transcribe-operator"))
                .env("AWS_WEB_IDENTITY_TOKEN_FILE", file),
        })
    }
}

/// A control plane that signs tokens as the page's cluster.
pub(crate) fn signing() -> control_plane::Builder {
    ControlPlane::builder().apiserver_arg(format!("--service-account-issuer={ISSUER}"))
}

/// The page's cluster as AWS knows it.
pub(crate) async fn cluster(plane: &ControlPlane) -> Result<Cluster> {
    Ok(Cluster {
        arn: CLUSTER.to_owned(),
        issuer: ISSUER.to_owned(),
        keys: plane.token_keys().await?,
        audiences: vec![STS.to_owned(), "another".to_owned()],
        associations: vec![Association {
            namespace: NAMESPACE.to_owned(),
            service_account: RELEASE.to_owned(),
            role_arn: role("transcribe-operator"),
            session_tags: false,
        }],
    })
}

/// A simulated AWS with the operator's role of the page and that cluster.
async fn aws(way: Way, cluster: Cluster) -> Result<AwsSim> {
    let sim = AwsSim::start(Config::default()).await?;
    let policies = guide();
    let (trust, rights) = (
        policies[way.trust()].clone(),
        policies["operator-permissions.json"].clone(),
    );
    sim.put_role(Role::new(&role("transcribe-operator"), trust, rights))?;
    sim.put_cluster(cluster)?;
    Ok(sim)
}

/// A client of STS: of somebody who is nobody yet, or of who has an access key.
fn sts(sim: &AwsSim, key: Option<&str>) -> aws_sdk_sts::Client {
    let mut config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(sim.url())
        .region(Region::new(REGION));
    if let Some(key) = key {
        config = config.credentials_provider(Credentials::new(key, "secret", None, None, "test"));
    }
    aws_sdk_sts::Client::from_conf(config.build())
}

/// Makes a namespace with these service accounts.
async fn namespace_with(kubectl: &Kubectl, namespace: &str, accounts: &[&str]) -> Result<()> {
    kubectl.run(&["create", "namespace", namespace]).await?.ok()?;
    for name in accounts {
        let create = ["create", "serviceaccount", name, "-n", namespace];
        kubectl.run(&create).await?.ok()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_token_of_the_operators_service_account_for_sts_is_worth_its_role_and_no_other_is() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let plane = signing().start().await.unwrap();
    let kubectl = Kubectl::new(&plane).unwrap();
    for namespace in [NAMESPACE, "payroll"] {
        namespace_with(&kubectl, namespace, &[RELEASE, "other"]).await.unwrap();
    }
    let sim = aws(Way::ServiceAccount, cluster(&plane).await.unwrap()).await.unwrap();
    let denied = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";
    for (namespace, name, audience, wanted) in [
        (NAMESPACE, RELEASE, STS, "ok"),
        (NAMESPACE, "other", STS, denied),
        ("payroll", RELEASE, STS, denied),
        (NAMESPACE, RELEASE, "another", denied),
        (
            NAMESPACE,
            RELEASE,
            AGENT,
            "InvalidIdentityToken: Incorrect token audience",
        ),
    ] {
        let token = plane
            .service_account_token_for(namespace, name, &[audience])
            .await
            .unwrap();
        let call = sts(&sim, None).assume_role_with_web_identity().role_session_name("pod");
        let said = call
            .role_arn(role("transcribe-operator"))
            .web_identity_token(token)
            .send()
            .await;
        let said = said.map_or_else(
            |error| {
                format!(
                    "{}: {}",
                    error.code().unwrap_or_default(),
                    error.message().unwrap_or_default()
                )
            },
            |_| "ok".to_owned(),
        );
        assert_eq!(said, wanted, "{namespace}/{name} for {audience}");
    }
}

#[tokio::test]
async fn eks_pod_identity_gives_the_operators_role_in_the_cluster_of_the_page_only() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let plane = signing().start().await.unwrap();
    let kubectl = Kubectl::new(&plane).unwrap();
    namespace_with(&kubectl, NAMESPACE, &[RELEASE]).await.unwrap();
    let token = plane
        .service_account_token_for(NAMESPACE, RELEASE, &[AGENT])
        .await
        .unwrap();
    let page = cluster(&plane).await.unwrap();
    for (arn, session_tags, wanted) in [
        (CLUSTER, false, "ok"),
        (CLUSTER, true, "ok"),
        (
            "arn:aws:eks:eu-west-1:111122223333:cluster/staging",
            false,
            "AccessDeniedException",
        ),
        (
            "arn:aws:eks:eu-west-1:444455556666:cluster/prod",
            false,
            "AccessDeniedException",
        ),
    ] {
        let mut cluster = Cluster {
            arn: arn.to_owned(),
            ..page.clone()
        };
        cluster.associations[0].session_tags = session_tags;
        let sim = aws(Way::PodIdentity, cluster).await.unwrap();
        let said = sim.pod_credentials(&token).await.unwrap();
        assert_eq!(said.map_or_else(|code| code, |_| "ok".to_owned()), wanted, "{arn}");
    }
}

/// Who may assume whatever they like does not get the role that is for Transcribe.
#[tokio::test]
async fn the_data_role_is_for_transcribe_only() {
    let sim = AwsSim::start(Config::default()).await.unwrap();
    let data = role("transcribe-data-finance");
    let trust = guide()["finance-data-trust.json"].clone();
    let nothing: Value = json!({"Version": "2012-10-17", "Statement": []});
    sim.put_role(Role::new(&data, trust, nothing)).unwrap();
    let call = sts(&sim, Some("AKIAMIGHTY"))
        .assume_role()
        .role_arn(&data)
        .role_session_name("me");
    let told = call.send().await.unwrap_err();
    assert_eq!(told.code(), Some("AccessDenied"), "{told:?}");
}
