//! The layers: a folder imports only from those above it in [`LAYERS`], and the files of a folder have no import
//! cycles.
//!
//! Every path counts, whether in a `use`, inside a function, in a type, an expression or a macro.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Item, UseTree,
    visit::{self, Visit},
};

use crate::sources::{Source, none, sources};

/// The order of ARCHITECTURE.md. The last two build and run the whole.
const LAYERS: [&str; 12] = [
    "api",
    "domain",
    "runtime",
    "aws",
    "accounts",
    "tenancy",
    "controllers",
    "pollers",
    "webhook",
    "cli",
    "operator",
    "main",
];

/// A path from the crate root, such as `["domain", "job", "plan"]`.
type Path = Vec<String>;

/// The module of a source file.
fn module_of(source: &Source) -> Path {
    let path = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Path = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// Resolves a path in a module to one from the crate root. `None`: it belongs to another crate, or names something in
/// scope.
fn absolute(segments: &[String], module: &[String]) -> Option<Path> {
    let (first, rest) = segments.split_first()?;
    match first.as_str() {
        // A single `crate` or `super` comes from `pub(crate)` or `pub(super)`.
        _ if rest.is_empty() => None,
        "crate" | "transcribe_operator" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let ups = segments.iter().take_while(|segment| *segment == "super").count();
            let parent = module.get(..module.len().checked_sub(ups)?)?;
            Some([parent, &segments[ups..]].concat())
        }
        _ => None,
    }
}

/// All paths in a file, resolved from the crate root.
struct Paths {
    module: Path,
    found: BTreeSet<Path>,
    /// The re-exports of the file (`pub use`): their names and targets.
    reexports: BTreeMap<String, Path>,
}

impl Paths {
    fn of(source: &Source) -> Self {
        let mut paths = Self {
            module: module_of(source),
            found: BTreeSet::new(),
            reexports: BTreeMap::new(),
        };
        paths.visit_file(&source.file);
        paths.tokens(source.file.to_token_stream());
        paths
    }

    fn note(&mut self, segments: &[String]) {
        self.found.extend(absolute(segments, &self.module));
    }

    /// Finds the paths in macros, which syn does not parse: they are `crate :: a :: b` in the tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (i, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) if word == "crate" || word == "super" => {
                    let mut segments = vec![word.to_string()];
                    let mut rest = &tokens[i + 1..];
                    while let [
                        TokenTree::Punct(a),
                        TokenTree::Punct(b),
                        TokenTree::Ident(next),
                        after @ ..,
                    ] = rest
                    {
                        if a.as_char() != ':' || b.as_char() != ':' {
                            break;
                        }
                        segments.push(next.to_string());
                        rest = after;
                    }
                    self.note(&segments);
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn leaves(tree: &UseTree, before: &[String], found: &mut Vec<(Path, String)>) {
        match tree {
            UseTree::Path(path) => Self::leaves(&path.tree, &[before, &[path.ident.to_string()]].concat(), found),
            UseTree::Name(name) if name.ident == "self" => {
                found.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                found.push(([before, std::slice::from_ref(&name)].concat(), name));
            }
            UseTree::Rename(renamed) => {
                found.push((
                    [before, &[renamed.ident.to_string()]].concat(),
                    renamed.rename.to_string(),
                ));
            }
            UseTree::Glob(_) => found.push((before.to_vec(), "*".to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| Self::leaves(tree, before, found)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, node: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        Self::leaves(&node.tree, &[], &mut leaves);
        for (segments, name) in leaves {
            let is_public = !matches!(node.vis, syn::Visibility::Inherited);
            // Without `crate` the path starts at a child module of this file.
            let child = || [self.module.as_slice(), &segments].concat();
            let target = absolute(&segments, &self.module).or_else(|| is_public.then(child));
            match target {
                Some(target) if is_public => {
                    self.reexports.insert(name, target);
                }
                Some(target) => {
                    self.found.insert(target);
                }
                None => {}
            }
        }
    }

    fn visit_path(&mut self, node: &'ast syn::Path) {
        let segments: Vec<_> = node.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&segments);
        visit::visit_path(self, node);
    }

    fn visit_item(&mut self, node: &'ast Item) {
        // Paths in an inline module are relative to that module.
        if let Item::Mod(module) = node {
            self.module.push(module.ident.to_string());
            visit::visit_item(self, node);
            self.module.pop();
        } else {
            visit::visit_item(self, node);
        }
    }
}

/// The imports between the files.
struct Imports {
    /// The path of each file and the paths in it, by module.
    files: BTreeMap<Path, (String, Paths)>,
}

impl Imports {
    fn of(sources: &[Source]) -> Self {
        let files = sources
            .iter()
            .map(|source| (module_of(source), (source.path.clone(), Paths::of(source))));
        Self { files: files.collect() }
    }

    /// The module that defines the item of a path, after following any number of `pub use`.
    fn definition(&self, path: &[String]) -> Option<&Path> {
        let (module, (_, paths)) = (0..=path.len())
            .rev()
            .find_map(|n| self.files.get_key_value(&path[..n]))?;
        match path.get(module.len()).and_then(|name| paths.reexports.get(name)) {
            Some(target) if target.as_slice() != path => self.definition(target).or(Some(module)),
            Some(_) | None => Some(module),
        }
    }

    /// Pairs of modules, of which the first imports something that the second defines.
    fn edges(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.files.iter().flat_map(|(module, (_, paths))| {
            let targets = paths.found.iter().filter_map(|path| self.definition(path));
            targets
                .filter(move |target| *target != module)
                .map(move |target| (module, target))
        })
    }

    fn file(&self, module: &Path) -> &str {
        &self.files[module].0
    }

    /// The imports that [`LAYERS`] forbids: those from a folder further down in the list.
    fn upward(&self) -> Vec<String> {
        let layer = |module: &Path| {
            LAYERS
                .iter()
                .position(|layer| module.first().is_some_and(|first| first == layer))
        };
        let mut faults = BTreeSet::new();
        for (from, to) in self.edges() {
            match (layer(from), layer(to)) {
                (Some(from_layer), Some(to_layer)) if to_layer <= from_layer => {}
                // `lib.rs` names all modules.
                _ if from.is_empty() => {}
                _ => {
                    faults.insert(format!("{} imports from {}", self.file(from), self.file(to)));
                }
            }
        }
        faults.into_iter().collect()
    }

    /// The files of a folder that are part of an import cycle, directly or through others.
    fn circles(&self) -> Vec<String> {
        let mut reached: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (from, to) in self.edges() {
            if from.first() == to.first() {
                reached.entry(from).or_default().insert(to);
            }
        }
        loop {
            let size: usize = reached.values().map(BTreeSet::len).sum();
            let further = reached.clone();
            for targets in reached.values_mut() {
                let more: Vec<_> = targets
                    .iter()
                    .filter_map(|to| further.get(*to))
                    .flatten()
                    .copied()
                    .collect();
                targets.extend(more);
            }
            if reached.values().map(BTreeSet::len).sum::<usize>() == size {
                break;
            }
        }
        let circular = reached.iter().filter(|(module, targets)| targets.contains(**module));
        circular
            .map(|(module, _)| format!("{} is part of a circle", self.file(module)))
            .collect()
    }
}

#[test]
fn a_folder_imports_only_from_those_above_it() {
    none(&Imports::of(&sources()).upward());
}

#[test]
fn no_files_of_a_folder_import_each_other_in_a_circle() {
    none(&Imports::of(&sources()).circles());
}

#[test]
fn every_source_has_a_layer() {
    let sources = sources();
    let layers: BTreeSet<_> = sources
        .iter()
        .filter_map(|source| module_of(source).into_iter().next())
        .collect();
    let known: BTreeSet<_> = LAYERS.iter().map(|layer| (*layer).to_owned()).collect();
    assert_eq!(layers, known);
}

/// The violations of both rules in files with these texts.
fn judged(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let sources: Vec<_> = files
        .iter()
        .map(|(path, text)| Source::new((*path).to_owned(), text))
        .collect();
    let imports = Imports::of(&sources);
    (imports.upward(), imports.circles())
}

#[test]
fn an_import_that_goes_up_is_found_wherever_it_stands() {
    for upward in [
        "use crate::runtime::clock::now;",
        "use super::super::runtime::clock;",
        "fn f() { use crate::runtime::clock::now; }",
        "fn f() -> u8 { crate::runtime::clock::now() }",
        "fn f(_: &crate::runtime::clock::Time) {}",
        "fn f() { assert!(crate::runtime::clock::now() > 0); }",
        "mod inner { use super::super::super::runtime::clock::now; }",
    ] {
        let (found, _) = judged(&[
            ("src/domain/mod.rs", "pub mod key;"),
            ("src/domain/key.rs", upward),
            ("src/runtime/mod.rs", "pub mod clock;"),
            ("src/runtime/clock.rs", "pub fn now() -> u8 { 0 }"),
        ]);
        assert_eq!(
            found,
            ["src/domain/key.rs imports from src/runtime/clock.rs"],
            "{upward}"
        );
    }
    let (found, _) = judged(&[
        ("src/domain/key.rs", "pub fn f() {}"),
        ("src/runtime/clock.rs", "use crate::domain::key::f;"),
    ]);
    assert_eq!(
        found,
        Vec::<String>::new(),
        "imports in the other direction are allowed"
    );
}

#[test]
fn a_circle_is_found_also_behind_a_reexport() {
    let (_, found) = judged(&[
        ("src/domain/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("src/domain/a.rs", "use crate::domain::B; pub struct A(B);"),
        ("src/domain/b.rs", "use crate::domain::c::C; pub struct B(C);"),
        ("src/domain/c.rs", "fn f() { super::a::g(); } pub struct C;"),
    ]);
    assert_eq!(found.len(), 3, "{found:?}");
    let (_, found) = judged(&[
        ("src/domain/mod.rs", "mod a; mod b; pub use a::A;"),
        ("src/domain/a.rs", "pub struct A;"),
        ("src/domain/b.rs", "use crate::domain::A; pub struct B(A);"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}
