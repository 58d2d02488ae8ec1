//! The conditions of a statement.

use std::collections::BTreeMap;

use super::facts::{Facts, is_known};
use super::pattern::Pattern;
use super::policy::Texts;

/// One condition: an operator, a key and the values that are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    operator: Operator,
    /// In small letters.
    key: String,
    wanted: Vec<Pattern>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operator {
    quantity: Option<Quantity>,
    test: Test,
    /// `Not`: passes where the test does not.
    negated: bool,
    /// `IfExists`: holds where the request does not have the key.
    if_exists: bool,
}

/// How many of a key's values must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Null,
}

/// Read the conditions of a statement. Errors: an operator or a key that the simulator does not know.
pub(crate) fn read(
    given: &BTreeMap<String, BTreeMap<String, Texts>>,
    variables: bool,
) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for (name, keys) in given {
        let operator = Operator::read(name).ok_or_else(|| format!("unknown operator: {name}"))?;
        for (key, Texts(wanted)) in keys {
            if !is_known(key) {
                return Err(format!("unknown condition key: {key}"));
            }
            let flag = |text: &String| text == "true" || text == "false";
            if matches!(operator.test, Test::Bool | Test::Null) && !wanted.iter().all(flag) {
                return Err(format!("{name} of {key} is neither true nor false"));
            }
            let wanted = wanted.iter().map(|text| Pattern::read(text, variables));
            conditions.push(Condition {
                operator,
                key: key.to_lowercase(),
                wanted: wanted.collect::<Result<_, _>>()?,
            });
        }
    }
    Ok(conditions)
}

impl Condition {
    /// Whether it holds for a request with these facts. A key that the request does not have passes no test, so that
    /// only the negated ones hold; of many values one is enough, unless all are asked for.
    pub(crate) fn holds(&self, facts: &Facts) -> bool {
        let given = facts.of(&self.key);
        let Operator {
            quantity,
            test,
            negated,
            if_exists,
        } = self.operator;
        if test == Test::Null {
            let absent = given.is_empty().to_string();
            return self.wanted.iter().any(|wanted| wanted.equals(&absent, facts));
        }
        let passes = |value: &String| self.wanted.iter().any(|wanted| test.passes(wanted, value, facts)) != negated;
        match quantity {
            _ if given.is_empty() && if_exists => true,
            Some(Quantity::All) => given.iter().all(passes),
            None if given.is_empty() => negated,
            None | Some(Quantity::Any) => given.iter().any(passes),
        }
    }
}

impl Test {
    fn passes(self, wanted: &Pattern, value: &str, facts: &Facts) -> bool {
        match self {
            Self::Equals | Self::Bool => wanted.equals(value, facts),
            Self::EqualsIgnoreCase => wanted.equals_ignoring_case(value, facts),
            Self::Like => wanted.like(value, facts),
            Self::Arn => wanted.like_arn(value, facts),
            Self::Null => false,
        }
    }
}

impl Operator {
    fn read(name: &str) -> Option<Self> {
        let (quantity, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantity::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantity::Any), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (test, negated) = match rest {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            "Null" if quantity.is_none() && !if_exists => (Test::Null, false),
            _ => return None,
        };
        Some(Self {
            quantity,
            test,
            negated,
            if_exists,
        })
    }
}
