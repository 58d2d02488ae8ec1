//! Transcribe's own use of buckets: it reads the media and writes the output, in the name of the role that the job was
//! given, otherwise in the caller's. That both need their rights is documented; so is the answer to media that cannot be
//! read. That an output that cannot be written is found at Start, and later when the job ends, is inferred.

use super::buckets::ObjectUse;
use super::error::AwsError;
use super::iam::Principal;
use super::kinds::Kind;
use super::outcomes;
use super::output::{bucket_and_key, own_place};
use super::transcribe::Call;
use super::world::Estate;

/// Where a job reads and writes.
#[derive(Clone, Debug)]
pub(super) struct JobFiles {
    principal: Principal,
    region: String,
    media: String,
    /// Buckets and keys; none if the output stays with the service.
    output: Vec<(String, String)>,
}

impl JobFiles {
    /// The files of a Start. `principal` is in whose name they are used.
    pub(super) fn of(call: &Call<'_>, kind: &Kind, principal: Principal) -> Self {
        Self {
            principal,
            region: call.caller.region.clone(),
            media: kind.media(&call.body).to_owned(),
            output: output(kind, call),
        }
    }

    /// Refuse a Start whose media cannot be read, or whose output cannot be written.
    pub(super) fn check(&self, estate: &Estate) -> Result<(), AwsError> {
        if !self.is_readable(estate) {
            return Err(AwsError::bad_request(outcomes::MEDIA_UNREADABLE));
        }
        if self.is_writable(estate) {
            return Ok(());
        }
        Err(AwsError::bad_request(
            "The S3 bucket that you specified for your output can't be accessed. Make sure that you have write \
             permission and try your request again.",
        ))
    }

    /// What it writes.
    pub(super) fn written(&self) -> impl Iterator<Item = &(String, String)> {
        self.output.iter()
    }

    /// Whether the output could be written now.
    pub(super) fn is_writable(&self, estate: &Estate) -> bool {
        let mut output = self.output.iter();
        output.all(|(bucket, key)| self.may(estate, "PutObject", bucket, key))
    }

    /// Media that are not named by an `s3://` URI are not looked for here; only who may do everything can read them.
    fn is_readable(&self, estate: &Estate) -> bool {
        match bucket_and_key(&self.media) {
            Some((bucket, key)) => self.may(estate, "GetObject", bucket, key),
            None => self.principal.is_unknown(),
        }
    }

    fn may(&self, estate: &Estate, operation: &str, bucket: &str, key: &str) -> bool {
        let via = format!("transcribe.{}.amazonaws.com", self.region);
        let used = ObjectUse {
            principal: &self.principal,
            operation,
            region: &self.region,
            bucket,
            key,
            via: Some(&via),
        };
        used.is_allowed(estate)
    }
}

/// The buckets and the keys of all that the job is to write into a bucket of one's own.
fn output(kind: &Kind, call: &Call<'_>) -> Vec<(String, String)> {
    let Some((bucket, key)) = own_place(kind, &call.body, call.text(&format!("/{}", kind.name))) else {
        return Vec::new();
    };
    let files = (kind.files)(&call.body, &key);
    files.keys().map(|key| (bucket.clone(), key)).collect()
}
