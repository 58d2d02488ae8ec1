//! What the reply to a Start leaves in the status, and when the next one follows.

use jiff::SignedDuration;
use transcribe_operator::{
    api::{
        conditions::{COMPLETE, ENCRYPTION_READY, FAILED, FINISHED, READY, RECONCILING, STALLED, SUSPENDED},
        status::{EncryptionMode, JobStatus, OutputStatus, SkippedFeature, SubmissionOutcome},
    },
    domain::{AwsErrorKind, Outcome, RemoteJob},
};

use crate::world::{
    Case, HOUR, KEY, acknowledged, after, ago, case, check, facts, failed, fault, now, refused, row, sent, shown, tell,
    usable,
};

fn reply(kind: AwsErrorKind, code: &str) -> Outcome {
    Outcome::Started(Err(fault(kind, code)))
}

#[test]
fn replies_to_a_start() {
    check([
        row("accepted", case(), "Submit #1")
            .ends(Outcome::Started(Ok(Box::new(facts("QUEUED")))))
            .shows("Reconciling/Queued")
            .back("+10m"),
        row("the name is taken: whose is it?", case(), "Submit #1")
            .ends(reply(AwsErrorKind::Conflict, "ConflictException"))
            .shows("Reconciling/Submitting")
            .back("+0s"),
        row("throttled", case(), "Submit #1")
            .ends(reply(AwsErrorKind::Throttled, "ThrottlingException"))
            .shows("Reconciling/Throttled"),
        row("the limit is reached", case(), "Submit #1")
            .ends(reply(AwsErrorKind::Throttled, "LimitExceededException"))
            .shows("Reconciling/Throttled"),
        row("denied", case(), "Submit #1")
            .ends(reply(AwsErrorKind::Denied, "AccessDeniedException"))
            .shows("Stalled/AccessDenied"),
        row("refused as it is", case(), "Submit #1")
            .ends(reply(AwsErrorKind::Invalid, "BadRequestException"))
            .shows("Stalled/Refused"),
        row("never sent", case(), "Submit #1")
            .ends(reply(AwsErrorKind::NotSent, "NotSent"))
            .shows("Reconciling/AwsUnreachable"),
        row("lost", case(), "Submit #1")
            .ends(reply(AwsErrorKind::Ambiguous, "Timeout"))
            .shows("Reconciling/Submitting"),
    ]);
}

fn replied(case: &Case, outcome: &Outcome) -> JobStatus {
    case.status(&case.plan(), outcome)
}

#[test]
fn the_intent_keeps_what_is_known_of_the_start() {
    for (outcome, kept) in [
        (Outcome::Pending, SubmissionOutcome::Sent),
        (
            Outcome::Started(Ok(Box::new(facts("QUEUED")))),
            SubmissionOutcome::Acknowledged,
        ),
        (
            reply(AwsErrorKind::Conflict, "ConflictException"),
            SubmissionOutcome::Conflict,
        ),
        (
            reply(AwsErrorKind::Throttled, "LimitExceededException"),
            SubmissionOutcome::Refused,
        ),
        (
            reply(AwsErrorKind::Denied, "AccessDeniedException"),
            SubmissionOutcome::Refused,
        ),
        (
            reply(AwsErrorKind::Invalid, "BadRequestException"),
            SubmissionOutcome::Refused,
        ),
        (
            reply(AwsErrorKind::Absent, "NotFoundException"),
            SubmissionOutcome::Refused,
        ),
        (reply(AwsErrorKind::NotSent, "NotSent"), SubmissionOutcome::Refused),
        (reply(AwsErrorKind::Ambiguous, "Timeout"), SubmissionOutcome::Sent),
    ] {
        let submission = replied(&case(), &outcome).submission.unwrap();
        assert_eq!(submission.outcome, kept, "{outcome:?}");
        assert_eq!(
            submission.acknowledged_at.is_some(),
            kept == SubmissionOutcome::Acknowledged
        );
    }
}

/// The rejections in a row of one code, and after how long the next Start follows.
fn delays(kind: AwsErrorKind, code: &str, others_admitted: bool, times: usize) -> Vec<i64> {
    let mut case = case().seen(|seen| seen.others_admitted = others_admitted);
    let mut delays = Vec::new();
    for count in 1..=times {
        let after = replied(&case.clone().forced(), &reply(kind, code));
        let next = after.next_attempt_time.as_ref().unwrap().0;
        assert_eq!(after.rejection.as_ref().unwrap().count, i32::try_from(count).unwrap());
        delays.push(next.duration_since(now()).as_secs());
        case = case.having(JobStatus {
            submission: None,
            last_handled_reconcile_at: None,
            ..after
        });
    }
    delays
}

#[test]
fn delays_grow_and_differ_between_objects() {
    let throttled = delays(AwsErrorKind::Throttled, "ThrottlingException", true, 10);
    for (delay, least) in throttled.iter().zip([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        assert!((least..=least * 5 / 4).contains(delay), "{throttled:?}");
    }
    let refused = delays(AwsErrorKind::Invalid, "BadRequestException", true, 8);
    for (delay, least) in refused.iter().zip([60, 120, 240, 480, 960, 1920, 3600, 3600]) {
        assert!((least..=least * 5 / 4).contains(delay), "{refused:?}");
    }
    let next = |last: char| {
        let uid = crate::world::UID.replace('e', &last.to_string());
        let case = case().job(|job| (job.uid, job.owner_uid) = (uid.clone(), Some(uid)));
        replied(&case, &reply(AwsErrorKind::Invalid, "BadRequestException"))
            .next_attempt_time
            .unwrap()
            .0
    };
    let times: std::collections::BTreeSet<_> = "0123456789abcdef".chars().map(next).collect();
    assert!(times.len() > 5, "{times:?}");
}

#[test]
fn a_limit_that_only_this_job_meets_is_the_medias() {
    let limit = || reply(AwsErrorKind::Throttled, "LimitExceededException");
    let sixth = |others| {
        let case = refused("LimitExceededException", -1).rejection("LimitExceededException", 5, -1);
        replied(&case.seen(|seen| seen.others_admitted = others), &limit())
    };
    assert_eq!(shown(&sixth(false)), "Reconciling/Throttled", "nobody is admitted");
    let after_sixth = sixth(true);
    assert_eq!(shown(&after_sixth), "Stalled/LimitOrInputTooLong");
    let wait = after_sixth.next_attempt_time.unwrap().0.duration_since(now());
    assert!(wait >= SignedDuration::from_mins(10), "{wait:#}");
    let fifth = refused("LimitExceededException", -1).rejection("LimitExceededException", 4, -1);
    let fifth = replied(&fifth.seen(|seen| seen.others_admitted = true), &limit());
    assert_eq!(shown(&fifth), "Reconciling/Throttled");
    let slow = delays(AwsErrorKind::Throttled, "LimitExceededException", true, 12);
    assert!(
        slow[5..].is_sorted() && slow[5] >= 600 && (3600..=4500).contains(&slow[11]),
        "{slow:?}"
    );
}

#[test]
fn another_code_begins_to_count_anew() {
    let case = refused("ThrottlingException", -1).rejection("ThrottlingException", 7, -1);
    let after = replied(&case, &reply(AwsErrorKind::Throttled, "LimitExceededException"));
    assert_eq!(after.rejection.unwrap().count, 1);
}

#[test]
fn what_is_taken_back_after_a_lost_reply_was_not_refused() {
    for code in [
        "Timeout",
        "ConnectionLost",
        "UnreadableReply",
        "InternalFailureException",
    ] {
        let lost = case().status(&case().plan(), &reply(AwsErrorKind::Ambiguous, code));
        let later = after(HOUR);
        let withdrawn = case()
            .having(lost)
            .suspended()
            .record(transcribe_operator::domain::Observation::Absent { as_of: later });
        let step = withdrawn.plan_at(later);
        assert_eq!(tell(&step), "Withdraw", "{code}");
        let status = withdrawn.status_at(&step, &Outcome::Pending, later);
        assert_eq!(shown(&status), "Reconciling/Accepted", "{code}: AWS never refused it");
    }
}

#[test]
fn an_accepted_job_forgets_its_refusals() {
    let case = refused("ThrottlingException", -1);
    let after = replied(&case, &Outcome::Started(Ok(Box::new(facts("QUEUED")))));
    assert_eq!((after.rejection, after.next_attempt_time), (None, None));
    assert_eq!(after.job_status.as_deref(), Some("QUEUED"));
}

#[test]
fn the_encryption_in_effect_is_shown() {
    let plain = replied(&case(), &Outcome::Pending);
    assert_eq!(plain.encryption.as_ref().unwrap().mode, EncryptionMode::SseS3);
    assert_eq!(condition(&plain, ENCRYPTION_READY), Some(("True", "ServiceManagedKey")));
    let encrypted = replied(&case().key(usable()), &Outcome::Pending);
    let encryption = encrypted.encryption.as_ref().unwrap();
    assert_eq!(
        (encryption.mode, encryption.kms_key_arn.as_deref()),
        (EncryptionMode::SseKms, Some(KEY))
    );
    assert_eq!(encryption.context["department"], "finance");
    assert_eq!(condition(&encrypted, ENCRYPTION_READY), Some(("True", "KeyResolved")));
    let bad = replied(&case().key(crate::world::bad_key()), &Outcome::Pending);
    assert_eq!(condition(&bad, ENCRYPTION_READY), Some(("False", "KeyRegionMismatch")));
}

fn condition<'a>(status: &'a JobStatus, type_: &str) -> Option<(&'a str, &'a str)> {
    let condition = status.conditions.iter().find(|c| c.type_ == type_)?;
    Some((&condition.status, &condition.reason))
}

#[test]
fn a_completed_job_shows_its_results_once() {
    let output = OutputStatus {
        transcript_uri: Some("s3://transcripts/a.json".to_owned()),
        ..OutputStatus::default()
    };
    let facts = RemoteJob {
        creation_time: Some(ago(200)),
        completion_time: Some(ago(67)),
        language_code: Some("en-US".to_owned()),
        output: output.clone(),
        skipped: vec![SkippedFeature {
            feature: Some("GENERATIVE_SUMMARIZATION".to_owned()),
            ..SkippedFeature::default()
        }],
        ..facts("COMPLETED")
    };
    let skipped = facts.skipped.clone();
    let after = replied(&acknowledged(HOUR / 10).found(facts), &Outcome::Pending);
    assert_eq!(after.skipped, skipped);
    assert_eq!(after.duration.as_deref(), Some("2m13s"));
    assert_eq!(
        (after.output, after.language_code.as_deref()),
        (Some(output), Some("en-US"))
    );
    for type_ in [READY, COMPLETE, FINISHED] {
        assert_eq!(condition_of(&after.conditions, type_), Some("True"), "{type_}");
    }
    for type_ in [RECONCILING, STALLED, FAILED] {
        assert_eq!(condition_of(&after.conditions, type_), None, "{type_}");
    }
}

fn condition_of<'a>(
    conditions: &'a [k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    type_: &str,
) -> Option<&'a str> {
    conditions.iter().find(|c| c.type_ == type_).map(|c| c.status.as_str())
}

#[test]
fn a_failed_job_says_why_and_how_long_it_took() {
    let after = replied(&acknowledged(300).found(failed("Internal error")), &Outcome::Pending);
    assert_eq!(after.failure_reason.as_deref(), Some("Internal error"));
    assert_eq!(after.attempts[0].failure_reason.as_deref(), Some("Internal error"));
    assert_eq!(
        after.duration.as_deref(),
        Some("30s"),
        "AWS named no end: it is when it was seen"
    );
    let ready = after.conditions.iter().find(|c| c.type_ == READY).unwrap();
    assert!(ready.message.contains("Internal error"), "{}", ready.message);
}

#[test]
fn suspending_a_submitted_job_says_that_it_is_too_late() {
    let after = replied(&acknowledged(HOUR).suspended().running(), &Outcome::Pending);
    assert_eq!(condition(&after, SUSPENDED), Some(("False", "AlreadySubmitted")));
}

#[test]
fn resuming_is_shown_with_its_time() {
    let case = case()
        .condition(
            SUSPENDED,
            "True",
            transcribe_operator::api::conditions::Reason::Suspended,
            HOUR,
        )
        .seen(|seen| seen.permit = false);
    let after = replied(&case, &Outcome::Pending);
    assert_eq!(condition(&after, SUSPENDED), Some(("False", "Resumed")));
    let resumed = after.conditions.iter().find(|c| c.type_ == SUSPENDED).unwrap();
    assert_eq!(resumed.last_transition_time.0, now());
}

#[test]
fn a_forced_look_is_handled_once() {
    let case = acknowledged(HOUR).forced().running();
    let after = replied(&case, &Outcome::Pending);
    assert_eq!(after.last_handled_reconcile_at.as_deref(), Some("now"));
    assert!(!case.having(after).seen.job.forced());
}

#[test]
fn a_second_start_keeps_the_attempt_and_its_first_time() {
    let after = replied(&sent(30).absent(), &Outcome::Pending);
    let submission = after.submission.unwrap();
    assert_eq!(
        (submission.first_started_at.0, submission.started_at.0),
        (ago(30), now())
    );
    assert_eq!(after.attempts.len(), 1);
    assert_eq!(
        submission.settled_at(&crate::world::rules()),
        crate::world::after(crate::world::BOUND)
    );
}
