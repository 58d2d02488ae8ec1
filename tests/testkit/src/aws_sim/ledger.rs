//! What was applied, and what was asked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One applied call. A call that was refused, or that a fault kept from happening, leaves no line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Order of application, from 1.
    pub seq: u64,
    /// When it was applied, by the simulator's clock.
    pub time: Timestamp,
    /// The operation, for example `StartTranscriptionJob`.
    pub operation: String,
    /// The caller's account.
    pub account: String,
    /// The Region of the credential scope.
    pub region: String,
    /// The caller's access key id.
    pub access_key: String,
    /// The caller's ARN: a user's, or that of a role's session.
    #[serde(default)]
    pub principal: String,
    /// The session's name; empty if it is none.
    #[serde(default)]
    pub session_name: String,
    /// The tags that the session was given.
    #[serde(default)]
    pub session_tags: BTreeMap<String, String>,
    /// The ExternalId that the role was assumed with; empty if there was none.
    #[serde(default)]
    pub external_id: String,
    /// The job that was started, deleted or tagged.
    pub job_name: String,
    /// The job's tags after the call; for a Delete, before it.
    pub tags: BTreeMap<String, String>,
    /// The request, whole.
    pub body: Value,
    /// The signing time, from `X-Amz-Date`.
    pub signed_at: Timestamp,
}

/// Every call ever made: operation, then outcome (`ok`, an error code, or `fault`), then how often.
pub type Calls = BTreeMap<String, BTreeMap<String, u64>>;

/// The append-only record of applied calls.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lines: Vec<LedgerLine>,
    file: Option<File>,
    calls: Calls,
}

impl Ledger {
    /// A ledger that is also appended to a file, as JSON lines.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.with_context(|| format!("the ledger {}", path.display()))
        };
        Ok(Self {
            file: path.map(open).transpose()?,
            ..Self::default()
        })
    }

    /// Append a line. It is the kernel's before the caller hears of it, so it outlives a kill of this process.
    pub(super) fn append(&mut self, line: LedgerLine) -> anyhow::Result<()> {
        let line = LedgerLine {
            seq: self.lines.len() as u64 + 1,
            ..line
        };
        if let Some(file) = &mut self.file {
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            file.write_all(&text)?;
        }
        self.lines.push(line);
        Ok(())
    }

    pub(super) fn count(&mut self, operation: &str, outcome: &str) {
        let outcomes = self.calls.entry(operation.to_owned()).or_default();
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    pub(super) fn lines(&self) -> &[LedgerLine] {
        &self.lines
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }
}
