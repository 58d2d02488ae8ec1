//! All parts together: a control plane with the CRDs, an AWS simulator, and operators that know both.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::aws_sim::{AwsSim, Config};
use crate::control_plane::{self, ControlPlane};
use crate::install::NAMESPACE;
use crate::kubectl::Kubectl;
use crate::operator::{Builder, Operator};
use crate::rights::{Account, Rights};
use crate::wait::{self, Look};

/// The Region of a stage's operators.
pub const REGION: &str = "eu-west-1";
/// The cluster id of a stage's operators.
pub const CLUSTER_ID: &str = "stage";
/// The output bucket of jobs that name none.
pub const BUCKET: &str = "stage-transcripts";

const TRANSCRIPTION: &str = "TranscriptionJob";

/// A control plane with the CRDs and the operator's rights, an AWS simulator, and kubectl.
pub struct Stage {
    /// The control plane.
    pub plane: ControlPlane,
    /// The AWS simulator.
    pub sim: AwsSim,
    /// kubectl as the administrator.
    pub kubectl: Kubectl,
    /// The client of the administrator.
    pub client: kube::Client,
    /// Who the operators are.
    pub account: Account,
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Stage {
    /// Starts all parts, without an operator.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::start_with(ControlPlane::builder(), config).await
    }

    /// Starts all parts, with choices about the control plane.
    pub async fn start_with(plane: control_plane::Builder, config: Config) -> anyhow::Result<Self> {
        let (plane, sim, rights) = tokio::try_join!(Box::pin(plane.start()), AwsSim::start(config), rights())?;
        let account = rights.give(&plane).await?;
        let stage = Self::of(plane, sim, account)?;
        Box::pin(stage.install_crds()).await?;
        Ok(stage)
    }

    /// A stage of parts that are there: the CRDs and the account are installed.
    pub fn of(plane: ControlPlane, sim: AwsSim, account: Account) -> anyhow::Result<Self> {
        Ok(Self {
            kubectl: Kubectl::new(&plane)?,
            client: plane.client()?,
            plane,
            sim,
            account,
        })
    }

    /// Applies the committed CRDs and waits until they are served.
    pub async fn install_crds(&self) -> anyhow::Result<()> {
        let folder = repository().join("crds");
        let crds = folder.to_str().context("the path of the repository is not UTF-8")?;
        self.kubectl.run(&["apply", "--server-side", "-f", crds]).await?.ok()?;
        let api = Api::<CustomResourceDefinition>::all(self.client.clone());
        for file in std::fs::read_dir(&folder)? {
            let file = file?.path();
            let plural = file.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{plural}.transcribe-operator.io");
            let served = await_condition(api.clone(), &name, conditions::is_crd_established());
            wait::on("the CRD is served", served).await??;
        }
        Ok(())
    }

    /// An operator with short intervals, which reaches the API server directly.
    pub fn operator(&self, program: &str) -> Builder {
        self.operator_at(program, &self.plane.url(), self.sim.url())
    }

    /// An operator with short intervals, by another way to the API server and to AWS. Whatever the way, it is the chart's
    /// service account: there is no operator that is an administrator.
    pub fn operator_at(&self, program: &str, api_server: &str, aws: &str) -> Builder {
        self.nameless_operator_at(program, api_server, aws)
            .args(["--cluster-id", CLUSTER_ID])
    }

    /// The same without a cluster id.
    pub fn nameless_operator_at(&self, program: &str, api_server: &str, aws: &str) -> Builder {
        self.classless_operator_at(program, api_server, aws)
            .args(["--region", REGION, "--output-bucket", BUCKET])
    }

    /// The same without a cluster id, and without a default class.
    pub fn classless_operator_at(&self, program: &str, api_server: &str, aws: &str) -> Builder {
        let kubeconfig = self.plane.kubeconfig_text(api_server, self.account.token());
        Operator::builder(program, kubeconfig).arg("run").emulator(aws).args([
            "--poll-interval",
            "300ms",
            "--log-format",
            "text",
        ])
    }

    /// Applies a class, as the platform team would.
    pub async fn class(&self, name: &str, default: bool, spec: &Value) -> anyhow::Result<()> {
        let class = json!({
            "apiVersion": "transcribe-operator.io/v1alpha1",
            "kind": "TranscriptionClass",
            "metadata": {
                "name": name,
                "annotations": {"transcribe-operator.io/is-default-class": default.to_string()},
            },
            "spec": spec,
        });
        self.kubectl.apply(&class.to_string()).await?.ok()?;
        Ok(())
    }

    /// The jobs of a namespace, as they are stored.
    pub fn jobs(&self, namespace: &str) -> Api<DynamicObject> {
        self.jobs_of(TRANSCRIPTION, namespace)
    }

    /// The jobs of a kind in a namespace, as they are stored.
    pub fn jobs_of(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource_of(kind))
    }

    /// One job, as it is stored.
    pub async fn job(&self, namespace: &str, name: &str) -> anyhow::Result<Option<Value>> {
        stored(&self.jobs(namespace), name).await
    }

    /// Waits until a job is as wanted; the error shows how it is instead.
    pub async fn until(&self, namespace: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        until(&self.jobs(namespace), name, wanted).await
    }

    /// Waits until a job's condition has this status and reason.
    pub async fn until_reason(&self, namespace: &str, name: &str, type_: &str, reason: &str) -> anyhow::Result<Value> {
        let wanted = |job: &Value| condition(job, type_).is_some_and(|c| c["reason"] == reason);
        self.until(namespace, name, wanted).await
    }

    /// Waits until an object is gone.
    pub async fn until_gone(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        until_gone(&self.jobs(namespace), name).await
    }
}

/// An object, as it is stored.
pub async fn stored(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<Option<Value>> {
    let object = api.get_opt(name).await?;
    Ok(object.map(serde_json::to_value).transpose()?)
}

/// Waits until an object is as wanted; the error shows how it is instead.
pub async fn until(api: &Api<DynamicObject>, name: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    wait::until(&format!("{}/{name} is as wanted", api.resource_url()), async || {
        Ok(match stored(api, name).await? {
            Some(object) if wanted(&object) => Look::Done(object),
            Some(object) => Look::Not(format!("{:#}", object["status"])),
            None => Look::Not("gone".to_owned()),
        })
    })
    .await
}

/// Waits until an object is gone.
pub async fn until_gone(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<()> {
    wait::until(&format!("{}/{name} is gone", api.resource_url()), async || {
        let object = stored(api, name).await?;
        Ok(object.map_or(Look::Done(()), |object| Look::Not(format!("{:#}", object["status"]))))
    })
    .await
}

/// What the chart gives operators that are told their cluster id, as those of a stage are; rendered once.
async fn rights() -> anyhow::Result<&'static Rights> {
    static RIGHTS: OnceCell<Rights> = OnceCell::const_new();
    let values = format!("defaultClass.region={REGION},clusterId={CLUSTER_ID}");
    RIGHTS.get_or_try_init(|| Rights::render(NAMESPACE, &values)).await
}

/// How a dynamic client finds the jobs.
pub fn job_resource() -> ApiResource {
    resource_of(TRANSCRIPTION)
}

/// How a dynamic client finds the jobs of a kind.
pub fn resource_of(kind: &str) -> ApiResource {
    resource(kind, &format!("{}s", kind.to_lowercase()))
}

/// How a dynamic client finds the classes.
pub fn class_resource() -> ApiResource {
    resource("TranscriptionClass", "transcriptionclasses")
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: "transcribe-operator.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "transcribe-operator.io/v1alpha1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|c| c["type"] == type_)
}
