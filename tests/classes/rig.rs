//! A stage with teams: each has an account, a role in it, and a class.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::aws_sim::{Config, LedgerLine, Role, User};
use testkit::operator::Operator;
use testkit::stage::{self, CLUSTER_ID, REGION, Stage, class_resource, condition};
use testkit::wait::{self, Look};
use testkit::webhook::Webhook;

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
        let operator = stage
            .classless_operator_at(
                env!("CARGO_BIN_EXE_transcribe-operator"),
                &stage.plane.url(),
                stage.sim.url(),
            )
            .args(["--cluster-id", CLUSTER_ID])
            .args(flags)
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
        until_known(&self.stage, team.name).await?;
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
        let seen = self.stage.until(namespace, name, wanted).await;
        seen.with_context(|| format!("waited for {reason}\n{}", self.operator.log_tail()))
    }

    /// Waits until a class is as wanted.
    pub async fn until_class_is(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let seen = stage::until(&classes(&self.stage), name, wanted).await;
        seen.with_context(|| self.operator.log_tail())
    }

    /// Waits until a class's condition has this reason; its message.
    pub async fn until_class(&self, name: &str, type_: &str, reason: &str) -> Result<String> {
        let wanted = |class: &Value| condition(class, type_).is_some_and(|c| c["reason"] == reason);
        let class = self.until_class_is(name, wanted).await?;
        Ok(message(&class, type_).to_owned())
    }

    pub async fn until_class_gone(&self, name: &str) -> Result<()> {
        stage::until_gone(&classes(&self.stage), name).await
    }

    /// Waits until the operator has looked at its objects so often once more.
    pub async fn until_further_passes(&self, passes: f64) -> Result<()> {
        let counted = async || {
            anyhow::Ok(
                self.operator
                    .metric("transcribe_operator_reconcile_total")
                    .await?
                    .unwrap_or(0.0),
            )
        };
        let end = counted().await? + passes;
        wait::until("the operator looks at its objects again", async || {
            let now = counted().await?;
            Ok(Look::at(now >= end, format!("{now} of {end} passes")))
        })
        .await
    }

    /// The Starts of an object's job.
    pub fn starts(&self, job: &Value) -> Vec<LedgerLine> {
        let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
        let of_job = |line: &LedgerLine| line.operation == "StartTranscriptionJob" && line.job_name.contains(uid);
        self.stage.sim.ledger().into_iter().filter(of_job).collect()
    }
}

fn classes(stage: &Stage) -> Api<DynamicObject> {
    Api::all_with(stage.client.clone(), &class_resource())
}

/// Waits until the operator knows a class as it is stored: from then on it holds jobs against that.
pub async fn until_known(stage: &Stage, name: &str) -> Result<()> {
    let known = |class: &Value| class["status"]["observedGeneration"] == class["metadata"]["generation"];
    stage::until(&classes(stage), name, known).await.map(drop)
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
