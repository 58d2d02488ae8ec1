//! What is generated is current.

use std::path::Path;

use serde_json::Value;
use transcribe_operator::api::{Kind, conditions::Reason, crds, render_crds, render_reference};

#[test]
fn the_committed_crds_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let rendered = render_crds().unwrap();
    for (name, yaml) in &rendered {
        let file = folder.join(name);
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == *yaml, "crds/{name} is stale: run make generate");
    }
    let committed = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(committed, rendered.len(), "crds/ holds a file that is not generated");
}

#[test]
fn the_reference_is_current_and_explains_every_member_and_reason() {
    let reference = render_reference();
    for kind in Kind::ALL {
        assert!(reference.contains(&format!("## {kind}\n")), "{kind}");
        for sample in crate::samples::all(*kind) {
            for path in crate::samples::paths(&sample) {
                let name = path.rsplit('/').next().unwrap();
                let is_key = ["de-DE", "team", "department"].contains(&name) || name.parse::<u8>().is_ok();
                assert!(is_key || reference.contains(&format!("| `{name}` |")), "{path}");
            }
        }
    }
    assert!(reference.contains("## TranscriptionClass\n"));
    for path in crate::samples::paths(&crate::samples::class()) {
        let name = path.rsplit('/').next().unwrap();
        let is_key = ["team", "namespace", "cost-center"].contains(&name) || name.parse::<u8>().is_ok();
        assert!(is_key || reference.contains(&format!("| `{name}` |")), "{path}");
    }
    for reason in Reason::ALL {
        assert!(reference.contains(&format!("| `{}` | ", reason.as_str())), "{reason:?}");
    }
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let committed = std::fs::read_to_string(committed).unwrap_or_default();
    assert!(committed == reference, "docs/reference.md is stale: run make generate");
}

#[test]
fn every_kind_shows_the_same_columns() {
    for (kind, crd) in Kind::ALL.iter().zip(crds()) {
        let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap();
        let shown = columns
            .iter()
            .map(|column| (&*column.name, column.priority.unwrap_or(0)));
        let expected = [
            ("Status", 0),
            ("Class", 0),
            ("Duration", 0),
            ("Age", 0),
            ("Language", 1),
            ("Key", 1),
            ("Job", 1),
            ("Transcript", 1),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{kind}");
    }
}

#[test]
fn the_yaml_says_what_the_crds_say() {
    for (crd, (_, yaml)) in crds().iter().zip(render_crds().unwrap()) {
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(plain(&read), plain(&serde_json::to_value(crd).unwrap()));
    }
}

#[test]
fn the_kinds_are_named_as_their_crds() {
    for (kind, crd) in Kind::ALL.iter().zip(crds()) {
        assert_eq!(Kind::from_name(kind.name()), Some(*kind));
        assert_eq!(crd.spec.names.kind, kind.name());
        assert_eq!(crd.spec.names.plural, kind.plural());
        let resource = kind.resource();
        assert_eq!(
            (resource.kind.as_str(), resource.plural.as_str()),
            (kind.name(), kind.plural())
        );
        assert_eq!(resource.api_version, "transcribe-operator.io/v1alpha1");
        assert_eq!(crd.spec.names.categories, Some(vec!["transcribe".to_owned()]));
    }
    assert_eq!(Kind::from_name("Job"), None);
}

#[test]
fn the_schema_is_one_that_the_api_server_takes_without_warnings() {
    for (name, yaml) in render_crds().unwrap() {
        for word in ["nullable", "uint", "anyOf", "oneOf", "- null"] {
            assert!(!yaml.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn a_new_object_has_a_status_that_observed_nothing() {
    for kind in Kind::ALL {
        let status = &crate::samples::schema(*kind)["properties"]["status"];
        assert_eq!(status["default"], serde_json::json!({"observedGeneration": -1}));
        assert_eq!(status["required"], Value::Null);
    }
}

/// Numbers as floats: 10 and 10.0 are the same bound.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => serde_json::json!(number.as_f64()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        other => other.clone(),
    }
}

/// A sample that lacks a member would let every test over samples pass it by.
#[test]
fn the_samples_hold_every_member() {
    fn walk(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{name}");
            walk(member, &path, found);
            walk(&member["items"], &format!("{path}/0"), found);
            walk(&member["additionalProperties"], &format!("{path}/de-DE"), found);
            found.push(path);
        }
    }
    for kind in Kind::ALL {
        let mut members = Vec::new();
        walk(&crate::samples::spec_schema(*kind), "", &mut members);
        let samples = crate::samples::all(*kind);
        let absent: Vec<_> = members
            .iter()
            .filter(|path| samples.iter().all(|sample| sample.pointer(path).is_none()))
            .collect();
        let of_others: &[&str] = match kind {
            Kind::CallAnalyticsJob => &["/encryption/context"],
            _ => &["/media/redactedMediaFileUri"],
        };
        assert_eq!(absent, of_others, "{kind}");
    }
}
