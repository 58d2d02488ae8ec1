//! What an object says while the session of its class cannot work, or its class runs as many jobs as it may.

use transcribe_operator::{
    api::{Kind, conditions::Reason, status::JobStatus},
    domain::{
        AwsError, AwsErrorKind, Outcome, Rejection, Step, Unknown,
        aws_error::{NO_CREDENTIALS, NOT_SENT},
    },
};

use crate::world::{Case, acknowledged, case, check, fault, identity, plain, row};

const ROLE: &str = "arn:aws:iam::111122223333:role/transcribe-finance";

fn denied() -> AwsError {
    AwsError {
        message: "AWS does not let the operator assume its role (AccessDenied)".to_owned(),
        detail: Some(format!("AWS does not let the operator assume the role {ROLE}")),
        ..fault(AwsErrorKind::NotSent, NO_CREDENTIALS)
    }
}

/// What the object says after its next step.
fn told(case: &Case, outcome: &Outcome) -> JobStatus {
    case.status(&case.plan(), outcome)
}

#[test]
fn credentials_that_aws_does_not_give_are_told_as_such() {
    let without = |fault: AwsError| {
        case().seen(|seen| {
            seen.identity = None;
            seen.credentials = Some(fault);
        })
    };
    check([
        row("the role is gone", without(denied()), "Wait AccessDenied +15s").shows("Reconciling/AccessDenied"),
        row(
            "STS does not answer",
            without(fault(AwsErrorKind::Ambiguous, "Timeout")),
            "Wait AwsUnreachable +15s",
        ),
        row(
            "nobody may look at a running job",
            acknowledged(5).unknown(Unknown::Failed(denied())),
            "Wait AccessDenied +15s",
        ),
        row(
            "nobody may look at one that leaves",
            acknowledged(5).deleted(1).unknown(Unknown::Failed(denied())),
            "Wait Deleting +15s",
        ),
    ]);
}

/// Who may read classes is told the role; who has a job of the class is told what happened, of which class, and with which code.
#[test]
fn no_job_tells_the_role_of_its_class() {
    let of_class = |case: Case| case.job(|job| job.status.class = Some(plain(Kind::TranscriptionJob).class.clone()));
    let unseen = |fault: AwsError| {
        case().seen(|seen| {
            seen.identity = None;
            seen.credentials = Some(fault);
        })
    };
    let silent = || AwsError {
        detail: Some(format!("AWS STS could not be asked for the role {ROLE}")),
        ..fault(AwsErrorKind::NotSent, NOT_SENT)
    };
    let refused = Outcome::Started(Err(denied()));
    for (says, case, outcome) in [
        ("before a Start", unseen(denied()), Outcome::Pending),
        ("before a Start, by silence", unseen(silent()), Outcome::Pending),
        ("at a Start", case(), refused),
        ("at a Start, by silence", case(), Outcome::Started(Err(silent()))),
        (
            "at a look",
            of_class(acknowledged(5).unknown(Unknown::Failed(denied()))),
            Outcome::Pending,
        ),
        (
            "at a look, by silence",
            of_class(acknowledged(5).unknown(Unknown::Failed(silent()))),
            Outcome::Pending,
        ),
        (
            "at the end",
            of_class(acknowledged(5).deleted(1).unknown(Unknown::Failed(denied()))),
            Outcome::Pending,
        ),
    ] {
        let status = told(&case, &outcome);
        let text = serde_json::to_string(&status).unwrap();
        assert!(!text.contains("role/"), "{says}: {text}");
        let ready = status.condition("Ready").unwrap();
        if ready.reason == "AccessDenied" {
            let parts = ["class 'finance'", "AccessDenied"];
            assert!(
                parts.iter().all(|part| ready.message.contains(part)),
                "{says}: {}",
                ready.message
            );
        }
    }
}

#[test]
fn a_limit_of_the_class_is_named() {
    let case = case().seen(|seen| {
        seen.permit = false;
        seen.limit = Some("its limit of 3 running jobs is reached".to_owned());
        seen.identity = Some(identity());
    });
    let Step::Wait(wait) = case.plan() else {
        panic!("{:?}", case.plan());
    };
    assert_eq!(wait.reason, Reason::WaitingForQuota);
    assert!(
        wait.message.ends_with(": its limit of 3 running jobs is reached"),
        "{}",
        wait.message
    );
}

#[test]
fn a_start_without_credentials_was_not_sent() {
    assert_eq!(AwsErrorKind::of_code(NO_CREDENTIALS), AwsErrorKind::NotSent);
    let status = transcribe_operator::api::status::RejectionStatus {
        code: NO_CREDENTIALS.to_owned(),
        message: denied().message,
        count: 1,
        time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(crate::world::now()),
        generation: 1,
    };
    let told = Rejection::from(&status);
    assert_eq!((told.reason, told.message), (Reason::AccessDenied, denied().message));
}
