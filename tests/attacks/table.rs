//! What a tenant may try to get at what is others', as data: a row for each attempt, and what it meets.
//!
//! The tenant is in the namespace [`NAMESPACE`], and applies a job of each row's spec where there are the [`classes`].

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Where the tenant is. Its only label is the one that every namespace has.
pub const NAMESPACE: &str = "team";
/// The Region of the classes.
pub const REGION: &str = "eu-west-1";
/// The account of the classes. No refusal prints it.
pub const ACCOUNT: &str = "210987654321";
/// Somebody else's account. No refusal prints it.
pub const ANOTHER_ACCOUNT: &str = "444455556666";
/// A key that is there, and that no class allows.
pub const SOMEBODYS_KEY: &str = "0000aaaa-1111-2222-3333-444455556666";
/// The names that all such keys have: by one of them it is there, by another it is not.
pub const SOMEBODYS_ALIAS: &str = "alias/payroll";

/// One attempt.
pub struct Attack {
    /// What is tried.
    pub name: String,
    /// The job's spec.
    pub spec: Value,
    /// The reason of the refusal.
    pub reason: &'static str,
    /// The field that it names.
    pub field: &'static str,
    /// What its message says among other things. Rows that have [`NO_ORACLE`] here get this very text.
    pub says: &'static str,
}

/// All that is said of a key that the class does not allow, whether it exists or not.
pub const NO_ORACLE: &str =
    "class 'team' does not allow this key; use one that it allows, or leave it out for the class's own";

/// The classes by name: one of the tenant, two more that it may use, and one that it may not.
pub fn classes() -> Vec<(&'static str, Value)> {
    let of = |namespace: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    let kms = |resource: &str| format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}");
    let team = json!({
        "region": REGION,
        "namespaceSelector": of(NAMESPACE),
        "input": {"allowedUris": ["s3://media/{namespace}/"]},
        "output": {"bucketName": "team-transcripts", "allowedBuckets": ["team-archive"]},
        "encryption": {
            "defaultKmsKeyId": "alias/team",
            "allowedKmsKeys": [kms("alias/team-*"), kms("key/1234abcd-12ab-34cd-56ef-1234567890ab")],
            "addedContext": {"namespace": "{namespace}"},
        },
        "resourceNames": ["{namespace}_*"],
        "dataAccess": {"allowedRoleArns": [role("team")]},
        "tags": {"cost-center": "4711"},
    });
    let strict = json!({
        "region": REGION,
        "namespaceSelector": of(NAMESPACE),
        "input": {"allowedUris": ["*"]},
        "output": {"bucketName": "team-transcripts"},
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
    let mut payroll = team.clone();
    payroll["namespaceSelector"] = of("payroll");
    vec![
        ("team", team),
        ("strict", strict),
        ("serviced", serviced),
        ("payroll", payroll),
    ]
}

/// A job of the class `team` that is accepted, with these members besides or instead.
pub fn job(members: Value) -> Value {
    let mut spec = json!({
        "transcriptionClassName": "team",
        "languageCode": "en-US",
        "media": {"mediaFileUri": "s3://media/team/a.wav"},
    });
    if let (Some(spec), Value::Object(members)) = (spec.as_object_mut(), members) {
        spec.extend(members);
    }
    spec
}

/// What is accepted: the same things, as the classes allow them.
pub fn harmless() -> Vec<Value> {
    [
        json!({}),
        json!({"media": {"mediaFileUri": "s3://media/team/a b/größe.wav"}}),
        json!({"outputBucketName": "team-archive", "outputKey": "2026/a.json"}),
        json!({"encryption": {"kmsKeyId": "alias/team", "context": {"department": "finance"}}}),
        json!({"encryption": {"kmsKeyId": "alias/team-b"}}),
        json!({"encryption": {"kmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}}),
        json!({"settings": {"vocabularyName": "team_words"}, "tags": {"stage": "test"}}),
        json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role("team")}}),
        json!({"transcriptionClassName": "serviced"}),
        json!({
            "transcriptionClassName": "strict",
            "encryption": {"kmsKeyId": "alias/a", "context": {"Department": "finance"}},
        }),
    ]
    .map(job)
    .into()
}

/// All attempts.
pub fn attacks() -> Vec<Attack> {
    [media(), output(), keys(), contexts(), names(), tags(), others()]
        .into_iter()
        .flatten()
        .collect()
}

fn row(name: &str, members: Value, reason: &'static str, field: &'static str, says: &'static str) -> Attack {
    Attack {
        name: name.to_owned(),
        spec: job(members),
        reason,
        field,
        says,
    }
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn media() -> Vec<Attack> {
    const FIELD: &str = "spec.media.mediaFileUri";
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
        row(
            &format!("media: {name}"),
            json!({"media": {"mediaFileUri": uri}}),
            reason,
            FIELD,
            says,
        )
    })
    .collect()
}

fn output() -> Vec<Attack> {
    const BUCKET: &str = "spec.outputBucketName";
    const KEY: &str = "spec.outputKey";
    let (bucket, key) = (
        |name: &str| json!({"outputBucketName": name}),
        |key: &str| json!({"outputKey": key}),
    );
    let no_bucket = |members: Value| {
        let mut members = members;
        members["transcriptionClassName"] = json!("serviced");
        members
    };
    vec![
        row(
            "a bucket of another",
            bucket("payroll-transcripts"),
            "NotAllowed",
            BUCKET,
            "does not allow this bucket",
        ),
        row(
            "a bucket that begins alike",
            bucket("team-transcripts2"),
            "NotAllowed",
            BUCKET,
            "does not allow this bucket",
        ),
        row(
            "a bucket in capitals",
            bucket("Team-transcripts"),
            "InvalidSpec",
            BUCKET,
            "must be a bucket name",
        ),
        row(
            "a bucket with a key",
            bucket("team-transcripts/payroll"),
            "InvalidSpec",
            BUCKET,
            "must be a bucket name",
        ),
        row(
            "a wildcard for a bucket",
            bucket("team-*"),
            "InvalidSpec",
            BUCKET,
            "must be a bucket name",
        ),
        row(
            "a key that climbs",
            key("../../payroll/a.json"),
            "NotAllowed",
            KEY,
            "segment of dots",
        ),
        row(
            "a key that climbs later",
            key("a/../../../b/"),
            "NotAllowed",
            KEY,
            "segment of dots",
        ),
        row(
            "a key from the top",
            key("/payroll/a.json"),
            "NotAllowed",
            KEY,
            "empty segment",
        ),
        row(
            "a key with an empty segment",
            key("a//b"),
            "NotAllowed",
            KEY,
            "empty segment",
        ),
        row(
            "a key with an encoded slash",
            key("..%2fpayroll/"),
            "InvalidSpec",
            KEY,
            "must be a key",
        ),
        row(
            "a key with a placeholder",
            key("{uid}/"),
            "InvalidSpec",
            KEY,
            "must be a key",
        ),
        row(
            "a key that is too long below the prefix",
            key(&"a".repeat(1000)),
            "NotAllowed",
            KEY,
            "over 1024",
        ),
        row(
            "a key where there is no bucket",
            no_bucket(key("a.json")),
            "OutputRequired",
            BUCKET,
            "spec.outputKey",
        ),
        row(
            "an encryption that nobody would do",
            no_bucket(json!({"encryption": {"kmsKeyId": "alias/a"}})),
            "OutputRequired",
            BUCKET,
            "only output in a bucket of yours can be encrypted",
        ),
    ]
}

fn keys() -> Vec<Attack> {
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
            row(&format!("key: {name}"), members, reason, FIELD, says)
        })
        .collect()
}

fn contexts() -> Vec<Attack> {
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
        row(&format!("context: {name}"), members, "InvalidSpec", field, says)
    });
    let of_others = [
        row(
            "context: the required pair is missing",
            strictly(json!({"a": "b"})),
            "NotAllowed",
            FIELD,
            "requires the pair 'department'",
        ),
        row(
            "context: personal data where it is refused",
            strictly(json!({"department": "jane.doe@example.com"})),
            "NotAllowed",
            FIELD,
            "looks like an e-mail address",
        ),
        row(
            "context: without a key",
            json!({"transcriptionClassName": "serviced", "encryption": {"context": {"a": "b"}}}),
            "InvalidSpec",
            FIELD,
            "needs a key",
        ),
        row(
            "no key where one is required",
            json!({"transcriptionClassName": "strict"}),
            "KeyRequired",
            "spec.encryption.kmsKeyId",
            "accepts no job without a key",
        ),
    ];
    of_team.chain(of_others).collect()
}

fn names() -> Vec<Attack> {
    const VOCABULARY: &str = "spec.settings.vocabularyName";
    const ROLE: &str = "spec.jobExecutionSettings.dataAccessRoleArn";
    let vocabulary = |name: &str| json!({"settings": {"vocabularyName": name}});
    let with_role =
        |role: String| json!({"jobExecutionSettings": {"allowDeferredExecution": true, "dataAccessRoleArn": role}});
    let no_name = "does not allow this name";
    let no_role = "does not allow this role";
    vec![
        row(
            "a vocabulary of another",
            vocabulary("payroll_words"),
            "NotAllowed",
            VOCABULARY,
            no_name,
        ),
        row(
            "a vocabulary of a namespace that begins alike",
            vocabulary("team-b_words"),
            "NotAllowed",
            VOCABULARY,
            no_name,
        ),
        row(
            "a vocabulary in capitals",
            vocabulary("Team_words"),
            "NotAllowed",
            VOCABULARY,
            no_name,
        ),
        row(
            "a vocabulary with a wildcard",
            vocabulary("team_*"),
            "InvalidSpec",
            VOCABULARY,
            "must be a name",
        ),
        row(
            "a vocabulary with a Cyrillic letter",
            vocabulary("t\u{435}am_words"),
            "InvalidSpec",
            VOCABULARY,
            "must be a name",
        ),
        row(
            "a filter of another",
            json!({"settings": {"vocabularyFilterName": "payroll_bad", "vocabularyFilterMethod": "mask"}}),
            "NotAllowed",
            "spec.settings.vocabularyFilterName",
            no_name,
        ),
        row(
            "a model of another",
            json!({"modelSettings": {"languageModelName": "payroll_model"}}),
            "NotAllowed",
            "spec.modelSettings.languageModelName",
            no_name,
        ),
        row(
            "a model of another, by language",
            json!({
                "languageCode": null, "identifyLanguage": true, "languageOptions": ["en-US", "de-DE"],
                "languageIdSettings": {"de-DE": {"languageModelName": "payroll_model"}},
            }),
            "NotAllowed",
            "spec.languageIdSettings[de-DE].languageModelName",
            no_name,
        ),
        row("a foreign role", with_role(role("admin")), "NotAllowed", ROLE, no_role),
        row(
            "a role that begins alike",
            with_role(role("team2")),
            "NotAllowed",
            ROLE,
            no_role,
        ),
        row(
            "a role in capitals",
            with_role(role("Team")),
            "NotAllowed",
            ROLE,
            no_role,
        ),
        row(
            "a role behind a path",
            with_role(role("x/team")),
            "NotAllowed",
            ROLE,
            no_role,
        ),
        row(
            "another account's role",
            with_role(format!("arn:aws:iam::{ANOTHER_ACCOUNT}:role/team")),
            "NotAllowed",
            ROLE,
            no_role,
        ),
        row(
            "a user for a role",
            with_role(format!("arn:aws:iam::{ACCOUNT}:user/team")),
            "InvalidSpec",
            ROLE,
            "IAM role",
        ),
    ]
}

fn tags() -> Vec<Attack> {
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
    .map(|(name, tags, reason, says)| row(&format!("tags: {name}"), json!({"tags": tags}), reason, FIELD, says))
    .collect()
}

fn others() -> Vec<Attack> {
    const FIELD: &str = "spec.transcriptionClassName";
    let class = |name: Value| json!({"transcriptionClassName": name});
    let it_may_use = "it may use 'serviced', 'strict', 'team'";
    vec![
        row(
            "a class of another namespace",
            class(json!("payroll")),
            "NoClass",
            FIELD,
            it_may_use,
        ),
        row(
            "a class that does not exist",
            class(json!("nothing")),
            "NoClass",
            FIELD,
            it_may_use,
        ),
        row(
            "a class by a path",
            class(json!("../payroll")),
            "InvalidSpec",
            FIELD,
            "must be the name of a class",
        ),
        row(
            "a class with a Cyrillic letter",
            class(json!("t\u{435}am")),
            "InvalidSpec",
            FIELD,
            "must be the name of a class",
        ),
        row(
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
        writeln!(text, "{name:<60} {reason:<18} {field}").ok();
        text
    })
}
