//! Right identifiers: every shape in every partition, the documentation's examples, lengths up to the bound; and identifiers
//! that are right for another class.

use crate::cases::{ACCOUNT, Case, ID, KEY, MRK, REGION, arn, key};
use crate::verdict::{everywhere_denied, fine, from_bind, only_live};

/// Each partition with a Region of it. Where the Region is not the class's, only who knows the class denies it.
const PARTITIONS: [(&str, &str); 8] = [
    ("aws", REGION),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
    ("aws-eusc", "eusc-de-east-1"),
];

pub fn cases() -> Vec<Case> {
    let mut cases = bare();
    cases.extend(arns());
    cases.extend(documentation());
    cases.extend(lengths());
    cases.extend(of_another_class());
    cases
}

fn bare() -> Vec<Case> {
    vec![
        key("key id", ID, fine()),
        key("multi-Region key id", MRK, fine()),
        key("alias", "alias/transcripts", fine()),
        key(
            "alias with slashes, underscores and hyphens",
            "alias/finance/eu_1-a",
            fine(),
        ),
        key("alias in capitals", "alias/FINANCE", fine()),
        key("alias that is a key id", format!("alias/{ID}"), fine()),
        key("alias named aws", "alias/aws", fine()),
        key("alias whose name begins with aws", "alias/aws-transcripts", fine()),
        key("alias with aws below", "alias/finance/aws/s3", fine()),
        key("alias AWS in capitals", "alias/AWS/s3", fine()),
        key("alias of slashes", "alias///", fine()),
    ]
}

fn arns() -> Vec<Case> {
    let mut cases = Vec::new();
    for (partition, region) in PARTITIONS {
        let verdict = || if region == REGION { fine() } else { only_live(KEY) };
        let shapes = [
            ("key ARN", format!("key/{ID}")),
            ("multi-Region key ARN", format!("key/{MRK}")),
            ("alias ARN", "alias/finance/transcripts".to_owned()),
        ];
        for (shape, resource) in shapes {
            let arn = format!("arn:{partition}:kms:{region}:{ACCOUNT}:{resource}");
            cases.push(key(&format!("{shape} in {partition}"), arn, verdict()));
        }
    }
    cases
}

/// From the KMS developer guide, the IAM user guide and the developer guide of Amazon Transcribe.
fn documentation() -> Vec<Case> {
    let other_region = |resource: &str| format!("arn:aws:kms:us-west-2:111122223333:{resource}");
    vec![
        key(
            "KMS guide: second key id",
            "0987dcba-09fe-87dc-65ba-ab0987654321",
            fine(),
        ),
        key("KMS guide: alias", "alias/ExampleAlias", fine()),
        key(
            "KMS guide: key ARN in us-west-2",
            other_region(&format!("key/{ID}")),
            only_live(KEY),
        ),
        key(
            "KMS guide: alias ARN in us-west-2",
            other_region("alias/ExampleAlias"),
            only_live(KEY),
        ),
        key(
            "KMS guide: multi-Region key ARN in us-west-2",
            other_region(&format!("key/{MRK}")),
            only_live(KEY),
        ),
        key("IAM guide: all keys", other_region("key/*"), everywhere_denied(KEY)),
        key(
            "IAM guide: all keys everywhere",
            "arn:aws:kms:*:111122223333:key/*",
            everywhere_denied(KEY),
        ),
        key(
            "IAM guide: aliases by wildcard",
            other_region("alias/finance-*"),
            everywhere_denied(KEY),
        ),
        key("IAM guide: everything", "*", everywhere_denied(KEY)),
        key(
            "Transcribe guide: placeholders",
            "arn:aws:kms:region:account-ID:key/KEY_ID",
            everywhere_denied(KEY),
        ),
        key(
            "Transcribe guide: placeholder alias",
            "alias/<alias-name>",
            everywhere_denied(KEY),
        ),
        key(
            "IAM guide: the account's root",
            "arn:aws:iam::111122223333:root",
            everywhere_denied(KEY),
        ),
    ]
}

fn lengths() -> Vec<Case> {
    let (most, more) = ("a".repeat(250), "a".repeat(251));
    vec![
        key("alias of one letter", "alias/a", fine()),
        key("alias of 250 letters", format!("alias/{most}"), fine()),
        key("alias of 251 letters", format!("alias/{more}"), everywhere_denied(KEY)),
        key("alias ARN of 250 letters", arn(&format!("alias/{most}")), fine()),
        key(
            "alias ARN of 251 letters",
            arn(&format!("alias/{more}")),
            everywhere_denied(KEY),
        ),
        key(
            "2048 characters",
            format!("alias/{}", "a".repeat(2042)),
            everywhere_denied(KEY),
        ),
        key(
            "2049 characters",
            format!("alias/{}", "a".repeat(2043)),
            everywhere_denied(KEY),
        ),
    ]
}

fn of_another_class() -> Vec<Case> {
    let alias = |partition: &str, region: &str, account: &str| {
        format!("arn:{partition}:kms:{region}:{account}:alias/transcripts")
    };
    vec![
        key(
            "alias ARN of another Region",
            alias("aws", "eu-west-2", ACCOUNT),
            only_live(KEY),
        ),
        key(
            "key ARN of another account",
            format!("arn:aws:kms:{REGION}:444455556666:key/{ID}"),
            only_live(KEY),
        ),
        key(
            "alias ARN of another account",
            alias("aws", REGION, "444455556666"),
            only_live(KEY),
        ),
        key(
            "alias ARN of account 0",
            alias("aws", REGION, "000000000000"),
            only_live(KEY),
        ),
        key(
            "the class's Region in another partition",
            alias("aws-cn", REGION, ACCOUNT),
            from_bind(KEY),
        ),
        key(
            "a Region of China in the class's partition",
            alias("aws", "cn-north-1", ACCOUNT),
            from_bind(KEY),
        ),
    ]
}
