//! What is refused, by the operator and by AWS: said with the field and the fix, and corrected by an edit.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::aws_sim::When;

use crate::scene::{KEY, error, job, message, says, tenant, types};

const START: &str = "StartTranscriptionJob";

/// The object waits for an edit and nothing is under way.
fn stalled(seen: &Value, reason: &str, parts: &[&str]) -> Result<()> {
    says(&message(seen, "Stalled", "True", reason)?, parts)?;
    says(&message(seen, "Ready", "False", reason)?, parts)?;
    let types = types(seen);
    assert!(
        !types.contains(&"Reconciling") && !types.contains(&"Finished"),
        "{types:?}"
    );
    Ok(())
}

pub async fn a_key_that_does_not_exist_stalls_until_an_edit_names_one_that_does() -> Result<()> {
    let tenant = tenant("alias").await?;
    tenant
        .apply(&job("job", json!({"encryption": {"kmsKeyId": "alias/finance"}})))
        .await?;
    let seen = tenant.until_reason("job", "Stalled", "KeyNotFound").await?;
    let parts = ["spec.encryption.kmsKeyId", "there is no such key"];
    stalled(&seen, "KeyNotFound", &parts)?;
    says(&message(&seen, "EncryptionReady", "False", "KeyNotFound")?, &parts)?;
    says(&tenant.kubectl(&["get", "tj"]).await?, &["KeyNotFound"])?;
    let uid = tenant.uid("job").await?;
    assert!(tenant.starts(&uid).is_empty());

    tenant.edit("job", json!({"encryption": {"kmsKeyId": KEY}})).await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    message(&seen, "EncryptionReady", "True", "KeyResolved")?;
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}

pub async fn a_key_of_another_region_stalls_and_says_which_region_is_needed() -> Result<()> {
    let tenant = tenant("region").await?;
    let key = KEY.replace("eu-west-1", "us-east-1");
    tenant
        .apply(&job("job", json!({"encryption": {"kmsKeyId": key}})))
        .await?;
    let seen = tenant.until_reason("job", "Stalled", "KeyRegionMismatch").await?;
    stalled(
        &seen,
        "KeyRegionMismatch",
        &["spec.encryption.kmsKeyId", "us-east-1", "use a key of eu-west-1"],
    )?;
    tenant.edit("job", json!({"encryption": null})).await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    message(&seen, "EncryptionReady", "True", "ServiceManagedKey")?;
    Ok(())
}

pub async fn a_class_that_does_not_exist_stalls_and_the_message_names_the_one_that_does() -> Result<()> {
    let tenant = tenant("class").await?;
    tenant
        .apply(&job("job", json!({"transcriptionClassName": "finance"})))
        .await?;
    let seen = tenant.until_reason("job", "Stalled", "NoClass").await?;
    stalled(&seen, "NoClass", &["spec.transcriptionClassName", "'default'"])?;
    tenant.edit("job", json!({"transcriptionClassName": "default"})).await?;
    tenant.until_finished("job", "Completed").await.map(drop)
}

pub async fn a_role_that_the_class_does_not_allow_stalls_until_it_is_left_out() -> Result<()> {
    let tenant = tenant("role").await?;
    let settings = json!({"allowDeferredExecution": true, "dataAccessRoleArn": "arn:aws:iam::111122223333:role/admin"});
    tenant
        .apply(&job("job", json!({"jobExecutionSettings": settings})))
        .await?;
    let seen = tenant.until_reason("job", "Stalled", "NotAllowed").await?;
    stalled(
        &seen,
        "NotAllowed",
        &[
            "spec.jobExecutionSettings.dataAccessRoleArn",
            "does not allow this role",
        ],
    )?;
    assert!(tenant.starts(&tenant.uid("job").await?).is_empty());
    tenant.edit("job", json!({"jobExecutionSettings": null})).await?;
    tenant.until_finished("job", "Completed").await.map(drop)
}

pub async fn what_aws_refuses_stalls_and_is_submitted_once_it_is_corrected() -> Result<()> {
    let tenant = tenant("bad-request").await?;
    tenant.apply(&job("no-access", json!({}))).await?;
    let stable = |seen: &Value| seen["status"]["rejection"].is_object() && seen["status"]["submission"].is_null();
    let seen = tenant.until("no-access", stable).await?;
    stalled(&seen, "Refused", &["BadRequestException", "can't be accessed"])?;
    assert_eq!(seen["status"]["rejection"]["count"], 1);
    assert_eq!(seen["status"]["jobName"], Value::Null);
    let uid = tenant.uid("no-access").await?;
    assert!(tenant.starts(&uid).is_empty() && tenant.records(&uid).is_empty());

    tenant
        .edit(
            "no-access",
            json!({"media": {"mediaFileUri": "s3://media/readable.wav"}}),
        )
        .await?;
    let seen = tenant.until_finished("no-access", "Completed").await?;
    assert_eq!(seen["status"]["rejection"], Value::Null);
    let starts = tenant.starts(&uid);
    assert_eq!(starts.len(), 1);
    assert_eq!(starts[0].body["Media"]["MediaFileUri"], "s3://media/readable.wav");
    Ok(())
}

pub async fn denied_access_stalls_in_awss_words_and_a_look_on_demand_submits() -> Result<()> {
    let tenant = tenant("denied").await?;
    let uid = tenant.hold("job", json!({})).await?;
    let denied = error(
        "AccessDeniedException",
        "not authorized to perform: transcribe:StartTranscriptionJob",
    );
    tenant.fault(&uid, START, 1, When::Before, denied);
    tenant.resume("job").await?;
    let seen = tenant.until_reason("job", "Stalled", "AccessDenied").await?;
    stalled(&seen, "AccessDenied", &["transcribe:StartTranscriptionJob"])?;
    assert!(tenant.starts(&uid).is_empty());
    let seen = tenant
        .until("job", |seen| seen["status"]["submission"].is_null())
        .await?;
    assert!(seen["status"]["nextAttemptTime"].is_string(), "{:#}", seen["status"]);

    tenant.look_now("job", "1").await?;
    let seen = tenant.until_finished("job", "Completed").await?;
    assert_eq!(seen["status"]["lastHandledReconcileAt"], "1");
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}

pub async fn throttling_is_backpressure_with_a_reason_and_no_failure() -> Result<()> {
    for code in ["ThrottlingException", "LimitExceededException"] {
        let tenant = tenant("throttled").await?;
        let uid = tenant.hold("job", json!({})).await?;
        let fault = tenant.fault(&uid, START, 2, When::Before, error(code, "Rate exceeded"));
        tenant.resume("job").await?;
        let seen = tenant.until_reason("job", "Reconciling", "Throttled").await?;
        says(
            &message(&seen, "Ready", "False", "Throttled")?,
            &[code, "Rate exceeded"],
        )?;
        assert!(
            !types(&seen)
                .iter()
                .any(|type_| ["Stalled", "Failed", "Finished"].contains(type_)),
            "{:?}",
            types(&seen)
        );
        assert!(seen["status"]["nextAttemptTime"].is_string());
        let seen = tenant.until_finished("job", "Completed").await?;
        assert_eq!(seen["status"]["attempt"], 1);
        assert_eq!(seen["status"]["rejection"], Value::Null);
        assert_eq!((tenant.sim().fired(fault), tenant.starts(&uid).len()), (2, 1));
    }
    Ok(())
}

pub async fn media_that_is_too_long_stalls_while_others_are_admitted_and_can_be_replaced() -> Result<()> {
    let tenant = tenant("too-long").await?;
    tenant.apply(&job("short", json!({}))).await?;
    tenant.until_finished("short", "Completed").await?;
    tenant.apply(&job("too-long", json!({}))).await?;
    // The operator tries again by itself too: how many refusals there are at each look is not known.
    let mut refusals = 0;
    while refusals < 6 {
        let count = |seen: &Value| seen["status"]["rejection"]["count"].as_i64().unwrap_or_default();
        let seen = tenant.until("too-long", |seen| count(seen) > refusals).await?;
        refusals = count(&seen);
        if refusals < 6 {
            message(&seen, "Reconciling", "True", "Throttled")?;
            tenant.look_now("too-long", &refusals.to_string()).await?;
        }
    }
    let seen = tenant
        .until_reason("too-long", "Stalled", "LimitOrInputTooLong")
        .await?;
    stalled(
        &seen,
        "LimitOrInputTooLong",
        &["LimitExceededException", "other jobs are admitted", "may be too long"],
    )?;
    let uid = tenant.uid("too-long").await?;
    assert!(tenant.starts(&uid).is_empty());

    tenant
        .until("too-long", |seen| seen["status"]["submission"].is_null())
        .await?;
    tenant
        .edit(
            "too-long",
            json!({"media": {"mediaFileUri": "s3://media/first-half.wav"}}),
        )
        .await?;
    tenant.until_finished("too-long", "Completed").await?;
    assert_eq!(tenant.starts(&uid).len(), 1);
    Ok(())
}
