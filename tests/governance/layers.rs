//! Asks each layer for its verdict on a case.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use futures::StreamExt as _;
use regex::Regex;
use serde_json::Value;
use testkit::aws_sim::Config;
use testkit::kubectl::Output;
use testkit::stage::Stage;
use transcribe_operator::api::{Kind, Spec, transcription_class::TranscriptionClass};
use transcribe_operator::config::InstallArgs;
use transcribe_operator::lifecycle::{Class, Desired, Job, NameHead, Refusal, Request, Subject};

use crate::cases::{ACCOUNT, Case, REGION};
use crate::live::{self, Asked};
use crate::verdict::{Layer, Verdict};

/// What a layer answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// In its own words.
    pub said: String,
}

/// What each layer answered to a case.
pub struct Actual {
    answers: [Answer; 5],
    /// The spec as the layers behind the API server see it. `None`: kubectl cannot read the manifest.
    pub spec: Option<Value>,
}

impl Actual {
    pub fn of(&self, layer: Layer) -> &Answer {
        &self.answers[layer as usize]
    }
}

/// How many kubectls run at the same time.
const AT_A_TIME: usize = 8;

/// The answers to every case, in order.
pub async fn judge_all(cases: &[Case]) -> anyhow::Result<Vec<Actual>> {
    let stage = Stage::start(Config::default()).await?;
    let judges = Judges {
        asked: Asked::start(&stage).await?,
        stage,
    };
    let answers = cases.iter().map(|case| judges.judge(case));
    let answers: Vec<_> = futures::stream::iter(answers).buffered(AT_A_TIME).collect().await;
    answers.into_iter().collect()
}

/// All layers, running.
struct Judges {
    asked: Asked,
    stage: Stage,
}

impl Judges {
    async fn judge(&self, case: &Case) -> anyhow::Result<Actual> {
        let manifest = case.manifest();
        let (server, spec) = self.api_server(&manifest).await?;
        let (webhook, reconciler) = match &spec {
            Some(spec) => (self.asked.judge(spec).await?, reconciler(spec)),
            None => (never_seen(), never_seen()),
        };
        let (check, alone) = tokio::try_join!(live::check(&manifest), live::check_alone(&manifest))?;
        // In the order of Layer::ALL.
        let answers = [server, webhook, check, alone, reconciler];
        Ok(Actual { answers, spec })
    }

    /// The API server's answer, and the spec as later layers see it: what the API server makes of the manifest, or of one
    /// that it refuses, what kubectl sends.
    async fn api_server(&self, manifest: &str) -> anyhow::Result<(Answer, Option<Value>)> {
        let server = self
            .create(&["--dry-run=server", "--validate=strict"], manifest)
            .await?;
        let mut answer = refusal_of_server(&server);
        if answer.said.contains("strict decoding error") {
            // It hides what is wrong beside the unknown member.
            let lenient = self
                .create(&["--dry-run=server", "--validate=ignore"], manifest)
                .await?;
            answer = if lenient.success {
                answer
            } else {
                refusal_of_server(&lenient)
            };
        }
        let seen = if server.success {
            server
        } else {
            self.create(&["--dry-run=client", "--validate=false"], manifest).await?
        };
        let object: Option<Value> = serde_json::from_str(&seen.stdout).ok();
        Ok((answer, object.map(|mut object| without_nulls(object["spec"].take()))))
    }

    async fn create(&self, flags: &[&str], manifest: &str) -> anyhow::Result<Output> {
        let args = [&["create", "-o", "json", "-f", "-"], flags].concat();
        self.stage.kubectl.run_with(&args, manifest).await
    }
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
fn refusal_of_server(output: &Output) -> Answer {
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
    let install = InstallArgs {
        output_bucket: "transcripts".parse().ok(),
        ..InstallArgs::default()
    };
    let of_the_install = install.class(&REGION.parse().unwrap(), Some(ACCOUNT)).unwrap();
    let class = TranscriptionClass::new("default", of_the_install);
    let class = Class::new(&class, Some(ACCOUNT.to_owned()));
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
