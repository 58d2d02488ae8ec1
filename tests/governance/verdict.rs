//! What a layer says to a case.

use std::fmt;

use transcribe_operator::api::Kind;

use crate::cases::CONTEXT;

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Schema and CEL, in the real API server.
    ApiServer,
    /// The webhook, asked directly.
    Webhook,
    /// `check` that was told the Region, the account and the output bucket.
    Check,
    /// `check` that was told nothing.
    CheckAlone,
    /// What the reconciler does with a stored spec: parse it and bind it to the class.
    Parser,
}

impl Layer {
    pub const ALL: [Self; 5] = [
        Self::ApiServer,
        Self::Webhook,
        Self::Check,
        Self::CheckAlone,
        Self::Parser,
    ];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ApiServer => "api server",
            Self::Webhook => "webhook",
            Self::Check => "check",
            Self::CheckAlone => "check alone",
            Self::Parser => "reconciler",
        })
    }
}

/// The answer of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    /// Denied, naming this field and no other.
    Deny(String),
    /// Denied, naming nothing but this field or what is in it. Only expected, never answered.
    DenyWithin(String),
    /// The layer lacks what it would take to judge, or never gets to see such an object: it lets it pass.
    NotJudged,
}

impl Verdict {
    /// Whether an answer is as expected.
    pub fn is_met_by(&self, answer: &Self) -> bool {
        match self {
            Self::NotJudged => matches!(answer, Self::Allow | Self::NotJudged),
            Self::Allow | Self::Deny(_) => self == answer,
            Self::DenyWithin(field) => match answer {
                Self::Deny(named) => named.split(" and ").all(|named| is_within(field, named)),
                Self::Allow | Self::DenyWithin(_) | Self::NotJudged => false,
            },
        }
    }

    /// A denial that this layer is expected to make.
    pub fn denies(&self) -> bool {
        matches!(self, Self::Deny(_) | Self::DenyWithin(_))
    }
}

fn is_within(field: &str, named: &str) -> bool {
    named
        .strip_prefix(field)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.pad("allow"),
            Self::Deny(field) | Self::DenyWithin(field) => f.pad(&format!(
                "deny {}",
                field.strip_prefix("spec.encryption.").unwrap_or(field)
            )),
            Self::NotJudged => f.pad("-"),
        }
    }
}

/// What each layer is to say, in the order of [`Layer::ALL`].
#[derive(Clone, Debug)]
pub struct Expected([Verdict; 5]);

impl Expected {
    pub fn of(&self, layer: Layer) -> &Verdict {
        &self.0[layer as usize]
    }

    pub fn denied_somewhere(&self) -> bool {
        self.0.iter().any(Verdict::denies)
    }

    /// The same for a kind: where AWS takes no context, the schema refuses any, whatever else is right or wrong with it.
    pub fn for_kind(&self, kind: Kind, has_context: bool) -> Self {
        if kind == Kind::CallAnalyticsJob && has_context {
            Self([(); 5].map(|()| Verdict::DenyWithin(CONTEXT.to_owned())))
        } else {
            self.clone()
        }
    }
}

/// Every layer allows it.
pub fn fine() -> Expected {
    Expected([const { Verdict::Allow }; 5])
}

/// Every layer denies it: the schema can tell.
pub fn everywhere_denied(field: &str) -> Expected {
    Expected([(); 5].map(|()| Verdict::Deny(field.to_owned())))
}

/// No class can make it right, but the schema cannot tell: all but the API server deny it.
pub fn from_bind(field: &str) -> Expected {
    let deny = || Verdict::Deny(field.to_owned());
    Expected([Verdict::Allow, deny(), deny(), deny(), deny()])
}

/// Wrong for the Region or the account of the class, and right for another: only who knows them denies it.
pub fn only_live(field: &str) -> Expected {
    let deny = || Verdict::Deny(field.to_owned());
    Expected([Verdict::Allow, deny(), deny(), Verdict::NotJudged, deny()])
}

/// The API server, asked to be strict, and `check` deny it; nobody else sees what the schema does not know.
pub fn before_storage(field: &str) -> Expected {
    let deny = || Verdict::Deny(field.to_owned());
    Expected([deny(), Verdict::NotJudged, deny(), deny(), Verdict::NotJudged])
}
