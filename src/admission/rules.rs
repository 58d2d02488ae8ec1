//! Named rules about what a spec says, beyond what a schema can say.

use std::sync::LazyLock;

use regex::RegexSet;

const CREDENTIALS: [(&str, &str); 6] = [
    ("an AWS access key id", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"),
    ("a bearer token", r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{8,}"),
    (
        "a JSON web token",
        r"\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    ),
    (
        "a GitHub token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
];

static SHAPES: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(CREDENTIALS.map(|(_, pattern)| pattern)).unwrap_or_else(|_| RegexSet::empty()));

/// The kind of credential that a text looks like. An encryption context is not secret: KMS writes it in plain text to
/// CloudTrail with every use of the key.
pub fn credential(text: &str) -> Option<&'static str> {
    SHAPES.matches(text).iter().next().map(|n| CREDENTIALS[n].0)
}

#[cfg(test)]
mod tests {
    use super::{CREDENTIALS, SHAPES, credential};

    #[test]
    fn every_shape_compiles() {
        assert_eq!(SHAPES.len(), CREDENTIALS.len());
    }

    #[test]
    fn credentials_are_told_from_words() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "id=ASIAIOSFODNN7EXAMPLE;",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY----- MIIE",
            "Bearer abcdefghijkl",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP",
            "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
            "xoxb-123456789012-abcdefghij",
        ] {
            assert!(credential(text).is_some(), "{text}");
        }
        for text in [
            "finance",
            "AKIA",
            "bearer of news",
            "eyJ.eyJ",
            "arn:aws:s3:::bucket",
            "-----BEGIN PUBLIC KEY-----",
            "",
        ] {
            assert_eq!(credential(text), None, "{text}");
        }
    }
}
