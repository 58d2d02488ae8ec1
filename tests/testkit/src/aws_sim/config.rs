//! How the simulated AWS behaves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The account of a caller, and of a KMS key, that is given no other.
pub const DEFAULT_ACCOUNT: &str = "111122223333";

/// Everything that can be chosen. `listen`, `tls` and `ledger` are read once, at the start; all else may be changed
/// while the simulator runs. Durations are in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    #[serde(skip)]
    pub listen: SocketAddr,
    /// Serve TLS, with a certificate for localhost signed by a CA made for this run.
    #[serde(skip)]
    pub tls: bool,
    /// Append every applied call to this file too.
    #[serde(skip)]
    pub ledger: Option<PathBuf>,
    /// Decides what AWS leaves open: the kind of quota window, where short pages end, which calls a fault with a
    /// probability hits.
    pub seed: u64,
    /// The account of an access key that `accounts` does not name.
    pub default_account: String,
    /// Access key id to account. Such a key is that of a user who may do everything; see [`super::AwsSim::put_user`] for
    /// users who may not.
    pub accounts: BTreeMap<String, String>,
    /// How long the credentials of AssumeRole are good for, in place of what the request asks for.
    pub session_ms: Option<i64>,
    /// How far the signing time may be from the simulator's clock, either way. AWS: 15 minutes.
    pub signature_window_ms: i64,
    /// Added to the machine's clock: the simulator's clock, seen in `Date` headers, job times and signature checks.
    pub clock_offset_ms: i64,
    /// How long a job is QUEUED. With 0 a Start answers IN_PROGRESS at once, as AWS was seen to do.
    pub queue_ms: i64,
    /// How long a job is IN_PROGRESS. Applies to jobs that begin after a change.
    pub run_ms: i64,
    /// Get shows the records as they were this long ago.
    pub get_lag_ms: i64,
    /// List shows the records as they were this long ago.
    pub list_lag_ms: i64,
    /// Whether Get returns tags; AWS documents them, nobody has shown them.
    pub get_tags: bool,
    /// Which HTTP statuses errors have.
    pub statuses: Statuses,
    /// Whether calls per second are limited.
    pub rates: bool,
    /// Calls per second by operation, in place of AWS's own.
    pub rate: BTreeMap<String, u32>,
    /// How calls per second are counted; if not given, the seed decides.
    pub window: Option<Window>,
    /// How many jobs of a kind may run at once, in place of AWS's own.
    pub concurrent: Option<usize>,
    /// How many jobs of a kind may wait for a slot.
    pub queued: usize,
    /// List may end a page early, and may end with an empty page.
    pub short_pages: bool,
    /// The account has opted out of AWS keeping content: an output bucket is mandatory.
    pub opted_out: bool,
    /// When a job is found to have a KMS key that cannot be used.
    pub key_fault: KeyFault,
    /// How particular jobs end; the first rule that fits applies. See also [`super::outcomes`].
    pub outcomes: Vec<OutcomeRule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            ledger: None,
            seed: 0,
            default_account: DEFAULT_ACCOUNT.to_owned(),
            accounts: BTreeMap::new(),
            session_ms: None,
            signature_window_ms: 15 * 60 * 1000,
            clock_offset_ms: 0,
            queue_ms: 0,
            run_ms: 1000,
            get_lag_ms: 0,
            list_lag_ms: 0,
            get_tags: true,
            statuses: Statuses::Recorded,
            rates: true,
            rate: BTreeMap::new(),
            window: None,
            concurrent: None,
            queued: 10_000,
            short_pages: false,
            opted_out: false,
            key_fault: KeyFault::AtStart,
            outcomes: Vec::new(),
        }
    }
}

impl Config {
    /// The account of an access key that is no known user's.
    pub(super) fn account_of(&self, access_key: &str) -> &str {
        self.accounts.get(access_key).unwrap_or(&self.default_account)
    }
}

/// Which HTTP statuses errors have; the code is the same either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statuses {
    /// As recorded from AWS on the JSON protocol: 400 for every client error.
    Recorded,
    /// As the model says since it lists CBOR too: Conflict 409, NotFound 404, LimitExceeded 429.
    Modelled,
}

/// When a job is found to have a KMS key that cannot be used. AWS documents neither the time nor the answer. Either way
/// the key counts at the end of the run too: the output cannot be written with a key that was lost meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFault {
    /// Start answers BadRequestException.
    AtStart,
    /// Start is accepted, and the job fails with [`super::outcomes::KEY_UNUSABLE`].
    AtRun,
}

/// A way to count calls per second. AWS does not say which one it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A bucket of as many tokens as calls per second, refilled steadily.
    TokenBucket,
    /// So many calls in each second of the clock.
    Fixed,
    /// So many calls in any second.
    Sliding,
}

/// How the jobs that it fits end. Absent conditions fit every job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutcomeRule {
    /// A part of the job's name.
    pub job_name_contains: Option<String>,
    /// A part of the media URI.
    pub uri_contains: Option<String>,
    /// Applies to this many jobs, then no more; absent: to all.
    pub times: Option<u64>,
    /// FAILED with this reason; absent: COMPLETED.
    pub fail: Option<String>,
    /// How long the job runs, in place of [`Config::run_ms`].
    pub run_ms: Option<i64>,
}
