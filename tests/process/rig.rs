//! A stage with a proxy on either way, and the questions that every test asks.

use std::process::Command;
use std::sync::OnceLock;

use futures::future::join_all;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};
use testkit::aws_sim::{Config, LedgerLine};
use testkit::control_plane::program;
use testkit::fault_proxy::{Fault, FaultProxy, Held, Rule, Seen};
use testkit::operator::{Builder, Operator};
use testkit::oracle::{self, Bounds, Evidence};
use testkit::process::{Process, remove_at_exit};
use testkit::stage::{self, REGION, Stage, condition, resource_of};
use testkit::wait::{self, Look};
use transcribe_operator::api::Kind;

use crate::samples::minimal;

/// The name of the object in each namespace: every object has a namespace of its own, so that requests tell it apart.
pub const JOB: &str = "job";
/// A signature counts for twenty seconds; what may still arrive does so within thirty. That is short enough to be waited for,
/// and long enough for all that has to be done in it: on an idle machine that takes two seconds.
pub const SHORT_BOUND: &[&str] = &["--signature-window", "20s", "--max-skew", "5s"];
/// `--signature-window`, as AWS has it.
const SHORT_WINDOW_MS: i64 = 20_000;
/// `--signature-window` and twice `--max-skew`.
pub const BOUND: SignedDuration = SignedDuration::from_secs(30);

/// The only operation of a kind that costs money.
pub fn start(kind: Kind) -> String {
    format!("Start{kind}")
}

/// An object, in the namespace that it has for itself.
#[derive(Clone, Debug)]
pub struct Job {
    pub kind: Kind,
    pub namespace: String,
    pub uid: String,
}

/// The same for every kind, all of them at the same time.
pub fn of_every_kind(what: &str) -> impl Iterator<Item = (Kind, String)> {
    Kind::ALL.iter().map(move |kind| (*kind, namespace(*kind, what)))
}

/// What is done with a job of a kind, as the name of a namespace.
pub fn namespace(kind: Kind, what: &str) -> String {
    format!("{}-{what}", kind.plural())
}

/// An AWS to which a short bound applies, and whose jobs run for a moment.
pub fn short_bound() -> Config {
    Config {
        run_ms: 100,
        signature_window_ms: SHORT_WINDOW_MS,
        ..Config::default()
    }
}

/// The writes of a job's status: the first is the intent, the second the report of the Start.
pub fn status_writes(kind: Kind, fault: Fault, namespace: &str) -> Rule {
    let path = format!("/namespaces/{namespace}/{}/{JOB}/status$", kind.plural());
    Rule::new(fault).method(Method::PUT).path(&path)
}

/// A control plane and an AWS simulator, both reached through a fault proxy.
pub struct Rig {
    // In this order they end.
    watches: Vec<(Kind, Process)>,
    pub api: FaultProxy,
    pub aws: FaultProxy,
    pub stage: Stage,
}

/// kubectl, watching how every job of a kind is.
fn watch(stage: &Stage, kind: Kind) -> (Kind, Process) {
    let ready = r#".status.conditions[?(@.type=="Ready")]"#;
    let columns = format!("custom-columns=NAMESPACE:.metadata.namespace,STATUS:{ready}.reason,MESSAGE:{ready}.message");
    let mut kubectl = Command::new(program("kubectl").unwrap());
    kubectl
        .args(["get", kind.plural(), "--all-namespaces", "--watch", "-o", &columns])
        .env("KUBECONFIG", stage.plane.kubeconfig())
        .env("HOME", stage.plane.folder().join("home"));
    let log = stage.plane.folder().join(format!("watch-{}.log", kind.plural()));
    (kind, Process::start("kubectl", kubectl, &log).unwrap())
}

/// The job has its result.
pub fn is_complete(job: &Value) -> bool {
    condition(job, "Complete").is_some_and(|c| c["status"] == "True")
}

/// Waits until a request has come to be held.
pub async fn arrived(held: &Held) {
    wait::on("a request to be held", held.arrived(1)).await.unwrap();
}

/// Waits until it is so.
pub async fn until(what: &str, so: impl AsyncFnMut() -> bool) {
    wait::until_so(what, so).await.unwrap();
}

/// The binary that ships, under a name that a build during the tests does not replace: they start it many times.
fn operator() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("process-tests-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        remove_at_exit(&folder);
        let (built, kept) = (
            env!("CARGO_BIN_EXE_transcribe-operator"),
            folder.join("transcribe-operator"),
        );
        if std::fs::hard_link(built, &kept).is_err() {
            std::fs::copy(built, &kept).unwrap();
        }
        kept.to_str().unwrap().to_owned()
    })
}

/// A class that takes every kind.
fn class() -> Value {
    json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "transcripts", "unprefixedKinds": ["MedicalScribeJob"]},
        "dataAccess": {"defaultRoleArn": "arn:aws:iam::111122223333:role/transcribe-data"},
    })
}

impl Rig {
    pub async fn start(config: Config) -> Self {
        Self::for_kinds(Kind::ALL, config).await
    }

    /// For jobs of these kinds only: kubectl watches no others.
    pub async fn for_kinds(kinds: &[Kind], config: Config) -> Self {
        operator();
        let stage = Stage::start(config).await.unwrap();
        let api = FaultProxy::kubernetes(&stage.plane).await.unwrap();
        let aws = FaultProxy::http(stage.sim.url()).await.unwrap();
        stage.class("every-kind", true, &class()).await.unwrap();
        let watches = kinds.iter().map(|kind| watch(&stage, *kind)).collect();
        let mut rig = Self {
            watches,
            api,
            aws,
            stage,
        };
        rig.until_watched().await;
        rig
    }

    /// Waits until kubectl watches each kind: what becomes of a job in a moment is to be told also when kubectl starts slowly.
    async fn until_watched(&mut self) {
        let kinds: Vec<_> = self.watches.iter().map(|(kind, _)| *kind).collect();
        for kind in kinds {
            let first = self.submit(kind, &namespace(kind, "first")).await;
            let Self { watches, stage, .. } = self;
            wait::until("kubectl watches", async || {
                let (_, kubectl) = watches.iter_mut().find(|(of, _)| *of == kind).unwrap();
                let log = kubectl.log();
                if log.contains(&first.namespace) {
                    return Ok(Look::Done(()));
                }
                // It may end without a word when the API server has just begun to serve the kind.
                if kubectl.exited()?.is_some() {
                    (_, *kubectl) = watch(stage, kind);
                }
                Ok(Look::Not(log))
            })
            .await
            .unwrap();
            self.delete(&first).await;
        }
    }

    /// The operator, both of its ways through the proxies.
    pub fn builder(&self) -> Builder {
        self.stage.operator_at(operator(), &self.api.url(), &self.aws.url())
    }

    /// A running operator with more arguments.
    pub async fn operator(&self, args: &[&str]) -> Operator {
        let operator = self.builder().args(args).start().unwrap();
        operator.wait_ready().await.unwrap();
        operator
    }

    pub async fn namespace(&self, name: &str) {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let api = Api::<Namespace>::all(self.stage.client.clone());
        api.create(&PostParams::default(), &namespace).await.unwrap();
    }

    pub fn jobs(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        self.stage.jobs_of(kind.name(), namespace)
    }

    /// Creates the job of a namespace that exists.
    pub async fn create(&self, kind: Kind, namespace: &str) -> Job {
        let job = json!({
            "apiVersion": "transcribe-operator.io/v1alpha1", "kind": kind.name(),
            "metadata": {"name": JOB, "namespace": namespace},
            "spec": minimal(kind),
        });
        let job: DynamicObject = serde_json::from_value(job).unwrap();
        let jobs = self.jobs(kind, namespace);
        let made = jobs.create(&PostParams::default(), &job).await.unwrap();
        Job {
            kind,
            namespace: namespace.to_owned(),
            uid: made.metadata.uid.unwrap(),
        }
    }

    /// A namespace with its job.
    pub async fn submit(&self, kind: Kind, namespace: &str) -> Job {
        self.namespace(namespace).await;
        self.create(kind, namespace).await
    }

    /// A namespace with its job, for each kind.
    pub async fn submit_every_kind(&self, what: &str) -> Vec<Job> {
        let submit = async |(kind, namespace): (Kind, String)| self.submit(kind, &namespace).await;
        join_all(of_every_kind(what).map(submit)).await
    }

    /// A job of each kind that AWS has accepted, and of which no write of the status gets through from then on: the report of
    /// the Start is held on its way to the API server, and so is what the operator tries after it.
    pub async fn submit_unreported(&self, what: &str) -> Vec<(Job, Held)> {
        let submit = async |(kind, namespace): (Kind, String)| {
            let sent = Rule::new(Fault::Drop).operation(&start(kind)).body(&namespace);
            let sent = self.aws.hold(sent);
            let job = self.submit(kind, &namespace).await;
            arrived(&sent).await;
            // The intent is stored by now.
            let report = self.api.hold(status_writes(kind, Fault::Drop, &namespace));
            sent.release();
            arrived(&report).await;
            (job, report)
        };
        join_all(of_every_kind(what).map(submit)).await
    }

    /// Waits until the operator has made so many further requests of this sort about each job. It has gone on by then: what
    /// it did not do it does not do.
    pub async fn asked_again(&self, jobs: &[&Job], more: usize, sort: impl Fn(&Seen) -> bool) {
        let asked = || {
            let requests = self.api.requests();
            let of = |job: &Job| format!("/namespaces/{}/", job.namespace);
            let count = |part: String| {
                requests
                    .iter()
                    .filter(|seen| seen.path.contains(&part) && sort(seen))
                    .count()
            };
            jobs.iter().map(|job| count(of(job))).collect::<Vec<_>>()
        };
        let before = asked();
        let again = wait::until("the operator asks again", async || {
            let now = asked();
            let enough = before.iter().zip(&now).all(|(before, now)| *now >= before + more);
            Ok(Look::at(enough, format!("{before:?} and then {now:?}")))
        });
        again.await.unwrap();
    }

    pub async fn delete(&self, job: &Job) {
        let jobs = self.jobs(job.kind, &job.namespace);
        jobs.delete(JOB, &DeleteParams::default()).await.unwrap();
    }

    pub async fn job(&self, job: &Job) -> Option<Value> {
        let jobs = self.jobs(job.kind, &job.namespace);
        stage::stored(&jobs, JOB).await.unwrap()
    }

    /// Waits until the job is as wanted.
    pub async fn until(&self, job: &Job, wanted: impl Fn(&Value) -> bool) -> Value {
        let jobs = self.jobs(job.kind, &job.namespace);
        stage::until(&jobs, JOB, wanted).await.unwrap()
    }

    /// Waits until the job is complete.
    pub async fn complete(&self, job: &Job) -> Value {
        self.until(job, is_complete).await
    }

    /// Waits until the job is complete, having been paid once.
    pub async fn complete_once(&self, job: &Job) {
        self.complete(job).await;
        assert_eq!(self.starts(job), 1, "{job:?}");
    }

    pub async fn gone(&self, job: &Job) {
        let jobs = self.jobs(job.kind, &job.namespace);
        stage::until_gone(&jobs, JOB).await.unwrap();
    }

    /// How many Starts AWS applied for an object.
    pub fn starts(&self, job: &Job) -> usize {
        let of_job = |line: &&LedgerLine| line.operation == start(job.kind) && line.job_name.contains(&job.uid);
        self.stage.sim.ledger().iter().filter(of_job).count()
    }

    /// What AWS answered to the Starts of a kind, and how often so.
    pub fn answers(&self, kind: Kind, code: &str) -> u64 {
        let calls = self.stage.sim.calls();
        let outcomes = calls.get(&start(kind)).cloned().unwrap_or_default();
        outcomes.get(code).copied().unwrap_or_default()
    }

    /// The line by which kubectl tells the user how a job is, or was at some time: one that contains `part`.
    pub async fn told(&self, job: &Job, part: &str) {
        self.told_of(job.kind, |namespace| namespace == job.namespace, part)
            .await;
    }

    /// The same, of some job of a kind.
    pub async fn told_of(&self, kind: Kind, whose: impl Fn(&str) -> bool, part: &str) {
        let (_, watch) = self.watches.iter().find(|(of, _)| *of == kind).unwrap();
        let what = format!("kubectl says {part:?} of a {kind}");
        let line = wait::until(&what, async || {
            let log = watch.log();
            let mut lines = log
                .lines()
                .filter(|line| line.split_whitespace().next().is_some_and(&whose));
            let line = lines.find(|line| line.contains(part)).map(str::to_owned);
            Ok(line.map_or(Look::Not(log), Look::Done))
        });
        let line = line.await.unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let line = words.join(" ");
        println!("  $ kubectl get {} --all-namespaces --watch\n    {line}", kind.plural());
    }

    /// What kubectl prints in the end for these arguments: a line that contains `part`.
    pub async fn says(&self, args: &[&str], part: &str) -> String {
        let args_text = args.join(" ");
        let what = format!("kubectl {args_text} says {part:?}");
        let line = wait::until(&what, async || {
            let output = self.stage.kubectl.run(args).await?;
            let text = format!("{}{}", output.stdout, output.stderr);
            let line = text.lines().find(|line| line.contains(part)).map(str::to_owned);
            Ok(line.map_or(Look::Not(text), Look::Done))
        });
        let line = line.await.unwrap();
        println!("  $ kubectl {args_text}\n    {line}");
        line
    }

    /// The oracle finds nothing, with all jobs done by now and each written at most so often.
    pub async fn acquit(&self, writes: usize) {
        let mut objects = Vec::new();
        for kind in Kind::ALL {
            let jobs = Api::<DynamicObject>::all_with(self.stage.client.clone(), &resource_of(kind.name()));
            let jobs = jobs.list(&ListParams::default()).await.unwrap();
            objects.extend(jobs.items.iter().map(|job| serde_json::to_value(job).unwrap()));
        }
        let mut requests = self.api.requests();
        // The status of a class counts its jobs: it changes with each of them.
        requests.retain(|seen| seen.resource() != Some("transcriptionclasses"));
        let evidence = Evidence {
            ledger: &self.stage.sim.ledger(),
            objects: &objects,
            requests: &requests,
            now: Timestamp::now(),
        };
        let bounds = Bounds {
            finish: SignedDuration::ZERO,
            deletion: SignedDuration::ZERO,
            writes,
        };
        let found = oracle::judge(&evidence, &bounds);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{told:#?}");
    }
}
