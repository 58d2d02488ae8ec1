//! Amazon Transcribe: what each operation does to the records.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::auth::Caller;
use super::error::AwsError;
use super::jobs::{Job, Key};
use super::kinds::{Kind, Verb};
use super::kms_jobs::JobKey;
use super::ledger::LedgerLine;
use super::model::{Model, member_path};
use super::render::{self, Moment};
use super::rules::Asked;
use super::s3_jobs::JobFiles;
use super::{World, kms_jobs, list, outcomes, rights, rules, trail};

/// One call: who asks what.
pub(super) struct Call<'c> {
    pub(super) model: &'c Model,
    pub(super) caller: &'c Caller,
    pub(super) operation: &'c str,
    pub(super) body: Value,
    /// The machine's clock, in milliseconds.
    pub(super) now: i64,
    /// Differs from call to call.
    pub(super) nonce: u64,
}

/// Apply a call and answer it.
pub(super) fn apply(world: &mut World, call: &Call<'_>) -> Result<Value, AwsError> {
    if !world.quotas.take(call.caller, call.operation, &world.config, call.now) {
        return Err(AwsError::limit());
    }
    call.model.check_input(call.operation, &call.body)?;
    world.jobs.advance(call.now, &world.config);
    rights::authorize(world, call)?;
    match Kind::of_operation(call.operation) {
        Some((kind, Verb::Start)) => start(world, call, kind),
        Some((kind, Verb::Get)) => get(world, call, kind),
        Some((kind, Verb::List)) => list::list(world, call, kind),
        Some((kind, Verb::Delete)) => delete(world, call, kind),
        None => match call.operation {
            "TagResource" => tag(world, call),
            "UntagResource" => untag(world, call),
            "ListTagsForResource" => list_tags(world, call),
            _ => Err(AwsError::new("UnknownOperationException", "")),
        },
    }
}

fn start(world: &mut World, call: &Call<'_>, kind: &'static Kind) -> Result<Value, AwsError> {
    let asked = Asked {
        body: &call.body,
        region: &call.caller.region,
    };
    rules::check(kind, &asked)?;
    if world.config.opted_out && !asked.has(&format!("/{}", kind.destination)) {
        let (member, account) = (member_path(kind.destination), &call.caller.account);
        return Err(AwsError::bad_request(format!(
            "You must specify a value for {member} because your account, {account}, has opted out"
        )));
    }
    let key = call.key(kind);
    if world.jobs.get(&key, call.now).is_some() {
        return Err(AwsError::conflict());
    }
    let uri = kind.media(&call.body);
    let runner = rights::assume(&world.estate, call, kind)?;
    outcomes::refuse_media(uri)?;
    let encryption = JobKey::of(call, kind, &world.estate.keys, &runner);
    let files = JobFiles::of(call, kind, runner);
    files.check(&world.estate)?;
    let usable = encryption.as_ref().is_none_or(|key| key.is_usable(&world.estate));
    kms_jobs::refuse(usable, world.config.key_fault)?;
    world.jobs.check_room(&key, (kind.defers)(&call.body), &world.config)?;
    let place = (key.account.clone(), key.region.clone(), uri.to_owned());
    let seen = world.seen.get(&place).copied().unwrap_or_default();
    let (failure, run_ms) = outcomes::decide(&mut world.config, &key.name, uri, seen);
    let failure = rules::broken(kind.doomed, &asked).map(str::to_owned).or(failure);
    let job = Job {
        seq: 0,
        request: call.body.as_object().cloned().unwrap_or_default(),
        tags: given_tags(&call.body),
        created: call.now,
        clock_offset: world.config.clock_offset_ms,
        started: None,
        ended: None,
        removed: None,
        run_ms,
        failure,
        encryption,
        files: Some(files),
        lost: (!usable).then_some(outcomes::KEY_UNUSABLE),
        key: key.clone(),
    };
    world.jobs.start(job, &world.config);
    world.seen.insert(place, seen + 1);
    applied(world, call, &key)?;
    let job = world.jobs.get(&key, call.now).ok_or_else(AwsError::absent)?;
    Ok(json!({ kind.entity: render::job(call.model, kind, job, call.moment(call.now), world.config.get_tags) }))
}

fn get(world: &World, call: &Call<'_>, kind: &'static Kind) -> Result<Value, AwsError> {
    let at = call.now.saturating_sub(world.config.get_lag_ms);
    let job = world.jobs.get(&call.key(kind), at).ok_or_else(AwsError::absent)?;
    Ok(json!({ kind.entity: render::job(call.model, kind, job, call.moment(at), world.config.get_tags) }))
}

/// Only a record at its end can be deleted. What AWS says otherwise is not recorded; the code is.
fn delete(world: &mut World, call: &Call<'_>, kind: &'static Kind) -> Result<Value, AwsError> {
    let key = call.key(kind);
    let job = world.jobs.get_mut(&key, call.now).ok_or_else(AwsError::absent)?;
    if !job.is_terminal(call.now) {
        return Err(AwsError::bad_request(
            "The requested job couldn't be deleted because it hasn't finished. Wait until the job has finished and \
             try your request again.",
        ));
    }
    applied(world, call, &key)?;
    if let Some(job) = world.jobs.get_mut(&key, call.now) {
        job.removed = Some(call.now);
    }
    Ok(json!({}))
}

fn tag(world: &mut World, call: &Call<'_>) -> Result<Value, AwsError> {
    rules::tags(&call.body)?;
    let key = call.resource()?;
    let job = world.jobs.get_mut(&key, call.now).ok_or_else(no_resource)?;
    let mut tags = job.tags.clone();
    tags.extend(given_tags(&call.body));
    if tags.len() > rules::MAX_TAGS {
        return Err(AwsError::bad_request("A resource can have at most 50 tags."));
    }
    job.tags = tags;
    applied(world, call, &key)?;
    Ok(json!({}))
}

fn untag(world: &mut World, call: &Call<'_>) -> Result<Value, AwsError> {
    let key = call.resource()?;
    let job = world.jobs.get_mut(&key, call.now).ok_or_else(no_resource)?;
    for name in call.body["TagKeys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        job.tags.remove(name);
    }
    applied(world, call, &key)?;
    Ok(json!({}))
}

fn list_tags(world: &World, call: &Call<'_>) -> Result<Value, AwsError> {
    let job = world.jobs.get(&call.resource()?, call.now).ok_or_else(no_resource)?;
    let tags = render::tags(job);
    Ok(json!({ "ResourceArn": call.text("/ResourceArn"), "Tags": tags }))
}

/// Write the ledger's line for a call on a job.
fn applied(world: &mut World, call: &Call<'_>, key: &Key) -> Result<(), AwsError> {
    let (session_name, session_tags, external_id) = trail::session(&call.caller.principal);
    let line = LedgerLine {
        seq: 0,
        time: world.clock(call.now),
        operation: call.operation.to_owned(),
        account: call.caller.account.clone(),
        region: call.caller.region.clone(),
        access_key: call.caller.access_key.clone(),
        principal: call.caller.principal.arn.clone(),
        session_name,
        session_tags,
        external_id,
        job_name: key.name.clone(),
        tags: world
            .jobs
            .get(key, call.now)
            .map(|job| job.tags.clone())
            .unwrap_or_default(),
        body: call.body.clone(),
        signed_at: call.caller.signed_at,
    };
    let failed = |error: anyhow::Error| AwsError::new("InternalFailureException", error.to_string());
    world.ledger.append(line).map_err(failed)
}

/// The tags that a request asks for.
pub(super) fn given_tags(body: &Value) -> BTreeMap<String, String> {
    let given = body.get("Tags").and_then(Value::as_array).into_iter().flatten();
    given
        .filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned())))
        .collect()
}

fn no_resource() -> AwsError {
    AwsError::new(
        "NotFoundException",
        "The requested resource couldn't be found. Check the ARN and try again.",
    )
}

impl Call<'_> {
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn moment(&self, at: i64) -> Moment {
        Moment { at, nonce: self.nonce }
    }

    /// The record that the call names, in the caller's account and Region.
    pub(super) fn key(&self, kind: &'static Kind) -> Key {
        let name = self
            .body
            .get(kind.name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Key {
            account: self.caller.account.clone(),
            region: self.caller.region.clone(),
            entity: kind.entity,
            name,
        }
    }

    /// The record that the call's ARN names, which must be in the caller's account and Region.
    pub(super) fn resource(&self) -> Result<Key, AwsError> {
        let parts: Vec<_> = self.text("/ResourceArn").splitn(6, ':').collect();
        let [_, _, _, region, account, resource] = parts[..] else {
            return Err(no_resource());
        };
        let (resource, name) = resource.split_once('/').ok_or_else(no_resource)?;
        if (region, account) != (&*self.caller.region, &*self.caller.account) {
            return Err(AwsError::bad_request(
                "The ARN must be of your account and of the Region of your request.",
            ));
        }
        let kind = Kind::of_resource(resource).ok_or_else(no_resource)?;
        let (account, region) = (account.to_owned(), region.to_owned());
        Ok(Key {
            account,
            region,
            entity: kind.entity,
            name: name.to_owned(),
        })
    }
}

/// A record that is not of the calls' making; see [`super::AwsSim::put_foreign_job`].
pub(super) fn foreign(foreign: &super::ForeignJob, world: &World, now: i64) -> anyhow::Result<Job> {
    let entity = foreign.kind.as_deref().unwrap_or("TranscriptionJob");
    let kind = Kind::of_entity(entity).ok_or_else(|| anyhow::anyhow!("no such kind of job: {entity}"))?;
    let offset = world.config.clock_offset_ms;
    let created = foreign
        .created
        .map_or(now, |created: Timestamp| created.as_millisecond() - offset);
    let mut request = Map::from_iter([(kind.name.to_owned(), foreign.name.as_str().into())]);
    request.extend(foreign.request.clone());
    let ended = match foreign.status.as_str() {
        "QUEUED" | "IN_PROGRESS" => None,
        "COMPLETED" | "FAILED" => Some(created.max(now.min(created.saturating_add(world.config.run_ms)))),
        other => anyhow::bail!("no such status: {other}"),
    };
    Ok(Job {
        key: Key {
            account: foreign
                .account
                .clone()
                .unwrap_or_else(|| world.config.default_account.clone()),
            region: foreign.region.clone(),
            entity: kind.entity,
            name: foreign.name.clone(),
        },
        seq: 0,
        request,
        tags: foreign.tags.clone(),
        created,
        clock_offset: offset,
        started: (foreign.status != "QUEUED").then_some(created),
        ended,
        removed: None,
        run_ms: world.config.run_ms,
        failure: (foreign.status == "FAILED").then(|| outcomes::INTERNAL.to_owned()),
        encryption: None,
        files: None,
        lost: None,
    })
}
