//! Every example is valid.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use transcribe_operator::api::{Kind, Spec, unknown_members};

#[test]
fn every_example_is_valid_and_holds_known_members_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut jobs = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let object: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let Some(kind) = Kind::from_name(object["kind"].as_str().unwrap()) else {
            continue;
        };
        *jobs.entry(kind).or_insert(0) += 1;
        assert_eq!(
            object["apiVersion"],
            "transcribe-operator.io/v1alpha1",
            "{}",
            file.display()
        );
        if let Err(violations) = Spec::parse(kind, &object["spec"]) {
            panic!("{}: {violations:?}", file.display());
        }
        assert_eq!(
            unknown_members(kind, &object["spec"]),
            Vec::<String>::new(),
            "{}",
            file.display()
        );
    }
    for kind in Kind::ALL {
        assert!(jobs[kind] >= 2, "{kind}: a minimal example and a rich one");
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
