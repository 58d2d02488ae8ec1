//! What service accounts asked for, as the API server's own audit has it.

use std::fs;

use serde_json::{Value, json};

use super::ControlPlane;

impl ControlPlane {
    /// The requests of a user (`system:serviceaccount:NAMESPACE:NAME`) so far, as events of the group `audit.k8s.io`. Needs
    /// [`super::Builder::audited`].
    pub fn audit(&self, user: &str) -> anyhow::Result<Vec<Value>> {
        let log = fs::read_to_string(self.path("audit.log"))?;
        // The last line may be half written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let lines = whole.lines().filter(|line| line.contains(user));
        let events = lines.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        Ok(events
            .into_iter()
            .filter(|event| event["user"]["username"] == user)
            .collect())
    }

    /// The flags of an API server that keeps it.
    pub(super) fn audit_args(&self) -> anyhow::Result<[String; 2]> {
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            // One event for each request, but for watches, which say that they began and that they ended.
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
        });
        let path = self.path("audit-policy.json");
        fs::write(&path, policy.to_string())?;
        Ok([
            format!("--audit-policy-file={}", path.display()),
            format!("--audit-log-path={}", self.path("audit.log").display()),
        ])
    }
}
