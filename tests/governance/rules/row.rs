//! A row of the table, and how its cells are written.

use serde_json::{Value, json};
use transcribe_operator::api::Kind;

use super::classes::classes;
use crate::layers::without_nulls;
use crate::samples::{merged, minimal};

/// Who judges, in the order of the letters of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Cel,
    Webhook,
    Reconciler,
    Check,
}

impl Layer {
    pub const ALL: [Self; 4] = [Self::Cel, Self::Webhook, Self::Reconciler, Self::Check];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cel => "CEL",
            Self::Webhook => "webhook",
            Self::Reconciler => "reconciler",
            Self::Check => "check",
        }
    }
}

/// What a layer is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Allow,
    Deny,
    /// It cannot tell, or never sees it: it lets it pass. Of what only a cluster knows, `check` warns that it has not judged it.
    NotJudged,
}

/// Which rules a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A rule in CEL: the row names it by a part of its message.
    Cel,
    /// Members, types, bounds, patterns and enums of the schema, one of each sort.
    Schema,
    /// The request with what the class adds.
    Effective,
    /// What a class allows.
    Class,
    /// What only AWS KMS can say.
    Kms,
}

impl Group {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cel => "rules of the schema (CEL)",
            Self::Schema => "members, types, bounds, patterns and enums of the schema, one of each sort",
            Self::Effective => "the effective request: spec and class together",
            Self::Class => "guardrails of the class",
            Self::Kms => "what AWS KMS says of a key",
        }
    }
}

/// A rule, what breaks or keeps it, and what each layer says to that for each kind.
pub struct Row {
    pub group: Group,
    /// What is tried.
    pub name: &'static str,
    /// What the least spec of a kind is changed by.
    pub change: Value,
    /// In the order of [`Kind::ALL`]. See [`Cell`].
    pub cells: [&'static str; Kind::ALL.len()],
    /// The field that a denial names.
    pub field: &'static str,
    /// A part of what each layer that denies says. What the schema itself refuses is said by the API server in its own words.
    pub says: &'static str,
    /// The change is one of a job that is submitted.
    pub edit: bool,
}

/// A cell: every layer allows.
pub const A: &str = "AAAA";
/// A cell: the kind has no such rule or member.
pub const NA: &str = "n/a";

/// A row for a kind: `CWRK` in the letters `A` (allow), `D` (deny) and `-` (not judged) for CEL, webhook, reconciler and
/// check, or `n/a`. Where another field is named or another text said than in the other kinds, `@field` and `:text` follow; a `*`
/// at the end of a field stands for whatever is in it.
pub struct Cell<'a> {
    pub expected: [Expected; 4],
    pub field: &'a str,
    pub says: &'a str,
}

impl Row {
    /// Of a group, for jobs that are not submitted.
    pub fn new(
        group: Group,
        name: &'static str,
        change: Value,
        cells: [&'static str; Kind::ALL.len()],
        field: &'static str,
        says: &'static str,
    ) -> Self {
        Self {
            group,
            name,
            change,
            cells,
            field,
            says,
            edit: false,
        }
    }

    /// `None`: the kind has no such rule or member.
    pub fn cell(&self, kind: Kind) -> Option<Cell<'_>> {
        let text = self.cells[kind as usize];
        if text == "n/a" {
            return None;
        }
        let (letters, rest) = text.split_at(4);
        let (field, says) = rest.split_once(':').unwrap_or((rest, self.says));
        let field = field.strip_prefix('@').unwrap_or(self.field);
        let letters: Vec<Expected> = letters.chars().map(|letter| expected(self.name, letter)).collect();
        Some(Cell {
            expected: letters.try_into().unwrap(),
            field,
            says,
        })
    }

    /// What a tenant writes.
    pub fn spec(&self, kind: Kind) -> Value {
        without_nulls(merged(&least(kind), &self.change))
    }

    /// The class by which it is judged.
    pub fn class(&self) -> &str {
        self.change["transcriptionClassName"].as_str().unwrap_or_default()
    }

    /// By the rules of this class, in the place of the one that allows everything.
    #[must_use]
    pub fn by(mut self, class: &str) -> Self {
        self.change["transcriptionClassName"] = json!(class);
        self
    }
}

/// A change of the key.
pub fn key(key: &str) -> Value {
    json!({"encryption": {"kmsKeyId": key}})
}

/// The least spec of a kind, by the rules of the class that allows everything.
pub fn least(kind: Kind) -> Value {
    merged(&minimal(kind), &json!({"transcriptionClassName": classes()[0].0}))
}

fn expected(row: &str, letter: char) -> Expected {
    match letter {
        'A' => Expected::Allow,
        'D' => Expected::Deny,
        '-' => Expected::NotJudged,
        other => panic!("{row}: {other} is no verdict"),
    }
}

impl Cell<'_> {
    pub fn of(&self, layer: Layer) -> Expected {
        self.expected[layer as usize]
    }
}
