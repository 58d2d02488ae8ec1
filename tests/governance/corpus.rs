//! Each row of the table as a file in tests/corpus, where the tests of the parsers (tests/parsers) begin.
//! `UPDATE_CORPUS=1` writes the files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cases::Case;

/// The files that are missing or not as the table has them.
pub fn stale(case: &Case, spec: Option<&Value>) -> Option<String> {
    let (path, content) = file(case, spec?)?;
    if fs::read_to_string(&path).is_ok_and(|found| found == content) {
        return None;
    }
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        fs::write(&path, content).unwrap();
        return None;
    }
    Some(format!("{} is not current: run with UPDATE_CORPUS=1", path.display()))
}

/// A key alone as it is, an encryption with a context as JSON, and of everything else the whole spec. Not a key of another
/// type than text: that is a spec.
fn file(case: &Case, spec: &Value) -> Option<(PathBuf, String)> {
    let encryption = &spec["encryption"];
    let (folder, content) = match (&encryption["kmsKeyId"], &encryption["context"]) {
        (Value::String(key), Value::Null) => ("kms_key_ref", key.clone()),
        (_, Value::Null) => ("spec", pretty(spec)?),
        (_, _) => ("context", pretty(encryption)?),
    };
    let name: String = case
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    fs::create_dir_all(&folder).unwrap();
    Some((folder.join(name), content))
}

fn pretty(value: &Value) -> Option<String> {
    serde_json::to_string_pretty(value).ok().map(|text| text + "\n")
}
