//! Finds the class and the account of a job. Only reads: the classes, the namespaces and the last list snapshot.

use crate::{
    api::conditions::Reason,
    controllers::job::context::Context,
    domain::{AccountRegion, Desired, Job, JobView, Rejection, Sighting, Unknown},
};

/// A job with its class and its account.
pub(super) struct Bound {
    /// The object.
    pub(super) view: JobView,
    /// The effective request, or why there is none.
    pub(super) desired: Result<Desired, Rejection>,
    /// What the last list snapshot shows of it.
    pub(super) sighting: Sighting,
    /// Why its record is unknown as long as AWS is not asked.
    pub(super) unseen: Unknown,
}

/// Resolves the class, the namespace and the account of a job.
pub(super) async fn resolve(ctx: &Context, job: &Job) -> Bound {
    let view = JobView::of(job);
    let desired = if view.needs_no_class() {
        Err(Rejection::new(Reason::Accepted, "nothing is to be started any more"))
    } else {
        ctx.resolver.bind(job, &view).await
    };
    Bound {
        desired,
        sighting: sighting(ctx, &view),
        unseen: unseen(ctx, &view).await,
        view,
    }
}

/// The account and Region that an object was submitted in.
fn pinned(view: &JobView) -> Option<AccountRegion> {
    view.submission().map(|submission| AccountRegion {
        account: submission.account.clone(),
        region: submission.region.clone(),
    })
}

fn sighting(ctx: &Context, view: &JobView) -> Sighting {
    let account = pinned(view).map(|at| ctx.accounts.at(&at));
    let snapshot = account.and_then(|account| account.of(ctx.kind).snapshot.borrow().clone());
    Sighting::of(snapshot.as_deref(), view.submission())
}

/// [`Unknown::OtherIdentity`] if no class has credentials for the record's account and Region and none can turn out to
/// have them; otherwise [`Unknown::NotAsked`].
async fn unseen(ctx: &Context, view: &JobView) -> Unknown {
    let nobody = match pinned(view).filter(|_| !view.finished()) {
        Some(at) => ctx.classes.nobody_at(&at, view.class()).await,
        None => None,
    };
    nobody.map_or(Unknown::NotAsked, Unknown::OtherIdentity)
}
