//! What a tenant may try to get at what is others', as data: a row for each attempt, and what it meets.
//!
//! The tenant is in the namespace [`NAMESPACE`], and applies a job of each row's spec where there are the [`classes`]. Every
//! attempt is made with every kind that has the member for it: where the kinds differ, [`AwsAccount`] says how.

use std::fmt::Write as _;

use serde_json::{Value, json};
use transcribe_operator::api::Kind;

use crate::samples::minimal;

/// Where the tenant is. Its only label is the one that every namespace has.
pub const NAMESPACE: &str = "team";
/// The Region of the classes.
pub const REGION: &str = "eu-west-1";
/// The account of the classes. No rejection prints it.
pub const ACCOUNT: &str = "210987654321";
/// Somebody else's account. No rejection prints it.
pub const ANOTHER_ACCOUNT: &str = "444455556666";
/// A key that is there, and that no class allows.
pub const SOMEBODYS_KEY: &str = "0000aaaa-1111-2222-3333-444455556666";
/// The names that all such keys have: by one of them it is there, by another it is not.
pub const SOMEBODYS_ALIAS: &str = "alias/payroll";

/// One attempt.
pub struct Attack {
    /// Of which kind the job is.
    pub kind: Kind,
    /// What is tried.
    pub name: String,
    /// The job's spec.
    pub spec: Value,
    /// The reason of the rejection.
    pub reason: &'static str,
    /// The field that it names.
    pub field: &'static str,
    /// What its message says among other things. Rows that have [`NO_ORACLE`] here get this very text.
    pub says: &'static str,
}

/// All that is said of a key that the class does not allow, whether it exists or not.
pub const NO_ORACLE: &str =
    "class 'team' does not allow this key; use one that it allows, or leave it out for the class's own";

/// The classes by name: one of the tenant, four more that it may use, and one that it may not.
pub fn classes() -> Vec<(&'static str, Value)> {
    let of = |namespace: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    let kms = |resource: &str| format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}");
    let team = json!({
        "region": REGION,
        "namespaceSelector": of(NAMESPACE),
        "input": {"allowedUris": ["s3://media/{namespace}/"]},
        "output": {
            "bucketName": "team-transcripts",
            "allowedBuckets": ["team-archive"],
            "unprefixedKinds": ["MedicalScribeJob"],
        },
        "encryption": {
            "defaultKmsKeyId": "alias/team",
            "allowedKmsKeys": [kms("alias/team-*"), kms("key/1234abcd-12ab-34cd-56ef-1234567890ab")],
            "addedContext": {"namespace": "{namespace}"},
            "kindsWithoutContext": "Allow",
        },
        "resourceNames": ["{namespace}_*"],
        "dataAccess": {"allowedRoleArns": [role("team")], "defaultRoleArn": role("notes")},
        "tags": {"cost-center": "4711"},
    });
    let strict = json!({
        "region": REGION,
        "namespaceSelector": of(NAMESPACE),
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "team-transcripts", "unprefixedKinds": ["MedicalScribeJob"]},
        "dataAccess": {"defaultRoleArn": role("notes")},
        "encryption": {
            "required": true,
            "allowedKmsKeys": ["*"],
            "requiredContextKeys": ["department"],
            "personalDataInContext": "Deny",
        },
    });
    let serviced = json!({
        "region": REGION,
        "namespaceSelector": of(NAMESPACE),
        "input": {"allowedUris": ["*"]},
        "output": {"allowServiceManaged": true},
        "encryption": {"allowedKmsKeys": ["*"]},
    });
    let plain = json!({
        "region": REGION,
        "namespaceSelector": of(NAMESPACE),
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "team-transcripts", "unprefixedKinds": ["MedicalScribeJob"]},
        "dataAccess": {"defaultRoleArn": role("notes")},
    });
    let mut apart = plain.clone();
    apart["output"] = json!({"bucketName": "team-transcripts"});
    let mut payroll = team.clone();
    payroll["namespaceSelector"] = of("payroll");
    vec![
        ("team", team),
        ("strict", strict),
        ("serviced", serviced),
        ("plain", plain),
        ("apart", apart),
        ("payroll", payroll),
    ]
}

/// Where the members are that not every kind has at the same place.
struct AwsAccount {
    /// The field that names the bucket.
    bucket: &'static str,
    /// The field that names the key, where AWS lets anybody choose one.
    key: Option<&'static str>,
    /// AWS would keep output in a bucket of its own.
    serviced: bool,
    /// AWS takes an encryption context.
    context: bool,
    /// The field that names a role.
    role: Option<&'static str>,
    /// The field that names a vocabulary filter.
    filter: Option<&'static str>,
    /// The fields that name a language model: of the job, and of one of its languages.
    models: Option<[&'static str; 2]>,
}

/// What a kind has.
fn place(kind: Kind) -> AwsAccount {
    const FILTER: Option<&str> = Some("spec.settings.vocabularyFilterName");
    let in_bucket = AwsAccount {
        bucket: "spec.outputBucketName",
        key: Some("spec.outputKey"),
        serviced: false,
        context: true,
        role: None,
        filter: None,
        models: None,
    };
    match kind {
        Kind::TranscriptionJob => AwsAccount {
            serviced: true,
            role: Some("spec.jobExecutionSettings.dataAccessRoleArn"),
            filter: FILTER,
            models: Some([
                "spec.modelSettings.languageModelName",
                "spec.languageIdSettings[de-DE].languageModelName",
            ]),
            ..in_bucket
        },
        Kind::MedicalTranscriptionJob => in_bucket,
        Kind::CallAnalyticsJob => AwsAccount {
            bucket: LOCATION,
            key: Some(LOCATION),
            serviced: true,
            context: false,
            role: Some("spec.dataAccessRoleArn"),
            filter: FILTER,
            models: Some([
                "spec.settings.languageModelName",
                "spec.settings.languageIdSettings[de-DE].languageModelName",
            ]),
        },
        Kind::MedicalScribeJob => AwsAccount {
            key: None,
            role: Some("spec.dataAccessRoleArn"),
            filter: FILTER,
            ..in_bucket
        },
    }
}

const LOCATION: &str = "spec.outputLocation";

/// Output in this bucket.
fn in_bucket(kind: Kind, bucket: &str) -> Value {
    match place(kind).bucket {
        LOCATION => json!({"outputLocation": format!("s3://{bucket}")}),
        _ => json!({"outputBucketName": bucket}),
    }
}

/// Output at this key of a bucket that the class allows, where AWS lets anybody choose one.
fn at_key(kind: Kind, bucket: &str, key: &str) -> Value {
    match place(kind).key {
        Some(LOCATION) => json!({"outputLocation": format!("s3://{bucket}/{key}")}),
        Some(_) => json!({"outputBucketName": bucket, "outputKey": key}),
        None => json!({"outputBucketName": bucket}),
    }
}

/// Settings, beside those that the kind needs.
fn settings(kind: Kind, members: Value) -> Value {
    let needed = minimal(kind)["settings"].take();
    json!({"settings": with(if needed.is_null() { json!({}) } else { needed }, members)})
}

fn with_role(kind: Kind, role: &str) -> Value {
    match kind {
        Kind::TranscriptionJob => {
            json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role}})
        }
        Kind::MedicalTranscriptionJob | Kind::CallAnalyticsJob | Kind::MedicalScribeJob => {
            json!({"dataAccessRoleArn": role})
        }
    }
}

fn with(mut value: Value, members: Value) -> Value {
    if let (Some(value), Value::Object(members)) = (value.as_object_mut(), members) {
        value.extend(members);
    }
    value
}

/// A job of the class `team` that is accepted, with these members besides or instead.
pub fn job(kind: Kind, members: Value) -> Value {
    let own = json!({"transcriptionClassName": "team", "media": {"mediaFileUri": "s3://media/team/a.wav"}});
    with(with(minimal(kind), own), members)
}

/// What is accepted: the same things, as the classes allow them.
pub fn harmless() -> Vec<(Kind, Value)> {
    let all = Kind::ALL.iter().copied();
    all.flat_map(|kind| {
        harmless_of(kind)
            .into_iter()
            .map(move |members| (kind, job(kind, members)))
    })
    .collect()
}

fn harmless_of(kind: Kind) -> Vec<Value> {
    let has = place(kind);
    let class = |name: &str| json!({"transcriptionClassName": name});
    let encrypted = |key: &str| json!({"encryption": {"kmsKeyId": key}});
    let context = json!({"encryption": {"kmsKeyId": "alias/team", "context": {"department": "finance"}}});
    let strictly = json!({"encryption": {"kmsKeyId": "alias/a", "context": {"Department": "finance"}}});
    let scribe = kind == Kind::MedicalScribeJob;
    let rows = [
        (true, json!({})),
        (
            true,
            json!({"media": {"mediaFileUri": "s3://media/team/a b/größe.wav"}}),
        ),
        (
            kind == Kind::CallAnalyticsJob,
            json!({"media": {"redactedMediaFileUri": "s3://media/team/a.wav"}}),
        ),
        (true, in_bucket(kind, "team-archive")),
        (true, at_key(kind, "team-archive", "2026/a.json")),
        (has.context, context),
        (true, encrypted("alias/team-b")),
        (true, encrypted("1234abcd-12ab-34cd-56ef-1234567890ab")),
        (
            true,
            with(
                settings(kind, json!({"vocabularyName": "team_words"})),
                json!({"tags": {"stage": "test"}}),
            ),
        ),
        (has.role.is_some(), with_role(kind, &role("team"))),
        (has.serviced, class("serviced")),
        (has.context, with(class("strict"), strictly)),
        (true, class("plain")),
        (!scribe, class("apart")),
    ];
    rows.into_iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, members)| members)
        .collect()
}

/// All attempts.
pub fn attacks() -> Vec<Attack> {
    let groups = [media, output, keys, contexts, names, tags, others];
    let of = |kind: &Kind| {
        groups
            .map(|group| group(*kind))
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    };
    Kind::ALL.iter().flat_map(of).collect()
}

fn row(
    kind: Kind,
    name: &str,
    members: Value,
    reason: &'static str,
    field: &'static str,
    says: &'static str,
) -> Attack {
    Attack {
        kind,
        name: format!("{kind}: {name}"),
        spec: job(kind, members),
        reason,
        field,
        says,
    }
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn media(kind: Kind) -> Vec<Attack> {
    let mut rows = media_at(kind, "mediaFileUri", "spec.media.mediaFileUri");
    if kind == Kind::CallAnalyticsJob {
        rows.extend(media_at(
            kind,
            "redactedMediaFileUri",
            "spec.media.redactedMediaFileUri",
        ));
    }
    rows
}

fn media_at(kind: Kind, member: &str, field: &'static str) -> Vec<Attack> {
    let long = format!("s3://media/team/{}", "a".repeat(2000));
    [
        (
            "a folder of another",
            "s3://media/payroll/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a folder that begins alike",
            "s3://media/team2/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a folder of a namespace that begins alike",
            "s3://media/team-b/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a bucket that begins alike",
            "s3://media2/team/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a bucket that ends alike",
            "s3://my-media/team/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "the folder deeper down",
            "s3://media/payroll/team/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "dots",
            "s3://media/team/../payroll/a.wav",
            "NotAllowed",
            "segment of dots",
        ),
        ("a dot", "s3://media/team/./a.wav", "NotAllowed", "segment of dots"),
        ("dots at the end", "s3://media/team/..", "NotAllowed", "segment of dots"),
        (
            "dots behind a backslash",
            r"s3://media/team/..\payroll\a.wav",
            "NotAllowed",
            "segment of dots",
        ),
        (
            "an encoded slash",
            "s3://media/team/..%2Fpayroll/a.wav",
            "NotAllowed",
            "percent-encoded",
        ),
        (
            "encoded dots",
            "s3://media/team/%2e%2e/payroll/a.wav",
            "NotAllowed",
            "percent-encoded",
        ),
        (
            "an encoded percent sign",
            "s3://media/team/%252e%252e/a.wav",
            "NotAllowed",
            "percent-encoded",
        ),
        (
            "a slash in too many bytes",
            "s3://media/team/..%c0%afpayroll/a.wav",
            "NotAllowed",
            "percent-encoded",
        ),
        (
            "an empty segment",
            "s3://media//team/a.wav",
            "NotAllowed",
            "empty segment",
        ),
        (
            "the folder in capitals",
            "s3://media/TEAM/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "the bucket in capitals",
            "s3://MEDIA/team/a.wav",
            "InvalidSpec",
            "must be an object in Amazon S3",
        ),
        (
            "a Cyrillic letter",
            "s3://media/t\u{435}am/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a letter with an accent of its own",
            "s3://media/te\u{301}am/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "an invisible character",
            "s3://media/team\u{200b}/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a full-width slash",
            "s3://media/team\u{ff0f}a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "the class's own placeholder",
            "s3://media/{namespace}/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a wildcard",
            "s3://media/*/a.wav",
            "NotAllowed",
            "does not allow this media",
        ),
        (
            "a user before the host",
            "s3://media@payroll-media/team/a.wav",
            "InvalidSpec",
            "must be an object in Amazon S3",
        ),
        (
            "the web",
            "https://media.s3.amazonaws.com/team/a.wav",
            "InvalidSpec",
            "must be an object in Amazon S3",
        ),
        (
            "a line break",
            "s3://media/team/a\nb",
            "InvalidSpec",
            "must be an object in Amazon S3",
        ),
        ("a URI of over 2000 characters", &long, "InvalidSpec", "at most 2000"),
    ]
    .into_iter()
    .map(|(name, uri, reason, says)| {
        let name = format!("{member}: {name}");
        row(kind, &name, json!({"media": {member: uri}}), reason, field, says)
    })
    .collect()
}

fn output(kind: Kind) -> Vec<Attack> {
    let no_key = vec![row(
        kind,
        "output of a kind without a prefix, where namespaces are kept apart",
        json!({"transcriptionClassName": "apart"}),
        "NotAllowed",
        "spec",
        "use a class that allows the kind (unprefixedKinds)",
    )];
    let keys = place(kind).key.map(|field| output_keys(kind, field));
    [buckets(kind), keys.unwrap_or(no_key), no_buckets(kind)]
        .into_iter()
        .flatten()
        .collect()
}

fn buckets(kind: Kind) -> Vec<Attack> {
    const FOREIGN: (&str, &str) = ("NotAllowed", "does not allow this bucket");
    let field = place(kind).bucket;
    let no_bucket = match field {
        LOCATION => ("InvalidSpec", "must be a place in Amazon S3"),
        _ => ("InvalidSpec", "must be a bucket name"),
    };
    [
        ("a bucket of another", "payroll-transcripts", FOREIGN),
        ("a bucket that begins alike", "team-transcripts2", FOREIGN),
        ("a bucket in capitals", "Team-transcripts", no_bucket),
        ("a bucket with a port", "team-transcripts:443", no_bucket),
        ("a wildcard for a bucket", "team-*", no_bucket),
        ("no bucket before the key", "/payroll", no_bucket),
    ]
    .into_iter()
    .map(|(name, bucket, (reason, says))| row(kind, name, in_bucket(kind, bucket), reason, field, says))
    .collect()
}

fn output_keys(kind: Kind, field: &'static str) -> Vec<Attack> {
    const DOTS: (&str, &str) = ("NotAllowed", "segment of dots");
    const EMPTY: (&str, &str) = ("NotAllowed", "empty segment");
    let encoded = match field {
        LOCATION => ("NotAllowed", "percent-encoded"),
        _ => ("InvalidSpec", "must be a key"),
    };
    let long = format!("{}/", "a".repeat(1000));
    [
        ("a key that climbs", "../../payroll/a.json", DOTS),
        ("a key that climbs later", "a/../../../b/", DOTS),
        ("a key from the top", "/payroll/a.json", EMPTY),
        ("a key with an empty segment", "a//b/", EMPTY),
        ("a key with an encoded slash", "..%2fpayroll/", encoded),
        ("a key with encoded dots", "%2e%2e/payroll/", encoded),
        (
            "a key that is too long below the prefix",
            &long,
            ("NotAllowed", "over 1024"),
        ),
    ]
    .into_iter()
    .map(|(name, key, (reason, says))| row(kind, name, at_key(kind, "team-archive", key), reason, field, says))
    .collect()
}

/// Where the class leaves output to AWS.
fn no_buckets(kind: Kind) -> Vec<Attack> {
    let has = place(kind);
    let serviced = |members: Value| with(json!({"transcriptionClassName": "serviced"}), members);
    let says = if has.serviced {
        "only output in a bucket of yours can be encrypted"
    } else {
        "the transcript would be out of your reach"
    };
    let name = "an encryption that nobody would do";
    let encrypted = serviced(json!({"encryption": {"kmsKeyId": "alias/a"}}));
    let mut rows = vec![row(kind, name, encrypted, "OutputRequired", has.bucket, says)];
    if has.key.is_some_and(|field| field != LOCATION) {
        let says = if has.serviced { "spec.outputKey" } else { says };
        let name = "a key where there is no bucket";
        let key = serviced(json!({"outputKey": "a.json"}));
        rows.push(row(kind, name, key, "OutputRequired", has.bucket, says));
    }
    rows
}

fn keys(kind: Kind) -> Vec<Attack> {
    const FIELD: &str = "spec.encryption.kmsKeyId";
    let arn = |account: &str, resource: &str| format!("arn:aws:kms:{REGION}:{account}:{resource}");
    let id = format!("key/{SOMEBODYS_KEY}");
    let long = format!("alias/{}", "a".repeat(2043));
    let refused = [
        ("an alias that exists", SOMEBODYS_ALIAS.to_owned()),
        ("an alias that does not exist", "alias/nothing".to_owned()),
        ("an alias that begins alike", "alias/teams".to_owned()),
        ("an alias in capitals", "alias/Team-a".to_owned()),
        ("a key that exists", SOMEBODYS_KEY.to_owned()),
        (
            "a key that does not exist",
            "0000bbbb-1111-2222-3333-444455556666".to_owned(),
        ),
        ("a multi-Region key", "mrk-1234abcd12ab34cd56ef1234567890ab".to_owned()),
        ("the ARN of an alias that exists", arn(ACCOUNT, SOMEBODYS_ALIAS)),
        ("the ARN of a key that exists", arn(ACCOUNT, &id)),
        ("another account's alias", arn(ANOTHER_ACCOUNT, "alias/team-a")),
        (
            "another account's key",
            arn(ANOTHER_ACCOUNT, "key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ),
    ];
    let refused = refused.map(|(name, key)| (name, key, "KeyNotAllowed", NO_ORACLE));
    let wrong = [
        (
            "another Region",
            format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/team-a"),
            "KeyRegionMismatch",
            "us-east-1",
        ),
        (
            "another partition",
            format!("arn:aws-cn:kms:{REGION}:{ACCOUNT}:alias/team-a"),
            "KeyRegionMismatch",
            "aws-cn",
        ),
        (
            "an AWS managed key",
            "alias/aws/s3".to_owned(),
            "InvalidSpec",
            "AWS managed key",
        ),
        (
            "a Cyrillic letter",
            "alias/t\u{435}am-a".to_owned(),
            "InvalidSpec",
            "printable ASCII",
        ),
        (
            "an invisible character",
            "alias/team-a\u{200b}".to_owned(),
            "InvalidSpec",
            "printable ASCII",
        ),
        ("a wildcard", "alias/team-*".to_owned(), "InvalidSpec", "after alias/"),
        (
            "dots",
            "alias/team-/../payroll".to_owned(),
            "InvalidSpec",
            "after alias/",
        ),
        ("a key of over 2048 characters", long, "InvalidSpec", "at most 2048"),
    ];
    refused
        .into_iter()
        .chain(wrong)
        .map(|(name, key, reason, says)| {
            let members = json!({"encryption": {"kmsKeyId": key}});
            row(kind, &format!("key: {name}"), members, reason, FIELD, says)
        })
        .collect()
}

fn contexts(kind: Kind) -> Vec<Attack> {
    let mut rows = if place(kind).context {
        contexts_of(kind)
    } else {
        without_context(kind)
    };
    rows.push(row(
        kind,
        "no key where one is required",
        json!({"transcriptionClassName": "strict"}),
        "KeyRequired",
        "spec.encryption.kmsKeyId",
        "accepts no job without a key",
    ));
    rows
}

/// Of a kind for which AWS takes no context.
fn without_context(kind: Kind) -> Vec<Attack> {
    vec![
        row(
            kind,
            "context: where AWS takes none",
            json!({"encryption": {"context": {"department": "finance"}}}),
            "InvalidSpec",
            "spec.encryption.context",
            "has no parameter for an encryption context",
        ),
        row(
            kind,
            "context: none where one is required",
            json!({"transcriptionClassName": "strict", "encryption": {"kmsKeyId": "alias/a"}}),
            "NotAllowed",
            "spec.encryption",
            "use a class that allows the kind (kindsWithoutContext)",
        ),
    ]
}

fn contexts_of(kind: Kind) -> Vec<Attack> {
    const FIELD: &str = "spec.encryption.context";
    let strictly = |context: Value| json!({"transcriptionClassName": "strict", "encryption": {"kmsKeyId": "alias/a", "context": context}});
    let many: Value = (0..10).map(|n| (format!("key{n}"), json!("v"))).collect();
    let pairs = [
        (
            "the class's pair, forged",
            json!({"namespace": "payroll"}),
            FIELD,
            "sets 'namespace' itself",
        ),
        (
            "the class's pair, as it is",
            json!({"namespace": "team"}),
            FIELD,
            "sets 'namespace' itself",
        ),
        (
            "the class's pair, in capitals",
            json!({"Namespace": "payroll"}),
            FIELD,
            "sets 'Namespace' itself",
        ),
        (
            "a key with a Cyrillic letter",
            json!({"nam\u{435}space": "payroll"}),
            FIELD,
            "each key must be printable ASCII",
        ),
        (
            "a key of AWS",
            json!({"aws:s3:arn": "x"}),
            FIELD,
            "must not begin with aws:",
        ),
        (
            "a key of AWS in capitals",
            json!({"AWS:s3:arn": "x"}),
            FIELD,
            "must not begin with aws:",
        ),
        (
            "ten pairs beside the class's",
            many,
            FIELD,
            "of which class 'team' adds 1",
        ),
        (
            "a key of over 2000 characters",
            json!({"k".repeat(2001): "x"}),
            FIELD,
            "each key must be at most 2000",
        ),
        (
            "a value of over 2000 characters",
            json!({"a": "x".repeat(2001)}),
            "spec.encryption.context.a",
            "at most 2000",
        ),
        (
            "a credential",
            json!({"token": "AKIAIOSFODNN7EXAMPLE"}),
            FIELD,
            "looks like an AWS access key id",
        ),
    ];
    let of_team = pairs.into_iter().map(|(name, context, field, says)| {
        let members = json!({"encryption": {"context": context}});
        row(kind, &format!("context: {name}"), members, "InvalidSpec", field, says)
    });
    let of_others = [
        row(
            kind,
            "context: the required pair is missing",
            strictly(json!({"a": "b"})),
            "NotAllowed",
            FIELD,
            "requires the pair 'department'",
        ),
        row(
            kind,
            "context: personal data where it is refused",
            strictly(json!({"department": "jane.doe@example.com"})),
            "NotAllowed",
            FIELD,
            "looks like an e-mail address",
        ),
        row(
            kind,
            "context: without a key",
            json!({"transcriptionClassName": "plain", "encryption": {"context": {"a": "b"}}}),
            "InvalidSpec",
            FIELD,
            "needs a key",
        ),
    ];
    of_team.chain(of_others).collect()
}

fn names(kind: Kind) -> Vec<Attack> {
    const NAME: (&str, &str) = ("NotAllowed", "does not allow this name");
    const NO_NAME: (&str, &str) = ("InvalidSpec", "must be a name");
    let has = place(kind);
    let vocabulary = |name: &str| settings(kind, json!({"vocabularyName": name}));
    let field = "spec.settings.vocabularyName";
    let mut rows = vec![
        ("a vocabulary of another", vocabulary("payroll_words"), field, NAME),
        (
            "a vocabulary of a namespace that begins alike",
            vocabulary("team-b_words"),
            field,
            NAME,
        ),
        ("a vocabulary in capitals", vocabulary("Team_words"), field, NAME),
        ("a vocabulary with a wildcard", vocabulary("team_*"), field, NO_NAME),
        (
            "a vocabulary with a Cyrillic letter",
            vocabulary("t\u{435}am_words"),
            field,
            NO_NAME,
        ),
    ];
    if let Some(field) = has.filter {
        let filter = json!({"vocabularyFilterName": "payroll_bad", "vocabularyFilterMethod": "mask"});
        rows.push(("a filter of another", settings(kind, filter), field, NAME));
    }
    if let Some([of_job, of_language]) = has.models {
        let [job, language] = models(kind);
        rows.push(("a model of another", job, of_job, NAME));
        rows.push(("a model of another, by language", language, of_language, NAME));
    }
    let rows = rows.into_iter();
    let rows = rows.map(|(name, members, field, (reason, says))| row(kind, name, members, reason, field, says));
    rows.chain(has.role.into_iter().flat_map(|field| roles(kind, field)))
        .collect()
}

/// Somebody else's language model: for the job, and for one of its languages.
fn models(kind: Kind) -> [Value; 2] {
    let model = json!({"languageModelName": "payroll_model"});
    let by_language = json!({"languageOptions": ["en-US", "de-DE"], "languageIdSettings": {"de-DE": model}});
    if kind == Kind::CallAnalyticsJob {
        return [settings(kind, model), settings(kind, by_language)];
    }
    let identified = json!({"languageCode": null, "identifyLanguage": true});
    [json!({"modelSettings": model}), with(identified, by_language)]
}

fn roles(kind: Kind, field: &'static str) -> Vec<Attack> {
    const FOREIGN: (&str, &str) = ("NotAllowed", "does not allow this role");
    [
        ("a foreign role", role("admin"), FOREIGN),
        ("a role that begins alike", role("team2"), FOREIGN),
        ("a role in capitals", role("Team"), FOREIGN),
        ("a role behind a path", role("x/team"), FOREIGN),
        (
            "another account's role",
            format!("arn:aws:iam::{ANOTHER_ACCOUNT}:role/team"),
            FOREIGN,
        ),
        (
            "a user for a role",
            format!("arn:aws:iam::{ACCOUNT}:user/team"),
            ("InvalidSpec", "IAM role"),
        ),
    ]
    .into_iter()
    .map(|(name, role, (reason, says))| row(kind, name, with_role(kind, &role), reason, field, says))
    .collect()
}

fn tags(kind: Kind) -> Vec<Attack> {
    const FIELD: &str = "spec.tags";
    let many: Value = (0..46).map(|n| (format!("key{n}"), json!("v"))).collect();
    [
        (
            "the operator's own",
            json!({"transcribe-operator.io/uid": "x"}),
            "InvalidSpec",
            "must not begin with aws: or transcribe-operator.io/",
        ),
        (
            "the operator's own in capitals",
            json!({"Transcribe-Operator.io/uid": "x"}),
            "InvalidSpec",
            "must not begin with",
        ),
        (
            "AWS's own",
            json!({"aws:cost": "x"}),
            "InvalidSpec",
            "must not begin with",
        ),
        (
            "the class's",
            json!({"cost-center": "1"}),
            "NotAllowed",
            "sets the tag 'cost-center' itself",
        ),
        (
            "the class's in capitals",
            json!({"Cost-Center": "1"}),
            "NotAllowed",
            "sets the tag 'Cost-Center' itself",
        ),
        (
            "the class's with another s",
            json!({"co\u{17f}t-center": "1"}),
            "NotAllowed",
            "itself",
        ),
        (
            "more than fit beside the others",
            many,
            "NotAllowed",
            "AWS takes 50 tags",
        ),
    ]
    .into_iter()
    .map(|(name, tags, reason, says)| {
        row(
            kind,
            &format!("tags: {name}"),
            json!({"tags": tags}),
            reason,
            FIELD,
            says,
        )
    })
    .collect()
}

fn others(kind: Kind) -> Vec<Attack> {
    const FIELD: &str = "spec.transcriptionClassName";
    let class = |name: Value| json!({"transcriptionClassName": name});
    let it_may_use = "it may use 'apart', 'plain', 'serviced', 'strict', 'team'";
    vec![
        row(
            kind,
            "a class of another namespace",
            class(json!("payroll")),
            "NoClass",
            FIELD,
            it_may_use,
        ),
        row(
            kind,
            "a class that does not exist",
            class(json!("nothing")),
            "NoClass",
            FIELD,
            it_may_use,
        ),
        row(
            kind,
            "a class by a path",
            class(json!("../payroll")),
            "InvalidSpec",
            FIELD,
            "must be the name of a class",
        ),
        row(
            kind,
            "a class with a Cyrillic letter",
            class(json!("t\u{435}am")),
            "InvalidSpec",
            FIELD,
            "must be the name of a class",
        ),
        row(
            kind,
            "no class where none is the default",
            class(Value::Null),
            "NoClass",
            FIELD,
            "there is no default class",
        ),
    ]
}

/// The table as text, for whoever wants to read it.
pub fn table(attacks: &[Attack]) -> String {
    attacks.iter().fold(String::new(), |mut text, attack| {
        let Attack {
            name, reason, field, ..
        } = attack;
        writeln!(text, "{name:<80} {reason:<18} {field}").ok();
        text
    })
}
