//! CEL rules that are generated or used more than once.

use std::collections::BTreeSet;

use kube::core::{Reason, Rule};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::api::common::JobControls;

/// CEL about a spec: whether the language is to be identified.
pub(super) const IDENTIFIES: &str = "((has(self.identifyLanguage) && self.identifyLanguage) || \
    (has(self.identifyMultipleLanguages) && self.identifyMultipleLanguages))";

/// For settings with both members: telling speakers apart needs their maximum number, and the other way round.
pub(super) fn speakers() -> Rule {
    Rule::new("has(self.maxSpeakerLabels) == (has(self.showSpeakerLabels) && self.showSpeakerLabels)")
        .message("showSpeakerLabels: true and maxSpeakerLabels need each other: set both, or neither")
        .field_path(".maxSpeakerLabels")
}

/// For settings with both members: showing alternatives needs their maximum number, and the other way round.
pub(super) fn alternatives() -> Rule {
    Rule::new("has(self.maxAlternatives) == (has(self.showAlternatives) && self.showAlternatives)")
        .message("showAlternatives: true and maxAlternatives need each other: set both, or neither")
        .field_path(".maxAlternatives")
}

/// For settings with a vocabulary filter: the filter needs a method.
pub(super) fn filter_method() -> Rule {
    Rule::new("!has(self.vocabularyFilterName) || has(self.vocabularyFilterMethod)")
        .message("vocabularyFilterName needs vocabularyFilterMethod: set it to remove, mask or tag")
        .field_path(".vocabularyFilterMethod")
}

/// At least two languages, because the documentation of LanguageOptions asks for two, although its shape allows one.
pub(super) fn two_languages() -> Rule {
    Rule::new("!has(self.languageOptions) || self.languageOptions.size() >= 2").field_path(".languageOptions")
}

/// No media whose audio is redacted already, because only call analytics takes them.
pub(super) fn plain_media() -> Rule {
    Rule::new("has(self.media.mediaFileUri) && !has(self.media.redactedMediaFileUri)")
        .message(
            "this kind of job needs mediaFileUri and takes no redactedMediaFileUri (only call analytics does): \
             put the file's URI into mediaFileUri",
        )
        .field_path(".media")
}

/// For a list of two channel definitions: they are about different channels.
pub(super) fn two_channels() -> Rule {
    Rule::new(
        "self.size() == 2 && self.exists(c, has(c.channelId) && c.channelId == 0) && \
               self.exists(c, has(c.channelId) && c.channelId == 1)",
    )
    .message("the two definitions must be of different channels: channelId: 0 in one and channelId: 1 in the other")
}

/// For a list of two channel definitions: nobody speaks on both.
pub(super) fn two_roles(roles: &str) -> Rule {
    Rule::new(
        "self.all(c, !has(c.participantRole) || self.filter(o, has(o.participantRole) && \
               o.participantRole == c.participantRole).size() == 1)",
    )
    .message(format!("the two channels must have different participantRoles: {roles}").as_str())
}

/// The rule at the root of a kind: once `status.submission` exists, nothing in the spec may change but the
/// [mutable controls](JobControls::MUTABLE).
///
/// It is generated from the schema of the spec, so that a new member is immutable by default. It is a transition rule,
/// so that it only ever rejects a change, never a stored object as such. Each member is compared under `has()` on both
/// sides, because adding or removing a member is a change too.
pub(super) fn frozen_once_submitted<Spec: JsonSchema>() -> Rule {
    let schema = schema_for!(Spec);
    // Sorted, because whether a JSON map keeps its order depends on the Cargo features of a build.
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
