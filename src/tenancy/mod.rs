//! The classes and namespaces of the cluster, and the binding of a job to its class. The webhook and the reconciler
//! bind jobs with the same code.

pub mod default_class;
pub mod resolver;
mod store;
pub mod watch;

pub use resolver::ClassResolver;
pub use store::ClassStore;
