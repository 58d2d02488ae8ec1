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
use testkit::stage::{Stage, condition, job_resource};
use tokio::time::{Instant, sleep, timeout};

/// The name of the object in each namespace: every object has a namespace of its own, so that requests tell it apart.
pub const JOB: &str = "job";
/// The only operation that costs money.
pub const START: &str = "StartTranscriptionJob";
/// A signature counts for three seconds; what may still arrive does so within seven.
pub const SHORT_BOUND: &[&str] = &["--signature-window", "3", "--max-skew", "2"];
/// How long anything may take that takes well under a second on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A control plane and an AWS simulator, both reached through a fault proxy.
pub struct Rig {
    // In this order they end.
    watch: Process,
    pub api: FaultProxy,
    pub aws: FaultProxy,
    pub stage: Stage,
}

/// kubectl, watching how every job is.
fn watch(stage: &Stage) -> Process {
    let ready = r#".status.conditions[?(@.type=="Ready")]"#;
    let columns = format!("custom-columns=NAMESPACE:.metadata.namespace,STATUS:{ready}.reason,MESSAGE:{ready}.message");
    let mut kubectl = Command::new(program("kubectl").unwrap());
    kubectl
        .args(["get", "tj", "--all-namespaces", "--watch", "-o", &columns])
        .env("KUBECONFIG", stage.plane.kubeconfig())
        .env("HOME", stage.plane.folder().join("home"));
    Process::start("kubectl", kubectl, &stage.plane.folder().join("watch.log")).unwrap()
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

impl Rig {
    pub async fn start(config: Config) -> Self {
        operator();
        let stage = Stage::start(config).await.unwrap();
        let api = FaultProxy::kubernetes(&stage.plane).await.unwrap();
        let aws = FaultProxy::http(stage.sim.url()).await.unwrap();
        let watch = watch(&stage);
        Self { watch, api, aws, stage }
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

    /// Creates the job of a namespace that exists; its uid.
    pub async fn create(&self, namespace: &str) -> String {
        let job = json!({
            "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob",
            "metadata": {"name": JOB, "namespace": namespace},
            "spec": {"languageCode": "en-US", "media": {"mediaFileUri": "s3://media/standup.wav"}},
        });
        let job: DynamicObject = serde_json::from_value(job).unwrap();
        let made = self
            .stage
            .jobs(namespace)
            .create(&PostParams::default(), &job)
            .await
            .unwrap();
        made.metadata.uid.unwrap()
    }

    /// A namespace with its job.
    pub async fn submit(&self, namespace: &str) -> String {
        self.namespace(namespace).await;
        self.create(namespace).await
    }

    pub async fn delete(&self, namespace: &str) {
        let params = DeleteParams::default();
        self.stage.jobs(namespace).delete(JOB, &params).await.unwrap();
    }

    pub async fn job(&self, namespace: &str) -> Option<Value> {
        self.stage.job(namespace, JOB).await.unwrap()
    }

    /// Waits until the job is complete.
    pub async fn complete(&self, namespace: &str) -> Value {
        let wanted = |job: &Value| condition(job, "Complete").is_some_and(|c| c["status"] == "True");
        self.stage.until(namespace, JOB, PATIENCE, wanted).await.unwrap()
    }

    pub async fn gone(&self, namespace: &str) {
        self.stage.until_gone(namespace, JOB, PATIENCE).await.unwrap();
    }

    /// The Starts that AWS applied for an object.
    pub fn starts(&self, uid: &str) -> Vec<LedgerLine> {
        let mut lines = self.stage.sim.ledger();
        lines.retain(|line| line.operation == START && line.job_name.contains(uid));
        lines
    }

    /// The line by which kubectl tells the user how the job of a namespace is, or was at some time: one that contains
    /// `part`.
    pub async fn told(&self, namespace: &str, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let log = self.watch.log();
            let mut lines = log
                .lines()
                .filter(|line| namespace.is_empty() || line.split_whitespace().next() == Some(namespace));
            if let Some(line) = lines.find(|line| line.contains(part)) {
                let words: Vec<_> = line.split_whitespace().collect();
                let line = words.join(" ");
                println!("  $ kubectl get tj --all-namespaces --watch\n    {line}");
                return line;
            }
            assert!(
                Instant::now() < end,
                "kubectl does not say {part:?} of {namespace}\n{log}"
            );
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

    /// The oracle finds nothing, with all objects done by now and each written at most so often.
    pub async fn acquit(&self, writes: usize) {
        let jobs = Api::<DynamicObject>::all_with(self.stage.client.clone(), &job_resource());
        let jobs = jobs.list(&ListParams::default()).await.unwrap();
        let objects: Vec<Value> = jobs
            .items
            .iter()
            .map(|job| serde_json::to_value(job).unwrap())
            .collect();
        let evidence = Evidence {
            ledger: &self.stage.sim.ledger(),
            objects: &objects,
            requests: &self.api.requests(),
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
