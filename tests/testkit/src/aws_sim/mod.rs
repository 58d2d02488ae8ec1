//! aws-sim: an Amazon Transcribe, KMS and STS that are as strict as AWS and fail on demand.
//!
//! It shares no code with the operator, so that agreement between the two means something. What it accepts and answers
//! is held against an extract of the AWS model; error codes and texts are those recorded from AWS or documented.
//!
//! A request passes, in this order: the fault rules, the caller's signature header and credentials ([`auth`]), the quota
//! ([`quota`]), the AWS model ([`model`]), the caller's rights ([`rights`]), the rules between members ([`rules`]), and
//! then the records ([`jobs`]). What the four kinds of jobs differ in is in [`kinds`]. Every call that changed a record leaves a line in the [`ledger`], and every call one in
//! the [`trail`]. KMS ([`kms`]) has keys in place of records, and STS ([`sts`]) sessions. Who may do what is for [`iam`]
//! to say; Transcribe uses keys ([`kms_jobs`]) and buckets ([`s3_jobs`]) for its jobs in the caller's name. What jobs have
//! written can be read ([`s3`]), and Pods of clusters ([`eks`]) get credentials as AWS gives them.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::aws_sim::{AwsSim, Config, FaultRule, What, When};
//! let sim = AwsSim::start(Config { run_ms: 200, ..Config::default() }).await?;
//! sim.fault(FaultRule::next("StartTranscriptionJob", When::After, What::Drop));
//! // … point a client at sim.url() …
//! assert_eq!(sim.ledger().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! An access key that no test has put there is that of a user who may do everything. A test about identity puts users and
//! roles there, whose policies then count, and can change or take them while jobs run:
//!
//! ```no_run
//! # fn example(sim: &testkit::aws_sim::AwsSim) -> anyhow::Result<()> {
//! use serde_json::json;
//! use testkit::aws_sim::{Bucket, Role, User};
//! let (operator, role) = ("arn:aws:iam::111122223333:user/operator", "arn:aws:iam::444455556666:role/finance");
//! let assume = json!({"Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": role}});
//! sim.put_user(User::new(operator, "AKIAIOSFODNN7EXAMPLE", assume))?;
//! let trust = json!({"Statement": [
//!     {"Effect": "Allow", "Principal": {"AWS": operator}, "Action": "sts:AssumeRole",
//!         "Condition": {"StringEquals": {"sts:ExternalId": "finance-7f3a"}}},
//!     {"Effect": "Allow", "Principal": {"AWS": operator}, "Action": "sts:TagSession"}]});
//! let rights = json!({"Statement": {"Effect": "Allow", "Action": ["transcribe:*", "s3:*"], "Resource": "*"}});
//! sim.put_role(Role::new(role, trust, rights))?;
//! sim.put_bucket(Bucket::new("finance-media", "444455556666"))?;
//! // … the operator assumes the role and starts jobs …
//! assert_eq!(sim.ledger()[0].session_name, "finance.1a2b3c4d");
//! sim.expire_sessions(role);
//! sim.change_role(role, |role| role.trust = json!({"Statement": []}))?;
//! sim.remove_role(role);
//! # Ok(())
//! # }
//! ```

mod admin;
mod admin_identity;
mod auth;
mod buckets;
mod client;
mod clock;
mod config;
mod eks;
mod error;
mod faults;
mod iam;
mod jobs;
mod kinds;
mod kms;
mod kms_controls;
mod kms_id;
mod kms_jobs;
mod kms_keys;
mod kms_metadata;
mod ledger;
mod list;
mod model;
pub mod outcomes;
mod output;
mod quota;
mod render;
mod rights;
mod rules;
mod s3;
mod s3_jobs;
mod server;
mod sts;
pub(crate) mod tls;
mod trail;
mod transcribe;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use buckets::Bucket;
pub use config::{Config, DEFAULT_ACCOUNT, KeyFault, OutcomeRule, Statuses, Window};
pub use eks::{Association, Cluster};
pub use error::AwsError;
pub use faults::{FaultRule, What, When};
pub use iam::directory::{Role, SessionCredentials, User};
pub use kms_controls::KmsCall;
pub use kms_keys::{DEFAULT_KEY_ALIAS, DEFAULT_KEY_ID, DEFAULT_KEY_REGIONS, Key, KeyState};
pub use ledger::{Calls, LedgerLine};
pub use model::Model;
pub use trail::TrailEvent;
use world::{Sim, World, at};

/// A running simulator. It stops when dropped.
#[derive(Debug)]
pub struct AwsSim {
    sim: Arc<Sim>,
    url: String,
    handle: axum_server::Handle<SocketAddr>,
}

/// A record as the controls show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// The account that it is in.
    pub account: String,
    /// The Region that it is in.
    pub region: String,
    /// The kind, for example `TranscriptionJob`.
    pub kind: String,
    /// The job's name.
    pub name: String,
    /// QUEUED, IN_PROGRESS, COMPLETED or FAILED, without any lag.
    pub status: String,
    /// By the simulator's clock.
    pub created: Timestamp,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The request that made it.
    pub request: Value,
}

/// A record that someone else made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForeignJob {
    /// The kind; `TranscriptionJob` if absent.
    pub kind: Option<String>,
    /// The account; the default one if absent.
    pub account: Option<String>,
    /// The Region.
    pub region: String,
    /// The job's name.
    pub name: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// When it was created, by the simulator's clock; now if absent.
    pub created: Option<Timestamp>,
    /// QUEUED and IN_PROGRESS stay so until [`AwsSim::finish_all`].
    pub status: String,
    /// Members of the request that is to have made it.
    pub request: Map<String, Value>,
}

impl Default for ForeignJob {
    fn default() -> Self {
        Self {
            kind: None,
            account: None,
            region: "us-east-1".to_owned(),
            name: String::new(),
            tags: BTreeMap::new(),
            created: None,
            status: "COMPLETED".to_owned(),
            request: Map::new(),
        }
    }
}

impl AwsSim {
    /// Start a simulator on the current runtime. Errors: the address is taken, the ledger file cannot be opened.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(config.listen).await?.into_std()?;
        let address = listener.local_addr()?;
        let handle = axum_server::Handle::new();
        let mut sim = Sim::new(config)?;
        let tls = sim.world().config.tls;
        let (scheme, rustls) = if tls {
            let (rustls, ca_pem) = tls::server()?;
            sim.ca_pem = Some(ca_pem);
            (
                "https",
                Some(axum_server::tls_rustls::RustlsConfig::from_config(rustls)),
            )
        } else {
            ("http", None)
        };
        let sim = Arc::new(sim);
        let make = tower::service_fn({
            let service = server::service(sim.clone());
            move |_: SocketAddr| std::future::ready(Ok::<_, std::convert::Infallible>(service.clone()))
        });
        if let Some(rustls) = rustls {
            tokio::spawn(
                axum_server::from_tcp_rustls(listener, rustls)?
                    .handle(handle.clone())
                    .serve(make),
            );
        } else {
            tokio::spawn(axum_server::from_tcp(listener)?.handle(handle.clone()).serve(make));
        }
        Ok(Self {
            sim,
            url: format!("{scheme}://{address}"),
            handle,
        })
    }

    /// The endpoint, for example `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The CA that a client must trust, if TLS is on.
    pub fn ca_pem(&self) -> Option<&str> {
        self.sim.ca_pem.as_deref()
    }

    /// The applied calls, in order.
    pub fn ledger(&self) -> Vec<LedgerLine> {
        self.sim.world().ledger.lines().to_vec()
    }

    /// The calls of all services, in order, with who made them and what came of them; of very many only the latest.
    /// Transcribe's own uses of roles, keys and buckets are not among them.
    pub fn trail(&self) -> Vec<TrailEvent> {
        self.sim.world().trail.list()
    }

    /// How often each operation was called, by outcome.
    pub fn calls(&self) -> Calls {
        self.sim.world().ledger.calls().clone()
    }

    /// How often an operation was called, whatever came of it.
    pub fn called(&self, operation: &str) -> u64 {
        self.sim
            .world()
            .ledger
            .calls()
            .get(operation)
            .map_or(0, |outcomes| outcomes.values().sum())
    }

    /// The records as they are now.
    pub fn jobs(&self) -> Vec<JobView> {
        self.sim.jobs()
    }

    /// Add a fault; the number is for [`Self::fired`].
    #[expect(clippy::must_use_candidate, reason = "the number is for those who ask")]
    pub fn fault(&self, rule: FaultRule) -> usize {
        self.sim.world().faults.add(rule)
    }

    /// How many calls a fault has hit.
    pub fn fired(&self, fault: usize) -> u64 {
        self.sim
            .world()
            .faults
            .entries()
            .get(fault)
            .map_or(0, |entry| entry.fired)
    }

    /// Use up every fault.
    pub fn clear_faults(&self) {
        self.sim.world().faults.clear();
    }

    /// The configuration as it is now.
    pub fn config(&self) -> Config {
        self.sim.world().config.clone()
    }

    /// Change the configuration.
    pub fn set_config(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.sim.world().config);
    }

    /// Add a record that no call made; it is in no ledger. Errors: no such kind or status.
    pub fn put_foreign_job(&self, job: &ForeignJob) -> anyhow::Result<()> {
        self.sim.put_foreign_job(job)
    }

    /// Let every record of that name vanish, as expiry would; the number of records.
    pub fn remove_job(&self, name: &str) -> usize {
        self.sim.remove_job(name)
    }

    /// End every job now.
    pub fn finish_all(&self) {
        self.finish(|_| true);
    }

    /// End the jobs now that `which` picks.
    pub fn finish(&self, which: impl Fn(&JobView) -> bool) {
        self.sim.finish(which);
    }

    /// Stop the machine's clock for this simulator; the time at which it stands. From now on jobs move, delays end, sessions
    /// expire and rates recover only by [`Self::pass`].
    #[expect(clippy::must_use_candidate, reason = "the time is for those who ask")]
    pub fn stop_clock(&self) -> Timestamp {
        self.pass(0)
    }

    /// Let so many milliseconds pass on the clock, which is stopped from then on if it was not; the time that it shows then.
    #[expect(clippy::must_use_candidate, reason = "the time is for those who ask")]
    pub fn pass(&self, ms: i64) -> Timestamp {
        at(self.sim.machine.pass(ms))
    }

    /// Close every connection and stop.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for AwsSim {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}
