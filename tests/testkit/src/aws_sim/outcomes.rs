//! How a job ends, chosen by its media URI or by a rule of the configuration.
//!
//! | the media URI contains | what happens |
//! |---|---|
//! | `too-long` | Start: LimitExceededException, with the text of every limit |
//! | `no-access` | Start: BadRequestException, the URI can't be accessed |
//! | `fail-unsupported-format` | FAILED: Unsupported media format |
//! | `fail-format-mismatch` | FAILED: The media format provided does not match the detected media format |
//! | `fail-sample-rate` | FAILED: Invalid sample rate for audio file |
//! | `fail-rate-mismatch` | FAILED: The sample rate provided does not match the detected sample rate |
//! | `fail-file-size` | FAILED: Invalid file size: file size too large |
//! | `fail-channels` | FAILED: Invalid number of channels: number of channels too large |
//! | `fail-internal` | FAILED, with a reason that is not one of the six documented ones |
//! | `fail-first-N`, N a digit | the first N jobs with this URI fail like `fail-internal`, the next ones complete |
//! | `skip-content`, `skip-safety` | COMPLETED, without the summary that a Call Analytics job may have asked for |
//!
//! All others complete. The six reasons are documented for all kinds but MedicalScribeJob, for which none is.

use std::collections::HashMap;

use super::config::{Config, OutcomeRule};
use super::error::AwsError;

/// A part of a media URI, and the documented reason that it makes a job fail with.
pub const FAILURES: [(&str, &str); 6] = [
    ("fail-unsupported-format", "Unsupported media format"),
    (
        "fail-format-mismatch",
        "The media format provided does not match the detected media format",
    ),
    ("fail-sample-rate", "Invalid sample rate for audio file"),
    (
        "fail-rate-mismatch",
        "The sample rate provided does not match the detected sample rate",
    ),
    ("fail-file-size", "Invalid file size: file size too large"),
    (
        "fail-channels",
        "Invalid number of channels: number of channels too large",
    ),
];

/// A part of a media URI, and for what reason a summary is skipped then: the documented code, and a text that is inferred.
pub const SKIPS: [(&str, &str, &str); 2] = [
    (
        "skip-content",
        "INSUFFICIENT_CONVERSATION_CONTENT",
        "The conversation has too little content for a summary.",
    ),
    (
        "skip-safety",
        "FAILED_SAFETY_GUIDELINES",
        "The summary doesn't meet the safety guidelines.",
    ),
];

/// A reason outside the six: nothing is wrong with the input, so trying again may help.
pub const INTERNAL: &str = "The job failed because of an internal error. Try your request again.";

/// The reason for which a job fails whose KMS key cannot be used when its output is to be written. The text is inferred:
/// AWS documents that access to the key can be lost, not what it says then.
pub const KEY_UNUSABLE: &str = "The KMS key that you specified can't be accessed. Check the key and its permissions.";

/// The reason for which a job fails whose output cannot be written any more when it is done. The text is inferred.
pub const OUTPUT_UNWRITABLE: &str =
    "The S3 bucket that you specified for your output can't be accessed. Check the bucket and your permissions.";

/// What Start answers if the media cannot be read: recorded from AWS.
pub(super) const MEDIA_UNREADABLE: &str = "The S3 URI that you provided can't be accessed. Make sure that you have read \
                                           permission and try your request again.";

/// Jobs so far by account, Region and media URI, for `fail-first-N`.
pub(super) type Seen = HashMap<(String, String, String), u64>;

/// Refuse a Start whose media cannot be read or is too long.
pub(super) fn refuse_media(uri: &str) -> Result<(), AwsError> {
    if uri.contains("too-long") {
        return Err(AwsError::limit());
    }
    if uri.contains("no-access") {
        return Err(AwsError::bad_request(MEDIA_UNREADABLE));
    }
    Ok(())
}

/// The reason a job fails for, if it does, and how long it runs. `earlier` is the number of jobs with this URI before.
pub(super) fn decide(config: &mut Config, name: &str, uri: &str, earlier: u64) -> (Option<String>, i64) {
    let fits = |rule: &&mut OutcomeRule| {
        rule.times != Some(0)
            && rule.job_name_contains.as_ref().is_none_or(|part| name.contains(part))
            && rule.uri_contains.as_ref().is_none_or(|part| uri.contains(part))
    };
    if let Some(rule) = config.outcomes.iter_mut().find(fits) {
        rule.times = rule.times.map(|times| times - 1);
        return (rule.fail.clone(), rule.run_ms.unwrap_or(config.run_ms));
    }
    (by_uri(uri, earlier).map(str::to_owned), config.run_ms)
}

fn by_uri(uri: &str, earlier: u64) -> Option<&'static str> {
    if let Some((_, reason)) = FAILURES.iter().find(|(part, _)| uri.contains(part)) {
        return Some(reason);
    }
    let first = uri
        .split_once("fail-first-")
        .and_then(|(_, rest)| rest.chars().next()?.to_digit(10));
    let fails = uri.contains("fail-internal") || first.is_some_and(|first| earlier < u64::from(first));
    fails.then_some(INTERNAL)
}
