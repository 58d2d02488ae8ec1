//! The stage of a scenario, and what a tenant does and sees on it.

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher::watch_object;
use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, Config, FaultRule, ForeignJob, JobView, LedgerLine, OutcomeRule, What, When};
use testkit::operator::{Builder, Operator};
use testkit::oracle;
use testkit::stage::{CLUSTER_ID, REGION, Stage, condition};
use testkit::wait::{self, Look};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// The program that ships.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_transcribe-operator");
/// A key ARN in the Region of the stage.
pub const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
/// A data-access role that the operator's class allows.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/transcribe-data";
/// For how long after its signing a Start can still arrive on the shared stage, by [`BOUNDS`]: three times as long as the
/// operator waits for a reply, so that what it says in between can be seen.
pub const BOUND: SignedDuration = SignedDuration::from_secs(15);
/// The flags for [`BOUND`].
const BOUNDS: [&str; 4] = ["--signature-window", "5s", "--max-skew", "5s"];
/// The same for scenarios in which nothing is to be seen before it is over. The simulator accepts signatures for as long as
/// AWS does, so that no Start is refused because the machine is slow.
pub const SHORT_BOUND: SignedDuration = SignedDuration::from_secs(7);
/// The flags for [`SHORT_BOUND`].
pub const SHORT_BOUNDS: [&str; 4] = ["--signature-window", "1s", "--max-skew", "3s"];
/// How long a deleted object waits for its record on the stage of [`Scene::hasty`].
pub const MAX_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// What the webhook warns of when AWS KMS has not answered within a second and a half, as on a slow machine. The key is then
/// judged before the Start.
pub const UNANSWERED: &str = "AWS KMS could not be asked about the key (Timeout)";

static SHARED: OnceCell<Scene> = OnceCell::const_new();
static HASTY: OnceCell<Scene> = OnceCell::const_new();

/// Attempts of the shared stages that were paid twice.
pub fn paid_twice() -> Vec<String> {
    let doubles = |scene: &Scene| oracle::doubles(&scene.stage.sim.ledger());
    let scenes = [&SHARED, &HASTY].into_iter().filter_map(OnceCell::get);
    scenes.flat_map(doubles).map(|double| double.to_string()).collect()
}

/// A stage with an operator.
pub struct Scene {
    /// API server, AWS, kubectl.
    pub stage: Stage,
    /// The operator.
    pub operator: Operator,
}

impl Scene {
    /// Starts a stage and an operator on it.
    pub async fn start(config: Config, flags: &[&str]) -> Result<Self> {
        let stage = Stage::start(config).await?;
        let operator = operator(&stage).args(flags).start()?;
        operator.wait_ready().await?;
        Ok(Self { stage, operator })
    }

    /// The stage of all scenarios that need no settings of their own. Media with `slow` in the name run for an hour. A deleted
    /// object would wait for its record for an hour too: one that goes has not waited for it.
    pub async fn shared() -> Result<&'static Self> {
        let config = Config {
            run_ms: 700,
            outcomes: vec![slow()],
            ..Config::default()
        };
        let flags = ["--data-access-role", ROLE, "--deletion-max-wait", "3600s"];
        let flags = [flags, BOUNDS].concat();
        SHARED.get_or_try_init(|| Self::start(config, &flags)).await
    }

    /// The stage of the scenarios in which a deleted object waits for its record in vain.
    pub async fn hasty() -> Result<&'static Self> {
        let config = Config {
            outcomes: vec![slow()],
            ..Config::default()
        };
        let max_wait = format!("{}s", MAX_WAIT.as_secs());
        let flags = ["--deletion-max-wait", &max_wait];
        HASTY.get_or_try_init(|| Self::start(config, &flags)).await
    }

    /// A namespace of its own.
    pub async fn tenant(&self, prefix: &str) -> Result<Tenant<'_>> {
        Tenant::of(&self.stage, prefix).await.map(|tenant| Tenant {
            operator: Some(&self.operator),
            ..tenant
        })
    }
}

/// A tenant of the shared stage.
pub async fn tenant(prefix: &str) -> Result<Tenant<'static>> {
    Scene::shared().await?.tenant(prefix).await
}

/// A tenant: a namespace, and what can be seen from it.
#[derive(Clone)]
pub struct Tenant<'s> {
    /// API server, AWS, kubectl.
    pub stage: &'s Stage,
    /// Whose log explains what went wrong.
    pub operator: Option<&'s Operator>,
    /// The namespace.
    pub namespace: String,
}

impl<'s> Tenant<'s> {
    /// A namespace of its own.
    pub async fn of(stage: &'s Stage, prefix: &str) -> Result<Self> {
        Ok(Self {
            stage,
            operator: None,
            namespace: stage.plane.namespace(prefix).await?,
        })
    }

    /// The simulator.
    pub fn sim(&self) -> &'s AwsSim {
        &self.stage.sim
    }

    /// `kubectl -n NAMESPACE ARGS`: what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args, "").await?;
        Ok(output.ok()?.stdout)
    }

    /// A kubectl that is to fail: what it complains of.
    pub async fn kubectl_refused(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args, "").await?;
        ensure!(!output.success, "kubectl {args:?} succeeded: {}", output.stdout);
        Ok(output.stderr)
    }

    /// `kubectl -n NAMESPACE ARGS` with this input: what it printed, and how it ended.
    pub async fn run(&self, args: &[&str], input: &str) -> Result<testkit::kubectl::Output> {
        let args = [&["--namespace", &self.namespace], args].concat();
        self.stage.kubectl.run_with(&args, input).await
    }

    /// `kubectl apply` of a manifest, without a warning but [`UNANSWERED`].
    pub async fn apply(&self, manifest: &Value) -> Result<()> {
        let output = self.run(&["apply", "-f", "-"], &manifest.to_string()).await?.ok()?;
        let warned = output.stderr.lines().any(|line| !line.contains(UNANSWERED));
        ensure!(!warned, "warnings: {}", output.stderr);
        Ok(())
    }

    /// Applies a suspended job, so that its uid is known before anything is submitted; returns the uid.
    pub async fn hold(&self, name: &str, mut spec: Value) -> Result<String> {
        spec["suspend"] = json!(true);
        self.apply(&job(name, spec)).await?;
        self.until_reason(name, "Ready", "Suspended").await?;
        self.uid(name).await
    }

    /// Lets a held job go.
    pub async fn resume(&self, name: &str) -> Result<()> {
        self.edit(name, json!({"suspend": false})).await
    }

    /// `kubectl patch` of the spec.
    pub async fn edit(&self, name: &str, spec: Value) -> Result<()> {
        let patch = json!({"spec": spec}).to_string();
        self.kubectl(&["patch", "tj", name, "--type=merge", "-p", &patch])
            .await
            .map(drop)
    }

    /// Asks for a look now, by the annotation.
    pub async fn look_now(&self, name: &str, at: &str) -> Result<()> {
        let annotation = format!("transcribe-operator.io/reconcile-at={at}");
        self.kubectl(&["annotate", "tj", name, "--overwrite", &annotation])
            .await
            .map(drop)
    }

    /// The same without kubectl, which takes its time to start: for what must come while something else is held.
    pub async fn edit_now(&self, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let jobs = self.stage.jobs(&self.namespace);
        jobs.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Sets a start deadline that strikes in this many seconds, counted from when the object counts it. To be called once the
    /// object shows what it is to fail with: on a slow machine the deadline strikes later, and says the same.
    pub async fn deadline_in(&self, name: &str, seconds: i64) -> Result<()> {
        let job = self.job(name).await?;
        let since =
            condition(&job, "Suspended").map_or(&job["metadata"]["creationTimestamp"], |c| &c["lastTransitionTime"]);
        let age = Timestamp::now().duration_since(time(since)?).as_secs();
        self.edit(name, json!({"startDeadlineSeconds": age + seconds})).await
    }

    /// `kubectl delete`, which returns before the object is gone.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.kubectl(&["delete", "tj", name, "--wait=false"]).await.map(drop)
    }

    /// The same without kubectl, as in [`Self::edit_now`].
    pub async fn delete_now(&self, name: &str) -> Result<()> {
        let jobs = self.stage.jobs(&self.namespace);
        jobs.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// The job as kubectl shows it.
    pub async fn job(&self, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.kubectl(&["get", "tj", name, "-o", "json"]).await?,
        )?)
    }

    /// The uid of an object.
    pub async fn uid(&self, name: &str) -> Result<String> {
        let job = self.stage.job(&self.namespace, name).await?;
        let uid = job.as_ref().and_then(|job| job["metadata"]["uid"].as_str());
        uid.map(str::to_owned).with_context(|| format!("{name} has no uid"))
    }

    /// Waits until the object is as wanted, and returns it. Sees every state that it passes through.
    pub async fn until(&self, name: &str, wanted: impl Fn(&Value) -> bool + Sync) -> Result<Value> {
        let found = |object: Option<&Value>| object.filter(|object| wanted(object)).cloned();
        self.watch(name, "it is as wanted", found).await
    }

    /// Watches an object, which is `None` while it is not there, until `find` finds something in it. Each state is progress.
    async fn watch<T>(&self, name: &str, what: &str, find: impl Fn(Option<&Value>) -> Option<T> + Sync) -> Result<T> {
        let mut states = std::pin::pin!(watch_object(self.stage.jobs(&self.namespace), name));
        let mut last = "it was not seen".to_owned();
        let found = wait::until(what, async || {
            // Nothing for a while is not the end of the watch: it goes on at the next look.
            while let Ok(Some(state)) = timeout(wait::PAUSE, states.next()).await {
                let state = state?.map(serde_json::to_value).transpose()?;
                if let Some(found) = find(state.as_ref()) {
                    return Ok(Look::Done(found));
                }
                last = state.map_or_else(
                    || "there is no such object".to_owned(),
                    |state| state["status"].to_string(),
                );
            }
            Ok(Look::Not(last.clone()))
        });
        match found.await {
            Ok(found) => Ok(found),
            Err(error) => Err(error.context(self.complaint(name).await)),
        }
    }

    /// Waits until a condition has this reason.
    pub async fn until_reason(&self, name: &str, type_: &str, reason: &str) -> Result<Value> {
        let wanted = |job: &Value| condition(job, type_).is_some_and(|c| c["reason"] == reason);
        let context = || format!("waited for {type_} with the reason {reason}");
        self.until(name, wanted).await.with_context(context)
    }

    /// Waits until the job is finished with this reason of `Ready`.
    pub async fn until_finished(&self, name: &str, reason: &str) -> Result<Value> {
        let finished = |job: &Value| condition(job, "Finished").is_some_and(|c| c["status"] == "True");
        let job = self.until(name, finished).await.context("waited for Finished")?;
        let ready = condition(&job, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == reason, "finished as {ready:#}, not as {reason}");
        Ok(job)
    }

    /// Waits until the object is gone.
    pub async fn until_gone(&self, name: &str) -> Result<()> {
        let gone = |object: Option<&Value>| object.is_none().then_some(());
        self.watch(name, "it is gone", gone).await
    }

    /// How the object is, and what the operator has written about it.
    async fn complaint(&self, name: &str) -> String {
        let job = self.stage.job(&self.namespace, name).await;
        let job = job.ok().flatten().unwrap_or_default();
        let lines = self.operator.map(Operator::logs).unwrap_or_default();
        let about: Vec<_> = lines
            .into_iter()
            .filter(|line| line.contains(&self.namespace))
            .collect();
        let (namespace, log) = (&self.namespace, about.join("\n"));
        format!("{namespace}/{name} is {:#}\n{log}\n", job["status"])
    }

    /// An object's Events.
    pub async fn events(&self, name: &str) -> Result<Vec<Event>> {
        let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let api = Api::<Event>::namespaced(self.stage.client.clone(), &self.namespace);
        Ok(api.list(&about).await?.items)
    }

    /// Waits until there is an Event with this reason, and returns it.
    pub async fn until_event(&self, name: &str, reason: &str) -> Result<Event> {
        let what = format!("there is an Event {reason} about {name}");
        let found = wait::until(&what, async || {
            let events = self.events(name).await?;
            let told: Vec<_> = events
                .iter()
                .map(|event| event.reason.clone().unwrap_or_default())
                .collect();
            let wanted = events.into_iter().zip(&told).find(|(_, told)| *told == reason);
            Ok(wanted.map_or_else(
                || Look::Not(format!("there are {told:?}")),
                |(event, _)| Look::Done(event),
            ))
        });
        match found.await {
            Ok(event) => Ok(event),
            Err(error) => Err(error.context(self.complaint(name).await)),
        }
    }

    /// Waits until there is an Event with this reason, and returns its note.
    pub async fn until_told(&self, name: &str, reason: &str) -> Result<String> {
        Ok(self.until_event(name, reason).await?.message.unwrap_or_default())
    }

    /// When AWS had last answered a Get of an object's job, by the simulator's clock of whole milliseconds.
    pub fn last_look(&self, uid: &str) -> Result<Timestamp> {
        let about = |request: &Value| {
            let name = request["TranscriptionJobName"].as_str();
            name.is_some_and(|name| name.contains(uid))
        };
        let mut looks = self.sim().trail().into_iter().rev();
        let look = looks.find(|call| call.operation == "GetTranscriptionJob" && about(&call.request));
        let answered = look.context("AWS was never asked for the job")?.time;
        Ok(answered + SignedDuration::from_millis(1))
    }

    /// The applied calls of an operation that are about an object.
    pub fn applied(&self, operation: &str, uid: &str) -> Vec<LedgerLine> {
        let about = |line: &LedgerLine| line.operation == operation && line.job_name.contains(uid);
        self.sim().ledger().into_iter().filter(about).collect()
    }

    /// The applied Starts of an object.
    pub fn starts(&self, uid: &str) -> Vec<LedgerLine> {
        self.applied("StartTranscriptionJob", uid)
    }

    /// The applied Deletes of an object.
    pub fn deletes(&self, uid: &str) -> Vec<LedgerLine> {
        self.applied("DeleteTranscriptionJob", uid)
    }

    /// The records of an object.
    pub fn records(&self, uid: &str) -> Vec<JobView> {
        self.sim()
            .jobs()
            .into_iter()
            .filter(|job| job.name.contains(uid))
            .collect()
    }

    /// Faults in the calls of an operation that are about an object.
    pub fn fault(&self, uid: &str, operation: &str, times: u64, when: When, what: What) -> usize {
        self.sim().fault(FaultRule {
            job_name_contains: Some(uid.to_owned()),
            times,
            ..FaultRule::next(operation, when, what)
        })
    }

    /// Counts the calls of an operation that are about an object from now on: [`AwsSim::fired`] of the number.
    pub fn count(&self, uid: &str, operation: &str) -> usize {
        self.fault(uid, operation, u64::MAX, When::Before, What::Delay(0))
    }
}

/// A job's manifest: an English recording of its own, with what `spec` says besides.
pub fn job(name: &str, spec: Value) -> Value {
    let mut whole = json!({"languageCode": "en-US", "media": {"mediaFileUri": format!("s3://media/{name}.wav")}});
    let given = match spec {
        Value::Object(members) => members,
        other => panic!("a spec is an object, not {other}"),
    };
    whole.as_object_mut().unwrap().extend(given);
    bare(name, &whole)
}

/// A manifest with this very spec.
pub fn bare(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "transcribe-operator.io/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// The name of an object's job in AWS.
pub fn job_name(uid: &str, attempt: u32) -> String {
    format!("tro-{CLUSTER_ID}-{uid}-{attempt}")
}

/// A record in the stage's Region that somebody else made, with an hour of age.
pub fn foreign(name: &str, tags: &[(&str, &str)]) -> ForeignJob {
    ForeignJob {
        region: REGION.to_owned(),
        name: name.to_owned(),
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        created: Some(Timestamp::now() - SignedDuration::from_hours(1)),
        ..ForeignJob::default()
    }
}

/// An error of AWS.
pub fn error(code: &str, message: &str) -> What {
    What::Error {
        status: 400,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// Waits until something outside the API server is so.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    wait::until_so(what, async || is_so()).await
}

/// Waits until AWS has answered so many further Lists of a kind: the operator has looked at what runs meanwhile.
pub async fn lists(sim: &AwsSim, kind: &str, more: u64) -> Result<()> {
    let list = format!("List{kind}s");
    let enough = sim.called(&list) + more;
    wait::until(&format!("{more} more calls of {list}"), async || {
        let seen = sim.called(&list);
        Ok(Look::at(seen >= enough, format!("{seen} of {enough}")))
    })
    .await
}

/// A time as an object shows it.
pub fn time(value: &Value) -> Result<Timestamp> {
    Ok(value.as_str().context("a time")?.parse()?)
}

/// Media with `slow` in the name run for an hour.
pub fn slow() -> OutcomeRule {
    OutcomeRule {
        uri_contains: Some("slow".to_owned()),
        run_ms: Some(3_600_000),
        ..OutcomeRule::default()
    }
}

/// The message of a condition, which must have this status and reason.
pub fn message(job: &Value, type_: &str, status: &str, reason: &str) -> Result<String> {
    let condition = condition(job, type_).with_context(|| format!("no condition {type_}: {:#}", job["status"]))?;
    let as_wanted = condition["status"] == status && condition["reason"] == reason;
    ensure!(as_wanted, "not {type_}={status}/{reason} but {condition:#}");
    Ok(condition["message"].as_str().unwrap_or_default().to_owned())
}

/// The condition types that an object shows.
pub fn types(job: &Value) -> Vec<&str> {
    let conditions = job["status"]["conditions"].as_array();
    let mut types: Vec<_> = conditions
        .into_iter()
        .flatten()
        .filter_map(|c| c["type"].as_str())
        .collect();
    types.sort_unstable();
    types
}

/// The text contains each of these parts.
pub fn says(text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(text.contains(part), "{text:?} does not say {part:?}");
    }
    Ok(())
}

/// An operator of the stage with short bounds.
pub fn operator(stage: &Stage) -> Builder {
    stage.operator(PROGRAM).args(SHORT_BOUNDS)
}
