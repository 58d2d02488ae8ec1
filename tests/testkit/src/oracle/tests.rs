//! Made-up runs, each of which breaks one rule, and one that breaks none.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::*;

const NOW: &str = "2026-01-01T01:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// A line of the ledger, numbered by its place.
fn ledger(lines: &[(&str, &str, &str)]) -> Vec<LedgerLine> {
    let line = |(seq, (operation, uid, job_name)): (u64, &(&str, &str, &str))| LedgerLine {
        seq,
        time: now(),
        operation: (*operation).to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        access_key: "AKIAEXAMPLE".to_owned(),
        job_name: (*job_name).to_owned(),
        tags: [("uid", *uid), ("namespace", "ns"), ("name", "job")]
            .map(|(key, value)| (format!("transcribe-operator.io/{key}"), value.to_owned()))
            .into(),
        body: json!({}),
        signed_at: now(),
        ..LedgerLine::default()
    };
    (1..).zip(lines).map(line).collect()
}

fn object(uid: &str, true_conditions: &[&str]) -> Value {
    let conditions: Vec<Value> = true_conditions
        .iter()
        .map(|t| json!({ "type": t, "status": "True" }))
        .collect();
    json!({
        "metadata": { "namespace": "ns", "name": "job", "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "status": { "conditions": conditions },
    })
}

fn write(n: usize, path: &str, class: Class) -> Seen {
    Seen {
        n,
        method: Method::PUT,
        path: path.to_owned(),
        query: String::new(),
        operation: None,
        class,
        body: Bytes::new(),
        time: now(),
        upstream: Some(200),
        fault: None,
    }
}

const START: &str = "StartTranscriptionJob";
const DELETE: &str = "DeleteTranscriptionJob";

#[test]
fn a_run_in_good_order_has_no_violations() {
    let ledger = ledger(&[
        (START, "a", "t-c-a-1"),
        (START, "a", "t-c-a-2"),
        (START, "b", "t-c-b-1"),
        (DELETE, "b", "t-c-b-1"),
        (START, "c", "t-c-c-1r"),
    ]);
    let objects = [object("a", &["Complete", "Finished"])];
    let requests = [write(1, "/apis/g/v1/namespaces/ns/jobs/job/status", Class::StatusWrite)];
    let evidence = Evidence {
        ledger: &ledger,
        objects: &objects,
        requests: &requests,
        now: now(),
    };
    let bounds = Bounds {
        finish: SignedDuration::ZERO,
        deletion: SignedDuration::ZERO,
        writes: 1,
    };
    assert_eq!(judge(&evidence, &bounds), []);
}

#[test]
fn an_attempt_started_twice_is_a_double_also_under_another_name() {
    let doubled = |seqs: &[u64]| Violation::Double {
        uid: "a".into(),
        attempt: "1".into(),
        seqs: seqs.to_vec(),
    };
    let again = ledger(&[
        (START, "a", "t-c-a-1"),
        (START, "b", "t-c-b-1"),
        (START, "a", "t-c-a-1"),
    ]);
    assert_eq!(doubles(&again), [doubled(&[1, 3])]);
    let renamed = ledger(&[(START, "a", "random-x-1"), (START, "a", "random-y-1r")]);
    assert_eq!(doubles(&renamed), [doubled(&[1, 2])]);
    let deleted_between = ledger(&[
        (START, "a", "t-c-a-1"),
        (DELETE, "a", "t-c-a-1"),
        (START, "a", "t-c-a-1"),
    ]);
    assert_eq!(doubles(&deleted_between), [doubled(&[1, 3])]);
}

#[test]
fn completion_without_a_start_is_a_phantom() {
    let ledger = ledger(&[(START, "other", "t-c-other-1")]);
    let objects = [
        object("a", &["Complete"]),
        object("other", &["Complete"]),
        object("b", &[]),
    ];
    assert_eq!(
        phantoms(&ledger, &objects),
        [Violation::Phantom {
            object: "ns/job".into()
        }]
    );
}

#[test]
fn a_job_without_its_object_is_a_leak_until_it_is_deleted() {
    let started = ledger(&[
        (START, "a", "t-c-a-1"),
        ("StartMedicalTranscriptionJob", "b", "t-c-b-1"),
    ]);
    let leak = |name: &str| Violation::Leak { job_name: name.into() };
    assert_eq!(leaks(&started, &[object("b", &[])]), [leak("t-c-a-1")]);
    assert_eq!(leaks(&started, &[object("a", &[])]), [leak("t-c-b-1")]);
    let wrong_kind = ledger(&[
        (START, "a", "t-c-a-1"),
        ("DeleteMedicalTranscriptionJob", "a", "t-c-a-1"),
    ]);
    assert_eq!(leaks(&wrong_kind, &[]), [leak("t-c-a-1")]);
}

#[test]
fn an_object_that_does_not_finish_in_time_is_a_loss() {
    let loss = [Violation::Loss {
        object: "ns/job".into(),
    }];
    assert_eq!(
        losses(&[object("a", &["Ready"])], now(), SignedDuration::from_mins(59)),
        loss
    );
    assert_eq!(losses(&[object("a", &["Ready"])], now(), hours(1)), []);
    assert_eq!(losses(&[object("a", &["Failed"])], now(), SignedDuration::ZERO), []);
    let untouched =
        json!({ "metadata": { "namespace": "ns", "name": "job", "creationTimestamp": "2026-01-01T00:00:00Z" } });
    assert_eq!(losses(&[untouched], now(), SignedDuration::ZERO), loss);
}

#[test]
fn an_object_that_does_not_go_is_stuck() {
    let mut going = object("a", &[]);
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:30:00Z");
    let stuck_one = [Violation::Stuck {
        object: "ns/job".into(),
    }];
    assert_eq!(
        stuck(std::slice::from_ref(&going), now(), SignedDuration::from_mins(29)),
        stuck_one
    );
    assert_eq!(
        stuck(std::slice::from_ref(&going), now(), SignedDuration::from_mins(30)),
        []
    );
    assert_eq!(losses(&[going], now(), SignedDuration::ZERO), []);
}

#[test]
fn an_object_written_again_and_again_is_hot() {
    let path = "/apis/g/v1/namespaces/ns/jobs/job";
    let status = format!("{path}/status");
    let mut requests = vec![
        write(1, path, Class::ObjectWrite),
        write(2, &status, Class::StatusWrite),
    ];
    requests.extend([
        write(3, &status, Class::Event),
        write(4, "/apis/g/v1/namespaces/ns/jobs", Class::ObjectWrite),
    ]);
    assert_eq!(hot(&requests, 2), []);
    assert_eq!(
        hot(&requests, 1),
        [Violation::Hot {
            object: path.into(),
            writes: 2
        }]
    );
}

#[test]
fn secrets_in_a_log_are_found() {
    assert_eq!(told("key=AKIA1 token=none", &["AKIA1", "hunter2"]), ["AKIA1"]);
}

#[test]
fn two_runs_of_the_same_work_compare_equal() {
    let end = |uid: &str, time: &str| {
        json!({
            "metadata": {
                "uid": uid, "namespace": format!("run-{time}"), "resourceVersion": time, "creationTimestamp": time,
                "name": "job",
            },
            "status": { "jobName": format!("t-c-{uid}-1"), "startTime": time, "attempts": [{ "jobName": uid }], "attempt": 1 },
        })
    };
    assert_eq!(masked(&end("aaaa-1111", "1")), masked(&end("bbbb-2222", "2")));
    let mut other = end("bbbb-2222", "2");
    other["status"]["attempt"] = json!(2);
    assert_ne!(masked(&end("aaaa-1111", "1")), masked(&other));

    let (one, two) = (ledger(&[(START, "a", "t-c-a-1")]), ledger(&[(START, "b", "t-c-b-1")]));
    assert_eq!(summary(&one, "ns"), summary(&two, "ns"));
    assert_eq!(summary(&one, "ns")["job"][START], 1);
    let more = ledger(&[(START, "a", "t-c-a-1"), (DELETE, "a", "t-c-a-1")]);
    assert_ne!(summary(&one, "ns"), summary(&more, "ns"));
    assert!(summary(&one, "elsewhere").is_empty());
}

#[test]
fn violations_read_as_sentences() {
    let double = Violation::Double {
        uid: "a".into(),
        attempt: "1".into(),
        seqs: vec![1, 3],
    };
    assert_eq!(
        double.to_string(),
        "attempt 1 of a was started 2 times: ledger lines [1, 3]"
    );
}
