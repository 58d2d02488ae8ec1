//! What a layer says to a case.

use std::fmt;

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
    /// The layer lacks what it would take to judge, or never gets to see such an object: it lets it pass.
    NotJudged,
}

impl Verdict {
    /// Whether an answer is as expected.
    pub fn is_met_by(&self, answer: &Self) -> bool {
        match self {
            Self::NotJudged => matches!(answer, Self::Allow | Self::NotJudged),
            Self::Allow | Self::Deny(_) => self == answer,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.pad("allow"),
            Self::Deny(field) => f.pad(&format!(
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
        self.0.iter().any(|verdict| matches!(verdict, Verdict::Deny(_)))
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
