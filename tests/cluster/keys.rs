//! The key and its context, judged at `kubectl apply` by the webhook and again by the reconciler before a Start.

use anyhow::{Result, ensure};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use testkit::aws_sim::{Config, FaultRule, Key, KeyState, What, When};
use testkit::operator::Operator;
use testkit::stage::{REGION, Stage};
use testkit::wait::{self, Look};
use testkit::webhook::Webhook;

use crate::scene::{KEY, Tenant, UNANSWERED, error, job, message, operator, says};

const DESCRIBE: &str = "DescribeKey";
const START: &str = "StartTranscriptionJob";

/// A stage whose API server asks the operator's webhook.
struct Governed {
    stage: Stage,
    operator: Operator,
    webhook: Webhook,
}

impl Governed {
    async fn start() -> Result<Self> {
        let stage = Stage::start(Config {
            run_ms: 300,
            ..Config::default()
        })
        .await?;
        let webhook = Webhook::new()?;
        let flags = ["--key-recheck-interval", "2s", "--key-account", "444455556666"];
        let operator = operator(&stage).args(webhook.args()).args(flags).start()?;
        operator.wait_ready().await?;
        webhook.register(&stage.client).await?;
        let governed = Self {
            stage,
            operator,
            webhook,
        };
        governed.admits().await?;
        Ok(governed)
    }

    /// The API server takes a moment until it asks a webhook that was registered.
    async fn admits(&self) -> Result<()> {
        let tenant = self.tenant("probe").await?;
        let probe = job("probe", json!({"transcriptionClassName": "nobody"})).to_string();
        wait::until("the webhook is asked", async || {
            let seen = tenant.run(&["create", "--dry-run=server", "-f", "-"], &probe).await?;
            let asked = seen.stderr.contains("there is no class 'nobody'");
            Ok(Look::at(asked, seen.stderr))
        })
        .await
    }

    async fn tenant(&self, prefix: &str) -> Result<Tenant<'_>> {
        let tenant = Tenant::of(&self.stage, prefix).await?;
        Ok(Tenant {
            operator: Some(&self.operator),
            ..tenant
        })
    }

    /// A key of its own, and its ARN.
    fn key(&self, number: u32, change: impl FnOnce(&mut Key)) -> Result<String> {
        let mut key = Key::new(REGION, &format!("{number:08x}-0000-4000-8000-000000000000"));
        change(&mut key);
        let arn = key.arn();
        self.stage.sim.put_key(key)?;
        Ok(arn)
    }
}

fn encrypted(name: &str, key: &str) -> Value {
    job(
        name,
        json!({"encryption": {"kmsKeyId": key, "context": {"department": "finance"}}}),
    )
}

async fn create(tenant: &Tenant<'_>, manifest: &Value) -> Result<(bool, String)> {
    let seen = tenant.run(&["create", "-f", "-"], &manifest.to_string()).await?;
    Ok((seen.success, seen.stderr))
}

/// Creates an object anew until KMS has answered in time: the webhook waits no longer than a person would, and admits.
async fn create_judged(tenant: &Tenant<'_>, name: &str, manifest: &Value) -> Result<(bool, String)> {
    wait::until("KMS answers in time", async || {
        let (created, printed) = create(tenant, manifest).await?;
        if !printed.contains(UNANSWERED) {
            return Ok(Look::Done((created, printed)));
        }
        tenant.delete(name).await?;
        tenant.until_gone(name).await?;
        Ok(Look::Not(printed))
    })
    .await
}

/// A policy that lets the account use the key, with these statements on top.
fn policy(denied: &[Value]) -> Value {
    let everything = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"});
    let statements: Vec<_> = std::iter::once(everything).chain(denied.iter().cloned()).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn deny(actions: &[&str], condition: Value) -> Value {
    let mut statement = json!({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*"});
    if !condition.is_null() {
        statement["Condition"] = condition;
    }
    statement
}

const USE: [&str; 2] = ["kms:Encrypt", "kms:GenerateDataKey*"];

fn only_by_transcribe() -> Value {
    let elsewhere = json!({"StringNotEquals": {"kms:ViaService": format!("transcribe.{REGION}.amazonaws.com")}});
    policy(&[deny(&USE, elsewhere)])
}

fn only_for(department: &str) -> Value {
    let other = json!({"StringNotEquals": {"kms:EncryptionContext:department": department}});
    policy(&[deny(&USE, other)])
}

/// What kubectl prints at apply.
enum Apply {
    Quiet,
    Warns(&'static str),
    Denies(&'static str),
}

/// What the reconciler does when a key has become so after the apply.
enum Later {
    Finishes(&'static str),
    Stalls(&'static str),
    Waits(&'static str),
}

type Change = fn(&mut Key);

/// Each key state, spec, manager and permission: the verdict at apply, and what the reconciler does when it finds the key so.
const TABLE: &[(&str, Change, Apply, Later)] = &[
    ("enabled", |_| {}, Apply::Quiet, Later::Finishes("KeyResolved")),
    (
        "updating",
        |key| key.key_state = KeyState::Updating,
        Apply::Warns("AWS KMS is updating the key"),
        Later::Finishes("KeyUseUnproven"),
    ),
    (
        "creating",
        |key| key.key_state = KeyState::Creating,
        Apply::Warns("still creating the key"),
        Later::Waits("KeyUnavailable"),
    ),
    (
        "unavailable",
        |key| key.key_state = KeyState::Unavailable,
        Apply::Warns("custom key store is disconnected"),
        Later::Waits("KeyUnavailable"),
    ),
    (
        "disabled",
        |key| key.key_state = KeyState::Disabled,
        Apply::Denies("the key is disabled; enable it"),
        Later::Stalls("KeyDisabled"),
    ),
    (
        "pending-deletion",
        |key| key.key_state = KeyState::PendingDeletion,
        Apply::Denies("scheduled for deletion"),
        Later::Stalls("KeyPendingDeletion"),
    ),
    (
        "pending-replica-deletion",
        |key| key.key_state = KeyState::PendingReplicaDeletion,
        Apply::Denies("as soon as its replicas are"),
        Later::Stalls("KeyPendingDeletion"),
    ),
    (
        "pending-import",
        |key| key.key_state = KeyState::PendingImport,
        Apply::Denies("has no key material"),
        Later::Stalls("KeyPendingImport"),
    ),
    (
        "rsa-encrypts",
        |key| "RSA_2048".clone_into(&mut key.key_spec),
        Apply::Denies("(RSA_2048, ENCRYPT_DECRYPT) is asymmetric"),
        Later::Stalls("KeyNotSymmetric"),
    ),
    (
        "signs",
        |key| (key.key_spec, key.key_usage) = ("ECC_NIST_P256".to_owned(), "SIGN_VERIFY".to_owned()),
        Apply::Denies("asymmetric key for signatures"),
        Later::Stalls("KeyNotSymmetric"),
    ),
    (
        "hmac",
        |key| (key.key_spec, key.key_usage) = ("HMAC_256".to_owned(), "GENERATE_VERIFY_MAC".to_owned()),
        Apply::Denies("is an HMAC key"),
        Later::Stalls("KeyNotSymmetric"),
    ),
    (
        "aws-managed",
        |key| "AWS".clone_into(&mut key.key_manager),
        Apply::Denies("AWS managed key"),
        Later::Stalls("KeyNotCustomerManaged"),
    ),
    (
        "not-describable",
        |key| key.policy = Some(policy(&[deny(&["kms:DescribeKey"], Value::Null)])),
        Apply::Warns("(kms:DescribeKey)"),
        Later::Finishes("KeyUseUnproven"),
    ),
    (
        "only-by-transcribe",
        |key| key.policy = Some(only_by_transcribe()),
        Apply::Warns("denies the operator to use the key"),
        Later::Finishes("KeyUseUnproven"),
    ),
    (
        "right-context",
        |key| key.policy = Some(only_for("finance")),
        Apply::Quiet,
        Later::Finishes("KeyResolved"),
    ),
    (
        "wrong-context",
        |key| key.policy = Some(only_for("legal")),
        Apply::Warns("denies the operator to use the key"),
        Later::Stalls("Refused"),
    ),
];

pub async fn each_key_and_permission_is_judged_at_apply_and_before_the_start() -> Result<()> {
    let governed = Governed::start().await?;
    let tenant = governed.tenant("key").await?;
    let mut wrong = Vec::new();
    for (number, (name, change, apply, _)) in (0..).step_by(2).zip(TABLE) {
        let arn = governed.key(number, *change)?;
        let applied = format!("{name}-applied");
        let (created, printed) = create_judged(&tenant, &applied, &encrypted(&applied, &arn)).await?;
        println!("{name:26} apply: {}", printed.lines().next().unwrap_or("(quiet)"));
        let as_expected = match apply {
            Apply::Quiet => created && printed.is_empty(),
            Apply::Warns(part) => {
                created && printed.contains("Warning: spec.encryption.kmsKeyId: ") && printed.contains(part)
            }
            Apply::Denies(part) => {
                let object = format!("The TranscriptionJob \"{applied}\"");
                let head = format!("{object} is invalid: spec.encryption.kmsKeyId: Invalid value: \"{arn}\": ");
                !created && printed.starts_with(&head) && printed.contains(part)
            }
        };
        if !as_expected {
            wrong.push(format!("{name}: {printed}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let later = (1..).step_by(2).zip(TABLE).map(Ok);
    futures::stream::iter(later)
        .try_for_each_concurrent(6, |row| found_so_later(&governed, &tenant, row))
        .await?;
    Ok(())
}

/// The key is good at apply; the reconciler finds it otherwise, and once it is mended the job runs.
async fn found_so_later(
    governed: &Governed,
    tenant: &Tenant<'_>,
    (number, (name, change, _, later)): (u32, &(&str, Change, Apply, Later)),
) -> Result<()> {
    let arn = governed.key(number, |_| {})?;
    let spec = json!({"encryption": {"kmsKeyId": arn, "context": {"department": "finance"}}});
    let uid = tenant.hold(name, spec).await?;
    governed.stage.sim.change_key(&arn, change)?;
    // The webhook remembers for a minute that the key was good.
    tenant.edit_now(name, json!({"suspend": false})).await?;
    let mend = async |reason: &str| {
        ensure!(tenant.starts(&uid).is_empty(), "{name}: submitted although {reason}");
        governed.stage.sim.change_key(&arn, |key| {
            *key = Key {
                created: key.created,
                ..Key::new(REGION, &key.key_id)
            };
        })
    };
    let proven = match later {
        Later::Finishes(reason) => *reason,
        Later::Stalls(reason) => {
            let seen = tenant.until_reason(name, "Stalled", reason).await?;
            if *reason != "Refused" {
                says(
                    &message(&seen, "EncryptionReady", "False", reason)?,
                    &["spec.encryption.kmsKeyId"],
                )?;
            }
            mend(reason).await?;
            let taken_back = |job: &Value| job["status"]["submission"].is_null();
            tenant.until(name, taken_back).await?;
            tenant.look_now(name, "mended").await?;
            "KeyResolved"
        }
        Later::Waits(reason) => {
            let seen = tenant.until_reason(name, "Ready", reason).await?;
            message(&seen, "EncryptionReady", "Unknown", reason)?;
            mend(reason).await?;
            "KeyResolved"
        }
    };
    let seen = tenant.until_finished(name, "Completed").await?;
    if *name != "wrong-context" {
        message(&seen, "EncryptionReady", "True", proven)?;
    }
    let starts = tenant.starts(&uid);
    ensure!(starts.len() == 1, "{name}: {starts:#?}");
    ensure!(
        starts[0].body["OutputEncryptionKMSKeyId"] == *arn,
        "{name}: {starts:#?}"
    );
    ensure!(
        starts[0].body["KMSEncryptionContext"]["department"] == "finance",
        "{name}: {starts:#?}"
    );
    Ok(())
}

pub async fn a_fault_of_kms_admits_with_a_warning_and_is_waited_out() -> Result<()> {
    let governed = Governed::start().await?;
    let tenant = governed.tenant("fault").await?;
    let faults = [
        ("silent", What::BlackHole),
        ("slow", What::Delay(4000)),
        ("dropped", What::Drop),
        (
            "throttled",
            error(
                "ThrottlingException",
                "You have exceeded the rate at which you may call KMS.",
            ),
        ),
        (
            "broken",
            What::Error {
                status: 500,
                code: "KMSInternalException".to_owned(),
                message: "internal".to_owned(),
            },
        ),
        ("garbage", What::Garbage),
    ];
    for (number, (name, what)) in (0..).zip(&faults) {
        let arn = governed.key(number, |_| {})?;
        let rule = FaultRule::next(DESCRIBE, When::Before, what.clone()).always();
        governed.stage.sim.fault(FaultRule {
            key_id_contains: Some(arn.clone()),
            ..rule
        });
        let (created, printed) = create(&tenant, &encrypted(name, &arn)).await?;
        println!("{name:12} {printed}");
        ensure!(created, "{name}: {printed}");
        says(
            &printed,
            &["Warning: spec.encryption.kmsKeyId: AWS KMS could not be asked about the key ("],
        )?;
    }
    for (name, _) in &faults {
        let seen = tenant.until_reason(name, "Ready", "KmsUnreachable").await?;
        message(&seen, "EncryptionReady", "Unknown", "KmsUnreachable")?;
        ensure!(
            tenant.starts(&tenant.uid(name).await?).is_empty(),
            "{name} was submitted unjudged"
        );
    }
    governed.stage.sim.clear_faults();
    for (name, _) in &faults {
        tenant.until_finished(name, "Completed").await?;
    }
    Ok(())
}

pub async fn what_changes_between_apply_and_submission_is_seen_before_the_start() -> Result<()> {
    let governed = Governed::start().await?;
    let tenant = governed.tenant("moved").await?;
    let sim = &governed.stage.sim;
    let (first, second) = (governed.key(1, |_| {})?, governed.key(2, |_| {})?);
    sim.put_alias("alias/moved", &first)?;
    let uid = tenant
        .hold("alias", json!({"encryption": {"kmsKeyId": "alias/moved"}}))
        .await?;
    sim.put_alias("alias/moved", &second)?;
    tenant.resume("alias").await?;
    let seen = tenant.until_finished("alias", "Completed").await?;
    ensure!(
        seen["status"]["encryption"]["kmsKeyArn"] == *second,
        "{:#}",
        seen["status"]
    );
    ensure!(tenant.starts(&uid)[0].body["OutputEncryptionKMSKeyId"] == *second);

    // An alias whose meaning may not be asked: admitted with a warning, never guessed.
    sim.change_key(&first, |key| {
        key.policy = Some(policy(&[deny(&["kms:DescribeKey"], Value::Null)]));
    })?;
    sim.put_alias("alias/hidden", &first)?;
    let hidden = job("hidden", json!({"encryption": {"kmsKeyId": "alias/hidden"}}));
    let (created, printed) = create(&tenant, &hidden).await?;
    ensure!(created, "{printed}");
    says(&printed, &["Warning: ", "may not ask AWS KMS what the alias means"])?;
    let seen = tenant.until_reason("hidden", "Stalled", "KeyNotResolvable").await?;
    message(&seen, "EncryptionReady", "Unknown", "KeyNotResolvable")?;
    ensure!(tenant.starts(&tenant.uid("hidden").await?).is_empty());
    sim.change_key(&first, |key| key.policy = None)?;
    let seen = tenant.until_finished("hidden", "Completed").await?;
    ensure!(
        seen["status"]["encryption"]["kmsKeyArn"] == *first,
        "{:#}",
        seen["status"]
    );
    Ok(())
}

pub async fn what_changes_between_intent_and_recovery_submits_no_other_key() -> Result<()> {
    let governed = Governed::start().await?;
    let tenant = governed.tenant("pinned").await?;
    let sim = &governed.stage.sim;
    let (first, second) = (governed.key(1, |_| {})?, governed.key(2, |_| {})?);
    sim.put_alias("alias/pinned", &first)?;
    let mut uids = Vec::new();
    for name in ["moves", "goes"] {
        uids.push(lost_on_its_way(&tenant, name, "alias/pinned", &first).await?);
    }
    governed.operator.kill();
    sim.put_alias("alias/pinned", &second)?;
    governed.operator.restart()?;
    governed.operator.wait_ready().await?;
    sim.clear_faults();
    let seen = tenant.until_finished("moves", "Completed").await?;
    ensure!(
        seen["status"]["encryption"]["kmsKeyArn"] == *first,
        "{:#}",
        seen["status"]
    );
    for uid in &uids {
        let keys: Vec<_> = tenant
            .starts(uid)
            .iter()
            .map(|start| start.body["OutputEncryptionKMSKeyId"].clone())
            .collect();
        ensure!(keys.iter().all(|key| *key == *first), "{keys:?}");
    }
    tenant.until_finished("goes", "Completed").await?;

    // A key that is disabled meanwhile: the submission is taken back, and nothing goes out.
    let uid = lost_on_its_way(&tenant, "disabled", &second, &second).await?;
    sim.change_key(&second, |key| key.key_state = KeyState::Disabled)?;
    sim.clear_faults();
    tenant.look_now("disabled", "asked").await?;
    let seen = tenant.until_reason("disabled", "Stalled", "KeyDisabled").await?;
    ensure!(seen["status"]["submission"].is_null(), "{:#}", seen["status"]);
    ensure!(tenant.starts(&uid).is_empty());
    Ok(())
}

/// Submits a job whose first Start is lost on its way, and returns its uid. Until the faults are cleared AWS cannot be asked
/// about it, so that nothing is repeated.
async fn lost_on_its_way(tenant: &Tenant<'_>, name: &str, key: &str, arn: &str) -> Result<String> {
    let uid = tenant.hold(name, json!({"encryption": {"kmsKeyId": key}})).await?;
    tenant.fault(&uid, START, 1, When::Before, What::Drop);
    let later = error("InternalFailureException", "later");
    tenant.fault(&uid, "GetTranscriptionJob", u64::MAX, When::Before, later);
    tenant.resume(name).await?;
    let sent = |job: &Value| job["status"]["submission"]["outcome"] == "Sent" && job["status"]["rejection"].is_object();
    let seen = tenant.until(name, sent).await?;
    ensure!(seen["status"]["submission"]["request"]["kmsKeyArn"] == *arn);
    Ok(uid)
}

pub async fn edits_and_deletions_are_judged_only_where_they_ask_anew() -> Result<()> {
    let governed = Governed::start().await?;
    let tenant = governed.tenant("edits").await?;
    let arn = governed.key(1, |_| {})?;
    let spec = json!({"encryption": {"kmsKeyId": arn}});
    tenant.hold("held", spec.clone()).await?;
    tenant.apply(&job("done", spec)).await?;
    tenant.until_finished("done", "Completed").await?;
    governed
        .stage
        .sim
        .change_key(&arn, |key| key.key_state = KeyState::Disabled)?;
    // What was good enough to admit is forgotten after a minute; a restart forgets it now.
    governed.operator.restart()?;
    governed.operator.wait_ready().await?;
    for (name, edit) in [
        ("done", json!({"ttlSecondsAfterFinished": 3600})),
        ("held", json!({"backoffLimit": 2})),
        ("held", json!({"deletionPolicy": "Retain"})),
    ] {
        tenant.edit(name, edit).await?;
    }
    tenant.kubectl(&["label", "tj", "held", "team=finance"]).await?;
    for edit in [json!({"suspend": false}), json!({"languageCode": "de-DE"})] {
        let patch = json!({"spec": edit}).to_string();
        let printed = tenant
            .kubectl_refused(&["patch", "tj", "held", "--type=merge", "-p", &patch])
            .await?;
        says(&printed, &["spec.encryption.kmsKeyId", "the key is disabled"])?;
    }
    for name in ["done", "held"] {
        tenant.delete(name).await?;
        tenant.until_gone(name).await?;
    }
    Ok(())
}

pub async fn a_misspelt_encryption_is_warned_about() -> Result<()> {
    let governed = Governed::start().await?;
    let tenant = governed.tenant("misspelt").await?;
    let sse_s3 = ["Warning: spec.encryption names no key", "(SSE-S3)"];
    let misspelt = job("misspelt", json!({"encription": {"kmsKeyId": KEY}})).to_string();
    let strict = tenant.run(&["apply", "-f", "-"], &misspelt).await?;
    ensure!(
        !strict.success && strict.stderr.contains("unknown field \"spec.encription\""),
        "{}",
        strict.stderr
    );
    let ignored = tenant
        .run(&["apply", "--validate=ignore", "-f", "-"], &misspelt)
        .await?
        .ok()?;
    says(&ignored.stderr, &sse_s3)?;
    let seen = tenant.until_finished("misspelt", "Completed").await?;
    ensure!(seen["status"]["encryption"]["mode"] == "SSE-S3", "{:#}", seen["status"]);

    let (_, printed) = create(&tenant, &job("half", json!({"encryption": {}}))).await?;
    says(&printed, &sse_s3)?;
    let context = json!({"mail": "jane@example.com", "token": "AKIAIOSFODNN7EXAMPLE"});
    let leak = job("leak", json!({"encryption": {"kmsKeyId": KEY, "context": context}}));
    let (created, printed) = create(&tenant, &leak).await?;
    ensure!(!created && !printed.contains("AKIA"), "{printed}");
    says(
        &printed,
        &[
            "spec.encryption.context: the value of 'token' looks like an AWS access key id",
            "CloudTrail",
        ],
    )?;
    let personal = job(
        "personal",
        json!({"encryption": {"kmsKeyId": KEY, "context": {"mail": "jane@example.com"}}}),
    );
    let (created, printed) = create(&tenant, &personal).await?;
    ensure!(created && !printed.contains("jane"), "{printed}");
    says(
        &printed,
        &["Warning: spec.encryption.context: the value of 'mail' looks like an e-mail address"],
    )?;
    for (key, part) in [
        (
            KEY.replace("111122223333", "999988887777"),
            "class 'default' does not allow this key",
        ),
        (KEY.replace("eu-west-1", "us-east-1"), "use a key of eu-west-1"),
        (KEY.replace("arn:aws:", "arn:aws-cn:"), "partition"),
        (format!("{REGION}-nothing"), "must be a KMS key"),
    ] {
        let (created, printed) = create(&tenant, &encrypted("elsewhere", &key)).await?;
        ensure!(!created, "{key}: {printed}");
        says(&printed, &["spec.encryption.kmsKeyId", part])?;
        ensure!(
            governed.stage.sim.kms_calls().iter().all(|call| call.key_id != key),
            "KMS was asked about {key}"
        );
    }
    Ok(())
}

pub async fn a_webhook_that_is_attacked_stays_within_its_bounds_and_takes_a_new_certificate() -> Result<()> {
    let mut governed = Governed::start().await?;
    let tenant = governed.tenant("attacked").await?.namespace;
    for (body, status) in [
        (vec![b'a'; 8 << 20], 413),
        (b"{}".to_vec(), 400),
        (b"\xff\xfe".to_vec(), 400),
        (vec![b'['; 100_000], 400),
    ] {
        let (answered, text) = governed.webhook.post(body).await?;
        ensure!(answered == status, "{answered}, not {status}: {text}");
    }
    // Connections that say nothing do not keep others out.
    let address = governed.webhook.address();
    let silent: Vec<_> = (0..300)
        .map(|_| tokio::net::TcpStream::connect(address.clone()))
        .collect();
    let _silent = futures::future::try_join_all(silent).await?;
    let attacked = Tenant {
        namespace: tenant.clone(),
        ..Tenant::of(&governed.stage, "other").await?
    };
    attacked.apply(&encrypted("first", KEY)).await?;

    governed.webhook.renew()?;
    governed.operator.wait_log("serves a new certificate").await?;
    governed.webhook.register(&governed.stage.client).await?;
    governed.admits().await?;
    let attacked = Tenant {
        namespace: tenant,
        ..Tenant::of(&governed.stage, "again").await?
    };
    attacked.apply(&encrypted("second", KEY)).await?;
    attacked.until_finished("second", "Completed").await.map(drop)
}
