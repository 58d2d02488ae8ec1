//! The rule at the root: once submitted, nothing changes but the controls. The API server is asked the same in
//! `api_server_crds`.

use kube::core::cel::{CompiledSchema, ValidationErrors, compile_schema, validate_compiled};
use serde_json::{Value, json};
use transcribe_operator::api::Kind;

use crate::samples::{all, edited, paths, schema, without};

/// What stays open to change, as JSON pointers.
const MUTABLE: [&str; 4] = [
    "/suspend",
    "/startDeadlineSeconds",
    "/backoffLimit",
    "/ttlSecondsAfterFinished",
];

fn object(spec: Value, submitted: bool) -> Value {
    let status = if submitted {
        json!({"submission": {"jobName": "j"}})
    } else {
        json!({"observedGeneration": 1})
    };
    json!({"metadata": {"name": "a"}, "spec": spec, "status": status})
}

fn forbidden(rules: &CompiledSchema, old: &Value, new: &Value) -> bool {
    let errors = validate_compiled(rules, new, Some(old))
        .err()
        .map(ValidationErrors::into_vec)
        .unwrap_or_default();
    errors
        .iter()
        .any(|error| error.field_path == ".spec" && error.message.contains("the job is submitted"))
}

#[test]
fn freezes_every_member_but_the_controls_once_submitted() {
    let mut changes = 0;
    for kind in Kind::ALL {
        let rules = compile_schema(&schema(*kind));
        for (sample, path) in all(*kind)
            .iter()
            .flat_map(|sample| paths(sample).into_iter().map(move |path| (sample, path)))
        {
            let mutable = MUTABLE.contains(&path.as_str());
            let removed = without(sample, &path);
            let pairs = [(sample.clone(), removed.clone()), (removed, sample.clone())];
            let edit = edited(sample, &path).map(|edited| (sample.clone(), edited));
            for (old, new) in pairs.into_iter().chain(edit) {
                let frozen = forbidden(&rules, &object(old.clone(), true), &object(new.clone(), true));
                assert_eq!(frozen, !mutable, "{kind} {path}: {old} to {new}");
                assert!(!forbidden(&rules, &object(old, false), &object(new, false)), "{path}");
                changes += 1;
            }
        }
    }
    assert!(changes > 300, "{changes}");
}

#[test]
fn lets_the_operator_work_on_a_submitted_object() {
    let rules = compile_schema(&schema(Kind::TranscriptionJob));
    let spec = all(Kind::TranscriptionJob).remove(0);
    let (before, after) = (object(spec.clone(), false), object(spec.clone(), true));
    assert!(!forbidden(&rules, &before, &after), "submitting");
    assert!(!forbidden(&rules, &after, &before), "withdrawing");
    assert!(
        !forbidden(&rules, &json!({"metadata": {}, "spec": spec}), &before),
        "the first status"
    );
}
