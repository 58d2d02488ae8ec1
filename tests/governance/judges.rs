//! Asks each layer for its verdict on the cases of keys and contexts.

use std::sync::LazyLock;

use futures::StreamExt as _;
use regex::Regex;
use serde_json::{Value, json};
use testkit::kubectl::Output;
use testkit::stage::BUCKET;
use transcribe_operator::{api::Kind, tenancy::default_class::DefaultClass};

use crate::cases::{Case, REGION};
use crate::layers::{ACCOUNT, Answer, Layers, answer, object, unknown_members, without_nulls};
use crate::live;
use crate::samples::{merged, minimal};
use crate::verdict::{Layer, Verdict};

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

    /// The spec has a context, of whatever type.
    pub fn has_context(&self) -> bool {
        let spec = self.spec.as_ref();
        spec.is_some_and(|spec| !spec["encryption"]["context"].is_null())
    }
}

/// How many questions are open at the same time.
const AT_A_TIME: usize = 8;

/// The kind whose manifests kubectl reads. The others are asked about what it read: that is the same for all.
pub const READ_BY_KUBECTL: Kind = Kind::TranscriptionJob;

/// The answers to every case, in order, for every kind.
pub async fn judge_all(cases: &[Case]) -> anyhow::Result<Vec<(Kind, Vec<Actual>)>> {
    let judges = Judges {
        layers: Layers::start(&[("default", class())], |_| Ok(())).await?,
    };
    let read = judges.read_by_kubectl(cases).await?;
    let mut all = Vec::new();
    for kind in Kind::ALL.iter().filter(|kind| **kind != READ_BY_KUBECTL) {
        all.push((*kind, judges.of_kind(*kind, &read).await?));
    }
    all.insert(0, (READ_BY_KUBECTL, read));
    Ok(all)
}

/// The class that an install's flags make, and that accepts kinds without a prefix and has a role for those that need one.
fn class() -> Value {
    let install = DefaultClass {
        region: REGION.parse().unwrap(),
        output_bucket: BUCKET.parse().ok(),
        data_access_roles: Vec::new(),
        default_kms_key: None,
        added_context: Vec::new(),
        key_accounts: Vec::new(),
    };
    let of_the_install = install.spec(Some(ACCOUNT)).unwrap();
    let mut class = serde_json::to_value(of_the_install).unwrap();
    class["output"]["unprefixedKinds"] = Kind::ALL.iter().map(|kind| kind.name()).collect();
    class["dataAccess"]["defaultRoleArn"] = json!(format!("arn:aws:iam::{ACCOUNT}:role/data"));
    class
}

/// All layers, running.
struct Judges {
    layers: Layers,
}

/// The flags by which `check` knows what the class is.
const CLASS: [&str; 6] = ["--region", REGION, "--account", ACCOUNT, "--output-bucket", BUCKET];

impl Judges {
    async fn read_by_kubectl(&self, cases: &[Case]) -> anyhow::Result<Vec<Actual>> {
        let manifests: Vec<String> = cases.iter().map(Case::manifest).collect();
        let checked = tokio::try_join!(live::check_each(&CLASS, &manifests), live::check_each(&[], &manifests))?;
        let checked = checked.0.into_iter().zip(checked.1);
        let answers = manifests.iter().zip(checked);
        let answers = answers.map(async |(manifest, checked)| self.manifest(manifest, checked).await);
        let answers: Vec<_> = futures::stream::iter(answers).buffered(AT_A_TIME).collect().await;
        answers.into_iter().collect()
    }

    /// The answers to a manifest, of which `check` has been asked already.
    async fn manifest(&self, manifest: &str, (check, alone): (Answer, Answer)) -> anyhow::Result<Actual> {
        let (server, spec) = self.api_server(manifest).await?;
        let (webhook, reconciler) = match &spec {
            Some(spec) => self.behind(READ_BY_KUBECTL, spec).await?,
            None => (never_seen(), never_seen()),
        };
        // In the order of Layer::ALL.
        let answers = [server, webhook, check, alone, reconciler];
        Ok(Actual { answers, spec })
    }

    /// The layers behind the API server. That AWS KMS does not know the key is beside the point of this table.
    async fn behind(&self, kind: Kind, spec: &Value) -> anyhow::Result<(Answer, Answer)> {
        let webhook = self.layers.webhook(kind, spec).await?;
        let absent = webhook.said.contains("there is no such key");
        let webhook = if absent { answer(false, [], "") } else { webhook };
        Ok((webhook, self.layers.reconciler(kind, spec)))
    }

    /// The answers about another kind, to what kubectl read for its own.
    async fn of_kind(&self, kind: Kind, read: &[Actual]) -> anyhow::Result<Vec<Actual>> {
        let specs: Vec<Option<Value>> = read
            .iter()
            .map(|actual| Some(spec_of(kind, actual.spec.as_ref()?)))
            .collect();
        let objects: Vec<Value> = specs.iter().flatten().map(|spec| object(kind, spec)).collect();
        let (check, alone) = tokio::try_join!(live::check_all(&CLASS, &objects), live::check_all(&[], &objects))?;
        let mut checked = check.into_iter().zip(alone);
        let answers = specs.iter().map(async |spec| {
            let Some(spec) = spec else { return Ok(None) };
            let (server, seen) = self.layers.server(kind, spec).await?;
            anyhow::Ok(Some((server, self.behind(kind, &seen).await?, seen)))
        });
        let answers: Vec<_> = futures::stream::iter(answers).buffered(AT_A_TIME).collect().await;
        let mut all = Vec::new();
        for found in answers {
            all.push(match found? {
                Some((server, (webhook, reconciler), seen)) => {
                    let (check, alone) = checked.next().unwrap();
                    let answers = [server, webhook, check, alone, reconciler];
                    Actual {
                        answers,
                        spec: Some(seen),
                    }
                }
                None => Actual {
                    answers: [(); 5].map(|()| never_seen()),
                    spec: None,
                },
            });
        }
        Ok(all)
    }

    /// The API server's answer, and the spec as later layers see it: what the API server makes of the manifest, or of one
    /// that it refuses, what kubectl sends.
    async fn api_server(&self, manifest: &str) -> anyhow::Result<(Answer, Option<Value>)> {
        let server = self
            .create(&["--dry-run=server", "--validate=strict"], manifest)
            .await?;
        let mut answer = refusal_by_kubectl(&server);
        if answer.said.contains("strict decoding error") {
            // It hides what is wrong beside the unknown member.
            let lenient = self
                .create(&["--dry-run=server", "--validate=ignore"], manifest)
                .await?;
            answer = if lenient.success {
                answer
            } else {
                refusal_by_kubectl(&lenient)
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
        self.layers.stage.kubectl.run_with(&args, manifest).await
    }
}

/// What a spec of the kind that kubectl reads asks for, in the least spec of another kind.
fn spec_of(kind: Kind, read: &Value) -> Value {
    let mut asked = read.clone();
    let own = minimal(READ_BY_KUBECTL);
    for member in own.as_object().into_iter().flatten().map(|(name, _)| name) {
        asked.as_object_mut().unwrap().remove(member);
    }
    merged(&minimal(kind), &asked)
}

/// From what kubectl says of the API server's refusal.
fn refusal_by_kubectl(output: &Output) -> Answer {
    static INVALID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)(?:is invalid: |^\* )(spec[^\n]*?): ").unwrap());
    let fields = INVALID.captures_iter(&output.stderr).map(|found| found[1].to_owned());
    let fields = fields.chain(unknown_members(&output.stderr));
    answer(!output.success, fields, output.stderr.trim())
}

/// kubectl itself could not read the manifest.
fn never_seen() -> Answer {
    Answer {
        verdict: Verdict::NotJudged,
        ..answer(false, [], "")
    }
}
