//! The control plane is what it says: real, several at once, stoppable, and gone afterwards.
#![allow(clippy::unwrap_used, clippy::panic)]

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams};
use testkit::control_plane::ControlPlane;
use testkit::kubectl::{Helm, Kubectl};
use testkit::wait::until_so;

const CONFIG_MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: b}}";

#[tokio::test]
async fn two_run_side_by_side_and_know_nothing_of_each_other() {
    let (one, two) = tokio::try_join!(ControlPlane::start(), ControlPlane::start()).unwrap();
    let kubectl = Kubectl::new(&one).unwrap();
    let applied = kubectl.apply(CONFIG_MAP).await.unwrap().ok().unwrap();
    assert_eq!(applied.stdout, "configmap/kept created\n");
    let seen = Kubectl::new(&two)
        .unwrap()
        .run(&["get", "configmap", "kept"])
        .await
        .unwrap();
    assert!(!seen.success);
    assert!(seen.stderr.contains("NotFound"), "{}", seen.stderr);
}

#[tokio::test]
async fn the_api_server_goes_away_and_comes_back_with_its_data() {
    let plane = ControlPlane::start().await.unwrap();
    Kubectl::new(&plane)
        .unwrap()
        .apply(CONFIG_MAP)
        .await
        .unwrap()
        .ok()
        .unwrap();
    let maps = Api::<ConfigMap>::default_namespaced(plane.client().unwrap());
    plane.stop_apiserver();
    maps.get("kept").await.unwrap_err();
    plane.start_apiserver().await.unwrap();
    assert_eq!(maps.get("kept").await.unwrap().data.unwrap()["a"], "b");
    plane.restart_apiserver().await.unwrap();
    maps.get("kept").await.unwrap();
}

#[tokio::test]
async fn rights_are_enforced_and_service_accounts_have_tokens() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("rights").await.unwrap();
    let nobody = Api::<ConfigMap>::namespaced(plane.client_as("somebody", &[]).unwrap(), &namespace);
    let refused = nobody.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.is_forbidden()),
        "{refused}"
    );

    let accounts = Api::<ServiceAccount>::namespaced(plane.client().unwrap(), &namespace);
    until_so("the controllers make the default service account", async || {
        accounts.get("default").await.is_ok()
    })
    .await
    .unwrap();
    let token = plane.service_account_token(&namespace, "default").await.unwrap();
    let kubeconfig = plane.kubeconfig_with(&plane.url(), &token).unwrap();
    let kubectl = Kubectl::with_kubeconfig(plane, &kubeconfig).unwrap();
    let who = kubectl.run(&["auth", "whoami"]).await.unwrap().ok().unwrap();
    assert!(
        who.stdout
            .contains(&format!("system:serviceaccount:{namespace}:default")),
        "{}",
        who.stdout
    );
}

#[tokio::test]
async fn with_controllers_a_deleted_namespace_ends() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("ending").await.unwrap();
    let namespaces = Api::<Namespace>::all(plane.client().unwrap());
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    until_so("the namespace is gone", async || {
        namespaces.get_opt(&namespace).await.unwrap().is_none()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_start_that_fails_shows_the_log_of_the_program_that_failed() {
    let failed = ControlPlane::builder().apiserver_arg("--no-such-flag").start().await;
    let error = format!("{:#}", failed.err().unwrap());
    assert!(
        error.contains("kube-apiserver") && error.contains("unknown flag: --no-such-flag"),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let plane = ControlPlane::start().await.unwrap();
    let folder = plane.folder().to_owned();
    let address = plane.url().replace("https://", "");
    std::net::TcpStream::connect(&address).unwrap();
    plane.shutdown();
    std::net::TcpStream::connect(&address).unwrap_err();
    assert!(!folder.exists());
}

#[tokio::test]
async fn helm_speaks_to_it() {
    let plane = ControlPlane::shared().await.unwrap();
    let listed = Helm::new(plane)
        .unwrap()
        .run(&["list", "--all-namespaces", "--output", "json"])
        .await
        .unwrap();
    assert_eq!(listed.ok().unwrap().stdout.trim(), "[]");
}
