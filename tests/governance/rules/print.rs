//! The table, for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use transcribe_operator::api::Kind;

use super::Answers;
use super::row::{Cell, Expected, Layer, Row};
use crate::verdict::Verdict;

const NAME: usize = 43;
const CLASS: usize = 17;
const CELL: usize = 6;
const WIDTH: usize = 140;

const LEGEND: &str = "A cell: CEL, webhook, reconciler, check. A: allow, D: deny, -: not judged, n/a: no such member or rule, !: not \
                      as expected";

/// A line for each row: what is tried, by which class, what each layer says for each kind, and which field a denial names.
pub fn table(rows: &[Row], answers: &[Answers]) -> String {
    let mut text = format!("{LEGEND}\n");
    let mut group = None;
    for (row, answers) in rows.iter().zip(answers) {
        if group.replace(row.group) != Some(row.group) {
            text += &heading(row.group.title());
        }
        write!(text, "\n{:NAME$} {:CLASS$}", row.name, row.class()).unwrap();
        for kind in Kind::ALL {
            let cell = row.cell(*kind).zip(answers[*kind as usize].as_ref());
            let letters = cell.map_or_else(|| "n/a".to_owned(), |(cell, answers)| letters(&cell, answers));
            write!(text, " {letters:CELL$}").unwrap();
        }
        write!(text, " {}", told(row)).unwrap();
    }
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

fn heading(title: &str) -> String {
    let kinds: Vec<String> = Kind::ALL.iter().map(|kind| format!("{:CELL$}", short(*kind))).collect();
    format!(
        "

{title}
{:NAME$} {:CLASS$} {} what is denied
",
        "what is tried",
        "class",
        kinds.join(" ")
    )
}

/// The kind's short name, as kubectl takes it.
const fn short(kind: Kind) -> &'static str {
    match kind {
        Kind::TranscriptionJob => "tj",
        Kind::MedicalTranscriptionJob => "mtj",
        Kind::CallAnalyticsJob => "caj",
        Kind::MedicalScribeJob => "msj",
    }
}

fn letters(cell: &Cell<'_>, answers: &[super::Answer; 4]) -> String {
    let letter = |layer: Layer| match (cell.of(layer), &answers[layer as usize].verdict) {
        (Expected::Deny, Verdict::Deny(_)) => "D",
        (Expected::Allow, Verdict::Allow) => "A",
        (Expected::NotJudged, Verdict::Allow) => "-",
        (_, Verdict::Deny(_)) => "!D",
        (_, _) => "!A",
    };
    Layer::ALL.into_iter().map(letter).collect()
}

/// The fields that denials name, each once, and what they say of them.
fn told(row: &Row) -> String {
    let denying = Kind::ALL.iter().filter_map(|kind| row.cell(*kind));
    let denying = denying.filter(|cell| cell.expected.contains(&Expected::Deny));
    let fields: BTreeSet<&str> = denying.map(|cell| cell.field.trim_end_matches('*')).collect();
    let fields: Vec<&str> = fields.into_iter().collect();
    let says = if row.says.is_empty() { "" } else { ": " };
    format!("{}{says}{}", fields.join(", "), row.says)
}

fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.trim_end().to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['\u{2026}']).collect()
}
