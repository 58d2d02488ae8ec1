//! Jobs that run.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::stage::BUCKET;
use testkit::wait;

use crate::scene::{KEY, ROLE, bare, job, job_name, message, says, tenant, types};

pub async fn a_job_with_a_key_runs_once_and_its_status_says_how() -> Result<()> {
    let tenant = tenant("key").await?;
    let encryption = json!({"kmsKeyId": KEY, "context": {"department": "finance", "stage": "prod"}});
    tenant.apply(&job("standup", json!({"encryption": encryption}))).await?;
    tenant
        .kubectl(&["wait", "tj/standup", "--for=condition=Finished", wait::TIMEOUT])
        .await?;

    let seen = tenant.job("standup").await?;
    let status = &seen["status"];
    let uid = seen["metadata"]["uid"].as_str().context("a uid")?;
    assert_eq!(status["jobName"], job_name(uid, 1));
    assert_eq!(status["jobStatus"], "COMPLETED");
    assert_eq!(
        status["encryption"],
        json!({"mode": "SSE-KMS", "kmsKeyArn": KEY, "context": {"department": "finance", "stage": "prod"}})
    );
    says(
        &message(&seen, "EncryptionReady", "True", "KeyResolved")?,
        &["status.encryption"],
    )?;
    assert_eq!(types(&seen), ["Complete", "EncryptionReady", "Finished", "Ready"]);
    let transcript = status["output"]["transcriptUri"].as_str().context("a transcript")?;
    says(transcript, &[&format!("s3://{BUCKET}/"), ".json"])?;
    says(&message(&seen, "Ready", "True", "Completed")?, &[transcript])?;
    for time in ["creationTime", "startTime", "completionTime", "duration"] {
        assert!(status[time].is_string(), "{time}: {status:#}");
    }
    assert_eq!(status["observedGeneration"], seen["metadata"]["generation"]);

    let starts = tenant.starts(uid);
    assert_eq!(starts.len(), 1, "{starts:#?}");
    assert_eq!(starts[0].body["OutputEncryptionKMSKeyId"], KEY);
    assert_eq!(
        starts[0].body["KMSEncryptionContext"],
        json!({"department": "finance", "stage": "prod"})
    );
    assert_eq!(tenant.records(uid)[0].status, "COMPLETED");

    let table = tenant.kubectl(&["get", "tj"]).await?;
    says(&table, &["STATUS", "CLASS", "DURATION", "AGE", "Completed", "default"])?;
    says(
        &tenant.kubectl(&["get", "tj", "-o", "wide"]).await?,
        &[KEY, transcript, "en-US"],
    )?;
    tenant.until_told("standup", "Completed").await?;
    says(
        &tenant.kubectl(&["describe", "tj", "standup"]).await?,
        &["Events:", "InProgress", "Completed"],
    )
}

pub async fn a_job_without_a_key_says_that_its_output_is_encrypted_with_sse_s3() -> Result<()> {
    let tenant = tenant("no-key").await?;
    tenant.apply(&job("plain", json!({}))).await?;
    let seen = tenant.until_finished("plain", "Completed").await?;
    assert_eq!(seen["status"]["encryption"], json!({"mode": "SSE-S3"}));
    says(
        &message(&seen, "EncryptionReady", "True", "ServiceManagedKey")?,
        &["no key is asked for", "SSE-S3"],
    )?;
    let starts = tenant.starts(&tenant.uid("plain").await?);
    assert_eq!(starts.len(), 1);
    let members = starts[0].body.as_object().unwrap();
    assert!(!members.keys().any(|member| member.contains("KMS")), "{members:#?}");
    Ok(())
}

pub async fn every_member_of_the_request_arrives_in_aws_as_the_manifest_says() -> Result<()> {
    let tenant = tenant("members").await?;
    tenant.apply(&bare("known", &known_language())).await?;
    tenant.apply(&bare("identified", &identified_language())).await?;
    for (name, expected) in [("known", known_request()), ("identified", identified_request())] {
        let seen = tenant.until_finished(name, "Completed").await?;
        let uid = seen["metadata"]["uid"].as_str().context("a uid")?;
        let starts = tenant.starts(uid);
        assert_eq!(starts.len(), 1);
        let mut expected = expected;
        expected["TranscriptionJobName"] = json!(job_name(uid, 1));
        let below = expected["OutputKey"].as_str().unwrap_or_default();
        let prefix = format!("{}/TranscriptionJob/{name}/{uid}-1/", tenant.namespace);
        expected["OutputKey"] = json!(prefix + below);
        let mut body = starts[0].body.clone();
        let mut tags = tags(&mut body);
        for (key, value) in [
            ("uid", uid),
            ("cluster", "stage"),
            ("namespace", &tenant.namespace),
            ("name", name),
        ] {
            assert_eq!(
                tags.remove(&format!("transcribe-operator.io/{key}")),
                Some(json!(value))
            );
        }
        body["Tags"] = Value::Object(tags);
        assert_eq!(body, expected, "{name}: {body:#}");
    }
    Ok(())
}

/// Takes the tags out of a request, as a map: their order means nothing.
fn tags(body: &mut Value) -> serde_json::Map<String, Value> {
    let pairs = body["Tags"].take();
    let pairs = pairs.as_array().into_iter().flatten();
    pairs
        .map(|tag| (tag["Key"].as_str().unwrap_or_default().to_owned(), tag["Value"].clone()))
        .collect()
}

/// Every member that a job with a known language can have.
fn known_language() -> Value {
    json!({
        "transcriptionClassName": "default",
        "languageCode": "en-US",
        "media": {"mediaFileUri": "s3://media/members/known.flac"},
        "mediaFormat": "flac",
        "mediaSampleRateHertz": 44100,
        "outputBucketName": "finance-transcripts",
        "outputKey": "calls/2026/",
        "encryption": {"kmsKeyId": KEY, "context": {"department": "finance"}},
        "settings": {
            "vocabularyName": "terms", "showSpeakerLabels": true, "maxSpeakerLabels": 4, "channelIdentification": false,
            "showAlternatives": true, "maxAlternatives": 2, "vocabularyFilterName": "words",
            "vocabularyFilterMethod": "mask",
        },
        "modelSettings": {"languageModelName": "model"},
        "jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": ROLE},
        "contentRedaction": {
            "redactionType": "PII", "redactionOutput": "redacted_and_unredacted", "piiEntityTypes": ["NAME", "SSN"],
        },
        "subtitles": {"formats": ["vtt", "srt"], "outputStartIndex": 1},
        "toxicityDetection": [{"toxicityCategories": ["ALL"]}],
        "tags": {"cost-center": "4711"},
    })
}

fn known_request() -> Value {
    json!({
        "LanguageCode": "en-US",
        "Media": {"MediaFileUri": "s3://media/members/known.flac"},
        "MediaFormat": "flac",
        "MediaSampleRateHertz": 44100,
        "OutputBucketName": "finance-transcripts",
        "OutputKey": "calls/2026/",
        "OutputEncryptionKMSKeyId": KEY,
        "KMSEncryptionContext": {"department": "finance"},
        "Settings": {
            "VocabularyName": "terms", "ShowSpeakerLabels": true, "MaxSpeakerLabels": 4, "ChannelIdentification": false,
            "ShowAlternatives": true, "MaxAlternatives": 2, "VocabularyFilterName": "words",
            "VocabularyFilterMethod": "mask",
        },
        "ModelSettings": {"LanguageModelName": "model"},
        "JobExecutionSettings": {"AllowDeferredExecution": true, "DataAccessRoleArn": ROLE},
        "ContentRedaction": {
            "RedactionType": "PII", "RedactionOutput": "redacted_and_unredacted", "PiiEntityTypes": ["NAME", "SSN"],
        },
        "Subtitles": {"Formats": ["vtt", "srt"], "OutputStartIndex": 1},
        "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}],
        "Tags": {"cost-center": "4711"},
    })
}

/// Every member that only goes with the identification of the language.
fn identified_language() -> Value {
    json!({
        "identifyLanguage": true,
        "languageOptions": ["de-DE", "de-CH"],
        "languageIdSettings": {
            "de-CH": {"vocabularyName": "terms", "vocabularyFilterName": "words", "languageModelName": "model"},
        },
        "media": {"mediaFileUri": "s3://media/members/identified.mp3"},
    })
}

fn identified_request() -> Value {
    json!({
        "IdentifyLanguage": true,
        "LanguageOptions": ["de-DE", "de-CH"],
        "LanguageIdSettings": {
            "de-CH": {"VocabularyName": "terms", "VocabularyFilterName": "words", "LanguageModelName": "model"},
        },
        "Media": {"MediaFileUri": "s3://media/members/identified.mp3"},
        "OutputBucketName": BUCKET,
        "Tags": {},
    })
}

pub async fn the_request_of_a_submitted_job_is_frozen_and_the_refusal_says_what_to_do() -> Result<()> {
    let tenant = tenant("frozen").await?;
    tenant.apply(&job("slow", json!({}))).await?;
    tenant.until_reason("slow", "Ready", "InProgress").await?;
    for change in [
        json!({"media": {"mediaFileUri": "s3://media/other.wav"}}),
        json!({"encryption": {"kmsKeyId": KEY}}),
        json!({"deletionPolicy": "Retain"}),
    ] {
        let patch = json!({"spec": change}).to_string();
        let refusal = tenant
            .kubectl_refused(&["patch", "tj", "slow", "--type=merge", "-p", &patch])
            .await?;
        says(
            &refusal,
            &["the job is submitted", "create a new object for the changed job"],
        )?;
    }
    tenant
        .edit("slow", json!({"ttlSecondsAfterFinished": 60, "backoffLimit": 2}))
        .await?;
    assert_eq!(tenant.starts(&tenant.uid("slow").await?).len(), 1);
    Ok(())
}
