//! The verdict on a job: one function for the webhook, the offline check and the reconciler.

use crate::domain::{
    job::desired::Desired,
    key::{KEY_FIELD, KeyVerdict},
    rejection::Rejection,
};

/// Whether a job may be stored and started, and what its author should know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Why it may not, if it is denied.
    pub denial: Option<Rejection>,
    /// Warnings for the tenant, one line each.
    pub warnings: Vec<String>,
}

impl From<Rejection> for Verdict {
    fn from(rejection: Rejection) -> Self {
        Self {
            denial: Some(rejection),
            warnings: Vec::new(),
        }
    }
}

/// Reviews a job. `bound` is the request bound to its class, or why that failed. `key` is what is known of its key;
/// [`KeyVerdict::NotNeeded`] where keys are not checked. AWS KMS's answer leads to a denial only if it is certain.
pub fn review(bound: &Result<Desired, Rejection>, key: &KeyVerdict) -> Verdict {
    if let Some(rejection) = denial(bound, key) {
        return Verdict::from(rejection.clone());
    }
    let Ok(desired) = bound else {
        return Verdict::default();
    };
    let mut warnings = desired.warnings();
    warnings.extend(doubt(disclosed(desired, key)));
    Verdict { denial: None, warnings }
}

/// Returns why a job may not be started, if that is certain.
pub fn denial<'a>(bound: &'a Result<Desired, Rejection>, key: &'a KeyVerdict) -> Option<&'a Rejection> {
    match (bound, key) {
        (Err(rejection), _) => Some(rejection),
        (Ok(desired), KeyVerdict::Refused(rejection)) if desired.key_is_judged() => Some(rejection),
        (Ok(_), _) => None,
    }
}

/// Hides the verdict on a key that was not yet checked against the class, because it could be another tenant's key.
fn disclosed<'a>(desired: &Desired, key: &'a KeyVerdict) -> &'a KeyVerdict {
    match key {
        KeyVerdict::NotNeeded => key,
        KeyVerdict::NotAsked | KeyVerdict::Usable { .. } | KeyVerdict::Refused(_) | KeyVerdict::Unsettled { .. } => {
            if desired.key_is_judged() {
                key
            } else {
                &KeyVerdict::NotAsked
            }
        }
    }
}

fn doubt(key: &KeyVerdict) -> Option<String> {
    match key {
        KeyVerdict::Unsettled { rejection, .. } => Some(rejection.to_string()),
        KeyVerdict::Usable { doubt, .. } => doubt.as_ref().map(|doubt| format!("{KEY_FIELD}: {doubt}")),
        KeyVerdict::NotAsked => Some(format!(
            "{KEY_FIELD}: not judged yet, because AWS has not confirmed whose credentials the operator has; it is judged \
             before the job starts"
        )),
        KeyVerdict::NotNeeded | KeyVerdict::Refused(_) => None,
    }
}
