//! What follows from what KMS says of a key: every state with every answer about its use, and every failure to answer for
//! every form of the reference.

use transcribe_operator::{
    api::{class_patterns::AccessCheck, conditions::Reason, types::KmsKeyRef},
    domain::{
        Access, AwsError, AwsErrorKind, KeyFacts, KeySeen, KeyVerdict,
        key::{enforce, judge},
    },
};

use crate::world::{ACCOUNT, KEY, REGION, fault};

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIAS_ARN: &str = "arn:aws:kms:eu-west-1:111122223333:alias/a";

fn facts(state: &str) -> KeyFacts {
    KeyFacts {
        arn: KEY.to_owned(),
        key_manager: "CUSTOMER".to_owned(),
        key_spec: "SYMMETRIC_DEFAULT".to_owned(),
        key_usage: "ENCRYPT_DECRYPT".to_owned(),
        key_state: state.to_owned(),
    }
}

fn verdict(reference: &str, facts: Result<KeyFacts, AwsError>, access: Option<Access>) -> KeyVerdict {
    let reference: KmsKeyRef = reference.parse().unwrap();
    judge(&reference, Some(ACCOUNT), REGION, &KeySeen { facts, access })
}

/// A verdict in a word: `usable`, `doubted`, `refused REASON`, `waits REASON`, `stalls REASON`.
fn told(verdict: &KeyVerdict) -> String {
    match verdict {
        KeyVerdict::Usable { arn, doubt } => {
            assert_eq!(arn, KEY);
            if doubt.is_some() { "doubted" } else { "usable" }.to_owned()
        }
        KeyVerdict::Refused(rejection) => format!("refused {}", rejection.reason.as_str()),
        KeyVerdict::Unsettled {
            rejection,
            passes: true,
        } => format!("waits {}", rejection.reason.as_str()),
        KeyVerdict::Unsettled {
            rejection,
            passes: false,
        } => format!("stalls {}", rejection.reason.as_str()),
        KeyVerdict::NotAsked | KeyVerdict::NotNeeded => "nothing".to_owned(),
    }
}

#[test]
fn every_state_with_every_answer_about_the_use() {
    let unknown = Access::Unknown(fault(AwsErrorKind::Throttled, "ThrottlingException"));
    for (state, allowed, otherwise) in [
        ("Enabled", "usable", "doubted"),
        ("Updating", "doubted", "doubted"),
        ("Creating", "waits KeyUnavailable", "waits KeyUnavailable"),
        ("Unavailable", "waits KeyUnavailable", "waits KeyUnavailable"),
        ("Disabled", "refused KeyDisabled", "refused KeyDisabled"),
        (
            "PendingDeletion",
            "refused KeyPendingDeletion",
            "refused KeyPendingDeletion",
        ),
        (
            "PendingReplicaDeletion",
            "refused KeyPendingDeletion",
            "refused KeyPendingDeletion",
        ),
        ("PendingImport", "refused KeyPendingImport", "refused KeyPendingImport"),
        ("SomethingNew", "waits KeyUnavailable", "waits KeyUnavailable"),
        ("", "waits KeyUnavailable", "waits KeyUnavailable"),
    ] {
        for (access, expected) in [
            (Access::Allowed, allowed),
            (Access::Denied, otherwise),
            (unknown.clone(), otherwise),
        ] {
            for reference in [KEY, ID, "alias/a", ALIAS_ARN] {
                let is = told(&verdict(reference, Ok(facts(state)), Some(access.clone())));
                assert_eq!(is, expected, "{state} {access:?} {reference}");
            }
        }
    }
}

#[test]
fn a_class_may_ask_for_proof_that_the_key_can_be_used() {
    for (check, access, expected) in [
        (AccessCheck::Warn, Access::Denied, "doubted"),
        (AccessCheck::Off, Access::Denied, "doubted"),
        (AccessCheck::Deny, Access::Denied, "refused KeyUseDenied"),
        (AccessCheck::Deny, Access::Allowed, "usable"),
        (
            AccessCheck::Deny,
            Access::Unknown(fault(AwsErrorKind::Ambiguous, "Timeout")),
            "waits KmsUnreachable",
        ),
    ] {
        let seen = KeySeen {
            facts: Ok(facts("Enabled")),
            access: Some(access),
        };
        let judged = judge(&KEY.parse().unwrap(), Some(ACCOUNT), REGION, &seen);
        assert_eq!(told(&enforce(check, &seen, judged)), expected, "{check:?} {seen:?}");
    }
}

#[test]
fn every_failure_to_answer_for_every_form() {
    let denied = fault(AwsErrorKind::Denied, "AccessDeniedException");
    for (fault, named, alias) in [
        (denied, "doubted", "stalls KeyNotResolvable"),
        (
            fault(AwsErrorKind::Absent, "NotFoundException"),
            "refused KeyNotFound",
            "refused KeyNotFound",
        ),
        (
            fault(AwsErrorKind::Invalid, "InvalidArnException"),
            "refused KeyNotFound",
            "refused KeyNotFound",
        ),
        (
            fault(AwsErrorKind::Throttled, "ThrottlingException"),
            "waits KmsUnreachable",
            "waits KmsUnreachable",
        ),
        (
            fault(AwsErrorKind::Ambiguous, "Timeout"),
            "waits KmsUnreachable",
            "waits KmsUnreachable",
        ),
        (
            fault(AwsErrorKind::NotSent, "NotSent"),
            "waits KmsUnreachable",
            "waits KmsUnreachable",
        ),
        (
            fault(AwsErrorKind::NotSent, "ExpiredTokenException"),
            "waits KmsUnreachable",
            "waits KmsUnreachable",
        ),
        (
            fault(AwsErrorKind::Invalid, "SomethingNew"),
            "waits KmsUnreachable",
            "waits KmsUnreachable",
        ),
    ] {
        for (reference, expected) in [(KEY, named), (ID, named), ("alias/a", alias), (ALIAS_ARN, alias)] {
            let is = told(&verdict(reference, Err(fault.clone()), None));
            assert_eq!(is, expected, "{} {reference}", fault.code);
        }
    }
}

#[test]
fn only_a_symmetric_customer_managed_key_is_fit() {
    for (manager, spec, usage, reason) in [
        (
            "AWS",
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            Reason::KeyNotCustomerManaged,
        ),
        (
            "",
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            Reason::KeyNotCustomerManaged,
        ),
        ("CUSTOMER", "RSA_4096", "ENCRYPT_DECRYPT", Reason::KeyNotSymmetric),
        ("CUSTOMER", "RSA_4096", "SIGN_VERIFY", Reason::KeyNotSymmetric),
        ("CUSTOMER", "HMAC_256", "GENERATE_VERIFY_MAC", Reason::KeyNotSymmetric),
        ("CUSTOMER", "ECC_NIST_P256", "KEY_AGREEMENT", Reason::KeyNotSymmetric),
        ("CUSTOMER", "SYMMETRIC_DEFAULT", "", Reason::KeyNotSymmetric),
        ("CUSTOMER", "", "ENCRYPT_DECRYPT", Reason::KeyNotSymmetric),
    ] {
        let facts = KeyFacts {
            key_manager: manager.to_owned(),
            key_spec: spec.to_owned(),
            key_usage: usage.to_owned(),
            ..facts("Enabled")
        };
        let is = told(&verdict(KEY, Ok(facts), Some(Access::Allowed)));
        assert_eq!(is, format!("refused {}", reason.as_str()), "{manager} {spec} {usage}");
    }
}

#[test]
fn an_answer_about_another_key_settles_nothing() {
    let other_id = KEY.replace("1234abcd", "ffffffff");
    let other_account = KEY.replace(ACCOUNT, "444455556666");
    let other_region = KEY.replace(REGION, "us-east-1");
    for (reference, answered, fits) in [
        (KEY, KEY, true),
        (KEY, &*other_id, false),
        (KEY, &*other_account, false),
        (ID, &*other_id, false),
        (ID, &*other_account, false),
        ("alias/a", &*other_id, true),
        ("alias/a", &*other_account, false),
        ("alias/a", &*other_region, false),
        (ALIAS_ARN, &*other_region, false),
        (ALIAS_ARN, &*other_account, false),
        ("alias/a", ALIAS_ARN, false),
        ("alias/a", "nonsense", false),
    ] {
        let facts = KeyFacts {
            arn: answered.to_owned(),
            ..facts("Enabled")
        };
        let is = verdict(reference, Ok(facts), None);
        assert_eq!(
            matches!(is, KeyVerdict::Usable { .. }),
            fits,
            "{reference} {answered}: {is:?}"
        );
    }
}
