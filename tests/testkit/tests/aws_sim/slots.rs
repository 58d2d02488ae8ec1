//! How many jobs run at once, and who waits.

use super::*;

#[tokio::test]
async fn each_kind_has_slots_of_its_own() {
    let sim = sim().await;
    for kind in &KINDS {
        for n in 0..kind.concurrent {
            let answer = kind.begin(&sim, &format!("job-{n}"), json!({})).await;
            assert_eq!(answer.status, 200, "{} {n}: {}", kind.entity, answer.text);
            if kind.deferred.is_some() && n + 1 == kind.concurrent {
                assert_eq!(answer.json()[kind.entity][kind.status], "IN_PROGRESS");
            }
        }
        let full = kind.begin(&sim, "full", json!({})).await;
        assert_eq!(full.code(), "LimitExceededException", "{}", kind.entity);
    }
    sim.finish_all();
    for kind in &KINDS {
        assert_eq!(kind.begin(&sim, "full", json!({})).await.status, 200, "{}", kind.entity);
    }
}

#[tokio::test]
async fn slots_are_limited_and_deferred_jobs_wait_in_order() {
    for kind in &KINDS {
        let Some(deferred) = kind.deferred else { continue };
        let sim = sim_with(|config| (config.concurrent, config.queued) = (Some(2), 2)).await;
        sim.stop_clock();
        for name in ["a", "b"] {
            assert_eq!(kind.begin(&sim, name, json!({})).await.status, 200);
        }
        assert_eq!(kind.begin(&sim, "c", json!({})).await.code(), "LimitExceededException");
        assert!(sim.jobs().iter().all(|job| job.name != "c"));
        sim.set_config(|config| config.run_ms = 1000);
        for name in ["d", "e"] {
            let answer = kind.begin(&sim, name, deferred()).await.json();
            assert_eq!(answer[kind.entity][kind.status], "QUEUED", "{}", kind.entity);
        }
        let answer = kind.begin(&sim, "f", deferred()).await;
        assert_eq!(answer.code(), "LimitExceededConcurrentJobException");
        let mut other = Raw::new(&sim);
        other.region = "eu-west-1";
        let other = other.call(&kind.start(), kind.request("a", json!({}))).await;
        assert_eq!(other.status, 200, "another Region has slots of its own");

        sim.set_config(|config| config.concurrent = Some(3));
        let status = |name: &str| sim.jobs().into_iter().find(|job| job.name == name).unwrap().status;
        assert_eq!((status("d").as_str(), status("e").as_str()), ("IN_PROGRESS", "QUEUED"));
        sim.pass(999);
        assert_eq!((status("d").as_str(), status("e").as_str()), ("IN_PROGRESS", "QUEUED"));
        sim.pass(1);
        assert_eq!(
            (status("d").as_str(), status("e").as_str()),
            ("COMPLETED", "IN_PROGRESS")
        );
        sim.finish_all();
        assert!(sim.jobs().iter().all(|job| job.status == "COMPLETED"));
    }
}

#[tokio::test]
async fn a_job_that_is_ended_by_hand_leaves_its_slot_and_no_other_does() {
    for kind in &KINDS {
        let Some(deferred) = kind.deferred else { continue };
        let sim = sim_with(|config| config.concurrent = Some(2)).await;
        for (name, change) in [("a", json!({})), ("b", json!({})), ("c", deferred()), ("d", deferred())] {
            assert_eq!(kind.begin(&sim, name, change).await.status, 200, "{}", kind.entity);
        }
        let states = || -> Vec<String> { sim.jobs().into_iter().map(|job| job.status).collect() };
        assert_eq!(states(), ["IN_PROGRESS", "IN_PROGRESS", "QUEUED", "QUEUED"]);
        sim.finish(|job| job.name == "a" || job.name == "d");
        assert_eq!(states(), ["COMPLETED", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]);
        assert_eq!(kind.begin(&sim, "e", json!({})).await.code(), "LimitExceededException");
        sim.finish(|job| job.name == "c");
        assert_eq!(kind.begin(&sim, "e", json!({})).await.status, 200, "{}", kind.entity);
    }
}

#[tokio::test]
async fn jobs_that_waited_leave_a_tenth_of_the_slots_to_others() {
    let sim = sim_with(|config| (config.concurrent, config.run_ms) = (Some(4), 1500)).await;
    sim.stop_clock();
    for name in ["a", "b", "c", "d"] {
        assert_eq!(call(&sim, START, request(name, json!({}))).await.status, 200);
    }
    sim.set_config(|config| config.run_ms = i64::MAX);
    let defer = json!({"JobExecutionSettings": {"AllowDeferredExecution": true,
        "DataAccessRoleArn": "arn:aws:iam::111122223333:role/data-access"}});
    for name in ["w", "x", "y", "z"] {
        assert_eq!(call(&sim, START, request(name, defer.clone())).await.status, 200);
    }
    sim.pass(1500);
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
