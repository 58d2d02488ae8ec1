//! The names of jobs in Amazon Transcribe. The name is the idempotency key: AWS has no client token for jobs.

use std::fmt;

const PREFIX: &str = "tro";
const UID_LENGTH: usize = 36;

/// The prefix of the names of all jobs of one cluster: `tro-<cluster id>-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePrefix(String);

/// The cluster id is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster id '{0}' must be 1 to 100 characters of a-z and 0-9")]
pub struct BadClusterId(String);

impl NamePrefix {
    /// Makes the prefix for a cluster id of 1 to 100 characters of `[a-z0-9]`.
    ///
    /// # Errors
    /// The id is empty, too long, or has other characters.
    pub fn new(cluster_id: &str) -> Result<Self, BadClusterId> {
        let fits = (1..=100).contains(&cluster_id.len())
            && cluster_id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits {
            Ok(Self(format!("{PREFIX}-{cluster_id}-")))
        } else {
            Err(BadClusterId(cluster_id.to_owned()))
        }
    }

    /// Returns the text, as used for AWS's `JobNameContains`. That is a case-insensitive substring match, so check each result
    /// for the prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the cluster id within the prefix.
    pub fn cluster_id(&self) -> &str {
        &self.0[PREFIX.len() + 1..self.0.len() - 1]
    }
}

/// The name of one attempt's job: `tro-<cluster id>-<uid>-<attempt>`, with a trailing `r` when its record is to be retained.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobName {
    /// The prefix, with the cluster id.
    pub prefix: NamePrefix,
    /// The uid of the object.
    pub uid: String,
    /// The attempt, from 1.
    pub attempt: i32,
    /// Whether the record outlives the object.
    pub retain: bool,
}

impl JobName {
    /// Parses a name from its right end. Returns `None` for a name that this operator never creates.
    pub fn parse(name: &str) -> Option<Self> {
        let (body, retain) = name.strip_suffix('r').map_or((name, false), |body| (body, true));
        let (body, attempt) = body.rsplit_once('-')?;
        let attempt = attempt
            .parse()
            .ok()
            .filter(|n: &i32| *n >= 1 && n.to_string() == attempt)?;
        let at = body.len().checked_sub(UID_LENGTH)?;
        let (head, uid) = body.split_at_checked(at)?;
        let is_uid = uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let uid = is_uid.then_some(uid)?;
        let cluster_id = head.strip_prefix(PREFIX)?.strip_prefix('-')?.strip_suffix('-')?;
        Some(Self {
            prefix: NamePrefix::new(cluster_id).ok()?,
            uid: uid.to_owned(),
            attempt,
            retain,
        })
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = if self.retain { "r" } else { "" };
        write!(f, "{}{}-{}{tail}", self.prefix.0, self.uid, self.attempt)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn names_are_read_back_whole() {
        for (attempt, retain) in [(1, false), (2, true), (11, false)] {
            let name = JobName {
                prefix: NamePrefix::new("c0ffee").unwrap(),
                uid: UID.into(),
                attempt,
                retain,
            };
            assert_eq!(JobName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn what_the_operator_does_not_make_is_not_read() {
        for name in [
            "",
            "r",
            "my-job",
            "tro--0f8fad5b-d9cb-469f-a165-70867728950e-1",
            "tro-C0-0f8fad5b-d9cb-469f-a165-70867728950e-1",
            "xtro-c0-0f8fad5b-d9cb-469f-a165-70867728950e-1",
            "tro-c0-0f8fad5b-d9cb-469f-a165-70867728950e-0",
            "tro-c0-0f8fad5b-d9cb-469f-a165-70867728950e-01",
            "tro-c0-0f8fad5b-d9cb-469f-a165-70867728950e-1x",
            "tro-c0-é0f8fad5b-d9cb-469f-a165-7086772895-1",
        ] {
            assert_eq!(JobName::parse(name), None, "{name}");
        }
    }
}
