//! Which reads a pass needs, and what a sweep says.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use transcribe_operator::{
    api::{
        conditions::{ENCRYPTION_READY, Reason},
        status::SubmissionOutcome,
    },
    domain::{
        KeyVerdict, ListSnapshot, Look, Sighting,
        job::look::{KeyToJudge, look},
    },
};

use crate::world::{
    BOUND, Case, HOUR, KEY, MINUTE, OTHER_UID, acknowledged, ago, case, facts, failed_once, job_name, now, refused,
    sent,
};

fn told(look: &Look) -> String {
    let Look { get, key, permit } = look;
    let key = key.as_ref().map(|key| match key {
        KeyToJudge::Reference(_) => "key",
        KeyToJudge::Pinned(_) => "pinned key",
    });
    let words = [get.as_ref().map(|_| "get"), key, permit.then_some("permit")];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn looked(case: &Case, sighting: &Sighting) -> String {
    let Case { desired, seen } = case;
    told(&look(&seen.job, desired, sighting, &seen.limits, now()))
}

fn listed() -> Sighting {
    Sighting::Listed {
        facts: Box::new(facts("IN_PROGRESS")),
        as_of: now(),
    }
}

#[test]
fn each_pass_reads_no_more_than_it_needs() {
    use Sighting::{Left, None};
    let conflict = || case().intent(SubmissionOutcome::Conflict, MINUTE);
    let missing = |since| acknowledged(HOUR).absent_since(since);
    let rows: [(&str, Case, Sighting, &str); 38] = [
        ("a new object needs a slot", case(), None, "permit"),
        ("and its key", case().key(KeyVerdict::NotAsked), None, "key, permit"),
        (
            "not before it is protected",
            case().job(|job| job.has_finalizer = false),
            None,
            "",
        ),
        ("nor while suspended", case().suspended(), None, ""),
        ("nor with a bad spec", case().invalid(Reason::InvalidSpec), None, ""),
        ("nor past its deadline", case().deadline(60), None, ""),
        (
            "nor while it waits",
            case().rejection("ThrottlingException", 1, 5),
            None,
            "",
        ),
        (
            "nor as a copy",
            case().job(|job| job.owner_uid = Some(OTHER_UID.to_owned())),
            None,
            "",
        ),
        (
            "a finished object needs nothing",
            acknowledged(HOUR).finished(5),
            Left,
            "",
        ),
        (
            "even when a look is forced",
            acknowledged(HOUR).finished(5).forced(),
            Left,
            "",
        ),
        ("a lost reply: is it there?", sent(5), None, "get, permit"),
        (
            "with the key that is pinned",
            sent(5).with(|s| s.request.kms_key_arn = Some(KEY.to_owned())),
            None,
            "get, pinned key, permit",
        ),
        ("a sweep lists it: whose is it?", sent(5), listed(), "get, permit"),
        ("not before its time", sent(5).rejection("Timeout", 1, 5), None, ""),
        (
            "unless forced",
            sent(5).rejection("Timeout", 1, 5).forced(),
            None,
            "get, permit",
        ),
        (
            "suspended meanwhile: only whether it is there",
            sent(5).suspended(),
            None,
            "get",
        ),
        ("a running job is left to the sweeps", acknowledged(HOUR), None, ""),
        ("which list it", acknowledged(HOUR), listed(), ""),
        ("one that left the sweeps is got once", acknowledged(HOUR), Left, "get"),
        ("or when forced", acknowledged(HOUR).forced(), None, "get"),
        (
            "whatever became of its class",
            acknowledged(HOUR).invalid(Reason::NoClass),
            Left,
            "get",
        ),
        ("a missing one rests", missing(MINUTE), Left, ""),
        ("until its time is up", missing(BOUND), Left, "get"),
        ("or a sweep lists it again", missing(BOUND), listed(), ""),
        ("a name that is taken is looked at", conflict(), None, "get"),
        ("also when it is listed: whose is it?", conflict(), listed(), "get"),
        ("a throttled Start waits", refused("ThrottlingException", 5), None, ""),
        ("and needs a slot", refused("ThrottlingException", -1), None, "permit"),
        (
            "suspended meanwhile: is it there?",
            refused("ThrottlingException", 5).suspended(),
            None,
            "get",
        ),
        (
            "its key went bad: is it there?",
            refused("ThrottlingException", -1).condition(ENCRYPTION_READY, "False", Reason::KeyRegionMismatch, 5),
            None,
            "get, permit",
        ),
        (
            "a rejection for good: is it there?",
            refused("BadRequestException", 5),
            None,
            "get",
        ),
        (
            "not while a request can arrive",
            refused("BadRequestException", 5).stray(5),
            None,
            "",
        ),
        (
            "the next attempt is a new Start",
            failed_once(-1).key(KeyVerdict::NotAsked),
            Left,
            "key, permit",
        ),
        ("when its time has come", failed_once(5), Left, ""),
        (
            "a deleted object needs its record only",
            acknowledged(HOUR).deleted(5),
            None,
            "get",
        ),
        ("but not while a request can arrive", sent(5).deleted(5), None, ""),
        ("until the very instant", sent(BOUND).deleted(5), None, ""),
        ("and then it is looked for", sent(BOUND + 1).deleted(5), None, "get"),
    ];
    for (says, case, sighting, expected) in rows {
        assert_eq!(looked(&case, &sighting), expected, "{says}");
    }
}

#[test]
fn deleted_objects_that_need_no_record() {
    let retained = || case().retained();
    for (says, case) in [
        ("never submitted", case().deleted(5)),
        (
            "not protected",
            acknowledged(HOUR).deleted(5).job(|job| job.has_finalizer = false),
        ),
        (
            "to be retained",
            retained().intent(SubmissionOutcome::Acknowledged, HOUR).deleted(5),
        ),
    ] {
        assert_eq!(looked(&case, &Sighting::None), "", "{says}");
    }
}

#[test]
fn a_get_asks_for_the_record_as_the_intent_has_it() {
    let case = acknowledged(HOUR);
    let look = look(&case.seen.job, &case.desired, &Sighting::Left, &case.seen.limits, now());
    let target = look.get.unwrap();
    assert_eq!((target.job_name, target.first_started_at), (job_name(1), ago(HOUR)));
}

fn sweep(begun_at: Timestamp, listed: &[&str]) -> ListSnapshot {
    let running = listed.iter().map(|name| ((*name).to_owned(), facts("QUEUED")));
    ListSnapshot {
        begun_at,
        running: running.collect(),
    }
}

#[test]
fn only_a_sweep_begun_after_the_acknowledgement_shows_that_a_job_left() {
    let name = job_name(1);
    let job = acknowledged(MINUTE).with(|s| s.acknowledged_at = Some(MicroTime(ago(30))));
    let submission = job.seen.job.submission();
    let of = |sweep: &ListSnapshot| Sighting::of(Some(sweep), submission);
    assert_eq!(of(&sweep(ago(29), &[])), Sighting::Left);
    assert_eq!(
        of(&sweep(ago(30), &[])),
        Sighting::None,
        "it began before, or at the instant"
    );
    assert_eq!(of(&sweep(ago(40), &[])), Sighting::None);
    assert_eq!(of(&sweep(ago(29), &["another"])), Sighting::Left);
    assert!(matches!(of(&sweep(ago(40), &[&name])), Sighting::Listed { as_of, .. } if as_of == ago(40)));
    assert_eq!(Sighting::of(None, submission), Sighting::None);
    assert_eq!(Sighting::of(Some(&sweep(now(), &[&name])), None), Sighting::None);
    let unacknowledged = sent(MINUTE);
    let submission = unacknowledged.seen.job.submission();
    assert_eq!(
        Sighting::of(Some(&sweep(now(), &[])), submission),
        Sighting::None,
        "a lost reply never left"
    );
}
