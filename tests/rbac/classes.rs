//! What the grants on classes and namespaces are for, seen from outside.

use anyhow::Result;
use http::Method;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::fault_proxy::{Fault, FaultProxy, Rule};
use testkit::stage::{REGION, class_resource, condition, repository};

use crate::scenarios::is;
use crate::scene::{Scene, TRIES};

const CLASS: &str = "team";
/// The place in the CRD of what a class's Region must look like.
const PATTERN: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/region/pattern";

pub async fn the_default_class_is_made(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.builder(&scene.stage.plane.url()).start()?;
    scene.comes(async || Ok(!scene.class("default").await?.is_null())).await
}

pub async fn a_class_that_is_made_later_is_ready(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    a_class_is_ready(scene).await
}

pub async fn a_class_says_whether_it_is_ready(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.builder(&scene.stage.plane.url()).start()?;
    a_class_is_ready(scene).await
}

async fn a_class_is_ready(scene: &Scene<'_>) -> Result<bool> {
    scene.put_class(CLASS, &json!({})).await?;
    let ready = async || Ok(is(&scene.class(CLASS).await?, "Ready", "IdentityVerified"));
    scene.class_comes(ready).await
}

pub async fn a_class_has_the_finalizer(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.builder(&scene.stage.plane.url()).start()?;
    scene.put_class(CLASS, &json!({})).await?;
    let protected = async || Ok(scene.class(CLASS).await?["metadata"]["finalizers"].is_array());
    scene.class_comes(protected).await
}

/// The watch tells of nothing any more.
pub async fn a_class_that_was_just_made_is_found(scene: &Scene<'_>) -> Result<bool> {
    let proxy = FaultProxy::kubernetes(&scene.stage.plane).await?;
    let operator = scene.builder(&proxy.url()).start()?;
    operator.wait_ready().await?;
    let watch = Rule::new(Fault::Freeze).method(Method::GET);
    let _frozen = proxy.add(watch.path("/transcriptionclasses$").query("watch"));
    scene.put_class(CLASS, &json!({})).await?;
    scene.submit(json!({"transcriptionClassName": CLASS})).await?;
    let told = |job: &Value| condition(job, "Ready").is_some_and(|c| c["reason"] != "NoClass");
    let over = async |_| scene.job_is(|job| is(job, "Ready", "NoClass")).await;
    scene
        .comes_unless(async || scene.job_is(told).await, over, async || Ok(()))
        .await
}

pub async fn a_namespace_that_is_labelled_later_may_use_the_class(scene: &Scene<'_>) -> Result<bool> {
    let _operator = scene.operator(&[]).await?;
    let selector = json!({"namespaceSelector": {"matchLabels": {"team": &scene.namespace}}});
    scene.put_class(CLASS, &selector).await?;
    scene.submit(json!({"transcriptionClassName": CLASS})).await?;
    scene.until_reason("Ready", "NoClass").await?;
    let label = format!("team={}", scene.namespace);
    let labelled = ["label", "namespace", &scene.namespace, &label];
    scene.stage.kubectl.run(&labelled).await?.ok()?;
    scene.job_comes(|job| is(job, "Finished", "Completed")).await
}

/// As an older version of the CRD may have let it in.
pub async fn a_class_that_cannot_be_read_says_so(scene: &Scene<'_>) -> Result<bool> {
    let crd = [
        "patch",
        "crd",
        "transcriptionclasses.transcribe-operator.io",
        "--type=json",
        "-p",
    ];
    let looser = json!([{"op": "remove", "path": PATTERN}]).to_string();
    scene.stage.kubectl.run(&[&crd[..], &[&looser]].concat()).await?.ok()?;
    let _operator = scene.builder(&scene.stage.plane.url()).start()?;
    let unread = async || match scene.put_class(CLASS, &json!({"region": "NOWHERE"})).await {
        // The looser schema is not in force yet.
        Err(_) => Ok(false),
        Ok(()) => Ok(condition(&scene.class(CLASS).await?, "Ready").is_some()),
    };
    let said = scene.class_comes(unread).await;
    let crds = repository().join("crds");
    let strict = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        crds.to_str().unwrap_or_default(),
    ];
    scene.stage.kubectl.run(&strict).await?.ok()?;
    said
}

impl Scene<'_> {
    /// A class, or `Null`.
    async fn class(&self, name: &str) -> Result<Value> {
        let class = self.classes().get_opt(name).await?;
        Ok(class.map(serde_json::to_value).transpose()?.unwrap_or_default())
    }

    /// A class that every namespace may use, with these members instead.
    async fn put_class(&self, name: &str, members: &Value) -> Result<()> {
        let mut spec = json!({
            "region": REGION, "namespaceSelector": {}, "input": {"allowedUris": ["*"]},
            "output": {"bucketName": "team-transcripts"},
        });
        for (member, value) in members.as_object().into_iter().flatten() {
            spec[member] = value.clone();
        }
        self.stage.class(name, false, &spec).await
    }

    /// Whether the class comes to be so. An edit makes the operator try again: by itself it does so only after seconds.
    async fn class_comes(&self, is_so: impl AsyncFn() -> Result<bool>) -> Result<bool> {
        let over = async |refused| Ok(refused >= TRIES);
        let edit = Patch::Merge(json!({"metadata": {"annotations": {"tests/edited": "yes"}}}));
        let again = async || {
            self.classes().patch(CLASS, &PatchParams::default(), &edit).await?;
            Ok(())
        };
        self.comes_unless(is_so, over, again).await
    }

    fn classes(&self) -> Api<kube::api::DynamicObject> {
        Api::all_with(self.stage.client.clone(), &class_resource())
    }

    /// Leaves no class for the next operator.
    pub async fn clear_classes(&self) -> Result<()> {
        for name in ["default", CLASS] {
            if self.classes().get_opt(name).await?.is_some() {
                let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                self.classes().patch(name, &PatchParams::default(), &free).await?;
                self.classes().delete(name, &DeleteParams::default()).await?;
            }
        }
        Ok(())
    }
}
