//! The architecture's invariants, held against the sources: what each folder may name, and how long things may be.
//!
//! The rules are about code, not about text: the sources are parsed, and comments and strings do not count. Unit tests
//! within the sources do not count either.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Attribute, File, Item, Pat,
    spanned::Spanned as _,
    visit::{self, Visit},
};
use transcribe_operator::api::Kind;

/// One source file, without its unit tests.
struct Source {
    path: String,
    file: File,
    lines: usize,
}

fn sources() -> Vec<Source> {
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
    let mut file = syn::parse_file(&text).unwrap();
    let tests = |item: &Item| matches!(item, Item::Mod(module) if is_test(&module.attrs));
    let test_lines: usize = file
        .items
        .iter()
        .filter(|item| tests(item))
        .map(|item| height(item.span()))
        .sum();
    file.items.retain(|item| !tests(item));
    Source {
        path: path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"),
        file,
        lines: text.lines().count() - test_lines,
    }
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
    fn within(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// All words of the code in their order, with `::` and `.` between them, as far into macros as there is.
    fn words(&self) -> Vec<String> {
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

/// Fails with all faults that were found.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The sources of these folders that break the rule, and how.
fn faults(folders: &[&str], broken: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let sources = sources();
    let within: Vec<_> = sources.iter().filter(|source| source.within(folders)).collect();
    assert!(!within.is_empty(), "no sources in {folders:?}");
    let fault = |source: &&Source| {
        let path = source.path.clone();
        broken(source).into_iter().map(move |what| format!("{path}: {what}"))
    };
    within.iter().flat_map(fault).collect()
}

/// Ends at the first of these words or sequences of words that the source has.
fn names(source: &Source, forbidden: &[&[&str]]) -> Vec<String> {
    let words = source.words();
    let has = |sequence: &&&[&str]| words.windows(sequence.len()).any(|window| window == **sequence);
    forbidden
        .iter()
        .filter(has)
        .map(|sequence| format!("names {}", sequence.concat()))
        .collect()
}

fn is_aws_crate(word: &str) -> bool {
    let families = ["aws_sdk_", "aws_smithy_", "aws_runtime", "aws_sigv4"];
    ["aws_config", "aws_types", "aws_credential_types"].contains(&word) || families.iter().any(|f| word.starts_with(f))
}

#[test]
fn only_the_folder_of_aws_names_its_crates() {
    let outside = faults(&["src/"], |source| {
        let words = source.words();
        let named = words
            .iter()
            .filter(|word| !source.within(&["src/aws/"]) && is_aws_crate(word));
        named.map(|word| format!("names {word}")).collect()
    });
    none(&outside);
    let inside = sources()
        .iter()
        .any(|source| source.words().iter().any(|word| is_aws_crate(word)));
    assert!(inside, "the rule finds nothing at all");
}

/// Nothing that waits, looks at a clock, logs, asks the environment, or knows who does.
const IMPURE: &[&[&str]] = &[
    &["async"],
    &["await"],
    &["tokio"],
    &["futures"],
    &["tracing"],
    &["println"],
    &["eprintln"],
    &["SystemTime"],
    &["Instant"],
    &["clock"],
    &["Timestamp", ":", ":", "now"],
    &["Zoned", ":", ":", "now"],
    &["Client"],
    &["std", ":", ":", "env"],
    &["std", ":", ":", "fs"],
    &["std", ":", ":", "net"],
    &["std", ":", ":", "thread"],
    &["static", "mut"],
    &["aws", ":", ":"],
    &["engine", ":", ":"],
    &["reconcile", ":", ":"],
    &["runtime", ":", ":"],
    &["operator", ":", ":"],
    &["config", ":", ":"],
];

/// Functions of their arguments: the words of the API, what is accepted, and what is decided.
const PURE: &[&str] = &[
    "src/api/",
    "src/lifecycle/",
    "src/admission/mod.rs",
    "src/admission/certificate/authority.rs",
    "src/admission/rules.rs",
];

#[test]
fn what_decides_is_a_function_of_its_arguments() {
    none(&faults(PURE, |source| names(source, IMPURE)));
}

#[test]
fn neither_decisions_nor_passes_know_the_kind() {
    none(&faults(&["src/lifecycle/", "src/reconcile/"], |source| {
        // A type of the kind, a variant or a module: the name in either case of letters, with or without `Spec`.
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name().to_lowercase()).collect();
        let plain = |word: &str| word.trim_end_matches("Spec").replace('_', "").to_lowercase();
        let words = source.words();
        let kind = words.iter().filter(|word| kinds.contains(&plain(word)));
        let mut faults: Vec<_> = kind.map(|kind| format!("names {kind}")).collect();
        faults.extend(names(source, &[&["Kind", ":", ":"]]));
        faults
    }));
}

#[derive(Default)]
struct Arms {
    faults: Vec<String>,
}

impl<'ast> Visit<'ast> for Arms {
    fn visit_expr_match(&mut self, node: &'ast syn::ExprMatch) {
        let wild = node
            .arms
            .iter()
            .find(|arm| arm.guard.is_none() && matches!(arm.pat, Pat::Wild(_)));
        let ours = node.arms.iter().find_map(|arm| variant(&arm.pat));
        if let (Some(wild), Some(ours)) = (wild, ours) {
            let line = wild.span().start().line;
            self.faults.push(format!("{line}: a wildcard arm beside {ours}"));
        }
        visit::visit_expr_match(self, node);
    }
}

/// A variant of an enum that a pattern names by its path. Variants of `Option` and `Result` have no path.
fn variant(pattern: &Pat) -> Option<String> {
    struct Variants(Option<String>);
    impl<'ast> Visit<'ast> for Variants {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            if path.segments.len() > 1 {
                let words = path.segments.iter().map(|segment| segment.ident.to_string());
                self.0.get_or_insert(words.collect::<Vec<_>>().join("::"));
            }
        }
    }
    let mut variants = Variants(None);
    variants.visit_pat(pattern);
    variants.0
}

#[test]
fn the_core_names_every_case_of_its_enums() {
    none(&faults(&["src/lifecycle/", "src/reconcile/"], |source| {
        let mut arms = Arms::default();
        arms.visit_file(&source.file);
        arms.faults
    }));
}

#[test]
fn nothing_panics_on_purpose() {
    let panics: &[&[&str]] = &[
        &[".", "unwrap"],
        &[".", "expect"],
        &["panic", "!"],
        &["todo", "!"],
        &["unimplemented", "!"],
        &["unreachable", "!"],
        &["unsafe"],
    ];
    none(&faults(&["src/"], |source| names(source, panics)));
}

/// A function and how many lines it has, from its signature to its end.
struct Function {
    lines: usize,
    place: String,
}

/// The functions in these tokens, in macros also: `fn`, a name, and a block before anything ends.
fn functions(path: &str, tokens: TokenStream, found: &mut Vec<Function>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            functions(path, group.stream(), found);
        }
        let [TokenTree::Ident(word), TokenTree::Ident(name), rest @ ..] = &tokens[i..] else {
            continue;
        };
        if word != "fn" {
            continue;
        }
        let ends = |token: &&TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        if let Some(TokenTree::Group(block)) = rest.iter().find(ends) {
            let from = word.span().start().line;
            found.push(Function {
                lines: block.span_close().end().line - from + 1,
                place: format!("{path}:{from} {name}"),
            });
        }
    }
}

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 70;
const NINE_OF_TEN: usize = 25;
const LONGEST_MAIN: usize = 80;

#[test]
fn files_and_functions_are_short() {
    let sources = sources();
    let mut functions = Vec::new();
    for source in &sources {
        self::functions(&source.path, source.file.to_token_stream(), &mut functions);
    }
    functions.sort_by_key(|function| function.lines);
    let at = |share: usize| functions[(functions.len() * share / 100).min(functions.len() - 1)].lines;
    let longest_file = sources.iter().max_by_key(|source| source.lines).unwrap();
    let longest = functions.last().unwrap();
    let report = format!(
        "{} files, {} lines, longest {} ({}); {} functions, median {}, p90 {}, longest {} ({})",
        sources.len(),
        sources.iter().map(|source| source.lines).sum::<usize>(),
        longest_file.lines,
        longest_file.path,
        functions.len(),
        at(50),
        at(90),
        longest.lines,
        longest.place,
    );
    println!("{report}");
    let mut too_long = Vec::new();
    let limit = |source: &&Source| {
        source.lines
            > if source.path == "src/main.rs" {
                LONGEST_MAIN
            } else {
                LONGEST_FILE
            }
    };
    for source in sources.iter().filter(limit) {
        too_long.push(format!("{} has {} lines", source.path, source.lines));
    }
    for function in functions.iter().filter(|function| function.lines > LONGEST_FUNCTION) {
        too_long.push(format!("{} has {} lines", function.place, function.lines));
    }
    if at(90) > NINE_OF_TEN {
        too_long.push(format!("nine of ten functions have up to {} lines", at(90)));
    }
    none(&too_long);
}
