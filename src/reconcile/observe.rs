//! The reads that `look` asked for.

use std::{collections::BTreeMap, time::Instant};

use super::{Sighted, context::Context};
use crate::{
    lifecycle::{Identity, KeyVerdict, Observed, Record, Sighting, Subject, Unknown, look::KeyToJudge, plan::Target},
    runtime::clock::now,
};

/// What is known without asking anybody.
pub(super) fn unasked(ctx: &Context, subject: Subject) -> Observed {
    Observed {
        leader_for: (ctx.leader_for)(),
        skew: ctx.engine.connection.skew(),
        identity: ctx.engine.identity.borrow().clone(),
        others_admitted: ctx.engine.budget.admits(),
        ..Observed::unseen(subject, ctx.rules.clone())
    }
}

/// What the last sweep says of an object. A sweep of another account or Region says nothing.
pub(super) fn sighting(ctx: &Context, job: &Subject) -> Sighting {
    let submission = job.submission();
    let identity = ctx.engine.identity.borrow();
    let same = submission
        .zip(identity.as_ref())
        .is_some_and(|(s, i)| s.account == i.account && s.region == i.region);
    let sweep = ctx.engine.sweep.borrow();
    Sighting::of(sweep.as_deref().filter(|_| same), submission)
}

/// What is known of the record without asking for it.
pub(super) fn listed(sighting: Sighting, seen: &Observed) -> Record {
    match sighting {
        Sighting::Listed { facts, as_of } => Record::Running { facts, as_of },
        Sighting::None | Sighting::Left => {
            let elsewhere = |identity: &&Identity| {
                let submission = seen.job.submission();
                submission.is_some_and(|s| s.account != identity.account || s.region != identity.region)
            };
            let why = match seen.identity.as_ref().filter(elsewhere) {
                Some(identity) => Unknown::OtherIdentity(Some(identity.clone())),
                None => Unknown::NotAsked,
            };
            Record::Unknown(why)
        }
    }
}

/// Makes the reads. The key is asked for when its answer can be used: with a slot for the Start.
pub(super) async fn observe(ctx: &Context, mut sighted: Sighted) -> Sighted {
    if sighted.seen.permit && sighted.seen.identity.is_some() {
        sighted.seen.key = judge(ctx, &sighted).await;
    }
    if let Some(target) = &sighted.look.get {
        sighted.seen.record = get(ctx, target, sighted.seen.identity.as_ref()).await;
    }
    sighted
}

/// Looks in the record's own account and Region only: elsewhere it would read as absent.
async fn get(ctx: &Context, target: &Target, identity: Option<&Identity>) -> Record {
    let same = identity.is_some_and(|i| i.account == target.account && i.region == target.region);
    if !same {
        return Record::Unknown(Unknown::OtherIdentity(identity.cloned()));
    }
    if !ctx.engine.budget.get() {
        return Record::Unknown(Unknown::NoPermit);
    }
    let as_of = now();
    match ctx.engine.connection.get(ctx.kind, &target.job_name).await {
        Ok(Some(facts)) if facts.terminal() => Record::Terminal {
            facts: Box::new(facts),
            as_of,
        },
        Ok(Some(facts)) => Record::Running {
            facts: Box::new(facts),
            as_of,
        },
        Ok(None) => Record::Absent { as_of },
        Err(fault) => Record::Unknown(Unknown::Failed(fault)),
    }
}

/// Judges the key as it is now: what was known when the job was admitted may have changed.
async fn judge(ctx: &Context, sighted: &Sighted) -> KeyVerdict {
    let Some(key) = &sighted.look.key else {
        return KeyVerdict::NotNeeded;
    };
    let since = Some(Instant::now());
    match key {
        KeyToJudge::Reference(reference) => {
            let context = sighted.desired.as_ref().map(|desired| &desired.pinned.context);
            let none = BTreeMap::new();
            ctx.engine.judge_key(reference, context.unwrap_or(&none), since).await
        }
        KeyToJudge::Pinned(arn) => {
            let pinned = sighted.seen.job.submission().map(|s| &s.request.context);
            match (arn.parse(), pinned) {
                (Ok(reference), Some(context)) => ctx.engine.judge_key(&reference, context, since).await,
                (Err(_), _) | (_, None) => KeyVerdict::NotAsked,
            }
        }
    }
}
