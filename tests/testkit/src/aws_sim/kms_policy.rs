//! Key policies: who may do what with a key.
//!
//! Read is the part of the language that key policies for Transcribe need; anything else is an error when the policy is
//! put, so that nothing in a test's policy is ignored in silence. Identity policies do not exist here: who acts for an
//! account that the policy names, as a number or as its root, is taken to be allowed by that account.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

/// One wish to use a key.
#[derive(Debug)]
pub(super) struct Access<'a> {
    /// The operation, for example `DescribeKey`.
    pub(super) operation: &'a str,
    /// The ARN of who asks.
    pub(super) principal: &'a str,
    /// The account of who asks.
    pub(super) account: &'a str,
    /// The Region that is asked.
    pub(super) region: &'a str,
    /// Empty for operations that have none, among them DescribeKey: conditions on it do not hold there.
    pub(super) context: &'a BTreeMap<String, String>,
    /// The host name of the service that uses the key for the caller; absent if the caller does.
    pub(super) via: Option<&'a str>,
}

/// What a policy says to an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it, whatever others allow.
    Denied,
}

/// A key policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Policy {
    #[serde(rename = "Version")]
    _version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: Vec<Statement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Principal,
    action: Texts,
    resource: Texts,
    #[serde(default)]
    condition: Conditions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Principal {
    Anyone(String),
    Named(BTreeMap<String, Texts>),
}

/// A text, a truth value, or a list of those.
#[derive(Debug, Deserialize)]
#[serde(from = "OneOrMany")]
struct Texts(Vec<String>);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Item),
    Many(Vec<Item>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Item {
    Flag(bool),
    Text(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, BTreeMap<String, Texts>>")]
struct Conditions(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    quantity: Option<Quantity>,
    test: Test,
    /// In small letters: AWS does not tell them apart in the names of condition keys.
    key: String,
    expected: Vec<String>,
}

/// How many of a key's values must pass the test.
#[derive(Clone, Copy, Debug)]
enum Quantity {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    StringEquals,
    StringNotEquals,
    StringLike,
    Bool,
    Null,
}

impl Policy {
    /// Read a policy. Errors: it has something that the simulator does not know.
    pub(super) fn read(policy: &Value) -> anyhow::Result<Self> {
        Self::deserialize(policy).context("the key policy")
    }

    /// What the policy of the key with that ARN says.
    pub(super) fn verdict(&self, key_arn: &str, access: &Access<'_>) -> Verdict {
        let says = |effect| {
            self.statement
                .iter()
                .any(|statement| statement.effect == effect && statement.fits(key_arn, access))
        };
        match (says(Effect::Deny), says(Effect::Allow)) {
            (true, _) => Verdict::Denied,
            (false, true) => Verdict::Allowed,
            (false, false) => Verdict::NotAllowed,
        }
    }
}

impl Statement {
    fn fits(&self, key_arn: &str, access: &Access<'_>) -> bool {
        let action = format!("kms:{}", access.operation).to_lowercase();
        self.principal.fits(access)
            && self
                .action
                .0
                .iter()
                .any(|pattern| like(&pattern.to_lowercase(), &action))
            && self.resource.0.iter().any(|pattern| like(pattern, key_arn))
            && self.condition.0.iter().all(|condition| condition.holds(access))
    }
}

impl Principal {
    fn fits(&self, access: &Access<'_>) -> bool {
        let root = format!(":iam::{}:root", access.account);
        let fits =
            |name: &String| name == "*" || name == access.account || name == access.principal || name.ends_with(&root);
        match self {
            Self::Anyone(name) => name == "*",
            Self::Named(names) => names.get("AWS").is_some_and(|names| names.0.iter().any(fits)),
        }
    }
}

impl Condition {
    fn holds(&self, access: &Access<'_>) -> bool {
        let given = access.values(&self.key);
        match (self.test, self.quantity) {
            (Test::Null, _) => self.expected.contains(&given.is_empty().to_string()),
            (_, Some(Quantity::All)) => given.iter().all(|value| self.passes(value)),
            (Test::StringNotEquals, None) if given.is_empty() => true,
            (_, None | Some(Quantity::Any)) => given.iter().any(|value| self.passes(value)),
        }
    }

    fn passes(&self, given: &str) -> bool {
        match self.test {
            Test::StringEquals | Test::Bool => self.expected.iter().any(|text| text == given),
            Test::StringNotEquals => self.expected.iter().all(|text| text != given),
            Test::StringLike => self.expected.iter().any(|pattern| like(pattern, given)),
            Test::Null => false,
        }
    }
}

/// Before the key of the encryption context in a condition key.
const CONTEXT: &str = "kms:encryptioncontext:";
/// The condition keys that have a value in each access, or may have one; the others begin with [`CONTEXT`].
const KEYS: [&str; 6] = [
    "kms:encryptioncontextkeys",
    "kms:viaservice",
    "kms:calleraccount",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:viaawsservice",
];

impl Access<'_> {
    /// The values of a condition key; none if the access does not have it.
    fn values(&self, key: &str) -> Vec<&str> {
        if let Some(wanted) = key.strip_prefix(CONTEXT) {
            let pairs = self.context.iter().filter(|(key, _)| key.to_lowercase() == wanted);
            return pairs.map(|(_, value)| value.as_str()).collect();
        }
        match key {
            "kms:encryptioncontextkeys" => self.context.keys().map(String::as_str).collect(),
            "kms:viaservice" => self.via.into_iter().collect(),
            "kms:calleraccount" | "aws:principalaccount" => vec![self.account],
            "aws:principalarn" => vec![self.principal],
            "aws:viaawsservice" => vec![if self.via.is_some() { "true" } else { "false" }],
            _ => Vec::new(),
        }
    }
}

impl From<OneOrMany> for Texts {
    fn from(given: OneOrMany) -> Self {
        let items = match given {
            OneOrMany::One(item) => vec![item],
            OneOrMany::Many(items) => items,
        };
        let text = |item| match item {
            Item::Flag(flag) => flag.to_string(),
            Item::Text(text) => text,
        };
        Self(items.into_iter().map(text).collect())
    }
}

impl TryFrom<BTreeMap<String, BTreeMap<String, Texts>>> for Conditions {
    type Error = String;

    fn try_from(given: BTreeMap<String, BTreeMap<String, Texts>>) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for (operator, keys) in given {
            let (quantity, test) = operator_of(&operator).ok_or_else(|| format!("unknown operator: {operator}"))?;
            for (key, Texts(expected)) in keys {
                let lower = key.to_lowercase();
                if !lower.starts_with(CONTEXT) && !KEYS.contains(&&*lower) {
                    return Err(format!("unknown condition key: {key}"));
                }
                conditions.push(Condition {
                    quantity,
                    test,
                    key: lower,
                    expected,
                });
            }
        }
        Ok(Self(conditions))
    }
}

fn operator_of(operator: &str) -> Option<(Option<Quantity>, Test)> {
    let (quantity, test) = match operator.split_once(':') {
        Some(("ForAllValues", test)) => (Some(Quantity::All), test),
        Some(("ForAnyValue", test)) => (Some(Quantity::Any), test),
        Some(_) => return None,
        None => (None, operator),
    };
    let test = match test {
        "StringEquals" => Test::StringEquals,
        "StringNotEquals" => Test::StringNotEquals,
        "StringLike" => Test::StringLike,
        "Bool" => Test::Bool,
        "Null" => Test::Null,
        _ => return None,
    };
    Some((quantity, test))
}

/// Whether a text is of a pattern: `*` stands for any text, `?` for one character.
fn like(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    if first == '*' {
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        return ends.into_iter().any(|at| like(rest, &text[at..]));
    }
    let next = text.chars().next().filter(|given| first == '?' || *given == first);
    next.is_some_and(|given| like(rest, &text[given.len_utf8()..]))
}
