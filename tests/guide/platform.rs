//! The platform team's page, run as the cluster's administrator. Its policies are those of the simulated AWS, so that a
//! permission that is missing or too narrow fails the page.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, Bucket, Config, Key, Role, SessionCredentials};
use testkit::control_plane::ControlPlane;
use testkit::install::Install;
use testkit::kubectl::Kubectl;
use testkit::operator::{Builder, Operator};
use testkit::stage::{REGION, condition, repository};
use testkit::wait::{self, Look};

use crate::pods::{Way, cluster, signing};
use crate::{OPERATOR, holds, run};

const ACCOUNT: &str = "111122223333";
/// The ids of the keys: the page's own, and the one that takes its place for the other team.
const KEYS: [(&str, &str); 2] = [
    ("finance", "1234abcd-12ab-34cd-56ef-1234567890ab"),
    ("media", "2345bcde-23bc-45de-67fa-2345678901bc"),
];

#[tokio::test]
async fn the_page_for_platform_teams_says_what_the_tools_print() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let page = repository().join("docs/platform-guide.md");
    let way = Way::PodIdentity;
    let (plane, sim, _operator) = start(&guide(), way).await.unwrap();
    let now = run(&page, plane.kubeconfig(), &|_| {}).await.unwrap();
    holds(&page, now);
    each_team_worked_in_its_own_role(&sim).unwrap();
    the_pod_became_the_operator(&sim, way).unwrap();
}

/// The documents of the platform teams' page.
pub(crate) fn guide() -> BTreeMap<String, Value> {
    let page = std::fs::read_to_string(repository().join("docs/platform-guide.md")).unwrap();
    policies(&page).unwrap()
}

pub(crate) fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// The documents of a page by their names.
pub(crate) fn policies(page: &str) -> Result<BTreeMap<String, Value>> {
    let parts: Vec<&str> = page.split("```").collect();
    let mut policies = BTreeMap::new();
    for pair in parts.windows(2) {
        let Some(json) = pair[1].strip_prefix("json\n") else {
            continue;
        };
        let name = pair[0].trim_end().rsplit('\n').next().unwrap_or_default();
        let name = name.trim_start_matches('`').trim_end_matches("`:");
        policies.insert(name.to_owned(), serde_json::from_str(json)?);
    }
    Ok(policies)
}

/// The page's cluster, AWS account and operator, whose Pod comes by its role in this way.
async fn start(policies: &BTreeMap<String, Value>, way: Way) -> Result<(ControlPlane, AwsSim, Operator)> {
    let config = Config {
        run_ms: 500,
        ..Config::default()
    };
    let (plane, sim) = tokio::try_join!(signing().controllers().start(), AwsSim::start(config))?;
    let policy = |name: &str| {
        policies
            .get(name)
            .cloned()
            .with_context(|| format!("the page has no {name}"))
    };
    let (trust, rights) = (policy(way.trust())?, policy("operator-permissions.json")?);
    sim.put_role(Role::new(&role("transcribe-operator"), trust, rights))?;
    sim.put_cluster(cluster(&plane).await?)?;
    for (team, id) in KEYS {
        let of_team = |name: &str| -> Result<Value> {
            let text = policy(name)?.to_string().replace("finance-7f3a", external_id(team));
            Ok(serde_json::from_str(
                &text.replace("finance", team).replace(KEYS[0].1, id),
            )?)
        };
        let (trust, rights) = (of_team("finance-trust.json")?, of_team("finance-permissions.json")?);
        let mut of_the_team = Role::new(&role(&format!("transcribe-team-{team}")), trust, rights);
        of_the_team.policies.push(of_team("finance-pass-role.json")?);
        sim.put_role(of_the_team)?;
        let all = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}]});
        let data = role(&format!("transcribe-data-{team}"));
        sim.put_role(Role::new(&data, of_team("finance-data-trust.json")?, all))?;
        let key = Key {
            policy: Some(of_team("finance-key.json")?),
            ..Key::new(REGION, id)
        };
        let arn = key.arn();
        sim.put_key(key)?;
        sim.put_alias(&format!("alias/{team}"), &arn)?;
        for bucket in ["recordings", "transcripts"] {
            sim.put_bucket(Bucket::new(&format!("{team}-{bucket}"), ACCOUNT))?;
        }
    }
    let install = Install::without_default_class(&plane, &["clusterId=prod"]).await?;
    let operator = way.equip(install.operator(OPERATOR, sim.url()), &plane, &sim).await?;
    let operator = operator
        .args(["--poll-interval", "300ms", "--gc-interval", "1s"])
        .start()?;
    operator.wait_ready().await?;
    Ok((plane, sim, operator))
}

fn external_id(team: &str) -> &'static str {
    if team == "finance" {
        "finance-7f3a"
    } else {
        "media-90c1"
    }
}

/// By no other credentials than those that its service account is worth.
fn the_pod_became_the_operator(sim: &AwsSim, way: Way) -> Result<()> {
    ensure!(sim.calls()[way.call()].contains_key("ok"), "{:?}", sim.calls());
    let assumed = format!("arn:aws:sts::{ACCOUNT}:assumed-role/transcribe-operator/");
    for event in sim.trail().iter().filter(|event| event.operation == "AssumeRole") {
        ensure!(event.principal.starts_with(&assumed), "{}", event.principal);
    }
    Ok(())
}

/// And each namespace in a session that says so.
fn each_team_worked_in_its_own_role(sim: &AwsSim) -> Result<()> {
    let starts: Vec<_> = sim
        .ledger()
        .into_iter()
        .filter(|line| line.operation.starts_with("Start"))
        .collect();
    ensure!(!starts.is_empty(), "no job was started");
    for line in starts {
        let namespace = &line.tags["transcribe-operator.io/namespace"];
        let team = if namespace == "payroll" { "finance" } else { "media" };
        ensure!(
            line.principal.contains(&format!("transcribe-team-{team}")),
            "{namespace}: {}",
            line.principal
        );
        ensure!(
            line.session_name.starts_with(&format!("{namespace}.")),
            "{}",
            line.session_name
        );
        ensure!(line.external_id == external_id(team), "{}", line.external_id);
    }
    Ok(())
}

/// Each document denies what it is there to deny: what a class should not have said is stopped by AWS.
#[tokio::test]
async fn the_policies_of_the_page_stop_what_a_class_lets_through() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let way = Way::ServiceAccount;
    let (plane, sim, _operator) = start(&guide(), way).await.unwrap();
    let kubectl = Kubectl::new(&plane).unwrap();
    let other = format!("arn:aws:iam::{ACCOUNT}:role/somebody");
    let trusting = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]});
    sim.put_role(Role {
        trust: trusting,
        arn: other.clone(),
        ..Role::default()
    })
    .unwrap();
    let team = format!("arn:aws:iam::{ACCOUNT}:role/transcribe-team-finance");
    for (class, role, id, stopped_by) in [
        ("finance", &team, "finance-0000", "sts:AssumeRole"),
        ("impostor", &team, "finance-7f3a", "sts:TagSession"),
        ("outsider", &other, "finance-7f3a", "sts:AssumeRole"),
    ] {
        put_class(&kubectl, class, role, id).await.unwrap();
        let told = until(&kubectl, &["tcls", class], "Ready", "IdentityNotVerified")
            .await
            .unwrap();
        assert!(
            told.contains("AccessDenied") && told.contains(stopped_by),
            "{class}: {told}"
        );
    }
    put_class(&kubectl, "finance", &team, "finance-7f3a").await.unwrap();
    kubectl
        .run(&["create", "namespace", "payroll"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    for (name, change, outcome) in [
        ("own", json!({}), "Completed"),
        ("own-role", data_role("finance"), "Completed"),
        ("foreign-role", data_role("media"), "AccessDenied"),
        (
            "foreign-media",
            json!({"media": {"mediaFileUri": "s3://finance-recordings/studio/call.wav"}}),
            "Refused",
        ),
        (
            "foreign-key",
            json!({"encryption": {"kmsKeyId": "alias/media"}}),
            "KeyNotResolvable",
        ),
        (
            "no-namespace",
            json!({"encryption": {"kmsKeyId": "alias/finance"}}),
            "Refused",
        ),
    ] {
        apply_job(&kubectl, name, &change).await.unwrap();
        until(&kubectl, &["tj", name, "-n", "payroll"], "Ready", outcome)
            .await
            .unwrap();
    }
    let starts = sim
        .ledger()
        .into_iter()
        .filter(|line| line.operation.starts_with("Start"));
    let started: Vec<String> = starts
        .map(|line| line.tags["transcribe-operator.io/name"].clone())
        .collect();
    assert_eq!(started, ["own", "own-role"]);
    the_pod_became_the_operator(&sim, way).unwrap();
}

/// The quick start: the role's policy, and the statement of the key's.
#[tokio::test]
async fn the_policies_of_the_readme_let_its_job_run_and_no_other() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let documents = readme
        .split("```json\n")
        .skip(1)
        .filter_map(|part| part.split("```").next());
    let documents: Vec<Value> = documents.map(|json| serde_json::from_str(json).unwrap()).collect();
    let [rights, of_the_key] = &documents[..] else {
        panic!("the README has other documents than two")
    };
    let (plane, sim) = tokio::join!(
        ControlPlane::builder().controllers().start(),
        AwsSim::start(Config::default())
    );
    let (plane, sim) = (plane.unwrap(), sim.unwrap());
    let role = format!("arn:aws:iam::{ACCOUNT}:role/transcribe-operator");
    let nobody = json!({"Version": "2012-10-17", "Statement": []});
    sim.put_role(Role::new(&role, nobody, rights.clone())).unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [of_the_key]});
    sim.put_key(Key {
        policy: Some(policy),
        ..Key::new(REGION, KEYS[0].1)
    })
    .unwrap();
    for bucket in ["finance-media", "finance-transcripts", "elsewhere"] {
        sim.put_bucket(Bucket::new(bucket, ACCOUNT)).unwrap();
    }
    let install = Install::new(&plane, &["defaultClass.outputBucket=finance-transcripts"])
        .await
        .unwrap();
    let session = sim.session(&role, "eks-pod").unwrap();
    let operator = as_session(install.operator(OPERATOR, sim.url()), session)
        .start()
        .unwrap();
    operator.wait_ready().await.unwrap();
    let kubectl = Kubectl::new(&plane).unwrap();
    kubectl
        .run(&["create", "namespace", "payroll"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    let key = json!({"kmsKeyId": "alias/ExampleAlias", "context": {"department": "finance"}});
    for (name, media, outcome) in [
        ("own", "finance-media", "Completed"),
        ("foreign", "elsewhere", "Refused"),
    ] {
        let change = json!({
            "transcriptionClassName": "default", "encryption": key,
            "media": {"mediaFileUri": format!("s3://{media}/standup.wav")},
        });
        apply_job(&kubectl, name, &change).await.unwrap();
        until(&kubectl, &["tj", name, "-n", "payroll"], "Ready", outcome)
            .await
            .unwrap();
    }
}

/// With the credentials of a session, as a Pod has them.
fn as_session(operator: Builder, session: SessionCredentials) -> Builder {
    operator
        .args(["--poll-interval", "300ms"])
        .env("AWS_ACCESS_KEY_ID", session.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", session.secret_access_key)
        .env("AWS_SESSION_TOKEN", session.session_token)
}

fn data_role(team: &str) -> Value {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/transcribe-data-{team}");
    json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role}})
}

/// A job of the team's namespace, as it should be but for a change.
async fn apply_job(kubectl: &Kubectl, name: &str, change: &Value) -> Result<()> {
    let mut spec = json!({
        "transcriptionClassName": "finance", "languageCode": "en-US",
        "media": {"mediaFileUri": "s3://finance-recordings/payroll/call.wav"},
        "encryption": {"kmsKeyId": "alias/finance", "context": {"namespace": "payroll"}},
    });
    for (member, value) in change.as_object().into_iter().flatten() {
        spec[member] = value.clone();
    }
    let job = json!({
        "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
        "metadata": {"name": name, "namespace": "payroll"}, "spec": spec,
    });
    kubectl.apply(&job.to_string()).await?.ok().map(drop)
}

/// A class that says less than it should.
async fn put_class(kubectl: &Kubectl, name: &str, role: &str, external_id: &str) -> Result<()> {
    let class = json!({
        "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionClass", "metadata": {"name": name},
        "spec": {
            "region": REGION, "identity": {"roleArn": role, "externalId": external_id}, "namespaceSelector": {},
            "input": {"allowedUris": ["*"]}, "output": {"bucketName": "finance-transcripts"},
            "encryption": {"allowedKmsKeys": ["*"]},
            "dataAccess": {"allowedRoleArns": ["*"]},
        },
    });
    kubectl.apply(&class.to_string()).await?.ok().map(drop)
}

/// Waits until a condition has this reason; its message.
async fn until(kubectl: &Kubectl, object: &[&str], type_: &str, reason: &str) -> Result<String> {
    wait::until(&format!("{object:?} is {reason}"), async || {
        let got = kubectl.run(&[&["get", "-o", "json"], object].concat()).await?;
        let got: Value = serde_json::from_str(&got.ok()?.stdout)?;
        let found = condition(&got, type_).filter(|c| c["reason"] == reason);
        let message = found.map(|found| found["message"].as_str().unwrap_or_default().to_owned());
        Ok(message.map_or_else(|| Look::Not(format!("{:#}", got["status"])), Look::Done))
    })
    .await
}
