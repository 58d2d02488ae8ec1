//! The table of all rules: each with what breaks it, and what CEL, the webhook, the reconciler and `check` say to that for each
//! kind, written by hand.

mod by_class;
mod classes;
mod judge;
mod keys;
mod print;
mod row;
mod schema;

use std::collections::BTreeSet;

use serde_json::Value;
use transcribe_operator::api::{Kind, unknown_members};

use crate::layers::Answer;
use crate::samples;
use crate::verdict::Verdict;
use judge::judged;
use row::{Cell, Expected, Group, Layer, Row};

/// What the layers answered to a row for each kind that has it, in the order of [`Kind::ALL`] and [`Layer::ALL`].
pub type Answers = [Option<[Answer; 4]>; Kind::ALL.len()];

fn rows() -> Vec<Row> {
    [
        schema::cel(),
        schema::schema(),
        by_class::effective(),
        by_class::class(),
        keys::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The rows for each kind that has their rule.
fn cells(rows: &[Row]) -> impl Iterator<Item = (&Row, Kind, Cell<'_>)> {
    let of = |row| {
        Kind::ALL
            .iter()
            .filter_map(move |kind| Some((row, *kind, Row::cell(row, *kind)?)))
    };
    rows.iter().flat_map(of)
}

#[tokio::test]
async fn every_rule_meets_each_kind_in_each_layer_as_the_table_says() {
    let rows = rows();
    let answers = judged(&rows).await.unwrap();
    println!("{}", print::table(&rows, &answers));
    let mut problems = Vec::new();
    for (row, answers) in rows.iter().zip(&answers) {
        for (kind, answers) in Kind::ALL.iter().zip(answers) {
            let (Some(cell), Some(answers)) = (row.cell(*kind), answers) else {
                continue;
            };
            let found = Layer::ALL
                .iter()
                .filter_map(|layer| problem(row, &cell, *layer, &answers[*layer as usize]));
            problems.extend(found.map(|found| format!("{kind}, {}\n    {found}", row.name)));
        }
    }
    problems.extend(unnamed(&rows, &answers));
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// What a layer says other than the table has it.
fn problem(row: &Row, cell: &Cell<'_>, layer: Layer, answer: &Answer) -> Option<String> {
    let expected = cell.of(layer);
    let verdict = match (expected, cell.field.strip_suffix('*')) {
        (Expected::Allow | Expected::NotJudged, _) => Verdict::Allow,
        (Expected::Deny, Some(field)) => Verdict::DenyWithin(field.to_owned()),
        (Expected::Deny, None) => Verdict::Deny(cell.field.to_owned()),
    };
    let unjudged = answer.warnings.iter().any(|warning| warning.starts_with("not judged"));
    let says_so = layer != Layer::Check
        || match (expected, row.group) {
            (Expected::NotJudged, Group::Effective | Group::Class) => unjudged,
            _ => !unjudged,
        };
    let in_its_own_words = layer == Layer::Cel && row.group == Group::Schema;
    let says = expected != Expected::Deny || in_its_own_words || answer.said.contains(cell.says);
    let met = verdict.is_met_by(&answer.verdict) && says_so && says;
    (!met).then(|| {
        let (name, wanted) = (layer.name(), cell.says);
        format!(
            "{name}: expected {verdict} ({wanted}), is {} {} {:?}",
            answer.verdict, answer.said, answer.warnings
        )
    })
}

/// The rules in CEL of which no row says that the API server refuses something by them.
fn unnamed(rows: &[Row], answers: &[Answers]) -> Vec<String> {
    let of_kind = |kind: &Kind| {
        let messages = messages(*kind);
        let told = messages
            .iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|message| {
                let rules = messages.iter().filter(|other| *other == message).count();
                let rows = rows.iter().zip(answers);
                let rows = rows
                    .filter(|(row, answers)| is_of(row, answers, *kind, message))
                    .count();
                (rows < rules).then(|| format!("{kind}: {rules} rules, and {rows} rows of them: {message}"))
            });
        told.collect::<Vec<_>>()
    };
    Kind::ALL.iter().flat_map(of_kind).collect()
}

/// A row names the rule with this message, and the API server refuses it by that rule.
fn is_of(row: &Row, answers: &Answers, kind: Kind, message: &str) -> bool {
    let Some((cell, answers)) = row.cell(kind).zip(answers[kind as usize].as_ref()) else {
        return false;
    };
    let is_named = cell.of(Layer::Cel) == Expected::Deny && !cell.says.is_empty() && message.contains(cell.says);
    is_named && answers[Layer::Cel as usize].said.contains(message)
}

/// The messages of all rules in CEL of a kind's CRD.
fn messages(kind: Kind) -> Vec<String> {
    fn walk(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(members) => {
                let rules = members.get("x-kubernetes-validations").and_then(Value::as_array);
                let messages = rules
                    .into_iter()
                    .flatten()
                    .map(|rule| rule["message"].as_str().unwrap().to_owned());
                found.extend(messages);
                members.values().for_each(|member| walk(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&samples::schema(kind), &mut found);
    found
}

/// About the table alone: no layer is to allow what an earlier one denies.
#[test]
fn no_row_lets_a_layer_allow_what_an_earlier_one_denies() {
    for (row, kind, cell) in cells(&rows()) {
        let denied = cell.expected.contains(&Expected::Deny);
        let allowed = cell.expected.contains(&Expected::Allow);
        assert!(!(denied && allowed), "{kind}, {}", row.name);
        let told = !denied || !cell.field.is_empty();
        assert!(told, "{kind}, {}: which field?", row.name);
    }
}

/// A cell is left out only where the kind lacks what the row is about.
#[test]
fn a_kind_is_left_out_only_where_it_lacks_the_member_or_the_rule() {
    for row in rows() {
        for kind in Kind::ALL.iter().filter(|kind| row.cell(**kind).is_none()) {
            let mut change = row.change.clone();
            change.as_object_mut().unwrap().remove("transcriptionClassName");
            let without_rule = row.group == Group::Cel && !messages(*kind).iter().any(|rule| rule.contains(row.says));
            assert!(
                without_rule || !unknown_members(*kind, &change).is_empty(),
                "{kind} has what '{}' is about",
                row.name
            );
        }
    }
}

#[test]
fn every_class_is_named_by_a_row_and_every_row_has_a_name() {
    let rows = rows();
    let named: BTreeSet<&str> = rows.iter().map(Row::class).collect();
    let unused = classes::classes()
        .into_iter()
        .skip(1)
        .find(|(name, _)| !named.contains(name));
    assert_eq!(unused, None);
    let told: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(told.len(), rows.len(), "two rows have one name");
    assert!(rows.len() > 120, "{}", rows.len());
}

/// Of each rule of a class the table has what keeps it and what breaks it, for every kind that can.
#[test]
fn every_kind_is_allowed_and_denied_something_by_each_group() {
    let rows = rows();
    for kind in Kind::ALL {
        for group in [Group::Cel, Group::Schema, Group::Effective, Group::Class, Group::Kms] {
            let verdicts: Vec<Expected> = cells(&rows)
                .filter(|(row, other, _)| row.group == group && other == kind)
                .map(|(_, _, cell)| cell.of(Layer::Webhook))
                .collect();
            assert!(verdicts.contains(&Expected::Allow), "{kind}, {}", group.title());
            assert!(verdicts.contains(&Expected::Deny), "{kind}, {}", group.title());
        }
    }
}
