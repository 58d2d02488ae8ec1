//! moto runs, holds keys, and moves jobs on by itself; of medical jobs it says what the simulator says.
#![allow(clippy::unwrap_used)]

use aws_sdk_transcribe::config::retry::RetryConfig;
use aws_sdk_transcribe::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_transcribe::error::ProvideErrorMetadata;
use aws_sdk_transcribe::types::{
    LanguageCode, Media, MedicalTranscriptionJob, Specialty, TranscriptionJobStatus, Type,
};
use serde_json::{Value, json};
use testkit::aws_sim::{AwsSim, Config};
use testkit::moto::Moto;
use testkit::wait::{Look, until, until_so};

const REGION: &str = "eu-west-1";

#[tokio::test]
async fn a_key_is_found_by_each_of_its_four_names() {
    let moto = Moto::start().await.unwrap();
    let key = moto.create_key(REGION, "alias/transcripts").await.unwrap();
    for name in [&key.id, &key.arn, &key.alias, &key.alias_arn] {
        let wanted = json!({"KeyId": name});
        let found = moto.call("kms", REGION, "TrentService.DescribeKey", &wanted).await;
        let found = &found.unwrap()["KeyMetadata"];
        assert_eq!(found["Arn"], key.arn, "{name}");
        assert_eq!(
            (&found["KeyUsage"], &found["KeySpec"], &found["KeyState"]),
            (
                &json!("ENCRYPT_DECRYPT"),
                &json!("SYMMETRIC_DEFAULT"),
                &json!("Enabled")
            )
        );
    }
    let other = json!({"KeyId": "alias/other"});
    let refused = moto.call("kms", REGION, "TrentService.DescribeKey", &other).await;
    assert!(refused.unwrap_err().to_string().contains("NotFoundException"));
}

#[tokio::test]
async fn a_job_is_done_after_a_while() {
    let moto = Moto::start().await.unwrap();
    let call = async |operation: &str, body: Value| {
        moto.call("transcribe", REGION, &format!("Transcribe.{operation}"), &body)
            .await
            .unwrap()
    };
    let job =
        json!({"TranscriptionJobName": "j", "LanguageCode": "en-US", "Media": {"MediaFileUri": "s3://media/a.wav"}});
    call("StartTranscriptionJob", job).await;
    until_so("the job is done", async || {
        let got = call("GetTranscriptionJob", json!({"TranscriptionJobName": "j"})).await;
        got["TranscriptionJob"]["TranscriptionJobStatus"] == "COMPLETED"
    })
    .await
    .unwrap();
}

fn client(url: &str) -> aws_sdk_transcribe::Client {
    let config = aws_sdk_transcribe::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled());
    aws_sdk_transcribe::Client::from_conf(config.build())
}

/// The life of a medical job as a client of the SDK sees it, in as many words as steps.
async fn life(url: &str) -> Vec<String> {
    let client = client(url);
    let told = |error: &dyn ProvideErrorMetadata| format!("{:?}: {:?}", error.code(), error.message());
    let shown = |job: Option<MedicalTranscriptionJob>| {
        let job = job.unwrap();
        let (name, language) = (job.medical_transcription_job_name, job.language_code);
        format!(
            "{name:?} {language:?} {:?} {:?} {:?}",
            job.specialty,
            job.r#type,
            job.media.unwrap().media_file_uri
        )
    };
    let media = Media::builder().media_file_uri("s3://media/a.wav").build();
    let start = client
        .start_medical_transcription_job()
        .medical_transcription_job_name("j")
        .language_code(LanguageCode::EnUs)
        .media(media)
        .output_bucket_name("results")
        .specialty(Specialty::Primarycare)
        .r#type(Type::Dictation);
    let get = || {
        client
            .get_medical_transcription_job()
            .medical_transcription_job_name("j")
            .send()
    };
    let delete = || {
        client
            .delete_medical_transcription_job()
            .medical_transcription_job_name("j")
            .send()
    };
    let mut seen = vec![told(&get().await.unwrap_err()), told(&delete().await.unwrap_err())];
    seen.push(shown(start.clone().send().await.unwrap().medical_transcription_job));
    seen.push(told(&start.send().await.unwrap_err()));
    let done = until("the job is done", async || {
        let job = get().await?.medical_transcription_job.unwrap();
        let status = job
            .transcription_job_status
            .as_ref()
            .map(TranscriptionJobStatus::as_str);
        Ok(if status == Some("COMPLETED") {
            Look::Done(job)
        } else {
            Look::Not(format!("{job:?}"))
        })
    });
    let done = done.await.unwrap();
    let times = [done.creation_time, done.start_time, done.completion_time].map(|time| time.is_some());
    seen.push(format!(
        "{times:?} {:?} {:?}",
        done.failure_reason,
        done.transcript.clone().unwrap().transcript_file_uri
    ));
    seen.push(shown(Some(done)));
    let list = client.list_medical_transcription_jobs().send().await.unwrap();
    for job in list.medical_transcription_job_summaries() {
        let (name, status) = (&job.medical_transcription_job_name, &job.transcription_job_status);
        seen.push(format!(
            "{name:?} {status:?} {:?} {:?} {:?}",
            job.output_location_type, job.specialty, job.r#type
        ));
    }
    delete().await.unwrap();
    seen.push(told(&get().await.unwrap_err()));
    seen
}

#[tokio::test]
async fn a_medical_job_lives_in_moto_as_it_does_in_the_simulator() {
    let moto = Moto::start().await.unwrap();
    // The only way in which moto fills in the transcript and the times.
    let manual = json!({"progression": "manual", "times": 1});
    moto.set_transition("transcribe::medicaltranscriptionjob", manual)
        .await
        .unwrap();
    let sim = Config {
        run_ms: 200,
        ..Config::default()
    };
    let sim = AwsSim::start(sim).await.unwrap();
    let (theirs, ours) = (life(&moto.url()).await, life(sim.url()).await);
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 8, "{ours:#?}");
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let moto = Moto::start().await.unwrap();
    let address = moto.url().replace("http://", "");
    tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(moto);
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}
