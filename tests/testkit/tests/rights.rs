//! Operators have the chart's rights, and an administrator is none.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::json;
use testkit::aws_sim::Config;
use testkit::rights::{Account, Grant};
use testkit::stage::Stage;
use testkit::wait;

#[tokio::test]
async fn the_operators_of_a_stage_are_no_administrators() {
    let stage = Stage::start(Config::default()).await.unwrap();
    let grant = |verb: &str, resource: &str| Grant {
        group: "transcribe-operator.io".to_owned(),
        resource: resource.to_owned(),
        verb: verb.to_owned(),
        ..Grant::default()
    };
    assert!(stage.account.may(&grant("list", "transcriptionjobs")).await.unwrap());
    for beyond in [
        grant("create", "transcriptionjobs"),
        grant("get", "transcriptionjobs/status"),
    ] {
        assert!(!stage.account.may(&beyond).await.unwrap(), "{beyond}");
    }

    let (namespace, name) = ("transcribe", "transcribe-operator");
    Account::of(&stage.plane, namespace, name).await.unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
    });
    stage.kubectl.apply(&binding.to_string()).await.unwrap().ok().unwrap();
    wait::until_so("an administrator is refused", async || {
        Account::of(&stage.plane, namespace, name).await.is_err()
    })
    .await
    .unwrap();
}
