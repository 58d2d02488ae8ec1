//! A stage with a proxy on either way, and the questions that every test asks.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};
use testkit::aws_sim::{Config, LedgerLine};
use testkit::control_plane::program;
use testkit::fault_proxy::{FaultProxy, Held};
use testkit::operator::{Builder, Operator};
use testkit::oracle::{self, Bounds, Evidence};
use testkit::process::{Process, remove_at_exit};
use testkit::stage::{self, REGION, Stage, condition, resource_of};
use tokio::time::{Instant, sleep, timeout};
use transcribe_operator::api::Kind;

use crate::samples::minimal;

/// The name of the object in each namespace: every object has a namespace of its own, so that requests tell it apart.
pub const JOB: &str = "job";
/// A signature counts for three seconds; what may still arrive does so within seven.
pub const SHORT_BOUND: &[&str] = &["--signature-window", "3", "--max-skew", "2"];
/// How long anything may take that takes well under a second on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

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

/// Waits until a request has come to be held.
pub async fn arrived(held: &Held) {
    let waited = timeout(PATIENCE, held.arrived(1)).await;
    waited.expect("no request to be held");
}

/// Waits until it is so.
pub async fn until(so: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < end, "not so after {PATIENCE:?}");
        sleep(Duration::from_millis(20)).await;
    }
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
        operator();
        let stage = Stage::start(config).await.unwrap();
        let api = FaultProxy::kubernetes(&stage.plane).await.unwrap();
        let aws = FaultProxy::http(stage.sim.url()).await.unwrap();
        stage.class("every-kind", true, &class()).await.unwrap();
        let watches = Kind::ALL.iter().map(|kind| watch(&stage, *kind)).collect();
        Self {
            watches,
            api,
            aws,
            stage,
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

    fn jobs(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
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
        let mut jobs = Vec::new();
        for (kind, namespace) in of_every_kind(what) {
            jobs.push(self.submit(kind, &namespace).await);
        }
        jobs
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
        stage::until(&jobs, JOB, PATIENCE, wanted).await.unwrap()
    }

    /// Waits until the job is complete.
    pub async fn complete(&self, job: &Job) -> Value {
        let complete = |job: &Value| condition(job, "Complete").is_some_and(|c| c["status"] == "True");
        self.until(job, complete).await
    }

    /// Waits until the job is complete, having been paid once.
    pub async fn complete_once(&self, job: &Job) {
        self.complete(job).await;
        assert_eq!(self.starts(job), 1, "{job:?}");
    }

    pub async fn gone(&self, job: &Job) {
        let jobs = self.jobs(job.kind, &job.namespace);
        stage::until_gone(&jobs, JOB, PATIENCE).await.unwrap();
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
        let end = Instant::now() + PATIENCE;
        let (_, watch) = self.watches.iter().find(|(of, _)| *of == kind).unwrap();
        loop {
            let log = watch.log();
            let mut lines = log
                .lines()
                .filter(|line| line.split_whitespace().next().is_some_and(&whose));
            if let Some(line) = lines.find(|line| line.contains(part)) {
                let words: Vec<_> = line.split_whitespace().collect();
                let line = words.join(" ");
                println!("  $ kubectl get {} --all-namespaces --watch\n    {line}", kind.plural());
                return;
            }
            assert!(Instant::now() < end, "kubectl does not say {part:?} of a {kind}\n{log}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What kubectl prints in the end for these arguments: a line that contains `part`.
    pub async fn says(&self, args: &[&str], part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let output = self.stage.kubectl.run(args).await.unwrap();
            let text = format!("{}{}", output.stdout, output.stderr);
            if let Some(line) = text.lines().find(|line| line.contains(part)) {
                println!("  $ kubectl {}\n    {line}", args.join(" "));
                return line.to_owned();
            }
            assert!(
                Instant::now() < end,
                "kubectl {} does not say {part:?} but {text}",
                args.join(" ")
            );
            sleep(Duration::from_millis(50)).await;
        }
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
