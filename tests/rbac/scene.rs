//! Where a scenario runs: a control plane that keeps an audit, and an operator with some of the chart's rights.

use anyhow::{Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::aws_sim::Config;
use testkit::control_plane::ControlPlane;
use testkit::install::NAMESPACE;
use testkit::operator::{Builder, Operator};
use testkit::rights::{Grant, Rights};
use testkit::stage::{Stage, condition};
use testkit::wait::{self, Look};

use crate::VALUES;
use crate::map::Row;

/// The name of the job of a scenario.
pub const JOB: &str = "job";
/// How often the operator must have tried in vain: what else might do what was refused had its time between two tries.
pub const TRIES: usize = 2;

/// A control plane on which scenarios run one after the other.
pub struct Lane {
    stage: Stage,
    runs: usize,
}

/// What was seen of a scenario.
#[derive(Debug)]
pub struct Seen {
    /// What the grant is for came about.
    pub came: bool,
    /// How many requests needed the grant and had it.
    pub allowed: usize,
    /// How many needed it and did not have it.
    pub refused: usize,
    /// What else was asked for without the right to it.
    pub others: Vec<String>,
}

impl Lane {
    pub async fn start() -> Result<Self> {
        let config = Config {
            run_ms: 200,
            ..Config::default()
        };
        let stage = Stage::start_with(ControlPlane::builder().audited(), config).await?;
        Ok(Self { stage, runs: 0 })
    }

    /// Runs a scenario with the rights of the chart, or with all but its own.
    pub async fn run(&mut self, row: &Row, grant: &Grant, without: bool) -> Result<Seen> {
        self.runs += 1;
        let namespace = format!("run-{}", self.runs);
        let mut rights = Rights::render(&namespace, VALUES).await?;
        let grant = Grant {
            namespace: grant.namespace.replace(NAMESPACE, &namespace),
            ..grant.clone()
        };
        if without {
            rights = rights.without(&grant);
        }
        self.stage.account = rights.give(&self.stage.plane).await?;
        let scene = Scene {
            stage: &self.stage,
            namespace,
            grant,
        };
        let came = (row.run)(&scene).await;
        scene.clear().await?;
        let came = came?;
        // The API server writes the audit of a request when it has answered.
        let audit = wait::until("the right is used or asked for", async || {
            let audit = scene.audit()?;
            let wanted = if without { REFUSED } else { ALLOWED };
            let used = audit
                .iter()
                .any(|event| scene.needs_it(event) && decision(event) == wanted);
            let so_far = format!("{} requests", audit.len());
            Ok(if used { Look::Done(audit) } else { Look::Not(so_far) })
        })
        .await?;
        let allowed = audit.iter().filter(|event| decision(event) == ALLOWED);
        let refused = audit.iter().filter(|event| decision(event) == REFUSED);
        let (refused, others): (Vec<_>, Vec<_>) = refused.partition(|event| scene.needs_it(event));
        Ok(Seen {
            came,
            allowed: allowed.filter(|event| scene.needs_it(event)).count(),
            refused: refused.len(),
            others: others.into_iter().map(|event| asked(event, &scene.grant)).collect(),
        })
    }
}

const ALLOWED: &str = "allow";
const REFUSED: &str = "forbid";

/// What the authorizer said to a request.
fn decision(event: &Value) -> &str {
    let decision = &event["annotations"]["authorization.k8s.io/decision"];
    decision.as_str().unwrap_or_default()
}

/// What a request asked for, with as much of it as the grant names.
fn asked(event: &Value, grant: &Grant) -> String {
    let object = &event["objectRef"];
    let text = |member: &str| object[member].as_str().unwrap_or_default().to_owned();
    let (resource, subresource) = (text("resource"), text("subresource"));
    let named = |part: &str, member: &str| if part.is_empty() { String::new() } else { text(member) };
    let resource = if subresource.is_empty() {
        resource
    } else {
        format!("{resource}/{subresource}")
    };
    let asked = Grant {
        group: text("apiGroup"),
        resource,
        name: named(&grant.name, "name"),
        verb: event["verb"].as_str().unwrap_or_default().to_owned(),
        namespace: named(&grant.namespace, "namespace"),
    };
    asked.to_string()
}

/// A namespace, and the rights of the operators that are started.
pub struct Scene<'l> {
    pub stage: &'l Stage,
    pub namespace: String,
    grant: Grant,
}

impl Scene<'_> {
    /// An operator as the chart runs it, by this way to the API server.
    pub fn builder(&self, api_server: &str) -> Builder {
        let program = env!("CARGO_BIN_EXE_transcribe-operator");
        self.stage
            .nameless_operator_at(program, api_server, self.stage.sim.url())
    }

    /// A running operator.
    pub async fn operator(&self, args: &[&str]) -> Result<Operator> {
        let operator = self.builder(&self.stage.plane.url()).args(args).start()?;
        operator.wait_ready().await?;
        Ok(operator)
    }

    /// Applies the job with these members of the spec.
    pub async fn submit(&self, mut spec: Value) -> Result<()> {
        spec["languageCode"] = json!("en-US");
        spec["media"] = json!({"mediaFileUri": "s3://media/job.wav"});
        let job = json!({
            "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
            "metadata": {"name": JOB, "namespace": self.namespace}, "spec": spec,
        });
        self.stage.kubectl.apply(&job.to_string()).await?.ok()?;
        Ok(())
    }

    /// Waits until a condition of the job has this reason: what comes before that which is looked at.
    pub async fn until_reason(&self, type_: &str, reason: &str) -> Result<()> {
        let wanted = |job: &Value| condition(job, type_).is_some_and(|c| c["reason"] == reason);
        self.stage.until(&self.namespace, JOB, wanted).await.map(drop)
    }

    /// The Events about the job.
    pub async fn events(&self) -> Result<Vec<Event>> {
        let events = Api::<Event>::namespaced(self.stage.client.clone(), &self.namespace);
        Ok(events.list(&ListParams::default()).await?.items)
    }

    /// Whether the job comes to be so; `Null` is a job that is gone.
    pub async fn job_comes(&self, is_so: impl Fn(&Value) -> bool) -> Result<bool> {
        self.comes(async || self.job_is(&is_so).await).await
    }

    /// Whether the job is so now.
    pub async fn job_is(&self, is_so: impl Fn(&Value) -> bool) -> Result<bool> {
        let job = self.stage.job(&self.namespace, JOB).await?;
        Ok(is_so(&job.unwrap_or_default()))
    }

    /// Whether it comes about. It does not when the API server has refused what the grant would allow, and refuses it again
    /// when the operator tries again.
    pub async fn comes(&self, is_so: impl AsyncFn() -> Result<bool>) -> Result<bool> {
        self.comes_unless(is_so, async |refused| Ok(refused >= TRIES), async || Ok(()))
            .await
    }

    /// The same where there is another sign that it does not come about any more: `over` is asked, once there is a refusal, with
    /// the number of refusals since the beginning. After a refusal `again` makes the operator try again.
    pub async fn comes_unless(
        &self,
        is_so: impl AsyncFn() -> Result<bool>,
        over: impl AsyncFn(usize) -> Result<bool>,
        again: impl AsyncFn() -> Result<()>,
    ) -> Result<bool> {
        let before = self.refusals(&self.audit()?)?;
        let mut asked = false;
        wait::until("it comes about or is refused", async || {
            if is_so().await? {
                return Ok(Look::Done(true));
            }
            let audit = self.audit()?;
            let refused = self.refusals(&audit)?;
            if refused > 0 && over(refused - before).await? {
                return Ok(Look::Done(false));
            }
            if refused > 0 && !asked {
                asked = true;
                again().await?;
            }
            Ok(Look::Not(format!("{refused} refusals in {} requests", audit.len())))
        })
        .await
    }

    /// How often what the grant would allow was refused; an error when something else was.
    fn refusals(&self, audit: &[Value]) -> Result<usize> {
        let refused = || audit.iter().filter(|event| decision(event) == REFUSED);
        let other = refused().find(|event| !self.needs_it(event));
        ensure!(other.is_none(), "something else is refused: {other:?}");
        Ok(refused().count())
    }

    /// The requests of this scene's operators.
    fn audit(&self) -> Result<Vec<Value>> {
        self.stage.plane.audit(self.stage.account.user())
    }

    fn needs_it(&self, event: &Value) -> bool {
        asked(event, &self.grant) == self.grant.to_string()
    }

    /// Leaves nothing for the next operator.
    async fn clear(&self) -> Result<()> {
        self.stage.sim.clear_faults();
        self.unregister().await?;
        let jobs = self.stage.jobs(&self.namespace);
        let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        if self.stage.job(&self.namespace, JOB).await?.is_some() {
            jobs.patch(JOB, &PatchParams::default(), &free).await?;
            jobs.delete(JOB, &DeleteParams::default()).await?;
        }
        self.clear_classes().await
    }
}
