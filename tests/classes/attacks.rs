//! The table of attacks, live: at the webhook, and where there is none, at the reconciler.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use kube::api::{DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};
use testkit::aws_sim::{Config, Key};
use testkit::operator::Operator;
use testkit::stage::{CLUSTER_ID, Stage, condition, until};
use testkit::wait::{self, Look};
use testkit::webhook::Webhook;
use transcribe_operator::api::Kind;

use crate::rig::until_known;
use crate::table::{
    ACCOUNT, ANOTHER_ACCOUNT, Attack, NAMESPACE, REGION, SOMEBODYS_ALIAS, SOMEBODYS_KEY, attacks, classes, harmless,
    table,
};

/// The keys that there are, by the account and the aliases of each.
const KEYS: [(&str, &str, &[&str]); 3] = [
    (
        ACCOUNT,
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        &["alias/team", "alias/team-b", "alias/a"],
    ),
    (ACCOUNT, SOMEBODYS_KEY, &[SOMEBODYS_ALIAS]),
    (ANOTHER_ACCOUNT, SOMEBODYS_KEY, &[SOMEBODYS_ALIAS]),
];

/// Where the attacks meet the classes.
struct Field {
    stage: Stage,
    _operator: Operator,
}

impl Field {
    async fn start(webhook: Option<&Webhook>) -> Result<Self> {
        let config = Config {
            default_account: ACCOUNT.to_owned(),
            run_ms: 200,
            ..Config::default()
        };
        let stage = Stage::start(config).await?;
        for (account, id, aliases) in KEYS {
            let key = Key {
                account: account.to_owned(),
                ..Key::new(REGION, id)
            };
            let arn = key.arn();
            stage.sim.put_key(key)?;
            for alias in aliases {
                stage.sim.put_alias(alias, &arn)?;
            }
        }
        for (name, spec) in classes() {
            stage.class(name, false, &spec).await?;
        }
        stage.kubectl.run(&["create", "namespace", NAMESPACE]).await?.ok()?;
        let program = env!("CARGO_BIN_EXE_transcribe-operator");
        let operator = stage
            .classless_operator_at(program, &stage.plane.url(), stage.sim.url())
            .args(["--cluster-id", CLUSTER_ID])
            .args(webhook.map(Webhook::args).into_iter().flatten())
            .start()?;
        operator.wait_ready().await?;
        if let Some(webhook) = webhook {
            webhook.register(&stage.client).await?;
        }
        let field = Self {
            stage,
            _operator: operator,
        };
        field.until_classes_are_ready().await?;
        if webhook.is_some() {
            field.until_webhook_is_asked().await?;
        }
        Ok(field)
    }

    /// The API server takes a moment until it asks a webhook that was registered.
    async fn until_webhook_is_asked(&self) -> Result<()> {
        let classless = crate::table::job(Kind::TranscriptionJob, json!({"transcriptionClassName": "absent"}));
        wait::until("the webhook is asked", async || {
            let told = self.create(Kind::TranscriptionJob, "asked", &classless, true).await;
            let told = told.err().unwrap_or_default();
            Ok(Look::at(told.contains("denied the request"), told))
        })
        .await
    }

    async fn until_classes_are_ready(&self) -> Result<()> {
        for (name, _) in classes() {
            let wait = ["wait", &format!("tcls/{name}"), "--for=condition=Ready", wait::TIMEOUT];
            self.stage.kubectl.run(&wait).await?.ok()?;
        }
        Ok(())
    }

    /// Creates a job, or what the API server says instead.
    async fn create(&self, kind: Kind, name: &str, spec: &Value, dry_run: bool) -> Result<(), String> {
        let job = json!({
            "apiVersion": "transcribe-operator.io/v1alpha1", "kind": kind.name(),
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
        });
        let job: DynamicObject = serde_json::from_value(job).map_err(|error| error.to_string())?;
        let params = PostParams {
            dry_run,
            ..PostParams::default()
        };
        let jobs = self.stage.jobs_of(kind.name(), NAMESPACE);
        let created = jobs.create(&params, &job).await;
        created.map(drop).map_err(|error| match error {
            kube::Error::Api(status) => status.message,
            other => other.to_string(),
        })
    }

    /// Waits until a condition of a job has this reason.
    async fn until_reason(&self, kind: Kind, name: &str, type_: &str, reason: &str) -> Result<()> {
        let jobs = self.stage.jobs_of(kind.name(), NAMESPACE);
        let wanted = |job: &Value| condition(job, type_).is_some_and(|c| c["reason"] == reason);
        until(&jobs, name, wanted).await.map(drop)
    }

    /// The jobs of all kinds.
    async fn all(&self) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let jobs = self.stage.jobs_of(kind.name(), NAMESPACE);
            for job in jobs.list(&ListParams::default()).await?.items {
                all.push(serde_json::to_value(job)?);
            }
        }
        Ok(all)
    }

    /// Nothing was started, and AWS KMS was asked about no key that the classes do not allow.
    fn is_untouched(&self) -> Result<()> {
        let jobs = self.stage.sim.jobs();
        ensure!(jobs.is_empty(), "a job was started: {jobs:?}");
        let calls = self.stage.sim.kms_calls();
        let asked = calls.iter().find(|call| {
            call.key_id.contains(SOMEBODYS_KEY)
                || call.key_id.contains(SOMEBODYS_ALIAS)
                || call.key_id.contains(ANOTHER_ACCOUNT)
        });
        ensure!(asked.is_none(), "AWS KMS was asked: {asked:?}");
        Ok(())
    }
}

/// What is wrong with what an attack is told.
fn fault(attack: &Attack, told: &str) -> Option<String> {
    let leaks = [ACCOUNT, ANOTHER_ACCOUNT].iter().any(|secret| {
        // What the tenant wrote may be said again, and nothing else.
        told.contains(secret) && !attack.spec.to_string().contains(secret)
    });
    // A form that no class can change is refused by the schema, in the API server's own words.
    let by_schema = ["in body should match", "Too long", "each key must be"];
    let says = told.contains(attack.says) || by_schema.iter().any(|words| told.contains(words));
    let says = says && told.contains(attack.field);
    (leaks || !says).then(|| format!("{}: {told}", attack.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_refuses_every_attack_and_nothing_that_is_the_tenants_own() -> Result<()> {
    let webhook = Webhook::new()?;
    let field = Field::start(Some(&webhook)).await?;
    let mut faults = Vec::new();
    let attacks = attacks();
    println!("{}", table(&attacks));
    for attack in attacks {
        match field.create(attack.kind, "attack", &attack.spec, true).await {
            Ok(()) => faults.push(format!("{}: is accepted", attack.name)),
            Err(told) => faults.extend(fault(&attack, &told)),
        }
    }
    field.is_untouched()?;
    for (kind, spec) in harmless() {
        if let Err(told) = field.create(kind, "harmless", &spec, true).await {
            faults.push(format!("{kind} {spec} is refused: {told}"));
        }
    }
    ensure!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

/// What the schema lets through is stored, and stalls.
#[tokio::test(flavor = "multi_thread")]
async fn the_reconciler_submits_no_attack_that_got_past_a_missing_webhook() -> Result<()> {
    let field = Field::start(None).await?;
    let mut stored = BTreeMap::new();
    for (n, attack) in attacks().into_iter().enumerate() {
        let name = format!("attack-{n}");
        if field.create(attack.kind, &name, &attack.spec, false).await.is_ok() {
            stored.insert(name, attack);
        }
    }
    for kind in Kind::ALL {
        let count = stored.values().filter(|attack| attack.kind == *kind).count();
        ensure!(count > 40, "only {count} attacks got past the schema of {kind}");
    }
    wait::until("every attack is stalled", async || {
        let jobs = field.all().await?;
        let faults: Vec<String> = jobs.iter().filter_map(|job| not_stalled(job, &stored)).collect();
        let done = faults.is_empty() && jobs.len() == stored.len();
        Ok(Look::at(
            done,
            format!("{} faults:\n{}", faults.len(), faults.join("\n")),
        ))
    })
    .await?;
    field.is_untouched()
}

fn not_stalled(job: &Value, stored: &BTreeMap<String, Attack>) -> Option<String> {
    let attack = stored.get(job["metadata"]["name"].as_str()?)?;
    let Some(stalled) = condition(job, "Stalled").filter(|c| c["status"] == "True") else {
        return Some(format!("{}: is not stalled: {:#}", attack.name, job["status"]));
    };
    if stalled["reason"] != attack.reason {
        return Some(format!("{}: {stalled}", attack.name));
    }
    fault(attack, stalled["message"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_comes_to_forbid_a_job_while_it_waits_keeps_it_from_being_submitted() -> Result<()> {
    let field = Field::start(None).await?;
    let forbidden = json!({"suspend": true, "encryption": {"kmsKeyId": "alias/team-b"}});
    for kind in Kind::ALL {
        let spec = crate::table::job(*kind, forbidden.clone());
        let created = field.create(*kind, "waiting", &spec, false).await;
        created.map_err(anyhow::Error::msg)?;
    }
    for kind in Kind::ALL {
        field.until_reason(*kind, "waiting", "Ready", "Suspended").await?;
    }
    let class = r#"{"spec":{"encryption":{"allowedKmsKeys":[]}}}"#;
    let edit = ["patch", "tcls", "team", "--type=merge", "-p", class];
    field.stage.kubectl.run(&edit).await?.ok()?;
    until_known(&field.stage, "team").await?;
    for kind in Kind::ALL {
        let resume = r#"{"spec":{"suspend":false}}"#;
        let resume = [
            "patch",
            kind.plural(),
            "waiting",
            "-n",
            NAMESPACE,
            "--type=merge",
            "-p",
            resume,
        ];
        field.stage.kubectl.run(&resume).await?.ok()?;
    }
    for kind in Kind::ALL {
        field.until_reason(*kind, "waiting", "Stalled", "KeyNotAllowed").await?;
    }
    ensure!(field.stage.sim.jobs().is_empty(), "a job was submitted");
    Ok(())
}
