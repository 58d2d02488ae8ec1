//! One reconcile of one object.

use std::sync::Arc;

use kube::runtime::controller::Action;

use crate::{
    accounts::permit::StartPermit,
    api::status::JobStatus,
    controllers::job::{
        act::act,
        context::Context,
        decided::Decided,
        error::Error,
        gather::{Ask, gather},
        report::report,
        resolve::resolve,
        unreadable,
    },
    domain::{Job, JobView, Outcome, Step, look, plan, requeue, start_deadline, status},
    runtime::{clock::now, watch::WatchedJob},
};

/// Reconciles one object:
///
/// 1. `rest_on_cache`: ends here if the cached copy needs nothing *(reads)*
/// 2. `fetch`: the current object, by a quorum read *(reads)*
/// 3. `resolve`: the class and the account of the job *(reads)*
/// 4. `look`: which reads are needed *(pure)*
/// 5. `gather`: those reads, and the permit *(reads)*
/// 6. `plan`: the step *(pure)*
/// 7. `act`: at most one AWS write; a Start is preceded by its intent *(writes)*
/// 8. `report`: the status, then an Event *(writes)*
pub(super) async fn reconcile(cached: Arc<WatchedJob>, ctx: Arc<Context>) -> Result<Action, Error> {
    let Ok(job) = &cached.0 else {
        return unreadable::reconcile(&cached, &ctx).await;
    };
    let permit = match rest_on_cache(&ctx, job).await {
        Cached::UpToDate(action) => return Ok(action),
        Cached::NeedsRead(permit) => permit,
    };
    let Some(fresh) = ctx.fetch(job).await? else {
        return Ok(Action::await_change());
    };
    let Ok(job) = &fresh.0 else {
        return unreadable::reconcile(&fresh, &ctx).await;
    };
    let bound = resolve(&ctx, job).await;
    let look = look(&bound.view, &bound.desired, &bound.sighting, &ctx.limits, now());
    let gathered = gather(&ctx, &bound, &look, permit, Ask::Aws).await;
    let step = plan(&bound.desired, &gathered.observed, now());
    let decided = Decided {
        desired: &bound.desired,
        observed: &gathered.observed,
        step: &step,
    };
    let (outcome, job) = act(&ctx, job, &decided, &gathered.sessions, gathered.permit).await?;
    let after = report(&ctx, &job, &decided, &outcome).await?;
    Ok(next_reconcile(&step, &bound.view, &after))
}

/// Whether the cached copy is enough.
enum Cached {
    /// There is nothing to read, do or write.
    UpToDate(Action),
    /// The object has to be read. Holds the permit, if one was needed and granted.
    NeedsRead(Option<StartPermit>),
}

/// Plans with the cached copy to find out whether there is anything to do. It does not act, because the copy may be
/// stale.
async fn rest_on_cache(ctx: &Context, job: &Job) -> Cached {
    let bound = resolve(ctx, job).await;
    let look = look(&bound.view, &bound.desired, &bound.sighting, &ctx.limits, now());
    let gathered = gather(ctx, &bound, &look, None, Ask::Nothing).await;
    if look.get.is_some() || gathered.permit.is_some() {
        return Cached::NeedsRead(gathered.permit);
    }
    let now = now();
    let step = plan(&bound.desired, &gathered.observed, now);
    let after = status(&bound.desired, &gathered.observed, &step, &Outcome::Pending, now);
    if step.has_effect() || after != bound.view.status {
        return Cached::NeedsRead(None);
    }
    Cached::UpToDate(next_reconcile(&step, &bound.view, &after))
}

/// When to reconcile again if nothing changes before.
fn next_reconcile(step: &Step, job: &JobView, after: &JobStatus) -> Action {
    let now = now();
    let soonest = [requeue(step, after, now), start_deadline(step, job, now)];
    let soonest = soonest.into_iter().flatten().min();
    soonest.map_or_else(Action::await_change, Action::requeue)
}
