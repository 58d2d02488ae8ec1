//! Records that are not what they should be: vanished, foreign, or another object's.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::stage::CLUSTER_ID;

use crate::scene::{BOUND, foreign, job, job_name, message, says, tenant, time};

pub async fn a_record_that_vanished_is_looked_for_again_and_then_the_job_is_lost_and_not_repeated() -> Result<()> {
    let tenant = tenant("vanished").await?;
    tenant.apply(&job("slow", json!({"backoffLimit": 3}))).await?;
    let seen = tenant.until_reason("slow", "Ready", "InProgress").await?;
    let name = seen["status"]["jobName"].as_str().context("a name")?;
    tenant.sim().remove_job(name);
    let seen = tenant.until_reason("slow", "Ready", "RecordMissing").await?;
    says(
        &message(&seen, "Reconciling", "True", "RecordMissing")?,
        &[name, "does not find it now", "looked for again at"],
    )?;
    let since = time(&seen["status"]["submission"]["absentSince"])?;
    let seen = tenant.until_finished("slow", "RecordLost").await?;
    says(
        &message(&seen, "Failed", "True", "RecordLost")?,
        &[name, "vanished", "may have run and been billed"],
    )?;
    let uid = tenant.uid("slow").await?;
    let waited = tenant.last_look(&uid)?.duration_since(since);
    assert!(waited >= BOUND, "lost after {waited}");
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}

pub async fn a_foreign_job_under_our_name_is_neither_adopted_nor_deleted() -> Result<()> {
    let tenant = tenant("conflict").await?;
    let uid = tenant.hold("job", json!({})).await?;
    let name = job_name(&uid, 1);
    tenant.sim().put_foreign_job(&foreign(&name, &[("team", "others")]))?;
    tenant.resume("job").await?;
    let seen = tenant.until_finished("job", "NameConflict").await?;
    says(
        &message(&seen, "Failed", "True", "NameConflict")?,
        &[&name, "did not make", "left alone", "Create a new object"],
    )?;
    assert_eq!(seen["status"]["output"], Value::Null);
    tenant.delete("job").await?;
    tenant.until_gone("job").await?;
    assert_eq!(
        (
            tenant.starts(&uid).len(),
            tenant.deletes(&uid).len(),
            tenant.records(&uid).len()
        ),
        (0, 0, 1)
    );
    Ok(())
}

pub async fn a_record_of_our_name_and_tags_that_is_older_than_the_object_is_not_ours() -> Result<()> {
    let tenant = tenant("older").await?;
    let uid = tenant.hold("job", json!({})).await?;
    let tags = [
        ("transcribe-operator.io/uid", &*uid),
        ("transcribe-operator.io/cluster", CLUSTER_ID),
    ];
    tenant.sim().put_foreign_job(&foreign(&job_name(&uid, 1), &tags))?;
    tenant.resume("job").await?;
    tenant.until_finished("job", "NameConflict").await?;
    tenant.delete("job").await?;
    tenant.until_gone("job").await?;
    assert_eq!((tenant.deletes(&uid).len(), tenant.records(&uid).len()), (0, 1));
    Ok(())
}

pub async fn a_copied_object_submits_nothing_until_its_annotation_is_removed() -> Result<()> {
    let tenant = tenant("copied").await?;
    tenant.apply(&job("original", json!({}))).await?;
    tenant.until_finished("original", "Completed").await?;
    copy(&tenant, "original", "copy").await?;
    let seen = tenant.until_reason("copy", "Stalled", "Restored").await?;
    let annotation = "transcribe-operator.io/owner-uid";
    says(
        &message(&seen, "Stalled", "True", "Restored")?,
        &["a copy", annotation, "remove the annotation"],
    )?;
    let uid = tenant.uid("copy").await?;
    assert!(tenant.starts(&uid).is_empty());

    tenant
        .kubectl(&["annotate", "tj", "copy", &format!("{annotation}-")])
        .await?;
    let seen = tenant.until_finished("copy", "Completed").await?;
    assert_eq!(tenant.starts(&uid).len(), 1);
    assert_eq!(
        seen["metadata"]["annotations"][annotation], uid,
        "a copy of the copy is a copy too"
    );
    copy(&tenant, "copy", "copy-of-copy").await?;
    tenant.until_reason("copy-of-copy", "Stalled", "Restored").await?;
    tenant.delete("copy-of-copy").await?;
    tenant.until_gone("copy-of-copy").await
}

/// `kubectl get -o json`, renamed, and applied: what a backup does.
async fn copy(tenant: &crate::scene::Tenant<'_>, from: &str, to: &str) -> Result<()> {
    let mut copy = tenant.job(from).await?;
    let metadata = copy["metadata"].as_object_mut().context("metadata")?;
    metadata.insert("name".to_owned(), json!(to));
    for server_side in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
    ] {
        metadata.remove(server_side);
    }
    tenant.apply(&copy).await
}
