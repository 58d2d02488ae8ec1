//! The pages for tenants, run word by word: a page that says what is not so any more fails. `make pages` writes what the
//! tools print now into them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a test")]

mod page;
mod platform;
mod pods;
mod reading;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use page::Shell;
use serde_json::json;
use snapbox::data::DataFormat;
use snapbox::{Assert, Data};
use testkit::aws_sim::{AwsSim, Config, Key, KeyState, OutcomeRule};
use testkit::control_plane::{ControlPlane, program};
use testkit::install::Install;
use testkit::operator::Operator;
use testkit::stage::{REGION, Stage, repository};
use testkit::wait::TIMEOUT;

const OPERATOR: &str = env!("CARGO_BIN_EXE_transcribe-operator");
/// The job that a page wants to see running.
const GOES_ON: &str = "all-hands";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[tokio::test]
async fn the_pages_say_what_the_tools_print() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let platform = Platform::start().await.unwrap();
    let [guide, ten] = ["tenant-guide.md", "first-ten-minutes.md"].map(|page| repository().join("docs").join(page));
    let (as_finance, as_media) = (platform.reads("finance", &guide), platform.reads("media", &ten));
    let (guide_now, ten_now) = tokio::try_join!(as_finance, as_media).unwrap();
    let mut policies = platform::policies(&guide_now).unwrap();
    let reading = policies.remove("reader-permissions.json").unwrap();
    reading::opens_own_transcripts_only(&platform.stage.sim, reading).await;
    for (page, now) in [(guide, guide_now), (ten, ten_now)] {
        holds(&page, now);
    }
}

/// What the pages take for granted: a cluster with the chart, and an AWS account with some keys.
struct Platform {
    stage: Stage,
    _operator: Operator,
}

impl Platform {
    async fn start() -> Result<Self> {
        let (plane, sim) = tokio::try_join!(ControlPlane::builder().controllers().start(), AwsSim::start(aws()))?;
        let install = Install::new(
            &plane,
            &["defaultClass.outputBucket=finance-transcripts", "clusterId=prod"],
        )
        .await?;
        let stage = Stage::of(plane, sim, install.account.clone())?;
        keys(&stage)?;
        let operator = install
            .operator(OPERATOR, stage.sim.url())
            .args(["--poll-interval", "300ms"])
            .start()?;
        operator.wait_ready().await?;
        class_of_notes(&stage).await?;
        Ok(Self {
            stage,
            _operator: operator,
        })
    }

    /// A namespace, and the kubeconfig of someone who may do there what tenants may.
    async fn tenant(&self, namespace: &str) -> Result<PathBuf> {
        let plane = &self.stage.plane;
        let manifests = TENANT.replace("NAMESPACE", namespace);
        self.stage.kubectl.apply(&manifests).await?.ok()?;
        plane.kubeconfig_of(namespace, "tenant").await
    }

    /// A tenant does what a page says: the page as it would be written now. A job ends when the page waits for its end, so that
    /// until then it is seen running, on a slow machine too.
    async fn reads(&self, namespace: &str, page: &Path) -> Result<String> {
        let aws = |command: &str| {
            if command.contains("--for=condition=Finished") {
                self.jobs_end(namespace);
            }
        };
        run(page, self.tenant(namespace).await?, &aws).await
    }

    /// The jobs of a namespace end. In a page that is being written each has taken three seconds.
    fn jobs_end(&self, namespace: &str) {
        let written = std::env::var_os("PAGES").is_some();
        let takes = SignedDuration::from_secs(if written { 3 } else { 0 });
        let now = Timestamp::now();
        let tag = |name: &str| format!("transcribe-operator.io/{name}");
        self.stage.sim.finish(|job| {
            let old = now.duration_since(job.created) >= takes;
            job.tags[&tag("namespace")] == namespace && job.tags[&tag("name")] != GOES_ON && old
        });
    }
}

/// Somebody with a kubeconfig does what a page says: the page as it would be written now. `aws` is what happens there while a
/// command runs.
async fn run(page: &Path, kubeconfig: PathBuf, aws: &(dyn Fn(&str) + Sync)) -> Result<String> {
    let system = std::env::var_os("PATH").unwrap_or_default();
    let ours = [program("kubectl")?, program("helm")?, OPERATOR.into()];
    let ours = ours.iter().filter_map(|program| program.parent()).map(Path::to_owned);
    let shell = Shell {
        folder: tempfile::tempdir()?,
        path: ours.chain(std::env::split_paths(&system)).collect(),
        kubeconfig,
        aws,
    };
    let text = std::fs::read_to_string(page).context(page.display().to_string())?;
    shell.run(&text).await
}

/// Fails where a page says something else; with `PAGES=overwrite` it is written instead.
fn holds(page: &Path, now: String) {
    let page = Data::read_from(page, Some(DataFormat::Text)).raw();
    Assert::new().action_env("PAGES").eq(Data::text(now).raw(), page);
}

fn aws() -> Config {
    let media = |part: &str, fail: &str, times| OutcomeRule {
        uri_contains: Some(part.to_owned()),
        fail: Some(fail.to_owned()),
        times,
        ..OutcomeRule::default()
    };
    Config {
        run_ms: i64::MAX,
        outcomes: vec![
            media("voicemail.txt", "Unsupported media format", None),
            media("interview", testkit::aws_sim::outcomes::INTERNAL, Some(1)),
        ],
        ..Config::default()
    }
}

/// A class that accepts clinical notes too, as the default one does not.
async fn class_of_notes(stage: &Stage) -> Result<()> {
    let class = json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["s3://finance-media/"]},
        "output": {"bucketName": "finance-transcripts", "unprefixedKinds": ["MedicalScribeJob"]},
        "encryption": {"defaultKmsKeyId": "alias/finance"},
        "dataAccess": {"defaultRoleArn": "arn:aws:iam::111122223333:role/transcribe-data-finance"},
    });
    stage.class("notes", false, &class).await?;
    let ready = ["wait", "tcls/notes", "--for=condition=Ready", TIMEOUT];
    stage.kubectl.run(&ready).await?.ok().map(drop)
}

fn keys(stage: &Stage) -> Result<()> {
    stage.sim.put_alias("alias/finance", KEY)?;
    let key = |alias: &str, id: &str, change: fn(&mut Key)| -> Result<()> {
        let mut key = Key::new(REGION, id);
        change(&mut key);
        let arn = key.arn();
        stage.sim.put_key(key)?;
        stage.sim.put_alias(alias, &arn)
    };
    key("alias/signing", "2345bcde-23bc-45de-67fa-2345678901bc", |key| {
        "RSA_4096".clone_into(&mut key.key_spec);
        "SIGN_VERIFY".clone_into(&mut key.key_usage);
    })?;
    key("alias/last-year", "3456cdef-34cd-56ef-78ab-3456789012cd", |key| {
        key.key_state = KeyState::Disabled;
    })
}

const TENANT: &str = "apiVersion: v1
kind: Namespace
metadata:
  name: NAMESPACE
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: tenant
  namespace: NAMESPACE
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: tenant
  namespace: NAMESPACE
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: transcribe-operator-jobs-edit
subjects:
  - kind: ServiceAccount
    name: tenant
    namespace: NAMESPACE
";
