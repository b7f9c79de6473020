//! The command lines of a cluster's programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{address::Addresses, credentials::Credentials, node};

/// etcd, which loses its data with the machine and so need not wait for the disk.
pub fn etcd(dir: &Path) -> Vec<String> {
    flags([
        ("data-dir", etcd_data(dir).display().to_string()),
        ("listen-client-urls", "http://127.0.0.1:2379".into()),
        ("advertise-client-urls", "http://127.0.0.1:2379".into()),
        ("listen-peer-urls", "http://127.0.0.1:2380".into()),
        ("unsafe-no-fsync", "true".into()),
    ])
}

/// Where etcd keeps what it has.
pub fn etcd_data(dir: &Path) -> PathBuf {
    dir.join("etcd")
}

/// The API server; `services` are the ranges that Services get their addresses from.
pub fn api_server(credentials: &Credentials, addresses: Addresses, services: &str) -> Vec<String> {
    flags([
        ("etcd-servers", "http://127.0.0.1:2379".into()),
        ("bind-address", "::".into()),
        ("secure-port", "6443".into()),
        ("advertise-address", addresses.node().to_string()),
        ("tls-cert-file", credentials.path("api.crt")),
        ("tls-private-key-file", credentials.path("api.key")),
        ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".into()),
        ("service-account-key-file", credentials.path("accounts.pub")),
        ("service-account-signing-key-file", credentials.path("accounts.key")),
        ("token-auth-file", credentials.path("tokens.csv")),
        ("authorization-mode", "Node,RBAC".into()),
        ("service-cluster-ip-range", services.into()),
        ("allow-privileged", "true".into()),
        // Without it exec and logs ask DNS for the node's name.
        ("kubelet-preferred-address-types", "InternalIP".into()),
    ])
}

/// The controllers.
pub fn controller_manager(credentials: &Credentials, kubeconfig: &Path, addresses: Addresses) -> Vec<String> {
    flags([
        ("kubeconfig", kubeconfig.display().to_string()),
        ("service-account-private-key-file", credentials.path("accounts.key")),
        ("root-ca-file", credentials.path("ca.crt")),
        ("use-service-account-credentials", "true".into()),
        ("service-cluster-ip-range", addresses.services().join(",")),
        ("leader-elect", "false".into()),
        // Tests take the API server away for a while. A node that cannot report meanwhile must not be given up the
        // moment it is back: with one node that would be every pod of the cluster.
        ("node-monitor-grace-period", "10m".into()),
        ("kube-api-qps", "200".into()),
        ("kube-api-burst", "400".into()),
    ])
}

/// The scheduler.
pub fn scheduler(kubeconfig: &Path) -> Vec<String> {
    flags([
        ("kubeconfig", kubeconfig.display().to_string()),
        ("leader-elect", "false".into()),
        ("kube-api-qps", "200".into()),
        ("kube-api-burst", "400".into()),
    ])
}

/// The container runtime.
pub fn containerd(dir: &Path) -> Vec<String> {
    flags([("config", dir.join("containerd.toml").display().to_string()), ("log-level", "warn".into())])
}

/// The node's agent.
pub fn kubelet(dir: &Path, kubeconfig: &Path, addresses: Addresses) -> Vec<String> {
    flags([
        ("config", dir.join("kubelet.yaml").display().to_string()),
        ("kubeconfig", kubeconfig.display().to_string()),
        ("root-dir", dir.join("kubelet").display().to_string()),
        ("hostname-override", node::NAME.into()),
        ("node-ip", format!("{},{}", addresses.node(), addresses.node_v6())),
    ])
}

/// Services.
pub fn proxy(kubeconfig: &Path, addresses: Addresses) -> Vec<String> {
    flags([
        ("kubeconfig", kubeconfig.display().to_string()),
        ("hostname-override", node::NAME.into()),
        ("proxy-mode", "iptables".into()),
        ("iptables-sync-period", "10s".into()),
        ("iptables-min-sync-period", "100ms".into()),
        ("cluster-cidr", addresses.pods().join(",")),
        // The machine's connection table is not ours to resize.
        ("conntrack-max-per-core", "0".into()),
        ("conntrack-tcp-timeout-established", "0".into()),
        ("conntrack-tcp-timeout-close-wait", "0".into()),
    ])
}

/// Cluster DNS. `outside.test` is the machine itself, as something beyond the mesh; other names do not exist.
pub fn dns(dir: &Path, kubeconfig: &Path, addresses: Addresses) -> Result<Vec<String>> {
    let corefile = format!(
        ".:53 {{\n bind {}\n errors\n hosts {{\n  {} outside.test\n  fallthrough\n }}\n \
         kubernetes cluster.local in-addr.arpa ip6.arpa {{\n  kubeconfig {}\n  pods verified\n  ttl 1\n }}\n \
         template ANY ANY {{\n  rcode NXDOMAIN\n }}\n}}\n",
        addresses.node(),
        addresses.host(),
        kubeconfig.display(),
    );
    let path = dir.join("Corefile");
    fs::write(&path, corefile).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(vec!["-conf".into(), path.display().to_string()])
}

fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs.into_iter().map(|(name, value)| format!("--{name}={value}")).collect()
}
