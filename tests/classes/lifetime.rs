//! Classes that come and go.

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::stage::{BUCKET, REGION};
use testkit::wait::{self, Look};

use crate::rig::{FINANCE, Rig, SALES, message, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_is_deleted_takes_no_new_job_and_stays_until_nothing_is_left_of_it() -> Result<()> {
    // Short, since all of it is waited for: an object that goes before its job has ended, and a record without an object.
    let short = ["--deletion-max-wait", "2s", "--gc-interval", "2s"];
    let bound = ["--signature-window", "1s", "--max-skew", "2s"];
    let rig = Rig::start(&[&short[..], &bound].concat()).await?;
    rig.class(FINANCE, json!({})).await?;
    let namespace = rig.namespace(FINANCE).await?;
    rig.apply(&namespace, "slow", Some("finance"), json!({})).await?;
    rig.until_reason(&namespace, "slow", "InProgress").await?;
    rig.apply(&namespace, "held", Some("finance"), json!({"suspend": true}))
        .await?;
    rig.until_reason(&namespace, "held", "Suspended").await?;
    rig.stage
        .kubectl
        .run(&["delete", "tcls", "finance", "--wait=false"])
        .await?
        .ok()?;
    let told = rig.until_class("finance", "Ready", "Terminating").await?;
    says(&told, &["accepts no new job", "1 submitted jobs"])?;
    rig.edit(&namespace, "held", json!({"suspend": false})).await?;
    let seen = rig.until_reason(&namespace, "held", "NoClass").await?;
    says(message(&seen, "Stalled"), &["there is no class 'finance'"])?;

    // The object goes before its job has ended; the class stays until the record is swept.
    rig.stage
        .kubectl
        .run(&["delete", "tj", "slow", "-n", &namespace, "--wait=false"])
        .await?
        .ok()?;
    rig.stage.until_gone(&namespace, "slow").await?;
    let left = |class: &Value| message(class, "Ready").contains("1 records of jobs whose objects are gone");
    let class = rig.until_class_is("finance", left).await?;
    says(message(&class, "Ready"), &["cannot be removed yet", "abandon-records"])?;
    rig.stage.sim.finish_all();
    rig.until_class_gone("finance").await?;
    assert!(rig.stage.sim.jobs().is_empty(), "the record was swept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_class_left_is_looked_after_by_another_one_of_its_account() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    rig.class(FINANCE, json!({})).await?;
    let namespace = rig.namespace(FINANCE).await?;
    rig.apply(&namespace, "slow", Some("finance"), json!({})).await?;
    let seen = rig.until_reason(&namespace, "slow", "InProgress").await?;
    // By force: nothing but the class knows which role may look there.
    let unfinalized = json!([{"op": "remove", "path": "/metadata/finalizers"}]).to_string();
    rig.operator.stop()?;
    let kubectl = &rig.stage.kubectl;
    kubectl
        .run(&["delete", "tcls", "finance", "--wait=false"])
        .await?
        .ok()?;
    kubectl
        .run(&["patch", "tcls", "finance", "--type=json", "-p", &unfinalized])
        .await?
        .ok()?;
    rig.operator.restart()?;
    rig.operator.wait_ready().await?;
    let told = rig.until_reason(&namespace, "slow", "IdentityChanged").await?;
    says(
        message(&told, "Ready"),
        &[
            FINANCE.account,
            "once there is a TranscriptionClass for that account and Region",
        ],
    )?;
    // A class of another account helps nothing.
    rig.class(SALES, json!({})).await?;
    let another = json!({"region": REGION, "identity": FINANCE.class()["identity"]});
    rig.stage.class("another", false, &another).await?;
    rig.stage.sim.finish_all();
    rig.until_reason(&namespace, "slow", "Completed").await?;
    assert_eq!(rig.starts(&seen).len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_class_is_made_once_and_what_people_make_of_it_stays() -> Result<()> {
    let rig = Rig::start(&["--region", REGION, "--output-bucket", BUCKET]).await?;
    let class = rig.until_class_is("default", |_| true).await?;
    let account = "111122223333";
    assert_eq!(
        class["metadata"]["annotations"]["transcribe-operator.io/is-default-class"],
        "true"
    );
    assert_eq!(
        class["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "transcribe-operator"
    );
    assert_eq!(class["spec"]["output"]["bucketName"], BUCKET);
    let keys = json!([
        format!("arn:aws:kms:{REGION}:{account}:key/*"),
        format!("arn:aws:kms:{REGION}:{account}:alias/*")
    ]);
    assert_eq!(class["spec"]["encryption"]["allowedKmsKeys"], keys);
    rig.until_class("default", "Default", "IsDefault").await?;

    let patch = json!({"spec": {"output": {"bucketName": "another-bucket"}}}).to_string();
    rig.stage
        .kubectl
        .run(&["patch", "tcls", "default", "--type=merge", "-p", &patch])
        .await?
        .ok()?;
    rig.operator.restart()?;
    rig.operator.wait_ready().await?;

    // One more default, which is newer (times of creation are told to the second): it wins, and both say so.
    let created = class["metadata"]["creationTimestamp"].as_str().context("a time")?;
    let next_second = created.parse::<Timestamp>()? + SignedDuration::from_secs(1);
    wait::until_so("the next second", async || Timestamp::now() > next_second).await?;
    rig.stage.class("newer", true, &json!({"region": REGION})).await?;
    rig.until_class("newer", "Default", "IsDefault").await?;
    says(
        &rig.until_class("default", "Default", "AnotherIsDefault").await?,
        &["'newer'"],
    )?;
    let class = rig.until_class_is("default", |_| true).await?;
    assert_eq!(class["spec"]["output"]["bucketName"], "another-bucket");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_cannot_be_read_says_so_holds_up_no_other_and_can_be_deleted() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    let kubectl = &rig.stage.kubectl;
    // As an older version may have accepted it.
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/region/pattern";
    let looser = json!([{"op": "remove", "path": path}]).to_string();
    let crd = "transcriptionclasses.transcribe-operator.io";
    kubectl
        .run(&["patch", "crd", crd, "--type=json", "-p", &looser])
        .await?
        .ok()?;
    wait::until("the looser schema is in force", async || {
        let applied = rig.stage.class("poison", false, &json!({"region": "NOWHERE"})).await;
        Ok(applied.map_or_else(|refused| Look::Not(refused.to_string()), Look::Done))
    })
    .await?;
    says(
        &rig.until_class("poison", "Ready", "Unreadable").await?,
        &["cannot be read", "AWS Region"],
    )?;
    rig.class(FINANCE, json!({})).await?;
    let namespace = rig.namespace(FINANCE).await?;
    rig.apply(&namespace, "job", Some("finance"), json!({})).await?;
    rig.until_reason(&namespace, "job", "Completed").await?;
    let finalizer = json!({"metadata": {"finalizers": ["transcribe-operator.io/class"]}}).to_string();
    kubectl
        .run(&["patch", "tcls", "poison", "--type=merge", "-p", &finalizer])
        .await?
        .ok()?;
    kubectl.run(&["delete", "tcls", "poison", "--wait=false"]).await?.ok()?;
    rig.until_class_gone("poison").await
}
