//! Merges the findings of the schema and of the operator on one object.

use crate::{api::Violation, cli::check::schema::Breach};

/// Whether an object would be admitted, and what its author should know.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Why it is denied, one entry for each error. If empty, it is allowed.
    pub violations: Vec<Violation>,
    /// Warnings, including those about what could not be judged.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// A denial with a single error.
    pub(super) fn denied(field: &str, message: impl Into<String>) -> Self {
        Self {
            violations: vec![Violation::new(field, message)],
            warnings: Vec::new(),
        }
    }

    /// All errors in one line. `None`: the object is allowed.
    pub(super) fn message(&self) -> Option<String> {
        let faults: Vec<_> = self.violations.iter().map(ToString::to_string).collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

/// Merges the errors of the schema with those of the operator. If both have an error on the same field, only the more
/// helpful one is kept.
pub(super) fn merge(broken: Vec<Breach>, verdict: Verdict) -> Verdict {
    let Verdict { violations, warnings } = verdict;
    let about = |field: &str| violations.iter().any(|violation| violation.field == field);
    let (vague, plain): (Vec<_>, Vec<_>) = broken.into_iter().partition(|breach| breach.vague);
    let kept = vague.into_iter().filter(|breach| !about(&breach.field));
    let of_schema: Vec<_> = plain
        .into_iter()
        .chain(kept)
        .map(|breach| Violation::new(breach.field, breach.message))
        .collect();
    let of_operator = violations.iter().filter(|violation| {
        let same = |breach: &Violation| breach.field == violation.field;
        !of_schema.iter().any(same)
    });
    Verdict {
        violations: of_schema.iter().chain(of_operator).cloned().collect(),
        warnings,
    }
}
