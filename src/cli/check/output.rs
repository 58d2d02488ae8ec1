//! Prints the verdicts, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::cli::check::{
    Install,
    input::Object,
    names::{CLASS, DEFAULT_NAMESPACE},
    verdict::judge,
};

/// The verdict on one object. Its fields are those of the JSON output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    file: String,
    document: usize,
    api_version: Option<String>,
    kind: Option<String>,
    namespace: String,
    name: String,
    /// Whether it would be admitted.
    pub allowed: bool,
    message: Option<String>,
    warnings: Vec<String>,
}

impl Item {
    /// Judges one object.
    pub(super) fn judge(object: Object, install: &Install) -> Self {
        let Object { file, document, value } = object;
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let metadata = &value["metadata"];
        let prefix = || Some(format!("{}*", metadata["generateName"].as_str()?));
        let (api_version, kind) = (text(&value["apiVersion"]), text(&value["kind"]));
        let namespace = match kind.as_deref() {
            Some(CLASS) => String::new(),
            Some(_) | None => text(&metadata["namespace"]).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        };
        let name = text(&metadata["name"]).or_else(prefix).unwrap_or_default();
        let verdict = judge(value, install);
        let message = verdict.message();
        Self {
            file,
            document,
            api_version,
            kind,
            namespace,
            name,
            allowed: message.is_none(),
            message,
            warnings: verdict.warnings,
        }
    }
}

/// Prints an array with one item for each object.
pub(super) fn json(items: &[Item], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, items)?;
    writeln!(out)
}

/// Prints the verdicts for people.
pub(super) struct Human {
    /// Whether to use terminal colours.
    pub colour: bool,
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

impl Human {
    /// Prints a line for each object, followed by its error and its warnings.
    pub(super) fn print(&self, items: &[Item], out: &mut impl Write) -> io::Result<()> {
        for item in items {
            let verdict = if item.allowed {
                self.paint(GREEN, "allowed")
            } else {
                self.paint(RED, "denied")
            };
            let name = if item.name.is_empty() { "(no name)" } else { &item.name };
            let scope = match item.namespace.as_str() {
                "" => CLASS,
                namespace => namespace,
            };
            writeln!(out, "{}/{}: {verdict}", plain(scope), plain(name))?;
            if let Some(message) = &item.message {
                writeln!(out, "  {}: {}", self.paint(RED, "error"), plain(message))?;
            }
            for warning in &item.warnings {
                writeln!(out, "  {}: {}", self.paint(YELLOW, "warning"), plain(warning))?;
            }
        }
        Ok(())
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Escapes the control characters of text from a manifest, which could change the state of a terminal.
pub(super) fn plain(text: &str) -> String {
    let visible = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(visible).collect()
}
