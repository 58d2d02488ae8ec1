//! Every example is valid.

use std::path::Path;

use serde_json::Value;
use transcribe_operator::api::{Kind, Spec};

use crate::samples::{paths, spec_schema};

#[test]
fn every_example_is_valid_and_holds_known_members_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut jobs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let object: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let Some(kind) = Kind::from_name(object["kind"].as_str().unwrap()) else {
            continue;
        };
        jobs += 1;
        assert_eq!(
            object["apiVersion"],
            "transcribe-operator.io/v1alpha1",
            "{}",
            file.display()
        );
        if let Err(violations) = Spec::parse(kind, &object["spec"]) {
            panic!("{}: {violations:?}", file.display());
        }
        let schema = spec_schema(kind);
        for path in paths(&object["spec"]) {
            assert!(known(&schema, &path), "{}: {path} is no member", file.display());
        }
    }
    assert!(jobs >= 3, "{jobs}");
}

fn known(schema: &Value, path: &str) -> bool {
    let below = path
        .trim_start_matches('/')
        .split('/')
        .try_fold(schema, |schema, name| {
            schema["properties"]
                .get(name)
                .or(schema.get("items"))
                .or(schema.get("additionalProperties"))
        });
    below.is_some()
}
