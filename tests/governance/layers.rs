//! The layers, running, each asked about a spec of any kind.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use kube::core::Status;
use regex::Regex;
use serde_json::{Value, json};
use testkit::aws_sim::Config;
use testkit::stage::Stage;
use transcribe_operator::{
    api::{
        GROUP, Kind, Spec, VERSION,
        transcription_class::{DEFAULT_CLASS_ANNOTATION, TranscriptionClass, TranscriptionClassSpec},
    },
    domain::{
        Class, Desired, Job, JobView, NamePrefix, Rejection, Request,
        class::selection::{Labels, select},
    },
};

use crate::live::Asked;
use crate::verdict::Verdict;

/// The account of every class.
pub const ACCOUNT: &str = "111122223333";
/// Where the tenant is.
pub const NAMESPACE: &str = "finance";

/// What a layer answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// In its own words.
    pub said: String,
    pub warnings: Vec<String>,
}

/// An object with this spec, as a tenant has it.
pub fn object(kind: Kind, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind.name(),
        "metadata": {"name": "case", "namespace": NAMESPACE, "uid": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        "spec": spec,
    })
}

/// The API server and the webhook, running, and the classes by which they and the reconciler judge.
pub struct Layers {
    pub stage: Stage,
    asked: Asked,
    classes: Classes,
}

impl Layers {
    /// With these classes, of which the first is the default one. `prepare` is done before anybody asks.
    pub async fn start(
        classes: &[(&str, Value)],
        prepare: impl FnOnce(&Stage) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let stage = Stage::start(Config::default()).await?;
        prepare(&stage)?;
        let applied = classes
            .iter()
            .enumerate()
            .map(|(n, (name, spec))| stage.class(name, n == 0, spec));
        futures::future::try_join_all(applied).await?;
        let asked = Asked::start(&stage).await?;
        Ok(Self {
            stage,
            asked,
            classes: Classes::new(classes),
        })
    }

    /// The API server's answer to the creation of a job, asked to be strict; and the spec as later layers see it.
    pub async fn server(&self, kind: Kind, spec: &Value) -> anyhow::Result<(Answer, Value)> {
        let strict = self.create(kind, spec, "Strict").await?;
        let refused = match strict {
            Ok(mut stored) => return Ok((answer(false, [], ""), stored["spec"].take())),
            Err(refused) => refused,
        };
        let mut denied = refusal_of_server(&refused);
        if refused.message.contains("strict decoding error") {
            // It hides what is wrong beside the unknown member.
            if let Err(beside) = self.create(kind, spec, "Ignore").await? {
                denied = refusal_of_server(&beside);
            }
        }
        Ok((denied, without_nulls(spec.clone())))
    }

    async fn create(&self, kind: Kind, spec: &Value, validation: &str) -> anyhow::Result<Result<Value, Box<Status>>> {
        let place = format!("/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{}", kind.plural());
        let url = format!("{place}?dryRun=All&fieldValidation={validation}");
        let mut object = object(kind, spec);
        object["metadata"].as_object_mut().unwrap().remove("uid");
        let request = http::Request::post(url)
            .header("content-type", "application/json")
            .body(object.to_string().into_bytes())?;
        self.ask(request).await
    }

    /// What the API server says to a request.
    pub async fn ask(&self, request: http::Request<Vec<u8>>) -> anyhow::Result<Result<Value, Box<Status>>> {
        match self.stage.client.request(request).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(kube::Error::Api(status)) => Ok(Err(status)),
            Err(other) => Err(other.into()),
        }
    }

    /// The webhook's answer to the creation of a job.
    pub async fn webhook(&self, kind: Kind, spec: &Value) -> anyhow::Result<Answer> {
        self.asked.judge(kind, &object(kind, spec), None).await
    }

    /// The webhook's answer to an edit of a job.
    pub async fn webhook_on_edit(&self, kind: Kind, old: &Value, new: &Value) -> anyhow::Result<Answer> {
        self.asked.judge(kind, new, Some(old)).await
    }

    /// What the reconciler does with a stored spec.
    pub fn reconciler(&self, kind: Kind, spec: &Value) -> Answer {
        self.classes.bind(kind, spec)
    }
}

/// Classes as they are stored.
pub struct Classes(Vec<Arc<TranscriptionClass>>);

impl Classes {
    /// The first is the default one.
    pub fn new(classes: &[(&str, Value)]) -> Self {
        let classes = classes.iter().enumerate();
        Self(classes.map(|(n, (name, spec))| stored(name, n == 0, spec)).collect())
    }

    /// As the reconciler does it: read the spec, choose the class, and bind it to that.
    pub fn bind(&self, kind: Kind, spec: &Value) -> Answer {
        let subject = subject(kind, spec);
        let labels: Labels = [("kubernetes.io/metadata.name".to_owned(), NAMESPACE.to_owned())].into();
        let head = NamePrefix::new("c1").unwrap();
        let bound = Request::parse(kind, spec).and_then(|request| {
            let class = select(&self.0, subject.class_name.as_deref(), Some(&labels))?;
            Desired::bind(request, &Class::new(class, Some(ACCOUNT.to_owned())), &head, &subject)
        });
        match bound {
            Ok(_) => answer(false, [], ""),
            Err(refusal) => answer(true, refused(kind, &refusal, spec), &refusal.to_string()),
        }
    }
}

fn stored(name: &str, default: bool, spec: &Value) -> Arc<TranscriptionClass> {
    let spec = TranscriptionClassSpec::parse(spec).unwrap_or_else(|wrong| panic!("class {name}: {wrong:?}"));
    let mut class = TranscriptionClass::new(name, spec);
    let annotation = (DEFAULT_CLASS_ANNOTATION.to_owned(), default.to_string());
    class.metadata.annotations = Some([annotation].into());
    Arc::new(class)
}

fn subject(kind: Kind, spec: &Value) -> JobView {
    let mut job = Job::new("case", &kind.resource(), spec.clone());
    job.metadata.namespace = Some(NAMESPACE.to_owned());
    job.metadata.uid = Some("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned());
    JobView::of(&job)
}

/// A refusal of several fields names them in its message alone.
fn refused(kind: Kind, refusal: &Rejection, spec: &Value) -> Vec<String> {
    if let Some(field) = &refusal.field {
        return vec![field.clone()];
    }
    let violations = Spec::parse(kind, spec).err().unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// As the API server does before it looks at anything.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        other => other,
    }
}

/// From the API server's own words.
pub fn refusal_of_server(status: &Status) -> Answer {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let fields = causes.map(|cause| cause.field.clone());
    let fields = fields.filter(|field| field.starts_with("spec"));
    answer(true, fields.chain(unknown_members(&status.message)), &status.message)
}

/// The members of which the API server says that it does not know them.
pub fn unknown_members(said: &str) -> Vec<String> {
    static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"unknown field "([^"]+)""#).unwrap());
    UNKNOWN.captures_iter(said).map(|found| found[1].to_owned()).collect()
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
        warnings: Vec::new(),
    }
}

/// A member of a map is `a.b` to some and `a[b]` or `a["b"]` to others.
fn normal(field: &str) -> String {
    field.replace('[', ".").replace([']', '"', '\''], "")
}
