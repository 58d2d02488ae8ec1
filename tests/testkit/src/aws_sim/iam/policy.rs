//! Policy documents: what they may say, and which statements fit a request.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::condition::{self, Condition};
use super::facts::Facts;
use super::pattern::Pattern;
use super::principal::Principal;
use super::wish::Wish;

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A user, a role or a session: it says what they may do.
    Identity,
    /// A key or a bucket: it says who may do what with it.
    Resource,
    /// A role: it says who may assume it.
    Trust,
}

/// How a policy allows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// It names the account, whose identity policies then decide.
    Account,
    /// It names who asks, or anyone.
    Direct,
}

/// A policy that can be evaluated in full.
#[derive(Clone, Debug)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    denies: bool,
    /// Absent in an identity policy.
    principals: Option<Vec<Named>>,
    actions: Choice,
    /// Absent in a trust policy.
    resources: Option<Choice>,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug)]
struct Choice {
    except: bool,
    patterns: Vec<Pattern>,
}

/// A principal as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Anyone,
    Account(String),
    Arn(String),
    Service(String),
    /// The ARN of an OIDC provider.
    Federated(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: Statements,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Statements {
    Many(Vec<Value>),
    One(Value),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Option<WrittenPrincipal>,
    action: Option<Texts>,
    not_action: Option<Texts>,
    resource: Option<Texts>,
    not_resource: Option<Texts>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Texts>>,
}

#[derive(PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenPrincipal {
    Anyone(String),
    Named(BTreeMap<String, Texts>),
}

/// A text, a truth value, or a list of those.
#[derive(Debug, Deserialize)]
#[serde(from = "OneOrMany")]
pub(crate) struct Texts(pub(crate) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Item),
    Many(Vec<Item>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Flag(bool),
    Text(String),
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

impl Policy {
    /// Read a policy. Errors: AWS would not take it, or it has something that the simulator does not know.
    pub(crate) fn read(sort: Sort, policy: &Value) -> anyhow::Result<Self> {
        let document = Document::deserialize(policy).with_context(|| format!("the policy {policy}"))?;
        let version = document.version.as_deref().unwrap_or("2008-10-17");
        let known = ["2008-10-17", "2012-10-17"].contains(&version);
        ensure!(known, "unknown version of a policy: {version}");
        let statements = match document.statement {
            Statements::Many(statements) => statements,
            Statements::One(statement) => vec![statement],
        };
        let read = |value: &Value| {
            let read = Statement::read(sort, value, version == "2012-10-17");
            read.with_context(|| format!("the statement {value}"))
        };
        Ok(Self(statements.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Whether a statement denies the wish, whatever others allow.
    pub(crate) fn denies(&self, wish: &Wish<'_>) -> bool {
        let mut denials = self.0.iter().filter(|statement| statement.denies);
        denials.any(|statement| statement.grant(wish).is_some())
    }

    /// How the policy allows the wish, if it does.
    pub(crate) fn allows(&self, wish: &Wish<'_>) -> Option<Grant> {
        let allowances = self.0.iter().filter(|statement| !statement.denies);
        allowances.filter_map(|statement| statement.grant(wish)).max()
    }
}

impl Statement {
    fn read(sort: Sort, value: &Value, variables: bool) -> anyhow::Result<Self> {
        let Written {
            _sid,
            effect,
            principal,
            action,
            not_action,
            resource,
            not_resource,
            condition,
        } = Written::deserialize(value)?;
        let principals = principal.map(Named::all).transpose()?;
        ensure!(
            principals.is_some() == (sort != Sort::Identity),
            "a Principal belongs into the policies of resources and of trust, and only there"
        );
        let actions = (checked_actions(sort, action)?, checked_actions(sort, not_action)?);
        let actions = Choice::read(actions.0, actions.1, false)?.context("no Action")?;
        let resources = Choice::read(resource, not_resource, variables)?;
        ensure!(
            resources.is_some() == (sort != Sort::Trust),
            "every policy but one of trust has a Resource"
        );
        Ok(Self {
            denies: effect == Effect::Deny,
            principals,
            actions,
            resources,
            conditions: condition::read(&condition, variables).map_err(anyhow::Error::msg)?,
        })
    }

    /// Whether it fits a wish, and how. One of an identity is of whom it is attached to.
    fn grant(&self, wish: &Wish<'_>) -> Option<Grant> {
        let grant = match &self.principals {
            None => Grant::Direct,
            Some(named) => named.iter().filter_map(|name| name.fits(wish.principal)).max()?,
        };
        let resources = self.resources.as_ref();
        let fits = self.actions.fits(&wish.action.to_lowercase(), &wish.facts)
            && resources.is_none_or(|resources| resources.fits(&wish.resource, &wish.facts))
            && self.conditions.iter().all(|condition| condition.holds(&wish.facts));
        fits.then_some(grant)
    }
}

/// Actions in small letters, which AWS does not tell from capital ones there. Those of any service are taken; whether the
/// service has them is not known here.
fn checked_actions(sort: Sort, actions: Option<Texts>) -> anyhow::Result<Option<Texts>> {
    let Some(Texts(actions)) = actions else {
        return Ok(None);
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"*?".contains(&byte);
    for action in &actions {
        let (service, name) = action.split_once(':').unwrap_or_default();
        let of_service = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let parts = [
            (service.bytes().all(of_service), service),
            (name.bytes().all(letter), name),
        ];
        let formed = parts.iter().all(|(good, part)| *good && !part.is_empty());
        ensure!(formed || action == "*", "not an action: {action}");
        ensure!(
            sort != Sort::Trust || service == "sts",
            "AssumeRole policy may only specify STS AssumeRole actions: {action}"
        );
    }
    Ok(Some(Texts(
        actions.iter().map(|action| action.to_lowercase()).collect(),
    )))
}

impl Choice {
    /// Of a member and its opposite at most one can be there.
    fn read(these: Option<Texts>, all_but: Option<Texts>, variables: bool) -> anyhow::Result<Option<Self>> {
        let (Texts(texts), except) = match (these, all_but) {
            (Some(texts), None) => (texts, false),
            (None, Some(texts)) => (texts, true),
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => anyhow::bail!("a member and its opposite"),
        };
        let patterns = texts.iter().map(|text| Pattern::read(text, variables));
        let patterns = patterns.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
        Ok(Some(Self { except, patterns }))
    }

    fn fits(&self, text: &str, facts: &Facts) -> bool {
        self.patterns.iter().any(|pattern| pattern.like(text, facts)) != self.except
    }
}

impl Named {
    fn all(written: WrittenPrincipal) -> anyhow::Result<Vec<Self>> {
        let names = match written {
            WrittenPrincipal::Anyone(name) if name == "*" => return Ok(vec![Self::Anyone]),
            WrittenPrincipal::Anyone(name) => anyhow::bail!("Invalid principal in policy: {name}"),
            WrittenPrincipal::Named(names) => names,
        };
        let mut all = Vec::new();
        for (kind, Texts(names)) in names {
            for name in names {
                all.push(Self::read(&kind, &name).with_context(|| format!("Invalid principal in policy: {name}"))?);
            }
        }
        Ok(all)
    }

    /// Wildcards within a principal are not possible in AWS either.
    fn read(kind: &str, name: &str) -> Option<Self> {
        let digits = |account: &str| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        match kind {
            "Service" if name.ends_with(".amazonaws.com") => return Some(Self::Service(name.to_owned())),
            "AWS" if name == "*" => return Some(Self::Anyone),
            "AWS" if digits(name) => return Some(Self::Account(name.to_owned())),
            "AWS" | "Federated" if !name.contains(['*', '?', '$']) => {}
            _ => return None,
        }
        let parts: Vec<_> = name.splitn(6, ':').collect();
        let ["arn", _, service, "", account, resource] = parts[..] else {
            return None;
        };
        match (service, resource.split_once('/')) {
            _ if !digits(account) => None,
            ("iam", Some(("oidc-provider", _))) if kind == "Federated" => Some(Self::Federated(name.to_owned())),
            _ if kind == "Federated" => None,
            ("iam", None) if resource == "root" => Some(Self::Account(account.to_owned())),
            ("iam", Some(("user" | "role", _))) | ("sts", Some(("assumed-role", _))) => {
                Some(Self::Arn(name.to_owned()))
            }
            _ => None,
        }
    }

    fn fits(&self, principal: &Principal) -> Option<Grant> {
        match self {
            Self::Anyone => Some(Grant::Direct),
            Self::Account(account) => {
                (!principal.is_outsider() && *account == principal.account).then_some(Grant::Account)
            }
            Self::Arn(arn) => [&principal.arn, &principal.entity]
                .contains(&arn)
                .then_some(Grant::Direct),
            Self::Service(name) | Self::Federated(name) => {
                (principal.is_outsider() && *name == principal.arn).then_some(Grant::Direct)
            }
        }
    }
}
