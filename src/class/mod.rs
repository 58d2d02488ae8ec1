//! Which class applies to an object, and the object bound to it: one way for the webhook and for the reconciler.

pub mod controller;
pub mod install;
mod state;
mod store;
pub mod watch;

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{
    api::Kind,
    lifecycle::{Class, Desired, Job, NameHead, Refusal, Request, Subject},
};

pub use store::ClassStore;

/// Says which class applies to an object.
pub trait Classes: Send + Sync {
    /// The class, or why there is none.
    fn class_of<'a>(&'a self, job: &'a Subject) -> BoxFuture<'a, Result<Class, Refusal>>;
}

/// Finds the classes of objects of a kind.
#[derive(Clone)]
pub struct Binder {
    /// The kind.
    pub kind: Kind,
    /// What the names of this cluster's jobs begin with.
    pub head: NameHead,
    /// The classes.
    pub classes: Arc<dyn Classes>,
}

impl Binder {
    /// The effective request, or why there is none.
    pub async fn bind(&self, job: &Job, subject: &Subject) -> Result<Desired, Refusal> {
        let request = Request::parse(self.kind, &job.spec)?;
        let class = self.classes.class_of(subject).await?;
        Desired::bind(request, &class, &self.head, subject)
    }
}
