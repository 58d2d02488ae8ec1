//! The reads that `look` asked for, and whose credentials they are made with.

use std::{collections::BTreeMap, time::Instant};

use super::{Sighted, context::Context};
use crate::{
    api::class_words::AccessCheck,
    engine::session::Session,
    lifecycle::{
        Desired, Fault, Identity, KeyVerdict, Observed, Record, Sighting, Subject, Unknown, look::KeyToJudge,
        plan::Target,
    },
    runtime::clock::now,
};

/// What is known without asking anybody.
pub(super) fn unasked(ctx: &Context, subject: Subject) -> Observed {
    Observed {
        leader_for: (ctx.leader_for)(),
        skew: ctx.engine.skew(),
        ..Observed::unseen(subject, ctx.rules.clone())
    }
}

/// The account and Region that an object was submitted in.
fn pinned(job: &Subject) -> Option<Identity> {
    job.submission().map(|submission| Identity {
        account: submission.account.clone(),
        region: submission.region.clone(),
    })
}

fn bound(job: &Subject) -> Option<&str> {
    job.status.class.as_ref().map(|class| class.name.as_str())
}

/// What the last sweep of its account and Region says of an object.
pub(super) fn sighting(ctx: &Context, job: &Subject) -> Sighting {
    let place = pinned(job).map(|pinned| ctx.engine.places.at(&pinned));
    let sweep = place.and_then(|place| place.of(ctx.kind).sweep.borrow().clone());
    Sighting::of(sweep.as_deref(), job.submission())
}

/// What is known of the record without asking for it.
pub(super) async fn listed(ctx: &Context, sighting: Sighting, job: &Subject) -> Record {
    let why = match sighting {
        Sighting::Listed { facts, as_of } => return Record::Running { facts, as_of },
        Sighting::None | Sighting::Left => match pinned(job).filter(|_| !job.finished()) {
            Some(place) => ctx.classes.nobody_at(&place, bound(job)).await,
            None => None,
        },
    };
    Record::Unknown(why.map_or(Unknown::NotAsked, Unknown::OtherIdentity))
}

/// The session that starts the job, if a slot for that is granted. Whose credentials it has is verified before.
pub(super) async fn starter(ctx: &Context, desired: &Desired, seen: &mut Observed, permit: bool) -> Option<Session> {
    let (class, session) = ctx.classes.starter(&desired.class, &seen.job.namespace).await?;
    let place = match session.verify().await {
        Ok(identity) => ctx.engine.places.at(&identity),
        Err(fault) => {
            seen.credentials = Some(fault);
            return None;
        }
    };
    seen.identity = Some(place.identity.clone());
    let budget = &place.of(ctx.kind).budget;
    seen.others_admitted = budget.admits();
    seen.skew = ctx.engine.skew();
    let admitted = ctx
        .counts
        .admit(&seen.job, &desired.class.name, class.spec.limits.as_ref());
    seen.permit = admitted.is_ok() && (permit || budget.start());
    seen.limit = admitted.err();
    if !seen.permit {
        ctx.counts.release(&seen.job.uid);
    }
    Some(session)
}

/// The session that looks for a record. Nobody is asked for by a role that a status names.
pub(super) async fn looker(ctx: &Context, target: &Target, job: &Subject) -> Option<Result<Session, Fault>> {
    let place = Identity {
        account: target.account.clone(),
        region: target.region.clone(),
    };
    let session = ctx.classes.looker(&place, bound(job), &job.namespace).await?;
    match session.verify().await {
        Ok(identity) if identity == place => Some(Ok(session)),
        Ok(_) => None,
        Err(fault) => Some(Err(fault)),
    }
}

/// Makes the reads. The key is asked for when its answer can be used: with a slot for the Start.
pub(super) async fn observe(ctx: &Context, mut sighted: Sighted) -> Sighted {
    if sighted.seen.permit {
        sighted.seen.key = judge(&sighted).await;
    }
    if let Some(target) = &sighted.look.get {
        sighted.seen.record = get(ctx, target, &sighted).await;
    }
    sighted
}

/// Looks in the record's own account and Region only: elsewhere it would read as absent.
async fn get(ctx: &Context, target: &Target, sighted: &Sighted) -> Record {
    let session = match &sighted.sessions.looker {
        Some(Ok(session)) => session,
        Some(Err(fault)) => return Record::Unknown(Unknown::Failed(fault.clone())),
        None => return Record::Unknown(Unknown::OtherIdentity(sighted.seen.identity.clone())),
    };
    if !session.place().is_some_and(|place| place.of(ctx.kind).budget.get()) {
        return Record::Unknown(Unknown::NoPermit);
    }
    let as_of = now();
    match session.connection().get(ctx.kind, &target.job_name).await {
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
async fn judge(sighted: &Sighted) -> KeyVerdict {
    let (Some(key), Some(session)) = (&sighted.look.key, &sighted.sessions.starter) else {
        return KeyVerdict::NotNeeded;
    };
    let since = Some(Instant::now());
    let check = sighted
        .desired
        .as_ref()
        .map_or(AccessCheck::Warn, |desired| desired.verify_access);
    match key {
        KeyToJudge::Reference(reference) => {
            let context = sighted.desired.as_ref().map(|desired| &desired.pinned.context);
            let context = context.unwrap_or(const { &BTreeMap::new() });
            session.judge_key(reference, context, check, since).await
        }
        KeyToJudge::Pinned(arn) => {
            let pinned = sighted.seen.job.submission().map(|s| &s.request.context);
            match (arn.parse(), pinned) {
                (Ok(reference), Some(context)) => session.judge_key(&reference, context, check, since).await,
                (Err(_), _) | (_, None) => KeyVerdict::NotAsked,
            }
        }
    }
}
