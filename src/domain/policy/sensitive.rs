//! Detects credentials and personal data in an encryption context.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

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

/// Returns the kind of credential that a text looks like. An encryption context is not secret, because KMS writes it in plain
/// text to CloudTrail with every use of the key.
pub(super) fn credential(text: &str) -> Option<&'static str> {
    SHAPES.matches(text).iter().next().map(|n| CREDENTIALS[n].0)
}

static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b").ok());
static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b[0-9](?:[ -]?[0-9]){12,18}\b").ok());
static SSN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b([0-9]{3})-([0-9]{2})-([0-9]{4})\b").ok());

/// Returns the kind of personal data that a text looks like. CloudTrail would record it with every use of the key.
pub(super) fn personal_data(text: &str) -> Option<&'static str> {
    if EMAIL.as_ref()?.is_match(text) {
        return Some("an e-mail address");
    }
    if DIGITS
        .as_ref()?
        .find_iter(text)
        .any(|digits| is_payment_card(digits.as_str()))
    {
        return Some("a payment card number");
    }
    let issued = |ssn: regex::Captures<'_>| {
        // Area 000, 666 and 9xx, group 00 and serial 0000 are never issued.
        !matches!(&ssn[1], "000" | "666") && !ssn[1].starts_with('9') && &ssn[2] != "00" && &ssn[3] != "0000"
    };
    let ssn = SSN.as_ref()?.captures_iter(text).any(issued);
    ssn.then_some("a US social security number")
}

/// Whether a number has the prefix and length of a card scheme (ISO/IEC 7812) and a valid Luhn check digit.
fn is_payment_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let head = |n: usize| digits.iter().take(n).fold(0, |head, digit| head * 10 + digit);
    let scheme = match digits.len() {
        14 => matches!(head(2), 36 | 38) || matches!(head(3), 300..=305),
        15 => matches!(head(2), 34 | 37),
        16 => head(1) == 4 || matches!(head(2), 51..=55 | 65) || matches!(head(4), 2221..=2720 | 3528..=3589 | 6011),
        13 | 19 => head(1) == 4,
        _ => false,
    };
    let doubled = |(n, digit): (usize, &u32)| match n % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    scheme && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::{CREDENTIALS, SHAPES, credential, personal_data};

    #[test]
    fn personal_data_is_told_from_numbers_and_words() {
        for (text, what) in [
            ("jane.doe@example.com", Some("e-mail")),
            ("contact: a+b@mail.example.co.uk.", Some("e-mail")),
            ("4111111111111111", Some("card")),
            ("card 5555-5555-5555-4444", Some("card")),
            ("378282246310005", Some("card")),
            ("3530 1113 3330 0000", Some("card")),
            ("219-09-9999", Some("social security")),
            ("4111111111111112", None),
            ("1111111111111117", None),
            ("41111111111111111111", None),
            ("000-12-3456", None),
            ("900-12-3456", None),
            ("111122223333", None),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
            ("finance@", None),
            ("2026-11-25", None),
            ("", None),
        ] {
            let found = personal_data(text);
            assert_eq!(found.is_some(), what.is_some(), "{text}: {found:?}");
            assert!(
                what.is_none_or(|what| found.is_some_and(|found| found.contains(what))),
                "{text}: {found:?}"
            );
        }
    }

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
