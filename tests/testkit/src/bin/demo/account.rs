//! The AWS account that the demo works in. What is not allowed here, the simulated AWS refuses.

use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, Bucket, DEFAULT_ACCOUNT, Key, Role, User};
use testkit::operator::ACCESS_KEY;
use testkit::stage::REGION;

/// An alias of a symmetric key.
pub(crate) const KEY: &str = "alias/finance-transcripts";
/// An alias of a key for signatures.
pub(crate) const SIGNING_KEY: &str = "alias/finance-signatures";
/// The role with which AWS HealthScribe works; `class.yaml` names it.
const DATA_ROLE: &str = "arn:aws:iam::111122223333:role/transcribe-data-finance";

const MEDIA: &str = "finance-media";
const TRANSCRIPTS: &str = "finance-transcripts";

/// Makes the keys, the buckets, and who may use them.
pub(crate) fn furnish(aws: &AwsSim) -> anyhow::Result<()> {
    let symmetric = Key::new(REGION, "0d990263-018e-4e65-a703-eff731de951e");
    let signing = Key {
        key_spec: "RSA_2048".to_owned(),
        key_usage: "SIGN_VERIFY".to_owned(),
        ..Key::new(REGION, "9f2c6d35-6d3a-4b0e-9b7e-0c4e1a2b3c4d")
    };
    for (alias, key) in [(KEY, symmetric), (SIGNING_KEY, signing)] {
        let arn = key.arn();
        aws.put_key(key)?;
        aws.put_alias(alias, &arn)?;
    }
    for bucket in [MEDIA, TRANSCRIPTS] {
        aws.put_bucket(Bucket::new(bucket, DEFAULT_ACCOUNT))?;
    }
    let operator = format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/transcribe-operator");
    let rights = policy(&[&[jobs(), pass_role()], &uses()[..]].concat());
    aws.put_user(User::new(&operator, ACCESS_KEY, rights))?;
    let trust =
        json!({"Effect": "Allow", "Principal": {"Service": "transcribe.amazonaws.com"}, "Action": "sts:AssumeRole"});
    aws.put_role(Role::new(DATA_ROLE, policy(&[trust]), policy(&uses())))
}

fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

fn jobs() -> Value {
    let each = ["Start*Job", "Get*Job", "List*Jobs", "Delete*Job", "TagResource"];
    let actions = each.map(|action| format!("transcribe:{action}"));
    allow(&actions.each_ref().map(String::as_str), "*")
}

fn pass_role() -> Value {
    let mut allowed = allow(&["iam:PassRole"], DATA_ROLE);
    allowed["Condition"] = json!({"StringEquals": {"iam:PassedToService": "transcribe.amazonaws.com"}});
    allowed
}

/// What Transcribe does in the operator's name, and HealthScribe in that of its role.
fn uses() -> [Value; 3] {
    let keys = format!("arn:aws:kms:{REGION}:{DEFAULT_ACCOUNT}:key/*");
    [
        allow(&["s3:GetObject"], &format!("arn:aws:s3:::{MEDIA}/*")),
        allow(&["s3:PutObject"], &format!("arn:aws:s3:::{TRANSCRIPTS}/*")),
        allow(
            &["kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
            &keys,
        ),
    ]
}
