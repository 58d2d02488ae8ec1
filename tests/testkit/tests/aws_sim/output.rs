//! Where the output of each kind lies.

use super::*;

#[tokio::test]
async fn the_output_of_a_transcription_job_goes_where_aws_puts_it() {
    let sim = sim().await;
    let own = "https://s3.us-east-1.amazonaws.com/results";
    let redact = |output: &str| json!({"RedactionType": "PII", "RedactionOutput": output});
    #[rustfmt::skip]
    let table = [
        (json!({}), Some(format!("{own}/j0.json")), None),
        (json!({"OutputKey": "a/b.json"}), Some(format!("{own}/a/b.json")), None),
        (json!({"OutputKey": "a/b"}), Some(format!("{own}/a/b/j2.json")), None),
        (json!({"OutputKey": "a/", "ContentRedaction": redact("redacted")}), None, Some(format!("{own}/a/redacted-j3.json"))),
        (json!({"ContentRedaction": redact("redacted_and_unredacted")}), Some(format!("{own}/j4.json")), Some(format!("{own}/redacted-j4.json"))),
    ];
    for (index, (change, ..)) in table.iter().enumerate() {
        let mut body = request(&format!("j{index}"), change.clone());
        body["OutputBucketName"] = json!("results");
        body["Subtitles"] = json!({"Formats": ["vtt", "srt"]});
        assert_eq!(call(&sim, START, body).await.status, 200);
    }
    call(&sim, START, request("service", json!({}))).await;
    sim.finish_all();
    for (index, (_, plain, redacted)) in table.iter().enumerate() {
        let job = call(&sim, GET, json!({"TranscriptionJobName": format!("j{index}")}))
            .await
            .json()["TranscriptionJob"]
            .clone();
        assert_eq!(
            job["Transcript"]["TranscriptFileUri"].as_str().map(str::to_owned),
            *plain
        );
        assert_eq!(
            job["Transcript"]["RedactedTranscriptFileUri"]
                .as_str()
                .map(str::to_owned),
            *redacted
        );
        let stem = plain
            .as_ref()
            .or(redacted.as_ref())
            .unwrap()
            .strip_suffix(".json")
            .unwrap();
        assert_eq!(
            job["Subtitles"]["SubtitleFileUris"],
            json!([format!("{stem}.vtt"), format!("{stem}.srt")])
        );
    }
    let uri = async || {
        let job = call(&sim, GET, json!({"TranscriptionJobName": "service"})).await.json();
        job["TranscriptionJob"]["Transcript"]["TranscriptFileUri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (uri().await, uri().await);
    assert!(
        first.contains("X-Amz-Expires=900") && first.contains("/aws-transcribe-us-east-1-prod/"),
        "{first}"
    );
    assert_ne!(first, second, "each Get signs anew");
    let list = call(&sim, "ListTranscriptionJobs", json!({})).await.json();
    assert_eq!(
        list["TranscriptionJobSummaries"][0]["OutputLocationType"],
        "SERVICE_BUCKET"
    );
    assert_eq!(
        list["TranscriptionJobSummaries"][1]["OutputLocationType"],
        "CUSTOMER_BUCKET"
    );
}

/// The kind, members of the request, and the members of the reply that then say where the output is.
fn places() -> Vec<(&'static Kind, Value, Value)> {
    let own = "https://s3.us-east-1.amazonaws.com/results";
    let redact = |output: &str| json!({"ContentRedaction": {"RedactionType": "PII", "RedactionOutput": output}});
    let [_, medical, analytics, scribe] = &KINDS;
    let transcript = |key: &str| json!({"Transcript": {"TranscriptFileUri": format!("{own}/{key}")}});
    let location = |location: &str| json!({"OutputLocation": format!("s3://results{location}")});
    let redacted = format!("{own}/a/redacted-analytics/job-8");
    #[rustfmt::skip]
    let places = vec![
        (medical, json!({}), transcript("medical/job-0.json")),
        (medical, json!({"OutputKey": "a/b"}), transcript("a/b/job-1.json")),
        (medical, json!({"OutputKey": "a/b.json"}), transcript("a/b.json")),
        (analytics, location(""), transcript("analytics/job-3.json")),
        (analytics, location("/"), transcript("analytics/job-4.json")),
        (analytics, location("/a/b/"), transcript("a/b/analytics/job-5.json")),
        (analytics, location("/a/b.json"), transcript("a/b.json")),
        (analytics, with(location("/"), &json!({"Settings": redact("redacted_and_unredacted")})), json!({
            "Transcript": {"TranscriptFileUri": format!("{own}/analytics/job-7.json"),
                "RedactedTranscriptFileUri": format!("{own}/redacted-analytics/job-7.json")},
            "Media": {"MediaFileUri": "s3://media/a.wav",
                "RedactedMediaFileUri": format!("{own}/redacted-analytics/job-7.wav")}})),
        (analytics, with(location("/a/"), &json!({"Settings": redact("redacted"),
            "Media": {"RedactedMediaFileUri": "s3://media/a.flac"}})), json!({
            "Transcript": {"RedactedTranscriptFileUri": format!("{redacted}.json")},
            "Media": {"RedactedMediaFileUri": format!("{redacted}.flac")}})),
        (scribe, json!({}), json!({"MedicalScribeOutput": {"TranscriptFileUri": format!("{own}/job-9/transcript.json"),
            "ClinicalDocumentUri": format!("{own}/job-9/summary.json")}})),
    ];
    places
}

#[tokio::test]
async fn the_output_of_the_other_kinds_goes_where_it_was_seen_or_documented() {
    let sim = sim().await;
    let places = places();
    for (index, (kind, change, _)) in places.iter().enumerate() {
        let answer = kind.begin(&sim, &format!("job-{index}"), change.clone()).await;
        assert_eq!(answer.status, 200, "{change}: {}", answer.text);
    }
    sim.finish_all();
    for (index, (kind, change, wanted)) in places.iter().enumerate() {
        let job = kind.shown(&sim, &format!("job-{index}")).await;
        for (member, value) in wanted.as_object().unwrap() {
            assert_eq!(&job[member], value, "{} {change}", kind.entity);
        }
    }
}

#[tokio::test]
async fn output_stays_with_the_service_where_a_kind_may_leave_it_there() {
    let sim = sim().await;
    for kind in [&KINDS[0], &KINDS[2]] {
        kind.begin(&sim, "job", json!({})).await;
        sim.finish_all();
        let uri = async || {
            let job = kind.shown(&sim, "job").await;
            job["Transcript"]["TranscriptFileUri"].as_str().unwrap().to_owned()
        };
        let (first, second) = (uri().await, uri().await);
        let begun = "https://s3.us-east-1.amazonaws.com/aws-transcribe-us-east-1-prod/111122223333/job/";
        assert!(
            first.starts_with(begun) && first.contains("X-Amz-Expires=900"),
            "{first}"
        );
        assert_ne!(first, second, "each Get signs anew");
    }
    sim.set_config(|config| config.opted_out = true);
    for (kind, member) in KINDS.iter().zip(["outputBucketName", "", "outputLocation", ""]) {
        let answer = kind.begin(&sim, "opted-out", json!({})).await;
        let wanted = format!("You must specify a value for {member} because your account, 111122223333, has opted out");
        let fine = member.is_empty();
        assert_eq!(
            (answer.status == 200, answer.text.contains(&wanted)),
            (fine, !fine),
            "{}",
            answer.text
        );
        assert_eq!(kind.begin(&sim, "own", (kind.output)("results")).await.status, 200);
    }
}

#[tokio::test]
async fn a_summary_that_cannot_be_made_is_skipped_and_the_job_completes() {
    let sim = sim().await;
    let kind = &KINDS[2];
    let asked = |asked: bool| json!({"Summarization": {"GenerateAbstractiveSummary": asked}});
    #[rustfmt::skip]
    let table = [
        ("skip-content", asked(true), Some("INSUFFICIENT_CONVERSATION_CONTENT")),
        ("skip-safety", asked(true), Some("FAILED_SAFETY_GUIDELINES")),
        ("skip-safety", asked(false), None),
        ("a", asked(true), None),
    ];
    for (index, (part, settings, _)) in table.iter().enumerate() {
        let media = json!({"MediaFileUri": format!("s3://media/{part}.wav")});
        let change = json!({"Media": media, "Settings": settings});
        let answer = kind.begin(&sim, &format!("job-{index}"), change).await;
        assert_eq!(
            answer.json()[kind.entity]["CallAnalyticsJobDetails"],
            Value::Null,
            "not before its end"
        );
    }
    sim.finish_all();
    let mut listed = kind.summaries(&sim, json!({})).await;
    listed.reverse();
    for (index, (part, _, code)) in table.iter().enumerate() {
        let job = kind.shown(&sim, &format!("job-{index}")).await;
        assert_eq!(job[kind.status], "COMPLETED");
        let found = &job["CallAnalyticsJobDetails"]["Skipped"][0];
        assert_eq!(found["ReasonCode"].as_str(), *code, "{part}");
        assert_eq!(found["Feature"].as_str(), code.map(|_| "GENERATIVE_SUMMARIZATION"));
        assert_eq!(listed[index]["CallAnalyticsJobDetails"], job["CallAnalyticsJobDetails"]);
    }
}
