//! The CRD of classes: its rules by the parser and by CEL. The API server is asked the same in `api_server_crds`.

use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use serde_json::{Value, json};
use transcribe_operator::api::transcription_class::TranscriptionClassSpec;

use crate::samples::{class, class_schema, merged, paths, refused_classes, without};

#[test]
fn a_class_is_read_and_nothing_of_it_is_lost() {
    let read = TranscriptionClassSpec::parse(&class()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), class());
    let least = TranscriptionClassSpec::parse(&json!({"region": "eu-west-1"})).unwrap();
    assert_eq!(serde_json::to_value(&least).unwrap(), json!({"region": "eu-west-1"}));
}

#[test]
fn the_sample_holds_every_member() {
    let spec = class_schema()["properties"]["spec"].clone();
    let sample = paths(&class());
    let missing: Vec<String> = members(&spec, "")
        .into_iter()
        .filter(|path| !sample.contains(path))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

fn members(schema: &Value, path: &str) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .flat_map(|(name, member)| {
            let path = format!("{path}/{name}");
            let below = members(member, &path);
            [path].into_iter().chain(below)
        })
        .collect()
}

#[test]
fn every_member_but_the_region_and_the_roles_may_be_left_out() {
    for path in paths(&class()) {
        let needed = ["/region", "/identity/roleArn"].contains(&path.as_str());
        let inside = path.contains("/matchExpressions/") || path.ends_with("addedContext/namespace");
        let left_out = TranscriptionClassSpec::parse(&without(&class(), &path));
        assert!(inside || left_out.is_ok() != needed, "{path}: {left_out:?}");
    }
}

#[test]
fn what_is_wrong_is_told_by_the_field_and_what_helps() {
    for (change, field, says) in refused_classes() {
        let violations = TranscriptionClassSpec::parse(&merged(&class(), &change));
        let Err(violations) = violations else {
            panic!("{change} is accepted")
        };
        let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].starts_with(field), "{change}: {told:?}");
        assert!(told[0].contains(says), "{change}: {told:?}");
    }
}

/// What a change of a class meets, by the fields of the rules.
fn meets(rules: &CompiledSchema, old: &Value, new: &Value) -> Vec<String> {
    let errors = validate_compiled(rules, new, Some(old)).err();
    let errors = errors
        .map(kube::core::cel::ValidationErrors::into_vec)
        .unwrap_or_default();
    errors.into_iter().map(|error| error.field_path).collect()
}

#[test]
fn neither_the_region_nor_the_account_changes() {
    let rules = compile_schema(&class_schema()["properties"]["spec"]);
    let sample = class();
    let with = |change: Value| merged(&sample, &change);
    let key = json!({"defaultKmsKeyId": "alias/a"});
    let plain = with(json!({"encryption": key}));
    for (change, field) in [
        (json!({"region": "eu-central-1"}), ".region"),
        (json!({"identity": null}), ".identity"),
        (
            json!({"identity": {"roleArn": "arn:aws:iam::444455556666:role/transcribe"}}),
            ".identity",
        ),
    ] {
        let new = merged(&plain, &change);
        assert_eq!(meets(&rules, &plain, &new), [field], "{change}");
    }
    assert_eq!(
        meets(&rules, &without(&plain, "/identity"), &plain),
        [".identity"],
        "added"
    );
    let other_role = with(json!({"identity": {"roleArn": "arn:aws:iam::111122223333:role/other", "externalId": null}}));
    assert_eq!(meets(&rules, &sample, &other_role), Vec::<String>::new());
    for path in paths(&sample)
        .iter()
        .filter(|path| !path.starts_with("/identity") && *path != "/region")
    {
        if path.contains("/matchExpressions/") {
            continue;
        }
        let changed = without(&sample, path);
        assert_eq!(meets(&rules, &sample, &changed), Vec::<String>::new(), "{path}");
        assert_eq!(meets(&rules, &changed, &sample), Vec::<String>::new(), "{path}");
    }
}
