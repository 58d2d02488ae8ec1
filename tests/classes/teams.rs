//! Who may use which class, and who works for it in AWS.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use testkit::aws_sim::Role;
use testkit::stage::condition;
use testkit::wait::{self, Look};

use crate::rig::{FINANCE, Rig, SALES, message, put_role, says};

#[tokio::test(flavor = "multi_thread")]
async fn teams_run_in_their_own_accounts_each_namespace_in_a_session_of_its_own() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    for team in [FINANCE, SALES] {
        rig.class(team, json!({})).await?;
        let namespace = rig.namespace(team).await?;
        rig.apply(&namespace, "one", Some(team.name), json!({})).await?;
        rig.apply(&namespace, "two", Some(team.name), json!({})).await?;
        for name in ["one", "two"] {
            let seen = rig.until_reason(&namespace, name, "Completed").await?;
            let starts = rig.starts(&seen);
            assert_eq!(starts.len(), 1);
            let start = &starts[0];
            let uid = seen["metadata"]["uid"].as_str().unwrap();
            let key = format!("{namespace}/TranscriptionJob/{name}/{uid}-1/");
            assert_eq!(start.body["OutputKey"], key);
            assert_eq!(start.body["OutputBucketName"], format!("{}-transcripts", team.name));
            assert_eq!(
                (start.account.as_str(), start.external_id.as_str()),
                (team.account, &*team.external_id())
            );
            assert!(
                start.session_name.starts_with(&format!("{namespace}.")),
                "{}",
                start.session_name
            );
            let tag = |key: &str| start.session_tags[&format!("transcribe-operator.io/{key}")].as_str();
            assert_eq!(
                (tag("namespace"), tag("class"), tag("cluster")),
                (&*namespace, team.name, "stage")
            );
            assert!(tag("namespace-uid").starts_with(&start.session_name[namespace.len() + 1..]));
            let class = &seen["status"]["class"];
            assert_eq!(
                (&class["name"], &class["accountId"]),
                (&json!(team.name), &json!(team.account))
            );
        }
    }
    // For each team one session of the class and one of its namespace, whose credentials Transcribe, KMS and STS share.
    assert_eq!(rig.stage.sim.called("AssumeRole"), 4);

    // What a team may not use reads as if it were not there.
    let namespace = rig.namespace(FINANCE).await?;
    for (name, class) in [("theirs", "sales"), ("none", "absent")] {
        rig.apply(&namespace, name, Some(class), json!({})).await?;
        let seen = rig.until_reason(&namespace, name, "NoClass").await?;
        says(
            message(&seen, "Stalled"),
            &[&format!(
                "there is no class '{class}' for this namespace; it may use 'finance'"
            )],
        )?;
    }
    let media = json!({"mediaFileUri": "s3://media/another/a.wav"});
    rig.apply(&namespace, "media", Some("finance"), json!({"media": media}))
        .await?;
    rig.until_reason(&namespace, "media", "NotAllowed").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_loses_its_label_submits_nothing_until_it_has_it_again() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    rig.class(FINANCE, json!({})).await?;
    let namespace = rig.namespace(FINANCE).await?;
    rig.apply(&namespace, "slow", Some("finance"), json!({})).await?;
    let running = rig.until_reason(&namespace, "slow", "InProgress").await?;
    rig.apply(&namespace, "waits", Some("finance"), json!({"suspend": true}))
        .await?;
    rig.until_reason(&namespace, "waits", "Suspended").await?;

    rig.label(&namespace, None).await?;
    until_without_class(&rig, &namespace).await?;
    rig.edit(&namespace, "waits", json!({"suspend": false})).await?;
    let seen = rig.until_reason(&namespace, "waits", "NoClass").await?;
    assert!(rig.starts(&seen).is_empty());
    rig.label(&namespace, Some("finance")).await?;
    let seen = rig.until_reason(&namespace, "waits", "Completed").await?;
    assert_eq!(rig.starts(&seen).len(), 1);

    // What runs is not concerned.
    rig.label(&namespace, None).await?;
    rig.stage.sim.finish_all();
    rig.until_reason(&namespace, "slow", "Completed").await?;
    assert_eq!(rig.starts(&running).len(), 1);
    Ok(())
}

/// How many jobs may be started after their namespace lost its label: the watch tells of that at once.
const PROBES: usize = 20;

/// Waits until the operator knows that a namespace may not use the class: a new job says so. One that was made before starts.
async fn until_without_class(rig: &Rig, namespace: &str) -> Result<()> {
    let reason = |job: &Value| condition(job, "Ready").map_or(Value::Null, |c| c["reason"].clone());
    for n in 0..PROBES {
        let probe = format!("probe-{n}");
        rig.apply(namespace, &probe, Some("finance"), json!({})).await?;
        let told = |job: &Value| ["NoClass", "Completed"].iter().any(|told| reason(job) == *told);
        if reason(&rig.stage.until(namespace, &probe, told).await?) == "NoClass" {
            return Ok(());
        }
    }
    bail!("{PROBES} jobs were started in a namespace that has no label")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_gone_holds_up_its_team_only_and_one_that_is_mended_goes_on() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    for team in [FINANCE, SALES] {
        rig.class(team, json!({})).await?;
    }
    let (finance, sales) = (rig.namespace(FINANCE).await?, rig.namespace(SALES).await?);
    rig.apply(&finance, "slow", Some("finance"), json!({})).await?;
    let running = rig.until_reason(&finance, "slow", "InProgress").await?;
    rig.stage.sim.remove_role(&FINANCE.role());
    rig.operator.restart()?;
    rig.operator.wait_ready().await?;

    let told = rig.until_class("finance", "Ready", "IdentityNotVerified").await?;
    let fix = [
        "does not let the operator assume the role",
        &*FINANCE.role(),
        "trust policy",
        "sts:TagSession",
    ];
    says(&told, &fix)?;
    rig.apply(&finance, "held", Some("finance"), json!({})).await?;
    let seen = rig.until_reason(&finance, "held", "AccessDenied").await?;
    tells_a_tenant(&rig, &seen).await?;
    assert!(!told.contains(&FINANCE.external_id()) && rig.starts(&seen).is_empty());
    rig.apply(&sales, "job", Some("sales"), json!({})).await?;
    rig.until_reason(&sales, "job", "Completed").await?;

    put_role(&rig.stage, FINANCE)?;
    rig.until_class("finance", "Ready", "IdentityVerified").await?;
    let seen = rig.until_reason(&finance, "held", "Completed").await?;
    assert_eq!(rig.starts(&seen).len(), 1);
    rig.stage.sim.finish_all();
    rig.until_reason(&finance, "slow", "Completed").await?;
    assert_eq!(rig.starts(&running).len(), 1);
    Ok(())
}

/// A job says of which class it is, what happened, AWS's code and the way out, and neither it nor its Events say more of the
/// class than that.
async fn tells_a_tenant(rig: &Rig, job: &Value) -> Result<()> {
    let parts = [
        "class 'finance'",
        "assume its role (AccessDenied)",
        "ask your platform team",
    ];
    says(message(job, "Ready"), &parts)?;
    let namespace = job["metadata"]["namespace"].as_str().unwrap();
    let events = ["get", "events", "-n", namespace, "-o", "json"];
    let events = rig.stage.kubectl.run(&events).await?.ok()?.stdout;
    says(&events, &parts)?;
    for told in [events, job["status"].to_string()] {
        for secret in [&*FINANCE.role(), "transcribe-finance", &*FINANCE.external_id()] {
            ensure!(!told.contains(secret), "{secret}: {told}");
        }
    }
    Ok(())
}

/// Without a restart: the credentials that the operator holds are still good by their time.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_aws_takes_no_more_are_replaced_and_a_trust_that_is_gone_is_seen() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    for team in [FINANCE, SALES] {
        rig.class(team, json!({})).await?;
    }
    let (finance, sales) = (rig.namespace(FINANCE).await?, rig.namespace(SALES).await?);
    rig.apply(&finance, "slow", Some("finance"), json!({})).await?;
    rig.until_reason(&finance, "slow", "InProgress").await?;
    rig.stage.sim.expire_sessions(&FINANCE.role());
    rig.apply(&finance, "next", Some("finance"), json!({})).await?;
    rig.until_reason(&finance, "next", "Completed").await?;

    let trust = |role: &mut Role| role.trust = json!({"Version": "2012-10-17", "Statement": []});
    rig.stage.sim.change_role(&FINANCE.role(), trust)?;
    rig.stage.sim.expire_sessions(&FINANCE.role());
    rig.apply(&finance, "held", Some("finance"), json!({})).await?;
    let held = rig.until_reason(&finance, "held", "AccessDenied").await?;
    tells_a_tenant(&rig, &held).await?;
    rig.apply(&sales, "job", Some("sales"), json!({})).await?;
    rig.until_reason(&sales, "job", "Completed").await?;

    put_role(&rig.stage, FINANCE)?;
    let held = rig.until_reason(&finance, "held", "Completed").await?;
    assert_eq!(rig.starts(&held).len(), 1);
    rig.stage.sim.finish_all();
    let slow = rig.until_reason(&finance, "slow", "Completed").await?;
    assert_eq!(rig.starts(&slow).len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_running_jobs_holds_further_ones_back() -> Result<()> {
    let rig = Rig::start(&[]).await?;
    rig.class(
        FINANCE,
        json!({"limits": {"maxRunningJobs": 3, "maxRunningJobsPerNamespace": 2}}),
    )
    .await?;
    let (one, other) = (rig.namespace(FINANCE).await?, rig.namespace(FINANCE).await?);
    let names = ["slow-a", "slow-b", "slow-c"];
    for name in names {
        rig.apply(&one, name, Some("finance"), json!({})).await?;
    }
    // One of a namespace's jobs is too many. It waits, and goes on waiting when it is looked at again.
    let held_back = async |namespace: &str, names: &[&str], limit: &str| {
        let told = async || {
            let mut told = Vec::new();
            for name in names {
                let job = rig.stage.job(namespace, name).await?.unwrap_or_default();
                told.push(message(&job, "Ready").to_owned());
            }
            let works = |told: &&String| told.contains("is working on job");
            ensure!(told.iter().filter(works).count() < names.len(), "none waits: {told:?}");
            let others = told.iter().filter(|told| !works(told)).cloned().collect::<Vec<_>>();
            anyhow::Ok(others)
        };
        wait::until("one job is held back", async || {
            let others = told().await?;
            let one = others.len() == 1 && others[0].contains("queued in class finance");
            Ok(Look::at(one, format!("{others:?}")))
        })
        .await?;
        rig.until_further_passes(3.0).await?;
        says(&told().await?.join(""), &["queued in class finance", limit])
    };
    held_back(&one, &names, "its limit of 2 running jobs in a namespace is reached").await?;
    for name in &names[..2] {
        rig.apply(&other, name, Some("finance"), json!({})).await?;
    }
    held_back(&other, &names[..2], "its limit of 3 running jobs is reached").await?;
    assert_eq!(rig.stage.sim.called("StartTranscriptionJob"), 3);
    let counted = |class: &Value| class["status"]["jobs"] == json!({"waiting": 2, "running": 3});
    rig.until_class_is("finance", counted).await?;
    rig.stage.sim.finish_all();
    let all = names
        .iter()
        .map(|name| (&one, name))
        .chain(names[..2].iter().map(|name| (&other, name)));
    for (namespace, name) in all {
        let begun = |job: &Value| {
            ["InProgress", "Completed"]
                .iter()
                .any(|reason| condition(job, "Ready").is_some_and(|c| c["reason"] == **reason))
        };
        rig.stage.until(namespace, name, begun).await?;
    }
    Ok(())
}
