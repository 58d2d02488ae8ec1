//! What YAML makes of a text without quotes, as kubectl reads it (YAML 1.1).

use crate::cases::{CONTEXT, Case, KEY, raw};
use crate::verdict::{before_storage, everywhere_denied, fine, from_bind};

const ENCRYPTION: &str = "spec.encryption";
const DEPARTMENT: &str = "spec.encryption.context.department";

pub fn cases() -> Vec<Case> {
    [keys(), values(), names(), wholes(), composed(), unknown()]
        .into_iter()
        .flatten()
        .collect()
}

fn keys() -> Vec<Case> {
    let rows = [
        ("key: number", "123456789012"),
        ("key: float", "12.5"),
        ("key: boolean", "true"),
        ("key: yes", "yes"),
        ("key: list", "[alias/a]"),
        ("key: map", "{alias: a}"),
    ];
    let mut cases: Vec<Case> = rows
        .into_iter()
        .map(|(name, text)| {
            raw(
                name,
                &format!("encryption: {{kmsKeyId: {text}}}"),
                everywhere_denied(KEY),
            )
        })
        .collect();
    cases.push(raw("key: null", "encryption: {kmsKeyId: null}", fine()));
    cases.push(raw("key: nothing", "encryption:\n  kmsKeyId:", fine()));
    cases.push(raw(
        "key: null beside a context",
        "encryption: {kmsKeyId: ~, context: {a: b}}",
        from_bind(CONTEXT),
    ));
    cases.push(raw(
        "key: date",
        "encryption: {kmsKeyId: 2026-01-01}",
        everywhere_denied(KEY),
    ));
    cases.push(raw(
        "key: folded over two lines",
        "encryption:\n  kmsKeyId: alias/a\n    b",
        everywhere_denied(KEY),
    ));
    cases.push(raw(
        "key: literal block",
        "encryption:\n  kmsKeyId: |\n    alias/a",
        everywhere_denied(KEY),
    ));
    cases.push(raw(
        "key: folded block, stripped",
        "encryption:\n  kmsKeyId: >-\n    alias/a",
        fine(),
    ));
    cases.push(raw(
        "key: plain with a comment",
        "encryption:\n  kmsKeyId: alias/a # the key",
        fine(),
    ));
    cases.push(raw(
        "key: tagged as text",
        "encryption: {kmsKeyId: !!str alias/a}",
        fine(),
    ));
    cases
}

fn values() -> Vec<Case> {
    let rows = [
        ("value: number", "4711", everywhere_denied(DEPARTMENT)),
        ("value: float", "1.5", everywhere_denied(DEPARTMENT)),
        ("value: exponent", "1e3", everywhere_denied(DEPARTMENT)),
        ("value: octal", "0123", everywhere_denied(DEPARTMENT)),
        ("value: hexadecimal", "0x1F", everywhere_denied(DEPARTMENT)),
        ("value: true", "true", everywhere_denied(DEPARTMENT)),
        ("value: yes", "yes", everywhere_denied(DEPARTMENT)),
        ("value: on", "on", everywhere_denied(DEPARTMENT)),
        ("value: n", "n", everywhere_denied(DEPARTMENT)),
        ("value: null, which is no entry", "null", everywhere_denied(CONTEXT)),
        ("value: nothing, which is no entry", "", everywhere_denied(CONTEXT)),
        ("value: null beside an entry", "null\n    team: a", fine()),
        ("value: list", "[finance]", everywhere_denied(DEPARTMENT)),
        ("value: map", "{name: finance}", everywhere_denied(DEPARTMENT)),
        ("value: date", "2026-01-01", fine()),
        ("value: version", "1.2.3", fine()),
        ("value: time of day", "12:30:45", fine()),
        ("value: number in quotes", "'4711'", fine()),
        ("value: number tagged as text", "!!str 4711", fine()),
    ];
    rows.into_iter()
        .map(|(name, text, expected)| {
            let yaml = format!("encryption:\n  kmsKeyId: alias/a\n  context:\n    department: {text}");
            raw(name, &yaml, expected)
        })
        .collect()
}

/// The name of an entry is a text to JSON whatever it was to YAML.
fn names() -> Vec<Case> {
    let rows = [
        ("name: number", "4711: x", fine()),
        ("name: boolean", "true: x", fine()),
        ("name: y, which is true", "y: x", fine()),
        (
            "name: y and true are the same entry's",
            "y: x\n    'True': x",
            everywhere_denied(CONTEXT),
        ),
        ("name: date", "2026-01-01: x", fine()),
    ];
    rows.into_iter()
        .map(|(name, text, expected)| {
            let yaml = format!("encryption:\n  kmsKeyId: alias/a\n  context:\n    {text}");
            raw(name, &yaml, expected)
        })
        .collect()
}

fn wholes() -> Vec<Case> {
    let with_key = |text: &str| format!("encryption:\n  kmsKeyId: alias/a\n  context: {text}");
    vec![
        raw("context: null", &with_key("null"), fine()),
        raw("context: text", &with_key("department"), everywhere_denied(CONTEXT)),
        raw("context: list", &with_key("[department]"), everywhere_denied(CONTEXT)),
        raw(
            "context: list of pairs",
            &with_key("[{department: finance}]"),
            everywhere_denied(CONTEXT),
        ),
        raw("context: boolean", &with_key("yes"), everywhere_denied(CONTEXT)),
        raw("encryption: null", "encryption: null", fine()),
        raw("encryption: nothing", "encryption:", fine()),
        raw("encryption: text", "encryption: alias/a", everywhere_denied(ENCRYPTION)),
        raw(
            "encryption: list of a key",
            "encryption: [alias/a]",
            everywhere_denied(ENCRYPTION),
        ),
        raw(
            "encryption: empty list",
            "encryption: []",
            everywhere_denied(ENCRYPTION),
        ),
        raw(
            "encryption: list of a key and a context",
            "encryption: [alias/a, {department: finance}]",
            everywhere_denied(ENCRYPTION),
        ),
        raw(
            "encryption: list of a map",
            "encryption: [{kmsKeyId: alias/a}]",
            everywhere_denied(ENCRYPTION),
        ),
        raw("encryption: boolean", "encryption: on", everywhere_denied(ENCRYPTION)),
    ]
}

fn composed() -> Vec<Case> {
    vec![
        raw(
            "anchor",
            "encryption: {kmsKeyId: &key alias/a, context: {key: *key}}",
            fine(),
        ),
        raw(
            "anchor of a number",
            "encryption: {kmsKeyId: alias/a, context: {department: &n 4711, n: x}}",
            everywhere_denied(DEPARTMENT),
        ),
        raw(
            "merged map",
            "encryption: {kmsKeyId: alias/a, context: {<<: {department: finance}}}",
            fine(),
        ),
    ]
}

/// A member that the schema does not know would be pruned, and the output be encrypted otherwise than asked.
fn unknown() -> Vec<Case> {
    let rows = [
        (
            "kmsKeyID with a capital D",
            "encryption: {kmsKeyID: alias/a}",
            "spec.encryption.kmsKeyID",
        ),
        (
            "the name that AWS gives the context",
            "encryption: {kmsKeyId: alias/a, kmsEncryptionContext: {a: b}}",
            "spec.encryption.kmsEncryptionContext",
        ),
        (
            "encryption misspelt",
            "encription: {kmsKeyId: alias/a}",
            "spec.encription",
        ),
        (
            "the name that AWS gives the key",
            "outputEncryptionKMSKeyId: alias/a",
            "spec.outputEncryptionKMSKeyId",
        ),
    ];
    rows.into_iter()
        .map(|(name, yaml, field)| raw(name, yaml, before_storage(field)))
        .collect()
}
