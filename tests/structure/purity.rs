//! Checks that decisions are pure, and that functions and files are short.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Pat,
    spanned::Spanned as _,
    visit::{self, Visit},
};
use transcribe_operator::api::Kind;

use crate::sources::{Source, none, sources};

/// The violations of a rule in the sources of these folders.
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

/// Which of these words or sequences of words the source contains.
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
    assert!(inside, "the rule found no AWS crate anywhere");
}

/// Words of code that waits, reads a clock, logs, does I/O or reads the environment, or of types that do.
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
];

/// The pure code: the API types and the decisions.
const PURE: &[&str] = &["src/api/", "src/domain/", "src/webhook/certificate/authority.rs"];

#[test]
fn what_decides_is_a_function_of_its_arguments() {
    none(&faults(PURE, |source| names(source, IMPURE)));
}

#[test]
fn neither_decisions_nor_reconciles_know_the_kind() {
    none(&faults(&["src/domain/", "src/controllers/job/"], |source| {
        // The name may be a type, a variant or a module: in any letter case, with or without `Spec`.
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

/// The variant that a pattern names by its path, such as `Step::Submit`. Patterns of `Option` and `Result` have no
/// path.
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
    none(&faults(&["src/domain/", "src/controllers/job/"], |source| {
        let mut arms = Arms::default();
        arms.visit_file(&source.file);
        arms.faults
    }));
}

/// A function and its number of lines, from its signature to its end.
struct Function {
    lines: usize,
    place: String,
}

/// Finds the functions in these tokens, also in macros: `fn`, a name, and then a block before any semicolon.
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
