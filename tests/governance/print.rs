//! The table, for people.

use std::fmt::Write as _;

use transcribe_operator::api::Kind;

use crate::cases::Case;
use crate::judges::Actual;
use crate::verdict::{Layer, Verdict};

const NAME: usize = 48;
const YAML: usize = 52;
const VERDICT: usize = 23;

/// A row for each case: its name, its YAML, and what each layer said. `-` is not judged, and `!` stands before what is
/// not as expected.
pub fn table(kind: Kind, cases: &[Case], actual: &[Actual]) -> String {
    let mut text = format!("{:NAME$} {:YAML$}", kind.name(), "spec");
    for layer in Layer::ALL {
        write!(text, " {layer:VERDICT$}").unwrap();
    }
    for (case, actual) in cases.iter().zip(actual) {
        write!(
            text,
            "\n{:NAME$} {:YAML$}",
            cut(&case.name, NAME),
            cut(&one_line(&case.yaml), YAML)
        )
        .unwrap();
        for layer in Layer::ALL {
            write!(text, " {:VERDICT$}", cut(&said(kind, case, actual, layer), VERDICT)).unwrap();
        }
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn said(kind: Kind, case: &Case, actual: &Actual, layer: Layer) -> String {
    let expected = case.expected.for_kind(kind, actual.has_context());
    let (expected, answer) = (expected.of(layer), actual.of(layer));
    match (expected.is_met_by(&answer.verdict), expected) {
        (true, Verdict::NotJudged) => "-".to_owned(),
        (true, _) => answer.verdict.to_string(),
        (false, _) => format!("!{}", answer.verdict).escape_debug().to_string(),
    }
}

fn one_line(yaml: &str) -> String {
    // What is the same in many rows would fill the column.
    let text = yaml
        .replace("encryption:\n  kmsKeyId: alias/a\n  ", "")
        .replace("encryption: {kmsKeyId: alias/a, context", "{context");
    let text = text.strip_prefix("encryption: ").unwrap_or(&text);
    text.replace('\n', "\u{21b5}").replace("\\U0000", "\\u")
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['\u{2026}']).collect()
}
