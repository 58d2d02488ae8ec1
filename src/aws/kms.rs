//! The port to AWS KMS: describes a key, and checks by dry runs whether it may be used. Nothing is ever encrypted.

use std::{collections::BTreeMap, time::Duration};

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_kms::{config::Builder, operation::describe_key::DescribeKeyOutput, primitives::Blob, types::DataKeySpec};

use crate::{
    aws::{Connection, classify::fault},
    domain::{Access, AwsError, AwsErrorKind, KeyFacts, aws_error::UNREADABLE_REPLY},
};

/// The time-out of one call. An admission review makes two of them and has five seconds.
const ANSWER_TAKES: Duration = Duration::from_millis(1500);
/// The error code with which KMS says that a dry run would have succeeded.
const WOULD_SUCCEED: &str = "DryRunOperationException";

impl Connection {
    /// Describes a key. `key` is a reference in any of its forms; a bare id or alias is in the caller's account.
    pub async fn describe_key(&self, key: &str) -> Result<KeyFacts, AwsError> {
        let call = self.kms.describe_key().key_id(key).customize().config_override(brief());
        let reply = call.send().await.map_err(|e| fault(&e)).and_then(facts);
        self.count("DescribeKey", &reply);
        reply
    }

    /// Checks whether the caller may use a key with an encryption context, by dry runs of the operations with which
    /// Amazon S3 and Amazon Transcribe use it. It is enough if one is allowed.
    pub async fn key_access(&self, arn: &str, context: &BTreeMap<String, String>) -> Access {
        let (data_key, encrypt) = futures::join!(self.try_data_key(arn, context), self.try_encrypt(arn, context));
        match (data_key, encrypt) {
            (Access::Allowed, _) | (_, Access::Allowed) => Access::Allowed,
            (Access::Unknown(fault), _) | (_, Access::Unknown(fault)) => Access::Unknown(fault),
            (Access::Denied, Access::Denied) => Access::Denied,
        }
    }

    async fn try_data_key(&self, arn: &str, context: &BTreeMap<String, String>) -> Access {
        let call = self.kms.generate_data_key().key_id(arn).key_spec(DataKeySpec::Aes256);
        let call = call.set_encryption_context(pairs(context)).dry_run(true);
        let reply = call.customize().config_override(brief()).send().await;
        self.tried("GenerateDataKey", reply.map(|_| ()).map_err(|e| fault(&e)))
    }

    async fn try_encrypt(&self, arn: &str, context: &BTreeMap<String, String>) -> Access {
        let call = self.kms.encrypt().key_id(arn).plaintext(Blob::new([0]));
        let call = call.set_encryption_context(pairs(context)).dry_run(true);
        let reply = call.customize().config_override(brief()).send().await;
        self.tried("Encrypt", reply.map(|_| ()).map_err(|e| fault(&e)))
    }

    /// Success means allowed too, because an endpoint that knows no dry run just answers.
    fn tried(&self, operation: &'static str, reply: Result<(), AwsError>) -> Access {
        let reply = reply.or_else(|fault| {
            if fault.code == WOULD_SUCCEED {
                Ok(())
            } else {
                Err(fault)
            }
        });
        self.count(operation, &reply);
        match reply {
            Ok(()) => Access::Allowed,
            Err(fault) if fault.code.starts_with("AccessDenied") => Access::Denied,
            Err(fault) => Access::Unknown(fault),
        }
    }
}

/// One attempt with a short time-out, because either a person waits for the answer, or the caller retries anyway.
fn brief() -> Builder {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(ANSWER_TAKES)
        .operation_attempt_timeout(ANSWER_TAKES)
        .build();
    Builder::new()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
}

fn pairs(context: &BTreeMap<String, String>) -> Option<std::collections::HashMap<String, String>> {
    (!context.is_empty()).then(|| context.clone().into_iter().collect())
}

fn facts(reply: DescribeKeyOutput) -> Result<KeyFacts, AwsError> {
    let unreadable = || {
        let message = "AWS's reply describes no key";
        AwsError::new(AwsErrorKind::Ambiguous, UNREADABLE_REPLY, message)
    };
    let metadata = reply.key_metadata.ok_or_else(unreadable)?;
    Ok(KeyFacts {
        arn: metadata.arn.ok_or_else(unreadable)?,
        key_manager: metadata
            .key_manager
            .map(|it| it.as_str().to_owned())
            .unwrap_or_default(),
        key_spec: metadata.key_spec.map(|it| it.as_str().to_owned()).unwrap_or_default(),
        key_usage: metadata.key_usage.map(|it| it.as_str().to_owned()).unwrap_or_default(),
        key_state: metadata.key_state.map(|it| it.as_str().to_owned()).unwrap_or_default(),
    })
}
