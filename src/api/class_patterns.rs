//! Value types of a `TranscriptionClass`: patterns for what is allowed, and templates for what is generated.
//!
//! Patterns are deliberately simple: a whole value, a `*` at the very end, or a lone `*` for anything at all. So no
//! pattern can leave the middle of a value open by mistake.

use crate::api::{
    encryption::partition_pattern,
    text::{TextRule, closed_enum, text},
};

text! {
    /// An AWS Region.
    RegionName {
        pattern: "^[a-z]{2,}(?:-[a-z]+)+-[0-9]+$",
        length: 6..=32,
        expected: "an AWS Region, such as eu-west-1",
    }
}

text! {
    /// The external id of an IAM role's trust policy.
    ExternalId {
        pattern: r"^[A-Za-z0-9_+=,.@:/-]+$",
        length: 2..=1224,
        expected: "an external id: letters, digits and _+=,.@:/-",
    }
}

const ONLY_NAMESPACE: TextRule = TextRule {
    of: "[{}]",
    must_match: Some(r"^(?:[^{}]|\{namespace\})*$"),
    message: "must have no braces but those of {namespace}",
};

text! {
    /// The media that jobs may read: everything at or below an `s3://` URI. `{namespace}` stands for the job's
    /// namespace.
    UriPattern {
        pattern: r"^(?:\*|s3://[a-z0-9.{}-]+/[^\x00-\x1f\x7f*%]*)$",
        length: 1..=1024,
        expected: "s3://bucket/ or s3://bucket/prefix/, or * for anything",
        rules: [
            ONLY_NAMESPACE,
            TextRule {
                of: r"^s3://[^/]+/(?:.*/)?\.{0,2}/|/\.{1,2}$",
                must_match: None,
                message: "must have no empty segments and no segments of dots",
            },
        ],
    }
}

text! {
    /// A bucket that a job may name.
    BucketPattern {
        pattern: r"^(?:\*|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$",
        length: 1..=63,
        expected: "a bucket name, or * for any",
    }
}

text! {
    /// The prefix of output keys: a template with `{namespace}`, `{kind}`, `{name}`, `{uid}` and `{attempt}`.
    KeyPrefix {
        pattern: r"^(?:[a-zA-Z0-9-_.!*'(){}]+/)+$",
        length: 1..=512,
        expected: "segments of letters, digits, -_.!*'() and placeholders, each with a slash after it",
        rules: [
            TextRule {
                of: "[{}]",
                must_match: Some(r"^(?:[^{}]|\{(?:namespace|kind|name|uid|attempt)\})*$"),
                message: "must have no braces but those of {namespace}, {kind}, {name}, {uid} and {attempt}",
            },
            TextRule {
                of: "",
                must_match: Some(r"(?:^|/)\{namespace\}/"),
                message: "must have {namespace} as a whole segment, so that no namespace writes among another's output",
            },
            TextRule {
                of: "",
                must_match: Some(r"\{uid\}"),
                message: "must have {uid}, so that no job overwrites another's output",
            },
            TextRule {
                of: r"(?:^|/)\.{1,2}/",
                must_match: None,
                message: "must have no segments of dots",
            },
        ],
    }
}

text! {
    /// A KMS key that jobs may use, as a full ARN; a `*` at the end matches any rest.
    KeyPattern {
        pattern: concat!(
            r"^(?:\*|arn:", partition_pattern!(), r":kms:[a-z0-9-]+:[0-9]{12}:(?:key/[0-9a-z-]*|alias/[a-zA-Z0-9/_-]*)\*?)$"
        ),
        length: 1..=512,
        expected: "the ARN of a key or an alias, which may end in *, or * for any key",
        rules: [TextRule {
            of: ":alias/aws/",
            must_match: None,
            message: "must not be of AWS managed keys: Amazon Transcribe cannot use them",
        }],
    }
}

text! {
    /// The value of a pair that is added to the encryption context: a template with `{namespace}`, `{name}` and
    /// `{kind}`.
    ContextTemplate {
        pattern: "^[ -~]*[!-~][ -~]*$",
        length: 1..=2000,
        expected: "1 to 2000 printable ASCII characters, not all of them spaces",
        rules: [TextRule {
            of: "[{}]",
            must_match: Some(r"^(?:[^{}]|\{(?:namespace|name|kind)\})*$"),
            message: "must have no braces but those of {namespace}, {name} and {kind}",
        }],
    }
}

text! {
    /// The vocabularies, filters and language models that jobs may name; a `*` at the end matches any rest.
    ///
    /// Between `{namespace}` and `*` there must be a character that no namespace's name has, because `a-*` would also
    /// match what belongs to namespace `a-b`.
    NamePattern {
        pattern: r"^[0-9a-zA-Z._{}-]*\*?$",
        length: 1..=200,
        expected: "a name, which may end in *, or * for any",
        rules: [
            ONLY_NAMESPACE,
            TextRule {
                of: r"\{namespace\}[a-z0-9-]*\*$",
                must_match: None,
                message: "must have a dot or an underscore between {namespace} and *, such as {namespace}_*: otherwise a \
                          namespace could use what belongs to namespaces whose names begin with its own",
            },
        ],
    }
}

text! {
    /// The ARN of a role that the class itself uses.
    ClassRoleArn {
        pattern: concat!("^arn:", partition_pattern!(), ":iam::[0-9]{12}:role/[A-Za-z0-9:_/+=,@.-]+$"),
        length: 20..=2048,
        expected: "the ARN of an IAM role, as arn:aws:iam::111122223333:role/name",
    }
}

impl ClassRoleArn {
    /// The account that the role is in.
    pub fn account(&self) -> Option<&str> {
        self.as_str().split(':').nth(4)
    }
}

text! {
    /// A role that a job may name.
    RolePattern {
        pattern: concat!(r"^(?:\*|arn:", partition_pattern!(), ":iam::[0-9]{12}:role/[A-Za-z0-9:_/+=,@.-]+)$"),
        length: 1..=2048,
        expected: "the ARN of an IAM role, or * for any",
    }
}

closed_enum! {
    /// Whether something is accepted.
    Permission {
        /// It is refused.
        Deny = "Deny",
        /// It is accepted.
        Allow = "Allow",
    }
}

closed_enum! {
    /// What happens when something looks wrong but may be right.
    Severity {
        /// It is accepted with a warning.
        Warn = "Warn",
        /// It is refused.
        Deny = "Deny",
    }
}

closed_enum! {
    /// What happens when it cannot be proven that a key may be used.
    AccessCheck {
        /// The job is accepted with a warning.
        Warn = "Warn",
        /// The job is refused; while AWS KMS gives no answer, it waits.
        Deny = "Deny",
        /// AWS KMS is not asked.
        Off = "Off",
    }
}

/// Fills in a template. A placeholder without a value stays as it is; the types above accept no such placeholder.
pub fn expand(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// Whether a pattern matches a text: all of it, or what comes before a `*` at the end of the pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::str::FromStr;

    use super::*;

    fn accepts<T: FromStr>(values: &[&str]) {
        for value in values {
            assert!(value.parse::<T>().is_ok(), "should be accepted: {value}");
        }
    }

    fn rejects<T: FromStr>(values: &[&str]) {
        for value in values {
            assert!(value.parse::<T>().is_err(), "should be rejected: {value}");
        }
    }

    #[test]
    fn patterns_leave_nothing_open_in_their_middle() {
        accepts::<UriPattern>(&[
            "*",
            "s3://media/",
            "s3://media/{namespace}/",
            "s3://media-{namespace}/a",
            "s3://m/a/b.wav",
        ]);
        rejects::<UriPattern>(&[
            "",
            "s3://media",
            "s3://*/",
            "s3://media/*",
            "s3://media/{name}/",
            "s3://media/a/../b/",
            "s3://media//",
            "s3://media/a//b",
            "s3://media/..",
            "s3://media/a%2fb/",
            "https://media/",
            "S3://media/",
            "s3://media/{namespace",
        ]);
        accepts::<KeyPattern>(&[
            "*",
            "arn:aws:kms:eu-west-1:111122223333:alias/finance-*",
            "arn:aws:kms:eu-west-1:111122223333:key/*",
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ]);
        rejects::<KeyPattern>(&[
            "alias/finance",
            "arn:aws:kms:*:111122223333:key/*",
            "arn:aws:kms:eu-west-1:*:key/*",
            "arn:aws:kms:eu-west-1:111122223333:*",
            "arn:aws:kms:eu-west-1:111122223333:alias/*-x",
            "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
            "arn:*",
        ]);
        accepts::<NamePattern>(&[
            "*",
            "finance-*",
            "{namespace}_*",
            "{namespace}-words",
            "{namespace}-a.*",
            "words",
        ]);
        rejects::<NamePattern>(&[
            "",
            "*-x",
            "a b",
            "{name}_*",
            "{namespace}*",
            "{namespace}-*",
            "x.{namespace}-a*",
        ]);
        accepts::<RolePattern>(&["*", "arn:aws:iam::111122223333:role/a/b"]);
        rejects::<RolePattern>(&["arn:aws:iam::111122223333:role/*", "arn:aws:iam::*:role/a", "role/a"]);
        accepts::<ClassRoleArn>(&["arn:aws:iam::111122223333:role/a/b"]);
        rejects::<ClassRoleArn>(&["*", "arn:aws:iam:::role/a", "arn:aws:iam::111122223333:role/", "role/a"]);
        accepts::<BucketPattern>(&["*", "finance-transcripts"]);
        rejects::<BucketPattern>(&["finance-*", "a_b", ""]);
    }

    #[test]
    fn an_output_prefix_keeps_namespaces_and_jobs_apart() {
        accepts::<KeyPrefix>(&["{namespace}/{kind}/{name}/{uid}-{attempt}/", "team/{namespace}/{uid}/"]);
        rejects::<KeyPrefix>(&[
            "",
            "{uid}/",
            "{namespace}/",
            "{namespace}-x/{uid}/",
            "x{namespace}/{uid}/",
            "{namespace}/{uid}",
            "/{namespace}/{uid}/",
            "{namespace}/../{uid}/",
            "{namespace}//{uid}/",
            "{namespace}/{uid}/{user}/",
        ]);
    }

    #[test]
    fn templates_and_patterns_do_what_they_say() {
        let values = [("namespace", "finance"), ("uid", "u-1")];
        assert_eq!(expand("{namespace}/x/{uid}/", &values), "finance/x/u-1/");
        assert!(matches("finance-*", "finance-a") && matches("*", "anything") && matches("a", "a"));
        assert!(!matches("finance-*", "finance") && !matches("a", "ab") && !matches("a*", "ba"));
        accepts::<ContextTemplate>(&["{namespace}", "a {name} of {kind}"]);
        rejects::<ContextTemplate>(&["", "{uid}", "{namespace", "ü"]);
    }
}
