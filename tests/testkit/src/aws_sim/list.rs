//! Lists of jobs: newest first, in pages of 5 unless asked otherwise, by status and by a part of the name.
//!
//! The token says after which record to go on, by creation time and order, so that records which come or go between
//! two pages neither repeat nor hide others. It is good for the filter that it was made for only.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::World;
use super::error::AwsError;
use super::jobs::Job;
use super::kinds::Kind;
use super::render::{self, Moment};
use super::transcribe::Call;

/// The size of a page if the request does not say.
const PAGE: u64 = 5;

/// Answer a List call.
pub(super) fn list(world: &World, call: &Call<'_>, kind: &'static Kind) -> Result<Value, AwsError> {
    let at = call.now.saturating_sub(world.config.list_lag_ms);
    let (status, part) = (call.text("/Status"), call.text("/JobNameContains").to_ascii_lowercase());
    let filter = digest(&format!("{status}/{part}/{}", kind.entity));
    let after = match call.body.get("NextToken").and_then(Value::as_str) {
        Some(token) => Some(position(token, &filter).ok_or_else(bad_token)?),
        None => None,
    };
    let fits = |job: &&Job| {
        (status.is_empty() || job.status(at) == status)
            && job.key.name.to_ascii_lowercase().contains(&part)
            && after.is_none_or(|after| (job.created, job.seq) < after)
    };
    let jobs = world
        .jobs
        .newest_first(&call.caller.account, &call.caller.region, kind, at);
    let jobs: Vec<_> = jobs.into_iter().filter(fits).collect();
    let asked = call.body.get("MaxResults").and_then(Value::as_u64).unwrap_or(PAGE);
    let asked = usize::try_from(asked).unwrap_or(usize::MAX);
    let size = if world.config.short_pages {
        short(asked, world.config.seed, call.nonce)
    } else {
        asked
    };
    let page = &jobs[..size.min(jobs.len())];

    let moment = Moment { at, nonce: call.nonce };
    let mut reply = Map::new();
    let summaries = page
        .iter()
        .map(|job| render::summary(call.model, kind, job, moment))
        .collect();
    reply.insert(format!("{}Summaries", kind.entity), summaries);
    if !status.is_empty() {
        reply.insert("Status".to_owned(), status.into());
    }
    let more = page.len() < jobs.len() || (world.config.short_pages && !page.is_empty());
    if let Some(last) = page.last().filter(|_| more) {
        reply.insert("NextToken".to_owned(), json!(token(last, &filter)));
    }
    Ok(Value::Object(reply))
}

/// A page of one up to the size that was asked for.
fn short(asked: usize, seed: u64, nonce: u64) -> usize {
    let drawn = Sha256::digest(format!("{seed}/{nonce}"))[0];
    1 + usize::from(drawn) % asked.max(1)
}

fn token(last: &Job, filter: &str) -> String {
    format!("{:016x}{:016x}{filter}", last.created, last.seq)
}

fn position(token: &str, filter: &str) -> Option<(i64, u64)> {
    let numbers = token.strip_suffix(filter).filter(|numbers| numbers.len() == 32)?;
    let (created, seq) = numbers.split_at_checked(16)?;
    Some((
        i64::from_str_radix(created, 16).ok()?,
        u64::from_str_radix(seq, 16).ok()?,
    ))
}

fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))[..16].to_owned()
}

fn bad_token() -> AwsError {
    AwsError::bad_request("The next token that you provided isn't valid. Use the token of the previous reply.")
}
