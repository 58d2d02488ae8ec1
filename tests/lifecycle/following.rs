//! From the acknowledgement to the end of a job, and to the next attempt.

use transcribe_operator::{
    api::{conditions::Reason, status::SubmissionOutcome},
    domain::{Outcome, RemoteJob, Unknown},
};

use crate::world::{
    BOUND, HOUR, MINUTE, OTHER_UID, acknowledged, ago, bad_key, case, check, facts, failed, failed_once, row, sent,
    tags,
};

#[test]
fn a_job_that_runs() {
    check([
        row("queued", acknowledged(HOUR).found(facts("QUEUED")), "Follow QUEUED")
            .shows("Reconciling/Queued")
            .back("+10m"),
        row("in progress", acknowledged(HOUR).running(), "Follow IN_PROGRESS").shows("Reconciling/InProgress"),
        row(
            "a state that AWS may invent is followed",
            acknowledged(HOUR).found(facts("PAUSED")),
            "Follow PAUSED",
        ),
        row("nothing seen: nothing to do", acknowledged(HOUR), "Rest").back("never"),
        row(
            "suspended too late: it cannot be stopped",
            acknowledged(HOUR).suspended().running(),
            "Follow IN_PROGRESS",
        ),
        row(
            "its class and its spec do not matter any more",
            acknowledged(HOUR).invalid(Reason::NoClass).running(),
            "Follow IN_PROGRESS",
        ),
        row(
            "nor its key",
            acknowledged(HOUR).key(bad_key()).running(),
            "Follow IN_PROGRESS",
        ),
        row(
            "nor its start deadline",
            acknowledged(HOUR).deadline(1).running(),
            "Follow IN_PROGRESS",
        ),
        row(
            "AWS cannot be asked",
            acknowledged(HOUR).unreachable(),
            "Wait AwsUnreachable +15s",
        )
        .shows("Reconciling/AwsUnreachable")
        .back("+15s"),
        row(
            "the operator's credentials are another account's",
            acknowledged(HOUR).other_account(),
            "Wait IdentityChanged +15s",
        )
        .shows("Reconciling/IdentityChanged"),
        row(
            "credentials that are not verified prove nothing",
            acknowledged(HOUR).unknown(Unknown::OtherIdentity(None)),
            "Wait IdentityChanged +15s",
        ),
        row(
            "no slot for a Get",
            acknowledged(HOUR).unknown(Unknown::NoPermit),
            "Rest +1s",
        ),
    ]);
}

#[test]
fn the_end_of_a_job() {
    let unsupported = "Unsupported media format";
    check([
        row("completed", acknowledged(HOUR).completed(), "Conclude COMPLETED")
            .shows("Complete/Completed")
            .back("never"),
        row(
            "completed while suspended",
            acknowledged(HOUR).suspended().completed(),
            "Conclude COMPLETED",
        )
        .shows("Complete/Completed"),
        row(
            "failed: work that costs money is not repeated silently",
            acknowledged(HOUR).found(failed("Internal error")),
            "Conclude FAILED",
        )
        .shows("Failed/JobFailed")
        .back("never"),
        row(
            "failed, and more attempts are allowed",
            acknowledged(HOUR).limit(1).found(failed("Internal error")),
            "TryAgain +10s",
        )
        .shows("Reconciling/BackOff")
        .back("+10s"),
        row(
            "failed without a reason: another attempt may help",
            acknowledged(HOUR).limit(1).found(facts("FAILED")),
            "TryAgain +10s",
        ),
        row(
            "failed for what the same media meets again",
            acknowledged(HOUR).limit(9).found(failed(unsupported)),
            "Conclude FAILED",
        )
        .shows("Failed/JobFailed"),
        row(
            "the limit is used up",
            acknowledged(HOUR).limit(2).attempt(3).found(failed("Internal error")),
            "Conclude FAILED",
        )
        .shows("Failed/JobFailed"),
        row(
            "a limit that was lowered meanwhile",
            acknowledged(HOUR).limit(0).attempt(2).found(failed("Internal error")),
            "Conclude FAILED",
        ),
        row(
            "a job that completes in a later attempt",
            acknowledged(HOUR).limit(5).attempt(3).completed(),
            "Conclude COMPLETED",
        )
        .shows("Complete/Completed"),
    ]);
}

#[test]
fn six_documented_reasons_are_permanent() {
    for reason in [
        "Unsupported media format.",
        "The media format provided does not match the detected media format.",
        "Invalid sample rate for audio file.",
        "The sample rate provided does not match the detected sample rate.",
        "Invalid file size: file size too large.",
        "Invalid number of channels: number of channels too large.",
    ] {
        let case = acknowledged(HOUR).limit(9).found(failed(reason));
        assert_eq!(crate::world::tell(&case.plan()), "Conclude FAILED", "{reason}");
    }
}

#[test]
fn delays_between_attempts_double_up_to_six_minutes() {
    let waits = (1..=9).map(|number| {
        let case = acknowledged(HOUR)
            .limit(10)
            .attempt(number)
            .found(failed("Internal error"));
        crate::world::tell(&case.plan())
    });
    let expected = ["10s", "20s", "40s", "1m 20s", "2m 40s", "5m 20s", "6m", "6m", "6m"];
    assert_eq!(
        waits.collect::<Vec<_>>(),
        expected.map(|delay| format!("TryAgain +{delay}"))
    );
}

#[test]
fn the_next_attempt() {
    check([
        row("waits its time", failed_once(30), "Wait BackOff +30s").back("+30s"),
        row("is a job of another name", failed_once(-1), "Submit #2").shows("Reconciling/Submitting"),
        row("a forced look does not wait", failed_once(30).forced(), "Submit #2"),
        row("suspension holds it back", failed_once(-1).suspended(), "Suspend").shows("Suspended/Suspended"),
        row(
            "it binds the class anew, and a rejection there is the end: the spec is immutable by now",
            failed_once(-1).invalid(Reason::NoClass),
            "Fail NoClass",
        )
        .shows("Failed/NoClass"),
        row(
            "so is a bad key",
            failed_once(-1).key(bad_key()),
            "Fail KeyRegionMismatch",
        ),
        row(
            "an attempt that was taken back has used up its number",
            sent(BOUND + 1).limit(3).attempt(2).suspended().absent(),
            "Withdraw",
        ),
        row(
            "and the next one takes another",
            failed_once(-1).with(|s| s.attempt = 2),
            "Submit #3",
        ),
    ]);
}

#[test]
fn a_withdrawn_later_attempt_keeps_its_number() {
    let case = sent(BOUND + 1).limit(3).attempt(2).suspended().absent();
    let after = case.status(&case.plan(), &Outcome::Pending);
    let submission = after.submission.unwrap();
    assert_eq!((submission.attempt, submission.outcome), (2, SubmissionOutcome::Ended));
    assert_eq!(after.attempts.len(), 1, "nothing of the second is in AWS");
}

#[test]
fn a_record_that_vanished() {
    let conflict = || case().intent(SubmissionOutcome::Conflict, MINUTE);
    check([
        row("the first absence is noted", acknowledged(HOUR).absent(), "Missing +0s")
            .shows("Reconciling/RecordMissing")
            .back("+0s"),
        row(
            "then it is left alone for a while",
            acknowledged(HOUR).absent_since(MINUTE),
            "Rest +19m",
        )
        .back("+19m"),
        row(
            "a second absence too early proves nothing",
            acknowledged(HOUR).absent_since(BOUND - 1).absent(),
            "Wait RecordMissing +1s",
        )
        .shows("Reconciling/RecordMissing"),
        row(
            "a stale one neither",
            acknowledged(HOUR).absent_since(BOUND).absent_as_of(1),
            "Wait RecordMissing +0s",
        ),
        row(
            "a second absence a bound later is the end: the job may have been billed and is not repeated",
            acknowledged(HOUR).limit(9).absent_since(BOUND).absent(),
            "Fail RecordLost",
        )
        .shows("Failed/RecordLost")
        .back("never"),
        row(
            "the record is there again",
            acknowledged(HOUR).absent_since(BOUND).running(),
            "Follow IN_PROGRESS",
        ),
        row(
            "AWS said that the name is taken, and then that it is not",
            conflict().absent(),
            "Missing +0s",
        ),
        row(
            "and still does not have it",
            conflict().absent_since(BOUND).absent(),
            "Fail RecordLost",
        ),
        row(
            "AWS unreachable is no absence",
            acknowledged(HOUR).absent_since(BOUND).unreachable(),
            "Wait AwsUnreachable +15s",
        ),
    ]);
}

#[test]
fn a_record_that_returned_is_no_longer_missing() {
    let case = acknowledged(HOUR).absent_since(BOUND).running();
    let after = case.status(&case.plan(), &Outcome::Pending);
    assert_eq!(after.submission.unwrap().absent_since, None);
}

#[test]
fn a_job_of_our_name_that_is_not_ours() {
    let with_tags = |tags| RemoteJob {
        tags,
        ..facts("IN_PROGRESS")
    };
    let created = |seconds_ago| RemoteJob {
        creation_time: Some(ago(seconds_ago)),
        ..facts("COMPLETED")
    };
    let conflict = || case().intent(SubmissionOutcome::Conflict, MINUTE);
    check([
        row("ours by tags and time", conflict().running(), "Follow IN_PROGRESS"),
        row(
            "another uid",
            conflict().found(with_tags(Some(tags(OTHER_UID, "c1")))),
            "Fail NameConflict",
        )
        .shows("Failed/NameConflict")
        .back("never"),
        row(
            "another cluster",
            conflict().found(with_tags(Some(tags(crate::world::UID, "c2")))),
            "Fail NameConflict",
        ),
        row(
            "tags of somebody else's making",
            conflict().found(with_tags(Some([("team".to_owned(), "x".to_owned())].into()))),
            "Fail NameConflict",
        ),
        row(
            "no tags at all, as an emulator returns them",
            conflict().found(with_tags(Some([].into()))),
            "Follow IN_PROGRESS",
        ),
        row(
            "a list shows no tags",
            conflict().found(with_tags(None)),
            "Follow IN_PROGRESS",
        ),
        row(
            "no creation time",
            conflict().found(RemoteJob {
                creation_time: None,
                ..facts("QUEUED")
            }),
            "Follow QUEUED",
        ),
        row(
            "older than our first Start by what clocks may differ",
            conflict().found(created(MINUTE + 150)),
            "Conclude COMPLETED",
        ),
        row(
            "older than that",
            conflict().found(created(MINUTE + 151)),
            "Fail NameConflict",
        ),
        row(
            "a foreign job is not followed by a lost reply either",
            sent(5).found(created(HOUR)),
            "Fail NameConflict",
        ),
        row(
            "nor its failure repeated",
            acknowledged(MINUTE).limit(3).found(RemoteJob {
                creation_time: Some(ago(HOUR)),
                ..failed("x")
            }),
            "Fail NameConflict",
        ),
    ]);
}
