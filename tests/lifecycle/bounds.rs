//! Whatever a tenant asks for: what is accepted is within what the class allows. Judged anew here, by other means than the code's.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use transcribe_operator::{
    api::Kind,
    domain::{Desired, Rejection, Request},
};

use crate::{
    samples::minimal,
    world::{ACCOUNT, REGION, UID, class, head, subject},
};

const NAMESPACE: &str = "team";
const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const PARTS: [&str; 16] = [
    "team",
    "team2",
    "team-b",
    "payroll",
    "TEAM",
    "t\u{435}am",
    "a.wav",
    "..",
    ".",
    "",
    "%2e%2e",
    "..%2fpayroll",
    r"..\payroll",
    "{namespace}",
    "*",
    "a b",
];

fn arn(account: &str, resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{account}:{resource}")
}

/// Some of these, in this order.
fn some(of: &[&str]) -> impl Strategy<Value = Vec<String>> + use<> {
    let all: Vec<String> = of.iter().map(|item| (*item).to_owned()).collect();
    let most = all.len();
    prop_oneof![1 => subsequence(all.clone(), 0..=most), 2 => Just(all)]
}

/// The lists of a class: media, buckets, keys, names.
type Lists = (Vec<String>, Vec<String>, Vec<String>, Vec<String>);

fn lists() -> impl Strategy<Value = Lists> {
    let keys = [
        arn(ACCOUNT, "alias/team-*"),
        arn(ACCOUNT, &format!("key/{ID}")),
        arn("444455556666", "key/*"),
        "*".to_owned(),
    ];
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    (
        some(&[
            "s3://media/{namespace}/",
            "s3://media/shared",
            "s3://{namespace}-media/",
            "s3://media2/a b/",
        ]),
        some(&["team-archive", "shared-archive"]),
        prop_oneof![4 => some(&keys[..3]), 1 => some(&keys)],
        some(&["{namespace}_*", "shared", "common.*"]),
    )
}

fn path() -> impl Strategy<Value = String> {
    let of_parts = prop::collection::vec(select(PARTS.to_vec()), 1..5).prop_map(|parts| parts.join("/"));
    prop_oneof![3 => of_parts, 1 => "[ -~]{1,12}"]
}

fn media() -> impl Strategy<Value = String> {
    let buckets = select(vec![
        "media",
        "media2",
        "my-media",
        "team-media",
        "team2-media",
        "MEDIA",
    ]);
    let within = path().prop_map(|path| format!("team/{path}"));
    let shared = path().prop_map(|path| format!("shared{path}"));
    let any = (buckets, prop_oneof![path(), within, shared]).prop_map(|(bucket, path)| format!("s3://{bucket}/{path}"));
    prop_oneof![2 => any, 1 => "s3://media/team/[a-z/.%2ef ]{1,8}"]
}

fn key() -> impl Strategy<Value = String> {
    let resource = prop_oneof![
        select(vec![
            "alias/team",
            "alias/team-a",
            "alias/teams",
            "alias/Team-a",
            "alias/payroll",
            "alias/aws/s3"
        ])
        .prop_map(str::to_owned),
        "alias/team[a-z/_-]{0,3}",
        select(vec![
            ID.to_owned(),
            ID.replace('1', "2"),
            "mrk-1234abcd12ab34cd56ef1234567890ab".to_owned()
        ]),
    ];
    let account = select(vec![None, Some(ACCOUNT), Some("444455556666"), Some("999999999999")]);
    (account, resource, select(vec![REGION, REGION, REGION, "us-east-1"])).prop_map(|(account, resource, region)| {
        let Some(account) = account else { return resource };
        let typed = if resource.starts_with("alias/") {
            resource
        } else {
            format!("key/{resource}")
        };
        format!("arn:aws:kms:{region}:{account}:{typed}")
    })
}

fn pairs() -> impl Strategy<Value = Value> {
    let keys = select(vec![
        "namespace",
        "Namespace",
        "NAMESPACE",
        "department",
        "Department",
        "a",
        "b",
        "aws:c",
    ]);
    prop::collection::btree_map(keys, "[a-z]{1,8}", 1..4).prop_map(|pairs| json!(pairs))
}

fn tags() -> impl Strategy<Value = Value> {
    let keys = select(vec![
        "cost-center",
        "Cost-Center",
        "co\u{17f}t-center",
        "stage",
        "transcribe-operator.io/uid",
        "a",
        "b",
    ]);
    prop::collection::btree_map(keys, "[a-z]{0,8}", 0..4).prop_map(|tags| json!(tags))
}

/// A kind, and a spec of it with the members that the kind has.
fn requests() -> impl Strategy<Value = (Kind, Value)> {
    let buckets = select(vec![
        "team-archive",
        "shared-archive",
        "payroll-archive",
        "class-bucket",
        "team-archive2",
    ]);
    let names = select(vec![
        "team_words",
        "team-b_words",
        "shared",
        "shared2",
        "common.words",
        "Team_words",
        "payroll_words",
    ]);
    (
        select(Kind::ALL.to_vec()),
        media(),
        prop::option::weighted(0.2, buckets),
        prop::option::weighted(0.3, prop_oneof![path(), "[a-z/.]{1,10}"]),
        prop::option::weighted(0.5, key()),
        prop::option::weighted(0.2, pairs()),
        prop::option::weighted(0.2, names),
        prop::option::weighted(0.2, tags()),
    )
        .prop_map(|(kind, media, bucket, output, key, context, name, tags)| {
            let mut encryption = json!({});
            let mut spec = minimal(kind);
            spec["media"] = json!({"mediaFileUri": media});
            let calls = kind == Kind::CallAnalyticsJob;
            let mut set = |member: &str, value: Option<Value>| value.map(|value| spec[member] = value);
            if calls {
                let located = |bucket: &str| format!("s3://{bucket}/{}", output.clone().unwrap_or_default());
                set("outputLocation", bucket.map(|bucket| json!(located(bucket))));
            } else {
                set("outputBucketName", bucket.map(|bucket| json!(bucket)));
                let output = output.filter(|_| kind != Kind::MedicalScribeJob);
                set("outputKey", output.map(|key| json!(key)));
            }
            set("tags", tags);
            if let Some(name) = name {
                spec["settings"]["vocabularyName"] = json!(name);
            }
            let context = context.filter(|_| !calls);
            for (member, value) in [("kmsKeyId", key.map(|key| json!(key))), ("context", context)] {
                if let Some(value) = value {
                    encryption[member] = value;
                }
            }
            spec["encryption"] = encryption;
            (kind, spec)
        })
}

/// What a class says beside its lists.
#[derive(Clone, Copy, Debug)]
struct Rules {
    default_key: bool,
    /// Of kinds that AWS takes no context for, or no output key.
    exceptions: bool,
}

type Asked<'a> = (Kind, &'a Value);

fn bind(lists: &Lists, rules: Rules, account: Option<&str>, (kind, spec): Asked<'_>) -> Result<Desired, Rejection> {
    let (media, buckets, keys, names) = lists;
    let mut encryption = json!({"allowedKmsKeys": keys, "addedContext": {"namespace": "{namespace}"}});
    let mut output = json!({"bucketName": "class-bucket", "allowedBuckets": buckets});
    if rules.exceptions {
        encryption["kindsWithoutContext"] = json!("Allow");
        output["unprefixedKinds"] = json!(["MedicalScribeJob"]);
    }
    if rules.default_key {
        encryption["defaultKmsKeyId"] = json!("alias/team");
    }
    let class = class(
        account,
        json!({
            "region": REGION,
            "input": {"allowedUris": media},
            "output": output,
            "encryption": encryption,
            "resourceNames": names,
            "tags": {"cost-center": "4711"},
            "dataAccess": {"defaultRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/class")},
        }),
    );
    Desired::bind(Request::parse(kind, spec)?, &class, &head(), &subject())
}

/// The parts of a path as somebody resolves it who decodes it as often as he can and takes a backslash for a slash.
fn resolved(path: &str) -> Vec<String> {
    let mut path = path.to_owned();
    for (code, text) in [
        ("%25", "%"),
        ("%2e", "."),
        ("%2E", "."),
        ("%2f", "/"),
        ("%2F", "/"),
        ("%5c", "\\"),
        ("\\", "/"),
    ]
    .repeat(3)
    {
        path = path.replace(code, text);
    }
    path.split('/').fold(Vec::new(), |mut parts, part| {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part.to_owned()),
        }
        parts
    })
}

fn is_media_allowed(allowed: &[String], uri: &Value) -> bool {
    let parts = resolved(uri.as_str().unwrap().strip_prefix("s3://").unwrap());
    allowed.iter().any(|pattern| {
        let pattern = resolved(&pattern.replace("{namespace}", NAMESPACE)["s3://".len()..]);
        parts.starts_with(&pattern)
    })
}

fn is_key_allowed(lists: &Lists, default_key: bool, key: &str) -> bool {
    let written_out = match key {
        arn if arn.starts_with("arn:") => key.to_owned(),
        alias if alias.starts_with("alias/") => arn(ACCOUNT, alias),
        id => arn(ACCOUNT, &format!("key/{id}")),
    };
    let by_pattern = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => written_out.get(..start.len()) == Some(start),
        None => *pattern == written_out,
    };
    let in_region = written_out.split(':').nth(3) == Some(REGION);
    let is_default = default_key && written_out == arn(ACCOUNT, "alias/team");
    in_region && (is_default || lists.2.iter().any(by_pattern))
}

/// What of an accepted request is not within what the class allows.
fn outside(lists: &Lists, rules: Rules, desired: &Desired, (kind, spec): Asked<'_>) -> Option<&'static str> {
    let pinned = &desired.pinned;
    let bucket = pinned.output_bucket_name.clone().unwrap_or_default();
    let output = desired.pin(None, 1).output_key;
    let below = ["team", kind.name(), "call", &format!("{UID}-1")].map(str::to_owned);
    let keys: Vec<&String> = pinned.context.keys().collect();
    let distinct: BTreeSet<String> = keys.iter().map(|key| key.to_ascii_lowercase()).collect();
    let name = spec["settings"]["vocabularyName"].as_str();
    let is_name = |name: &str| {
        let allowed = |pattern: &str| lists.3.iter().any(|allowed| allowed == pattern);
        (allowed("{namespace}_*") && name.starts_with("team_"))
            || (allowed("shared") && name == "shared")
            || (allowed("common.*") && name.starts_with("common."))
    };
    let own: Vec<&String> = pinned
        .tags
        .keys()
        .filter(|key| key.to_uppercase() == "COST-CENTER")
        .collect();
    let key = desired.key.as_ref();
    let (calls, notes) = (kind == Kind::CallAnalyticsJob, kind == Kind::MedicalScribeJob);
    let is_below = |output: &String| resolved(output).starts_with(&below) && output.starts_with(&below.join("/"));
    let holds = [
        ("kind", rules.exceptions || !(calls || notes)),
        ("media", is_media_allowed(&lists.0, &spec["media"]["mediaFileUri"])),
        ("bucket", bucket == "class-bucket" || lists.1.contains(&bucket)),
        (
            "output key",
            output.as_ref().map_or(notes, |output| !notes && is_below(output)),
        ),
        (
            "key",
            key.is_none_or(|key| is_key_allowed(lists, rules.default_key, key.as_str())),
        ),
        (
            "context without a key, or where AWS takes none",
            (key.is_some() && !calls) || keys.is_empty(),
        ),
        (
            "context",
            key.is_none() || calls || pinned.context.get("namespace").is_some_and(|value| value == NAMESPACE),
        ),
        ("keys of the context", distinct.len() == keys.len() && keys.len() <= 10),
        ("name", name.is_none_or(is_name)),
        ("tags", own.len() == 1 && pinned.tags["cost-center"] == "4711"),
        ("our tags", pinned.tags["transcribe-operator.io/uid"] == UID),
    ];
    holds.into_iter().find(|(_, holds)| !holds).map(|(what, _)| what)
}

#[test]
fn nothing_outside_of_what_the_class_allows_is_ever_accepted() {
    let accepted = RefCell::new(BTreeMap::<Kind, usize>::new());
    let config = Config {
        cases: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rules = (any::<bool>(), prop::bool::weighted(0.8)).prop_map(|(default_key, exceptions)| Rules {
        default_key,
        exceptions,
    });
    let inputs = (lists(), rules, any::<bool>(), requests());
    TestRunner::new(config)
        .run(&inputs, |(lists, rules, verified, (kind, spec))| {
            let (account, asked) = (verified.then_some(ACCOUNT), (kind, &spec));
            if let Ok(desired) = bind(&lists, rules, account, asked) {
                // What is not judged yet is bound again before anything is sent.
                prop_assert!(desired.key_is_judged() || !verified);
                let bound_again = bind(&lists, rules, Some(ACCOUNT), asked);
                let last = if verified { Some(desired) } else { bound_again.ok() };
                let outside = last.and_then(|desired| outside(&lists, rules, &desired, asked));
                if let Some(what) = outside {
                    return Err(TestCaseError::fail(what));
                }
                *accepted.borrow_mut().entry(kind).or_default() += 1;
            }
            Ok(())
        })
        .unwrap();
    let accepted = accepted.into_inner();
    println!("{accepted:?} accepted");
    for kind in Kind::ALL {
        assert!(accepted[kind] > 250, "{accepted:?} accepted");
    }
}
