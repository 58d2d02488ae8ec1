//! Rules: which requests, when, and what happens to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use regex::Regex;
use tokio::sync::watch;

use super::answers;
use super::seen::{Class, Seen};

/// What happens to a request that a rule picks.
#[derive(Clone)]
pub enum Fault {
    /// The connection is closed without an answer.
    Drop,
    /// Everything waits this long.
    Delay(Duration),
    /// The request is sent twice, one after the other; the caller gets the second answer.
    Duplicate,
    /// This status, with a body such as Kubernetes or AWS would send, whichever is spoken.
    Status(u16),
    /// An error of AWS: status, code, message.
    AwsError(u16, String, String),
    /// This very answer.
    Answer(Response<Bytes>),
    /// The request takes effect; of the answer's body only the first half comes, then the connection breaks.
    HalfAnswer,
    /// No answer, ever; the connection stays open.
    BlackHole,
    /// The bytes of answers, those of open watches too, stop coming; the connection stays open. Ends with the rule.
    Freeze,
    /// The callback runs, for example [`crate::operator::Operator::killer`]; then as [`Fault::Drop`].
    Kill(Arc<dyn Fn() + Send + Sync>),
    /// Waits until the test releases it.
    Hold(Gate),
}

impl Fault {
    /// A [`Fault::Kill`] with this callback.
    pub fn kill(callback: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Kill(Arc::new(callback))
    }

    /// One word, for records and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Delay(_) => "delay",
            Self::Duplicate => "duplicate",
            Self::Status(_) => "status",
            Self::AwsError(..) => "aws error",
            Self::Answer(_) => "answer",
            Self::HalfAnswer => "half answer",
            Self::BlackHole => "black hole",
            Self::Freeze => "freeze",
            Self::Kill(_) => "kill",
            Self::Hold(_) => "hold",
        }
    }

    /// The answer that the fault itself gives.
    pub(super) fn answer(&self, seen: &Seen) -> Option<Response<Bytes>> {
        match self {
            Self::Status(status) => Some(answers::status(*status, seen)),
            Self::AwsError(status, code, message) => Some(answers::aws(*status, code, message)),
            Self::Answer(answer) => Some(answer.clone()),
            Self::Drop
            | Self::Delay(_)
            | Self::Duplicate
            | Self::HalfAnswer
            | Self::BlackHole
            | Self::Freeze
            | Self::Kill(_)
            | Self::Hold(_) => None,
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A gate that requests wait at.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    pub(super) fn open(&self) {
        self.open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        // The sender lives as long as this gate does, so waiting can only end by opening.
        self.open.subscribe().wait_for(|open| *open).await.ok();
    }
}

/// On which of the requests that match.
#[derive(Clone, Copy, Debug)]
enum Turns {
    All,
    Nth(usize),
    First(usize),
}

/// Whether the fault strikes before the request reaches upstream, or once upstream has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// Which requests a fault strikes. A rule without conditions picks every request; conditions add up.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) fault: Fault,
    pub(super) when: When,
    turns: Turns,
    method: Option<Method>,
    path: Option<Regex>,
    query: Option<String>,
    operation: Option<String>,
    body: Option<String>,
    classes: Vec<Class>,
}

impl Rule {
    /// The fault strikes every request, before it is forwarded.
    pub fn new(fault: Fault) -> Self {
        let (turns, when) = (Turns::All, When::Before);
        Self {
            fault,
            when,
            turns,
            method: None,
            path: None,
            query: None,
            operation: None,
            body: None,
            classes: Vec::new(),
        }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only requests whose path (without query) this regular expression finds.
    ///
    /// # Panics
    /// When it is not a regular expression: the test is wrong then.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in the test that uses it")]
    pub fn path(mut self, regex: &str) -> Self {
        self.path = Some(Regex::new(regex).expect("a regular expression"));
        self
    }

    /// Only requests whose query contains this text.
    #[must_use]
    pub fn query(mut self, text: &str) -> Self {
        self.query = Some(text.to_owned());
        self
    }

    /// Only this AWS operation: `StartTranscriptionJob`.
    #[must_use]
    pub fn operation(mut self, name: &str) -> Self {
        self.operation = Some(name.to_owned());
        self
    }

    /// Only requests whose body contains this text, such as the name of a job.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        self.body = Some(text.to_owned());
        self
    }

    /// Only requests of these classes.
    #[must_use]
    pub fn classes(mut self, classes: &[Class]) -> Self {
        self.classes = classes.to_vec();
        self
    }

    /// Only the n-th request that matches, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: usize) -> Self {
        self.turns = Turns::Nth(n);
        self
    }

    /// Only the first `n` requests that match.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.turns = Turns::First(n);
        self
    }

    /// The request is forwarded first and takes effect; the fault strikes the answer.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.when = When::After;
        self
    }

    /// The same requests, another fault.
    pub(super) fn with(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    pub(super) fn matches(&self, seen: &Seen) -> bool {
        self.method.as_ref().is_none_or(|method| *method == seen.method)
            && self.path.as_ref().is_none_or(|path| path.is_match(&seen.path))
            && self.query.as_ref().is_none_or(|text| seen.query.contains(text))
            && self
                .operation
                .as_ref()
                .is_none_or(|name| seen.operation.as_ref() == Some(name))
            && self.body.as_ref().is_none_or(|text| contains(&seen.body, text))
            && (self.classes.is_empty() || self.classes.contains(&seen.class))
    }

    /// Whether it strikes the request that is the `count`-th to match.
    pub(super) fn strikes(&self, count: usize) -> bool {
        match self.turns {
            Turns::All => true,
            Turns::Nth(n) => count == n,
            Turns::First(n) => count <= n,
        }
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes())
}
