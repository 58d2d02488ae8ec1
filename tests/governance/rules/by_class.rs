//! The rows about what only a class can say.

use serde_json::{Value, json};

use super::classes::{kms, role};
use super::row::{A, Group, NA, Row, key};
use crate::cases::{CONTEXT, KEY};

const BUCKET: &str = "spec.outputBucketName";
const MEDIA: &str = "spec.media.mediaFileUri";

/// Everybody who knows the class denies; the schema cannot tell.
const D: &str = "-DDD";
/// Only who knows the cluster denies.
const L: &str = "-DD-";
/// Call analytics takes no context, whatever the class says.
const NONE: &str = "DDDD@spec.encryption.context:StartCallAnalyticsJob has no parameter";
/// Nor does it where the class asks for one.
const ASKS: &str = "-DDD@spec.encryption:kindsWithoutContext";

/// Only call analytics takes redacted media.
const PLAIN: &str = "DDDD@spec.media:takes no redactedMediaFileUri";

fn row(
    name: &'static str,
    class: &str,
    change: Value,
    cells: [&'static str; 4],
    field: &'static str,
    says: &'static str,
) -> Row {
    Row::new(Group::Class, name, change, cells, field, says).by(class)
}

fn media(uri: &str) -> Value {
    json!({"media": {"mediaFileUri": uri}})
}

fn context(context: Value) -> Value {
    json!({"encryption": {"context": context}})
}

fn many(count: usize) -> Value {
    (0..count).map(|n| (format!("k{n:02}"), json!("v"))).collect()
}

/// The request with what the class adds.
#[rustfmt::skip]
pub fn effective() -> Vec<Row> {
    let keyed = |pairs: Value| json!({"encryption": {"kmsKeyId": "alias/a", "context": pairs}});
    let rows = vec![
        //   what is tried                            class         what it changes                                  T  M  C  S
        row("nothing but the least",                 "open",       json!({}),                                       [A, A, A, A], "", ""),
        row("a key and a context",                   "open",       keyed(json!({"team": "a"})),                     [A, A, NONE, A], "", ""),
        row("a context without a key",               "open",       context(json!({"team": "a"})),                   [D, D, NONE, D], CONTEXT, "an encryption context needs a key"),
        row("a context for the class's key",         "keyed",      context(json!({"team": "a"})),                   [A, A, NONE, A], "", ""),
        row("no bucket in spec or class",            "bucketless", json!({}),                                       [D, D, "-DDD@spec.outputLocation", D], BUCKET, "out of your reach"),
        row("a bucket in the spec alone",            "bucketless", json!({"outputBucketName": "transcripts"}),      [A, A, NA, A], "", ""),
        row("a location in the spec alone",          "bucketless", json!({"outputLocation": "s3://transcripts"}),   [NA, NA, A, NA], "", ""),
        row("no bucket, as the class allows",        "serviced",   json!({}),                                       [A, D, A, D], BUCKET, "required"),
        row("a key without a bucket",                "serviced",   key("alias/a"),                                  [D, D, "-DDD@spec.outputLocation", D], BUCKET, "required"),
        row("an output key without a bucket",        "serviced",   json!({"outputKey": "a/"}),                      [D, D, NA, NA], BUCKET, "required"),
        row("no role in spec or class",              "roleless",   json!({}),                                       [A, A, A, D], "spec.dataAccessRoleArn", "without a data-access role"),
        row("a role in the spec alone",              "roleless",   json!({"dataAccessRoleArn": role("a")}),         [NA, NA, A, A], "", ""),
        row("a key in another Region",               "open",       key(&kms("alias/a").replace("eu-west", "us-east")), [D, D, D, D], KEY, "but the job runs in eu-west-1"),
        row("a key in another partition",            "open",       key(&kms("alias/a").replace(":aws:", ":aws-cn:")), [D, D, D, D], KEY, "but eu-west-1 is in aws"),
        row("a key in another account",              "own-keys",   key(&kms("alias/a").replace("1111", "4444")),    [D, D, D, D], KEY, "does not allow this key"),
        row("8 pairs, and 2 of the class",           "adding",     context(many(8)),                                [A, A, NONE, A], "", ""),
        row("9 pairs, and 2 of the class",           "adding",     context(many(9)),                                [D, D, NONE, D], CONTEXT, "remove 1 of the context"),
        row("a pair of the class that is too long",  "wordy",      json!({}),                                       [D, D, A, D], CONTEXT, "ask your platform team to shorten it"),
        row("44 tags, 2 of the class, 4 of ours",    "tagged",     json!({"tags": many(44)}),                       [A, A, A, A], "", ""),
        row("45 tags, 2 of the class, 4 of ours",    "tagged",     json!({"tags": many(45)}),                       [D, D, D, D], "spec.tags", "remove 1"),
    ];
    rows.into_iter().map(|row| Row { group: Group::Effective, ..row }).collect()
}

/// What a class allows.
#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn class() -> Vec<Row> {
    // The media that the class `finance` allows, besides.
    let ours = |mut change: Value| {
        change["media"] = json!({"mediaFileUri": "s3://media/finance/a.wav"});
        change
    };
    let redacted = json!({"media": {"mediaFileUri": null, "redactedMediaFileUri": "s3://media/sales/a.wav"}});
    let queue = |name: &str| ours(json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role(name)}}));
    let reader = |name: &str| ours(json!({"dataAccessRoleArn": role(name)}));
    let vocabulary = |name: &str| ours(json!({"settings": {"vocabularyName": name}}));
    let filter = |name: &str| ours(json!({"settings": {"vocabularyFilterName": name, "vocabularyFilterMethod": "tag"}}));
    let identified = |name: &str| ours(json!({"languageCode": null, "identifyLanguage": true, "languageIdSettings": {"de-DE": {"languageModelName": name}}}));
    let identified_call = |name: &str| ours(json!({"settings": {"languageIdSettings": {"de-DE": {"vocabularyName": name}}}}));
    vec![
        //   what is tried                            class           what it changes                                T  M  C  S
        row("media of its own",                      "finance",      media("s3://media/finance/a.wav"),             [A, A, A, A], "", ""),
        row("media of another namespace",            "finance",      media("s3://media/sales/a.wav"),               [D, D, D, D], MEDIA, "does not allow this media"),
        row("media of one that begins alike",        "finance",      media("s3://media/finance2/a.wav"),            [D, D, D, D], MEDIA, "does not allow this media"),
        row("media behind dots",                     "finance",      media("s3://media/finance/../sales/a.wav"),    [D, D, D, D], MEDIA, "has a segment of dots"),
        row("media in percent signs",                "finance",      media("s3://media/finance/%2e%2e/a.wav"),      [D, D, D, D], MEDIA, "has a percent-encoded character"),
        row("redacted media of another namespace",   "finance",      redacted,                                      [PLAIN, PLAIN, D, PLAIN], "spec.media.redactedMediaFileUri", "does not allow this media"),
        row("media where none is listed",            "closed",       json!({}),                                     [D, D, D, D], MEDIA, "does not allow this media"),
        row("a bucket that is listed",               "finance",      ours(json!({"outputBucketName": "finance-archive"})), [A, A, NA, A], "", ""),
        row("a bucket that is not listed",           "finance",      ours(json!({"outputBucketName": "sales-archive"})), [D, D, NA, D], BUCKET, "does not allow this bucket"),
        row("a location that is listed",             "finance",      ours(json!({"outputLocation": "s3://finance-archive/a/"})), [NA, NA, A, NA], "", ""),
        row("a location that is not listed",         "finance",      ours(json!({"outputLocation": "s3://sales-archive/a/"})), [NA, NA, D, NA], "spec.outputLocation", "does not allow this bucket"),
        row("an output key above the prefix",        "open",         json!({"outputKey": "../a.json"}),             [D, D, NA, NA], "spec.outputKey", "has a segment of dots"),
        row("a location above the prefix",           "open",         json!({"outputLocation": "s3://a-bucket/../a.json"}), [NA, NA, D, NA], "spec.outputLocation", "has a segment of dots"),
        row("an output key with an empty segment",   "open",         json!({"outputKey": "a//b"}),                  [D, D, NA, NA], "spec.outputKey", "has an empty segment"),
        row("an output key too long with its prefix", "open",        json!({"outputKey": "a".repeat(1000)}),        [D, D, NA, NA], "spec.outputKey", "over 1024 characters"),
        row("a location too long with its prefix",   "open",         json!({"outputLocation": format!("s3://a-bucket/{}/", "a".repeat(1000))}), [NA, NA, D, NA], "spec.outputLocation", "over 1024 characters"),
        row("a kind whose output has no prefix",     "prefixed",     json!({}),                                     [A, A, A, D], "spec", "unprefixedKinds"),
        row("the same, where another one may",       "prefixed-but-one", json!({}),                                 [A, A, A, D], "spec", "unprefixedKinds"),
        row("no key where one is required",          "sealed",       json!({}),                                     [D, D, D, D], KEY, "accepts no job without a key"),
        row("a key where one is required",           "sealed",       key("alias/a"),                                [A, A, A, A], "", ""),
        row("the class's key where one is required", "keyed",        json!({}),                                     [A, A, A, A], "", ""),
        row("a key that is listed",                  "finance",      ours(key("alias/finance-a")),                  [A, A, A, A], "", ""),
        row("a key that is not listed",              "finance",      ours(key("alias/sales")),                      [D, D, D, D], KEY, "does not allow this key"),
        row("the class's own key",                   "finance",      ours(key(&kms("alias/team"))),                 [A, A, A, A], "", ""),
        row("no pair that the class requires",       "asking",       json!({}),                                     [D, D, ASKS, D], CONTEXT, "requires the pair 'department'"),
        row("the pair that the class requires",      "asking",       context(json!({"Department": "a"})),           [A, A, NONE, A], "", ""),
        row("no pair, where a kind may have none",   "asking-allow", json!({}),                                     [D, D, A, D], CONTEXT, "requires the pair 'department'"),
        row("pairs that the class adds",             "adding",       json!({}),                                     [A, A, ASKS, A], "", ""),
        row("the same, where a kind may have none",  "adding-allow", json!({}),                                     [A, A, A, A], "", ""),
        row("a pair of the class's, overridden",     "adding-allow", context(json!({"team": "sales"})),             [D, D, NONE, D], CONTEXT, "sets 'team' itself"),
        row("a pair of the class's in capitals",     "adding-allow", context(json!({"TEAM": "sales"})),             [D, D, NONE, D], CONTEXT, "sets 'TEAM' itself"),
        row("a credential in a value",               "keyed",        context(json!({"a": "AKIAIOSFODNN7EXAMPLE"})), [D, D, NONE, D], CONTEXT, "looks like an AWS access key id"),
        row("a credential for a key",                "keyed",        context(json!({"AKIAIOSFODNN7EXAMPLE": "a"})), [D, D, NONE, D], CONTEXT, "one of the keys looks like an AWS access key id"),
        row("personal data, warned of",              "keyed",        context(json!({"a": "jane.doe@example.com"})), [A, A, NONE, A], "", ""),
        row("personal data, refused",                "private",      json!({"encryption": {"kmsKeyId": "alias/a", "context": {"a": "jane.doe@example.com"}}}), [D, D, NONE, D], CONTEXT, "looks like an e-mail address"),
        row("a role that is listed",                 "finance",      reader("finance"),                             [NA, NA, A, A], "", ""),
        row("a role that is not listed",             "finance",      reader("admin"),                               [NA, NA, D, D], "spec.dataAccessRoleArn", "does not allow this role"),
        row("the class's own role",                  "finance",      reader("default"),                             [NA, NA, A, A], "", ""),
        row("a role that is listed, for a queue",    "finance",      queue("finance"),                              [A, NA, NA, NA], "", ""),
        row("one that is not listed, for a queue",   "finance",      queue("admin"),                                [D, NA, NA, NA], "spec.jobExecutionSettings.dataAccessRoleArn", "does not allow this role"),
        row("the class's own role, for a queue",     "finance",      queue("default"),                              [A, NA, NA, NA], "", ""),
        row("a vocabulary of its own",               "finance",      vocabulary("finance_words"),                   [A, A, A, A], "", ""),
        row("a vocabulary of another namespace",     "finance",      vocabulary("sales_words"),                     [D, D, D, D], "spec.settings.vocabularyName", "does not allow this name"),
        row("a filter of its own",                   "finance",      filter("finance_words"),                       [A, NA, A, A], "", ""),
        row("a filter of another namespace",         "finance",      filter("sales_words"),                         [D, NA, D, D], "spec.settings.vocabularyFilterName", "does not allow this name"),
        row("a model of another namespace",          "finance",      ours(json!({"modelSettings": {"languageModelName": "sales_m"}})), [D, NA, NA, NA], "spec.modelSettings.languageModelName", "does not allow this name"),
        row("a model of another, for a call",        "finance",      ours(json!({"settings": {"languageModelName": "sales_m"}})), [NA, NA, D, NA], "spec.settings.languageModelName", "does not allow this name"),
        row("a model of another, by language",       "finance",      identified("sales_m"),                         [D, NA, NA, NA], "spec.languageIdSettings.de-DE.languageModelName", "does not allow this name"),
        row("a vocabulary of another, by language",  "finance",      identified_call("sales_w"),                    [NA, NA, D, NA], "spec.settings.languageIdSettings.de-DE.vocabularyName", "does not allow this name"),
        row("a tag of the class's, overridden",      "tagged",       json!({"tags": {"cost-center": "1"}}),         [D, D, D, D], "spec.tags", "sets the tag 'cost-center' itself"),
        row("a tag of the class's in capitals",      "tagged",       json!({"tags": {"COST-CENTER": "1"}}),         [D, D, D, D], "spec.tags", "sets the tag 'COST-CENTER' itself"),
        row("the class of another namespace",        "sales-only",   json!({}),                                     [D, D, D, D], "spec.transcriptionClassName", "there is no class 'sales-only' for this namespace"),
        row("a class by labels that it has not",     "labelled",     json!({}),                                     [L, L, L, L], "spec.transcriptionClassName", "there is no class 'labelled' for this namespace"),
        row("a class that there is not",             "nothing",      json!({}),                                     [L, L, L, L], "spec.transcriptionClassName", "there is no class 'nothing' for this namespace"),
    ]
}
