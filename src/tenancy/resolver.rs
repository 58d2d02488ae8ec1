//! Finds the class that applies to a job, and binds the job to it.

use std::sync::Arc;

use crate::{
    api::Kind,
    domain::{Desired, Job, JobView, NamePrefix, Rejection, Request},
    tenancy::store::ClassStore,
};

/// Binds the jobs of a kind to their classes.
#[derive(Clone, Debug)]
pub struct ClassResolver {
    /// The kind.
    pub kind: Kind,
    /// The prefix of the AWS names of this cluster's jobs.
    pub prefix: NamePrefix,
    /// The classes.
    pub classes: Arc<ClassStore>,
}

impl ClassResolver {
    /// The effective request: the spec, with what its class adds.
    ///
    /// # Errors
    /// The spec is not valid, or the class does not allow it. The rejection is what the tenant reads.
    pub async fn bind(&self, job: &Job, view: &JobView) -> Result<Desired, Rejection> {
        let request = Request::parse(self.kind, &job.spec)?;
        let class = self.classes.class_of(view).await?;
        Desired::bind(request, &class, &self.prefix, view)
    }
}
