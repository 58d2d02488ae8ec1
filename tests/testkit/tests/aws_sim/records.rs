//! Jobs, their states, their output, and the ledger.

use super::*;

#[tokio::test]
async fn a_job_lives_from_start_to_delete() {
    let (sim, uri) = (sim().await, "s3://media/a.mp3");
    let client = sdk(&sim);
    let tag = Tag::builder()
        .key("transcribe-operator.io/uid")
        .value("u-1")
        .build()
        .unwrap();
    let media = Media::builder().media_file_uri(uri).build();
    let call = client
        .start_transcription_job()
        .transcription_job_name("job-1")
        .language_code(LanguageCode::EnUs);
    let call = call
        .media(media)
        .tags(tag.clone())
        .output_bucket_name("results")
        .output_key("a/b/");
    let started = call.send().await.unwrap().transcription_job.unwrap();
    assert_eq!(
        started.transcription_job_status,
        Some(TranscriptionJobStatus::InProgress)
    );
    assert!(started.creation_time.is_some() && started.start_time.is_some());

    let get = || client.get_transcription_job().transcription_job_name("job-1").send();
    let running = get().await.unwrap().transcription_job.unwrap();
    assert_eq!(running.tags(), [tag]);
    assert_eq!(running.transcript.unwrap().transcript_file_uri, None);
    assert_eq!(running.settings.unwrap().channel_identification, Some(false));
    assert_eq!((running.media_format, running.completion_time), (None, None));

    let delete = || client.delete_transcription_job().transcription_job_name("job-1").send();
    let refused = delete().await.unwrap_err();
    assert_eq!(refused.code(), Some("BadRequestException"));
    assert!(refused.message().unwrap().contains("couldn't be deleted"));

    sim.finish_all();
    let done = get().await.unwrap().transcription_job.unwrap();
    assert_eq!(done.transcription_job_status, Some(TranscriptionJobStatus::Completed));
    let uri = done.transcript.unwrap().transcript_file_uri.unwrap();
    assert_eq!(uri, "https://s3.us-east-1.amazonaws.com/results/a/b/job-1.json");
    assert_eq!(done.media_format.unwrap().as_str(), "mp3");
    assert!(done.completion_time >= done.start_time);

    assert_eq!(
        start(&client, "job-1", uri.as_str()).await,
        Err("ConflictException".to_owned())
    );
    delete().await.unwrap();
    let absent = get().await.unwrap_err();
    assert_eq!(
        (absent.code(), absent.message()),
        (Some("BadRequestException"), Some(ABSENT))
    );
    assert_eq!(absent.raw_response().unwrap().status().as_u16(), 400);
    assert_eq!(delete().await.unwrap_err().message(), Some(ABSENT));
    start(&client, "job-1", "s3://media/again.wav").await.unwrap();

    let applied: Vec<_> = sim.ledger().into_iter().map(|line| line.operation).collect();
    assert_eq!(applied, [START, "DeleteTranscriptionJob", START]);
    assert_eq!(sim.calls()[START]["ConflictException"], 1);
    assert_eq!(sim.called("DeleteTranscriptionJob"), 3);
}

#[tokio::test]
async fn output_goes_where_aws_puts_it() {
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

#[tokio::test]
async fn jobs_fail_by_their_media_or_by_rule() {
    let sim = sim().await;
    for (part, reason) in outcomes::FAILURES
        .into_iter()
        .chain([("fail-internal", outcomes::INTERNAL)])
    {
        let media = json!({"Media": {"MediaFileUri": format!("s3://media/{part}.wav")}});
        call(&sim, START, request(part, media)).await;
        sim.finish_all();
        let job = call(&sim, GET, json!({"TranscriptionJobName": part})).await.json()["TranscriptionJob"].clone();
        assert_eq!(
            (job["TranscriptionJobStatus"].as_str(), job["FailureReason"].as_str()),
            (Some("FAILED"), Some(reason))
        );
        assert_eq!(job["Transcript"], json!({}));
    }
    sim.set_config(|config| {
        let rule = OutcomeRule {
            job_name_contains: Some("bad".into()),
            times: Some(1),
            ..OutcomeRule::default()
        };
        config.outcomes.push(OutcomeRule {
            fail: Some("out of paper".into()),
            ..rule
        });
    });
    for name in ["bad-1", "bad-2", "good"] {
        call(&sim, START, request(name, json!({}))).await;
    }
    for name in ["first-1", "first-2", "first-3"] {
        call(
            &sim,
            START,
            request(name, json!({"Media": {"MediaFileUri": "s3://m/fail-first-2"}})),
        )
        .await;
    }
    sim.finish_all();
    let failed = names(&sim, json!({"Status": "FAILED", "MaxResults": 4})).await.0;
    assert_eq!(failed[..3], ["first-2", "first-1", "bad-1"]);

    let answer = call(
        &sim,
        START,
        request("long", json!({"Media": {"MediaFileUri": "s3://m/too-long.wav"}})),
    )
    .await;
    assert_eq!((answer.code().as_str(), answer.status), ("LimitExceededException", 400));
    sim.set_config(|config| config.statuses = Statuses::Modelled);
    let answer = call(
        &sim,
        START,
        request("long", json!({"Media": {"MediaFileUri": "s3://m/too-long.wav"}})),
    )
    .await;
    assert_eq!((answer.code().as_str(), answer.status), ("LimitExceededException", 429));
    assert_eq!(call(&sim, START, request("good", json!({}))).await.status, 409);
}

#[tokio::test]
async fn jobs_pass_through_their_states_in_scaled_time() {
    let sim = sim_with(|config| (config.queue_ms, config.run_ms) = (600, 600)).await;
    let begun = Instant::now();
    let first = call(&sim, START, request("job", json!({}))).await.json()["TranscriptionJob"].clone();
    assert_eq!(
        (&first["TranscriptionJobStatus"], &first["StartTime"]),
        (&json!("QUEUED"), &Value::Null)
    );
    let mut seen = vec!["QUEUED".to_owned()];
    while begun.elapsed() < Duration::from_secs(10) && seen.last().unwrap() != "COMPLETED" {
        let job = call(&sim, GET, json!({"TranscriptionJobName": "job"})).await.json();
        seen.push(
            job["TranscriptionJob"]["TranscriptionJobStatus"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        seen.dedup();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen, ["QUEUED", "IN_PROGRESS", "COMPLETED"]);
    assert!(begun.elapsed() >= Duration::from_millis(1200));
}

#[tokio::test]
async fn slots_are_limited_and_deferred_jobs_wait_in_order() {
    let sim = sim_with(|config| (config.concurrent, config.queued) = (Some(2), 2)).await;
    let defer = json!({"JobExecutionSettings": {"AllowDeferredExecution": true,
        "DataAccessRoleArn": "arn:aws:iam::111122223333:role/data-access"}});
    for name in ["a", "b"] {
        assert_eq!(call(&sim, START, request(name, json!({}))).await.status, 200);
    }
    assert_eq!(
        call(&sim, START, request("c", json!({}))).await.code(),
        "LimitExceededException"
    );
    assert!(sim.jobs().iter().all(|job| job.name != "c"));
    sim.set_config(|config| config.run_ms = 1000);
    for name in ["d", "e"] {
        let answer = call(&sim, START, request(name, defer.clone())).await.json();
        assert_eq!(answer["TranscriptionJob"]["TranscriptionJobStatus"], "QUEUED");
    }
    let answer = call(&sim, START, request("f", defer)).await;
    assert_eq!(answer.code(), "LimitExceededConcurrentJobException");
    let mut other = Raw::new(&sim);
    other.region = "eu-west-1";
    assert_eq!(
        other.call(START, request("a", json!({}))).await.status,
        200,
        "another Region has slots of its own"
    );

    sim.set_config(|config| config.concurrent = Some(3));
    let status = |name: &str| sim.jobs().into_iter().find(|job| job.name == name).unwrap().status;
    assert_eq!((status("d").as_str(), status("e").as_str()), ("IN_PROGRESS", "QUEUED"));
    tokio::time::sleep(Duration::from_millis(1300)).await;
    assert_eq!(
        (status("d").as_str(), status("e").as_str()),
        ("COMPLETED", "IN_PROGRESS")
    );
    sim.finish_all();
    assert!(sim.jobs().iter().all(|job| job.status == "COMPLETED"));
}

#[tokio::test]
async fn jobs_that_waited_leave_a_tenth_of_the_slots_to_others() {
    let sim = sim_with(|config| (config.concurrent, config.run_ms) = (Some(4), 1500)).await;
    for name in ["a", "b", "c", "d"] {
        assert_eq!(call(&sim, START, request(name, json!({}))).await.status, 200);
    }
    sim.set_config(|config| config.run_ms = i64::MAX);
    let defer = json!({"JobExecutionSettings": {"AllowDeferredExecution": true,
        "DataAccessRoleArn": "arn:aws:iam::111122223333:role/data-access"}});
    for name in ["w", "x", "y", "z"] {
        assert_eq!(call(&sim, START, request(name, defer.clone())).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(1600)).await;
    let jobs = sim.jobs();
    let with = |status: &str| {
        jobs.iter()
            .filter(|job| job.status == status)
            .map(|job| &*job.name)
            .collect::<Vec<_>>()
    };
    assert_eq!((with("IN_PROGRESS"), with("QUEUED")), (vec!["w", "x", "y"], vec!["z"]));
    assert_eq!(
        call(&sim, START, request("e", json!({}))).await.status,
        200,
        "the fourth slot"
    );
}

#[tokio::test]
async fn tags_can_be_changed_and_are_in_the_ledger() {
    let sim = sim().await;
    call(
        &sim,
        START,
        request(
            "job",
            json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]}),
        ),
    )
    .await;
    let arn = "arn:aws:transcribe:us-east-1:111122223333:transcription-job/job";
    let answer = call(
        &sim,
        "TagResource",
        json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}]}),
    )
    .await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    call(
        &sim,
        "UntagResource",
        json!({"ResourceArn": arn, "TagKeys": ["b", "c"]}),
    )
    .await;
    let tags = call(&sim, "ListTagsForResource", json!({"ResourceArn": arn}))
        .await
        .json();
    assert_eq!(tags, json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}]}));
    let line = |n: usize| sim.ledger()[n].clone();
    assert_eq!(
        (line(1).job_name, line(1).tags.len(), line(2).tags.len()),
        ("job".into(), 2, 1)
    );

    #[rustfmt::skip]
    let table = [
        (arn.replace("/job", "/nobody"), "NotFoundException"),
        (arn.replace("transcription-job", "vocabulary"), "NotFoundException"),
        (arn.replace("us-east-1", "eu-west-1"), "BadRequestException"),
        (arn.replace("1111", "9999"), "BadRequestException"),
        ("arn:aws:s3:::bucket".to_owned(), "BadRequestException"),
    ];
    for (arn, code) in table {
        assert_eq!(
            call(&sim, "ListTagsForResource", json!({"ResourceArn": arn}))
                .await
                .code(),
            code,
            "{arn}"
        );
    }
    sim.set_config(|config| config.get_tags = false);
    let job = call(&sim, GET, json!({"TranscriptionJobName": "job"})).await.json();
    assert_eq!(job["TranscriptionJob"]["Tags"], Value::Null);
}

#[tokio::test]
async fn foreign_records_take_names_and_records_can_vanish() {
    let sim = sim().await;
    let foreign = ForeignJob {
        name: "job".into(),
        status: "IN_PROGRESS".into(),
        ..ForeignJob::default()
    };
    sim.put_foreign_job(&ForeignJob {
        tags: [("owner".to_owned(), "me".to_owned())].into(),
        ..foreign
    })
    .unwrap();
    assert!(
        sim.put_foreign_job(&ForeignJob {
            status: "DONE".into(),
            ..ForeignJob::default()
        })
        .is_err()
    );
    assert_eq!(
        call(&sim, START, request("job", json!({}))).await.code(),
        "ConflictException"
    );
    let job = call(&sim, GET, json!({"TranscriptionJobName": "job"})).await.json()["TranscriptionJob"].clone();
    assert_eq!(
        (&job["TranscriptionJobStatus"], &job["Tags"][0]["Key"]),
        (&json!("IN_PROGRESS"), &json!("owner"))
    );
    assert_eq!((sim.remove_job("job"), sim.remove_job("job")), (1, 0));
    assert_eq!(call(&sim, START, request("job", json!({}))).await.status, 200);
    assert_eq!(sim.ledger().len(), 1, "what others do is in no ledger");
}

#[tokio::test]
async fn the_ledger_is_whole_and_also_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let sim = sim_with(|config| config.ledger = Some(path.clone())).await;
    let body = request("job", json!({"Tags": [{"Key": "a", "Value": "1"}]}));
    call(&sim, START, body.clone()).await;
    call(&sim, START, body.clone()).await;
    sim.finish_all();
    call(&sim, "DeleteTranscriptionJob", json!({"TranscriptionJobName": "job"})).await;
    let lines: Vec<LedgerLine> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, sim.ledger());
    assert_eq!((lines.len(), lines[0].seq, lines[1].seq), (2, 1, 2));
    assert_eq!((&lines[0].body, &lines[1].tags["a"]), (&body, &"1".to_owned()));
    assert_eq!(lines[0].signed_at.subsec_nanosecond(), 0);
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let sim = sim_with(|config| drop(config.accounts.insert("OTHER".into(), "444455556666".into()))).await;
    call(&sim, START, request("job", json!({}))).await;
    for other in [
        Raw {
            key: "OTHER",
            ..Raw::new(&sim)
        },
        Raw {
            region: "eu-west-1",
            ..Raw::new(&sim)
        },
    ] {
        assert_eq!(
            other.call(GET, json!({"TranscriptionJobName": "job"})).await.message(),
            ABSENT
        );
        assert_eq!(other.call(START, request("job", json!({}))).await.status, 200);
    }
    let line = sim.ledger().pop().unwrap();
    assert_eq!(
        (&*line.account, &*line.region, &*line.access_key),
        ("111122223333", "eu-west-1", "AKIDEXAMPLE")
    );
}
