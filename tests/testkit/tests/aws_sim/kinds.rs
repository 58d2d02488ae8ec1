//! The kinds of jobs, for tests that are run for each of them.

use serde_json::{Map, Value, json};

use super::{Answer, AwsSim, call};

/// A kind of job, as a client sees it.
pub(super) struct Kind {
    pub(super) entity: &'static str,
    pub(super) plural: &'static str,
    pub(super) name: &'static str,
    pub(super) status: &'static str,
    pub(super) resource: &'static str,
    /// The quota of jobs that run at once.
    pub(super) concurrent: usize,
    /// What a Start must have beside its name and its media.
    base: fn() -> Value,
    /// The member that holds a role, and the members to give it one; none if it takes none.
    pub(super) role: Option<fn(&str) -> Value>,
    /// The members that let a Start wait for a slot; none if it never waits.
    pub(super) deferred: Option<fn() -> Value>,
    /// The members that say where the output goes: a bucket, and a folder where one can be asked for.
    pub(super) output: fn(&str) -> Value,
    /// The key of the transcript of a job with that output, and what of the output a Get shows then.
    pub(super) key: &'static str,
    /// Whether it takes an encryption context.
    pub(super) context: bool,
}

pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/data-access";

pub(super) static KINDS: [Kind; 4] = [
    Kind {
        entity: "TranscriptionJob",
        plural: "TranscriptionJobs",
        name: "TranscriptionJobName",
        status: "TranscriptionJobStatus",
        resource: "transcription-job",
        concurrent: 250,
        base: || json!({"LanguageCode": "en-US"}),
        role: Some(|role| json!({"JobExecutionSettings": {"AllowDeferredExecution": true, "DataAccessRoleArn": role}})),
        deferred: Some(|| json!({"JobExecutionSettings": {"AllowDeferredExecution": true, "DataAccessRoleArn": ROLE}})),
        output: |bucket| json!({"OutputBucketName": bucket, "OutputKey": "finance/"}),
        key: "finance/NAME.json",
        context: true,
    },
    Kind {
        entity: "MedicalTranscriptionJob",
        plural: "MedicalTranscriptionJobs",
        name: "MedicalTranscriptionJobName",
        status: "TranscriptionJobStatus",
        resource: "medical-transcription-job",
        concurrent: 250,
        base: || json!({"LanguageCode": "en-US", "Specialty": "PRIMARYCARE", "Type": "DICTATION", "OutputBucketName": "results"}),
        role: None,
        deferred: None,
        output: |bucket| json!({"OutputBucketName": bucket, "OutputKey": "finance/"}),
        key: "finance/NAME.json",
        context: true,
    },
    Kind {
        entity: "CallAnalyticsJob",
        plural: "CallAnalyticsJobs",
        name: "CallAnalyticsJobName",
        status: "CallAnalyticsJobStatus",
        resource: "analytics",
        concurrent: 100,
        base: || json!({}),
        role: Some(|role| json!({"DataAccessRoleArn": role})),
        deferred: Some(|| json!({"DataAccessRoleArn": ROLE})),
        output: |bucket| json!({"OutputLocation": format!("s3://{bucket}/finance/")}),
        key: "finance/analytics/NAME.json",
        context: false,
    },
    Kind {
        entity: "MedicalScribeJob",
        plural: "MedicalScribeJobs",
        name: "MedicalScribeJobName",
        status: "MedicalScribeJobStatus",
        resource: "medical-scribe-job",
        concurrent: 100,
        base: || {
            json!({"OutputBucketName": "results", "DataAccessRoleArn": ROLE,
                "Settings": {"ShowSpeakerLabels": true, "MaxSpeakerLabels": 2}})
        },
        role: Some(|role| json!({"DataAccessRoleArn": role})),
        deferred: None,
        output: |bucket| json!({"OutputBucketName": bucket}),
        key: "NAME/transcript.json",
        context: true,
    },
];

impl Kind {
    pub(super) fn start(&self) -> String {
        format!("Start{}", self.entity)
    }

    pub(super) fn get(&self) -> String {
        format!("Get{}", self.entity)
    }

    pub(super) fn list(&self) -> String {
        format!("List{}", self.plural)
    }

    pub(super) fn delete(&self) -> String {
        format!("Delete{}", self.entity)
    }

    /// A Start request that AWS accepts, changed by the members of `change`; a null takes a member away.
    pub(super) fn request(&self, name: &str, change: Value) -> Value {
        let mut request = (self.base)();
        request[self.name] = name.into();
        request["Media"] = json!({"MediaFileUri": "s3://media/a.wav"});
        changed(request, change)
    }

    /// The request of a Get or Delete.
    pub(super) fn named(&self, name: &str) -> Value {
        json!({ self.name: name })
    }

    pub(super) fn arn(&self, name: &str) -> String {
        format!("arn:aws:transcribe:us-east-1:111122223333:{}/{name}", self.resource)
    }

    /// Start a job.
    pub(super) async fn begin(&self, sim: &AwsSim, name: &str, change: Value) -> Answer {
        call(sim, &self.start(), self.request(name, change)).await
    }

    /// What a Get shows of a job.
    pub(super) async fn shown(&self, sim: &AwsSim, name: &str) -> Value {
        let answer = call(sim, &self.get(), self.named(name)).await;
        answer.json()[self.entity].clone()
    }

    /// The status, and why the job failed.
    pub(super) async fn end(&self, sim: &AwsSim, name: &str) -> (String, String) {
        let job = self.shown(sim, name).await;
        let text = |member: &str| job[member].as_str().unwrap_or_default().to_owned();
        (text(self.status), text("FailureReason"))
    }

    /// The summaries of a List.
    pub(super) async fn summaries(&self, sim: &AwsSim, body: Value) -> Vec<Value> {
        let answer = call(sim, &self.list(), body).await;
        let summaries = answer.json()[format!("{}Summaries", self.entity)].clone();
        summaries
            .as_array()
            .unwrap_or_else(|| panic!("{}", answer.text))
            .clone()
    }

    /// A page of a List, its names and its token.
    pub(super) async fn names(&self, sim: &AwsSim, body: Value) -> (Vec<String>, Value) {
        let mut reply = call(sim, &self.list(), body).await.json();
        let token = reply["NextToken"].take();
        let jobs = reply[format!("{}Summaries", self.entity)].as_array().unwrap().clone();
        let name = |job: &Value| job[self.name].as_str().unwrap().to_owned();
        (jobs.iter().map(name).collect(), token)
    }
}

/// Two sets of members.
pub(super) fn with(mut base: Value, more: &Value) -> Value {
    let members: &Map<_, _> = more.as_object().unwrap();
    base.as_object_mut().unwrap().extend(members.clone());
    base
}

fn changed(mut request: Value, change: Value) -> Value {
    let Value::Object(change) = change else {
        panic!("not an object")
    };
    let members = request.as_object_mut().unwrap();
    for (member, value) in change {
        if value.is_null() {
            members.remove(&member)
        } else {
            members.insert(member, value)
        };
    }
    request
}
