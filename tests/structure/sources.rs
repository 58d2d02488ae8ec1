//! Parses the sources. Comments, strings and unit tests are ignored.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, File, Item, spanned::Spanned as _};

/// One source file, without its unit tests.
pub(crate) struct Source {
    /// The path from the root of the repository.
    pub(crate) path: String,
    pub(crate) file: File,
    pub(crate) lines: usize,
}

/// All sources of the operator.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<_> = rust_files(&root.join("src"))
        .iter()
        .map(|path| source(root, path))
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn source(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    Source::new(path, &text)
}

fn is_test(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident("cfg") && attr.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "test")
    })
}

fn height(span: proc_macro2::Span) -> usize {
    span.end().line - span.start().line + 1
}

impl Source {
    /// Parses a source.
    pub(crate) fn new(path: String, text: &str) -> Self {
        let mut file = syn::parse_file(text).unwrap();
        let tests = |item: &Item| matches!(item, Item::Mod(module) if is_test(&module.attrs));
        let test_lines: usize = file
            .items
            .iter()
            .filter(|item| tests(item))
            .map(|item| height(item.span()))
            .sum();
        file.items.retain(|item| !tests(item));
        Self {
            path,
            file,
            lines: text.lines().count() - test_lines,
        }
    }

    pub(crate) fn within(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// All words of the code in order, including those in macros. Punctuation such as `:` and `.` is a word of its own.
    pub(crate) fn words(&self) -> Vec<String> {
        fn walk(tokens: TokenStream, words: &mut Vec<String>) {
            for token in tokens {
                match token {
                    TokenTree::Group(group) => walk(group.stream(), words),
                    TokenTree::Ident(ident) => words.push(ident.to_string()),
                    TokenTree::Punct(punct) => words.push(punct.as_char().to_string()),
                    TokenTree::Literal(_) => words.push(String::new()),
                }
            }
        }
        let mut words = Vec::new();
        walk(self.file.to_token_stream(), &mut words);
        words
    }
}

/// Fails if there are violations, and prints all of them.
pub(crate) fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
