//! The webhook's certificates, as the operator makes them: the first start, renewal under load, and what people break.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;
use testkit::{
    aws_sim::{AwsSim, Config},
    control_plane::ControlPlane,
    install::{Install, NAMESPACE, RELEASE, chart},
    kubectl::{Helm, Kubectl},
    operator::Operator,
    stage::job_resource,
    wait::{self, Look},
    webhook::Caller,
};
use tokio::task::JoinSet;

/// In seconds.
const SHORTEST_LIFE: u64 = 10;
const SECRET: &str = "transcribe-operator-webhook-ca";
const JOB: &str = "apiVersion: transcribe-operator.io/v1alpha1
kind: TranscriptionJob
metadata: {name: tried}
spec:
  languageCode: en-US
  media: {mediaFileUri: s3://media/tried.wav}
  outputBucketName: transcripts
";

struct Rig {
    plane: ControlPlane,
    install: Install,
    client: kube::Client,
    kubectl: Kubectl,
    operator: Operator,
}

/// Installs the chart and starts the operator, with flags that may depend on how many seconds the machine took to get there.
async fn rig(flags: impl FnOnce(u64) -> Vec<String>) -> (Rig, AwsSim) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let begun = Instant::now();
    let (plane, sim) = tokio::join!(
        ControlPlane::builder().controllers().start(),
        AwsSim::start(Config::default())
    );
    let (plane, sim) = (plane.unwrap(), sim.unwrap());
    let install = Install::new(&plane, &[]).await.unwrap();
    let kubectl = Kubectl::new(&plane).unwrap();
    let early = kubectl.run_with(&["create", "-f", "-"], JOB).await.unwrap();
    assert!(!early.success, "a job was accepted while nobody could judge it");
    let operator = install
        .operator(env!("CARGO_BIN_EXE_transcribe-operator"), sim.url())
        .args(["--webhook-cert-interval", "500ms"])
        .args(flags(begun.elapsed().as_secs()))
        .start()
        .unwrap();
    operator.wait_ready().await.unwrap();
    let client = plane.client().unwrap();
    let rig = Rig {
        plane,
        install,
        client,
        kubectl,
        operator,
    };
    (rig, sim)
}

impl Rig {
    fn configurations(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// The caBundle that is live, PEM.
    async fn trusted(&self) -> Vec<u8> {
        trusted(&self.configurations()).await
    }

    async fn authority(&self) -> Option<Vec<u8>> {
        let secret = self.secrets().get_opt(SECRET).await.unwrap()?;
        Some(secret.data?.get("tls.crt")?.0.clone())
    }

    /// Waits until a job is admitted.
    async fn until_admitted(&self) {
        let create = ["create", "--dry-run=server", "-f", "-"];
        wait::until("a job is admitted", async || {
            let output = self.kubectl.run_with(&create, JOB).await?;
            let state = format!("{}\n{}", output.stderr, self.operator.log_tail());
            Ok(Look::at(output.success, state))
        })
        .await
        .unwrap();
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let found = wait::until(what, async || {
            Ok(look()
                .await
                .map_or_else(|| Look::Not(self.operator.log_tail()), Look::Done))
        });
        found.await.unwrap()
    }

    fn logged(&self, text: &str) -> usize {
        self.operator.logs().iter().filter(|line| line.contains(text)).count()
    }
}

async fn trusted(configurations: &Api<ValidatingWebhookConfiguration>) -> Vec<u8> {
    let configuration = configurations.get(RELEASE).await.unwrap();
    let webhook = configuration.webhooks.unwrap().remove(0);
    webhook
        .client_config
        .ca_bundle
        .map(|bundle| bundle.0)
        .unwrap_or_default()
}

/// Jobs that are tried (created with a dry run) without pause through the API server, and connections made anew by somebody
/// who trusts what is live, as an API server that has just started.
struct Load {
    counts: Arc<Counts>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    ended: AtomicBool,
    admitted: AtomicU32,
    connected: AtomicU32,
    failures: Mutex<Vec<String>>,
}

impl Counts {
    fn runs(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    fn count(&self, which: &AtomicU32, outcome: Result<(), String>) {
        which.fetch_add(1, Ordering::Relaxed);
        if let Err(failure) = outcome {
            self.failures.lock().unwrap().push(failure);
        }
    }
}

async fn admit(jobs: Api<DynamicObject>, counts: Arc<Counts>) {
    let job = json!({
        "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob", "metadata": {"name": "load"},
        "spec": {"languageCode": "en-US", "media": {"mediaFileUri": "s3://media/load.wav"}, "outputBucketName": "out"},
    });
    let job = serde_json::from_value(job).unwrap();
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    while counts.runs() {
        let outcome = jobs.create(&dry_run, &job).await;
        counts.count(&counts.admitted, outcome.map(drop).map_err(|error| error.to_string()));
    }
}

async fn connect(configurations: Api<ValidatingWebhookConfiguration>, url: String, counts: Arc<Counts>) {
    while counts.runs() {
        let caller = Caller::new(url.clone(), &trusted(&configurations).await).unwrap();
        let outcome = caller.post("{}").await;
        counts.count(
            &counts.connected,
            outcome.map(drop).map_err(|error| format!("{error:#}")),
        );
    }
}

impl Load {
    fn start(rig: &Rig) -> Self {
        let (counts, mut tasks) = (Arc::<Counts>::default(), JoinSet::new());
        for _ in 0..3 {
            let jobs = Api::namespaced_with(rig.client.clone(), "default", &job_resource());
            tasks.spawn(admit(jobs, counts.clone()));
        }
        tasks.spawn(connect(rig.configurations(), rig.install.url.clone(), counts.clone()));
        Self { counts, tasks }
    }

    /// How many jobs were admitted and how many connections made so far.
    fn counted(&self) -> (u32, u32) {
        (
            self.counts.admitted.load(Ordering::Relaxed),
            self.counts.connected.load(Ordering::Relaxed),
        )
    }

    /// Goes on for so many jobs and connections, and ends: how many there were. Fails if ever one failed.
    async fn end_after(self, more: u32) -> (u32, u32) {
        let (admitted, connected) = self.counted();
        wait::until("the load goes on", async || {
            let now = self.counted();
            let done = now.0 >= admitted + more && now.1 >= connected + more;
            Ok(Look::at(done, format!("{now:?}")))
        })
        .await
        .unwrap();
        self.counts.ended.store(true, Ordering::Relaxed);
        let counted = self.counted();
        self.tasks.join_all().await;
        let failures = self.counts.failures.lock().unwrap();
        assert!(failures.is_empty(), "{} failed, as: {}", failures.len(), failures[0]);
        counted
    }
}

/// Certificates that live for seconds: four renewals of the certificate, one of the authority.
///
/// A certificate is renewed in the last third of its life. On a slow machine it lives longer, so that the third is always far more
/// than a renewal takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_admission_fails_while_certificates_and_authorities_are_renewed() {
    let lifetimes = |took: u64| {
        let served = SHORTEST_LIFE.max(2 * took);
        vec![
            format!("--webhook-cert-lifetime={served}s"),
            format!("--webhook-ca-lifetime={}s", 3 * served),
        ]
    };
    let (rig, _sim) = rig(lifetimes).await;
    let (first, load) = (rig.authority().await.unwrap(), Load::start(&rig));
    wait::until("a further authority and four further certificates", async || {
        let made = (
            rig.logged("made a certificate authority"),
            rig.logged("serves a new certificate"),
        );
        // The load goes on while the certificates grow old.
        let state = format!("{made:?} {:?}\n{}", load.counted(), rig.operator.log_tail());
        Ok(Look::at(made.0 >= 2 && made.1 >= 5, state))
    })
    .await
    .unwrap();
    let (admitted, connected) = load.end_after(100).await;
    println!("renewal under load: {admitted} jobs admitted, {connected} new connections, none failed");
    assert_ne!(rig.authority().await.unwrap(), first);
    assert!(
        CertificateDer::pem_slice_iter(&rig.trusted().await).count() <= 3,
        "old authorities are not forgotten"
    );
    let (_, body) = rig.operator.get("/readyz").await.unwrap();
    assert_eq!(body, "ok\n");
    let expiry = rig
        .operator
        .metric("transcribe_operator_webhook_certificate_expiry")
        .await
        .unwrap();
    assert!(expiry.unwrap() > 1.0e9);
}

/// Deleting the Secret, or spoiling it, fails no admission: what is served stays trusted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_deleted_or_spoilt_is_made_anew_and_nobody_notices() {
    let (rig, _sim) = rig(|_| vec![]).await;
    let owner = rig
        .secrets()
        .get(SECRET)
        .await
        .unwrap()
        .metadata
        .owner_references
        .unwrap();
    assert_eq!(owner[0].kind, "ValidatingWebhookConfiguration");
    let load = Load::start(&rig);

    let first = rig.authority().await.unwrap();
    rig.secrets().delete(SECRET, &DeleteParams::default()).await.unwrap();
    let other = async |known: &[u8]| rig.authority().await.filter(|now| now != known);
    let second = rig.until("an authority after the deletion", || other(&first)).await;
    rig.until("both are trusted", async || {
        (CertificateDer::pem_slice_iter(&rig.trusted().await).count() == 2).then_some(())
    })
    .await;
    let spoilt = json!({"stringData": {"tls.key": "spoilt"}});
    rig.secrets()
        .patch(SECRET, &PatchParams::default(), &Patch::Merge(&spoilt))
        .await
        .unwrap();
    rig.until("an authority after the spoiling", || other(&second)).await;
    rig.until("all three are trusted", async || {
        (CertificateDer::pem_slice_iter(&rig.trusted().await).count() == 3).then_some(())
    })
    .await;
    load.end_after(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_bundle_is_written_again_and_a_kill_an_upgrade_and_an_uninstall_leave_things_in_order() {
    let (rig, _sim) = rig(|_| vec![]).await;
    rig.until_admitted().await;
    let bad = JOB.replace(
        "  outputBucketName: transcripts\n",
        "  encryption: {kmsKeyId: alias/none}\n",
    );
    let denied = rig
        .kubectl
        .run_with(&["create", "--dry-run=server", "-f", "-"], &bad)
        .await
        .unwrap();
    assert!(!denied.success && denied.stderr.contains("spec."), "{}", denied.stderr);

    // While the operator stands still nothing is admitted; then it mends what is broken.
    rig.operator.stop().unwrap();
    let wipe = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]);
    let wipe = Patch::Json::<()>(serde_json::from_value(wipe).unwrap());
    rig.configurations()
        .patch(RELEASE, &PatchParams::default(), &wipe)
        .await
        .unwrap();
    let refused = rig
        .kubectl
        .run_with(&["create", "--dry-run=server", "-f", "-"], JOB)
        .await
        .unwrap();
    assert!(!refused.success, "a job was accepted while nobody could judge it");
    rig.operator.cont().unwrap();
    rig.until_admitted().await;

    let (authority, bundle) = (rig.authority().await.unwrap(), rig.trusted().await);
    rig.operator.restart().unwrap();
    rig.operator.wait_ready().await.unwrap();
    rig.until_admitted().await;
    assert_eq!(
        rig.authority().await.unwrap(),
        authority,
        "a restart needs no new authority"
    );

    let helm = Helm::new(&rig.plane).unwrap();
    let chart = chart().unwrap();
    let upgrade = [
        "upgrade",
        RELEASE,
        &chart,
        "-n",
        NAMESPACE,
        "--reuse-values",
        "--set",
        "defaultClass.outputBucket=another",
    ];
    helm.run(&upgrade).await.unwrap().ok().unwrap();
    assert_eq!(rig.trusted().await, bundle, "an upgrade touches the caBundle");
    rig.until_admitted().await;

    let stored = rig.kubectl.apply(JOB).await.unwrap().ok();
    stored.unwrap();
    drop(rig.operator.terminate());
    helm.run(&["uninstall", RELEASE, "-n", NAMESPACE])
        .await
        .unwrap()
        .ok()
        .unwrap();
    rig.until("the Secret goes with the webhook", async || {
        rig.authority().await.is_none().then_some(())
    })
    .await;
    let jobs = rig.kubectl.run(&["get", "tj", "tried"]).await.unwrap().ok();
    jobs.unwrap();
}
