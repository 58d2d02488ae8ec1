//! The CEL rules: each is in the CRD, refuses what it should, and says what to do.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transcribe_operator::api::{Kind, Spec, crds, types::DeletionPolicy};

use crate::cases;
use crate::samples::{all, minimal, spec_schema};

/// A name, what a minimal spec is merged with, and the violation (field, part of the message), if any.
pub type Case = (&'static str, Value, Option<(&'static str, &'static str)>);

fn cases(kind: Kind) -> Vec<Case> {
    let takes_context = kind != Kind::CallAnalyticsJob;
    let own = match kind {
        Kind::TranscriptionJob => [languages(), features(), cases::speakers_and_alternatives(), settings()].concat(),
        Kind::MedicalTranscriptionJob => [cases::medical(), cases::speakers_and_alternatives()].concat(),
        Kind::CallAnalyticsJob => cases::analytics(),
        Kind::MedicalScribeJob => cases::scribe(),
    };
    [own, cases::encryption(takes_context)].concat()
}

fn identify(rest: Value) -> Value {
    merged(json!({"languageCode": null, "identifyLanguage": true}), &rest)
}

fn identify_multiple(rest: Value) -> Value {
    merged(json!({"languageCode": null, "identifyMultipleLanguages": true}), &rest)
}

fn languages() -> Vec<Case> {
    let language = Some(("spec", "exactly one of languageCode"));
    let options = Some(("spec.languageOptions", "narrows the identification"));
    vec![
        ("a language", json!({}), None),
        ("no language", json!({"languageCode": null}), language),
        (
            "a language and identification",
            json!({"identifyLanguage": true}),
            language,
        ),
        (
            "a language and identification of several",
            json!({"identifyMultipleLanguages": true}),
            language,
        ),
        (
            "both identifications",
            identify(json!({"identifyMultipleLanguages": true})),
            language,
        ),
        (
            "identification that is off",
            json!({"identifyLanguage": false, "identifyMultipleLanguages": false}),
            None,
        ),
        (
            "nothing but identification that is off",
            json!({"languageCode": null, "identifyLanguage": false}),
            language,
        ),
        ("identification", identify(json!({})), None),
        ("identification of several", identify_multiple(json!({})), None),
        (
            "options with a language",
            json!({"languageOptions": ["en-US", "de-DE"]}),
            options,
        ),
        (
            "options with identification",
            identify(json!({"languageOptions": ["en-US", "de-DE"]})),
            None,
        ),
        (
            "options with identification of several",
            identify_multiple(json!({"languageOptions": ["en-US", "de-DE"]})),
            None,
        ),
        (
            "a single option",
            identify(json!({"languageOptions": ["en-US"]})),
            Some(("spec.languageOptions", "at least two")),
        ),
        (
            "settings by language with a language",
            json!({"languageIdSettings": {"en-US": {"vocabularyName": "v"}}}),
            Some(("spec.languageIdSettings", "is for the identification")),
        ),
        (
            "settings by language",
            identify(json!({"languageIdSettings": {"en-US": {"languageModelName": "m"}}})),
            None,
        ),
        (
            "a model by language with identification of several",
            identify_multiple(json!({"languageIdSettings": {"en-US": {"languageModelName": "m"}}})),
            Some(("spec.languageIdSettings", "no custom language model")),
        ),
        (
            "a vocabulary by language with identification of several",
            identify_multiple(json!({"languageIdSettings": {"en-US": {"vocabularyName": "v"}}})),
            None,
        ),
    ]
}

fn features() -> Vec<Case> {
    let redaction = json!({"redactionType": "PII", "redactionOutput": "redacted"});
    let toxicity = json!([{"toxicityCategories": ["ALL"]}]);
    let media = Some(("spec.media", "needs mediaFileUri and takes no redactedMediaFileUri"));
    vec![
        ("a model", json!({"modelSettings": {"languageModelName": "m"}}), None),
        (
            "a model with identification",
            identify(json!({"modelSettings": {"languageModelName": "m"}})),
            Some(("spec.modelSettings", "needs languageCode")),
        ),
        (
            "model settings without a model",
            json!({"modelSettings": {}}),
            Some(("spec.modelSettings.languageModelName", "needs languageModelName")),
        ),
        ("redaction", json!({"contentRedaction": redaction}), None),
        (
            "redaction with identification",
            identify(json!({"contentRedaction": redaction})),
            Some(("spec.contentRedaction", "does not work with the identification")),
        ),
        ("toxicity", json!({"toxicityDetection": toxicity}), None),
        (
            "toxicity in another language",
            json!({"languageCode": "de-DE", "toxicityDetection": toxicity}),
            Some(("spec.toxicityDetection", "only available for languageCode en-US")),
        ),
        (
            "toxicity with identification",
            identify(json!({"toxicityDetection": toxicity})),
            Some(("spec.toxicityDetection", "only available for languageCode en-US")),
        ),
        ("no media file", json!({"media": {"mediaFileUri": null}}), media),
        (
            "a redacted media file",
            json!({"media": {"redactedMediaFileUri": "s3://media/b.wav"}}),
            media,
        ),
    ]
}

fn settings() -> Vec<Case> {
    vec![
        (
            "a filter without a method",
            json!({"settings": {"vocabularyFilterName": "f"}}),
            Some(("spec.settings.vocabularyFilterMethod", "set it to remove, mask or tag")),
        ),
        (
            "a filter",
            json!({"settings": {"vocabularyFilterName": "f", "vocabularyFilterMethod": "tag"}}),
            None,
        ),
        (
            "deferred execution not said",
            json!({"jobExecutionSettings": {}}),
            Some((
                "spec.jobExecutionSettings.allowDeferredExecution",
                "set it to true or false",
            )),
        ),
        (
            "an output key whose bucket comes from the class",
            json!({"outputKey": "a/"}),
            None,
        ),
        (
            "deferred execution with the role of the class",
            json!({"jobExecutionSettings": {"allowDeferredExecution": true}}),
            None,
        ),
    ]
}

#[test]
fn refuses_what_breaks_a_rule_and_nothing_else() {
    for kind in Kind::ALL {
        for (name, patch, expected) in cases(*kind) {
            let result = Spec::parse(*kind, &merged(minimal(*kind), &patch));
            match (result, expected) {
                (Ok(_), None) => {}
                (Err(violations), Some((field, message))) => {
                    assert_eq!(violations.len(), 1, "{kind}, {name}: {violations:?}");
                    assert_eq!(violations[0].field, field, "{kind}, {name}");
                    assert!(
                        violations[0].message.contains(message),
                        "{kind}, {name}: {}",
                        violations[0]
                    );
                }
                (result, expected) => panic!("{kind}, {name}: expected {expected:?}, got {result:?}"),
            }
        }
    }
}

#[test]
fn tells_all_broken_rules_at_once() {
    let spec = json!({
        "identifyLanguage": true, "languageCode": "en-US", "media": {}, "settings": {"maxAlternatives": 2},
        "encryption": {"context": {"a": "1", "A": "2"}},
    });
    let fields: BTreeSet<String> = Spec::parse(Kind::TranscriptionJob, &spec)
        .unwrap_err()
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    let expected = [
        "spec",
        "spec.encryption.context",
        "spec.media",
        "spec.settings.maxAlternatives",
    ];
    assert_eq!(fields, expected.map(str::to_owned).into());
}

#[test]
fn accepts_the_samples() {
    for kind in Kind::ALL {
        for sample in all(*kind).into_iter().chain([minimal(*kind)]) {
            if let Err(violations) = Spec::parse(*kind, &sample) {
                panic!("{kind}: {violations:?}");
            }
        }
    }
}

/// A rule can be lost in silence when fragments are put together: as many stand in the CRD as are declared.
#[test]
fn holds_every_declared_rule() {
    // The rules of texts and of the keys of maps are made by the types: how many of them a kind has.
    for (kind, source, made) in [
        (
            Kind::TranscriptionJob,
            include_str!("../../src/api/transcription_job.rs"),
            17,
        ),
        (
            Kind::MedicalTranscriptionJob,
            include_str!("../../src/api/medical_transcription_job.rs"),
            16,
        ),
        (
            Kind::CallAnalyticsJob,
            include_str!("../../src/api/call_analytics_job.rs"),
            18,
        ),
        (
            Kind::MedicalScribeJob,
            include_str!("../../src/api/medical_scribe_job.rs"),
            16,
        ),
    ] {
        let declared = [source, include_str!("../../src/api/common.rs")].map(|source| {
            let rules = source.matches("validation = ").count();
            rules - source.matches("validation = rules::frozen_once_submitted").count()
        });
        let rules = rules(&spec_schema(kind));
        let by_hand = rules.iter().filter(|rule| !of_a_type(rule)).count();
        assert_eq!(by_hand, declared.iter().sum::<usize>(), "{kind}: {rules:#?}");
        assert_eq!(rules.len() - by_hand, made, "{kind}: {rules:#?}");
    }
}

/// Made by the type of a text or of a map's keys.
fn of_a_type(rule: &Value) -> bool {
    ["must ", "each key must"]
        .iter()
        .any(|start| message(rule).starts_with(start))
}

#[test]
fn explains_every_rule() {
    for kind in Kind::ALL {
        for rule in rules(&spec_schema(*kind)) {
            assert!(message(&rule).len() > 20, "{rule}");
        }
    }
}

/// In the specs and the status of jobs and classes: `kubectl explain` has nothing else to say.
#[test]
fn explains_every_member() {
    for crd in crds() {
        let kind = &crd.spec.names.kind;
        let crd = serde_json::to_value(&crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert!(schema["description"].is_string(), "{kind}");
        assert!(schema["properties"]["status"]["properties"].is_object(), "{kind}");
        undescribed(schema, kind);
    }
}

#[test]
fn has_a_case_for_every_rule() {
    for kind in Kind::ALL {
        let tested: Vec<&str> = cases(*kind)
            .into_iter()
            .filter_map(|(_, _, expected)| Some(expected?.1))
            .collect();
        for rule in rules(&spec_schema(*kind)) {
            let message = message(&rule);
            // What no other rule of call analytics can speak of, since it takes no context at all.
            let unreachable = *kind == Kind::CallAnalyticsJob && message.contains("kms:EncryptionContext:<key>");
            assert!(
                of_a_type(&rule) || unreachable || tested.iter().any(|part| message.contains(part)),
                "{kind}: no case for: {message}"
            );
        }
    }
}

#[test]
fn reads_each_control_on_its_own() {
    use transcribe_operator::api::common::JobControls;
    let spec = json!({"suspend": "yes", "backoffLimit": 3, "ttlSecondsAfterFinished": -1, "deletionPolicy": "Retain"});
    let controls = JobControls::read(&spec);
    assert!(!controls.suspend);
    assert_eq!(controls.backoff_limit.get(), 3);
    assert_eq!(controls.ttl_seconds_after_finished, None);
    assert_eq!(controls.deletion_policy.map(DeletionPolicy::as_str), Some("Retain"));
    assert_eq!(JobControls::read(&Value::Null), JobControls::default());
    for kind in Kind::ALL {
        let sample = all(*kind).remove(0);
        let parsed = Spec::parse(*kind, &sample).unwrap();
        assert_eq!(JobControls::read(&sample), *parsed.controls());
        assert_ne!(JobControls::read(&sample), JobControls::default());
    }
}

fn message(rule: &Value) -> &str {
    rule["message"].as_str().unwrap_or_default()
}

/// All rules in a schema.
fn rules(schema: &Value) -> Vec<Value> {
    match schema {
        Value::Object(members) => {
            let own = members
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            own.into_iter().chain(members.values().flat_map(rules)).collect()
        }
        Value::Array(items) => items.iter().flat_map(rules).collect(),
        _ => Vec::new(),
    }
}

/// Every member has a description that is meant for users of YAML.
fn undescribed(schema: &Value, path: &str) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let description = member["description"].as_str().unwrap_or_default();
        assert!(
            description.len() > 10 && !description.contains("[`") && !description.contains('\n'),
            "{path}: {description}"
        );
        undescribed(member, &path);
        undescribed(&member["items"], &path);
        undescribed(&member["additionalProperties"], &path);
    }
}

/// A JSON merge patch.
fn merged(mut base: Value, patch: &Value) -> Value {
    for (name, value) in patch.as_object().unwrap() {
        let members = base.as_object_mut().unwrap();
        match value {
            Value::Null => drop(members.remove(name)),
            Value::Object(_) if members.get(name).is_some_and(Value::is_object) => {
                members[name] = merged(members[name].take(), value);
            }
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    base
}
