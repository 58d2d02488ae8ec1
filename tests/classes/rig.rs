//! A stage with teams: each has an account, a role in it, and a class.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testkit::aws_sim::{Config, LedgerLine, Role, User};
use testkit::operator::Operator;
use testkit::stage::{REGION, Stage, condition};
use testkit::webhook::Webhook;
use tokio::time::{Instant, sleep};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(45);
const OPERATOR: &str = "arn:aws:iam::111122223333:user/operator";
/// The access key of the operator's own identity.
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A team with an account.
#[derive(Clone, Copy)]
pub struct Team {
    pub name: &'static str,
    pub account: &'static str,
}

pub const FINANCE: Team = Team {
    name: "finance",
    account: "444455556666",
};
pub const SALES: Team = Team {
    name: "sales",
    account: "777788889999",
};

impl Team {
    pub fn role(self) -> String {
        format!("arn:aws:iam::{}:role/transcribe-{}", self.account, self.name)
    }

    pub fn external_id(self) -> String {
        format!("{}-7f3a", self.name)
    }

    /// The class of namespaces with the team's label.
    pub fn class(self) -> Value {
        json!({
            "region": REGION,
            "identity": {"roleArn": self.role(), "externalId": self.external_id()},
            "namespaceSelector": {"matchLabels": {"team": self.name}},
            "input": {"allowedUris": ["s3://media/{namespace}/"]},
            "output": {"bucketName": format!("{}-transcripts", self.name)},
        })
    }
}

/// A stage, an operator on it, and the roles of the teams.
pub struct Rig {
    pub operator: Operator,
    pub stage: Stage,
}

impl Rig {
    /// The same, with the webhook of an operator that serves one.
    pub async fn governed() -> Result<(Self, Webhook)> {
        let webhook = Webhook::new()?;
        let args = webhook.args();
        let flags: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let rig = Self::start(&flags).await?;
        webhook.register(&rig.stage.client).await?;
        Ok((rig, webhook))
    }

    /// Without a default class. Media with `slow` in the name run for an hour.
    pub async fn start(flags: &[&str]) -> Result<Self> {
        let slow = testkit::aws_sim::OutcomeRule {
            uri_contains: Some("slow".to_owned()),
            run_ms: Some(3_600_000),
            ..Default::default()
        };
        let config = Config {
            run_ms: 500,
            outcomes: vec![slow],
            ..Config::default()
        };
        let stage = Stage::start(config).await?;
        let rights = may(&["sts:AssumeRole", "sts:TagSession"]);
        stage.sim.put_user(User::new(OPERATOR, KEY, rights))?;
        for team in [FINANCE, SALES] {
            put_role(&stage, team)?;
        }
        let builder = Operator::builder(env!("CARGO_BIN_EXE_transcribe-operator"), stage.plane.kubeconfig());
        let operator = builder
            .args(["run", "--cluster-id", "stage", "--log-format", "text"])
            .args(["--follow-interval", "0.3", "--orphan-interval", "2"])
            .args(["--signature-window", "1", "--max-skew", "1"])
            .args(flags)
            .emulator(stage.sim.url())
            .start()?;
        operator.wait_ready().await?;
        Ok(Self { operator, stage })
    }

    /// The class of a team, with changes.
    pub async fn class(&self, team: Team, changes: Value) -> Result<()> {
        let mut class = team.class();
        for (member, value) in changes.as_object().into_iter().flatten() {
            class[member] = value.clone();
        }
        self.stage.class(team.name, false, &class).await?;
        self.until_class(team.name, "Ready", "IdentityVerified").await.map(drop)
    }

    /// A namespace with the label of a team.
    pub async fn namespace(&self, team: Team) -> Result<String> {
        let name = self.stage.plane.namespace(team.name).await?;
        self.label(&name, Some(team.name)).await?;
        Ok(name)
    }

    pub async fn label(&self, namespace: &str, team: Option<&str>) -> Result<()> {
        let api = Api::<Namespace>::all(self.stage.client.clone());
        let patch = Patch::Merge(json!({"metadata": {"labels": {"team": team}}}));
        api.patch(namespace, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    pub async fn apply(&self, namespace: &str, name: &str, class: Option<&str>, more: Value) -> Result<()> {
        let mut spec = json!({
            "languageCode": "en-US",
            "media": {"mediaFileUri": format!("s3://media/{namespace}/{name}.wav")},
            "transcriptionClassName": class,
        });
        for (member, value) in more.as_object().into_iter().flatten() {
            spec[member] = value.clone();
        }
        let job = json!({
            "apiVersion": "transcribe-operator.io/v1alpha1",
            "kind": "TranscriptionJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        });
        self.stage.kubectl.apply(&job.to_string()).await?.ok()?;
        Ok(())
    }

    pub async fn edit(&self, namespace: &str, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.stage
            .jobs(namespace)
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    pub async fn until_reason(&self, namespace: &str, name: &str, reason: &str) -> Result<Value> {
        let wanted = |job: &Value| condition(job, "Ready").is_some_and(|c| c["reason"] == reason);
        let seen = self.stage.until(namespace, name, PATIENCE, wanted).await;
        seen.with_context(|| format!("waited for {reason}\n{}", self.operator.log_tail()))
    }

    /// A class as it is stored.
    pub async fn stored_class(&self, name: &str) -> Result<Option<Value>> {
        let args = ["get", "tcls", name, "--ignore-not-found", "-o", "json"];
        let said = self.stage.kubectl.run(&args).await?.ok()?.stdout;
        Ok(serde_json::from_str(&said).ok())
    }

    /// Waits until a class's condition has this reason; its message.
    pub async fn until_class(&self, name: &str, type_: &str, reason: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let class = self.stored_class(name).await?.unwrap_or_default();
            if let Some(found) = condition(&class, type_).filter(|c| c["reason"] == reason) {
                return Ok(found["message"].as_str().unwrap_or_default().to_owned());
            }
            let shown = || format!("{:#}\n{}", class["status"], self.operator.log_tail());
            ensure!(Instant::now() < end, "{name} is not {reason}: {}", shown());
            sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn until_class_gone(&self, name: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while let Some(class) = self.stored_class(name).await? {
            ensure!(Instant::now() < end, "{name} is still there: {:#}", class["status"]);
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The Starts of an object's job.
    pub fn starts(&self, job: &Value) -> Vec<LedgerLine> {
        let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
        let of_job = |line: &LedgerLine| line.operation == "StartTranscriptionJob" && line.job_name.contains(uid);
        self.stage.sim.ledger().into_iter().filter(of_job).collect()
    }
}

/// The role of a team as its platform team sets it up.
pub fn put_role(stage: &Stage, team: Team) -> Result<()> {
    let operator = json!({ "AWS": OPERATOR });
    let trust = policy(&json!([
        {"Effect": "Allow", "Principal": operator, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": team.external_id()}}},
        {"Effect": "Allow", "Principal": operator, "Action": "sts:TagSession"},
    ]));
    let rights = may(&["transcribe:*", "s3:*", "kms:*"]);
    stage.sim.put_role(Role::new(&team.role(), trust, rights))
}

fn policy(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn may(actions: &[&str]) -> Value {
    policy(&json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]))
}

pub fn says(text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(text.contains(part), "{part:?} is missing: {text}");
    }
    Ok(())
}

/// The message of a condition.
pub fn message<'a>(object: &'a Value, type_: &str) -> &'a str {
    condition(object, type_)
        .and_then(|c| c["message"].as_str())
        .unwrap_or_default()
}
