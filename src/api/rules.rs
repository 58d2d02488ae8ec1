//! Rules that are generated or used more than once.

use std::collections::BTreeSet;

use kube::core::{Reason, Rule};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::common::JobControls;

/// The language is to be identified, about a spec.
pub(super) const IDENTIFIES: &str = "((has(self.identifyLanguage) && self.identifyLanguage) || \
    (has(self.identifyMultipleLanguages) && self.identifyMultipleLanguages))";

/// The rule at the root of a kind: once `status.submission` exists nothing of the spec changes but the
/// [mutable controls](JobControls::MUTABLE).
///
/// It is made from the spec's schema, so that a new member is frozen by default, and a transition rule, so that it never
/// holds a stored object against its own past. Each member is compared under `has()` on both sides: adding and removing
/// one are changes too.
pub(super) fn frozen_once_submitted<Spec: JsonSchema>() -> Rule {
    let schema = schema_for!(Spec);
    // Sorted: whether a map of JSON keeps its order depends on the features of a build.
    let members: BTreeSet<&String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|members| members.keys())
        .collect();
    let unchanged: Vec<String> = members
        .into_iter()
        .filter(|member| !JobControls::MUTABLE.contains(&member.as_str()))
        .map(|m| {
            format!(
                "has(self.spec.{m}) == has(oldSelf.spec.{m}) && (!has(self.spec.{m}) || self.spec.{m} == oldSelf.spec.{m})"
            )
        })
        .collect();
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.submission) || ({})",
        unchanged.join(" && ")
    ))
    .message(
        "the job is submitted, so its request, transcriptionClassName and deletionPolicy can no longer change; \
         create a new object for the changed job",
    )
    .field_path(".spec")
    .reason(Reason::FieldValueForbidden)
}
