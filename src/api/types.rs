//! The value types of the API: names, URIs, keys, and small enums of AWS.
//!
//! Patterns are those of the AWS model where it has one, and match the whole value, as in AWS. Go's regular
//! expressions, which the API server uses, allow no repeat count above 1000, so a larger bound is in the length only.

use crate::api::{
    encryption::partition_pattern,
    text::{closed_enum, text},
};

pub use crate::api::bounded::{Int, List, Map, UNBOUNDED};
pub use crate::api::encryption::{ContextKey, ContextValue, KeyForm, KmsKeyRef, partition};
pub use crate::api::text::{Invalid, Text, TextRule};

macro_rules! bucket {
    () => {
        r"[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9]"
    };
}

text! {
    /// An object in Amazon S3, as `s3://bucket/key`.
    S3Uri {
        pattern: concat!("^s3://", bucket!(), r"/[^\x00-\x1f\x7f]+$"),
        length: 8..=2000,
        expected: "an object in Amazon S3, as s3://bucket/key",
    }
}

impl S3Uri {
    /// The bucket and the key.
    pub fn parts(&self) -> (&str, &str) {
        bucket_and_key(self.as_str())
    }
}

fn bucket_and_key(uri: &str) -> (&str, &str) {
    let path = uri.strip_prefix("s3://").unwrap_or_default();
    path.split_once('/').unwrap_or((path, ""))
}

/// The three forms of OutputLocation, from the documentation of StartCallAnalyticsJob.
const A_FOLDER_OR_A_FILE: [TextRule; 1] = [TextRule {
    of: "^s3://[^/]+/[^/]",
    must_match: Some(r"(?:/|\.json)$"),
    message: "must end in a slash when it is a folder (s3://bucket/folder/), or in .json when it is the file itself",
}];

text! {
    /// An output location in Amazon S3: a bucket, a folder or a file.
    OutputLocation {
        pattern: concat!("^s3://", bucket!(), r"(?:/[^\x00-\x1f\x7f]*)?$"),
        length: 8..=2000,
        expected: "a place in Amazon S3, as s3://bucket, s3://bucket/folder/ or s3://bucket/folder/name.json",
        rules: A_FOLDER_OR_A_FILE,
    }
}

impl OutputLocation {
    /// The bucket, and the key or key prefix in it.
    pub fn parts(&self) -> (&str, &str) {
        bucket_and_key(self.as_str())
    }
}

text! {
    /// The name of a bucket in Amazon S3.
    BucketName {
        pattern: concat!("^(?:", bucket!(), ")$"),
        length: 3..=64,
        expected: "a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, and no ARN",
    }
}

text! {
    /// The key of an object in Amazon S3, or a key prefix.
    OutputKey {
        pattern: "^(?:[a-zA-Z0-9-_.!*'()/]+)$",
        length: 1..=1024,
        expected: "a key of letters, digits and -_.!*'()/ (Amazon Transcribe takes no others)",
    }
}

text! {
    /// The name of a vocabulary, a vocabulary filter or a language model in Amazon Transcribe.
    ResourceName {
        pattern: "^(?:[0-9a-zA-Z._-]+)$",
        length: 1..=200,
        expected: "a name of letters, digits, dots, underscores and hyphens",
    }
}

text! {
    /// The name of a `TranscriptionClass`.
    ClassName {
        pattern: r"^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$",
        length: 1..=253,
        expected: "the name of a class: lower-case letters, digits, hyphens and dots",
    }
}

text! {
    /// The ARN of an IAM role.
    RoleArn {
        pattern: concat!("^arn:", partition_pattern!(), ":iam::[0-9]{0,63}:role/[A-Za-z0-9:_/+=,@.-]*$"),
        length: 20..=2048,
        expected: "the ARN of an IAM role, as arn:aws:iam::111122223333:role/name",
    }
}

text! {
    /// A language code of Amazon Transcribe, such as `en-US`. Any code of this form is passed on to AWS.
    LanguageCode {
        pattern: "^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})+$",
        length: 4..=35,
        expected: "a language code, such as en-US",
    }
}

text! {
    /// A type of personally identifiable information, such as `SSN`. Any type of this form is passed on to AWS.
    PiiEntityType {
        pattern: "^[A-Z][A-Z0-9_]*$",
        length: 1..=128,
        expected: "a PII type of Amazon Transcribe in capitals, such as SSN, or ALL",
    }
}

/// Ignores case, because IAM compares the keys of tags without regard to it.
const NO_RESERVED_TAG: [TextRule; 1] = [TextRule {
    of: "^(?i:aws:|transcribe-operator\\.io/)",
    must_match: None,
    message: "must not begin with aws: or transcribe-operator.io/ (both are reserved)",
}];

text! {
    /// The key of a tag.
    TagKey {
        pattern: r"^[^\x00-\x1f\x7f]+$",
        length: 1..=128,
        expected: "1 to 128 characters, without control characters",
        rules: NO_RESERVED_TAG,
    }
}

text! {
    /// The value of a tag. It may be empty.
    TagValue {
        pattern: r"^[^\x00-\x1f\x7f]*$",
        length: 0..=256,
        expected: "at most 256 characters, without control characters",
    }
}

closed_enum! {
    /// The format of a media file.
    MediaFormat {
        /// MP3.
        Mp3 = "mp3",
        /// MP4.
        Mp4 = "mp4",
        /// WAV.
        Wav = "wav",
        /// FLAC.
        Flac = "flac",
        /// Ogg.
        Ogg = "ogg",
        /// AMR.
        Amr = "amr",
        /// WebM.
        Webm = "webm",
        /// M4A.
        M4a = "m4a",
    }
}

closed_enum! {
    /// What happens to a word that is in the vocabulary filter.
    VocabularyFilterMethod {
        /// The word is left out.
        Remove = "remove",
        /// The word is shown as `***`.
        Mask = "mask",
        /// The word is kept and flagged.
        Tag = "tag",
    }
}

closed_enum! {
    /// What is redacted.
    RedactionType {
        /// Personally identifiable information.
        Pii = "PII",
    }
}

closed_enum! {
    /// Which transcripts a job with redaction produces.
    RedactionOutput {
        /// Only the redacted one.
        Redacted = "redacted",
        /// Both.
        RedactedAndUnredacted = "redacted_and_unredacted",
    }
}

closed_enum! {
    /// The format of a subtitle file.
    SubtitleFormat {
        /// WebVTT.
        Vtt = "vtt",
        /// SubRip.
        Srt = "srt",
    }
}

closed_enum! {
    /// A category of toxic speech.
    ToxicityCategory {
        /// All categories.
        All = "ALL",
    }
}

closed_enum! {
    /// What is labelled in a medical transcript.
    MedicalContentIdentificationType {
        /// Personal health information.
        Phi = "PHI",
    }
}

closed_enum! {
    /// A medical specialty.
    Specialty {
        /// Primary care.
        PrimaryCare = "PRIMARYCARE",
    }
}

closed_enum! {
    /// Who speaks in medical media.
    MedicalType {
        /// Several people.
        Conversation = "CONVERSATION",
        /// One person.
        Dictation = "DICTATION",
    }
}

closed_enum! {
    /// Who speaks on a channel of a call.
    ParticipantRole {
        /// The agent.
        Agent = "AGENT",
        /// The customer.
        Customer = "CUSTOMER",
    }
}

closed_enum! {
    /// Who speaks on a channel of a medical conversation.
    MedicalScribeParticipantRole {
        /// The patient.
        Patient = "PATIENT",
        /// The clinician.
        Clinician = "CLINICIAN",
    }
}

closed_enum! {
    /// How a clinical note is laid out.
    NoteTemplate {
        /// The sections of a clinical document, such as chief complaint, assessment and plan.
        HistoryAndPhysical = "HISTORY_AND_PHYSICAL",
        /// Goal, intervention, response, progress, plan.
        Girpp = "GIRPP",
        /// Behavior, intervention, response, plan.
        Birp = "BIRP",
        /// Situation, intervention, response, plan.
        Sirp = "SIRP",
        /// Data, assessment, plan.
        Dap = "DAP",
        /// Subjective, objective, assessment, plan, about behavioral health.
        BehavioralSoap = "BEHAVIORAL_SOAP",
        /// Subjective, objective, assessment, plan, about physical health.
        PhysicalSoap = "PHYSICAL_SOAP",
    }
}

closed_enum! {
    /// A patient's pronouns.
    Pronouns {
        /// He, him.
        HeHim = "HE_HIM",
        /// She, her.
        SheHer = "SHE_HER",
        /// They, them.
        TheyThem = "THEY_THEM",
    }
}

closed_enum! {
    /// What happens to the job's record in Amazon Transcribe when the object is deleted.
    DeletionPolicy {
        /// The record is deleted.
        Delete = "Delete",
        /// The record stays until Amazon Transcribe removes it (90 days).
        Retain = "Retain",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::str::FromStr;

    use kube::core::cel::Validator;
    use schemars::{JsonSchema, SchemaGenerator};
    use serde_json::json;

    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
    const MRK: &str = "mrk-1234abcd12ab34cd56ef1234567890ab";

    fn accepts<T: FromStr>(values: &[&str]) {
        for value in values {
            assert!(value.parse::<T>().is_ok(), "should be accepted: {value}");
        }
    }

    fn rejects<T: FromStr<Err = Invalid>>(values: &[&str]) {
        for value in values {
            let Err(error) = value.parse::<T>() else {
                panic!("should be rejected: {value}")
            };
            assert!(error.to_string().starts_with("must "), "{error}");
        }
    }

    #[test]
    fn accepts_the_four_forms_of_a_key_in_every_partition_and_reads_their_parts() {
        let form = |text: &str| format!("{:?}", text.parse::<KmsKeyRef>().unwrap().form());
        assert_eq!(form(ID), format!("KeyId({ID:?})"));
        assert_eq!(form(MRK), format!("KeyId({MRK:?})"));
        assert_eq!(form("alias/finance/eu_1-a"), r#"AliasName("alias/finance/eu_1-a")"#);
        for partition in [
            "aws",
            "aws-cn",
            "aws-us-gov",
            "aws-iso",
            "aws-iso-b",
            "aws-iso-f",
            "aws-eusc",
        ] {
            let (region, account, alias) = ("xx-west-1", "111122223333", "alias/a");
            let key: KmsKeyRef = format!("arn:{partition}:kms:{region}:{account}:key/{MRK}")
                .parse()
                .unwrap();
            assert_eq!(
                key.form(),
                KeyForm::KeyArn {
                    partition,
                    region,
                    account,
                    key_id: MRK
                }
            );
            let key: KmsKeyRef = format!("arn:{partition}:kms:{region}:{account}:alias/a")
                .parse()
                .unwrap();
            assert_eq!(
                key.form(),
                KeyForm::AliasArn {
                    partition,
                    region,
                    account,
                    alias
                }
            );
        }
    }

    #[test]
    fn rejects_what_is_no_key_and_aws_managed_keys() {
        rejects::<KmsKeyRef>(&[
            "",
            "ExampleAlias",
            "alias/",
            "alias/a b",
            &format!("alias/{}", "a".repeat(251)),
            "1234abcd12ab34cd56ef1234567890ab",
            "mrk-1234abcd-12ab-34cd-56ef-1234567890ab",
            &format!("{ID}\n"),
            &format!(" {ID}"),
            &format!("arn:aws:kms:eu-west-1:11112222333:key/{ID}"),
            &format!("arn:aws:kms::111122223333:key/{ID}"),
            &format!("arn:gcp:kms:eu-west-1:111122223333:key/{ID}"),
            &format!("arn:aws:s3:eu-west-1:111122223333:key/{ID}"),
            "arn:aws:kms:eu-west-1:111122223333:alias/",
            "alias/aws/s3",
            "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
        ]);
        let error = "alias/aws/s3".parse::<KmsKeyRef>().unwrap_err();
        assert!(error.to_string().contains("customer managed"), "{error}");
        accepts::<KmsKeyRef>(&["alias/aws", "alias/awsome/s3", &format!("alias/{}", "a".repeat(250))]);
    }

    #[test]
    fn accepts_and_rejects_the_other_words() {
        accepts::<S3Uri>(&["s3://bucket/call.wav", "s3://a.b-c/ein Ordner/größe=1.wav"]);
        rejects::<S3Uri>(&[
            "s3://bucket",
            "s3://bucket/",
            "S3://bucket/k",
            "https://bucket/k",
            "s3://Bucket/k",
            "s3://b/k",
        ]);
        accepts::<OutputLocation>(&[
            "s3://bucket",
            "s3://bucket/",
            "s3://bucket/a b/",
            "s3://bucket/a/b.json",
        ]);
        rejects::<OutputLocation>(&[
            "s3://b",
            "bucket/a/",
            "https://bucket/a/",
            "s3://bucket/a",
            "s3://bucket/a\n/",
        ]);
        rejects::<S3Uri>(&["s3://bucket/a\nb", &format!("s3://bucket/{}", "k".repeat(2000))]);
        accepts::<BucketName>(&["abc", "a.b-c1"]);
        rejects::<BucketName>(&["ab", "a_b", "Abc", "arn:aws:s3:::abc", "abc-"]);
        accepts::<OutputKey>(&["team/a.json", "!*'()._-/"]);
        rejects::<OutputKey>(&["", "a=b", "a:b", "a b", "é"]);
        accepts::<RoleArn>(&[
            "arn:aws:iam::111122223333:role/a",
            "arn:aws-eusc:iam::111122223333:role/path/a",
        ]);
        rejects::<RoleArn>(&[
            "arn:aws:iam::111122223333:user/a",
            "arn:aws:sts::111122223333:role/a",
            "role/a",
        ]);
        accepts::<LanguageCode>(&["en-US", "ckb-IQ", "zh-Hant-TW"]);
        rejects::<LanguageCode>(&["en", "EN-us", "en_US", "english"]);
        accepts::<PiiEntityType>(&["SSN", "ALL", "NEW_TYPE_2"]);
        rejects::<PiiEntityType>(&["ssn", "", "_A"]);
        accepts::<ClassName>(&["finance", "a.b-c"]);
        rejects::<ClassName>(&["Finance", "a..b", "-a"]);
        accepts::<ContextKey>(&["department", " _-/\\: ", "aws"]);
        rejects::<ContextKey>(&["", "   ", "aws:x", "Aws:x", "ü", "a\tb", &"k".repeat(2001)]);
        accepts::<TagKey>(&["cost-center", "größe"]);
        rejects::<TagKey>(&[
            "",
            "aws:x",
            "transcribe-operator.io/uid",
            "Transcribe-Operator.IO/uid",
            "AWS:x",
            "a\n",
        ]);
        accepts::<TagValue>(&["", "42"]);
        rejects::<TagValue>(&[&"v".repeat(257)]);
    }

    #[test]
    fn takes_an_s3_uri_apart() {
        assert_eq!(
            "s3://media/a/b.wav".parse::<S3Uri>().unwrap().parts(),
            ("media", "a/b.wav")
        );
    }

    #[test]
    fn never_repeats_a_value_in_an_error() {
        for error in [
            "sécret".parse::<ContextValue>().unwrap_err(),
            "aws:secret".parse::<ContextKey>().unwrap_err(),
            "alias/aws/secret".parse::<KmsKeyRef>().unwrap_err(),
        ] {
            assert!(!error.to_string().contains("cret"), "{error}");
        }
    }

    #[test]
    fn judges_each_rule_alike_in_cel_and_in_rust() {
        fn agree<T: Text + FromStr + JsonSchema + 'static>(pattern: &str) {
            let schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
            let pattern = regex::Regex::new(pattern).unwrap();
            for value in [
                "alias/aws/s3",
                "a:alias/aws/s3",
                "alias/x",
                "alias/",
                "aws:x",
                "AWS:x",
                "xaws:",
                "transcribe-operator.io/uid",
                "tranScribe-operator.Io/uid",
                "tran\u{17f}cribe-operator.io/uid",
                "arn:",
                "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
                "arn:aws:kms:eu-west-1:111122223333:alias/x",
                "arn:aws:kms:eu-west-1:111122223333:alias/x y",
                "arn:gcp:s3:eu:1:bucket",
                ID,
                MRK,
                "\u{200b}alias/x",
                "alias/x\n",
                " ",
            ] {
                let cel = Validator::new().validate(&schema, &json!(value), None).is_ok();
                assert_eq!(value.parse::<T>().is_ok(), cel && pattern.is_match(value), "{value}");
            }
        }
        agree::<KmsKeyRef>("");
        agree::<ContextKey>("^[ -~]*[!-~][ -~]*$");
        agree::<ContextValue>("");
        agree::<TagKey>(r"^[^\x00-\x1f\x7f]+$");
    }

    #[test]
    fn says_which_part_of_a_key_is_wrong() {
        let tail = format!("key/{ID}");
        for (key, part) in [
            ("alias/a b".to_owned(), "white space"),
            ("\u{200b}alias/x".to_owned(), "invisible"),
            ("alias/aws/s3".to_owned(), "customer managed"),
            ("ExampleAlias".to_owned(), "alias/name"),
            (ID.to_uppercase(), "lower case"),
            ("alias/a.b".to_owned(), "after alias/"),
            (format!("arn:aws:kms:eu-west-1:{tail}"), "six parts"),
            (format!("arn:gcp:kms:eu-west-1:111122223333:{tail}"), "partition"),
            (format!("arn:aws:s3:eu-west-1:111122223333:{tail}"), "third part"),
            (format!("arn:aws:kms:EU-west-1:111122223333:{tail}"), "Region"),
            (format!("arn:aws:kms:eu-west-1:11112222333:{tail}"), "12 digits"),
            (format!("arn:aws:kms:eu-west-1:111122223333:{ID}"), "must end in key/"),
            ("arn:aws:kms:eu-west-1:111122223333:alias/".to_owned(), "after alias/"),
        ] {
            let error = key.parse::<KmsKeyRef>().unwrap_err().to_string();
            assert!(error.contains(part), "{key}: {error}");
        }
    }

    #[test]
    fn keeps_numbers_lists_and_maps_in_their_bounds() {
        assert_eq!(serde_json::from_value::<Int<2, 30>>(json!(30)).unwrap().get(), 30);
        for number in [json!(1), json!(31), json!(i64::MAX), json!("2"), json!(2.5)] {
            assert!(
                serde_json::from_value::<Int<2, 30>>(number.clone()).is_err(),
                "{number}"
            );
        }
        assert!(serde_json::from_value::<List<bool, 1, 2>>(json!([true])).is_ok());
        assert!(serde_json::from_value::<List<bool, 1, 2>>(json!([])).is_err());
        assert!(serde_json::from_value::<List<bool, 1, 2>>(json!([true, true, true])).is_err());
        assert!(serde_json::from_value::<Map<TagKey, bool, 1, 1>>(json!({"a": true})).is_ok());
        assert!(serde_json::from_value::<Map<TagKey, bool, 1, 1>>(json!({})).is_err());
        assert!(serde_json::from_value::<Map<TagKey, bool, 1, 1>>(json!({"a": true, "b": true})).is_err());
    }

    #[test]
    fn writes_the_values_of_aws() {
        assert_eq!(
            serde_json::to_value(RedactionOutput::ALL).unwrap(),
            json!(["redacted", "redacted_and_unredacted"])
        );
        assert_eq!(
            serde_json::from_value::<MediaFormat>(json!("m4a")).unwrap().as_str(),
            "m4a"
        );
        assert!(serde_json::from_value::<MediaFormat>(json!("M4a")).is_err());
    }
}
