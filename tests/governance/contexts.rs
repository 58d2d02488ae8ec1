//! Encryption contexts: keys, values, sizes, secrets.

use crate::cases::{CONTEXT, Case, context, raw, value};
use crate::verdict::{everywhere_denied, fine, from_bind};

/// The API server names the entry whose value is wrong, and the map when a key is.
const DEPARTMENT: &str = "spec.encryption.context.department";

pub fn cases() -> Vec<Case> {
    [
        right(),
        sizes(),
        keys(),
        values(),
        credentials(),
        personal(),
        without_a_key(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn right() -> Vec<Case> {
    vec![
        context("context of one pair", [("department", "finance")], fine()),
        context(
            "KMS guide: context",
            [("AppName", "ExampleApp"), ("FilePath", "/var/opt/secrets/")],
            fine(),
        ),
        context(
            "Transcribe guide: context",
            [("keyA", "valueA"), ("keyB", "valueB")],
            fine(),
        ),
        context("context key of specials", [("a_b-c/d\\e:f", "x")], fine()),
        context(
            "context key of each printable special",
            [("!\"#$%&'()*+,;<=>?@[]^`{|}~", "x")],
            fine(),
        ),
        context("context key with blanks", [(" de part ", "x")], fine()),
        context("context key with dots", [("a.b.c", "x")], fine()),
        context("context key aws without a colon", [("aws", "x")], fine()),
        context("context key with aws: in it", [("not-aws:s3", "x")], fine()),
        context("context key that is a path of ours", [("spec.encryption", "x")], fine()),
        value("context value of specials", "_ - / \\ :", fine()),
        value("context value with blanks around", "  finance  ", fine()),
        value("context value that looks like a number", "0123", fine()),
        value("context value that looks like JSON", r#"{"a": ["b"]}"#, fine()),
    ]
}

fn sizes() -> Vec<Case> {
    let (most, more) = ("k".repeat(2000), "k".repeat(2001));
    let names: Vec<String> = (0..11).map(|n| format!("k{n:02}")).collect();
    let pairs = |count: usize| names.iter().take(count).map(|name| (name.as_str(), "v"));
    vec![
        context("context of ten pairs", pairs(10), fine()),
        context("context of eleven pairs", pairs(11), everywhere_denied(CONTEXT)),
        context("context without pairs", [], everywhere_denied(CONTEXT)),
        context("context of a letter and a letter", [("k", "v")], fine()),
        context("context key of 2000 characters", [(most.as_str(), "v")], fine()),
        context(
            "context key of 2001 characters",
            [(more.as_str(), "v")],
            everywhere_denied(CONTEXT),
        ),
        value("context value of 2000 characters", &most, fine()),
        value("context value of 2001 characters", &more, everywhere_denied(DEPARTMENT)),
        value(
            "context value of 20000 characters",
            &"v".repeat(20_000),
            everywhere_denied(DEPARTMENT),
        ),
    ]
}

fn keys() -> Vec<Case> {
    let rows: [(&str, &[(&str, &str)]); 14] = [
        ("context key aws:", &[("aws:", "x")]),
        ("context key aws:s3:arn", &[("aws:s3:arn", "arn:aws:s3:::bucket/a")]),
        ("context key AWS:s3:arn", &[("AWS:s3:arn", "x")]),
        ("context key aWs:x", &[("aWs:x", "x")]),
        (
            "context keys equal but for case",
            &[("department", "a"), ("Department", "b")],
        ),
        ("context keys equal but for case, same value", &[("a", "x"), ("A", "x")]),
        ("empty context key", &[("", "x")]),
        ("blank context key", &[("   ", "x")]),
        ("context key with an umlaut", &[("abteilung-\u{fc}", "x")]),
        ("context key with a Cyrillic letter", &[("dep\u{430}rtment", "x")]),
        ("context key with a zero-width space", &[("department\u{200b}", "x")]),
        ("context key with a line break", &[("department\n", "x")]),
        ("context key with a tab", &[("\tdepartment", "x")]),
        ("context key with a NUL", &[("\0", "x")]),
    ];
    rows.into_iter()
        .map(|(name, pairs)| context(name, pairs.iter().copied(), everywhere_denied(CONTEXT)))
        .collect()
}

fn values() -> Vec<Case> {
    let rows = [
        ("empty context value", ""),
        ("blank context value", "   "),
        ("context value with an umlaut", "Abteilung \u{fc}"),
        ("context value of another script", "\u{8ca1}\u{52d9}"),
        ("context value with an emoji", "finance \u{1f4b0}"),
        ("context value with a non-breaking space", "fin\u{a0}ance"),
        ("context value with a line break", "finance\n"),
        ("context value with a tab", "fin\tance"),
        ("context value with an escape sequence", "\u{1b}[31mred"),
    ];
    rows.into_iter()
        .map(|(name, text)| value(name, text, everywhere_denied(DEPARTMENT)))
        .collect()
}

/// Never right in a place that CloudTrail shows. The schema has no rule for them: its messages would repeat the value.
fn credentials() -> Vec<Case> {
    let rows = [
        ("access key id in a context", "AKIAIOSFODNN7EXAMPLE"),
        ("temporary access key id in a context", "id=ASIAIOSFODNN7EXAMPLE;"),
        (
            "private key in a context",
            "-----BEGIN RSA PRIVATE KEY----- MIIEowIBAAKCAQEA",
        ),
        (
            "OpenSSH private key in a context",
            "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXkt",
        ),
        ("bearer token in a context", "Authorization: Bearer mF_9.B5f-4.1JqM"),
        (
            "JSON web token in a context",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ),
    ];
    rows.into_iter()
        .map(|(name, text)| value(name, text, from_bind(CONTEXT)))
        .collect()
}

/// Personal data draws a warning, and whether it may stand is the class's choice.
fn personal() -> Vec<Case> {
    vec![
        value("e-mail address in a context", "jane.doe@example.com", fine()),
        value("payment card in a context", "4111 1111 1111 1111", fine()),
        value("social security number in a context", "078-05-1120", fine()),
    ]
}

fn without_a_key() -> Vec<Case> {
    vec![
        raw("no encryption", "", fine()),
        raw("empty encryption", "encryption: {}", fine()),
        raw(
            "context without a key",
            "encryption:\n  context:\n    department: finance",
            from_bind(CONTEXT),
        ),
    ]
}
