//! How an object leaves, in whatever phase it is deleted.

use transcribe_operator::{
    api::{conditions::Reason, status::SubmissionOutcome},
    domain::{AwsErrorKind, Outcome, RemoteJob, Unknown},
};

use crate::world::{
    BOUND, Case, HOUR, MINUTE, OTHER_UID, acknowledged, ago, attempt, case, check, facts, job_name, refused, row, sent,
    tags, tell,
};

fn deleted(case: Case) -> Case {
    case.deleted(10)
}

#[test]
fn an_object_of_which_nothing_is_in_aws() {
    check([
        row(
            "not has_finalizer: nothing to do",
            deleted(case()).job(|job| job.has_finalizer = false),
            "Rest",
        )
        .back("never"),
        row("never submitted", deleted(case()), "Release"),
        row("suspended", deleted(case().suspended()), "Release"),
        row(
            "of an invalid spec",
            deleted(case().invalid(Reason::InvalidSpec)),
            "Release",
        ),
        row(
            "a copy, with the status of its original",
            deleted(acknowledged(HOUR)).job(|job| job.uid = OTHER_UID.to_owned()),
            "Release",
        ),
        row(
            "a submission that was refused and taken back",
            deleted(case().rejection("BadRequestException", 3, 60)),
            "Release",
        ),
        row(
            "all records are gone",
            deleted(acknowledged(HOUR)).job(|job| job.status.attempts[0].record_gone = true),
            "Release",
        ),
    ]);
}

#[test]
fn a_lost_reply_is_waited_out() {
    check([
        row(
            "a late request could leave a job behind",
            deleted(sent(60)),
            "Wait Deleting +19m 1ms",
        )
        .shows("Reconciling/Deleting")
        .back("+19m 1ms"),
        row(
            "however long ago the object was deleted",
            sent(60).deleted(HOUR).running(),
            "Wait Deleting +19m 1ms",
        ),
        row(
            "an earlier request counts too",
            deleted(acknowledged(HOUR).stray(30)),
            "Wait Deleting +30s 1ms",
        ),
        row(
            "until the very instant",
            deleted(sent(BOUND)).absent(),
            "Wait Deleting +1ms",
        ),
        row("then there is no job", deleted(sent(BOUND + 1)).absent(), "Release"),
        row(
            "an absence seen before proves nothing",
            deleted(sent(BOUND + 1)).absent_as_of(1),
            "Rest +1s",
        ),
        row(
            "then it runs, and has its time to end",
            deleted(sent(BOUND + 1)).running(),
            "Wait Deleting +15s",
        ),
        row(
            "a record that is there when the wait is over is deleted, although nothing more is waited for",
            sent(BOUND + 1).deleted(BOUND).completed(),
            "DeleteRecord #1",
        ),
        row(
            "a refused Start has nothing in flight",
            deleted(refused("BadRequestException", 60)).absent(),
            "Release",
        ),
        row(
            "but may have a record",
            deleted(refused("BadRequestException", 60)).completed(),
            "DeleteRecord #1",
        ),
    ]);
}

#[test]
fn a_job_in_aws() {
    let job = || deleted(acknowledged(HOUR));
    check([
        row("ended: its record is deleted", job().completed(), "DeleteRecord #1")
            .ends(Outcome::Deleted(Ok(())))
            .back("+0s"),
        row(
            "and if that fails, a little later again",
            job().completed(),
            "DeleteRecord #1",
        )
        .ends(Outcome::Deleted(Err(crate::world::fault(
            AwsErrorKind::Denied,
            "AccessDeniedException",
        ))))
        .shows("Reconciling/Deleting")
        .back("+15s"),
        row("failed: likewise", job().found(facts("FAILED")), "DeleteRecord #1"),
        row("gone: so is the object", job().absent(), "Release"),
        row("running: it has its time to end", job().running(), "Wait Deleting +15s")
            .shows("Reconciling/Deleting")
            .back("+15s"),
        row(
            "but no more than that",
            acknowledged(HOUR).deleted(110).running(),
            "Wait Deleting +10s",
        ),
        row(
            "then the sweeper takes over",
            acknowledged(HOUR).deleted(120).running(),
            "Release, #1 left",
        ),
        row(
            "AWS unreachable: it is tried again",
            job().unreachable(),
            "Wait Deleting +15s",
        ),
        row(
            "but no longer than for a running job",
            acknowledged(HOUR).deleted(120).unreachable(),
            "Release, #1 left",
        ),
        row(
            "other credentials: likewise",
            job().other_account(),
            "Wait Deleting +15s",
        ),
        row(
            "which are not waited for either",
            acknowledged(HOUR).deleted(120).other_account(),
            "Release, #1 left",
        ),
        row("no slot for a Get", job().unknown(Unknown::NoPermit), "Rest +1s"),
        row(
            "a name that is another's: it is left alone",
            job().found(RemoteJob {
                tags: Some(tags(OTHER_UID, "c1")),
                ..facts("COMPLETED")
            }),
            "Release",
        ),
        row(
            "a job that is older than ours: it is left alone",
            job().found(RemoteJob {
                creation_time: Some(ago(2 * HOUR)),
                ..facts("COMPLETED")
            }),
            "Release",
        ),
        row(
            "a record that is to be retained",
            deleted(case().retained().intent(SubmissionOutcome::Acknowledged, HOUR)).completed(),
            "Release",
        ),
        row(
            "is waited for all the same while a late request can arrive",
            deleted(case().retained().intent(SubmissionOutcome::Sent, 60)),
            "Wait Deleting +19m 1ms",
        ),
        row(
            "the policy as it was at the submission counts",
            job().completed().retained(),
            "DeleteRecord #1",
        ),
        row(
            "neither a lost class nor a bad key stops a deletion",
            job().completed().invalid(Reason::NoClass).key(crate::world::bad_key()),
            "DeleteRecord #1",
        ),
        row(
            "nor a rest",
            job().completed().finished(MINUTE).ttl(5),
            "DeleteRecord #1",
        ),
        row(
            "nor another leader, nor skew: nothing is submitted",
            job().completed().seen(|seen| {
                seen.leader_for = std::time::Duration::ZERO;
                seen.skew = std::time::Duration::from_secs(9999);
                seen.permit = false;
            }),
            "DeleteRecord #1",
        ),
    ]);
}

#[test]
fn several_attempts_go_one_after_the_other() {
    let two = || deleted(acknowledged(HOUR).attempt(2));
    check([
        row(
            "the first record is deleted first",
            two().completed(),
            "DeleteRecord #1",
        ),
        row("it is gone: the next one", two().absent(), "Forget #1").back("+0s"),
        row(
            "the last one takes the object with it",
            two().absent().job(|job| job.status.attempts[0].record_gone = true),
            "Release",
        ),
        row(
            "a foreign first one is left alone",
            two().found(RemoteJob {
                tags: Some(tags(OTHER_UID, "c1")),
                ..facts("COMPLETED")
            }),
            "Forget #1",
        ),
        row(
            "time is up for all of them",
            acknowledged(HOUR).attempt(2).deleted(120).running(),
            "Release, #1 left",
        ),
        row(
            "an attempt that AWS has failed already",
            deleted(crate::world::failed_once(60)).found(facts("FAILED")),
            "DeleteRecord #1",
        ),
    ]);
}

#[test]
fn what_is_forgotten_is_not_looked_for_again() {
    let case = deleted(acknowledged(HOUR).attempt(2)).absent();
    let after = case.status(&case.plan(), &Outcome::Pending);
    assert!(after.attempts[0].record_gone && !after.attempts[1].record_gone);
    assert_eq!(tell(&case.having(after).plan()), "Release");
}

#[test]
fn a_deleted_record_is_forgotten_and_an_undeleted_one_is_not() {
    let case = deleted(acknowledged(HOUR)).completed();
    let step = case.plan();
    for (reply, gone) in [
        (Ok(()), true),
        (
            Err(crate::world::fault(AwsErrorKind::Absent, "BadRequestException")),
            true,
        ),
        (
            Err(crate::world::fault(AwsErrorKind::Denied, "AccessDeniedException")),
            false,
        ),
        (
            Err(crate::world::fault(AwsErrorKind::Throttled, "ThrottlingException")),
            false,
        ),
        (Err(crate::world::fault(AwsErrorKind::Ambiguous, "Timeout")), false),
    ] {
        let after = case.status(&step, &Outcome::Deleted(reply.clone()));
        assert_eq!(after.attempts[0].record_gone, gone, "{reply:?}");
        let next = tell(&case.having(after).plan());
        assert_eq!(next, if gone { "Release" } else { "DeleteRecord #1" }, "{reply:?}");
    }
}

#[test]
fn an_attempt_in_another_account_is_looked_for_there() {
    let mut case = deleted(acknowledged(HOUR).attempt(2));
    case.seen.job.status.attempts[0] = transcribe_operator::api::status::Attempt {
        account: "999999999999".to_owned(),
        ..attempt(&job_name(1), 1, ago(HOUR))
    };
    let target = transcribe_operator::domain::job::plan::first_target(&case.seen.job).unwrap();
    assert_eq!(
        (target.account.as_str(), target.job_name),
        ("999999999999", job_name(1))
    );
}
