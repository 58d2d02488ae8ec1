//! Each right that the chart gives the operator, what it is for, and the scenario that fails without it.
//!
//! The rights are those of the rendered chart, so that a rule without a scenario is found, and a scenario without a rule. Each
//! scenario runs twice: with all rights, and with its own taken out of the role. Run with `--nocapture` to see the map.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test code"
)]

mod classes;
mod map;
mod scenarios;
mod scene;
mod webhook;

use std::path::Path;

use anyhow::{Result, ensure};
use map::{Row, rows};
use scene::{Lane, Seen};
use testkit::install::NAMESPACE;
use testkit::rights::{Grant, Rights};
use transcribe_operator::api::Kind;

/// What the chart must be told.
const VALUES: &str = "defaultClass.region=eu-west-1";

/// The grants of the chart, each with its row. One rule of the chart is about all kinds of jobs: it stands for each of them.
async fn mapped() -> Result<Vec<(Grant, Option<Row>)>> {
    let mut grants = Rights::render(NAMESPACE, VALUES).await?.grants();
    for other in Kind::ALL.iter().filter(|kind| **kind != Kind::TranscriptionJob) {
        let (others, rest): (Vec<_>, Vec<_>) = grants.into_iter().partition(|grant| is_about(grant, *other));
        let alike = rest.iter().filter(|grant| is_about(grant, Kind::TranscriptionJob));
        ensure!(
            alike.count() == others.len(),
            "{other} is given other rights: {others:?}"
        );
        grants = rest;
    }
    let row = |grant: &Grant| rows().into_iter().find(|row| row.grant == grant.to_string());
    Ok(grants.into_iter().map(|grant| (grant.clone(), row(&grant))).collect())
}

fn is_about(grant: &Grant, kind: Kind) -> bool {
    grant.resource.split('/').next() == Some(kind.plural())
}

#[tokio::test]
async fn every_right_has_a_scenario_and_every_scenario_a_right() {
    let mapped = mapped().await.unwrap();
    assert!(mapped.len() > 5, "{mapped:?}");
    let bare = mapped.iter().filter(|(_, row)| row.is_none());
    let bare: Vec<_> = bare.map(|(grant, _)| grant.to_string()).collect();
    let given = |row: &Row| mapped.iter().any(|(grant, _)| row.grant == grant.to_string());
    let idle: Vec<_> = rows().into_iter().filter(|row| !given(row)).collect();
    assert!(bare.is_empty(), "the chart gives what no scenario needs: {bare:#?}");
    assert!(
        idle.is_empty(),
        "a scenario needs what the chart does not give: {idle:#?}"
    );
}

#[tokio::test]
async fn the_map_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rbac.md");
    let map = map::document(&mapped().await.unwrap());
    if std::env::var_os("UPDATE_RBAC").is_some() {
        std::fs::write(&path, &map).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == map,
        "{} is not current: run with UPDATE_RBAC=1",
        path.display()
    );
}

#[tokio::test]
async fn each_scenario_works_with_the_rights_of_the_chart_and_fails_without_its_own() {
    let mapped = mapped().await.unwrap();
    let rows: Vec<_> = mapped
        .iter()
        .filter_map(|(grant, row)| Some((grant, row.as_ref()?)))
        .collect();
    let (with, without) = tokio::join!(problems(&rows, false), problems(&rows, true));
    println!("{}", map::document(&mapped));
    let problems = [with.unwrap(), without.unwrap()].concat();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Runs all scenarios and says what is not as it should be.
async fn problems(rows: &[(&Grant, &Row)], without: bool) -> Result<Vec<String>> {
    let mut lane = Lane::start().await?;
    let mut problems = Vec::new();
    for (grant, row) in rows {
        let seen = lane.run(row, grant, without).await;
        let judged = seen.and_then(|seen| {
            if without {
                must_fail(row, &seen)
            } else {
                must_work(&seen)
            }
        });
        if let Err(error) = judged {
            let rights = if without {
                "all rights but its own"
            } else {
                "all rights"
            };
            problems.push(format!("{row:?}: with {rights}: {error:#}"));
        }
    }
    Ok(problems)
}

fn must_work(seen: &Seen) -> Result<()> {
    ensure!(seen.came, "it does not come about: {seen:?}");
    ensure!(seen.allowed > 0, "the right is not used: {seen:?}");
    ensure!(seen.others.is_empty(), "something else is refused: {seen:?}");
    Ok(())
}

fn must_fail(row: &Row, seen: &Seen) -> Result<()> {
    ensure!(!seen.came, "it comes about all the same: {seen:?}");
    ensure!(seen.refused > 0, "the right is not asked for: {seen:?}");
    ensure!(seen.others.is_empty(), "something else is refused: {seen:?}");
    println!(
        "without {}: refused {} times, {} fails",
        row.grant, seen.refused, row.scenario
    );
    Ok(())
}
