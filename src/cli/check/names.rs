//! Names that several modules use.

/// The kind of a class.
pub(super) const CLASS: &str = "TranscriptionClass";
/// The namespace of an object that names none.
pub(super) const DEFAULT_NAMESPACE: &str = "default";
