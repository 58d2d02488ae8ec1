//! Rules that are generated or used more than once.

use std::collections::BTreeSet;

use kube::core::{Reason, Rule};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::common::JobControls;

/// The language is to be identified, about a spec.
pub(super) const IDENTIFIES: &str = "((has(self.identifyLanguage) && self.identifyLanguage) || \
    (has(self.identifyMultipleLanguages) && self.identifyMultipleLanguages))";

/// Speakers are told apart up to a number, in any settings that have both members.
pub(super) fn speakers() -> Rule {
    Rule::new("has(self.maxSpeakerLabels) == (has(self.showSpeakerLabels) && self.showSpeakerLabels)")
        .message("showSpeakerLabels: true and maxSpeakerLabels need each other: set both, or neither")
        .field_path(".maxSpeakerLabels")
}

/// Alternatives are shown up to a number, in any settings that have both members.
pub(super) fn alternatives() -> Rule {
    Rule::new("has(self.maxAlternatives) == (has(self.showAlternatives) && self.showAlternatives)")
        .message("showAlternatives: true and maxAlternatives need each other: set both, or neither")
        .field_path(".maxAlternatives")
}

/// A vocabulary filter does something, in any settings that have one.
pub(super) fn filter_method() -> Rule {
    Rule::new("!has(self.vocabularyFilterName) || has(self.vocabularyFilterMethod)")
        .message("vocabularyFilterName needs vocabularyFilterMethod: set it to remove, mask or tag")
        .field_path(".vocabularyFilterMethod")
}

/// The documentation of LanguageOptions asks for two, its shape for one.
pub(super) fn two_languages() -> Rule {
    Rule::new("!has(self.languageOptions) || self.languageOptions.size() >= 2").field_path(".languageOptions")
}

/// Only call analytics takes media whose audio is redacted already.
pub(super) fn plain_media() -> Rule {
    Rule::new("has(self.media.mediaFileUri) && !has(self.media.redactedMediaFileUri)")
        .message(
            "this kind of job needs mediaFileUri and takes no redactedMediaFileUri (only call analytics does): \
             put the file's URI into mediaFileUri",
        )
        .field_path(".media")
}

/// About a list of two channel definitions.
pub(super) fn two_channels() -> Rule {
    Rule::new(
        "self.size() == 2 && self.exists(c, has(c.channelId) && c.channelId == 0) && \
               self.exists(c, has(c.channelId) && c.channelId == 1)",
    )
    .message("the two definitions must be of different channels: channelId: 0 in one and channelId: 1 in the other")
}

/// About a list of two channel definitions: nobody speaks on both.
pub(super) fn two_roles(roles: &str) -> Rule {
    Rule::new(
        "self.all(c, !has(c.participantRole) || self.filter(o, has(o.participantRole) && \
               o.participantRole == c.participantRole).size() == 1)",
    )
    .message(format!("the two channels must have different participantRoles: {roles}").as_str())
}

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
