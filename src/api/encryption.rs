//! Value types for encryption: the key reference, and the keys and values of a context.

use crate::api::text::{TextRule, text};

macro_rules! partition_pattern {
    () => {
        "aws(?:-cn|-us-gov|-iso(?:-[a-z])?|-eusc)?"
    };
}
pub(super) use partition_pattern;

macro_rules! key_id {
    () => {
        "(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
    };
}

macro_rules! alias {
    () => {
        "alias/[a-zA-Z0-9/_-]{1,250}"
    };
}

/// An ARN, from its start to the fifth colon.
macro_rules! arn_head {
    () => {
        "^arn:[!-9;-~]*:[!-9;-~]*:[!-9;-~]*:[!-9;-~]*:"
    };
}

/// The rules of a key reference, from the KMS developer guide ("Key identifiers") and AWS's list of partitions. They
/// are split so that the first broken rule names the actual problem; for an ARN, each rule covers one part.
const KEY_RULES: [TextRule; 11] = [
    TextRule {
        of: "",
        must_match: Some("^[!-~]+$"),
        message: "must not contain white space, control characters or anything other than printable ASCII; such a \
                  character may be invisible, so type the key again",
    },
    TextRule {
        of: "^(?:arn:[!-~]*:)?alias/aws/[!-~]*$",
        must_match: None,
        message: "must not be an AWS managed key (alias/aws/…): they cannot be shared with Amazon Transcribe; \
                  use a customer managed key",
    },
    TextRule {
        of: "^[!-~]+$",
        must_match: Some(concat!("^(?:arn:[!-~]*|alias/[!-~]*|", key_id!(), ")$")),
        message: "must be a KMS key: a key id (1234abcd-12ab-34cd-56ef-1234567890ab, or mrk- and 32 hex digits; lower case), \
                  an alias with its prefix (alias/name), a key ARN (arn:aws:kms:region:account:key/id) or an alias ARN \
                  (arn:aws:kms:region:account:alias/name)",
    },
    TextRule {
        of: "^alias/[!-~]*$",
        must_match: Some(concat!("^", alias!(), "$")),
        message: "must have 1 to 250 letters, digits, slashes, underscores and hyphens after alias/, and nothing else",
    },
    TextRule {
        of: "^arn:[!-~]*$",
        must_match: Some(concat!(arn_head!(), "[!-~]*$")),
        message: "must have all six parts of an ARN: arn:partition:kms:region:account:key/id, or …:alias/name",
    },
    TextRule {
        of: concat!(arn_head!(), "[!-~]*$"),
        must_match: Some(concat!("^arn:", partition_pattern!(), ":")),
        message: "must name an AWS partition after arn: (aws, aws-cn, aws-us-gov, aws-eusc, aws-iso or aws-iso-…)",
    },
    TextRule {
        of: concat!(arn_head!(), "[!-~]*$"),
        must_match: Some("^arn:[!-9;-~]*:kms:"),
        message: "must be an ARN of KMS: its third part is kms",
    },
    TextRule {
        of: concat!(arn_head!(), "[!-~]*$"),
        must_match: Some("^arn:[!-9;-~]*:[!-9;-~]*:[a-z]{2,8}(?:-[a-z]{1,16}){1,3}-[0-9]{1,2}:"),
        message: "must name a Region as the fourth part of the ARN, such as eu-west-1",
    },
    TextRule {
        of: concat!(arn_head!(), "[!-~]*$"),
        must_match: Some("^arn:[!-9;-~]*:[!-9;-~]*:[!-9;-~]*:[0-9]{12}:"),
        message: "must name an account of 12 digits as the fifth part of the ARN",
    },
    TextRule {
        of: concat!(arn_head!(), "[!-~]*$"),
        must_match: Some(concat!(arn_head!(), "(?:alias/[!-~]*|key/", key_id!(), ")$")),
        message: "must end in key/ and a key id (1234abcd-12ab-34cd-56ef-1234567890ab, or mrk- and 32 hex digits; lower case), \
                  or in alias/ and a name",
    },
    TextRule {
        of: concat!(arn_head!(), "alias/[!-~]*$"),
        must_match: Some(concat!(arn_head!(), alias!(), "$")),
        message: "must have 1 to 250 letters, digits, slashes, underscores and hyphens after alias/, and nothing else",
    },
];

text! {
    /// A KMS key: key id, alias name, key ARN or alias ARN. A bare id or alias is in the account and Region of the
    /// class.
    KmsKeyRef {
        length: 1..=2048,
        expected: "a KMS key: a key id, an alias (alias/name), a key ARN or an alias ARN",
        rules: KEY_RULES,
    }
}

/// The four forms of a [`KmsKeyRef`]. Aliases include the prefix `alias/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are the parts of the ARN")]
pub enum KeyForm<'a> {
    /// A key id, in the account and Region of the class.
    KeyId(&'a str),
    /// An alias name, in the account and Region of the class.
    AliasName(&'a str),
    /// The ARN of a key.
    KeyArn {
        partition: &'a str,
        region: &'a str,
        account: &'a str,
        key_id: &'a str,
    },
    /// The ARN of an alias.
    AliasArn {
        partition: &'a str,
        region: &'a str,
        account: &'a str,
        alias: &'a str,
    },
}

impl KmsKeyRef {
    /// The form of the reference, with its parts.
    pub fn form(&self) -> KeyForm<'_> {
        let parts: Vec<&str> = self.as_str().splitn(6, ':').collect();
        match parts[..] {
            [_, partition, _, region, account, resource] => match resource.strip_prefix("key/") {
                Some(key_id) => KeyForm::KeyArn {
                    partition,
                    region,
                    account,
                    key_id,
                },
                None => KeyForm::AliasArn {
                    partition,
                    region,
                    account,
                    alias: resource,
                },
            },
            _ if self.as_str().starts_with("alias/") => KeyForm::AliasName(self.as_str()),
            _ => KeyForm::KeyId(self.as_str()),
        }
    }

    /// The partition, the Region and the account, if the reference is an ARN.
    pub fn place(&self) -> Option<(&str, &str, &str)> {
        match self.form() {
            KeyForm::KeyArn {
                partition,
                region,
                account,
                ..
            }
            | KeyForm::AliasArn {
                partition,
                region,
                account,
                ..
            } => Some((partition, region, account)),
            KeyForm::KeyId(_) | KeyForm::AliasName(_) => None,
        }
    }

    /// The Region, if the reference names one.
    pub fn region(&self) -> Option<&str> {
        self.place().map(|(_, region, _)| region)
    }

    /// The account, if the reference names one.
    pub fn account(&self) -> Option<&str> {
        self.place().map(|(_, _, account)| account)
    }

    /// The reference as an ARN; a bare id or alias is in this account and Region. `None` if the account is needed but
    /// not known.
    pub fn arn(&self, account: Option<&str>, region: &str) -> Option<String> {
        let of = |resource: String| {
            let partition = partition(region);
            Some(format!("arn:{partition}:kms:{region}:{}:{resource}", account?))
        };
        match self.form() {
            KeyForm::KeyArn { .. } | KeyForm::AliasArn { .. } => Some(self.to_string()),
            KeyForm::KeyId(id) => of(format!("key/{id}")),
            KeyForm::AliasName(alias) => of(alias.to_owned()),
        }
    }
}

/// The partition of a Region, derived from its name (botocore's `partitions.json`).
///
/// Implemented here because the SDK does not expose its table of partitions.
pub fn partition(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let known = BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix));
    known.map_or("aws", |(_, partition)| partition)
}

macro_rules! printable {
    () => {
        "^[ -~]*[!-~][ -~]*$"
    };
}

/// Ignores case, because IAM compares the keys of a context without regard to it.
const NO_AWS_CONTEXT_KEY: [TextRule; 1] = [TextRule {
    of: "^[aA][wW][sS]:",
    must_match: None,
    message: "must not begin with aws: (AWS services add such keys themselves)",
}];

const PRINTABLE: [TextRule; 1] = [TextRule {
    of: "",
    must_match: Some(printable!()),
    message: "must be printable ASCII and not blank: an encryption context is recorded in plain text by CloudTrail and matched \
              by policies, so write other characters in an ASCII form",
}];

text! {
    /// A key of an encryption context.
    ContextKey {
        pattern: printable!(),
        length: 1..=2000,
        expected: "printable ASCII, not blank, in at most 2000 characters",
        rules: NO_AWS_CONTEXT_KEY,
    }
}

text! {
    /// A value of an encryption context. Not secret: CloudTrail shows it in plain text.
    ContextValue {
        length: 1..=2000,
        expected: "printable ASCII, not blank, in at most 2000 characters",
        rules: PRINTABLE,
    }
}
