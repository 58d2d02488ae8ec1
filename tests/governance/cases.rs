//! The table, put together from its groups, and what its rows are written with.

use std::fmt::Write as _;

use crate::verdict::Expected;
use crate::{contexts, lookalikes, malformed, shapes, surprises};

pub use crate::layers::ACCOUNT;

/// The Region of the class that every case is judged by.
pub const REGION: &str = "eu-west-1";

/// The key id of the KMS developer guide.
pub const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
/// The multi-Region key id of the KMS developer guide.
pub const MRK: &str = "mrk-1234abcd12ab34cd56ef1234567890ab";

pub const KEY: &str = "spec.encryption.kmsKeyId";
pub const CONTEXT: &str = "spec.encryption.context";

/// A row of the table.
pub struct Case {
    pub name: String,
    /// The lines of `spec.encryption` as they stand in a manifest, below `spec:`. Empty: there is none.
    pub yaml: String,
    pub expected: Expected,
}

impl Case {
    /// The whole manifest.
    pub fn manifest(&self) -> String {
        let lines = self.yaml.lines().fold(String::new(), |mut lines, line| {
            writeln!(lines, "  {line}").unwrap();
            lines
        });
        format!(
            "apiVersion: transcribe-operator.io/v1alpha1\nkind: TranscriptionJob\nmetadata:\n  name: case\nspec:\n  \
             languageCode: en-US\n  media:\n    mediaFileUri: s3://media/a.wav\n{lines}"
        )
    }
}

/// All rows.
pub fn cases() -> Vec<Case> {
    [
        shapes::cases(),
        malformed::cases(),
        lookalikes::cases(),
        contexts::cases(),
        surprises::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A row with YAML as written.
pub fn raw(name: &str, yaml: &str, expected: Expected) -> Case {
    Case {
        name: name.to_owned(),
        yaml: yaml.to_owned(),
        expected,
    }
}

/// A row about a key alone, safely quoted.
pub fn key(name: &str, key: impl AsRef<str>, expected: Expected) -> Case {
    raw(
        name,
        &format!("encryption: {{kmsKeyId: {}}}", quoted(key.as_ref())),
        expected,
    )
}

/// A row about a context beside a good key, safely quoted.
pub fn context<'a>(name: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>, expected: Expected) -> Case {
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{}{} : {}", long(key), quoted(key), quoted(value)))
        .collect();
    let yaml = format!("encryption: {{kmsKeyId: alias/a, context: {{{}}}}}", pairs.join(", "));
    raw(name, &yaml, expected)
}

/// A row about a single value of a context: `department`.
pub fn value(name: &str, value: &str, expected: Expected) -> Case {
    context(name, [("department", value)], expected)
}

/// YAML takes a key of more than 1024 characters only when it is announced.
fn long(key: &str) -> &'static str {
    if key.len() > 1000 { "? " } else { "" }
}

/// A YAML text in double quotes; what is no printable ASCII is escaped, and so can be seen.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => write!(quoted, "\\U{:08x}", u32::from(c)).unwrap(),
        }
    }
    quoted + "\""
}

/// The ARN of a key or alias in the class's account and Region.
pub fn arn(resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}")
}
