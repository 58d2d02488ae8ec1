//! Reads one YAML document as kubectl does: YAML 1.1, by the rules of the Go library that kubectl uses.
//!
//! serde-saphyr parses the document. It does not distinguish plain from quoted scalars, and accepts more words as
//! booleans and fewer as numbers than kubectl does. So a first walk over the events notes the plain scalars by their
//! offset, and [`scalar`] resolves those again.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, StructureStyle};
use serde_saphyr::{Error, ExternalMessageSource, Options, Spanned};

use crate::cli::check::scalar::{number, scalar};

/// The deepest nesting of maps and lists.
const MAX_DEPTH: usize = 64;
/// The most maps, lists and scalars in a document. Those that an alias repeats count each time.
const MAX_NODES: usize = 100_000;

/// Why a text cannot be read. It never holds any of the text, which may be secret.
#[derive(Debug)]
pub(super) struct Fault {
    /// The line within the text, from 1.
    pub line: u64,
    /// What is wrong and how to correct it.
    pub message: String,
}

impl Fault {
    pub(super) fn new(line: u64, message: &str) -> Self {
        Self {
            line,
            message: message.to_owned(),
        }
    }
}

/// The document as JSON. An empty one is null.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    let plain = plain_scalars(text)?;
    if plain.nodes == 0 {
        return Ok(Value::Null);
    }
    let node: Spanned<Node> = serde_saphyr::from_str_with_options(text, options()).map_err(|error| fault(&error))?;
    resolve(node, &plain.scalars)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

/// A document as serde-saphyr parses it, with the location of each node.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(number(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}

fn resolve(node: Spanned<Node>, plain: &HashMap<u64, String>) -> Result<Value, Fault> {
    let location = node.defined;
    match node.value {
        Node::Scalar(typed) => match plain.get(&location.span().offset()) {
            Some(text) => scalar(text).ok_or_else(|| Fault::new(location.line(), NO_NUMBER)),
            None => Ok(typed),
        },
        Node::List(items) => items.into_iter().map(|item| resolve(item, plain)).collect(),
        Node::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                // `1` and `'1'` are two keys in YAML but the same key in JSON, and so are `y` and `true`.
                if map.insert(name(key, plain), resolve(value, plain)?).is_some() {
                    return Err(Fault::new(location.line(), TWICE));
                }
            }
            Ok(map.into())
        }
    }
}

/// The name of a map entry. A plain `y` means `true` in a key as well.
fn name(key: Spanned<String>, plain: &HashMap<u64, String>) -> String {
    let resolved = plain.get(&key.defined.span().offset()).and_then(|text| scalar(text));
    match resolved {
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) | None => {
            key.value
        }
    }
}

const TWICE: &str = "a key is given twice in the same map; remove one of the two";
const NO_NUMBER: &str = "infinity and not-a-number have no form in JSON; quote the text, or give a number";

/// The text of the plain scalars of a document, by their offset, and the number of all nodes.
#[derive(Default)]
struct Plain {
    scalars: HashMap<u64, String>,
    nodes: usize,
}

/// A map or list whose end is not reached yet.
struct Open {
    flow: bool,
    /// For a map: whether its next node is a key.
    key: Option<bool>,
}

/// Walks over the document and rejects what kubectl rejects but serde-saphyr accepts. A syntax error only ends the
/// walk, because parsing the document reports it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is another crate's, and may grow"
)]
fn plain_scalars(text: &str) -> Result<Plain, Fault> {
    let lines: Vec<&str> = text.lines().collect();
    let preamble = lines
        .iter()
        .take_while(|line| line.is_empty() || line.starts_with(['#', '%']));
    if let Some((line, _)) = (1..).zip(preamble).find(|(_, line)| line.starts_with('%')) {
        return Err(Fault::new(line, "kubectl takes no directive; remove the line"));
    }
    let mut plain = Plain::default();
    let mut open: Vec<Open> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let begun = match &event {
            Event::MappingStart(style, ..) => Some((*style, Some(true))),
            Event::SequenceStart(style, ..) => Some((*style, None)),
            _ => None,
        };
        let is_node = begun.is_some() || matches!(event, Event::Scalar(..) | Event::Alias(_));
        let is_key = is_node && next_node(&mut open);
        plain.nodes += usize::from(is_node);
        let line = span.start.line() as u64;
        if is_node && !open.last().is_some_and(|open| open.flow) && after_a_tab(&lines, span.start) {
            return Err(Fault::new(line, "the indentation holds a tab; indent with spaces"));
        }
        if let Event::Scalar(text, ScalarStyle::Plain, _, None) = &event {
            if is_key && scalar(text) == Some(Value::Null) {
                return Err(Fault::new(
                    line,
                    "the key of an entry is null; give it a name, in quotes",
                ));
            }
            plain.scalars.insert(span.start.index() as u64, text.to_string());
        }
        if let Some((style, key)) = begun {
            let flow = style == StructureStyle::Flow;
            open.push(Open { flow, key });
        } else if matches!(event, Event::MappingEnd | Event::SequenceEnd) {
            open.pop();
        }
    }
    Ok(plain)
}

/// Returns whether the node that begins is a key, and toggles the state for the next one.
fn next_node(open: &mut [Open]) -> bool {
    let key = open.last_mut().and_then(|open| open.key.as_mut());
    key.is_some_and(|key| std::mem::replace(key, !*key))
}

fn after_a_tab(lines: &[&str], start: Marker) -> bool {
    let line = lines
        .get(start.line().saturating_sub(1))
        .filter(|line| line.contains('\t'));
    let before = || line.into_iter().flat_map(|line| line.chars().take(start.col()));
    before().any(|c| c == '\t') && before().all(|c| " \t-?".contains(c))
}

/// The error in our words. Messages of the parser are used only if they are fixed texts, which hold nothing of the
/// document.
fn fault(error: &Error) -> Fault {
    let line = error.location().map_or(1, |location| location.line().max(1));
    let mut cause = error.without_snippet();
    while let Error::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    Fault {
        line,
        message: wording(cause),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is another crate's, and may grow"
)]
fn wording(error: &Error) -> String {
    let too_large = matches!(
        error,
        Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
    );
    if too_large {
        return format!(
            "the document is nested deeper than {MAX_DEPTH} levels, or has more than {MAX_NODES} values once its aliases \
             are written out; make it smaller"
        );
    }
    let fixed = match error {
        Error::DuplicateMappingKey { .. } => TWICE,
        Error::UnknownAnchor { .. } => "an alias names an anchor that is not before it; write the value out",
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias is part of what it repeats; write the value out",
        Error::MultipleDocuments { .. } => "another document begins here; put a line with --- before it",
        Error::NonFiniteFloat { .. } => NO_NUMBER,
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    let syntax = parser_message(error).map(|message| format!(": {message}"));
    format!(
        "this is neither YAML nor JSON{}; correct it here or just before",
        syntax.unwrap_or_default()
    )
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is another crate's, and may grow"
)]
fn parser_message(error: &Error) -> Option<String> {
    let Error::ExternalMessage { source, .. } = error else {
        return None;
    };
    match &**source {
        ExternalMessageSource::Parser(scan) if !matches!(scan.kind(), ErrorKind::Custom(_)) => Some(scan.info()),
        _ => None,
    }
}
