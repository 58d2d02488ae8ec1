//! Makes the reads that `look` asks for, and chooses the sessions for them. Permits are acquired only here.

use std::{collections::BTreeMap, time::Instant};

use crate::{
    accounts::{permit::StartPermit, session::Session},
    api::class_patterns::AccessCheck,
    controllers::job::{context::Context, resolve::Bound},
    domain::{
        AccountRegion, AwsError, Desired, KeyVerdict, Look, Observation, Observed, Sighting, Target, Unknown,
        job::look::KeyToJudge,
    },
    runtime::clock::now,
};

/// The results of the reads.
pub(super) struct Gathered {
    /// What was observed.
    pub(super) observed: Observed,
    /// The sessions of the job.
    pub(super) sessions: Sessions,
    /// The permit to send one Start, if `look` asked for one and it was granted.
    pub(super) permit: Option<StartPermit>,
}

/// The AWS sessions of a job, as far as this reconcile needs them.
#[derive(Default)]
pub(super) struct Sessions {
    /// Starts the job: a session of its class.
    pub(super) starter: Option<Session>,
    /// Reads and deletes the record of the job: a session in the record's account and Region.
    pub(super) looker: Option<Result<Session, AwsError>>,
}

/// Which reads are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// None of the record and the key, because the object is a copy from the cache and may be stale.
    Nothing,
    /// All that `look` asks for.
    Aws,
}

/// Makes the reads. `held` is a permit that this reconcile has already acquired.
pub(super) async fn gather(ctx: &Context, bound: &Bound, look: &Look, held: Option<StartPermit>, ask: Ask) -> Gathered {
    let mut gathered = Gathered {
        observed: without_aws(ctx, bound, look),
        sessions: Sessions::default(),
        permit: None,
    };
    if let (true, Ok(desired)) = (look.permit, &bound.desired) {
        prepare_start(ctx, bound, desired, held, &mut gathered).await;
    }
    if let Some(target) = &look.get {
        gathered.sessions.looker = looker(ctx, target, bound).await;
    }
    if ask == Ask::Aws {
        // The key is judged only when the answer can be used: with a permit for the Start.
        if gathered.permit.is_some() {
            gathered.observed.key = judge_key(bound, look, &gathered.sessions).await;
        }
        if let Some(target) = &look.get {
            gathered.observed.record = get_record(ctx, target, &gathered).await;
        }
    }
    gathered
}

/// What is known without asking AWS.
fn without_aws(ctx: &Context, bound: &Bound, look: &Look) -> Observed {
    let record = match &bound.sighting {
        Sighting::Listed { facts, as_of } => Observation::Running {
            facts: facts.clone(),
            as_of: *as_of,
        },
        Sighting::None | Sighting::Left => Observation::Unknown(bound.unseen.clone()),
    };
    Observed {
        leader_for: (ctx.leader_for)(),
        skew: ctx.accounts.skew(),
        record,
        key: if look.key.is_some() {
            KeyVerdict::NotAsked
        } else {
            KeyVerdict::NotNeeded
        },
        ..Observed::unseen(bound.view.clone(), ctx.limits.clone())
    }
}

/// Gets the session that starts the job, once AWS has verified its credentials, and acquires the permit.
async fn prepare_start(
    ctx: &Context,
    bound: &Bound,
    desired: &Desired,
    held: Option<StartPermit>,
    gathered: &mut Gathered,
) {
    let Some((class, session)) = ctx.classes.starter(&desired.class, &bound.view.namespace).await else {
        return;
    };
    let observed = &mut gathered.observed;
    let account = match session.verify().await {
        Ok(at) => ctx.accounts.at(&at),
        Err(error) => {
            observed.credentials = Some(error);
            return;
        }
    };
    observed.identity = Some(account.at.clone());
    observed.others_admitted = account.of(ctx.kind).rates.admits();
    observed.skew = ctx.accounts.skew();
    let has_token = held.is_some();
    // Gives back the held slot before asking for a new one, because the class may have changed.
    drop(held);
    let limits = class.spec.limits.as_ref();
    match ctx.running.admit(&bound.view, &desired.class.name, limits) {
        Ok(slot) => gathered.permit = StartPermit::acquire(&account, ctx.kind, slot, has_token),
        Err(limit) => observed.limit = Some(limit),
    }
    observed.permit = gathered.permit.is_some();
    gathered.sessions.starter = Some(session);
}

/// The session that reads a record. The role always comes from a class, never from a status.
async fn looker(ctx: &Context, target: &Target, bound: &Bound) -> Option<Result<Session, AwsError>> {
    let at = AccountRegion {
        account: target.account.clone(),
        region: target.region.clone(),
    };
    let view = &bound.view;
    let session = ctx.classes.looker(&at, view.class(), &view.namespace).await?;
    match session.verify().await {
        Ok(verified) if verified == at => Some(Ok(session)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Reads the record in its own account and Region only, because anywhere else it would seem absent.
async fn get_record(ctx: &Context, target: &Target, gathered: &Gathered) -> Observation {
    let session = match &gathered.sessions.looker {
        Some(Ok(session)) => session,
        Some(Err(error)) => return Observation::Unknown(Unknown::Failed(error.clone())),
        None => return Observation::Unknown(Unknown::OtherIdentity(gathered.observed.identity.clone())),
    };
    if !session
        .account()
        .is_some_and(|account| account.of(ctx.kind).rates.try_get())
    {
        return Observation::Unknown(Unknown::NoPermit);
    }
    let as_of = now();
    match session.connection().get(ctx.kind, &target.job_name).await {
        Ok(Some(facts)) if facts.terminal() => Observation::Terminal {
            facts: Box::new(facts),
            as_of,
        },
        Ok(Some(facts)) => Observation::Running {
            facts: Box::new(facts),
            as_of,
        },
        Ok(None) => Observation::Absent { as_of },
        Err(error) => Observation::Unknown(Unknown::Failed(error)),
    }
}

/// Judges the key again, because it may have changed since the job was admitted.
async fn judge_key(bound: &Bound, look: &Look, sessions: &Sessions) -> KeyVerdict {
    let (Some(key), Some(session)) = (&look.key, &sessions.starter) else {
        return KeyVerdict::NotNeeded;
    };
    let since = Some(Instant::now());
    let desired = bound.desired.as_ref();
    let check = desired.map_or(AccessCheck::Warn, |desired| desired.verify_access);
    match key {
        KeyToJudge::Reference(reference) => {
            let context = desired.map(|desired| &desired.pinned.context);
            let context = context.unwrap_or(const { &BTreeMap::new() });
            session.judge_key(reference, context, check, since).await
        }
        KeyToJudge::Pinned(arn) => {
            let pinned = bound.view.submission().map(|s| &s.request.context);
            match (arn.parse(), pinned) {
                (Ok(reference), Some(context)) => session.judge_key(&reference, context, check, since).await,
                (Err(_), _) | (_, None) => KeyVerdict::NotAsked,
            }
        }
    }
}
