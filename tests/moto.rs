//! Encrypted jobs on moto, an AWS that nobody here wrote: Transcribe, KMS and STS.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use serde_json::{Value, json};
use testkit::aws_sim::Config;
use testkit::moto::{ACCOUNT, Key, Moto};
use testkit::operator::Operator;
use testkit::stage::{BUCKET, REGION, Stage, condition};
use testkit::wait::{self, TIMEOUT};
use testkit::webhook::Webhook;
use transcribe_operator::api::Kind;

/// The kinds that moto has.
const KNOWN: [Kind; 2] = [Kind::TranscriptionJob, Kind::MedicalTranscriptionJob];
/// One that it has not: every operation is answered with 500.
const UNKNOWN: Kind = Kind::CallAnalyticsJob;
/// How often running jobs are listed, in seconds.
const INTERVAL: f64 = 0.3;

struct Rig {
    stage: Stage,
    moto: Moto,
    key: Key,
    operator: Operator,
    _webhook: Webhook,
}

impl Rig {
    async fn start() -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let (stage, moto) = tokio::try_join!(Stage::start(Config::default()), Moto::start()).unwrap();
        let key = moto.create_key(REGION, "alias/transcripts").await.unwrap();
        let webhook = Webhook::new().unwrap();
        let program = env!("CARGO_BIN_EXE_transcribe-operator");
        let operator = stage
            .operator_at(program, &stage.plane.url(), &moto.url())
            .args(webhook.args())
            .set("--poll-interval", &format!("{INTERVAL}s"))
            .start()
            .unwrap();
        operator.wait_ready().await.unwrap();
        webhook.register(&stage.client).await.unwrap();
        Self {
            stage,
            moto,
            key,
            operator,
            _webhook: webhook,
        }
    }

    async fn finished(&self, kind: Kind, name: &str) -> Value {
        let (job, kubectl) = (format!("{}/{name}", kind.plural()), &self.stage.kubectl);
        let wait = ["wait", &job, "--for=condition=Finished", TIMEOUT];
        let waited = kubectl.run(&wait).await.unwrap();
        let (operator, moto) = (self.operator.log_tail(), self.moto.log_tail());
        assert!(waited.success, "{job}: {}\n{operator}\n{moto}", waited.stderr);
        self.get(&job).await
    }

    async fn get(&self, job: &str) -> Value {
        let got = self.stage.kubectl.run(&["get", job, "-o", "json"]).await.unwrap();
        serde_json::from_str(&got.ok().unwrap().stdout).unwrap()
    }

    async fn is_encrypted_as_asked(&self, kind: Kind, name: &str) {
        let job = self.finished(kind, name).await;
        let status = &job["status"];
        let context = json!({"department": "finance"});
        assert_eq!(
            condition(&job, "Complete").unwrap()["status"],
            "True",
            "{kind} {status:#}"
        );
        let encryption = json!({"mode": "SSE-KMS", "kmsKeyArn": self.key.arn, "context": context});
        assert_eq!(status["encryption"], encryption, "{kind}");
        assert_eq!(status["class"]["accountId"], ACCOUNT, "{kind} {status:#}");
        let start = self.started(kind, name);
        assert_eq!(start["OutputEncryptionKMSKeyId"], self.key.arn, "{kind} {start:#}");
        assert_eq!(start["KMSEncryptionContext"], context, "{kind} {start:#}");
        assert_eq!(start["OutputBucketName"], BUCKET, "{kind} {start:#}");
    }

    /// What moto was told to start, by the object's name.
    fn started(&self, kind: Kind, name: &str) -> Value {
        let sent = self.moto.sent(&format!("Transcribe.Start{kind}")).unwrap();
        let tag = json!({"Key": "transcribe-operator.io/name", "Value": name});
        let mut of_it = sent
            .into_iter()
            .filter(|body| body["Tags"].as_array().unwrap().contains(&tag));
        let (start, more) = (of_it.next().unwrap(), of_it.count());
        assert_eq!(more, 0, "{kind} {name} was started again");
        start
    }
}

fn manifest(kind: Kind, name: &str, key: &str) -> String {
    let mut spec = json!({
        "media": {"mediaFileUri": format!("s3://media/{name}.wav")},
        "encryption": {"kmsKeyId": key},
    });
    if kind != UNKNOWN {
        spec["languageCode"] = json!("en-US");
        spec["encryption"]["context"] = json!({"department": "finance"});
    }
    if kind == Kind::MedicalTranscriptionJob {
        spec["specialty"] = json!("PRIMARYCARE");
        spec["type"] = json!("DICTATION");
    }
    let api_version = "transcribe-operator.io/v1alpha1";
    json!({"apiVersion": api_version, "kind": kind.name(), "metadata": {"name": name}, "spec": spec}).to_string()
}

/// A job of a kind that moto does not have is there from the beginning, and holds up none of the others.
#[tokio::test]
async fn encrypted_jobs_run_on_moto_from_apply_to_finished() {
    let rig = Rig::start().await;
    let (kubectl, key) = (&rig.stage.kubectl, &rig.key);
    let apply =
        async |kind: Kind, name: &str, reference: &str| kubectl.apply(&manifest(kind, name, reference)).await.unwrap();
    apply(UNKNOWN, "unknown", &key.arn).await.ok().unwrap();

    let references = [
        ("by-alias", &key.alias),
        ("by-id", &key.id),
        ("by-arn", &key.arn),
        ("by-alias-arn", &key.alias_arn),
    ];
    for kind in KNOWN {
        for (name, reference) in references {
            let applied = apply(kind, name, reference).await.ok().unwrap();
            assert_eq!(applied.stderr, "", "{kind} {name}");
        }
    }
    for kind in KNOWN {
        for (name, _) in references {
            rig.is_encrypted_as_asked(kind, name).await;
        }
    }
    what_moto_does_not_have_waits_and_is_asked_for_sparingly(&rig).await;

    let disable = json!({"KeyId": key.id});
    rig.moto
        .call("kms", REGION, "TrentService.DisableKey", &disable)
        .await
        .unwrap();
    rig.operator.restart().unwrap();
    rig.operator.wait_ready().await.unwrap();
    for kind in KNOWN {
        for (name, reference, part) in [
            ("disabled", key.arn.as_str(), "the key is disabled"),
            ("absent", "alias/absent", "there is no such key"),
        ] {
            let refused = apply(kind, name, reference).await;
            assert!(
                !refused.success && refused.stderr.contains(part),
                "{kind} {}",
                refused.stderr
            );
        }
    }
}

async fn what_moto_does_not_have_waits_and_is_asked_for_sparingly(rig: &Rig) {
    let waiting = rig.get(&format!("{}/unknown", UNKNOWN.plural())).await;
    assert!(condition(&waiting, "Finished").is_none_or(|finished| finished["status"] != "True"));
    assert_eq!(
        waiting["status"]["submission"]["outcome"], "Sent",
        "{:#}",
        waiting["status"]
    );
    let warned = |line: &String| line.contains("could not be listed") && line.contains(UNKNOWN.name());
    let warnings = || rig.operator.logs().iter().filter(|line| warned(line)).count();
    wait::until_so("several lists have failed", async || warnings() > 2)
        .await
        .unwrap();
    // After a list that failed, two intervals go by until the next one, then four, and from then on eight. So this is the least time
    // for so many, and the lists themselves say when they were signed.
    let warnings = warnings();
    let intervals: u32 = (1..warnings).map(|failed| 1 << failed.min(3)).sum();
    let signed = rig.moto.signed(&format!("Transcribe.List{UNKNOWN}s")).unwrap();
    let took = signed.last().unwrap().duration_since(signed[0]).as_secs_f64();
    // They were signed in whole seconds.
    assert!(
        f64::from(intervals) * INTERVAL < took + 1.0,
        "{warnings} lists in {took} s"
    );
}
