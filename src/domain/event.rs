//! Kubernetes Events.

/// The content of an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it is of type Warning: somebody should have a look.
    pub warning: bool,
    /// The reason, in CamelCase. Events of one object with the same reason are counted as one.
    pub reason: String,
    /// The message.
    pub note: String,
}
