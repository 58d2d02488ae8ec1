//! Two tenants in two accounts, each with a role, a bucket and a key: what one has, the other cannot use.

use super::identity::{KEY, assumed, may, policy, sts};
use super::*;
use aws_sdk_sts::types::Tag as SessionTag;

const OPERATOR: &str = "arn:aws:iam::111122223333:user/operator";
const OTHER: &str = "11112222-3333-4444-5555-666677778888";

struct Tenant {
    name: &'static str,
    account: &'static str,
}

const FINANCE: Tenant = Tenant {
    name: "finance",
    account: "444455556666",
};
const SALES: Tenant = Tenant {
    name: "sales",
    account: "777788889999",
};

impl Tenant {
    fn role(&self) -> String {
        format!("arn:aws:iam::{}:role/transcribe-{}", self.account, self.name)
    }

    fn external_id(&self) -> String {
        format!("{}-7f3a", self.name)
    }

    fn key(&self) -> Key {
        Key {
            account: self.account.to_owned(),
            ..Key::new("us-east-1", OTHER)
        }
    }

    /// A role, buckets and a key as a platform team would set them up.
    fn set_up(&self, sim: &AwsSim) {
        let operator = json!({ "AWS": OPERATOR });
        let trust = policy(&json!([
            {"Effect": "Allow", "Principal": operator, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": self.external_id()}}},
            {"Effect": "Allow", "Principal": operator, "Action": "sts:TagSession",
                "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["namespace"]}}},
        ]));
        let rights = policy(&json!([
            {"Effect": "Allow", "Action": "transcribe:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{}-media/*", self.name)},
            {"Effect": "Allow", "Action": "s3:PutObject",
                "Resource": format!("arn:aws:s3:::{}-results/${{aws:PrincipalTag/namespace}}/*", self.name)},
            {"Effect": "Allow", "Action": ["kms:DescribeKey", "kms:GenerateDataKey", "kms:Encrypt"], "Resource": "*"},
        ]));
        sim.put_role(Role::new(&self.role(), trust, rights)).unwrap();
        for bucket in ["media", "results"] {
            sim.put_bucket(Bucket::new(&format!("{}-{bucket}", self.name), self.account))
                .unwrap();
        }
        let account = json!({ "AWS": self.account });
        let bound = json!({
            "StringEquals": {"kms:ViaService": "transcribe.us-east-1.amazonaws.com",
                "kms:EncryptionContext:namespace": "${aws:PrincipalTag/namespace}"}});
        let key_policy = policy(&json!([
            {"Effect": "Allow", "Principal": account, "Action": "kms:DescribeKey", "Resource": "*"},
            {"Effect": "Allow", "Principal": account, "Action": ["kms:GenerateDataKey*", "kms:Encrypt"], "Resource": "*",
                "Condition": bound},
        ]));
        sim.put_key(Key {
            policy: Some(key_policy),
            ..self.key()
        })
        .unwrap();
        sim.put_alias("alias/transcripts", &self.key().arn()).unwrap();
    }

    async fn assume(&self, sim: &AwsSim, external_id: &str, namespace: &str) -> Result<Credentials, String> {
        let tag = SessionTag::builder().key("namespace").value(namespace).build().unwrap();
        let call = sts(sim, long_term(KEY)).assume_role().role_arn(self.role());
        let call = call
            .role_session_name(format!("{namespace}.1a2b3c4d"))
            .external_id(external_id)
            .tags(tag);
        call.send()
            .await
            .map(|output| assumed(&output))
            .map_err(|error| told(&error))
    }

    async fn client(&self, sim: &AwsSim, namespace: &str) -> aws_sdk_transcribe::Client {
        let credentials = self.assume(sim, &self.external_id(), namespace).await.unwrap();
        aws_sdk_transcribe::Client::from_conf(sdk_config(sim).credentials_provider(credentials).build())
    }
}

async fn two_tenants() -> AwsSim {
    let sim = sim().await;
    let rights = may(&["sts:AssumeRole", "sts:TagSession"]);
    sim.put_user(User::new(OPERATOR, KEY, rights)).unwrap();
    FINANCE.set_up(&sim);
    SALES.set_up(&sim);
    sim
}

/// Start a job of a tenant's media, with a tenant's key and bucket, for a namespace.
async fn encrypted(
    client: &aws_sdk_transcribe::Client,
    (name, media, results): (&str, &Tenant, &Tenant),
    key: &str,
    (folder, namespace): (&str, &str),
) -> String {
    let media = Media::builder()
        .media_file_uri(format!("s3://{}-media/a.wav", media.name))
        .build();
    let call = client
        .start_transcription_job()
        .transcription_job_name(name)
        .language_code(LanguageCode::EnUs);
    let call = call
        .media(media)
        .output_bucket_name(format!("{}-results", results.name));
    let call = call.output_key(format!("{folder}/")).output_encryption_kms_key_id(key);
    match call.kms_encryption_context("namespace", namespace).send().await {
        Ok(_) => "ok".to_owned(),
        Err(error) => told(&error),
    }
}

async fn status(client: &aws_sdk_transcribe::Client, name: &str) -> (String, String) {
    match client.get_transcription_job().transcription_job_name(name).send().await {
        Ok(reply) => {
            let job = reply.transcription_job.unwrap();
            let status = job.transcription_job_status.unwrap().as_str().to_owned();
            (status, job.failure_reason.unwrap_or_default())
        }
        Err(error) => ("refused".to_owned(), told(&error)),
    }
}

#[tokio::test]
async fn what_one_tenant_has_the_other_cannot_use() {
    let sim = two_tenants().await;
    let denied = FINANCE.assume(&sim, &SALES.external_id(), "finance").await.unwrap_err();
    assert!(
        denied.starts_with("AccessDenied: ") && denied.ends_with(&FINANCE.role()),
        "{denied}"
    );
    let finance = FINANCE.client(&sim, "finance").await;
    let sales = SALES.client(&sim, "sales").await;
    let (own, theirs) = (FINANCE.key().arn(), SALES.key().arn());
    let place = ("finance", "finance");
    let unreadable = "The S3 URI that you provided can't be accessed.";
    let unwritable = "The S3 bucket that you specified for your output can't be accessed.";
    let unusable = "The KMS key that you specified isn't valid or can't be accessed.";
    #[rustfmt::skip]
    let table = [
        (("job", &FINANCE, &FINANCE), own.as_str(), place, "ok"),
        (("by-alias", &FINANCE, &FINANCE), "alias/transcripts", place, "ok"),
        (("bad", &SALES, &FINANCE), &own, place, unreadable),
        (("bad", &FINANCE, &SALES), &own, place, unwritable),
        (("bad", &FINANCE, &FINANCE), &theirs, place, unusable),
        (("bad", &FINANCE, &FINANCE), &own, ("sales", "finance"), unwritable),
        (("bad", &FINANCE, &FINANCE), &own, ("finance", "sales"), unusable),
    ];
    for (files, key, place, wanted) in table {
        let answer = encrypted(&finance, files, key, place).await;
        assert!(answer.contains(wanted), "{} {key} {place:?}: {answer}", files.0);
    }
    let job = encrypted(&sales, ("job", &SALES, &SALES), &theirs, ("sales", "sales")).await;
    assert_eq!(job, "ok", "a name is free in each account");
    assert_eq!(status(&sales, "by-alias").await.0, "refused");

    let who = |line: LedgerLine| (line.account, line.session_name, line.session_tags["namespace"].clone());
    let last = sim.ledger().pop().map(who).unwrap();
    assert_eq!(last, ("777788889999".into(), "sales.1a2b3c4d".into(), "sales".into()));
    let credentials = FINANCE.assume(&sim, &FINANCE.external_id(), "finance").await.unwrap();
    let kms = kms_as(&sim, "us-east-1", credentials);
    assert_eq!(
        described(&kms, "alias/transcripts").await,
        own,
        "an alias is of one's own account"
    );
    let refused = tried(&kms, &own, &[("namespace", "finance")]).await;
    assert!(
        refused.ends_with("because no resource-based policy allows the kms:GenerateDataKey action"),
        "{refused}"
    );
    let unseen = described(&kms, &theirs).await;
    assert!(
        unseen.contains("on this resource because the resource does not exist in this Region"),
        "{unseen}"
    );
}

#[tokio::test]
async fn another_accounts_key_needs_both_sides_and_the_right_to_encrypt() {
    let sim = two_tenants().await;
    let finance = FINANCE.client(&sim, "finance").await;
    let theirs = SALES.key().arn();
    let mut count = 0;
    let mut with = async |actions: &[&str]| {
        let shared = policy(&json!([
            {"Effect": "Allow", "Principal": {"AWS": FINANCE.account}, "Action": actions, "Resource": "*"},
        ]));
        sim.change_key(&theirs, |key| key.policy = Some(shared)).unwrap();
        count += 1;
        encrypted(
            &finance,
            (&format!("job-{count}"), &FINANCE, &FINANCE),
            &theirs,
            ("finance", "finance"),
        )
        .await
    };
    assert_eq!(with(&["kms:GenerateDataKey", "kms:Encrypt"]).await, "ok");
    assert!(with(&["kms:GenerateDataKey"]).await.starts_with("BadRequestException"));
    assert!(with(&["kms:Encrypt"]).await.starts_with("BadRequestException"));
    sim.change_role(&FINANCE.role(), |role| {
        let own = format!("arn:aws:kms:*:{}:key/*", FINANCE.account);
        role.policies.push(policy(
            &json!([{"Effect": "Deny", "Action": "kms:*", "NotResource": own}]),
        ));
    })
    .unwrap();
    assert!(with(&["kms:*"]).await.starts_with("BadRequestException"));
}

#[tokio::test]
async fn what_is_taken_away_while_a_job_runs_counts_at_its_end() {
    let sim = two_tenants().await;
    let place = ("finance", "finance");
    let (key, role) = (FINANCE.key().arn(), FINANCE.role());
    let begun = async |name: &str| {
        let client = FINANCE.client(&sim, "finance").await;
        let started = encrypted(&client, (name, &FINANCE, &FINANCE), &key, place).await;
        assert_eq!(started, "ok", "{name}");
        client
    };
    let fine = ("COMPLETED".to_owned(), String::new());
    let failed = |reason: &str| ("FAILED".to_owned(), reason.to_owned());
    let whole = sim.roles().into_iter().find(|found| found.arn == role).unwrap();

    let client = begun("trust").await;
    sim.change_role(&role, |role| role.trust = json!({"Statement": []}))
        .unwrap();
    assert!(FINANCE.assume(&sim, &FINANCE.external_id(), "finance").await.is_err());
    sim.finish_all();
    assert_eq!(
        status(&client, "trust").await,
        fine,
        "nobody has to assume the role again for that"
    );
    sim.put_role(whole.clone()).unwrap();

    begun("deleted").await;
    assert!(sim.remove_role(&role));
    let denied = FINANCE
        .assume(&sim, &FINANCE.external_id(), "finance")
        .await
        .unwrap_err();
    assert!(denied.starts_with("AccessDenied"), "{denied}");
    sim.finish_all();
    sim.put_role(whole.clone()).unwrap();
    let client = begun("restored").await;
    assert_eq!(status(&client, "deleted").await, failed(outcomes::KEY_UNUSABLE));
    assert!(sim.remove_role(&role));
    sim.put_role(whole.clone()).unwrap();
    sim.finish_all();
    assert_eq!(
        status(&client, "restored").await.1.split(':').next(),
        Some("UnrecognizedClientException")
    );
    let client = begun("bucket").await;
    assert_eq!(status(&client, "restored").await, fine);

    let closed = policy(&json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}]));
    let closed = Bucket {
        policy: Some(closed),
        ..Bucket::new("finance-results", FINANCE.account)
    };
    sim.put_bucket(closed).unwrap();
    sim.finish_all();
    assert_eq!(status(&client, "bucket").await, failed(outcomes::OUTPUT_UNWRITABLE));
    sim.put_bucket(Bucket::new("finance-results", FINANCE.account)).unwrap();

    let client = begun("expired").await;
    assert!(sim.expire_sessions(&role) > 0);
    sim.finish_all();
    assert!(status(&client, "expired").await.1.starts_with("ExpiredTokenException"));
    let client = FINANCE.client(&sim, "finance").await;
    assert_eq!(
        status(&client, "expired").await,
        fine,
        "a job outlives the session that began it"
    );
}
