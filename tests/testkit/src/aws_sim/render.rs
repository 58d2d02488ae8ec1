//! A record as AWS shows it.
//!
//! A job's members are those of its shape that the request has too, the states' members, and what the kind adds.
//! Nothing shows the output bucket, the key, the KMS members or an ARN: the shapes have no such members.

use serde_json::{Map, Value, json};

use super::jobs::Job;
use super::kinds::Kind;
use super::model::Model;
use super::output::{Output, own_place};

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
    let mut shown = members(model, kind, kind.entity, job, moment);
    shown.remove("Tags");
    if with_tags && !job.tags.is_empty() {
        shown.insert("Tags".to_owned(), tags(job));
    }
    Value::Object(shown)
}

/// The job, as List returns it.
pub(super) fn summary(model: &Model, kind: &Kind, job: &Job, moment: Moment) -> Value {
    let shown = members(model, kind, &format!("{}Summary", kind.entity), job, moment);
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

/// All members that the shape has.
fn members(model: &Model, kind: &Kind, shape: &str, job: &Job, moment: Moment) -> Map<String, Value> {
    let members = model.members(shape);
    let mut shown = found(kind, job, moment);
    shown.extend(common(kind, &members, job, moment.at));
    let output = is_complete(job, moment).then(|| Output::of(kind, job, moment));
    shown.extend((kind.shows)(job, output.as_ref()));
    shown.retain(|name, _| members.contains(&name.as_str()));
    shown
}

fn is_complete(job: &Job, moment: Moment) -> bool {
    job.status(moment.at) == "COMPLETED"
}

/// What was found in the media, and whose bucket the output is in.
fn found(kind: &Kind, job: &Job, moment: Moment) -> Map<String, Value> {
    let request = Value::Object(job.request.clone());
    let own = own_place(kind, &request, &job.key.name).is_some();
    let place = if own { "CUSTOMER_BUCKET" } else { "SERVICE_BUCKET" };
    let mut shown = Map::from_iter([("OutputLocationType".to_owned(), place.into())]);
    if is_complete(job, moment) {
        shown.insert("MediaFormat".to_owned(), media_format(kind.media(&request)).into());
        shown.insert("MediaSampleRateHertz".to_owned(), 16_000.into());
    }
    shown
}

/// What was asked for, the name and the state.
fn common(kind: &Kind, members: &[&str], job: &Job, at: i64) -> Map<String, Value> {
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

/// The media's format by the ending of its URI.
pub(super) fn media_format(uri: &str) -> &'static str {
    let formats = ["mp3", "mp4", "flac", "ogg", "amr", "webm", "m4a"];
    formats
        .into_iter()
        .find(|format| uri.ends_with(format))
        .unwrap_or("wav")
}
