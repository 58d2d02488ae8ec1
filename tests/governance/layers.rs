//! Asks each layer for its verdict on a case.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use futures::StreamExt as _;
use regex::Regex;
use serde_json::Value;
use testkit::aws_sim::Config;
use testkit::kubectl::Output;
use testkit::stage::Stage;
use transcribe_operator::api::{Kind, Spec, status::ClassRef};
use transcribe_operator::lifecycle::{Class, Desired, Job, NameHead, Refusal, Request, Subject};

use crate::cases::{ACCOUNT, Case, REGION};
use crate::verdict::{Layer, Verdict};

/// What a layer answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// In its own words.
    pub said: String,
}

/// What each layer answered to a case. `None`: this build does not have the layer yet.
pub struct Actual(Vec<(Layer, Option<Answer>)>);

impl Actual {
    pub fn of(&self, layer: Layer) -> Option<&Answer> {
        self.0.iter().find(|(of, _)| *of == layer)?.1.as_ref()
    }
}

/// How many kubectls run at the same time.
const AT_A_TIME: usize = 8;

/// The answers to every case, in order.
pub async fn judge_all(cases: &[Case]) -> anyhow::Result<Vec<Actual>> {
    let stage = Stage::start(Config::default()).await?;
    let answers = cases.iter().map(|case| judge(&stage, case));
    let answers: Vec<_> = futures::stream::iter(answers).buffered(AT_A_TIME).collect().await;
    answers.into_iter().collect()
}

async fn judge(stage: &Stage, case: &Case) -> anyhow::Result<Actual> {
    let manifest = case.manifest();
    let sent = [
        "create",
        "--dry-run=client",
        "-o",
        "json",
        "--validate=false",
        "-f",
        "-",
    ];
    let sent = stage.kubectl.run_with(&sent, &manifest).await?;
    let server = ask_server(stage, "strict", &manifest).await?;
    let mut answer = api_server(&server);
    if answer.said.contains("strict decoding error") {
        // It hides what is wrong beside the unknown member.
        let lenient = ask_server(stage, "ignore", &manifest).await?;
        answer = if lenient.success { answer } else { api_server(&lenient) };
    }
    // What later layers see is what the API server makes of the manifest; of one that it refuses, what it was sent.
    let stored = if server.success { &server.stdout } else { &sent.stdout };
    let spec: Option<Value> = serde_json::from_str(stored)
        .ok()
        .map(|mut object: Value| without_nulls(object["spec"].take()));
    Ok(Actual(vec![
        (Layer::ApiServer, Some(answer)),
        (Layer::Webhook, None),
        (Layer::Check, None),
        (Layer::CheckAlone, None),
        (Layer::Parser, Some(spec.as_ref().map_or_else(never_seen, reconciler))),
    ]))
}

async fn ask_server(stage: &Stage, validate: &str, manifest: &str) -> anyhow::Result<Output> {
    let validate = format!("--validate={validate}");
    let args = ["create", "--dry-run=server", "-o", "json", &validate, "-f", "-"];
    stage.kubectl.run_with(&args, manifest).await
}

/// As the API server does before it looks at anything.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        other => other,
    }
}

/// From what kubectl says of the API server's refusal.
fn api_server(output: &Output) -> Answer {
    static INVALID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)(?:is invalid: |^\* )(spec[^\n]*?): ").unwrap());
    static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"unknown field "([^"]+)""#).unwrap());
    let fields = [&*INVALID, &*UNKNOWN]
        .into_iter()
        .flat_map(|pattern| pattern.captures_iter(&output.stderr))
        .map(|found| found[1].to_owned());
    answer(!output.success, fields, output.stderr.trim())
}

/// kubectl itself could not read the manifest.
fn never_seen() -> Answer {
    Answer {
        verdict: Verdict::NotJudged,
        said: String::new(),
    }
}

/// What the reconciler does with a stored spec.
fn reconciler(spec: &Value) -> Answer {
    let class = Class {
        reference: ClassRef {
            name: "default".to_owned(),
            uid: None,
            generation: None,
            region: REGION.to_owned(),
            account_id: Some(ACCOUNT.to_owned()),
        },
        output_bucket: Some("transcripts".to_owned()),
        data_access_roles: Vec::new(),
    };
    let head = NameHead::new("c1").unwrap();
    let bound = Request::parse(Kind::TranscriptionJob, spec)
        .and_then(|request| Desired::bind(request, &class, &head, &subject()));
    match bound {
        Ok(_) => answer(false, [], ""),
        Err(refusal) => answer(true, refused(&refusal, spec), &refusal.to_string()),
    }
}

/// A refusal of several fields names them in its message alone.
fn refused(refusal: &Refusal, spec: &Value) -> Vec<String> {
    let violations = Spec::parse(Kind::TranscriptionJob, spec).err().unwrap_or_default();
    match &refusal.field {
        Some(field) => vec![field.clone()],
        None => violations.into_iter().map(|violation| violation.field).collect(),
    }
}

fn subject() -> Subject {
    let mut job = Job::new("case", &Kind::TranscriptionJob.resource(), Value::Null);
    job.metadata.namespace = Some("finance".to_owned());
    job.metadata.uid = Some("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned());
    Subject::of(&job)
}

/// A denial of no field that can be told is one of everything.
pub fn answer(denied: bool, fields: impl IntoIterator<Item = String>, said: &str) -> Answer {
    let fields: BTreeSet<String> = fields.into_iter().map(|field| normal(&field)).collect();
    let fields: Vec<String> = fields.into_iter().collect();
    let verdict = if denied {
        Verdict::Deny(fields.join(" and "))
    } else {
        Verdict::Allow
    };
    Answer {
        verdict,
        said: said.to_owned(),
    }
}

/// A member of a map is `a.b` to some and `a[b]` or `a["b"]` to others.
fn normal(field: &str) -> String {
    field.replace('[', ".").replace([']', '"', '\''], "")
}
