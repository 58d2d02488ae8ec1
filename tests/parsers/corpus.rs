//! Inputs that were interesting once. The governance table writes its rows here (tests/governance/corpus.rs); a finding of
//! the tests here is added by hand.

use std::path::Path;

use serde_json::Value;

/// The files of a folder, by name.
pub fn texts(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<(String, String)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 10, "{}", folder.display());
    files
}

/// The same, read as JSON.
pub fn values(folder: &str) -> Vec<(String, Value)> {
    let read = |(name, text): (String, String)| {
        let value = serde_json::from_str(&text).unwrap();
        (name, value)
    };
    texts(folder).into_iter().map(read).collect()
}
