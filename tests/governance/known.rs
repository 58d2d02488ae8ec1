//! Rows where the code is not yet as the table says. A row that has become right must be struck out here.

/// The parser names a wrong key of a context as if it were an entry; the API server names the map.
const FIELD_OF_A_WRONG_KEY: [&str; 13] = [
    "context key of 2001 characters",
    "context key aws:",
    "context key aws:s3:arn",
    "context key AWS:s3:arn",
    "context key aWs:x",
    "empty context key",
    "blank context key",
    "context key with an umlaut",
    "context key with a Cyrillic letter",
    "context key with a zero-width space",
    "context key with a line break",
    "context key with a tab",
    "context key with a NUL",
];

/// The parser reads a list where an object belongs, as serde does: its items are the members in their order.
const LIST_FOR_AN_OBJECT: [&str; 4] = [
    "encryption: list of a key",
    "encryption: list of a key and a context",
    "encryption: list of a map",
    "encryption: empty list",
];

/// `check` takes `y`, `yes` and `on` for texts where they are names of members; to kubectl they are `true`, there too.
const BOOLEAN_FOR_A_NAME: [&str; 1] = ["name: y and true are the same entry's"];

pub fn is_known(case: &str) -> bool {
    [&FIELD_OF_A_WRONG_KEY[..], &LIST_FOR_AN_OBJECT, &BOOLEAN_FOR_A_NAME]
        .concat()
        .contains(&case)
}
