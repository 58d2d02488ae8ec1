//! What is read: files, folders, standard input, lists; and what is said of what cannot be.

use std::path::Path;

use serde_json::{Value, json};

use crate::rig::{Folder, check, check_ends, job};

fn named(name: &str) -> String {
    let mut job = job(json!({}));
    job["metadata"]["name"] = name.into();
    job.to_string()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// The same job as YAML: JSON is YAML.
fn yaml(name: &str) -> String {
    format!("# YAML\n{}\n", named(name))
}

#[test]
fn every_example_is_allowed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let ran = check(&["-o", "json", "-f", folder.to_str().unwrap()], "");
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{}", ran.stdout);
    let manifests = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(ran.items().len(), manifests);
    assert!(ran.items().iter().all(|item| item["allowed"] == true), "{}", ran.stdout);
}

#[test]
fn the_rich_examples_fit_the_rich_class() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let class = path("transcription-class-rich.yaml");
    let jobs = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let of_class = jobs.filter(|job| {
        let text = std::fs::read_to_string(job).unwrap();
        text.contains("transcriptionClassName: finance")
    });
    let jobs: Vec<String> = of_class.map(|job| job.to_str().unwrap().to_owned()).collect();
    assert_eq!(jobs.len(), 5, "{jobs:?}");
    for job in jobs {
        let ran = check(&["--class", &class, "-f", &job], "");
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{}", ran.stdout);
    }
}

#[test]
fn reads_files_folders_and_standard_input_in_their_order() {
    let folder = Folder::new(&[
        ("one.json", &named("one")),
        ("in/z.yaml", &yaml("z")),
        ("in/b.yml", &yaml("b")),
        ("in/a.json", &named("a")),
        ("in/notes.txt", "no: manifest"),
        ("in/below/c.yaml", &yaml("c")),
    ]);
    let (one, inner) = (folder.path("one.json"), folder.path("in"));
    let ran = check(&["-o", "json", "-f", &one, &inner, "-f", "-"], &yaml("stdin"));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let items = ran.items();
    assert_eq!(names(&items), ["one", "a", "b", "z", "stdin"]);
    assert_eq!(items[0]["file"], one);
    assert_eq!(items[1]["file"], folder.path("in/a.json"));
    assert_eq!(items[4]["file"], "-");
}

#[test]
fn counts_the_documents_of_a_file_and_skips_empty_ones() {
    let text = format!(
        "# about\n---\n{}\n---\n# nothing\n---\n{}\n--- # more\n{}",
        named("a"),
        yaml("b"),
        named("c")
    );
    let items = check(&["-o", "json", "-f", "-"], &text).items();
    assert_eq!(names(&items), ["a", "b", "c"]);
    let documents: Vec<_> = items.iter().map(|item| item["document"].as_u64().unwrap()).collect();
    assert_eq!(documents, [0, 2, 3]);
    let items = check(&["-o", "json", "-f", "-"], &format!("{}\n{}", named("a"), named("b"))).items();
    assert_eq!((names(&items), &items[1]["document"]), (vec!["a", "b"], &json!(1)));
}

#[test]
fn takes_a_list_apart() {
    let item = |name: &str| serde_json::from_str::<Value>(&named(name)).unwrap();
    let inner = json!({"apiVersion": "v1", "kind": "List", "items": [item("c")]});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [item("a"), item("b"), inner]});
    let ours =
        json!({"apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJobList", "items": [item("d")]});
    let items = check(
        &["-o", "json", "-f", "-"],
        &format!("{}\n---\n{list}\n---\n{ours}", named("x")),
    )
    .items();
    assert_eq!(names(&items), ["x", "a", "b", "c", "d"]);
    let documents: Vec<_> = items.iter().map(|item| item["document"].as_u64().unwrap()).collect();
    assert_eq!(documents, [0, 1, 1, 1, 2]);
    for broken in [
        json!({"apiVersion": "v1", "kind": "List", "items": 1}),
        json!({"apiVersion": "v1", "kind": "List", "items": [null]}),
    ] {
        assert_eq!(check(&["-f", "-"], &broken.to_string()).status, 2, "{broken}");
    }
}

#[test]
fn the_exit_status_says_the_worst() {
    let denied = job(json!({"languageCode": "english"})).to_string();
    for (text, status) in [
        (named("a"), 0),
        (format!("{}\n---\n{denied}", named("a")), 1),
        (format!("{denied}\n---\n[not, an, object]"), 2),
        (format!("{denied}\n---\n{}\n---\na: b: c", named("a")), 2),
    ] {
        assert_eq!(check(&["-f", "-"], &text).status, status, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_file_and_line_and_the_rest_is_judged() {
    let folder = Folder::new(&[
        ("good.yaml", &yaml("good")),
        (
            "bad.yaml",
            &format!("{}---\na:\n  b: c\n b: d\n---\n{}", yaml("x"), yaml("y")),
        ),
    ]);
    let (missing, bad, good) = (
        folder.path("missing.yaml"),
        folder.path("bad.yaml"),
        folder.path("good.yaml"),
    );
    let ran = check(&["-o", "json", "-f", &missing, &bad, &good], "");
    assert_eq!(ran.status, 2);
    assert_eq!(names(&ran.items()), ["x", "y", "good"]);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.stderr);
    assert!(
        lines[0].starts_with(&format!("error: {missing}: cannot be read (No such file")),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with(&format!("error: {bad}: line 6: ")), "{}", lines[1]);
}

#[test]
fn unreadable_texts_are_named_with_the_way_out() {
    for (text, line, message) in [
        (
            "a: 1\nb: 2\na: 3\n",
            3,
            "a key is given twice in the same map; remove one of the two",
        ),
        ("{\"a\": 1,\n \"a\": 2}", 2, "a key is given twice"),
        ("---\n---\nkind: [", 3, "neither YAML nor JSON"),
        ("- 1", 1, "no object"),
        ("text", 1, "no object"),
        ("a: 1\n...\nb: 2\n", 3, "put a line with --- before it"),
        ("a: *b", 1, "an alias names an anchor"),
        ("a: &a [*a]", 1, "an alias is part of what it repeats"),
        ("a: 1\nb: .inf", 2, "no form in JSON"),
        ("a: 1\nnull: x", 2, "the key of an entry is null"),
        ("? [a]\n: b", 1, ""),
        ("a: 1\n\tb: 1", 1, "neither YAML nor JSON"),
        (
            "a: {b: 1}\nc:\n- \tb: 1",
            3,
            "the indentation holds a tab; indent with spaces",
        ),
        ("\ta: 1", 1, "the indentation holds a tab"),
        ("# x\n%YAML 1.2\n", 2, "no directive; remove the line"),
    ] {
        let ran = check(&["-f", "-"], text);
        assert_eq!((ran.status, &*ran.stdout), (2, ""), "{text}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("error: -: line {line}: ")),
            "{text}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains(message), "{text}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{text}: {}", ran.stderr);
    }
}

#[test]
fn nothing_to_judge_is_no_success() {
    let folder = Folder::new(&[("in/readme.txt", "")]);
    for args in [vec!["-f", "-"], vec!["-f", &folder.path("in")]] {
        let ran = check(&args, "# only a comment\n---\n");
        assert_eq!((ran.status, &*ran.stdout), (2, ""), "{args:?}");
        assert!(ran.stderr.contains("holds no"), "{}", ran.stderr);
    }
}

#[test]
fn too_much_input_ends_soon() {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (1..count).map(line).collect::<Vec<_>>().concat();
    let laughs = lines(30, &|n| {
        format!("a{n}: &a{n} [{}]\n", [format!("*a{}", n - 1).as_str(); 9].join(", "))
    });
    let merges = lines(3000, &|n| format!("a{n}: &a{n} {{<<: *a{}, k{n}: x}}\n", n - 1));
    let deep = lines(2000, &|n| format!("{}a:\n", " ".repeat(n)));
    for (name, text) in [
        ("billion laughs", format!("a0: &a0 [x, x]\n{laughs}")),
        ("chained merges", format!("a0: &a0 {{k0: x}}\n{merges}")),
        ("deep flow", format!("a: {}", "[".repeat(1_000_000))),
        (
            "deep JSON",
            format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        ),
        ("deep block", deep),
        ("long", format!("a: {}", "x".repeat(17 << 20))),
        ("many", "a: 1\n---\n".repeat(25_000)),
    ] {
        let ran = check_ends(name, &["-f", "-"], text);
        assert_eq!(ran.status, 2, "{name}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty() && ran.stderr.len() < 10_000, "{name}");
    }
}

#[test]
fn what_is_not_utf_8_is_unreadable() {
    let folder = Folder::new(&[]);
    let path = folder.path("latin.yaml");
    std::fs::write(&path, b"a: 1\nb: \xe9\n").unwrap();
    let ran = check(&["-f", &path], "");
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("line 2: not UTF-8"), "{}", ran.stderr);
    // A byte order mark is no text.
    let ran = check(&["-o", "json", "-f", "-"], &format!("\u{feff}# x\n---\n{}", named("a")));
    assert_eq!(
        (ran.status, &ran.items()[0]["document"]),
        (0, &json!(0)),
        "{}",
        ran.stderr
    );
}

#[test]
fn usage_errors_are_told_apart() {
    for args in [
        &[][..],
        &["-f"],
        &["-f", "-", "-o", "yaml"],
        &["-f", "-", "--account", "1234"],
        &["-f", "-", "--region", "Ireland"],
        &["-f", "-", "--output-bucket", "Not_A_Bucket"],
    ] {
        let ran = check(args, "");
        assert_eq!((ran.status, &*ran.stdout), (2, ""), "{args:?}");
    }
}
