//! Reads the objects to check from files, folders and standard input.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    api::GROUP,
    cli::check::{
        json,
        names::CLASS,
        yaml::{self, Fault},
    },
};

/// The largest size of a file. An API server accepts at most 3 MiB in one request.
const MAX_BYTES: u64 = 16 << 20;
/// The most objects that one run checks.
const MAX_OBJECTS: usize = 20_000;
const SEPARATOR: &str = "---";

/// An object and its position in the input.
pub(super) struct Object {
    /// The file, as named on the command line.
    pub file: String,
    /// The index of its document in the file, from 0.
    pub document: usize,
    /// The object. It is always a JSON object.
    pub value: Value,
}

/// An error in the input. It never holds any of the text, which may be secret.
pub(super) struct Problem {
    file: String,
    line: Option<u64>,
    message: String,
}

impl Problem {
    /// A problem with a whole file or stream.
    pub(super) fn of(file: &str, message: &str) -> Self {
        let (file, message) = (file.to_owned(), message.to_owned());
        Self {
            file,
            line: None,
            message,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, message } = self;
        match line {
            Some(line) => write!(f, "{file}: line {line}: {message}"),
            None => write!(f, "{file}: {message}"),
        }
    }
}

/// Everything that was read, in the order of the files.
#[derive(Default)]
pub(super) struct Input {
    /// The objects that could be read.
    pub objects: Vec<Object>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Input {
    /// Reads files, the manifests of folders, and standard input (`-`).
    pub(super) fn read(names: &[PathBuf], stdin: &mut dyn Read) -> Self {
        let mut input = Self::default();
        for name in names {
            let file = name.display().to_string();
            if name.as_os_str() == "-" {
                input.take(&file, limited(&mut *stdin));
            } else if name.is_dir() {
                input.take_folder(name);
            } else {
                input.take(&file, File::open(name).map_err(|e| unread(&e)).and_then(limited));
            }
        }
        if input.objects.is_empty() && input.problems.is_empty() {
            let names: Vec<_> = names.iter().map(|name| name.display().to_string()).collect();
            input.problem(&names.join(", "), None, "holds no object; name a manifest");
        }
        input
    }

    /// Reads a file that must hold a class.
    pub(super) fn of_class(name: &PathBuf) -> Self {
        let mut input = Self::read(std::slice::from_ref(name), &mut io::stdin().lock());
        let is_class = |object: &Object| object.value["kind"] == CLASS;
        if input.problems.is_empty() && !input.objects.iter().any(is_class) {
            let message = format!("holds no {CLASS}; name the manifest of one");
            input.problem(&name.display().to_string(), None, &message);
        }
        input
    }

    /// Appends other input to this.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.objects.extend(other.objects);
        self.problems.extend(other.problems);
        self
    }

    /// Reads the manifests of a folder as kubectl does: without those of its subfolders.
    fn take_folder(&mut self, folder: &Path) {
        let file = folder.display().to_string();
        let files = match manifests(folder) {
            Ok(files) => files,
            Err(error) => return self.problem(&file, None, &unread(&error)),
        };
        if files.is_empty() {
            self.problem(
                &file,
                None,
                "holds no .yaml, .yml or .json file; name the folder that does",
            );
        }
        for path in files {
            let text = File::open(&path).map_err(|e| unread(&e)).and_then(limited);
            self.take(&path.display().to_string(), text);
        }
    }

    fn take(&mut self, file: &str, text: Result<String, String>) {
        match text {
            Ok(text) => self.take_text(file, &text),
            Err(message) => self.problem(file, None, &message),
        }
    }

    fn take_text(&mut self, file: &str, text: &str) {
        let mut document = 0;
        for (line, piece) in documents(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            if self.objects.len() + self.problems.len() > MAX_OBJECTS {
                return self.problem(file, Some(line), "too many documents; check fewer at a time");
            }
            let values = match json::read(piece.strip_prefix(SEPARATOR).unwrap_or(piece)) {
                Some(values) => Ok(values),
                None => yaml::read(piece).map(|value| vec![value]),
            };
            match values {
                Ok(values) => {
                    for value in values {
                        self.take_object(file, line, document, value);
                        document += 1;
                    }
                }
                Err(Fault { line: within, message }) => {
                    self.problem(file, Some(line + within - 1), &message);
                    document += 1;
                }
            }
        }
    }

    /// Adds an object, or the items of a List. An empty document adds nothing.
    fn take_object(&mut self, file: &str, line: u64, document: usize, mut value: Value) {
        if value.is_null() {
            return;
        }
        if !value.is_object() {
            return self.problem(
                file,
                Some(line),
                "the document is no object; give one with apiVersion and kind",
            );
        }
        if !is_list(&value) {
            let file = file.to_owned();
            return self.objects.push(Object { file, document, value });
        }
        match value["items"].take() {
            Value::Array(items) => {
                for item in items {
                    let item = if item.is_null() { Value::Bool(false) } else { item };
                    self.take_object(file, line, document, item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                self.problem(file, Some(line), "the items of a List must be a list");
            }
        }
    }

    fn problem(&mut self, file: &str, line: Option<u64>, message: &str) {
        let (file, message) = (file.to_owned(), message.to_owned());
        self.problems.push(Problem { file, line, message });
    }
}

fn is_list(value: &Value) -> bool {
    let (api_version, kind) = (value["apiVersion"].as_str(), value["kind"].as_str());
    let ours = || {
        let group = api_version.and_then(|text| text.split_once('/'));
        group.is_some_and(|(group, _)| group == GROUP) && kind.is_some_and(|kind| kind.ends_with("List"))
    };
    (api_version == Some("v1") && kind == Some("List")) || ours()
}

fn manifests(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml" | "json")) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn limited(source: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    source
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| unread(&e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("holds more than {} MiB; split it", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let read = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = read.split(|byte| *byte == b'\n').count();
        format!("line {line}: not UTF-8; save the file as UTF-8")
    })
}

fn unread(error: &io::Error) -> String {
    format!("cannot be read ({error}); name a file or folder that can")
}

/// Whether a text may precede the first `---` without being a document: blank lines and comments.
fn is_preamble(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.starts_with('#'))
}

/// Splits a text into its documents, each with the number of its first line. A line that starts with `---` starts a
/// document.
fn documents(text: &str) -> Vec<(u64, &str)> {
    let (mut documents, mut start, mut offset, mut first) = (Vec::new(), 0, 0, 1);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let separates = line
            .strip_prefix(SEPARATOR)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if separates && (start > 0 || text.starts_with(SEPARATOR) || !is_preamble(&text[..offset])) && offset > start {
            documents.push((first, &text[start..offset]));
            (start, first) = (offset, number);
        }
        offset += line.len();
    }
    documents.push((first, &text[start..]));
    documents
}
