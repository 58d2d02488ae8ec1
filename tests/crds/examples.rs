//! Every example is valid.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use transcribe_operator::api::{Kind, Spec, unknown_members};

use crate::samples::spec_schema;

/// The examples' objects, by their files.
fn examples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let read = |file: PathBuf| {
        let object = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        (file.display().to_string(), object)
    };
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

/// The specs of a kind's examples, by their files.
fn specs(kind: Kind) -> Vec<(String, Value)> {
    let of_kind =
        |(file, object): (String, Value)| (object["kind"] == kind.name()).then(|| (file, object["spec"].clone()));
    examples().into_iter().filter_map(of_kind).collect()
}

#[test]
fn every_example_is_valid_and_holds_known_members_only() {
    for (file, object) in examples() {
        assert_eq!(object["apiVersion"], "transcribe-operator.io/v1alpha1", "{file}");
    }
    for kind in Kind::ALL {
        let specs = specs(*kind);
        assert!(specs.len() >= 2, "{kind}: a minimal example and a rich one");
        for (file, spec) in specs {
            if let Err(violations) = Spec::parse(*kind, &spec) {
                panic!("{file}: {violations:?}");
            }
            assert_eq!(unknown_members(*kind, &spec), Vec::<String>::new(), "{file}");
        }
    }
}

/// A member is known by its path, with `*` for an item or a key.
#[test]
fn the_examples_show_every_member_but_a_few() {
    for kind in Kind::ALL {
        let mut missing = BTreeSet::new();
        members(&spec_schema(*kind), "", &mut missing);
        for (_, spec) in specs(*kind) {
            missing.retain(|path| !shows(&spec, path));
        }
        // Set only on the way, and the other sort of media.
        let mut left_out = vec!["/suspend", "/media/redactedMediaFileUri"];
        left_out.extend(match kind {
            Kind::TranscriptionJob => &["/identifyMultipleLanguages", "/languageIdSettings/*/languageModelName"][..],
            Kind::MedicalTranscriptionJob => &["/backoffLimit", "/deletionPolicy", "/settings/channelIdentification"],
            // The context, which it never takes, and what is for a single language.
            Kind::CallAnalyticsJob => &[
                "/dataAccessRoleArn",
                "/deletionPolicy",
                "/encryption/context",
                "/settings/languageIdSettings/*/languageModelName",
                "/settings/languageIdSettings/*/vocabularyFilterName",
                "/settings/languageModelName",
                "/settings/vocabularyName",
                "/startDeadlineSeconds",
            ],
            Kind::MedicalScribeJob => &["/backoffLimit"],
        });
        assert_eq!(missing, left_out.into_iter().map(str::to_owned).collect(), "{kind}");
    }
}

fn members(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        members(member, &path, found);
        for below in ["items", "additionalProperties"] {
            members(&member[below], &format!("{path}/*"), found);
        }
        found.insert(path);
    }
}

fn shows(value: &Value, path: &str) -> bool {
    let Some((name, rest)) = path
        .strip_prefix('/')
        .map(|path| path.split_once('/').unwrap_or((path, "")))
    else {
        return true;
    };
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("/{rest}")
    };
    match value {
        Value::Object(inner) if name == "*" => inner.values().any(|inner| shows(inner, &rest)),
        Value::Array(inner) => inner.iter().any(|inner| shows(inner, &rest)),
        _ => value.get(name).is_some_and(|inner| shows(inner, &rest)),
    }
}

#[test]
fn names_the_members_that_a_kind_does_not_know() {
    let spec = json!({
        "encription": {"kmsKeyId": "alias/a"}, "encryption": {"kmsKeyID": "alias/a", "context": {"any": "key"}},
        "toxicityDetection": [{"categories": []}], "languageIdSettings": {"en-US": {"model": "m"}}, "suspend": true,
    });
    let mut unknown = unknown_members(Kind::TranscriptionJob, &spec);
    unknown.sort();
    let expected = [
        "spec.encription",
        "spec.encryption.kmsKeyID",
        "spec.languageIdSettings.en-US.model",
        "spec.toxicityDetection[0].categories",
    ];
    assert_eq!(unknown, expected);
}
