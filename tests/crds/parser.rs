//! The schema and the parser agree: what one accepts the other reads, and what one refuses the other refuses.

use proptest::prelude::*;
use proptest::strategy::Union;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use transcribe_operator::api::{
    Kind, call_analytics_job::CallAnalyticsJobSpec, medical_scribe_job::MedicalScribeJobSpec,
    medical_transcription_job::MedicalTranscriptionJobSpec, transcription_job::TranscriptionJobSpec,
};

use crate::samples::{all, paths, replaced, spec_schema};

fn reads(kind: Kind, spec: &Value) -> Result<Value, String> {
    fn through<T: DeserializeOwned + Serialize>(spec: &Value) -> Result<Value, serde_json::Error> {
        serde_json::to_value(serde_json::from_value::<T>(spec.clone())?)
    }
    let read = match kind {
        Kind::TranscriptionJob => through::<TranscriptionJobSpec>(spec),
        Kind::MedicalTranscriptionJob => through::<MedicalTranscriptionJobSpec>(spec),
        Kind::CallAnalyticsJob => through::<CallAnalyticsJobSpec>(spec),
        Kind::MedicalScribeJob => through::<MedicalScribeJobSpec>(spec),
    };
    read.map_err(|error| error.to_string())
}

fn specs() -> impl Strategy<Value = (Kind, Value)> {
    let of = |kind: Kind| values(&spec_schema(kind)).prop_map(move |spec| (kind, spec)).boxed();
    Union::new(Kind::ALL.iter().copied().map(of))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_whatever_the_schema_accepts_and_loses_nothing((kind, spec) in specs()) {
        let mut read = reads(kind, &spec).map_err(TestCaseError::fail)?;
        for (control, default) in [("suspend", json!(false)), ("backoffLimit", json!(0))] {
            if spec.get(control).is_none() {
                prop_assert_eq!(read.as_object_mut().unwrap().remove(control), Some(default));
            }
        }
        prop_assert_eq!(read, spec);
    }
}

/// Values that a schema accepts. Rules in CEL are left out: they are judged after reading.
fn values(schema: &Value) -> BoxedStrategy<Value> {
    let size = |least: &str, most: &str, otherwise: usize| {
        let bound = |keyword: &str| {
            schema
                .get(keyword)
                .and_then(Value::as_u64)
                .map(|bound| usize::try_from(bound).unwrap())
        };
        let least = bound(least).unwrap_or(0);
        least..=bound(most).unwrap_or(otherwise).min(otherwise.max(least))
    };
    if let Some(values) = schema["enum"].as_array() {
        return Union::new(values.iter().cloned().map(Just)).boxed();
    }
    match schema["type"].as_str().unwrap() {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => {
            let bound = |keyword: &str| schema[keyword].as_f64().map(|bound| bound as i64).unwrap();
            (bound("minimum")..=bound("maximum")).prop_map(Value::from).boxed()
        }
        "string" => texts(schema).prop_map(Value::from).boxed(),
        "array" => prop::collection::vec(values(&schema["items"]), size("minItems", "maxItems", 3))
            .prop_map(Value::from)
            .boxed(),
        "object" => match schema.get("additionalProperties") {
            Some(entries) => {
                // Names that every map of ours takes as keys.
                let keys = prop::string::string_regex("[a-z]{2}-[A-Z]{2}").unwrap();
                prop::collection::btree_map(keys, values(entries), size("minProperties", "maxProperties", 3))
                    .prop_map(|entries| json!(entries))
                    .boxed()
            }
            None => members(schema),
        },
        other => panic!("{other}"),
    }
}

fn texts(schema: &Value) -> BoxedStrategy<String> {
    // Where rules say it all there is no pattern: these are some of the texts that the rules accept.
    let by_rules = if schema["maxLength"] == 2048 {
        "(?:alias/x[a-z0-9/_-]{0,20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|arn:aws:kms:eu-west-1:[0-9]{12}:key/mrk-[0-9a-f]{32})"
    } else {
        "[ -~]{0,20}[!-~][ -~]{0,20}"
    };
    // A place for output: its rule asks for more than its pattern.
    let place = "s3://[a-z]{3,9}(?:/(?:[a-z]{1,5}/){0,2}(?:[a-z]{1,5}\\.json)?)?";
    let is_place = |pattern: &&str| pattern.starts_with("^s3://") && schema.get("x-kubernetes-validations").is_some();
    let pattern = schema["pattern"].as_str().unwrap_or(by_rules);
    let pattern = Some(pattern)
        .filter(|pattern| !is_place(pattern))
        .unwrap_or(place)
        .trim_start_matches('^')
        .trim_end_matches('$')
        .to_owned();
    let length = |keyword: &str| usize::try_from(schema[keyword].as_u64().unwrap()).unwrap();
    let (least, most) = (length("minLength"), length("maxLength"));
    prop::string::string_regex(&pattern)
        .unwrap()
        .prop_filter("keeps its length", move |text| {
            (least..=most).contains(&text.chars().count())
        })
        .boxed()
}

fn members(schema: &Value) -> BoxedStrategy<Value> {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let each: Vec<BoxedStrategy<Option<(String, Value)>>> = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, member)| {
            let (owned, is_required) = (name.clone(), required.contains(&name.as_str()));
            (any::<bool>(), values(member))
                .prop_map(move |(there, value)| (there || is_required).then(|| (owned.clone(), value)))
                .boxed()
        })
        .collect();
    each.prop_map(|members| Value::Object(members.into_iter().flatten().collect()))
        .boxed()
}

#[test]
fn refuses_whatever_is_out_of_the_bounds_of_the_schema() {
    let mut refused = 0;
    for kind in Kind::ALL {
        let schema = spec_schema(*kind);
        for (sample, path) in all(*kind)
            .iter()
            .flat_map(|sample| paths(sample).into_iter().map(move |path| (sample, path)))
        {
            for value in out_of_bounds(schema_at(&schema, &path)) {
                let spec = replaced(sample, &path, value.clone());
                let value: String = value.to_string().chars().take(100).collect();
                assert!(reads(*kind, &spec).is_err(), "{kind} {path} takes {value}");
                refused += 1;
            }
        }
    }
    assert!(refused > 400, "{refused}");
}

#[test]
fn says_where_a_spec_cannot_be_read() {
    use transcribe_operator::api::Spec;
    let cases = [
        (
            "/settings/maxSpeakerLabels",
            json!(31),
            "spec.settings.maxSpeakerLabels: must be from 2 to 30, and is 31",
        ),
        (
            "/settings/maxSpeakerLabels",
            json!("x"),
            "spec.settings.maxSpeakerLabels: must be a whole number, and is a string",
        ),
        (
            "/backoffLimit",
            json!(11),
            "spec.backoffLimit: must be from 0 to 10, and is 11",
        ),
        (
            "/encryption/context",
            json!({}),
            "spec.encryption.context: must have at least 1 entries, and has 0",
        ),
        (
            "/encryption/context/department",
            json!(" "),
            "spec.encryption.context.department: must be printable ASCII",
        ),
        (
            "/contentRedaction/piiEntityTypes/1",
            json!("ssn"),
            "spec.contentRedaction.piiEntityTypes[1]: must be a PII type",
        ),
        (
            "/media",
            json!("s3://media/call.wav"),
            "spec.media: must be an object, and is a string",
        ),
        (
            "/media/mediaFileUri",
            json!("https://media/call.wav"),
            "spec.media.mediaFileUri: must be an object in Amazon S3",
        ),
        ("", json!(null), "spec: must be an object, and is null"),
        ("", json!({"languageCode": "en-US"}), "spec.media: required"),
    ];
    for (path, value, expected) in cases {
        let spec = replaced(&all(Kind::TranscriptionJob)[0], path, value);
        let violations = Spec::parse(Kind::TranscriptionJob, &spec).unwrap_err();
        let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].starts_with(expected), "{path}: {said:?}");
    }
}

fn schema_at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.trim_start_matches('/').split('/').fold(schema, |schema, name| {
        schema["properties"]
            .get(name)
            .or(schema.get("items"))
            .or(schema.get("additionalProperties"))
            .unwrap()
    })
}

/// Values just outside of what the schema accepts, and values of other types.
fn out_of_bounds(schema: &Value) -> Vec<Value> {
    let integer = |keyword: &str| schema.get(keyword).and_then(Value::as_f64).map(|bound| bound as i64);
    let bound = |keyword: &str| integer(keyword).map(|bound| usize::try_from(bound).unwrap());
    let mut values = match schema["type"].as_str().unwrap() {
        "integer" => vec![json!("1"), json!(1.5)],
        "boolean" => vec![json!("true"), json!(1)],
        "string" => vec![json!(1), json!(true), json!("\n")],
        "array" => vec![json!("x"), json!({})],
        _ => vec![json!("x"), json!(true)],
    };
    values.extend(integer("minimum").map(|bound| json!(bound - 1)));
    values.extend(integer("maximum").map(|bound| json!(bound + 1)));
    values.extend(bound("maxLength").map(|most| json!("a".repeat(most + 1))));
    values.extend(
        bound("minLength")
            .filter(|least| *least > 0)
            .map(|least| json!("a".repeat(least - 1))),
    );
    values.extend(bound("minItems").filter(|least| *least > 0).map(|_| json!([])));
    values.extend(bound("maxItems").map(|most| {
        let items = std::iter::repeat_n(
            schema["items"]["enum"].get(0).cloned().unwrap_or(json!("NAME")),
            most + 1,
        );
        items.collect()
    }));
    values.extend(bound("minProperties").filter(|least| *least > 0).map(|_| json!({})));
    values.extend(bound("maxProperties").map(|most| {
        let entry = if schema["additionalProperties"]["type"] == "object" {
            json!({})
        } else {
            json!("v")
        };
        (0..=most).map(|n| (format!("aa-{n:02}"), entry.clone())).collect()
    }));
    values.extend(schema.get("enum").map(|_| json!("UNKNOWN")));
    values
}
