//! Specs that hold every member between them.

use serde_json::{Value, json};
use transcribe_operator::api::{Kind, crds};

/// A spec whose language is known.
fn known_language() -> Value {
    json!({
        "languageCode": "en-US",
        "mediaSampleRateHertz": 16000,
        "mediaFormat": "wav",
        "media": {"mediaFileUri": "s3://media/call.wav"},
        "outputBucketName": "transcripts",
        "outputKey": "calls/",
        "encryption": {"kmsKeyId": "alias/calls", "context": {"department": "finance"}},
        "settings": {
            "vocabularyName": "terms", "showSpeakerLabels": true, "maxSpeakerLabels": 4, "channelIdentification": true,
            "showAlternatives": true, "maxAlternatives": 2, "vocabularyFilterName": "words",
            "vocabularyFilterMethod": "mask",
        },
        "modelSettings": {"languageModelName": "model"},
        "jobExecutionSettings": {
            "allowDeferredExecution": true, "dataAccessRoleArn": "arn:aws:iam::111122223333:role/data",
        },
        "contentRedaction": {"redactionType": "PII", "redactionOutput": "redacted", "piiEntityTypes": ["NAME", "SSN"]},
        "subtitles": {"formats": ["vtt"], "outputStartIndex": 1},
        "tags": {"team": "finance"},
        "toxicityDetection": [{"toxicityCategories": ["ALL"]}],
    })
}

/// A spec whose language is to be identified.
fn identified_language() -> Value {
    json!({
        "identifyLanguage": true,
        "languageOptions": ["de-DE", "fr-FR"],
        "languageIdSettings": {
            "de-DE": {"vocabularyName": "terms", "vocabularyFilterName": "words", "languageModelName": "model"},
        },
        "media": {"mediaFileUri": "s3://media/call.wav"},
    })
}

/// A spec whose languages are to be identified.
fn identified_languages() -> Value {
    json!({"identifyMultipleLanguages": true, "media": {"mediaFileUri": "s3://media/call.wav"}})
}

/// Medical speech.
fn medical_speech() -> Value {
    json!({
        "languageCode": "en-US",
        "mediaSampleRateHertz": 16000,
        "mediaFormat": "wav",
        "media": {"mediaFileUri": "s3://media/visit.wav"},
        "outputBucketName": "transcripts",
        "outputKey": "visits/",
        "encryption": {"kmsKeyId": "alias/visits", "context": {"department": "cardiology"}},
        "settings": {
            "showSpeakerLabels": true, "maxSpeakerLabels": 2, "channelIdentification": true, "showAlternatives": true,
            "maxAlternatives": 2, "vocabularyName": "terms",
        },
        "contentIdentificationType": "PHI",
        "specialty": "PRIMARYCARE",
        "type": "CONVERSATION",
        "tags": {"team": "cardiology"},
    })
}

/// A call with all settings.
fn call() -> Value {
    json!({
        "media": {"mediaFileUri": "s3://media/call.wav"},
        "outputLocation": "s3://transcripts/calls/",
        "encryption": {"kmsKeyId": "alias/calls"},
        "dataAccessRoleArn": "arn:aws:iam::111122223333:role/data",
        "settings": {
            "vocabularyName": "terms", "vocabularyFilterName": "words", "vocabularyFilterMethod": "mask",
            "languageModelName": "model",
            "contentRedaction": {"redactionType": "PII", "redactionOutput": "redacted", "piiEntityTypes": ["NAME", "SSN"]},
            "languageOptions": ["de-DE", "fr-FR"],
            "languageIdSettings": {
                "de-DE": {"vocabularyName": "terms", "vocabularyFilterName": "words", "languageModelName": "model"},
            },
            "summarization": {"generateAbstractiveSummary": true},
        },
        "tags": {"team": "support"},
        "channelDefinitions": [
            {"channelId": 0, "participantRole": "AGENT"}, {"channelId": 1, "participantRole": "CUSTOMER"},
        ],
    })
}

/// A medical conversation on one channel.
fn conversation() -> Value {
    json!({
        "media": {"mediaFileUri": "s3://media/visit.wav"},
        "outputBucketName": "notes",
        "encryption": {"kmsKeyId": "alias/visits", "context": {"department": "cardiology"}},
        "dataAccessRoleArn": "arn:aws:iam::111122223333:role/data",
        "settings": {
            "showSpeakerLabels": true, "maxSpeakerLabels": 2, "vocabularyName": "terms", "vocabularyFilterName": "words",
            "vocabularyFilterMethod": "mask",
            "clinicalNoteGenerationSettings": {"noteTemplate": "GIRPP"},
        },
        "tags": {"team": "cardiology"},
        "medicalScribeContext": {"patientContext": {"pronouns": "THEY_THEM"}},
    })
}

/// A medical conversation on two channels.
fn conversation_on_channels() -> Value {
    json!({
        "media": {"mediaFileUri": "s3://media/visit.wav"},
        "settings": {"channelIdentification": true},
        "channelDefinitions": [
            {"channelId": 0, "participantRole": "CLINICIAN"}, {"channelId": 1, "participantRole": "PATIENT"},
        ],
    })
}

/// The samples of a kind. Together they hold every member, but what only another kind takes.
pub fn all(kind: Kind) -> Vec<Value> {
    let samples = match kind {
        Kind::TranscriptionJob => vec![known_language(), identified_language(), identified_languages()],
        Kind::MedicalTranscriptionJob => vec![medical_speech()],
        Kind::CallAnalyticsJob => vec![
            call(),
            json!({"media": {"redactedMediaFileUri": "s3://media/call.wav"}}),
        ],
        Kind::MedicalScribeJob => vec![conversation(), conversation_on_channels()],
    };
    let controlled = |(n, mut sample): (usize, Value)| {
        let members = sample.as_object_mut().unwrap();
        if n == 0 {
            members.extend(controls().as_object().unwrap().clone());
        }
        sample
    };
    samples.into_iter().enumerate().map(controlled).collect()
}

/// The least that a kind needs.
pub fn minimal(kind: Kind) -> Value {
    let media = json!({"mediaFileUri": "s3://media/a.wav"});
    match kind {
        Kind::TranscriptionJob => json!({"languageCode": "en-US", "media": media}),
        Kind::MedicalTranscriptionJob => {
            json!({"languageCode": "en-US", "specialty": "PRIMARYCARE", "type": "DICTATION", "media": media})
        }
        Kind::CallAnalyticsJob => json!({"media": media}),
        Kind::MedicalScribeJob => {
            json!({"settings": {"showSpeakerLabels": true, "maxSpeakerLabels": 2}, "media": media})
        }
    }
}

/// All job controls, none at its default.
fn controls() -> Value {
    json!({
        "transcriptionClassName": "finance", "suspend": true, "startDeadlineSeconds": 60, "backoffLimit": 1,
        "ttlSecondsAfterFinished": 60, "deletionPolicy": "Retain",
    })
}

/// The spec of a class that holds every member.
pub fn class() -> Value {
    let role = "arn:aws:iam::111122223333:role/transcribe";
    json!({
        "region": "eu-west-1",
        "identity": {"roleArn": role, "externalId": "finance-7f3a"},
        "namespaceSelector": {
            "matchLabels": {"team": "finance"},
            "matchExpressions": [{"key": "stage", "operator": "In", "values": ["test"]}],
        },
        "input": {"allowedUris": ["s3://media/{namespace}/"]},
        "output": {
            "bucketName": "transcripts", "keyPrefix": "{namespace}/{uid}/", "allowedBuckets": ["archive"],
            "unprefixedKinds": ["MedicalScribeJob"], "allowServiceManaged": true,
        },
        "encryption": {
            "required": true, "defaultKmsKeyId": "alias/finance",
            "allowedKmsKeys": ["arn:aws:kms:eu-west-1:111122223333:alias/finance-*"],
            "addedContext": {"namespace": "{namespace}"}, "requiredContextKeys": ["department"],
            "kindsWithoutContext": "Allow", "verifyAccess": "Off", "personalDataInContext": "Deny",
        },
        "resourceNames": ["{namespace}_*"],
        "dataAccess": {"allowedRoleArns": ["*"], "defaultRoleArn": role},
        "limits": {"maxRunningJobs": 50, "maxRunningJobsPerNamespace": 20},
        "tags": {"cost-center": "4711"},
        "jobDefaults": {"ttlSecondsAfterFinished": 60, "deletionPolicy": "Retain"},
    })
}

/// What makes that class a wrong one: the change, the field, and what is said.
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn refused_classes() -> Vec<(Value, &'static str, &'static str)> {
    let long = "a".repeat(2001);
    let pairs: Value = (0..11).map(|n| (format!("k{n}"), json!("v"))).collect();
    let selecting = |operator: &str, values: Value| json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}});
    let operators = "the operator must be In or NotIn, with values, or Exists or DoesNotExist";
    vec![
        (json!({"region": "Ireland"}), "spec.region", "must be an AWS Region"),
        (
            json!({"identity": {"roleArn": "arn:aws:iam:::role/a"}}),
            "spec.identity.roleArn",
            "must be the ARN of an IAM role",
        ),
        (
            json!({"identity": {"roleArn": "*"}}),
            "spec.identity.roleArn",
            "must be the ARN of an IAM role",
        ),
        (
            json!({"identity": {"externalId": "a b"}}),
            "spec.identity.externalId",
            "must be an external id",
        ),
        (selecting("NotIn", json!([])), "spec.namespaceSelector", operators),
        (selecting("In", Value::Null), "spec.namespaceSelector", operators),
        (selecting("Exists", json!(["a"])), "spec.namespaceSelector", operators),
        (selecting("in", json!(["a"])), "spec.namespaceSelector", operators),
        (
            json!({"input": {"allowedUris": ["media"]}}),
            "spec.input.allowedUris[0]",
            "must be s3://bucket/",
        ),
        (
            json!({"input": {"allowedUris": ["s3://media/{name}/"]}}),
            "spec.input.allowedUris[0]",
            "must have no braces",
        ),
        (
            json!({"input": {"allowedUris": ["s3://media/a/../b/"]}}),
            "spec.input.allowedUris[0]",
            "no empty segments",
        ),
        (
            json!({"output": {"bucketName": "A"}}),
            "spec.output.bucketName",
            "must be a bucket name",
        ),
        (
            json!({"output": {"allowedBuckets": ["finance-*"]}}),
            "spec.output.allowedBuckets[0]",
            "must be a bucket name",
        ),
        (
            json!({"output": {"keyPrefix": "{uid}/"}}),
            "spec.output.keyPrefix",
            "must have {namespace} as a whole segment",
        ),
        (
            json!({"output": {"keyPrefix": "a{namespace}/{uid}/"}}),
            "spec.output.keyPrefix",
            "must have {namespace} as a whole",
        ),
        (
            json!({"output": {"keyPrefix": "{namespace}/"}}),
            "spec.output.keyPrefix",
            "must have {uid}",
        ),
        (
            json!({"output": {"keyPrefix": "{namespace}/{uid}"}}),
            "spec.output.keyPrefix",
            "each with a slash after it",
        ),
        (
            json!({"output": {"keyPrefix": "{namespace}/../{uid}/"}}),
            "spec.output.keyPrefix",
            "no segments of dots",
        ),
        (
            json!({"output": {"keyPrefix": "{namespace}/{uid}/{user}/"}}),
            "spec.output.keyPrefix",
            "must have no braces but",
        ),
        (
            json!({"output": {"unprefixedKinds": ["Job"]}}),
            "spec.output.unprefixedKinds[0]",
            "must be one of",
        ),
        (
            json!({"encryption": {"defaultKmsKeyId": "alias/aws/s3"}}),
            "spec.encryption.defaultKmsKeyId",
            "customer managed",
        ),
        (
            json!({"encryption": {"defaultKmsKeyId": "arn:aws:kms:us-east-1:111122223333:alias/a"}}),
            "spec.encryption.defaultKmsKeyId",
            "must be in the Region of the class",
        ),
        (
            json!({"encryption": {"allowedKmsKeys": ["alias/a"]}}),
            "spec.encryption.allowedKmsKeys[0]",
            "must be the ARN of a key",
        ),
        (
            json!({"encryption": {"allowedKmsKeys": ["arn:aws:kms:eu-west-1:111122223333:alias/aws/s3"]}}),
            "spec.encryption.allowedKmsKeys[0]",
            "must not be of AWS managed keys",
        ),
        (
            json!({"encryption": {"addedContext": {"aws:a": "b"}}}),
            "spec.encryption.addedContext",
            "must not begin with aws:",
        ),
        (
            json!({"encryption": {"addedContext": {"a": "{uid}"}}}),
            "spec.encryption.addedContext.a",
            "must have no braces but",
        ),
        (
            json!({"encryption": {"addedContext": {"a": long}}}),
            "spec.encryption.addedContext.a",
            "2000",
        ),
        (
            json!({"encryption": {"addedContext": pairs}}),
            "spec.encryption.addedContext",
            "at most 10",
        ),
        (
            json!({"encryption": {"addedContext": {"a": "b", "A": "c"}}}),
            "spec.encryption.addedContext",
            "differ in more than upper and lower case",
        ),
        (
            json!({"encryption": {"requiredContextKeys": ["\u{fc}"]}}),
            "spec.encryption.requiredContextKeys[0]",
            "printable ASCII",
        ),
        (
            json!({"encryption": {"kindsWithoutContext": "allow"}}),
            "spec.encryption.kindsWithoutContext",
            "must be one of",
        ),
        (
            json!({"encryption": {"verifyAccess": "No"}}),
            "spec.encryption.verifyAccess",
            "must be one of",
        ),
        (
            json!({"encryption": {"personalDataInContext": "Off"}}),
            "spec.encryption.personalDataInContext",
            "must be one of",
        ),
        (
            json!({"resourceNames": ["a b"]}),
            "spec.resourceNames[0]",
            "must be a name",
        ),
        (
            json!({"resourceNames": ["{namespace}-*"]}),
            "spec.resourceNames[0]",
            "a dot or an underscore between",
        ),
        (
            json!({"dataAccess": {"allowedRoleArns": ["arn:aws:iam::*:role/a"]}}),
            "spec.dataAccess.allowedRoleArns[0]",
            "IAM role",
        ),
        (
            json!({"dataAccess": {"defaultRoleArn": "a"}}),
            "spec.dataAccess.defaultRoleArn",
            "must be the ARN of an IAM role",
        ),
        (
            json!({"limits": {"maxRunningJobs": 0}}),
            "spec.limits.maxRunningJobs",
            "from 1 to 100000",
        ),
        (
            json!({"tags": {"Transcribe-Operator.io/uid": "x"}}),
            "spec.tags",
            "must not begin with",
        ),
        (
            json!({"jobDefaults": {"ttlSecondsAfterFinished": -1}}),
            "spec.jobDefaults.ttlSecondsAfterFinished",
            "from 0",
        ),
        (
            json!({"jobDefaults": {"deletionPolicy": "Keep"}}),
            "spec.jobDefaults.deletionPolicy",
            "must be one of",
        ),
    ]
}

/// With members changed, or taken out where the change is null. A map and a list are replaced.
pub fn merged(value: &Value, change: &Value) -> Value {
    let mut merged = value.clone();
    for (name, change) in change.as_object().unwrap() {
        match (&mut merged[name], change) {
            (Value::Object(members), Value::Object(changes)) => {
                members.extend(changes.clone());
                members.retain(|_, member| !member.is_null());
            }
            (member, change) => *member = change.clone(),
        }
    }
    merged.as_object_mut().unwrap().retain(|_, member| !member.is_null());
    merged
}

/// The schema of a class.
pub fn class_schema() -> Value {
    schema_named("TranscriptionClass")
}

/// The schema of a kind's object.
pub fn schema(kind: Kind) -> Value {
    schema_named(kind.name())
}

fn schema_named(kind: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    serde_json::to_value(
        crd.spec.versions[0]
            .schema
            .as_ref()
            .unwrap()
            .open_api_v3_schema
            .as_ref()
            .unwrap(),
    )
    .unwrap()
}

/// The schema of a kind's spec.
pub fn spec_schema(kind: Kind) -> Value {
    schema(kind)["properties"]["spec"].take()
}

/// The paths (as JSON pointers) of all members below this value: objects, lists and leaves.
pub fn paths(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.replace('/', "~1"), value))
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| (i.to_string(), item))
                .collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            let path = format!("{path}/{name}");
            found.push(path.clone());
            walk(child, &path, found);
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Without the member at this path.
pub fn without(value: &Value, path: &str) -> Value {
    let mut value = value.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(&name.replace("~1", "/"))),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        other => panic!("no parent: {other}"),
    }
    value
}

/// With the member at this path changed to another value that its schema accepts.
pub fn edited(value: &Value, path: &str) -> Option<Value> {
    let member = match value.pointer(path).unwrap() {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => match number.as_i64().unwrap() {
            1 => json!(0),
            number => json!(number + 1),
        },
        Value::String(text) => json!(match text.as_str() {
            "wav" => "mp3",
            "mask" => "tag",
            "vtt" => "srt",
            "redacted" => "redacted_and_unredacted",
            "Retain" => "Delete",
            "en-US" | "de-DE" | "fr-FR" => "en-GB",
            "PII" | "ALL" | "PHI" | "PRIMARYCARE" => return None,
            "NAME" | "SSN" => "EMAIL",
            "CONVERSATION" => "DICTATION",
            "AGENT" => "CUSTOMER",
            "CUSTOMER" => "AGENT",
            "CLINICIAN" => "PATIENT",
            "PATIENT" => "CLINICIAN",
            "GIRPP" => "BIRP",
            "THEY_THEM" => "SHE_HER",
            text if text.ends_with('/') => return Some(replaced(value, path, json!(format!("{text}x/")))),
            text => return Some(replaced(value, path, json!(format!("{text}x")))),
        }),
        Value::Object(_) | Value::Array(_) | Value::Null => return None,
    };
    Some(replaced(value, path, member))
}

/// With the member at this path replaced.
pub fn replaced(value: &Value, path: &str, member: Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(path).unwrap() = member;
    value
}
