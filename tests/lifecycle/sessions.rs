//! What an object says while the session of its class cannot work, or its class runs as many jobs as it may.

use transcribe_operator::{
    api::conditions::Reason,
    lifecycle::{Fault, FaultKind, Refusal, Step, Unknown, fault::NO_CREDENTIALS},
};

use crate::world::{acknowledged, case, check, fault, identity, row};

fn denied() -> Fault {
    Fault {
        message: "AWS does not let the operator assume the role".to_owned(),
        ..fault(FaultKind::NotSent, NO_CREDENTIALS)
    }
}

#[test]
fn credentials_that_aws_does_not_give_are_told_as_such() {
    let without = |fault: Fault| {
        case().seen(|seen| {
            seen.identity = None;
            seen.credentials = Some(fault);
        })
    };
    check([
        row("the role is gone", without(denied()), "Wait AccessDenied +15s").shows("Reconciling/AccessDenied"),
        row(
            "STS does not answer",
            without(fault(FaultKind::Ambiguous, "Timeout")),
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
    for case in [without(denied()), acknowledged(5).unknown(Unknown::Failed(denied()))] {
        let Step::Wait(wait) = case.plan() else {
            panic!("{:?}", case.plan());
        };
        assert!(wait.message.contains("assume the role"), "{}", wait.message);
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
    assert_eq!(FaultKind::of_code(NO_CREDENTIALS), FaultKind::NotSent);
    let status = transcribe_operator::api::status::RefusalStatus {
        code: NO_CREDENTIALS.to_owned(),
        message: denied().message,
        count: 1,
        time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(crate::world::now()),
        generation: 1,
    };
    let told = Refusal::from(&status);
    assert_eq!((told.reason, told.message), (Reason::AccessDenied, denied().message));
}
