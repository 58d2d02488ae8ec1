//! What all writes to the API server share.

use kube::{
    ResourceExt,
    api::{PatchParams, PostParams},
};

/// The field manager: the name under which the API server records which fields the operator owns.
pub const FIELD_MANAGER: &str = "transcribe-operator";

/// The parameters of a merge patch.
pub fn merge_params() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

/// The parameters of a create or a replace.
pub fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// The finalizers of an object, including this one.
pub fn with_finalizer(object: &impl ResourceExt, finalizer: &str) -> Vec<String> {
    let mut finalizers = without_finalizer(object, finalizer);
    finalizers.push(finalizer.to_owned());
    finalizers
}

/// The finalizers of an object, without this one.
pub fn without_finalizer(object: &impl ResourceExt, finalizer: &str) -> Vec<String> {
    let others = object.finalizers().iter().filter(|other| *other != finalizer);
    others.cloned().collect()
}
