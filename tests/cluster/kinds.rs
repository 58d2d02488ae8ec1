//! Every kind, from `kubectl apply` to the deletion of its record.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use testkit::aws_sim::outcomes::{FAILURES, INTERNAL, SKIPS};
use testkit::stage::REGION;
use testkit::wait;
use tokio::sync::OnceCell;
use transcribe_operator::api::Kind;

use crate::samples::minimal;
use crate::scene::{KEY, ROLE, Scene, Tenant, lists, message, says, tenant};

const CLASS: &str = "every-kind";
/// Scenarios run at the same time, and two that apply one new object get in each other's way.
static MADE: OnceCell<()> = OnceCell::const_new();

/// A tenant whose class takes every kind and supplies what AWS requires.
async fn tenant_of_every_kind(prefix: &str) -> Result<Tenant<'static>> {
    let class = json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "kinds-transcripts", "unprefixedKinds": ["MedicalScribeJob"]},
        "encryption": {"defaultKmsKeyId": KEY, "addedContext": {"team": "{namespace}"}, "kindsWithoutContext": "Allow"},
        "dataAccess": {"defaultRoleArn": ROLE},
    });
    let stage = &Scene::shared().await?.stage;
    MADE.get_or_try_init(|| stage.class(CLASS, false, &class)).await?;
    tenant(prefix).await
}

fn object(kind: Kind, name: &str) -> Value {
    let mut spec = minimal(kind);
    spec["transcriptionClassName"] = json!(CLASS);
    spec["media"]["mediaFileUri"] = json!(format!("s3://media/{name}.wav"));
    let api_version = "transcribe-operator.io/v1alpha1";
    json!({"apiVersion": api_version, "kind": kind.name(), "metadata": {"name": name}, "spec": spec})
}

async fn get(tenant: &Tenant<'_>, kind: Kind, name: &str) -> Result<Value> {
    let shown = tenant.kubectl(&["get", kind.plural(), name, "-o", "json"]).await?;
    Ok(serde_json::from_str(&shown)?)
}

/// Waits until a job of that kind is as kubectl is told to wait for, and returns it.
pub async fn until_condition(tenant: &Tenant<'_>, kind: Kind, name: &str, condition: &str) -> Result<Value> {
    let (what, condition) = (format!("{}/{name}", kind.plural()), format!("--for={condition}"));
    let waited = tenant.kubectl(&["wait", &what, &condition, wait::TIMEOUT]).await;
    let seen = get(tenant, kind, name).await?;
    ensure!(waited.is_ok(), "{kind}: {waited:?}: {:#}", seen["status"]);
    Ok(seen)
}

pub async fn each_runs_once_with_its_key_and_takes_its_record_along() -> Result<()> {
    let tenant = tenant_of_every_kind("kinds").await?;
    for kind in Kind::ALL {
        tenant.apply(&object(*kind, "call")).await?;
    }
    for kind in Kind::ALL {
        let seen = until_condition(&tenant, *kind, "call", "condition=Finished").await?;
        let status = &seen["status"];
        let uid = seen["metadata"]["uid"].as_str().unwrap();
        assert_eq!(status["jobStatus"], "COMPLETED", "{kind}: {status:#}");
        assert_eq!(status["encryption"]["kmsKeyArn"], KEY, "{kind}");
        let context = (*kind != Kind::CallAnalyticsJob).then(|| json!({"team": tenant.namespace}));
        assert_eq!(status["encryption"]["context"], json!(context), "{kind}");
        let prefix = match kind {
            Kind::MedicalScribeJob => "s3://kinds-transcripts/".to_owned(),
            _ => format!("s3://kinds-transcripts/{}/{kind}/call/{uid}-1/", tenant.namespace),
        };
        says(
            status["output"]["transcriptUri"].as_str().unwrap_or_default(),
            &[&prefix],
        )?;
        let note = status["output"]["clinicalDocumentUri"].is_string();
        assert_eq!(note, *kind == Kind::MedicalScribeJob, "{kind}");
        for time in ["creationTime", "startTime", "completionTime", "duration"] {
            assert!(status[time].is_string(), "{kind} {time}: {status:#}");
        }
        let starts = tenant.applied(&format!("Start{kind}"), uid);
        assert_eq!(starts.len(), 1, "{kind}: {starts:#?}");
        assert_eq!(starts[0].body["OutputEncryptionKMSKeyId"], KEY, "{kind}");
        assert_eq!(tenant.records(uid)[0].kind, kind.name());

        tenant
            .kubectl(&["delete", kind.plural(), "call", wait::TIMEOUT])
            .await?;
        assert_eq!(tenant.applied(&format!("Delete{kind}"), uid).len(), 1, "{kind}");
        assert!(tenant.records(uid).is_empty(), "{kind}");
    }
    Ok(())
}

pub async fn each_that_aws_fails_says_why_and_is_run_anew_where_that_may_help() -> Result<()> {
    let tenant = tenant_of_every_kind("kinds-failed").await?;
    let (broken, permanent) = FAILURES[0];
    let passing = "fail-first-1";
    for kind in Kind::ALL {
        for name in [broken, passing] {
            let mut object = object(*kind, name);
            // A URI of its own: the simulator counts the failures of each.
            object["spec"]["media"]["mediaFileUri"] = json!(format!("s3://media/{name}/{}.wav", kind.plural()));
            object["spec"]["backoffLimit"] = json!(1);
            tenant.apply(&object).await?;
        }
    }
    for kind in Kind::ALL {
        let seen = until_condition(&tenant, *kind, broken, "condition=Finished").await?;
        let status = &seen["status"];
        assert_eq!(status["jobStatus"], "FAILED", "{kind}: {status:#}");
        assert_eq!(status["failureReason"], permanent, "{kind}");
        says(&message(&seen, "Failed", "True", "JobFailed")?, &[permanent])?;
        let uid = seen["metadata"]["uid"].as_str().unwrap();
        assert_eq!(tenant.applied(&format!("Start{kind}"), uid).len(), 1, "{kind}");

        let seen = until_condition(&tenant, *kind, passing, "condition=Finished").await?;
        let status = &seen["status"];
        assert_eq!(status["jobStatus"], "COMPLETED", "{kind}: {status:#}");
        assert_eq!(status["attempts"][0]["failureReason"], INTERNAL, "{kind}");
        let uid = seen["metadata"]["uid"].as_str().unwrap();
        assert_eq!(tenant.applied(&format!("Start{kind}"), uid).len(), 2, "{kind}");
    }
    Ok(())
}

pub async fn a_summary_that_was_skipped_is_accounted_for() -> Result<()> {
    let tenant = tenant_of_every_kind("kinds-skipped").await?;
    let kind = Kind::CallAnalyticsJob;
    for (name, ..) in SKIPS {
        let mut object = object(kind, name);
        object["spec"]["settings"] = json!({"summarization": {"generateAbstractiveSummary": true}});
        tenant.apply(&object).await?;
    }
    for (name, code, text) in SKIPS {
        let seen = until_condition(&tenant, kind, name, "condition=Complete").await?;
        let skipped = json!([{"feature": "GENERATIVE_SUMMARIZATION", "reasonCode": code, "message": text}]);
        assert_eq!(seen["status"]["skipped"], skipped, "{name}");
    }
    Ok(())
}

/// The sweeps of one kind say nothing about the jobs of another.
pub async fn running_jobs_of_every_kind_are_followed_by_sweeps_alone() -> Result<()> {
    let tenant = tenant_of_every_kind("sweeps").await?;
    let mut gets = Vec::new();
    for kind in Kind::ALL {
        tenant.apply(&object(*kind, "slow")).await?;
        let running = "jsonpath={.status.jobStatus}=IN_PROGRESS";
        let seen = until_condition(&tenant, *kind, "slow", running).await?;
        let uid = seen["metadata"]["uid"].as_str().unwrap().to_owned();
        gets.push((tenant.count(&uid, &format!("Get{kind}")), uid));
    }
    for n in 0..6 {
        // A pass looks at what the last sweep saw.
        let touched = format!("touched=n{n}");
        for kind in Kind::ALL {
            let args = ["label", kind.plural(), "slow", "--overwrite", &touched];
            tenant.kubectl(&args).await?;
        }
        let swept = Kind::ALL.iter().map(|kind| lists(tenant.sim(), kind.name(), 2));
        try_join_all(swept).await?;
    }
    for (kind, (get, _)) in Kind::ALL.iter().zip(&gets) {
        assert_eq!(tenant.sim().fired(*get), 0, "{kind} was got one by one");
    }
    Ok(())
}
