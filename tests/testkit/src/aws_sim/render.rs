//! A record as AWS shows it.
//!
//! A job's members are those of its shape that the request has too, the states' members, and what the kind adds.
//! Nothing shows the output bucket, the key, the KMS members or an ARN: the shapes have no such members.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::jobs::Job;
use super::kinds::Kind;
use super::model::Model;

/// When a record is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The machine's clock, in milliseconds.
    pub(super) at: i64,
    /// Differs from look to look, as pre-signed URLs do.
    pub(super) nonce: u64,
}

/// The job, as Start and Get return it.
pub(super) fn job(model: &Model, kind: &Kind, job: &Job, moment: Moment, with_tags: bool) -> Value {
    let mut shown = common(model, kind, kind.entity, job, moment.at);
    shown.extend((kind.output)(job, moment));
    shown.remove("Tags");
    if with_tags && !job.tags.is_empty() {
        shown.insert("Tags".to_owned(), tags(job));
    }
    Value::Object(shown)
}

/// The job, as List returns it.
pub(super) fn summary(model: &Model, kind: &Kind, job: &Job, at: i64) -> Value {
    let mut shown = common(model, kind, &format!("{}Summary", kind.entity), job, at);
    let place = if job.request.contains_key("OutputBucketName") {
        "CUSTOMER_BUCKET"
    } else {
        "SERVICE_BUCKET"
    };
    shown.insert("OutputLocationType".to_owned(), place.into());
    shown.extend(identified(job, at));
    Value::Object(shown)
}

/// The tags as AWS lists them.
pub(super) fn tags(job: &Job) -> Value {
    job.tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

/// Milliseconds as AWS writes times in JSON: seconds, with a fraction.
pub(super) fn epoch(ms: i64) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "times of this era are exact to the millisecond"
    )]
    let seconds = ms as f64 / 1000.0;
    seconds.into()
}

fn common(model: &Model, kind: &Kind, shape: &str, job: &Job, at: i64) -> Map<String, Value> {
    let members = model.members(shape);
    let echoed = job
        .request
        .iter()
        .filter(|(name, value)| members.contains(&name.as_str()) && !value.is_null());
    let mut shown: Map<_, _> = echoed.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put(kind.name, job.key.name.as_str().into());
    put(kind.status, job.status(at).into());
    put("CreationTime", epoch(job.created.saturating_add(job.clock_offset)));
    if let Some(started) = job.started.filter(|started| *started <= at) {
        put("StartTime", epoch(started.saturating_add(job.clock_offset)));
    }
    if let Some(ended) = job.ended.filter(|ended| *ended <= at) {
        put("CompletionTime", epoch(ended.saturating_add(job.clock_offset)));
        if let Some(reason) = job.reason() {
            put("FailureReason", reason.into());
        }
    }
    shown
}

/// What a transcription job adds: defaults of its settings, what was found in the media, and where the output is.
pub(super) fn transcription(job: &Job, moment: Moment) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut settings = json!({"ChannelIdentification": false, "ShowAlternatives": false});
    if let (Some(all), Some(given)) = (settings.as_object_mut(), object(job, "Settings")) {
        all.extend(given.clone());
    }
    shown.insert("Settings".to_owned(), settings);
    shown.insert("Transcript".to_owned(), json!({}));
    if job.status(moment.at) != "COMPLETED" {
        return shown;
    }
    let output = Output::of(job, moment);
    shown.insert("Transcript".to_owned(), output.transcript());
    if let Some(subtitles) = object(job, "Subtitles") {
        shown.insert("Subtitles".to_owned(), output.subtitles(subtitles));
    }
    if !job.request.contains_key("MediaFormat") {
        shown.insert("MediaFormat".to_owned(), format(job).into());
    }
    if !job.request.contains_key("MediaSampleRateHertz") {
        shown.insert("MediaSampleRateHertz".to_owned(), 16_000.into());
    }
    shown.extend(identified(job, moment.at));
    shown
}

/// The language that was found, once the job is complete: the first of the options.
fn identified(job: &Job, at: i64) -> Map<String, Value> {
    let on = |member: &str| job.request.get(member) == Some(&Value::Bool(true));
    let mut shown = Map::new();
    if job.status(at) != "COMPLETED" {
        return shown;
    }
    let language = job
        .request
        .get("LanguageOptions")
        .and_then(|options| options.get(0)?.as_str())
        .unwrap_or("en-US");
    if on("IdentifyMultipleLanguages") {
        let codes = json!([{"LanguageCode": language, "DurationInSeconds": 12.5}]);
        shown.insert("LanguageCodes".to_owned(), codes);
    } else if on("IdentifyLanguage") {
        shown.insert("LanguageCode".to_owned(), language.into());
        shown.insert("IdentifiedLanguageScore".to_owned(), json!(0.97));
    }
    shown
}

/// Where a job's output lies.
struct Output {
    folder: String,
    file: String,
    query: String,
    redaction: Option<String>,
}

impl Output {
    fn of(job: &Job, moment: Moment) -> Self {
        let region = &job.key.region;
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let host = format!("https://s3.{region}.amazonaws.com{suffix}");
        let redaction = object(job, "ContentRedaction").and_then(|given| given.get("RedactionOutput")?.as_str());
        let redaction = redaction.map(str::to_owned);
        let Some(bucket) = text(job, "OutputBucketName") else {
            let folder = format!(
                "{host}/aws-transcribe-{region}-prod/{}/{}/",
                job.key.account, job.key.name
            );
            let file = "asrOutput.json".to_owned();
            return Self {
                folder,
                file,
                query: presigned(job, moment),
                redaction,
            };
        };
        let key = output_key(&job.key.name, text(job, "OutputKey"));
        let (folder, file) = key
            .rsplit_once('/')
            .map_or(("", &*key), |(folder, file)| (folder, file));
        let slash = if key.contains('/') { "/" } else { "" };
        let folder = format!("{host}/{bucket}/{folder}{slash}");
        Self {
            folder,
            file: file.to_owned(),
            query: String::new(),
            redaction,
        }
    }

    fn uri(&self, file: &str) -> String {
        format!("{}{file}{}", self.folder, self.query)
    }

    fn transcript(&self) -> Value {
        let (plain, redacted) = (self.uri(&self.file), self.uri(&format!("redacted-{}", self.file)));
        match self.redaction.as_deref() {
            None => json!({"TranscriptFileUri": plain}),
            Some("redacted") => json!({"RedactedTranscriptFileUri": redacted}),
            Some(_) => json!({"TranscriptFileUri": plain, "RedactedTranscriptFileUri": redacted}),
        }
    }

    fn subtitles(&self, asked: &Map<String, Value>) -> Value {
        let prefix = if self.redaction.as_deref() == Some("redacted") {
            "redacted-"
        } else {
            ""
        };
        let stem = self.file.strip_suffix(".json").unwrap_or(&self.file);
        let formats = asked
            .get("Formats")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let files = formats
            .iter()
            .filter_map(Value::as_str)
            .map(|kind| self.uri(&format!("{prefix}{stem}.{kind}")));
        let files: Vec<_> = files.collect();
        let start = asked.get("OutputStartIndex").cloned().unwrap_or(0.into());
        json!({"Formats": formats, "SubtitleFileUris": files, "OutputStartIndex": start})
    }
}

/// The key of the object with a job's transcript. An OutputKey that ends in `.json` is that; any other one is a prefix.
pub(super) fn output_key(job_name: &str, given: Option<&str>) -> String {
    let own = format!("{job_name}.json");
    match given {
        None | Some("") => own,
        Some(object) if object.strip_suffix(".json").is_some() => object.to_owned(),
        Some(prefix) => format!("{}/{own}", prefix.trim_end_matches('/')),
    }
}

/// The query of a URL that is good for 15 minutes; nothing answers it.
fn presigned(job: &Job, moment: Moment) -> String {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(moment.at.saturating_add(job.clock_offset));
    let signature = Sha256::digest(format!("{}/{}", job.seq, moment.nonce));
    format!(
        "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIASIMULATED%2F{day}%2F{region}%2Fs3%2Faws4_request\
         &X-Amz-Date={date}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={signature:x}",
        day = now.strftime("%Y%m%d"),
        region = job.key.region,
        date = now.strftime("%Y%m%dT%H%M%SZ"),
    )
}

/// The media's format by the ending of its URI.
fn format(job: &Job) -> &'static str {
    let uri = object(job, "Media")
        .and_then(|media| media.get("MediaFileUri")?.as_str())
        .unwrap_or_default();
    let formats = ["mp3", "mp4", "flac", "ogg", "amr", "webm", "m4a"];
    formats
        .into_iter()
        .find(|format| uri.ends_with(format))
        .unwrap_or("wav")
}

fn object<'j>(job: &'j Job, member: &str) -> Option<&'j Map<String, Value>> {
    job.request.get(member)?.as_object()
}

fn text<'j>(job: &'j Job, member: &str) -> Option<&'j str> {
    job.request.get(member)?.as_str()
}
