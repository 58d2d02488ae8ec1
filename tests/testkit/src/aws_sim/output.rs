//! Where a job's output lies: the objects that are written, and their URIs.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::jobs::Job;
use super::kinds::Kind;
use super::render::Moment;

/// The keys of the objects that a job writes.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// The transcript; absent if only a redacted one is asked for.
    pub(super) transcript: Option<String>,
    /// The redacted transcript, if one is asked for.
    pub(super) redacted: Option<String>,
    /// What the kind writes beyond.
    pub(super) more: Vec<String>,
}

impl Files {
    /// The transcripts by the RedactionOutput that is asked for.
    pub(super) fn transcripts(redaction: Option<&str>, plain: String, redacted: String) -> Self {
        Self {
            transcript: (redaction != Some("redacted")).then_some(plain),
            redacted: redaction.map(|_| redacted),
            more: Vec::new(),
        }
    }

    /// Every key.
    pub(super) fn keys(self) -> impl Iterator<Item = String> {
        self.transcript.into_iter().chain(self.redacted).chain(self.more)
    }
}

/// The bucket of one's own that a request wants its output in, and the key of the transcript; none if the output stays
/// with the service.
pub(super) fn own_place(kind: &Kind, request: &Value, job_name: &str) -> Option<(String, String)> {
    let text = |member: &str| request.get(member).and_then(Value::as_str);
    let destination = text(kind.destination)?;
    let (bucket, prefix) = match bucket_and_key(destination) {
        Some((bucket, prefix)) => (bucket, Some(prefix)),
        None => (destination, text("OutputKey")),
    };
    let prefix = prefix.filter(|prefix| !prefix.is_empty());
    Some((bucket.to_owned(), (kind.key)(prefix, job_name)))
}

/// The parts of an `s3://` URI.
pub(super) fn bucket_and_key(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// A key by the prefix that is asked for: one that ends in `.json` is the key; below any other one is the own name.
pub(super) fn key_below(prefix: Option<&str>, own: &str) -> String {
    match prefix {
        None => own.to_owned(),
        Some(object) if object.strip_suffix(".json").is_some() => object.to_owned(),
        Some(prefix) => format!("{}/{own}", prefix.trim_end_matches('/')),
    }
}

/// The key of another file in the same folder.
pub(super) fn beside(key: &str, name: impl Fn(&str) -> String) -> String {
    match key.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/{}", name(file)),
        None => name(key),
    }
}

/// The RedactionOutput below a pointer.
pub(super) fn redaction<'b>(request: &'b Value, pointer: &str) -> Option<&'b str> {
    request.pointer(pointer)?.get("RedactionOutput")?.as_str()
}

/// The output of a job that is complete.
#[derive(Debug)]
pub(super) struct Output {
    bucket: String,
    query: String,
    files: Files,
}

impl Output {
    /// The output as it is shown at a moment.
    pub(super) fn of(kind: &Kind, job: &Job, moment: Moment) -> Self {
        let (region, name, account) = (&job.key.region, &job.key.name, &job.key.account);
        let request = Value::Object(job.request.clone());
        let own = own_place(kind, &request, name);
        let query = if own.is_some() {
            String::new()
        } else {
            presigned(job, moment)
        };
        let (bucket, key) = own.unwrap_or_else(|| {
            let bucket = format!("aws-transcribe-{region}-prod");
            (bucket, format!("{account}/{name}/asrOutput.json"))
        });
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        Self {
            bucket: format!("https://s3.{region}.amazonaws.com{suffix}/{bucket}"),
            query,
            files: (kind.files)(&request, &key),
        }
    }

    /// The transcripts, as the shapes of most kinds name them.
    pub(super) fn transcript(&self) -> Value {
        let mut shown = json!({});
        for (member, key) in [
            ("TranscriptFileUri", &self.files.transcript),
            ("RedactedTranscriptFileUri", &self.files.redacted),
        ] {
            if let Some(key) = key {
                shown[member] = self.uri(key).into();
            }
        }
        shown
    }

    /// The URIs of what the kind writes beyond.
    pub(super) fn more(&self) -> Vec<String> {
        self.files.more.iter().map(|key| self.uri(key)).collect()
    }

    fn uri(&self, key: &str) -> String {
        format!("{}/{key}{}", self.bucket, self.query)
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
