//! Jobs, their states, their output, and the ledger.

use super::sdk::Shown;
use super::*;

#[tokio::test]
async fn a_job_lives_from_start_to_delete() {
    let sim = sim().await;
    let client = sdk(&sim);
    let not_before_its_end = "couldn't be deleted";
    let absent = format!("BadRequestException: {ABSENT}");
    for kind in &KINDS {
        let (entity, uri) = (kind.entity, "s3://media/a.mp3");
        let running = Shown {
            status: "IN_PROGRESS".to_owned(),
            times: [true, true, false],
            tags: vec!["transcribe-operator.io/uid=u-1".to_owned()],
            output: vec![],
        };
        assert_eq!(sdk::start(&client, kind, "job-1", uri).await, Ok(running), "{entity}");
        let refused = sdk::delete(&client, kind, "job-1").await.unwrap_err();
        assert!(
            refused.starts_with("BadRequestException: ") && refused.contains(not_before_its_end),
            "{refused}"
        );

        sim.finish_all();
        let done = sdk::get(&client, kind, "job-1").await.unwrap();
        assert_eq!((done.status.as_str(), done.times), ("COMPLETED", [true; 3]), "{entity}");
        let transcript = format!(
            "https://s3.us-east-1.amazonaws.com/results/{}",
            kind.key.replace("NAME", "job-1")
        );
        assert_eq!(done.output[0], transcript, "{entity}");
        let taken = sdk::start(&client, kind, "job-1", uri).await.unwrap_err();
        assert_eq!(
            taken,
            "ConflictException: The requested job name already exists. Use a different job name."
        );

        sdk::delete(&client, kind, "job-1").await.unwrap();
        assert_eq!(sdk::get(&client, kind, "job-1").await, Err(absent.clone()));
        assert_eq!(sdk::delete(&client, kind, "job-1").await, Err(absent.clone()));
        sdk::start(&client, kind, "job-1", "s3://media/again.wav")
            .await
            .unwrap();

        let (start, delete) = (kind.start(), kind.delete());
        let applied: Vec<_> = sim.ledger().into_iter().map(|line| line.operation).collect();
        assert_eq!(applied[applied.len() - 3..], [&*start, &delete, &start], "{entity}");
        assert_eq!(sim.calls()[&start]["ConflictException"], 1);
        assert_eq!(sim.called(&delete), 3);
    }
    assert_eq!(sim.jobs().len(), 4, "a name is free in each kind");
    let get = client
        .get_transcription_job()
        .transcription_job_name("none")
        .send()
        .await;
    assert_eq!(get.unwrap_err().raw_response().unwrap().status().as_u16(), 400);
}

#[tokio::test]
async fn a_reply_shows_the_request_its_defaults_and_what_was_found() {
    let sim = sim().await;
    for kind in &KINDS {
        let media = json!({"Media": {"MediaFileUri": "s3://media/a.mp3"}});
        let model = Model::transcribe().unwrap();
        let finds = model.members(kind.entity).contains(&"MediaFormat");
        kind.begin(&sim, "job", media).await;
        assert_eq!(kind.shown(&sim, "job").await["MediaFormat"], Value::Null);
        sim.finish_all();
        let job = kind.shown(&sim, "job").await;
        let (format, rate) = if finds {
            (json!("mp3"), json!(16_000))
        } else {
            (Value::Null, Value::Null)
        };
        assert_eq!(
            (&job["MediaFormat"], &job["MediaSampleRateHertz"]),
            (&format, &rate),
            "{}",
            kind.entity
        );
    }
    let settings = KINDS[0].shown(&sim, "job").await["Settings"].clone();
    assert_eq!(
        settings,
        json!({"ChannelIdentification": false, "ShowAlternatives": false})
    );
}

#[tokio::test]
async fn jobs_fail_by_their_media_or_by_rule() {
    for kind in &KINDS {
        let sim = sim().await;
        let media = |uri: &str| json!({"Media": {"MediaFileUri": uri}});
        let internal = ("fail-internal", outcomes::INTERNAL);
        for (part, reason) in outcomes::FAILURES.into_iter().chain([internal]) {
            kind.begin(&sim, part, media(&format!("s3://media/{part}.wav"))).await;
            sim.finish_all();
            let end = kind.end(&sim, part).await;
            assert_eq!(end, ("FAILED".to_owned(), reason.to_owned()), "{}", kind.entity);
            let job = kind.shown(&sim, part).await.to_string();
            assert!(!job.contains("FileUri\":\"https"), "no output: {job}");
        }
        sim.set_config(|config| {
            config.outcomes.push(OutcomeRule {
                job_name_contains: Some("bad".into()),
                times: Some(1),
                fail: Some("out of paper".into()),
                ..OutcomeRule::default()
            });
        });
        for name in ["bad-1", "bad-2", "good"] {
            kind.begin(&sim, name, json!({})).await;
        }
        for name in ["first-1", "first-2", "first-3"] {
            kind.begin(&sim, name, media("s3://m/fail-first-2")).await;
        }
        sim.finish_all();
        let failed = kind.summaries(&sim, json!({"Status": "FAILED", "MaxResults": 4})).await;
        let failed = failed
            .iter()
            .map(|job| (job[kind.name].as_str(), job["FailureReason"].as_str()));
        let internal = Some(outcomes::INTERNAL);
        let wanted = [
            (Some("first-2"), internal),
            (Some("first-1"), internal),
            (Some("bad-1"), Some("out of paper")),
        ];
        assert_eq!(failed.take(3).collect::<Vec<_>>(), wanted, "{}", kind.entity);

        let long = async || kind.begin(&sim, "long", media("s3://m/too-long.wav")).await;
        let answer = long().await;
        assert_eq!((answer.code().as_str(), answer.status), ("LimitExceededException", 400));
        let answer = kind.begin(&sim, "unread", media("s3://no-access/a.wav")).await;
        let unread = "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try \
                      your request again.";
        assert_eq!(answer.message(), unread);
        sim.set_config(|config| config.statuses = Statuses::Modelled);
        assert_eq!(long().await.status, 429);
        assert_eq!(kind.begin(&sim, "good", json!({})).await.status, 409);
    }
}

#[tokio::test]
async fn jobs_pass_through_their_states_in_scaled_time() {
    let sim = sim_with(|config| (config.queue_ms, config.run_ms) = (600, 600)).await;
    sim.stop_clock();
    for kind in &KINDS {
        let first = kind.begin(&sim, "job", json!({})).await.json()[kind.entity].clone();
        assert_eq!(
            (&first[kind.status], &first["StartTime"]),
            (&json!("QUEUED"), &Value::Null),
            "{}",
            kind.entity
        );
    }
    for (pass, state) in [
        (599, "QUEUED"),
        (1, "IN_PROGRESS"),
        (599, "IN_PROGRESS"),
        (1, "COMPLETED"),
    ] {
        sim.pass(pass);
        for kind in &KINDS {
            assert_eq!(kind.end(&sim, "job").await.0, state, "{}", kind.entity);
        }
    }
}

#[tokio::test]
async fn tags_can_be_changed_and_are_in_the_ledger() {
    for kind in &KINDS {
        let sim = sim().await;
        let tags = json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]});
        kind.begin(&sim, "job", tags).await;
        let arn = kind.arn("job");
        let change = json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}]});
        let answer = call(&sim, "TagResource", change).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{arn}");
        let change = json!({"ResourceArn": arn, "TagKeys": ["b", "c"]});
        call(&sim, "UntagResource", change).await;
        let listed = json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}]});
        let found = call(&sim, "ListTagsForResource", json!({ "ResourceArn": arn })).await;
        assert_eq!(found.json(), listed);
        assert_eq!(kind.shown(&sim, "job").await["Tags"], listed["Tags"]);
        let line = |n: usize| sim.ledger()[n].clone();
        assert_eq!(
            (line(1).job_name, line(1).tags.len(), line(2).tags.len()),
            ("job".into(), 2, 1)
        );

        #[rustfmt::skip]
        let table = [
            (arn.replace("/job", "/nobody"), "NotFoundException"),
            (arn.replace(kind.resource, "vocabulary"), "NotFoundException"),
            (arn.replace("us-east-1", "eu-west-1"), "BadRequestException"),
            (arn.replace("1111", "9999"), "BadRequestException"),
            ("arn:aws:s3:::bucket".to_owned(), "BadRequestException"),
        ];
        for (arn, code) in table {
            let answer = call(&sim, "ListTagsForResource", json!({ "ResourceArn": arn })).await;
            assert_eq!(answer.code(), code, "{arn}");
        }
        sim.set_config(|config| config.get_tags = false);
        assert_eq!(kind.shown(&sim, "job").await["Tags"], Value::Null);
    }
}

#[tokio::test]
async fn foreign_records_take_names_and_records_can_vanish() {
    for kind in &KINDS {
        let sim = sim().await;
        let foreign = |status: &str| ForeignJob {
            kind: Some(kind.entity.to_owned()),
            name: "job".into(),
            status: status.into(),
            tags: [("owner".to_owned(), "me".to_owned())].into(),
            ..ForeignJob::default()
        };
        sim.put_foreign_job(&foreign("IN_PROGRESS")).unwrap();
        assert!(sim.put_foreign_job(&foreign("DONE")).is_err());
        assert_eq!(kind.begin(&sim, "job", json!({})).await.code(), "ConflictException");
        let job = kind.shown(&sim, "job").await;
        let (status, tag) = (&job[kind.status], &job["Tags"][0]["Key"]);
        assert_eq!((status, tag), (&json!("IN_PROGRESS"), &json!("owner")));
        sim.finish_all();
        assert_eq!(kind.end(&sim, "job").await.0, "COMPLETED");
        assert_eq!((sim.remove_job("job"), sim.remove_job("job")), (1, 0));
        assert_eq!(kind.begin(&sim, "job", json!({})).await.status, 200);
        assert_eq!(sim.ledger().len(), 1, "what others do is in no ledger");
        assert_eq!(sim.jobs()[0].kind, kind.entity);
    }
    let nothing = ForeignJob {
        kind: Some("Vocabulary".to_owned()),
        ..ForeignJob::default()
    };
    assert!(sim().await.put_foreign_job(&nothing).is_err());
}

#[tokio::test]
async fn the_ledger_is_whole_and_also_in_a_file_and_the_trail_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let sim = sim_with(|config| config.ledger = Some(path.clone())).await;
    let tags = json!({"Tags": [{"Key": "a", "Value": "1"}]});
    for kind in &KINDS {
        for _ in 0..2 {
            kind.begin(&sim, "job", tags.clone()).await;
        }
        sim.finish_all();
        call(&sim, &kind.delete(), kind.named("job")).await;
    }
    let lines: Vec<LedgerLine> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, sim.ledger());
    assert_eq!(lines.len(), 2 * KINDS.len());
    let calls = sim.trail();
    for (index, kind) in KINDS.iter().enumerate() {
        let (start, delete) = (&lines[2 * index], &lines[2 * index + 1]);
        assert_eq!((start.seq, delete.seq), (2 * index as u64 + 1, 2 * index as u64 + 2));
        assert_eq!(
            (&*start.operation, &*delete.operation),
            (&*kind.start(), &*kind.delete())
        );
        assert_eq!((&*start.job_name, &*delete.job_name), ("job", "job"));
        assert_eq!(
            (&start.body, &delete.tags["a"]),
            (&kind.request("job", tags.clone()), &"1".to_owned())
        );
        assert_eq!(start.signed_at.subsec_nanosecond(), 0);
        let told = calls[3 * index..].iter().take(3);
        let told: Vec<_> = told.map(|call| (call.operation.clone(), &*call.outcome)).collect();
        let (start, delete) = (kind.start(), kind.delete());
        assert_eq!(
            told,
            [(start.clone(), "ok"), (start, "ConflictException"), (delete, "ok")]
        );
        assert_eq!(calls[3 * index].request, lines[2 * index].body);
    }
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let sim = sim_with(|config| drop(config.accounts.insert("OTHER".into(), "444455556666".into()))).await;
    for kind in &KINDS {
        kind.begin(&sim, "job", json!({})).await;
        for (key, region) in [("OTHER", "us-east-1"), ("AKIDEXAMPLE", "eu-west-1")] {
            let other = Raw {
                key,
                region,
                ..Raw::new(&sim)
            };
            let found = other.call(&kind.get(), kind.named("job")).await;
            assert_eq!(found.message(), ABSENT, "{}", kind.entity);
            let started = other.call(&kind.start(), kind.request("job", json!({}))).await;
            assert_eq!(started.status, 200, "{}", started.text);
        }
        let line = sim.ledger().pop().unwrap();
        let who = (&*line.account, &*line.region, &*line.access_key);
        assert_eq!(who, ("111122223333", "eu-west-1", "AKIDEXAMPLE"));
    }
}

#[tokio::test]
async fn faults_hit_each_kind_by_operation_and_name() {
    let sim = sim().await;
    let client = sdk(&sim);
    for kind in &KINDS {
        let fault = sim.fault(FaultRule {
            job_name_contains: Some("poor".into()),
            ..FaultRule::next(&kind.start(), When::After, What::Drop)
        });
        sdk::start(&client, kind, "lucky", "s3://media/a.wav").await.unwrap();
        let lost = sdk::start(&client, kind, "poor", "s3://media/a.wav").await;
        assert_eq!(
            (lost, sim.fired(fault)),
            (Err("none: none".to_owned()), 1),
            "{}",
            kind.entity
        );
        let found = sdk::get(&client, kind, "poor").await.unwrap();
        assert_eq!(found.status, "IN_PROGRESS", "only the reply was lost");
    }
}
