//! The command lines of the three programs.

use std::process::Command;

use super::certificates::Certificates;
use super::programs::program;

/// How much the heap may grow before it is collected, in percent. A control plane of a test is small and short-lived: it
/// spends a quarter less CPU this way, and takes 100 MB more.
const GOGC: &str = "400";

/// The ports that one control plane listens on, all on the loopback address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) apiserver: u16,
    pub(super) etcd: u16,
    pub(super) peer: u16,
}

/// etcd without fsync: the data is thrown away anyway.
pub(super) fn etcd(ports: Ports, data: &str) -> anyhow::Result<Command> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let mut command = Command::new(program("etcd")?);
    command.env("GOGC", GOGC);
    command.args(["--unsafe-no-fsync", "--data-dir", data, "--log-level", "warn"]);
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    Ok(command)
}

/// An API server with RBAC, tokens of service accounts, and one administrator known by a token.
pub(super) fn apiserver(ports: Ports, tls: &Certificates, more: &[String]) -> anyhow::Result<Command> {
    let mut command = Command::new(program("kube-apiserver")?);
    command.env("GOGC", GOGC);
    command.args([
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        format!("--secure-port={}", ports.apiserver),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        // No Service `default/kubernetes` to keep: nothing in the tests connects through it.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        format!("--tls-cert-file={}", tls.file("server.crt")),
        format!("--tls-private-key-file={}", tls.file("server.key")),
        format!("--token-auth-file={}", tls.file("tokens.csv")),
        format!("--service-account-key-file={}", tls.file("tokens.pub")),
        format!("--service-account-signing-key-file={}", tls.file("tokens.key")),
        "--profiling=false".to_owned(),
    ]);
    // Of several issuers the first one signs.
    if !more.iter().any(|arg| arg.starts_with("--service-account-issuer=")) {
        command.arg("--service-account-issuer=https://kubernetes.default.svc");
    }
    command.args(more);
    Ok(command)
}

/// The controllers that make namespaces end, owner references work and service accounts appear.
pub(super) const CONTROLLERS: &[&str] = &[
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
];

/// A controller-manager with just the named controllers.
pub(super) fn controller_manager(
    kubeconfig: &str,
    tls: &Certificates,
    controllers: &[String],
) -> anyhow::Result<Command> {
    let mut command = Command::new(program("kube-controller-manager")?);
    command.args([
        format!("--kubeconfig={kubeconfig}"),
        format!("--controllers={}", controllers.join(",")),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
        format!("--root-ca-file={}", tls.file("ca.crt")),
        format!("--service-account-private-key-file={}", tls.file("tokens.key")),
    ]);
    Ok(command)
}
