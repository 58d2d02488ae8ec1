//! Every member of the Start requests of AWS, with AWS's bounds and values, stands in the CRDs; what deviates is listed.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Value, json};
use transcribe_operator::api::Kind;

use crate::samples::spec_schema;

/// Where the CRDs leave the AWS model on purpose: the member, what differs, and why.
const DEVIATIONS: &[(&str, What, &str)] = &[
    (
        "TranscriptionJobName",
        What::Moved(None),
        "derived from the object: it is the idempotency key",
    ),
    ("MedicalTranscriptionJobName", What::Moved(None), "likewise"),
    ("CallAnalyticsJobName", What::Moved(None), "likewise"),
    ("MedicalScribeJobName", What::Moved(None), "likewise"),
    (
        "OutputEncryptionKMSKeyId",
        What::Moved(Some("encryption.kmsKeyId")),
        "one encryption spec on every kind",
    ),
    (
        "KMSEncryptionContext",
        What::Moved(Some("encryption.context")),
        "one encryption spec on every kind",
    ),
    (
        "Tags",
        What::Moved(Some("tags")),
        "a map: its keys are unique by structure",
    ),
    ("LanguageCode", What::OpenEnum, "AWS adds languages often"),
    ("LanguageOptions[]", What::OpenEnum, "likewise"),
    ("LanguageIdSettings{key}", What::OpenEnum, "likewise"),
    ("Settings.LanguageOptions[]", What::OpenEnum, "likewise"),
    ("Settings.LanguageIdSettings{key}", What::OpenEnum, "likewise"),
    (
        "ContentRedaction.PiiEntityTypes[]",
        What::OpenEnum,
        "AWS adds types often",
    ),
    ("Settings.ContentRedaction.PiiEntityTypes[]", What::OpenEnum, "likewise"),
    (
        "Media.MediaFileUri",
        What::Keywords(&["pattern", "minLength"]),
        "s3://bucket/key only",
    ),
    (
        "Media.RedactedMediaFileUri",
        What::Keywords(&["pattern", "minLength"]),
        "likewise",
    ),
    (
        "OutputLocation",
        What::Keywords(&["pattern", "minLength"]),
        "the three forms of its documentation only",
    ),
    (
        "OutputBucketName",
        What::Keywords(&["minLength"]),
        "what the pattern says anyhow",
    ),
    ("OutputBucketName", What::OfTheClass, "the class supplies it"),
    (
        "JobExecutionSettings.DataAccessRoleArn",
        What::Keywords(&["pattern"]),
        "AWS's pattern forgets aws-eusc",
    ),
    ("DataAccessRoleArn", What::Keywords(&["pattern"]), "likewise"),
    ("DataAccessRoleArn", What::OfTheClass, "the class supplies it"),
];

#[derive(Clone, Copy, Debug)]
enum What {
    /// The member is not at its place, but there.
    Moved(Option<&'static str>),
    /// A pattern instead of the values.
    OpenEnum,
    /// AWS requires it of every request, and the CRD does not: the effective request is judged.
    OfTheClass,
    /// These keywords differ.
    Keywords(&'static [&'static str]),
}

/// Members of a spec that are no members of the request.
const OURS: &[&str] = &[
    "encryption",
    "transcriptionClassName",
    "suspend",
    "startDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "deletionPolicy",
];

fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::TranscriptionJob => "StartTranscriptionJob",
        Kind::MedicalTranscriptionJob => "StartMedicalTranscriptionJob",
        Kind::CallAnalyticsJob => "StartCallAnalyticsJob",
        Kind::MedicalScribeJob => "StartMedicalScribeJob",
    }
}

fn model() -> Value {
    serde_json::from_str(include_str!("../testkit/aws-model/transcribe.json")).unwrap()
}

#[test]
fn holds_every_member_of_the_aws_request_with_its_bounds() {
    for kind in Kind::ALL {
        let (findings, _) = compare(*kind, &spec_schema(*kind));
        assert!(
            findings.is_empty(),
            "{kind} differs from {}:\n{}",
            operation(*kind),
            findings.join("\n")
        );
    }
}

#[test]
fn lists_no_deviation_that_is_not_there() {
    let used: BTreeSet<usize> = Kind::ALL
        .iter()
        .flat_map(|kind| compare(*kind, &spec_schema(*kind)).1)
        .collect();
    for (nth, (path, what, why)) in DEVIATIONS.iter().enumerate() {
        assert!(used.contains(&nth), "{path} does not deviate ({what:?}: {why})");
    }
}

#[test]
fn names_a_missing_member_by_its_path() {
    let mut schema = spec_schema(Kind::TranscriptionJob);
    let remove = |schema: &mut Value, parent: &str, name: &str| {
        schema
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name)
            .unwrap();
    };
    remove(&mut schema, "/properties/settings/properties", "maxAlternatives");
    remove(
        &mut schema,
        "/properties/languageIdSettings/additionalProperties/properties",
        "vocabularyName",
    );
    remove(&mut schema, "/properties/outputKey", "pattern");
    remove(&mut schema, "/properties/encryption/properties", "context");
    schema["properties"]["mediaFormat"]["enum"]
        .as_array_mut()
        .unwrap()
        .pop();
    schema["properties"]["invented"] = json!({"type": "string"});
    let (findings, _) = compare(Kind::TranscriptionJob, &schema);
    let named: BTreeSet<&str> = findings
        .iter()
        .map(|finding| finding.split(':').next().unwrap())
        .collect();
    let expected = [
        "KMSEncryptionContext",
        "LanguageIdSettings{}.VocabularyName",
        "MediaFormat",
        "OutputKey",
        "Settings.MaxAlternatives",
        "invented",
    ];
    assert_eq!(named, BTreeSet::from(expected), "{findings:#?}");
}

/// What differs, and which deviations were met.
fn compare(kind: Kind, spec: &Value) -> (Vec<String>, BTreeSet<usize>) {
    let model = model();
    let input = model["operations"][operation(kind)]["input"]["shape"].as_str().unwrap();
    let mut comparison = Comparison {
        model: &model,
        spec,
        findings: Vec::new(),
        used: BTreeSet::new(),
    };
    comparison.shape(input, spec, "");
    comparison.no_others(input);
    (comparison.findings, comparison.used)
}

struct Comparison<'a> {
    model: &'a Value,
    spec: &'a Value,
    findings: Vec<String>,
    used: BTreeSet<usize>,
}

impl Comparison<'_> {
    fn shape(&mut self, shape: &str, ours: &Value, path: &str) {
        let shape = self.model["shapes"][shape].clone();
        match shape["type"].as_str().unwrap() {
            "structure" => self.structure(&shape, ours, path),
            "list" => {
                self.bounds(&shape, ours, path, [("min", "minItems"), ("max", "maxItems")]);
                self.shape(
                    shape["member"]["shape"].as_str().unwrap(),
                    &ours["items"],
                    &format!("{path}[]"),
                );
            }
            "map" => {
                self.bounds(&shape, ours, path, [("min", "minProperties"), ("max", "maxProperties")]);
                self.keys(shape["key"]["shape"].as_str().unwrap(), ours, &format!("{path}{{key}}"));
                let values = shape["value"]["shape"].as_str().unwrap();
                self.shape(values, &ours["additionalProperties"], &format!("{path}{{}}"));
            }
            "string" => self.string(&shape, ours, path),
            "integer" => {
                self.equal(path, "type", &ours["type"], &json!("integer"));
                self.bounds(&shape, ours, path, [("min", "minimum"), ("max", "maximum")]);
            }
            "boolean" => self.equal(path, "type", &ours["type"], &json!("boolean")),
            other => panic!("{path}: the model has a type that this test does not know: {other}"),
        }
    }

    fn structure(&mut self, shape: &Value, ours: &Value, path: &str) {
        for (name, member) in shape["members"].as_object().unwrap() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            if let Some(What::Moved(place)) = self.deviation(&path, |what| matches!(what, What::Moved(_))) {
                self.moved(member["shape"].as_str().unwrap(), place, &path);
                continue;
            }
            match ours["properties"].get(lower_camel(name)) {
                Some(member_schema) => {
                    self.shape(member["shape"].as_str().unwrap(), member_schema, &path);
                    let described = member_schema["description"].is_string();
                    self.expect(described, &path, || "has no description".to_owned());
                }
                None => self.expect(false, &path, || "is missing".to_owned()),
            }
        }
        self.required(shape, ours, path);
    }

    fn moved(&mut self, shape: &str, place: Option<&str>, path: &str) {
        let Some(place) = place else { return };
        match self.place(place).cloned() {
            Some(ours) if self.model["shapes"][shape]["type"] == "map" => {
                let shape = self.model["shapes"][shape].clone();
                self.bounds(
                    &shape,
                    &ours,
                    path,
                    [("min", "minProperties"), ("max", "maxProperties")],
                );
            }
            ours => self.expect(ours.is_some(), path, || format!("is not at {place}")),
        }
    }

    fn required(&mut self, shape: &Value, ours: &Value, path: &str) {
        let list = |value: &Value| -> BTreeSet<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        let of_the_object = |what: &What| matches!(what, What::Moved(_) | What::OfTheClass);
        let theirs = list(&shape["required"]).into_iter().filter(|name| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            self.deviation(&path, of_the_object).is_none()
        });
        let theirs: BTreeSet<String> = theirs.map(|name| lower_camel(&name)).collect();
        let ours = list(&ours["required"]);
        self.expect(ours == theirs, path, || {
            format!("requires {ours:?}, AWS requires {theirs:?}")
        });
    }

    fn string(&mut self, shape: &Value, ours: &Value, path: &str) {
        self.equal(path, "type", &ours["type"], &json!("string"));
        match shape.get("enum") {
            Some(values) if self.deviation(path, open).is_some() => {
                self.open_enum(values, &ours["pattern"], path);
            }
            Some(values) => self.equal(path, "enum", &ours["enum"], values),
            None => {
                self.bounds(shape, ours, path, [("min", "minLength"), ("max", "maxLength")]);
                let theirs = shape["pattern"]
                    .as_str()
                    .map_or(Value::Null, |pattern| json!(whole(pattern)));
                self.equal(path, "pattern", &ours["pattern"], &theirs);
            }
        }
    }

    /// The pattern must at least take what AWS knows today.
    fn open_enum(&mut self, values: &Value, pattern: &Value, path: &str) {
        let pattern = Regex::new(pattern.as_str().unwrap_or("$^")).unwrap();
        for value in values.as_array().unwrap() {
            let value = value.as_str().unwrap();
            self.expect(pattern.is_match(value), path, || format!("does not take {value}"));
        }
    }

    /// Rules about keys can only be CEL; of an open enum the pattern is in it.
    fn keys(&mut self, shape: &str, ours: &Value, path: &str) {
        let open = self.deviation(path, open).is_some();
        let values = self.model["shapes"][shape]["enum"].clone();
        let rules = ours["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
        let pattern = rules.iter().find_map(|rule| {
            let (_, pattern) = rule["rule"].as_str()?.split_once("k.matches('")?;
            Some(pattern.split_once("')")?.0.to_owned())
        });
        self.expect(open && pattern.is_some(), path, || {
            "has no rule about its keys".to_owned()
        });
        self.open_enum(&values, &json!(pattern), path);
    }

    fn bounds(&mut self, shape: &Value, ours: &Value, path: &str, keywords: [(&str, &'static str); 2]) {
        for (theirs, keyword) in keywords {
            // A lower bound of nothing need not be said.
            let theirs = shape
                .get(theirs)
                .filter(|bound| **bound != json!(0) || keyword == "minimum");
            let ours = ours
                .get(keyword)
                .filter(|bound| bound.as_f64() != Some(0.0) || keyword == "minimum");
            self.equal(
                path,
                keyword,
                &json!(ours.and_then(Value::as_f64)),
                &json!(theirs.and_then(Value::as_f64)),
            );
        }
    }

    fn equal(&mut self, path: &str, keyword: &'static str, ours: &Value, theirs: &Value) {
        if ours == theirs {
            return;
        }
        let listed = |what: &What| matches!(what, What::Keywords(keywords) if keywords.contains(&keyword));
        let deviates = self.deviation(path, listed).is_some();
        self.expect(deviates, path, || format!("{keyword} is {ours}, AWS has {theirs}"));
    }

    /// Nothing stands in the spec that is not of AWS or listed as ours.
    fn no_others(&mut self, input: &str) {
        let theirs = &self.model["shapes"][input]["members"];
        let theirs: BTreeSet<String> = theirs
            .as_object()
            .unwrap()
            .keys()
            .map(|name| lower_camel(name))
            .collect();
        for name in self.spec["properties"].as_object().unwrap().keys() {
            let known = theirs.contains(name) || OURS.contains(&name.as_str());
            self.expect(known, name, || "is no member of the AWS request".to_owned());
        }
    }

    fn place(&self, place: &str) -> Option<&Value> {
        place
            .split('.')
            .try_fold(self.spec, |schema, name| schema["properties"].get(name))
    }

    fn deviation(&mut self, path: &str, of: impl Fn(&What) -> bool) -> Option<What> {
        let mut listed = DEVIATIONS.iter().enumerate();
        let (nth, (_, what, _)) = listed.find(|(_, (listed, what, _))| *listed == path && of(what))?;
        self.used.insert(nth);
        Some(*what)
    }

    fn expect(&mut self, holds: bool, path: &str, finding: impl FnOnce() -> String) {
        if !holds {
            self.findings.push(format!("{path}: {}", finding()));
        }
    }
}

fn open(what: &What) -> bool {
    matches!(what, What::OpenEnum)
}

fn lower_camel(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}

/// AWS's pattern as it is matched: whole. Go's regular expressions have no repeat count above 1000.
fn whole(pattern: &str) -> String {
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    let bare = bare.strip_suffix('$').unwrap_or(bare);
    let counted = BTreeMap::from([("{1,1024}", "+"), ("{0,1024}", "*")]);
    let bare = counted
        .iter()
        .fold(bare.to_owned(), |bare, (count, sign)| bare.replace(count, sign));
    format!("^(?:{bare})$")
}
