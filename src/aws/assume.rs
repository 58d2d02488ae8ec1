//! Credentials of a role: AssumeRole by the SDK, and the errors when AWS does not give them.

use aws_config::{SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};

use crate::{
    api::class_patterns::ClassRoleArn,
    aws::{
        classify::{self, chain},
        not_assumed::NotAssumed,
    },
    domain::{
        AwsError, AwsErrorKind,
        aws_error::{ASK, NO_CREDENTIALS, NOT_SENT},
    },
};

/// A role to assume, and the session to assume it with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    /// The role.
    pub arn: ClassRoleArn,
    /// The external id that its trust policy requires (sts:ExternalId).
    pub external_id: Option<String>,
    /// The name of the session, which CloudTrail records with each call.
    pub session_name: String,
    /// The session tags, which policies can refer to as aws:PrincipalTag.
    pub tags: Vec<(&'static str, String)>,
}

/// Provides the credentials of a role, or an error that says why there are none.
#[derive(Debug)]
pub(super) struct Assumed {
    arn: String,
    provider: AssumeRoleProvider,
}

impl Assumed {
    /// `sts` is the configuration for AWS STS, with the operator's own credentials.
    pub(super) async fn new(role: &Role, sts: &SdkConfig) -> Self {
        let mut provider = AssumeRoleProvider::builder(role.arn.as_str())
            .configure(sts)
            .session_name(&role.session_name)
            .tags(role.tags.clone());
        if let Some(id) = &role.external_id {
            provider = provider.external_id(id);
        }
        Self {
            arn: role.arn.to_string(),
            provider: provider.build().await,
        }
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let given = self.provider.provide_credentials().await;
            given.map_err(|error| CredentialsError::provider_error(NotAssumed(not_assumed(&self.arn, &error))))
        })
    }
}

fn not_assumed(arn: &str, error: &CredentialsError) -> AwsError {
    let answer =
        chain(error).find_map(<dyn std::error::Error>::downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>);
    let fault = answer.map(classify::fault);
    match fault {
        Some(fault) if !fault.kind.passes_by_itself() => refused(arn, &fault),
        Some(fault) => unanswered(arn, &format!(" ({})", fault.code)),
        None => unanswered(arn, ""),
    }
}

fn refused(arn: &str, answer: &AwsError) -> AwsError {
    let code = &answer.code;
    let fix = "check that the role exists, and that its trust policy allows the operator sts:AssumeRole, with the class's \
               externalId if it asks for one, and sts:TagSession";
    let message = format!("AWS does not let the operator assume its role ({code}); {ASK}");
    let reply = answer.detail();
    AwsError {
        detail: Some(format!(
            "AWS does not let the operator assume the role {arn} ({code}: {reply}); {fix}"
        )),
        ..AwsError::new(AwsErrorKind::NotSent, NO_CREDENTIALS, message)
    }
}

fn unanswered(arn: &str, why: &str) -> AwsError {
    let of = |whom: &str| format!("AWS STS could not be asked for the {whom}{why}; it is asked again");
    AwsError {
        detail: Some(of(&format!("role {arn}"))),
        ..AwsError::new(AwsErrorKind::NotSent, NOT_SENT, of("credentials of the class"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_for_those_who_may_read_classes() {
        let role = "arn:aws:iam::111122223333:role/transcribe-finance";
        let answer = AwsError {
            detail: Some(format!(
                "User: arn:…:user/operator is not authorized on resource: {role}"
            )),
            ..AwsError::new(
                AwsErrorKind::Denied,
                "AccessDenied",
                "User: the operator is not authorized",
            )
        };
        let refused = refused(role, &answer);
        for part in ["AccessDenied", "ask your platform team"] {
            assert!(refused.message.contains(part), "{}", refused.message);
        }
        for part in [role, "user/operator", "trust policy"] {
            assert!(refused.detail().contains(part), "{}", refused.detail());
        }
        let silent = unanswered(role, " (Timeout)");
        assert!(silent.detail().contains(role), "{}", silent.detail());
        for message in [refused.message, silent.message] {
            assert!(!message.contains("arn:"), "{message}");
        }
    }
}
