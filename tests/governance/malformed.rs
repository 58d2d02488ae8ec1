//! Wrong identifiers that are easily written.

use crate::cases::{ACCOUNT, Case, ID, KEY, MRK, REGION, arn, key};
use crate::verdict::everywhere_denied;

pub fn cases() -> Vec<Case> {
    [ids(), aliases(), arns(), accounts(), managed()]
        .into_iter()
        .flatten()
        .map(|(name, text)| key(name, text, everywhere_denied(KEY)))
        .collect()
}

type Row = (&'static str, String);

fn ids() -> Vec<Row> {
    vec![
        ("empty key", String::new()),
        ("key id in capitals", ID.to_uppercase()),
        ("one capital in a key id", ID.replacen('a', "A", 1)),
        ("key id without dashes", ID.replace('-', "")),
        ("key id of 35 characters", ID[..35].to_owned()),
        ("key id of 37 characters", format!("{ID}0")),
        ("key id with a letter beyond f", ID.replacen('a', "g", 1)),
        ("key id in braces", format!("{{{ID}}}")),
        ("key id with key/ before it", format!("key/{ID}")),
        ("key id with a path behind it", format!("{ID}/x")),
        ("multi-Region key id with dashes", format!("mrk-{ID}")),
        ("multi-Region key id in capitals", MRK.to_uppercase()),
        ("multi-Region key id of 31 digits", MRK[..35].to_owned()),
        ("two key ids", format!("{ID},{ID}")),
    ]
}

fn aliases() -> Vec<Row> {
    vec![
        ("alias without its prefix", "transcripts".to_owned()),
        ("alias without a name", "alias/".to_owned()),
        ("the prefix alone", "alias".to_owned()),
        ("Alias with a capital", "Alias/transcripts".to_owned()),
        ("alias with a leading slash", "/alias/transcripts".to_owned()),
        ("alias with a dot", "alias/finance.transcripts".to_owned()),
        ("alias with a colon", "alias/finance:transcripts".to_owned()),
        ("alias with a blank", "alias/finance transcripts".to_owned()),
        ("alias with a wildcard", "alias/finance-*".to_owned()),
        ("alias in a variable", "alias/${TEAM}".to_owned()),
    ]
}

fn arns() -> Vec<Row> {
    vec![
        ("ARN of five parts", format!("arn:aws:kms:{REGION}:{ACCOUNT}")),
        ("ARN of seven parts", arn(&format!("key:{ID}"))),
        ("ARN with a colon behind it", arn(&format!("key/{ID}:"))),
        ("ARN with a path behind it", arn(&format!("key/{ID}/x"))),
        ("ARN of no resource", arn("")),
        ("ARN of a key without an id", arn("key/")),
        ("ARN of an alias without a name", arn("alias/")),
        ("ARN of an id without key/", arn(ID)),
        (
            "ARN of a key id in capitals",
            arn(&format!("key/{}", ID.to_uppercase())),
        ),
        ("ARN of a dashed multi-Region key id", arn(&format!("key/mrk-{ID}"))),
        ("ARN of an alias as a key", arn("key/alias/transcripts")),
        ("ARN of S3", format!("arn:aws:s3:{REGION}:{ACCOUNT}:key/{ID}")),
        (
            "ARN of KMS in capitals",
            format!("arn:aws:KMS:{REGION}:{ACCOUNT}:key/{ID}"),
        ),
        (
            "ARN of another cloud",
            format!("arn:gcp:kms:{REGION}:{ACCOUNT}:key/{ID}"),
        ),
        (
            "ARN of a partition aws-",
            format!("arn:aws-:kms:{REGION}:{ACCOUNT}:key/{ID}"),
        ),
        ("ARN in capitals", format!("ARN:aws:kms:{REGION}:{ACCOUNT}:key/{ID}")),
        (
            "ARN without a partition",
            format!("arn::kms:{REGION}:{ACCOUNT}:key/{ID}"),
        ),
        ("ARN without a service", format!("arn:aws::{REGION}:{ACCOUNT}:key/{ID}")),
        ("ARN without a Region", format!("arn:aws:kms::{ACCOUNT}:key/{ID}")),
        (
            "ARN of a Region in capitals",
            format!("arn:aws:kms:EU-WEST-1:{ACCOUNT}:key/{ID}"),
        ),
        (
            "ARN of an availability zone",
            format!("arn:aws:kms:eu-west-1a:{ACCOUNT}:key/{ID}"),
        ),
        ("ARN of a bare arn:", "arn:".to_owned()),
        ("ARN with a scheme", format!("kms://{}", arn(&format!("key/{ID}")))),
    ]
}

fn accounts() -> Vec<Row> {
    let of = |account: &str| format!("arn:aws:kms:{REGION}:{account}:key/{ID}");
    vec![
        ("ARN without an account", of("")),
        ("ARN of an account of 11 digits", of("11112222333")),
        ("ARN of an account of 13 digits", of("1111222233334")),
        ("ARN of an account with dashes", of("1111-2222-3333")),
        ("ARN of the account aws", of("aws")),
    ]
}

/// AWS managed keys: nobody can share them with Amazon Transcribe, and asking for one may make it.
fn managed() -> Vec<Row> {
    vec![
        ("AWS managed key of S3", "alias/aws/s3".to_owned()),
        ("AWS managed key of no service", "alias/aws/".to_owned()),
        ("AWS managed key, nested", "alias/aws/s3/x".to_owned()),
        ("ARN of an AWS managed key", arn("alias/aws/s3")),
        ("ARN of a nested AWS managed key", arn("alias/aws/s3/x")),
        (
            "ARN of an AWS managed key elsewhere",
            "arn:aws-cn:kms:cn-north-1:444455556666:alias/aws/ebs".to_owned(),
        ),
    ]
}
