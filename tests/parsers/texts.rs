//! The other words of the API: each text is held against every one of them.

use std::str::FromStr;
use std::sync::LazyLock;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;
use transcribe_operator::api::types::{
    BucketName, ClassName, ContextKey, ContextValue, LanguageCode, OutputKey, PiiEntityType, ResourceName, RoleArn,
    S3Uri, TagKey, TagValue,
};

use crate::oracle::Oracle;
use crate::{cases, fuzz, making};

const STOCK: &[&str] = &[
    "s3://media/call.wav",
    "s3://finance-media.eu/a/b c/\u{e4}.mp3",
    "finance-transcripts",
    "calls/2026/(a)!*'.json",
    "terms_1.a-b",
    "finance.class-a",
    "arn:aws:iam::111122223333:role/service-role/data",
    "arn:aws-eusc:iam::111122223333:role/a+b=c,d.e@f-g",
    "en-US",
    "zh-Hans-CN",
    "CREDIT_DEBIT_NUMBER",
    "SSN",
    "cost-center",
    "aws:cost",
    "transcribe-operator.io/uid",
    "gr\u{f6}\u{df}e",
];

/// A type by its parser, and by its schema.
pub struct Word {
    name: &'static str,
    parses: fn(&str) -> bool,
    schema: Oracle,
}

pub fn word<T: FromStr + JsonSchema>(name: &'static str) -> Word {
    Word {
        name,
        parses: |text| text.parse::<T>().is_ok(),
        schema: Oracle::new(T::json_schema(&mut SchemaGenerator::default()).to_value()),
    }
}

static WORDS: LazyLock<[Word; 12]> = LazyLock::new(|| {
    [
        word::<S3Uri>("S3Uri"),
        word::<BucketName>("BucketName"),
        word::<OutputKey>("OutputKey"),
        word::<ResourceName>("ResourceName"),
        word::<ClassName>("ClassName"),
        word::<RoleArn>("RoleArn"),
        word::<LanguageCode>("LanguageCode"),
        word::<PiiEntityType>("PiiEntityType"),
        word::<ContextKey>("ContextKey"),
        word::<ContextValue>("ContextValue"),
        word::<TagKey>("TagKey"),
        word::<TagValue>("TagValue"),
    ]
});

/// Parser and schema agree, for each type. How many of them accept the text.
pub fn accepted(words: &[Word], text: &str, schema: fn(&Oracle, &Value) -> bool) -> Result<usize, String> {
    let value = Value::from(text);
    let mut accepted = 0;
    for word in words {
        let (parser, schema) = ((word.parses)(text), schema(&word.schema, &value));
        if parser != schema {
            return Err(format!(
                "{}: the parser says {parser}, and the schema {schema}",
                word.name
            ));
        }
        accepted += usize::from(parser);
    }
    Ok(accepted)
}

/// Whether more than half of the types accept the text.
fn agree(text: &String) -> Result<bool, String> {
    let accepted = accepted(&*WORDS, text, Oracle::accepts)?;
    if let Ok(uri) = text.parse::<S3Uri>() {
        let (bucket, key) = uri.parts();
        if format!("s3://{bucket}/{key}") != *text || key.is_empty() || bucket.parse::<BucketName>().is_err() {
            return Err(format!("its parts are {bucket} and {key}"));
        }
    }
    Ok(accepted > WORDS.len() / 2)
}

#[test]
fn other_words() {
    fuzz("other words", cases(), making::texts(STOCK), agree);
}
