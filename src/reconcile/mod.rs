//! The imperative shell: read, act, report. It makes no choices of its own.

mod act;
pub mod context;
pub mod controller;
mod observe;
mod report;
mod unreadable;

use std::sync::Arc;

use kube::{core::DeserializeGuard, runtime::controller::Action};

use crate::api::{conditions::Reason, status::JobStatus};
use crate::engine::session::Session;
use crate::lifecycle::{
    Desired, Fault, Job, KeyVerdict, Look, Observed, Outcome, Refusal, Step, Subject, look, plan, requeue,
    start_deadline, status,
};

use crate::runtime::clock::now;

use context::Context;

/// An object as it is watched: one that cannot be read does not stop the others.
pub type Stored = DeserializeGuard<Job>;

/// Why a pass could not be finished. What AWS answers is not an error but an [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not do what was asked.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// It did not answer in time.
    #[error("the API server did not answer in time")]
    ApiTimeout,
    /// The pass took too long.
    #[error("the pass took longer than allowed")]
    Hung,
    /// The pass panicked.
    #[error("the pass panicked")]
    Panicked,
}

/// One pass over one object.
///
/// 1. `sight`   what is known without asking anybody; a copy from the cache that needs nothing rests here *(pure)*
/// 2. `fetch`   the object as it is, by a quorum read *(reads)*
/// 3. `observe` what `look` asks for *(reads)*
/// 4. `plan`    the step *(pure)*
/// 5. `act`     at most one AWS write; a Start is preceded by its intent *(writes)*
/// 6. `report`  the status, then an event *(writes)*
pub async fn pass(cached: Arc<Stored>, ctx: Arc<Context>) -> Result<Action, Error> {
    let Ok(job) = &cached.0 else {
        return unreadable::pass(&cached, &ctx).await;
    };
    let first = sight(job, &ctx, false).await;
    if let Some(rest) = first.rests() {
        return Ok(rest);
    }
    let Some(fresh) = ctx.fetch(job).await? else {
        return Ok(Action::await_change());
    };
    let Ok(job) = &fresh.0 else {
        return unreadable::pass(&fresh, &ctx).await;
    };
    let sighted = sight(job, &ctx, first.seen.permit).await;
    let Sighted {
        desired,
        seen,
        sessions,
        ..
    } = observe::observe(&ctx, sighted).await;
    let step = plan(&desired, &seen, now());
    let decided = Decided {
        desired: &desired,
        seen: &seen,
        sessions: &sessions,
        step: &step,
    };
    if !matches!(step, Step::Submit(_)) {
        ctx.counts.release(&seen.job.uid);
    }
    let (outcome, job) = act::act(&ctx, job, &decided).await?;
    let after = report::report(&ctx, &job, &decided, &outcome).await?;
    Ok(again(&step, &seen.job, &after))
}

/// A step, and what it rests on.
#[derive(Clone, Copy)]
struct Decided<'a> {
    desired: &'a Result<Desired, Refusal>,
    seen: &'a Observed,
    sessions: &'a Sessions,
    step: &'a Step,
}

/// Who works for an object, as far as this pass needs anybody.
#[derive(Default)]
struct Sessions {
    /// Starts its job: a session of the class that it is bound to.
    starter: Option<Session>,
    /// Looks after what it has in AWS: a session in the account and Region of that.
    looker: Option<Result<Session, Fault>>,
}

impl Decided<'_> {
    fn status(&self, outcome: &Outcome) -> JobStatus {
        status(self.desired, self.seen, self.step, outcome, now())
    }
}

/// What is known of an object without asking anybody.
struct Sighted {
    desired: Result<Desired, Refusal>,
    look: Look,
    seen: Observed,
    sessions: Sessions,
}

impl Sighted {
    /// Nothing is to be read, done or written.
    fn rests(&self) -> Option<Action> {
        let now = now();
        if self.look.get.is_some() || self.seen.permit {
            return None;
        }
        let step = plan(&self.desired, &self.seen, now);
        let after = status(&self.desired, &self.seen, &step, &Outcome::Pending, now);
        let quiet = !step.has_effect() && after == self.seen.job.status;
        quiet.then(|| again(&step, &self.seen.job, &after))
    }
}

/// `permit`: a slot for a Start was granted already.
async fn sight(job: &Job, ctx: &Context, permit: bool) -> Sighted {
    let mut seen = observe::unasked(ctx, Subject::of(job));
    let desired = if seen.job.needs_no_class() {
        Err(Refusal::new(Reason::Accepted, "nothing is to be started any more"))
    } else {
        ctx.binder.bind(job, &seen.job).await
    };
    let sighting = observe::sighting(ctx, &seen.job);
    let look = look(&seen.job, &desired, &sighting, &ctx.rules, now());
    seen.record = observe::listed(ctx, sighting, &seen.job).await;
    seen.key = if look.key.is_some() {
        KeyVerdict::NotAsked
    } else {
        KeyVerdict::NotNeeded
    };
    let mut sessions = Sessions::default();
    if let (true, Ok(desired)) = (look.permit, &desired) {
        sessions.starter = observe::starter(ctx, desired, &mut seen, permit).await;
    }
    if let Some(target) = &look.get {
        sessions.looker = observe::looker(ctx, target, &seen.job).await;
    }
    Sighted {
        desired,
        look,
        seen,
        sessions,
    }
}

fn again(step: &Step, job: &Subject, after: &JobStatus) -> Action {
    let now = now();
    let soonest = [requeue(step, after, now), start_deadline(step, job, now)];
    let soonest = soonest.into_iter().flatten().min();
    soonest.map_or_else(Action::await_change, Action::requeue)
}
