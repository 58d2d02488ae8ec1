//! Complete lists of records, made with the session of any class of an account and Region.

use std::collections::HashMap;

use futures::future::BoxFuture;

use crate::{
    accounts::{account::AwsAccount, session::Session},
    api::Kind,
    aws::transcribe::ListOf,
    domain::{AwsError, AwsErrorKind, RemoteJob, aws_error::NO_CREDENTIALS},
    tenancy::ClassStore,
};

/// Lists to the last page, or fails, because a partial list does not prove that a record is absent.
pub(super) async fn list_all(
    session: &Session,
    account: &AwsAccount,
    kind: Kind,
    of: ListOf,
    prefix: &str,
) -> Result<HashMap<String, RemoteJob>, AwsError> {
    let mut jobs = HashMap::new();
    let mut from = None;
    loop {
        account.of(kind).rates.list().await;
        let page = session.connection().list(kind, of, prefix, from).await?;
        jobs.extend(page.jobs.into_iter().filter(|(name, _)| name.starts_with(prefix)));
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(jobs),
        }
    }
}

/// Makes a call in an account and Region with the session of any class there; when one fails, with the next. If all
/// fail, returns an error that may pass by itself if there is one: the call counts as refused only when AWS refuses it
/// to all sessions.
pub(super) async fn by_any<'a, T>(
    classes: &ClassStore,
    account: &AwsAccount,
    call: impl Fn(Session) -> BoxFuture<'a, Result<T, AwsError>>,
) -> Result<T, AwsError> {
    let mut failure: Option<AwsError> = None;
    for session in classes.sessions_at(&account.at).await {
        let verified = session.verify().await;
        if let Ok(identity) = &verified
            && *identity != account.at
        {
            continue;
        }
        let result = match verified {
            Ok(_) => call(session).await,
            Err(fault) => Err(fault),
        };
        match result {
            Ok(done) => return Ok(done),
            Err(fault) if failure.as_ref().is_none_or(|last| !last.kind.passes_by_itself()) => failure = Some(fault),
            Err(_) => {}
        }
    }
    Err(failure.unwrap_or_else(|| {
        let message = "no class has credentials for this account and Region";
        AwsError::new(AwsErrorKind::NotSent, NO_CREDENTIALS, message)
    }))
}
