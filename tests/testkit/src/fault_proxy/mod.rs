//! A proxy that misbehaves on command, between the operator and the API server or AWS.
//!
//! It listens on plain HTTP and passes everything on as it came, headers and all (bearer tokens, signatures), streams of
//! watches too. [`Rule`]s say which requests suffer what; [`FaultProxy::requests`] says what came.

mod answers;
mod forward;
mod rule;
mod seen;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use rule::{Fault, Gate, Rule};
pub use seen::{Class, Seen};

use crate::control_plane::ControlPlane;
use forward::Upstream;
use rule::When;

/// A running proxy; it ends when dropped. It lives on the runtime that started it.
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// In front of an API server. Callers authenticate themselves: their tokens are passed on.
    pub async fn kubernetes(plane: &ControlPlane) -> anyhow::Result<Self> {
        Self::start(Upstream::tls(&plane.url(), &plane.authority_der())?).await
    }

    /// In front of a plain HTTP server, such as the AWS simulator (`http://127.0.0.1:…`).
    pub async fn http(url: &str) -> anyhow::Result<Self> {
        Self::start(Upstream::plain(url)?).await
    }

    async fn start(upstream: Upstream) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(upstream));
        let accepting = tokio::spawn(forward::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            address,
            accepting,
        })
    }

    /// Where it listens: `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule. When several pick the same request the one added first strikes; each counts for itself.
    pub fn add(&self, rule: Rule) -> Active {
        let active = Active {
            rule: Arc::new(Counted::new(rule)),
            shared: Arc::clone(&self.shared),
        };
        held(&self.shared.rules).push(Arc::clone(&active.rule));
        active
    }

    /// Adds a rule that holds what `rule` picks (its own fault is not used) until released: also when the caller has
    /// gone meanwhile, as a network may.
    pub fn hold(&self, rule: Rule) -> Held {
        let gate = Gate::default();
        let active = self.add(rule.with(Fault::Hold(gate.clone())));
        Held { active, gate }
    }

    /// Removes all rules; what is frozen goes on.
    pub fn clear(&self) {
        held(&self.shared.rules).clear();
        self.shared.changed.send_replace(());
    }

    /// Breaks every connection that is open now, in the middle of whatever they do.
    pub fn break_connections(&self) {
        self.shared.broken.send_replace(());
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        held(&self.shared.log).requests.clone()
    }

    /// Forgets the requests seen so far; counting goes on.
    pub fn forget(&self) {
        held(&self.shared.log).requests.clear();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.clear();
        self.break_connections();
    }
}

/// A rule in force.
pub struct Active {
    rule: Arc<Counted>,
    shared: Arc<Shared>,
}

impl Active {
    /// How many requests it has struck.
    pub fn struck(&self) -> usize {
        *self.rule.struck.borrow()
    }

    /// Waits until it holds something back: a part of an answer has come from upstream, and waits here for the rule to go.
    pub async fn until_frozen(&self) {
        self.rule.frozen.subscribe().wait_for(|frozen| *frozen).await.ok();
    }

    /// Waits until it has struck `n` requests.
    pub async fn until(&self, n: usize) {
        // The sender lives in the rule that `self` holds.
        self.rule.struck.subscribe().wait_for(|struck| *struck >= n).await.ok();
    }

    /// Takes the rule away; what it froze goes on.
    pub fn remove(&self) {
        held(&self.shared.rules).retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        self.shared.changed.send_replace(());
    }
}

/// Requests held by [`FaultProxy::hold`].
pub struct Held {
    active: Active,
    gate: Gate,
}

impl Held {
    /// Waits until `n` requests have come to be held.
    pub async fn arrived(&self, n: usize) {
        self.active.until(n).await;
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        self.active.struck()
    }

    /// Lets them go on their way, and holds no more.
    pub fn release(&self) {
        self.active.remove();
        self.gate.open();
    }
}

/// A rule and its counters.
struct Counted {
    rule: Rule,
    matched: Mutex<usize>,
    struck: watch::Sender<usize>,
    frozen: watch::Sender<bool>,
}

impl Counted {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            matched: Mutex::default(),
            struck: watch::Sender::default(),
            frozen: watch::Sender::default(),
        }
    }

    /// Counts the request if it matches, and says whether the rule strikes it.
    fn picks(&self, seen: &Seen) -> bool {
        if !self.rule.matches(seen) {
            return false;
        }
        let mut matched = held(&self.matched);
        *matched += 1;
        self.rule.strikes(*matched)
    }

    fn freezes(&self, seen: &Seen) -> bool {
        matches!(self.rule.fault, Fault::Freeze) && self.rule.matches(seen)
    }
}

/// What the proxy and its connections share.
struct Shared {
    upstream: Upstream,
    rules: Mutex<Vec<Arc<Counted>>>,
    log: Mutex<Log>,
    /// Rules have gone.
    changed: watch::Sender<()>,
    /// Connections are to break.
    broken: watch::Sender<()>,
}

/// The requests that came.
#[derive(Default)]
struct Log {
    /// All that ever came, the forgotten too.
    count: usize,
    requests: Vec<Seen>,
}

impl Shared {
    fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            rules: Mutex::default(),
            log: Mutex::default(),
            changed: watch::Sender::default(),
            broken: watch::Sender::default(),
        }
    }

    /// Records the request, and picks what strikes it.
    fn arrive(&self, seen: &mut Seen) -> Option<(When, Fault)> {
        let strikes = self.pick(seen);
        seen.fault = strikes.as_ref().map(|(_, fault)| fault.name());
        let mut log = held(&self.log);
        log.count += 1;
        seen.n = log.count;
        log.requests.push(seen.clone());
        strikes
    }

    fn pick(&self, seen: &Seen) -> Option<(When, Fault)> {
        let rules = held(&self.rules).clone();
        // Every rule counts, also behind the one that strikes.
        let picking: Vec<_> = rules.iter().filter(|rule| rule.picks(seen)).collect();
        let first = picking.first()?;
        first.struck.send_modify(|struck| *struck += 1);
        Some((first.rule.when, first.rule.fault.clone()))
    }

    fn answered(&self, n: usize, status: u16) {
        if let Some(seen) = held(&self.log).requests.iter_mut().rev().find(|seen| seen.n == n) {
            seen.upstream = Some(status);
        }
    }

    fn freezing(&self, seen: &Seen) -> Option<Arc<Counted>> {
        held(&self.rules).iter().find(|rule| rule.freezes(seen)).cloned()
    }

    /// Waits while a rule freezes the answer of this request.
    async fn thaw(&self, seen: &Seen) {
        let mut changed = self.changed.subscribe();
        while let Some(rule) = self.freezing(seen) {
            rule.frozen.send_replace(true);
            // The sender is in `self`.
            changed.changed().await.ok();
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
