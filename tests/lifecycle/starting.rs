//! From a new object to its Start, and what holds a Start back.

use std::time::Duration;

use transcribe_operator::{
    api::{
        Kind,
        conditions::{FINISHED, Reason, SUSPENDED},
        status::{Submission, SubmissionOutcome},
    },
    domain::{KeyVerdict, Outcome, Step, job::plan::START_TAKES},
};

use crate::world::{
    BOUND, Case, HOUR, KEY, MINUTE, OTHER_UID, after, bad_key, case, check, encrypted, failed_once, job_name, now,
    plain, refused, refused_key, row, sent, tell, unsettled, usable,
};

#[test]
fn a_new_object() {
    check([
        row(
            "the finalizer comes before anything in AWS",
            case().job(|job| job.has_finalizer = false),
            "Protect",
        )
        .shows("nothing")
        .back("+0s"),
        row("a protected object is submitted", case(), "Submit #1").shows("Reconciling/Submitting"),
        row(
            "with the key that it asks for",
            case().key(usable()),
            "Submit #1 with key",
        ),
        row(
            "a key that nobody has judged yet is waited for",
            case().key(KeyVerdict::NotAsked),
            "Wait KmsUnreachable +15s",
        ),
        row(
            "a key that cannot be used stalls the object, and is judged again slowly",
            case().key(bad_key()),
            "Stall KeyRegionMismatch",
        )
        .shows("Stalled/KeyRegionMismatch")
        .back("+5m"),
        row(
            "a key that KMS does not answer about is waited for",
            case().key(unsettled(Reason::KmsUnreachable, true)),
            "Wait KmsUnreachable +15s",
        )
        .shows("Reconciling/KmsUnreachable")
        .back("+15s"),
        row(
            "an alias that may not be resolved stalls the object, and is asked for again slowly",
            case().key(unsettled(Reason::KeyNotResolvable, false)),
            "Stall KeyNotResolvable",
        )
        .shows("Stalled/KeyNotResolvable")
        .back("+5m"),
        row("until then nothing is asked", refused_key(1), "Rest +1m"),
        row(
            "an edit of the spec has its key judged at once",
            refused_key(1).job(|job| job.generation += 1).key(usable()),
            "Submit #1 with key",
        ),
        row(
            "and so does the annotation",
            refused_key(1).forced().key(usable()),
            "Submit #1 with key",
        ),
        row(
            "when its time has come it is judged again",
            refused_key(-1).key(usable()),
            "Submit #1 with key",
        ),
        row(
            "a spec that does not parse stalls the object until it is corrected",
            case().invalid(Reason::InvalidSpec),
            "Stall InvalidSpec",
        )
        .shows("Stalled/InvalidSpec")
        .back("never"),
        row(
            "no class, no submission",
            case().invalid(Reason::NoClass),
            "Stall NoClass",
        ),
    ]);
}

#[test]
fn the_intent_pins_the_request_and_the_time() {
    for kind in Kind::ALL.iter().copied() {
        let Step::Submit(intent) = case().key(usable()).of(kind).plan() else {
            panic!("a {kind} is not submitted")
        };
        let Submission {
            request, request_hash, ..
        } = intent.as_ref();
        assert_eq!(intent.job_name, job_name(1));
        assert_eq!((intent.first_started_at.0, intent.started_at.0), (now(), now()));
        assert_eq!(intent.outcome, SubmissionOutcome::Sent);
        assert_eq!(request.kms_key_arn.as_deref(), Some(KEY));
        let context = request.context.get("department").map(String::as_str);
        assert_eq!(context, (kind != Kind::CallAnalyticsJob).then_some("finance"), "{kind}");
        assert_eq!(request.output_bucket_name.as_deref(), Some("transcripts"));
        let hash = encrypted(kind).request_hash(&encrypted(kind).pin(Some(KEY), 1));
        assert!(hash.starts_with("v1:") && hash.len() == 3 + 32, "{hash}");
        assert_eq!(*request_hash, hash);
        assert_ne!(*request_hash, plain(kind).request_hash(&plain(kind).pin(None, 1)));
    }
}

#[test]
fn a_record_to_be_retained_has_a_name_of_its_own() {
    let Step::Submit(intent) = case().retained().plan() else {
        panic!("not submitted")
    };
    assert_eq!(intent.job_name, format!("{}r", job_name(1)));
}

#[test]
fn suspension_and_the_start_deadline() {
    let resumed = |seconds_ago| {
        case()
            .job(|job| job.created = crate::world::ago(HOUR))
            .condition(SUSPENDED, "False", Reason::Resumed, seconds_ago)
            .deadline(300)
    };
    check([
        row("a suspended object is held back", case().suspended(), "Suspend")
            .shows("Suspended/Suspended")
            .back("never"),
        row(
            "however invalid it is",
            case().suspended().invalid(Reason::NoClass),
            "Suspend",
        ),
        row(
            "a resumed object is submitted",
            case().condition(SUSPENDED, "True", Reason::Suspended, HOUR),
            "Submit #1",
        ),
        row("in time, counted from creation", case().deadline(61), "Submit #1"),
        row(
            "too late, counted from creation",
            case().deadline(60),
            "Fail StartDeadlineExceeded",
        )
        .shows("Failed/StartDeadlineExceeded")
        .back("never"),
        row("in time, counted from the last resume", resumed(299), "Submit #1"),
        row(
            "too late, counted from the last resume",
            resumed(300),
            "Fail StartDeadlineExceeded",
        ),
        row(
            "the pass that sees the resume counts from it",
            case()
                .condition(SUSPENDED, "True", Reason::Suspended, HOUR)
                .deadline(60),
            "Submit #1",
        ),
        row(
            "while suspended the deadline does not run",
            case().suspended().deadline(10),
            "Suspend",
        ),
        row(
            "too late is too late for an invalid spec also",
            case().deadline(10).invalid(Reason::InvalidSpec),
            "Fail StartDeadlineExceeded",
        ),
        row(
            "a later attempt has no deadline",
            failed_once(-1).deadline(10),
            "Submit #2",
        ),
    ]);
}

#[test]
fn what_a_start_waits_for() {
    let seen = |change: fn(&mut transcribe_operator::domain::Observed)| case().seen(change);
    check([
        row(
            "only the leader submits",
            seen(|seen| seen.leader_for = Duration::ZERO),
            "Wait NotLeader +15s",
        )
        .shows("Reconciling/NotLeader")
        .back("+15s"),
        row(
            "a leader must lead for as long as a Start takes",
            seen(|seen| seen.leader_for = START_TAKES.saturating_sub(Duration::from_millis(1))),
            "Wait NotLeader +15s",
        ),
        row(
            "which is enough",
            seen(|seen| seen.leader_for = START_TAKES),
            "Submit #1",
        ),
        row(
            "clocks that are apart by more than is allowed",
            seen(|seen| seen.skew = Duration::from_secs(151)),
            "Wait ClockSkew +15s",
        )
        .shows("Reconciling/ClockSkew"),
        row(
            "clocks that are apart by just what is allowed",
            seen(|seen| seen.skew = Duration::from_secs(150)),
            "Submit #1",
        ),
        row(
            "the account must be known",
            seen(|seen| seen.identity = None),
            "Wait AwsUnreachable +15s",
        ),
        row(
            "no slot: the object queues, and says so",
            seen(|seen| seen.permit = false),
            "Wait WaitingForQuota +1s",
        )
        .shows("Reconciling/WaitingForQuota")
        .back("+1s"),
    ]);
}

#[test]
fn copies_and_finished_objects() {
    let copied = || case().job(|job| job.owner_uid = Some(OTHER_UID.to_owned()));
    let copied_status = || {
        let mut copy = crate::world::acknowledged(HOUR);
        copy.seen.job.uid = OTHER_UID.to_owned();
        copy
    };
    check([
        row("a restored object starts nothing", copied(), "Stall Restored")
            .shows("Stalled/Restored")
            .back("never"),
        row(
            "and is not protected either",
            copied().job(|job| job.has_finalizer = false),
            "Stall Restored",
        ),
        row(
            "without the annotation it is a new object, and gets one of its own first: its copies are copies too",
            case().job(|job| job.owner_uid = None),
            "Protect",
        ),
        row(
            "an intent in a copied status is another object's: nothing is made of it",
            copied_status(),
            "Stall Restored",
        ),
        row(
            "nor when the annotation is its own: the object is submitted under its own name",
            copied_status().job(|job| job.owner_uid = Some(job.uid.clone())),
            "Submit #1",
        ),
        row(
            "a finished object rests",
            crate::world::acknowledged(HOUR).finished(MINUTE),
            "Rest",
        )
        .back("never"),
        row(
            "whatever its spec says by then",
            crate::world::acknowledged(HOUR)
                .finished(MINUTE)
                .suspended()
                .limit(5)
                .invalid(Reason::NoClass),
            "Rest",
        )
        .back("never"),
        row(
            "until its time to live is over",
            crate::world::acknowledged(HOUR).finished(MINUTE).ttl(90),
            "Rest +30s",
        )
        .back("+30s"),
        row(
            "and then it is deleted",
            crate::world::acknowledged(HOUR).finished(MINUTE).ttl(60),
            "Expire",
        ),
        row("a time to live of nothing", case().finished(0).ttl(0), "Expire"),
        row(
            "that of the class, where the spec has none",
            of_class(crate::world::acknowledged(HOUR).finished(MINUTE), 90),
            "Rest +30s",
        )
        .back("+30s"),
        row(
            "and that of the spec before it",
            of_class(case().finished(MINUTE), 60).ttl(90),
            "Rest +30s",
        ),
        row(
            "an object that is not finished has no time to live",
            case().condition(FINISHED, "False", Reason::Accepted, HOUR).ttl(0),
            "Submit #1",
        ),
    ]);
}

fn of_class(case: Case, ttl: i32) -> Case {
    let mut class = plain(Kind::TranscriptionJob).class.clone();
    class.ttl_seconds_after_finished = Some(ttl);
    case.job(|job| job.status.class = Some(class))
}

/// A job that ends without a submission has the time to live of the class that it was bound to, then or at last.
#[test]
fn the_class_says_how_long_a_job_stays_that_was_never_submitted() {
    let mut desired = plain(Kind::TranscriptionJob).clone();
    desired.class.ttl_seconds_after_finished = Some(60);
    let bound = Case {
        desired: Ok(desired),
        ..case().deadline(1)
    };
    let lost = of_class(case().deadline(1), 60).invalid(Reason::NoClass);
    let unknown = case().deadline(1).invalid(Reason::NoClass);
    for (says, case, after_a_minute) in [
        ("bound as it ends", bound, "Expire"),
        ("bound before", lost, "Expire"),
        ("never bound", unknown, "Rest"),
    ] {
        let step = case.plan();
        assert_eq!(tell(&step), "Fail StartDeadlineExceeded", "{says}");
        let ended = case.having(case.status(&step, &Outcome::Pending));
        assert_eq!(tell(&ended.plan_at(after(60))), after_a_minute, "{says}");
    }
}

#[test]
fn a_start_whose_reply_was_lost() {
    check([
        row("it is asked for, and not yet", sent(5), "Rest +15s"),
        row("not before its time", sent(5).rejection("Timeout", 1, 8), "Rest +8s"),
        row(
            "AWS has it: it is acknowledged",
            sent(5).running(),
            "Follow IN_PROGRESS",
        )
        .shows("Reconciling/InProgress")
        .back("+10m"),
        row(
            "and it may have ended meanwhile",
            sent(5).completed(),
            "Conclude COMPLETED",
        )
        .shows("Complete/Completed"),
        row(
            "AWS has no such job: once more under the same name; the first request stays dangerous for its time",
            sent(5).absent(),
            "Submit #1 stray +19m 55s",
        ),
        row(
            "the longest danger counts",
            sent(5).stray(2 * BOUND).absent(),
            "Submit #1 stray +40m",
        ),
        row(
            "AWS cannot be asked: nothing is concluded",
            sent(5).unreachable(),
            "Wait AwsUnreachable +15s",
        )
        .shows("Reconciling/AwsUnreachable"),
        row(
            "the wrong account is not asked",
            sent(5).other_account(),
            "Wait IdentityChanged +15s",
        )
        .shows("Reconciling/IdentityChanged"),
        row(
            "nor started in, if a Get got through before the change",
            sent(5).other_account().absent(),
            "Wait IdentityChanged +15s",
        ),
        row(
            "no slot for the Get",
            sent(5).unknown(transcribe_operator::domain::Unknown::NoPermit),
            "Rest +1s",
        ),
        row(
            "no slot for the second Start",
            sent(5).absent().seen(|seen| seen.permit = false),
            "Wait WaitingForQuota +1s",
        ),
        row(
            "another process leads",
            sent(5).absent().seen(|seen| seen.leader_for = Duration::ZERO),
            "Wait NotLeader +15s",
        ),
        row(
            "not before the pinned key is judged again",
            sent(5)
                .with(|s| s.request.kms_key_arn = Some(KEY.to_owned()))
                .key(KeyVerdict::NotAsked)
                .absent(),
            "Wait KmsUnreachable +15s",
        ),
        row(
            "the pinned key is what is started with",
            sent(5)
                .with(|s| s.request.kms_key_arn = Some(KEY.to_owned()))
                .key(usable())
                .absent(),
            "Submit #1 with key stray +19m 55s",
        ),
    ]);
}

#[test]
fn a_submission_that_is_no_longer_allowed_is_taken_back() {
    let quiet = || sent(BOUND + 1);
    check([
        row(
            "not while a late request can arrive",
            sent(5).suspended().absent(),
            "Wait Withdrawing +19m 55s 1ms",
        )
        .shows("Reconciling/Withdrawing")
        .back("+19m 55s 1ms"),
        row("afterwards it is", quiet().suspended().absent(), "Withdraw")
            .shows("Reconciling/Accepted")
            .back("+0s"),
        row(
            "an absence that was seen before proves nothing",
            quiet().suspended().absent_as_of(2),
            "Wait Withdrawing -999ms",
        ),
        row(
            "nor at the very instant",
            sent(BOUND).suspended().absent(),
            "Wait Withdrawing +1ms",
        ),
        row(
            "an earlier request of the attempt counts as well",
            quiet().stray(30).suspended().absent(),
            "Wait Withdrawing +30s 1ms",
        ),
        row(
            "a job that is there after all is followed",
            quiet().suspended().running(),
            "Follow IN_PROGRESS",
        )
        .shows("Reconciling/InProgress"),
        row("past the start deadline", quiet().deadline(10).absent(), "Withdraw"),
        row(
            "the class is gone",
            quiet().invalid(Reason::NoClass).absent(),
            "Withdraw",
        ),
        row("the key went bad", quiet().key(bad_key()).absent(), "Withdraw"),
        row(
            "an unreachable AWS is no absence",
            quiet().suspended().unreachable(),
            "Wait AwsUnreachable +15s",
        ),
        row(
            "another account is no absence",
            quiet().suspended().other_account(),
            "Wait IdentityChanged +15s",
        ),
    ]);
}

#[test]
fn after_a_withdrawal_the_object_is_as_new() {
    let case = sent(BOUND + 1).suspended().absent();
    let after = case.status(&case.plan(), &transcribe_operator::domain::Outcome::Pending);
    assert_eq!(
        (&after.submission, &after.job_name, &after.attempt),
        (&None, &None, &None)
    );
    assert!(after.attempts.is_empty() && after.encryption.is_none());
    let resumed = Case {
        seen: transcribe_operator::domain::Observed {
            job: transcribe_operator::domain::JobView {
                status: after,
                ..crate::world::subject()
            },
            ..case.seen
        },
        ..case
    };
    assert_eq!(crate::world::tell(&resumed.plan()), "Submit #1");
}

#[test]
fn refused_starts() {
    let invalid = || refused("BadRequestException", MINUTE);
    let withdrawn = |next| case().rejection("BadRequestException", 1, next);
    check([
        row(
            "a throttled Start waits its time",
            refused("ThrottlingException", 8),
            "Rest +8s",
        )
        .back("+8s"),
        row(
            "and is sent again in the same attempt; nothing of it can be in flight",
            refused("ThrottlingException", -1),
            "Submit #1",
        ),
        row(
            "a forced look does not wait",
            refused("ThrottlingException", 8).forced(),
            "Submit #1",
        ),
        row(
            "a throttled Start that is suspended is taken back",
            refused("ThrottlingException", 8).suspended().absent(),
            "Withdraw",
        ),
        row(
            "past its start deadline likewise",
            refused("ThrottlingException", 8).deadline(60).absent(),
            "Withdraw",
        ),
        row(
            "and when its class is gone",
            refused("ThrottlingException", 8).invalid(Reason::NoClass).absent(),
            "Withdraw",
        )
        .shows("Reconciling/Accepted"),
        row(
            "and when its key went bad, of which the first pass only tells",
            refused("ThrottlingException", -1).key(bad_key()).absent(),
            "Withdraw",
        ),
        row(
            "a limit is no failure",
            refused("LimitExceededException", -1),
            "Submit #1",
        ),
        row(
            "a request that never left is sent again",
            refused("NotSent", -1),
            "Submit #1",
        ),
        row(
            "a rejection for good: AWS is asked, and has no such job",
            invalid().absent(),
            "Withdraw",
        )
        .shows("Stalled/Refused"),
        row(
            "but not while an earlier request can arrive",
            invalid().stray(60).absent(),
            "Wait Withdrawing +1m 1ms",
        ),
        row(
            "a job that is there after all is followed",
            invalid().running(),
            "Follow IN_PROGRESS",
        ),
        row(
            "the spec can be corrected; until then the object says what is wrong",
            withdrawn(30),
            "Stall Refused",
        )
        .shows("Stalled/Refused")
        .back("+30s"),
        row("and it is tried again slowly", withdrawn(-1), "Submit #1"),
        row(
            "a new generation lifts the rejection at once",
            withdrawn(30).job(|job| job.generation = 2),
            "Submit #1",
        ),
        row("so does a forced look", withdrawn(30).forced(), "Submit #1"),
        row(
            "denied access says so",
            case().rejection("AccessDeniedException", 3, 30),
            "Stall AccessDenied",
        )
        .shows("Stalled/AccessDenied"),
        row(
            "a throttled Start that was taken back waits its time too",
            case().rejection("ThrottlingException", 3, 30),
            "Wait Throttled +30s",
        )
        .shows("Reconciling/Throttled"),
        row(
            "a rejection for good ends a later attempt: it cannot be corrected any more",
            invalid().attempt(2).absent(),
            "Fail Refused",
        )
        .shows("Failed/Refused"),
        row(
            "a throttle does not",
            refused("ThrottlingException", -1).attempt(2),
            "Submit #2",
        ),
    ]);
}

#[test]
fn a_corrected_spec_starts_with_a_clean_slate() {
    let case = case()
        .rejection("BadRequestException", 7, 3000)
        .job(|job| job.generation = 2);
    let after = case.status(&case.plan(), &transcribe_operator::domain::Outcome::Pending);
    assert_eq!((&after.rejection, &after.next_attempt_time), (&None, &None));
    assert_eq!(after.observed_generation, Some(2));
}

#[test]
fn an_edit_of_the_controls_keeps_what_is_known_of_a_throttled_start() {
    let edited = refused("ThrottlingException", 8).job(|job| job.generation = 2);
    let edited = edited.seen(|seen| seen.permit = false);
    let after = edited.status(&edited.plan(), &transcribe_operator::domain::Outcome::Pending);
    assert_eq!(
        after.rejection, edited.seen.job.status.rejection,
        "without it the intent would be taken back"
    );
}
