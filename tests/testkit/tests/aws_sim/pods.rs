//! Who a Pod of a cluster becomes: by a token that STS takes, and by EKS Pod Identity.

use super::identity::{ROLE, may, policy, sts, tags, temporary, who};
use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use testkit::aws_sim::{Association, Cluster};

const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE";
const PROVIDER: &str = "arn:aws:iam::444455556666:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE";
const CLUSTER: &str = "arn:aws:eks:eu-west-1:444455556666:cluster/prod";

/// What signs the tokens of a cluster.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ES256).unwrap())
    }

    fn keys(&self) -> Value {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = (BASE64.encode(&point[..32]), BASE64.encode(&point[32..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y}]})
    }

    /// A token of the service account `team/app` for STS, with other claims in place of some.
    fn token(&self, changes: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "sub": "system:serviceaccount:team:app", "aud": ["sts.amazonaws.com"],
            "exp": Timestamp::now().as_second() + 600,
            "kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "app", "uid": "1"},
                "pod": {"name": "app-7d9f", "uid": "2"}},
        });
        for (claim, value) in changes.as_object().unwrap() {
            claims[claim] = value.clone();
        }
        let parts = [json!({"alg": "ES256", "kid": "one"}), claims];
        let signed = parts.map(|part| BASE64.encode(part.to_string())).join(".");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn cluster(&self) -> Cluster {
        Cluster {
            arn: CLUSTER.to_owned(),
            issuer: ISSUER.to_owned(),
            keys: self.keys(),
            audiences: vec!["sts.amazonaws.com".to_owned(), "vault".to_owned()],
            associations: vec![Association {
                namespace: "team".to_owned(),
                service_account: "app".to_owned(),
                role_arn: ROLE.to_owned(),
                session_tags: true,
            }],
        }
    }
}

async fn with_cluster(signer: &Signer, statement: &Value) -> AwsSim {
    let sim = sim().await;
    sim.put_cluster(signer.cluster()).unwrap();
    let role = Role::new(ROLE, policy(&json!([statement])), may(&["sts:*"]));
    sim.put_role(role).unwrap();
    sim
}

fn federated() -> Value {
    let issuer = ISSUER.trim_start_matches("https://");
    json!({
        "Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {
            format!("{issuer}:aud"): "sts.amazonaws.com", format!("{issuer}:sub"): "system:serviceaccount:team:app"}},
    })
}

/// What STS says to a token: the ARN of the session, or the code and the text.
async fn exchanged(sim: &AwsSim, role: &str, token: &str) -> String {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .endpoint_url(sim.url())
        .region(Region::new("eu-west-1"))
        .retry_config(RetryConfig::disabled());
    let client = aws_sdk_sts::Client::from_conf(config.build());
    let call = client
        .assume_role_with_web_identity()
        .role_arn(role)
        .role_session_name("pod");
    match call.web_identity_token(token).send().await {
        Ok(given) => {
            let given = given.credentials.unwrap();
            let token = Some(given.session_token);
            who(
                sim,
                Credentials::new(given.access_key_id, given.secret_access_key, token, None, "test"),
            )
            .await
        }
        Err(error) => told(&error),
    }
}

#[tokio::test]
async fn a_token_is_worth_the_role_that_trusts_its_issuer_audience_and_subject() {
    let signer = Signer::new();
    let sim = with_cluster(&signer, &federated()).await;
    let denied = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";
    let elsewhere = "arn:aws:iam::777788889999:role/transcribe/finance";
    let none = format!("InvalidIdentityToken: No OpenIDConnect provider found in your account for {ISSUER}");
    let session = "arn:aws:sts::444455556666:assumed-role/finance/pod";
    let forged = Signer::new().token(&json!({}));
    for (role, token, wanted) in [
        (ROLE, signer.token(&json!({})), session),
        (
            ROLE,
            signer.token(&json!({"sub": "system:serviceaccount:team:other"})),
            denied,
        ),
        (ROLE, signer.token(&json!({"aud": ["vault"]})), denied),
        (
            ROLE,
            signer.token(&json!({"aud": ["other"]})),
            "InvalidIdentityToken: Incorrect token audience",
        ),
        (
            ROLE,
            signer.token(&json!({"exp": 1_000_000_000})),
            "ExpiredTokenException: Token expired: ",
        ),
        (
            ROLE,
            signer.token(&json!({"iss": "https://a.example"})),
            "InvalidIdentityToken: No OpenIDConnect provider",
        ),
        (ROLE, forged, "InvalidIdentityToken: Couldn't retrieve verification key"),
        (
            ROLE,
            "a.b.c".to_owned(),
            "InvalidIdentityToken: The ID Token provided is not a valid JWT.",
        ),
        (elsewhere, signer.token(&json!({})), none.as_str()),
        ("arn:aws:iam::444455556666:role/none", signer.token(&json!({})), denied),
    ] {
        let said = exchanged(&sim, role, &token).await;
        assert!(said.starts_with(wanted), "{said}, not {wanted}");
    }
    let event = &sim.trail()[0];
    assert_eq!(
        (&*event.operation, &*event.outcome),
        ("AssumeRoleWithWebIdentity", "ok")
    );
    assert!(event.request["WebIdentityToken"].is_null(), "{}", event.request);

    let mut closed = signer.cluster();
    closed.audiences.clear();
    sim.put_cluster(closed).unwrap();
    assert_eq!(
        exchanged(&sim, ROLE, &signer.token(&json!({}))).await,
        none,
        "there is no provider any more"
    );
}

fn service(actions: &[&str], condition: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": actions, "Condition": condition})
}

/// The credentials that the agent gives for a token.
async fn given(sim: &AwsSim, token: &str) -> Credentials {
    temporary(&sim.pod_credentials(token).await.unwrap().unwrap())
}

#[tokio::test]
async fn the_agent_gives_an_associated_role_that_trusts_the_service_for_the_cluster() {
    let both = ["sts:AssumeRole", "sts:TagSession"];
    let signer = Signer::new();
    let token = |changes: Value| {
        let mut claims = json!({"aud": ["pods.eks.amazonaws.com"]});
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        signer.token(&claims)
    };
    let of_cluster = |arn: &str| json!({"ArnEquals": {"aws:SourceArn": arn}});
    let of_account = |account: &str| json!({"StringEquals": {"aws:SourceAccount": account}});
    let of_app = |account: &str| json!({"StringEquals": {"aws:RequestTag/kubernetes-service-account": account}});
    let other = json!({"namespace": "team", "serviceaccount": {"name": "other", "uid": "1"}});
    let denied = "AccessDeniedException";
    for (statement, changes, wanted) in [
        (service(&both, &json!({})), json!({}), "ok"),
        (service(&both, &of_cluster(CLUSTER)), json!({}), "ok"),
        (service(&both, &of_account("444455556666")), json!({}), "ok"),
        (service(&both, &of_app("app")), json!({}), "ok"),
        (service(&both[..1], &json!({})), json!({}), denied),
        (
            service(&both, &of_cluster("arn:aws:eks:eu-west-1:444455556666:cluster/other")),
            json!({}),
            denied,
        ),
        (service(&both, &of_account("111122223333")), json!({}), denied),
        (service(&both, &of_app("other")), json!({}), denied),
        (federated(), json!({}), denied),
        (
            service(&both, &json!({})),
            json!({"kubernetes.io": other}),
            "ResourceNotFoundException",
        ),
        (
            service(&both, &json!({})),
            json!({"aud": ["sts.amazonaws.com"]}),
            "InvalidTokenException",
        ),
        (
            service(&both, &json!({})),
            json!({"iss": "https://a.example"}),
            "InvalidTokenException",
        ),
        (
            service(&both, &json!({})),
            json!({"exp": 1_000_000_000}),
            "ExpiredTokenException",
        ),
    ] {
        let sim = with_cluster(&signer, &statement).await;
        let answer = sim.pod_credentials(&token(changes.clone())).await.unwrap();
        let said = answer.map_or_else(|code| code, |_| "ok".to_owned());
        assert_eq!(said, wanted, "{statement} {changes}");
        assert_eq!(sim.calls()["AssumeRoleForPodIdentity"][wanted], 1);
    }
    let sim = with_cluster(&signer, &service(&both, &json!({}))).await;
    let forged = Signer::new().token(&json!({"aud": ["pods.eks.amazonaws.com"]}));
    let said = sim.pod_credentials(&forged).await.unwrap();
    assert_eq!(said.unwrap_err(), "InvalidTokenException");
    let me = who(&sim, given(&sim, &token(json!({}))).await).await;
    assert_eq!(me, "arn:aws:sts::444455556666:assumed-role/finance/eks-prod-app");
}

/// The tags of EKS Pod Identity go on to the next session, and leave no room there for many others.
#[tokio::test]
async fn the_tags_of_a_pod_go_along_when_its_session_begets_another() {
    let signer = Signer::new();
    let pod = json!({"name": "transcribe-operator-7d9f8b6c5d-x2x4z", "uid": "d9428888-122b-41e1-b85c-61b0a4e0fd2f"});
    let bound = json!({"namespace": "team", "serviceaccount": {"name": "app", "uid": "1"}, "pod": pod});
    let token = signer.token(&json!({"aud": ["pods.eks.amazonaws.com"], "kubernetes.io": bound}));
    let trusting = json!({"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com", "AWS": ROLE},
        "Action": ["sts:AssumeRole", "sts:TagSession"]});
    let sim = with_cluster(&signer, &trusting).await;
    let uid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let own = tags(&[
        ("transcribe-operator.io/namespace", "payroll-production"),
        ("transcribe-operator.io/namespace-uid", uid),
        ("transcribe-operator.io/class", "finance"),
        ("transcribe-operator.io/cluster", &uid.replace('-', "")),
    ]);
    let chained = async |tags| {
        let client = sts(&sim, given(&sim, &token).await);
        let call = client.assume_role().role_arn(ROLE).role_session_name("next");
        call.set_tags(tags).send().await.map_err(|error| told(&error))
    };
    chained(None).await.unwrap();
    who(&sim, super::identity::assumed(&chained(None).await.unwrap())).await;
    let inherited = sim.trail().pop().unwrap().session_tags;
    assert_eq!(inherited["kubernetes-service-account"], "app");
    assert_eq!(inherited["kubernetes-pod-name"], "transcribe-operator-7d9f8b6c5d-x2x4z");
    assert_eq!(inherited.len(), 6);
    let refused = chained(Some(own.clone())).await.unwrap_err();
    assert!(
        refused.starts_with("PackedPolicyTooLarge: Packed size of session tags consumes 1"),
        "{refused}"
    );

    let mut untagged = signer.cluster();
    untagged.associations[0].session_tags = false;
    sim.put_cluster(untagged).unwrap();
    chained(Some(own)).await.unwrap();
}
