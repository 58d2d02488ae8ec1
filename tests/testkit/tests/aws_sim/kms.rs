//! KMS: which key is meant, what is shown of it, and whether it can be used.

use super::*;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, EncryptionAlgorithmSpec as Algorithm};

const OTHER: &str = "11112222-3333-4444-5555-666677778888";
const MRK: &str = "mrk-1234abcd12ab34cd56ef1234567890ab";
const WOULD: &str = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";

/// A raw request to KMS.
fn raw(sim: &AwsSim) -> Raw<'_> {
    Raw {
        service: "kms",
        ..Raw::new(sim)
    }
}

async fn call_kms(sim: &AwsSim, operation: &str, body: Value) -> Answer {
    let target = format!("TrentService.{operation}");
    raw(sim)
        .header("x-amz-target", Some(&target))
        .call(operation, body)
        .await
}

#[tokio::test]
async fn a_key_id_means_a_key_or_is_refused_as_aws_does() {
    let sim = sim_with(|config| drop(config.accounts.insert("THEIRS".into(), "444455556666".into()))).await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let home = "arn:aws:kms:us-east-1:111122223333";
    let theirs = "arn:aws:kms:us-east-1:444455556666";
    let unseen = |account: &str| {
        format!(
            "AccessDeniedException: User: arn:aws:iam::{account} is not authorized to perform: kms:DescribeKey on \
             this resource because the resource does not exist in this Region, no resource-based policies allow \
             access, or a resource-based policy explicitly denies access"
        )
    };
    let me = unseen("111122223333:user/AKIDEXAMPLE");
    let key = format!("{home}:key/{DEFAULT_KEY_ID}");
    let invalid = |what: &str| format!("NotFoundException: Invalid {what}");
    #[rustfmt::skip]
    let table = [
        (DEFAULT_KEY_ID.to_owned(), key.clone()),
        (DEFAULT_KEY_ALIAS.to_owned(), key.clone()),
        (key.clone(), key.clone()),
        (format!("{home}:{DEFAULT_KEY_ALIAS}"), key.clone()),
        (key.replace("us-east-1", "eu-west-1"), invalid("arn eu-west-1")),
        (key.replace("arn:aws:", "arn:aws-cn:"), invalid(&format!("arn arn:aws-cn:kms:us-east-1:111122223333:key/{DEFAULT_KEY_ID}"))),
        ("arn:aws:s3:::bucket".to_owned(), invalid("arn arn:aws:s3:::bucket")),
        ("1234abcd12ab34cd56ef1234567890ab".to_owned(), invalid("keyId '1234abcd12ab34cd56ef1234567890ab'")),
        ("mrk-1234abcd-12ab-34cd-56ef-1234567890ab".to_owned(), invalid("keyId 'mrk-1234abcd-12ab-34cd-56ef-1234567890ab'")),
        (format!("{home}:key/nothing"), invalid("keyId 'nothing'")),
        (format!("key/{OTHER}"), invalid(&format!("keyId 'key/{OTHER}'"))),
        (OTHER.to_owned(), format!("NotFoundException: Key '{home}:key/{OTHER}' does not exist")),
        (MRK.to_owned(), format!("NotFoundException: Key '{home}:key/{MRK}' does not exist")),
        ("alias/none".to_owned(), format!("NotFoundException: Alias {home}:alias/none is not found.")),
        ("alias/examplealias".to_owned(), format!("NotFoundException: Alias {home}:alias/examplealias is not found.")),
        (format!("{theirs}:key/{OTHER}"), me.clone()),
        (format!("{theirs}:alias/none"), me),
    ];
    for (id, wanted) in table {
        assert_eq!(described(&client, &id).await, wanted, "{id}");
    }
    let them = kms(&sim, "us-east-1", "THEIRS");
    assert_eq!(described(&them, &key).await, unseen("444455556666:user/THEIRS"));
    assert_eq!(
        described(&them, DEFAULT_KEY_ALIAS).await,
        format!("NotFoundException: Alias {theirs}:{DEFAULT_KEY_ALIAS} is not found."),
        "a name is of the caller's account"
    );
}

#[tokio::test]
async fn aliases_move_and_keys_of_one_id_are_two() {
    let sim = sim().await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let (here, there) = (Key::new("us-east-1", MRK), Key::new("eu-west-1", MRK));
    for key in [&here, &there] {
        sim.put_key(key.clone()).unwrap();
    }
    sim.put_alias("alias/moving", &here.arn()).unwrap();
    sim.change_key(&there.arn(), |key| key.key_state = KeyState::Disabled)
        .unwrap();
    assert_eq!(described(&client, "alias/moving").await, here.arn());
    assert_eq!(tried(&client, MRK, &[]).await, WOULD);
    let abroad = kms(&sim, "eu-west-1", "AKIDEXAMPLE");
    assert!(tried(&abroad, MRK, &[]).await.starts_with("DisabledException"));
    assert!(described(&abroad, &here.arn()).await.ends_with("Invalid arn us-east-1"));

    let metadata = abroad
        .describe_key()
        .key_id(MRK)
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    let related = metadata.multi_region_configuration.unwrap();
    let primary = related.primary_key.unwrap();
    assert_eq!((metadata.multi_region, primary.arn), (Some(true), Some(there.arn())));
    assert_eq!(related.multi_region_key_type.unwrap().as_str(), "PRIMARY");
    assert_eq!(related.replica_keys.unwrap()[0].arn(), Some(here.arn().as_str()));

    sim.put_alias("alias/moving", &Key::default().arn()).unwrap();
    assert_eq!(described(&client, "alias/moving").await, Key::default().arn());
    let alias = "arn:aws:kms:us-east-1:111122223333:alias/moving";
    assert_eq!(sim.aliases()[alias], Key::default().arn());
    assert!(sim.remove_alias(alias) && !sim.remove_alias(alias));
    assert!(described(&client, "alias/moving").await.contains("is not found"));

    assert!(sim.remove_key(&Key::default().arn()));
    assert!(described(&client, DEFAULT_KEY_ID).await.contains("does not exist"));
    assert_eq!(sim.aliases().len(), 2, "an alias goes with its key");
    assert!(described(&client, DEFAULT_KEY_ALIAS).await.contains("is not found"));
    assert!(sim.put_alias("alias/moving", &Key::default().arn()).is_err());
    assert!(sim.put_alias("moving", &here.arn()).is_err());
}

#[tokio::test]
async fn a_reply_shows_the_key_as_the_model_says_in_every_state() {
    let (sim, model) = (sim().await, Model::kms().unwrap());
    let mut seen = BTreeSet::new();
    let states = [
        ("Creating", KeyState::Creating),
        ("Enabled", KeyState::Enabled),
        ("Disabled", KeyState::Disabled),
        ("PendingDeletion", KeyState::PendingDeletion),
        ("PendingImport", KeyState::PendingImport),
        ("PendingReplicaDeletion", KeyState::PendingReplicaDeletion),
        ("Unavailable", KeyState::Unavailable),
        ("Updating", KeyState::Updating),
    ];
    for id in [OTHER, MRK] {
        for (name, state) in states {
            sim.put_key(Key {
                key_state: state,
                origin: if id == MRK { "EXTERNAL" } else { "AWS_KMS" }.into(),
                ..Key::new("us-east-1", id)
            })
            .unwrap();
            let answer = call_kms(&sim, "DescribeKey", json!({"KeyId": id})).await;
            let answer = answer.json();
            model.check_output("DescribeKey", &answer).unwrap();
            let shown = &answer["KeyMetadata"];
            assert_eq!(shown["KeyState"], name);
            assert_eq!(shown["Enabled"], name == "Enabled", "{name}");
            assert_eq!(!shown["DeletionDate"].is_null(), name == "PendingDeletion", "{name}");
            assert!(shown["CreationDate"].is_f64());
            seen.extend(shown.as_object().unwrap().keys().cloned());
        }
    }
    // Of the others, some are only of keys that encrypt nothing, and some only of keys in stores of their own.
    let others = "SigningAlgorithms KeyAgreementAlgorithms EncapsulationAlgorithms MacAlgorithms ValidTo \
                  CustomKeyStoreId CloudHsmClusterId XksKeyConfiguration";
    seen.extend(others.split_whitespace().map(str::to_owned));
    let all: BTreeSet<_> = model.members("KeyMetadata").into_iter().map(str::to_owned).collect();
    assert_eq!(seen, all);

    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    #[rustfmt::skip]
    let table = [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT"),
        ("RSA_2048", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256", "RSA_2048"),
        ("SM2", "ENCRYPT_DECRYPT", "SM2PKE", "SM2"),
        ("RSA_2048", "SIGN_VERIFY", "", "RSA_2048"),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "", "HMAC_256"),
        ("ML_DSA_44", "SIGN_VERIFY", "", ""),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "", ""),
    ];
    for (spec, usage, algorithms, old_spec) in table {
        let key = Key {
            key_spec: spec.into(),
            key_usage: usage.into(),
            ..Key::new("us-east-1", OTHER)
        };
        sim.put_key(key).unwrap();
        let shown = client.describe_key().key_id(OTHER).send().await.unwrap();
        let shown = shown.key_metadata.unwrap();
        let given: Vec<_> = shown.encryption_algorithms().iter().map(Algorithm::as_str).collect();
        assert_eq!(given.join(" "), algorithms, "{spec}");
        assert_eq!(shown.key_spec.as_ref().unwrap().as_str(), spec);
        #[expect(deprecated, reason = "AWS still shows it")]
        let old = shown
            .customer_master_key_spec
            .map_or(String::new(), |old| old.to_string());
        assert_eq!((old.as_str(), shown.multi_region), (old_spec, Some(false)));
    }
    for wrong in [
        Key::new("us-east-1", "nothing"),
        Key {
            key_spec: "AES_256".into(),
            ..Key::default()
        },
        Key {
            account: "1".into(),
            ..Key::default()
        },
    ] {
        assert!(sim.put_key(wrong).is_err());
    }
    assert!(
        sim.change_key(&Key::default().arn(), |key| key.key_id = OTHER.into())
            .is_err()
    );
}

#[tokio::test]
async fn describing_a_predefined_alias_makes_a_managed_key() {
    let sim = sim().await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let managed = || sim.keys().into_iter().filter(|key| key.key_manager == "AWS").count();
    let absent = tried(&client, "alias/aws/s3", &[]).await;
    assert!(
        absent.contains("alias/aws/s3 is not found."),
        "only DescribeKey makes one: {absent}"
    );
    assert_eq!(managed(), 0);
    let shown = client.describe_key().key_id("alias/aws/s3").send().await.unwrap();
    let shown = shown.key_metadata.unwrap();
    assert_eq!(shown.key_manager.unwrap().as_str(), "AWS");
    assert_eq!(described(&client, "alias/aws/s3").await, shown.arn.unwrap());
    assert_eq!((managed(), sim.aliases().len()), (1, 4));
    let refused = tried(&client, "alias/aws/s3", &[]).await;
    assert!(
        refused.starts_with("AccessDeniedException"),
        "only S3 may use it: {refused}"
    );
    assert!(described(&client, "alias/aws/").await.contains("is not found"));
}

#[tokio::test]
async fn a_key_can_be_used_by_its_state_and_kind() {
    let sim = sim().await;
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let arn = Key::new("us-east-1", OTHER).arn();
    let is = |code: &str, what: &str| format!("{code}: {arn} {what}");
    #[rustfmt::skip]
    let states = [
        (KeyState::Enabled, WOULD.to_owned()),
        (KeyState::Updating, WOULD.to_owned()),
        (KeyState::Disabled, is("DisabledException", "is disabled.")),
        (KeyState::PendingDeletion, is("KMSInvalidStateException", "is pending deletion.")),
        (KeyState::PendingReplicaDeletion, is("KMSInvalidStateException", "is pending replica deletion.")),
        (KeyState::PendingImport, is("KMSInvalidStateException", "is pending import.")),
        (KeyState::Unavailable, is("KMSInvalidStateException", "is unavailable.")),
        (KeyState::Creating, is("KMSInvalidStateException", "is creating.")),
    ];
    let encrypt = || client.encrypt().key_id(OTHER).plaintext(Blob::new("x")).dry_run(true);
    for (state, wanted) in states {
        sim.put_key(Key {
            key_state: state,
            ..Key::new("us-east-1", OTHER)
        })
        .unwrap();
        assert_eq!(tried(&client, OTHER, &[]).await, wanted, "{state:?}");
        assert_eq!(told(&encrypt().send().await.unwrap_err()), wanted, "{state:?}");
        let real = client.generate_data_key().key_id(OTHER).key_spec(DataKeySpec::Aes128);
        let real = real.send().await.map(drop).map_err(|error| told(&error));
        assert_eq!(real.err().unwrap_or(WOULD.to_owned()), wanted, "not only on a dry run");
    }
    let usage = |operation: &str, what: &str| {
        is(
            "InvalidKeyUsageException",
            &format!("{what} which is not valid for {operation}."),
        )
    };
    #[rustfmt::skip]
    let kinds = [
        ("RSA_2048", "SIGN_VERIFY", usage("Encrypt", "key usage is SIGN_VERIFY"), usage("GenerateDataKey", "key usage is SIGN_VERIFY")),
        ("HMAC_256", "GENERATE_VERIFY_MAC", usage("Encrypt", "key usage is GENERATE_VERIFY_MAC"), usage("GenerateDataKey", "key usage is GENERATE_VERIFY_MAC")),
        ("RSA_2048", "ENCRYPT_DECRYPT", usage("SYMMETRIC_DEFAULT", "key KeySpec is RSA_2048"), usage("GenerateDataKey", "key KeySpec is RSA_2048")),
    ];
    for (spec, usage, encrypted, generated) in kinds {
        sim.put_key(Key {
            key_spec: spec.into(),
            key_usage: usage.into(),
            ..Key::new("us-east-1", OTHER)
        })
        .unwrap();
        assert_eq!(told(&encrypt().send().await.unwrap_err()), encrypted);
        assert_eq!(tried(&client, OTHER, &[]).await, generated);
    }
    let rsa = || encrypt().encryption_algorithm(Algorithm::RsaesOaepSha256);
    assert_eq!(told(&rsa().send().await.unwrap_err()), WOULD);
    let with_context = rsa().encryption_context("a", "b").send().await.unwrap_err();
    assert!(told(&with_context).starts_with("ValidationException"));
}

#[tokio::test]
async fn a_call_that_is_no_dry_run_answers_a_ciphertext() {
    let (sim, model) = (sim().await, Model::kms().unwrap());
    let client = kms(&sim, "us-east-1", "AKIDEXAMPLE");
    let encrypted = client.encrypt().key_id(DEFAULT_KEY_ALIAS).plaintext(Blob::new("x"));
    let encrypted = encrypted.encryption_context("a", "b").send().await.unwrap();
    assert_eq!(encrypted.key_id, Some(Key::default().arn()));
    assert_eq!(encrypted.encryption_algorithm.unwrap().as_str(), "SYMMETRIC_DEFAULT");
    assert!(!encrypted.ciphertext_blob.unwrap().as_ref().is_empty());
    #[rustfmt::skip]
    let sizes = [
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"KeySpec": "AES_128", "DryRun": false}), 16),
        (json!({"NumberOfBytes": 100}), 100),
        (json!({"NumberOfBytes": 3}), 3),
    ];
    for (mut body, size) in sizes {
        body["KeyId"] = json!(DEFAULT_KEY_ID);
        let answer = call_kms(&sim, "GenerateDataKey", body).await;
        model.check_output("GenerateDataKey", &answer.json()).unwrap();
        let text = answer.json()["Plaintext"].as_str().unwrap().to_owned();
        let padding = text.bytes().filter(|byte| *byte == b'=').count();
        assert_eq!(text.len() / 4 * 3 - padding, size);
    }
    let answer = call_kms(&sim, "Encrypt", json!({"KeyId": DEFAULT_KEY_ID, "Plaintext": "eA=="})).await;
    model.check_output("Encrypt", &answer.json()).unwrap();

    let either = "Please specify either number of bytes or key spec.";
    let (longest, long) = ("A".repeat(5460) + "AA==", "A".repeat(5460) + "AAA=");
    let answer = call_kms(&sim, "Encrypt", json!({"KeyId": DEFAULT_KEY_ID, "Plaintext": longest})).await;
    assert_eq!(answer.status, 200, "4096 bytes");
    #[rustfmt::skip]
    let table = [
        ("DescribeKey", json!({}), "ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"),
        ("DescribeKey", json!({"KeyId": ""}), "ValidationException", "1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        ("DescribeKey", json!({"KeyId": 1}), "SerializationException", "NUMBER_VALUE can not be converted to KeyIdType"),
        ("DescribeKey", json!({"KeyId": "a", "DryRun": true}), "SerializationException", "Unknown member: DryRun"),
        ("Encrypt", json!({"KeyId": DEFAULT_KEY_ID, "Plaintext": "x"}), "SerializationException", "STRING_VALUE can not be converted to PlaintextType"),
        ("Encrypt", json!({"KeyId": DEFAULT_KEY_ID, "Plaintext": ""}), "ValidationException", "Member must have length greater than or equal to 1"),
        ("Encrypt", json!({"KeyId": DEFAULT_KEY_ID, "Plaintext": long}), "ValidationException", "Member must have length less than or equal to 4096"),
        ("GenerateDataKey", json!({"KeyId": DEFAULT_KEY_ID}), "ValidationException", either),
        ("GenerateDataKey", json!({"KeyId": DEFAULT_KEY_ID, "KeySpec": "AES_256", "NumberOfBytes": 32}), "ValidationException", either),
        ("GenerateDataKey", json!({"KeyId": DEFAULT_KEY_ID, "NumberOfBytes": 1025}), "ValidationException", "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"),
        ("GenerateDataKey", json!({"KeyId": DEFAULT_KEY_ID, "KeySpec": "AES_512"}), "ValidationException", "Member must satisfy enum value set: [AES_256, AES_128]"),
        ("ReEncrypt", json!({"KeyId": DEFAULT_KEY_ID}), "UnknownOperationException", ""),
    ];
    for (operation, body, code, part) in table {
        let answer = call_kms(&sim, operation, body.clone()).await;
        assert_eq!((answer.code().as_str(), answer.status), (code, 400), "{body}");
        let text = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(text.contains(part), "{body}: {text}");
    }
    let other = Raw::new(&sim).header("x-amz-target", Some("TrentService.DescribeKey"));
    let answer = other.call("", json!({"KeyId": DEFAULT_KEY_ID})).await;
    assert_eq!(answer.code(), "InvalidSignatureException", "signed for another service");
}
