//! What all watches of the API server share.

use kube::core::DeserializeGuard;

use crate::domain::Job;

/// A job as a watch delivers it. The guard keeps one job that cannot be parsed from stopping the watch of the others.
pub type WatchedJob = DeserializeGuard<Job>;

/// How long a watch lasts before it is restarted, in seconds. Less than four minutes, because load balancers in front
/// of API servers drop silent connections after that time or more.
pub const WATCH_SECONDS: u32 = 200;
