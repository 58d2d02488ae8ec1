//! What is said when the class is given.

use serde_json::{Value, json};

use crate::rig::{Folder, Ran, check, job};

fn class(name: &str, changes: Value) -> Value {
    let mut spec = json!({
        "region": "eu-west-1",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "finance"}},
        "input": {"allowedUris": ["s3://media/"]},
        "output": {"bucketName": "class-bucket", "allowedBuckets": ["transcripts"]},
        "encryption": {"allowedKmsKeys": ["arn:aws:kms:eu-west-1:111122223333:alias/finance-*"]},
    });
    spec.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    json!({
        "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionClass",
        "metadata": {"name": name}, "spec": spec,
    })
}

fn of_finance(members: Value) -> Value {
    let mut job = job(members);
    job["metadata"]["namespace"] = json!("finance");
    job
}

/// Judges a job by these classes; the verdict on the job comes last.
fn by(classes: &[Value], flags: &[&str], job: &Value) -> Ran {
    let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
    let folder = Folder::new(&[("class.yaml", &classes.join("\n---\n"))]);
    let file = folder.path("class.yaml");
    check(
        &[&["-o", "json", "-f", "-", "--class", &file], flags].concat(),
        &job.to_string(),
    )
}

fn verdict(classes: &[Value], flags: &[&str], job: &Value) -> (Option<String>, Vec<String>) {
    let ran = by(classes, flags, job);
    assert_eq!(ran.stderr, "");
    let item = ran.items().pop().unwrap();
    let message = item["message"].as_str().map(ToOwned::to_owned);
    (message, serde_json::from_value(item["warnings"].clone()).unwrap())
}

const ACCOUNT: [&str; 2] = ["--account", "111122223333"];

#[test]
fn a_job_is_judged_by_its_class() {
    let plain = class("finance", json!({}));
    let allowed = |members: Value| verdict(std::slice::from_ref(&plain), &ACCOUNT, &of_finance(members));
    let key = |key: &str| json!({"encryption": {"kmsKeyId": key}});
    assert_eq!(allowed(key("alias/finance-a")), (None, vec![]));
    assert_eq!(
        allowed(json!({"encryption": {"kmsKeyId": "alias/finance-a"}, "outputBucketName": null})),
        (None, vec![])
    );
    for (members, says) in [
        (
            key("alias/other"),
            "spec.encryption.kmsKeyId: class 'finance' does not allow this key",
        ),
        (
            key("arn:aws:kms:us-east-1:111122223333:alias/finance-a"),
            "spec.encryption.kmsKeyId: the key is in us-east-1",
        ),
        (
            json!({"outputBucketName": "other-bucket"}),
            "spec.outputBucketName: class 'finance' does not allow this bucket",
        ),
        (
            json!({"media": {"mediaFileUri": "s3://payroll/a.wav"}}),
            "spec.media.mediaFileUri: class 'finance' does not allow this media",
        ),
        (
            json!({"outputKey": "a".repeat(960)}),
            "spec.outputKey: together with the class's prefix",
        ),
    ] {
        let (message, _) = allowed(members.clone());
        assert!(
            message.as_ref().is_some_and(|m| m.starts_with(says)),
            "{members}: {message:?}"
        );
    }
}

#[test]
fn what_the_class_leaves_open_offline_is_said() {
    let key = || of_finance(json!({"encryption": {"kmsKeyId": "alias/finance-a"}}));
    let unjudged = "not judged: spec.encryption.kmsKeyId: whether the class allows the key (give --account)";
    assert_eq!(
        verdict(&[class("c", json!({}))], &[], &key()),
        (None, vec![unjudged.to_owned()])
    );
    let role = json!({"identity": {"roleArn": "arn:aws:iam::111122223333:role/a"}});
    assert_eq!(
        verdict(&[class("c", role)], &[], &key()),
        (None, vec![]),
        "the role's account"
    );
    let foreign = json!({"identity": {"roleArn": "arn:aws:iam::444455556666:role/a"}});
    let (message, _) = verdict(&[class("c", foreign)], &ACCOUNT, &key());
    assert!(message.unwrap().contains("does not allow this key"));

    let labels = |labels: Value| class("c", json!({"namespaceSelector": labels}));
    let by_labels = "not judged: spec.transcriptionClassName: whether the labels of namespace 'finance' are those that the class selects";
    let more = json!({"matchLabels": {"team": "a"}, "matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["finance"]},
    ]});
    assert_eq!(
        verdict(&[labels(more)], &ACCOUNT, &key()),
        (None, vec![by_labels.to_owned()])
    );
    assert_eq!(verdict(&[labels(json!({}))], &ACCOUNT, &key()), (None, vec![]));
    let never = json!({"matchLabels": {"team": "a", "kubernetes.io/metadata.name": "other"}});
    for selector in [never, Value::Null] {
        let (message, _) = verdict(&[labels(selector)], &ACCOUNT, &key());
        let message = message.unwrap();
        assert!(
            message.starts_with("spec.transcriptionClassName: there is no class 'c'"),
            "{message}"
        );
    }
}

#[test]
fn of_several_classes_it_is_the_one_that_is_named_or_the_default() {
    let mut default = class("default", json!({"output": {"allowedBuckets": ["of-default"]}}));
    default["metadata"]["annotations"] = json!({"transcribe-operator.io/is-default-class": "true"});
    let other = class("other", json!({"output": {"allowedBuckets": ["of-other"]}}));
    let classes = [default, other.clone(), class("third", json!({}))];
    let job = |class: Value, bucket: &str| {
        let key = json!({"kmsKeyId": "alias/finance-a"});
        of_finance(json!({"transcriptionClassName": class, "outputBucketName": bucket, "encryption": key}))
    };
    for (name, bucket) in [(json!("other"), "of-other"), (Value::Null, "of-default")] {
        assert_eq!(
            verdict(&classes, &ACCOUNT, &job(name.clone(), bucket)),
            (None, vec![]),
            "{name}"
        );
        assert!(verdict(&classes, &ACCOUNT, &job(name, "of-third")).0.is_some());
    }
    for (classes, name, says) in [
        (
            &classes[..],
            json!("unknown"),
            "class 'unknown' is not given by --class",
        ),
        (
            &classes[1..],
            Value::Null,
            "which class is the default one is not given by --class",
        ),
    ] {
        let (message, warnings) = verdict(classes, &ACCOUNT, &job(name, "any-bucket"));
        assert!(
            message.is_none() && warnings[0].contains(says),
            "{message:?} {warnings:?}"
        );
    }
    assert_eq!(
        verdict(&[other], &ACCOUNT, &job(Value::Null, "of-other")),
        (None, vec![]),
        "the only one"
    );
}

#[test]
fn the_class_itself_is_judged() {
    let wrong = class(
        "finance",
        json!({"region": "Ireland", "resourceName": ["a"], "output": {"keyPrefix": "{uid}/"}, "input": null}),
    );
    let ran = by(std::slice::from_ref(&wrong), &ACCOUNT, &of_finance(json!({})));
    assert_eq!(ran.status, 1);
    let [class, job] = &ran.items()[..] else {
        panic!("{}", ran.stdout)
    };
    assert_eq!(
        (&class["kind"], &class["namespace"], &class["allowed"]),
        (&json!("TranscriptionClass"), &json!(""), &json!(false))
    );
    let message = class["message"].as_str().unwrap();
    for says in [
        "spec.resourceName: unknown field; did you mean spec.resourceNames?",
        "spec.region: must be an AWS Region",
    ] {
        assert!(message.contains(says), "{message}");
    }
    assert!(
        job["warnings"][0]
            .as_str()
            .unwrap()
            .contains("not judged: spec.transcriptionClassName"),
        "{job}"
    );

    let nobodys = class_of(&json!({"region": "eu-west-1"}));
    let ran = check(&["-f", "-"], &nobodys.to_string());
    assert_eq!(ran.status, 0);
    assert_eq!(
        ran.stdout,
        "TranscriptionClass/a: allowed\n  warning: spec.namespaceSelector: not set, so that no namespace may use the class\n"
    );
    let braces = class_of(
        &json!({"region": "eu-west-1", "encryption": {"defaultKmsKeyId": "arn:aws:kms:us-east-1:111122223333:alias/a"}}),
    );
    let ran = check(&["-f", "-"], &braces.to_string());
    assert!(
        ran.stdout
            .contains("spec.encryption.defaultKmsKeyId: the default key must be in the Region"),
        "{}",
        ran.stdout
    );
}

fn class_of(spec: &Value) -> Value {
    let mut class = class("a", json!({}));
    class["spec"] = spec.clone();
    class
}

#[test]
fn a_file_without_a_class_and_flags_that_the_class_decides_are_told() {
    let folder = Folder::new(&[
        ("a.yaml", &job(json!({})).to_string()),
        ("class.yaml", &class("a", json!({})).to_string()),
    ]);
    let (job, class) = (folder.path("a.yaml"), folder.path("class.yaml"));
    let ran = check(&["-f", &job, "--class", &job], "");
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("holds no TranscriptionClass"), "{}", ran.stderr);
    let missing = folder.path("missing.yaml");
    assert_eq!(check(&["-f", &job, "--class", &missing], "").status, 2);
    for flag in [
        ["--region", "eu-west-1"],
        ["--output-bucket", "abc"],
        ["--key-account", "111122223333"],
    ] {
        let ran = check(&[&["-f", &job, "--class", &class], &flag[..]].concat(), "");
        assert_eq!((ran.status, &*ran.stdout), (2, ""), "{flag:?}");
        assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    }
}
