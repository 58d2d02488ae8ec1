//! Every kind: what AWS is asked for is what the manifest asks for, member by member, and what comes of it is in the status.
//!
//! What a request must be is worked out here from the manifest, the class and the naming rule alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use testkit::aws_sim::Key;
use testkit::stage::{CLUSTER_ID, REGION, repository};
use testkit::wait;
use transcribe_operator::api::Kind;

use crate::kinds::until_condition;
use crate::samples;
use crate::scene::{KEY, ROLE, Tenant, tenant};

/// Members of a spec that are no members of a request.
const CONTROLS: [&str; 6] = [
    "transcriptionClassName",
    "suspend",
    "startDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "deletionPolicy",
];
/// Members that AWS has in another form.
const RESHAPED: [&str; 6] = [
    "encryption",
    "tags",
    "outputBucketName",
    "outputKey",
    "outputLocation",
    "dataAccessRoleArn",
];

/// A manifest, the class that it is bound to, and the object that was made of it.
struct Case<'a> {
    kind: Kind,
    manifest: &'a Value,
    class: &'a Value,
    namespace: &'a str,
    uid: &'a str,
    /// The ARNs of keys by those of their aliases.
    aliases: &'a BTreeMap<String, String>,
}

impl Case<'_> {
    fn asked(&self, pointer: &str) -> Option<&Value> {
        self.manifest["spec"].pointer(pointer)
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.asked(pointer)?.as_str()
    }

    fn name(&self) -> &str {
        self.manifest["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn job_name(&self) -> String {
        let kept = self.text("/deletionPolicy") == Some("Retain");
        format!("tro-{CLUSTER_ID}-{}-1{}", self.uid, if kept { "r" } else { "" })
    }

    /// Where the output goes: the bucket, and the key below the default prefix of classes.
    fn place(&self) -> (&str, String) {
        let location = self.text("/outputLocation").and_then(|uri| uri.strip_prefix("s3://"));
        let located = location.map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        let bucket = located.map(|(bucket, _)| bucket).or(self.text("/outputBucketName"));
        let key = located.map(|(_, key)| key).or(self.text("/outputKey"));
        let prefix = format!("{}/{}/{}/{}-1/", self.namespace, self.kind, self.name(), self.uid);
        let bucket = bucket.or(self.class["output"]["bucketName"].as_str());
        (bucket.unwrap_or_default(), prefix + key.unwrap_or_default())
    }

    /// The ARN of the key.
    fn key(&self) -> &str {
        let default = self.class["encryption"]["defaultKmsKeyId"].as_str();
        let named = self.text("/encryption/kmsKeyId").or(default).unwrap_or_default();
        let alias = self.aliases.iter().find(|(arn, _)| arn.ends_with(&format!(":{named}")));
        alias.map_or(named, |(_, key)| key)
    }

    /// The tenant's pairs and the class's.
    fn context(&self) -> Option<Value> {
        let own = self.asked("/encryption/context").and_then(Value::as_object);
        let mut context = own.cloned().unwrap_or_default();
        for (key, value) in self.class["encryption"]["addedContext"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let value = value
                .as_str()
                .unwrap_or_default()
                .replace("{namespace}", self.namespace);
            context.insert(key.clone(), json!(value));
        }
        // AWS has no context for this kind.
        (self.kind != Kind::CallAnalyticsJob && !context.is_empty()).then(|| context.into())
    }

    fn tags(&self) -> Map<String, Value> {
        let of = |tags: Option<&Value>| tags.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut tags = of(self.asked("/tags"));
        tags.extend(of(self.class.get("tags")));
        for (key, value) in [
            ("uid", self.uid),
            ("cluster", CLUSTER_ID),
            ("namespace", self.namespace),
            ("name", self.name()),
        ] {
            tags.insert(format!("transcribe-operator.io/{key}"), json!(value));
        }
        tags
    }

    fn role(&self) -> Option<&str> {
        let default = self.class["dataAccess"]["defaultRoleArn"].as_str();
        let required = self.kind == Kind::MedicalScribeJob;
        self.text("/dataAccessRoleArn").or(default.filter(|_| required))
    }

    /// The body of the request; the tags as a map, since their order means nothing.
    fn request(&self) -> Value {
        let spec = self.manifest["spec"].as_object().cloned().unwrap_or_default();
        let own = spec
            .into_iter()
            .filter(|(name, _)| !CONTROLS.contains(&name.as_str()) && !RESHAPED.contains(&name.as_str()));
        let mut body = in_aws_words(own.collect::<Map<_, _>>().into());
        body[format!("{}Name", self.kind)] = json!(self.job_name());
        body["OutputEncryptionKMSKeyId"] = json!(self.key());
        body["Tags"] = self.tags().into();
        if let Some(context) = self.context() {
            body["KMSEncryptionContext"] = context;
        }
        if let Some(role) = self.role() {
            body["DataAccessRoleArn"] = json!(role);
        }
        let (bucket, key) = self.place();
        if self.kind == Kind::CallAnalyticsJob {
            body["OutputLocation"] = json!(format!("s3://{bucket}/{key}"));
        } else {
            body["OutputBucketName"] = json!(bucket);
        }
        // AWS has no key for the notes of a conversation.
        if [Kind::TranscriptionJob, Kind::MedicalTranscriptionJob].contains(&self.kind) {
            body["OutputKey"] = json!(key);
        }
        body
    }

    /// The members of `status.output` that there must be.
    fn outputs(&self) -> BTreeSet<&'static str> {
        let redaction = ["/contentRedaction", "/settings/contentRedaction"];
        let redaction = redaction
            .iter()
            .find_map(|at| self.text(&format!("{at}/redactionOutput")));
        let calls = self.kind == Kind::CallAnalyticsJob;
        let all = [
            ("transcriptUri", redaction != Some("redacted")),
            ("redactedTranscriptUri", redaction.is_some()),
            ("redactedMediaUri", redaction.is_some() && calls),
            ("subtitleUris", self.asked("/subtitles").is_some()),
            ("clinicalDocumentUri", self.kind == Kind::MedicalScribeJob),
        ];
        all.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }

    /// The language: as it is given, or the first of those that it may be, as the simulator finds.
    fn language(&self) -> &str {
        let options = ["/languageCode", "/languageOptions/0", "/settings/languageOptions/0"];
        options.iter().find_map(|at| self.text(at)).unwrap_or("en-US")
    }

    fn judge(&self, status: &Value) {
        let about = format!("{} {}: {status:#}", self.kind, self.name());
        assert_eq!(status["jobStatus"], "COMPLETED", "{about}");
        assert_eq!(status["jobName"], self.job_name(), "{about}");
        let mut encryption = json!({"mode": "SSE-KMS", "kmsKeyArn": self.key()});
        if let Some(context) = self.context() {
            encryption["context"] = context;
        }
        assert_eq!(status["encryption"], encryption, "{about}");

        let outputs = status["output"].as_object().cloned().unwrap_or_default();
        let named: BTreeSet<_> = outputs.keys().map(String::as_str).collect();
        assert_eq!(named, self.outputs(), "{about}");
        let (bucket, key) = self.place();
        let below = match self.kind {
            Kind::MedicalScribeJob => format!("s3://{bucket}/"),
            _ => format!("s3://{bucket}/{}", key.trim_end_matches(".json")),
        };
        for uri in outputs.values().flat_map(texts) {
            assert!(uri.starts_with(&below), "{uri} is not below {below}: {about}");
        }

        let several = self.asked("/identifyMultipleLanguages") == Some(&json!(true));
        let identified = json!([{"languageCode": self.language(), "durationInSeconds": "12.5"}]);
        let (one, found) = if several {
            (Value::Null, identified)
        } else {
            (json!(self.language()), Value::Null)
        };
        assert_eq!(
            (&status["languageCode"], &status["identifiedLanguages"]),
            (&one, &found),
            "{about}"
        );
        assert_eq!(status["skipped"], Value::Null, "{about}");
    }
}

/// The texts of a list, or the one that there is.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// Members by their AWS names: with a capital first letter. The keys of a map by language are no names of members.
fn in_aws_words(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("languageIdSettings", Value::Object(languages)) => {
                    let languages = languages.into_iter().map(|(code, value)| (code, in_aws_words(value)));
                    (capital(&name), Value::Object(languages.collect()))
                }
                (_, value) => (capital(&name), in_aws_words(value)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(in_aws_words).collect(),
        other => other,
    }
}

fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// With its tags as a map.
fn tags_as_a_map(mut body: Value) -> Value {
    let pairs = body["Tags"].take();
    let pairs = pairs.as_array().into_iter().flatten();
    let tags = pairs.map(|tag| (tag["Key"].as_str().unwrap_or_default().to_owned(), tag["Value"].clone()));
    body["Tags"] = Value::Object(tags.collect());
    body
}

/// Lets AWS KMS have a key of that alias.
fn put_alias(tenant: &Tenant<'_>, number: u32, alias: &str) -> Result<()> {
    let key = Key::new(REGION, &format!("{number:08x}-0000-4000-8000-00000000e3a3"));
    let arn = key.arn();
    tenant.sim().put_key(key)?;
    tenant.sim().put_alias(alias, &arn)
}

/// Applies the class, and waits until it is known to work.
async fn classed(tenant: &Tenant<'_>, name: &str, class: &Value) -> Result<()> {
    tenant.stage.class(name, false, class).await?;
    let ready = ["wait", &format!("tcls/{name}"), "--for=condition=Ready", wait::TIMEOUT];
    tenant.kubectl(&ready).await.map(drop)
}

/// Applies all manifests, and holds each request and each end against its manifest.
async fn run(tenant: &Tenant<'_>, class: &Value, manifests: &[(Kind, Value)]) -> Result<()> {
    for (_, manifest) in manifests {
        tenant.apply(manifest).await?;
    }
    for (kind, manifest) in manifests {
        let name = manifest["metadata"]["name"].as_str().context("a name")?;
        let seen = until_condition(tenant, *kind, name, "condition=Finished").await?;
        let uid = seen["metadata"]["uid"].as_str().context("a uid")?;
        let case = Case {
            kind: *kind,
            manifest,
            class,
            namespace: &tenant.namespace,
            uid,
            aliases: &tenant.sim().aliases(),
        };
        let starts = tenant.applied(&format!("Start{kind}"), uid);
        ensure!(starts.len() == 1, "{kind} {name}: {starts:#?}");
        assert_eq!(tags_as_a_map(starts[0].body.clone()), case.request(), "{kind} {name}");
        case.judge(&seen["status"]);
    }
    for kind in Kind::ALL {
        assert!(manifests.iter().any(|(of, _)| of == kind), "{kind}");
    }
    Ok(())
}

fn example(file: &str) -> Result<Value> {
    let file = repository().join("examples").join(file);
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(file)?)?)
}

/// The jobs among the examples.
fn examples() -> Result<Vec<(Kind, Value)>> {
    let mut jobs = Vec::new();
    for file in std::fs::read_dir(repository().join("examples"))? {
        let object = example(&file?.file_name().to_string_lossy())?;
        let kind = object["kind"].as_str().and_then(Kind::from_name);
        jobs.extend(kind.map(|kind| (kind, object)));
    }
    Ok(jobs)
}

/// The examples fit each other: the class of the examples takes every job of them.
pub async fn each_example_runs_under_the_class_of_the_examples_as_it_is_written() -> Result<()> {
    let tenant = tenant("examples").await?;
    put_alias(&tenant, 1, "alias/finance-transcripts")?;
    let mut class = example("transcription-class-rich.yaml")?["spec"].take();
    // The account is that of the stage, and the namespace another one than in the example.
    class.as_object_mut().context("members")?.remove("identity");
    let here = json!([{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [tenant.namespace]}]);
    class["namespaceSelector"]["matchExpressions"] = here;
    classed(&tenant, "finance", &class).await?;
    let mut jobs = examples()?;
    for (_, manifest) in &mut jobs {
        // It is the default class of whoever applies it; that of the stage is another one.
        manifest["spec"]["transcriptionClassName"] = json!("finance");
    }
    run(&tenant, &class, &jobs).await
}

pub async fn every_member_of_every_kind_is_asked_for_as_it_is_written() -> Result<()> {
    let tenant = tenant("members-of-kinds").await?;
    put_alias(&tenant, 2, "alias/calls")?;
    put_alias(&tenant, 3, "alias/visits")?;
    let class = json!({
        "region": REGION,
        "namespaceSelector": {},
        "input": {"allowedUris": ["*"]},
        "output": {
            "bucketName": "class-bucket", "allowedBuckets": ["transcripts", "notes"],
            "unprefixedKinds": ["MedicalScribeJob"],
        },
        "encryption": {
            "defaultKmsKeyId": KEY, "allowedKmsKeys": ["*"], "addedContext": {"tenant": "{namespace}"},
            "kindsWithoutContext": "Allow",
        },
        "dataAccess": {"defaultRoleArn": ROLE, "allowedRoleArns": ["arn:aws:iam::111122223333:role/data"]},
        "resourceNames": ["*"],
        "tags": {"cost-center": "4711"},
    });
    classed(&tenant, "all-members", &class).await?;
    let manifest = |kind: Kind, n: usize, mut spec: Value| {
        spec["transcriptionClassName"] = json!("all-members");
        spec["suspend"] = json!(false);
        let api_version = "transcribe-operator.io/v1alpha1";
        let metadata = json!({"name": format!("sample-{n}")});
        let object = json!({"apiVersion": api_version, "kind": kind.name(), "metadata": metadata, "spec": spec});
        (kind, object)
    };
    let of = |kind: &Kind| {
        let samples = samples::all(*kind).into_iter().enumerate();
        samples.map(|(n, spec)| manifest(*kind, n, spec)).collect::<Vec<_>>()
    };
    run(&tenant, &class, &Kind::ALL.iter().flat_map(of).collect::<Vec<_>>()).await
}
