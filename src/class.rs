//! Which class applies to an object, and the object bound to it: the same for the webhook and for the reconciler.

use std::sync::Arc;

use futures::{FutureExt as _, future::BoxFuture};
use tokio::sync::watch;

use crate::{
    api::{
        Kind,
        conditions::Reason,
        transcription_class::{DEFAULT_CLASS_ANNOTATION, TranscriptionClass},
    },
    config::InstallArgs,
    lifecycle::{
        Class, Desired, Identity, Job, NameHead, Refusal, Request, Subject,
        class::{Labels, select},
    },
};

/// Says which class applies to an object.
pub trait Classes: Send + Sync {
    /// The class, or why there is none.
    fn class_of<'a>(&'a self, job: &'a Subject) -> BoxFuture<'a, Result<Class, Refusal>>;
}

/// The one class that the install's flags make. Its account is the operator's own, once AWS has said whose credentials these
/// are.
#[derive(Clone, Debug)]
pub struct InstallClass {
    /// What the flags say.
    pub install: InstallArgs,
    /// Whose credentials these are.
    pub identity: watch::Receiver<Option<Identity>>,
}

impl Classes for InstallClass {
    fn class_of<'a>(&'a self, job: &'a Subject) -> BoxFuture<'a, Result<Class, Refusal>> {
        let account = self.identity.borrow().as_ref().map(|identity| identity.account.clone());
        let internal = |message: String| Refusal::new(Reason::InternalError, message);
        let spec = match &self.install.region {
            Some(region) => self
                .install
                .class(region, account.as_deref())
                .map_err(|error| internal(error.to_string())),
            None => Err(internal("no Region".to_owned())),
        };
        let wanted = job.class_name.clone();
        let class = spec.and_then(|spec| {
            let mut class = TranscriptionClass::new("default", spec);
            class.metadata.annotations = Some([(DEFAULT_CLASS_ANNOTATION.to_owned(), "true".to_owned())].into());
            let classes = [Box::new(class)];
            let class = select(&classes, wanted.as_deref(), Some(&Labels::new()))?;
            Ok(Class::new(class, account))
        });
        async move { class }.boxed()
    }
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
