//! The words of a `TranscriptionClass`: each text is held against every one of them.

use std::sync::LazyLock;

use transcribe_operator::api::class_patterns::{
    BucketPattern, ClassRoleArn, ContextTemplate, ExternalId, KeyPattern, KeyPrefix, NamePattern, RegionName,
    RolePattern, UriPattern,
};

use crate::oracle::Oracle;
use crate::texts::{Word, accepted, word};
use crate::{CEL_SHARE, cases, fuzz, making};

const STOCK: &[&str] = &[
    "*",
    "s3://media/",
    "s3://media-{namespace}/calls/{namespace}/a b",
    "s3://media/../a",
    "finance-transcripts",
    "{namespace}/{kind}/{name}/{uid}-{attempt}/",
    "{namespace}/{uid}/",
    "a/{namespace}/b/./{uid}/",
    "arn:aws:kms:eu-west-1:111122223333:alias/finance-*",
    "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
    "{namespace}",
    "job {name} of {kind}",
    "{namespace}_*",
    "{namespace}-*",
    "finance.*",
    "arn:aws:iam::111122223333:role/service-role/data",
    "arn:aws-eusc:iam::111122223333:role/a+b=c,d.e@f-g",
    "eu-west-1",
    "us-isob-east-1",
    "finance-7f3a",
];

static WORDS: LazyLock<[Word; 10]> = LazyLock::new(|| {
    [
        word::<RegionName>("RegionName"),
        word::<ExternalId>("ExternalId"),
        word::<UriPattern>("UriPattern"),
        word::<BucketPattern>("BucketPattern"),
        word::<KeyPrefix>("KeyPrefix"),
        word::<KeyPattern>("KeyPattern"),
        word::<ContextTemplate>("ContextTemplate"),
        word::<NamePattern>("NamePattern"),
        word::<ClassRoleArn>("ClassRoleArn"),
        word::<RolePattern>("RolePattern"),
    ]
});

#[test]
fn class_patterns() {
    fuzz("class words", cases() / 4, making::texts(STOCK), |text| {
        accepted(&*WORDS, text, Oracle::accepts).map(|accepted| accepted > 2)
    });
}

#[test]
fn class_words_by_cel() {
    fuzz(
        "class words by CEL",
        cases() / CEL_SHARE,
        making::texts(STOCK),
        |text| accepted(&*WORDS, text, Oracle::accepts_by_cel).map(|accepted| accepted > 2),
    );
}
