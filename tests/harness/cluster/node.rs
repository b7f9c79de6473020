//! The node's files: container runtime, pod network, kubelet. Debian 12's containerd is 1.6, which Kubernetes serves up
//! to 1.35.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

use super::address::Addresses;

/// The image of pods' sandboxes, made by `cargo xtask image --test`.
pub const PAUSE: &str = concat!("docker.io/weft/pause:", env!("CARGO_PKG_VERSION"));
/// The node's name.
pub const NAME: &str = "node-1";

/// Writes what containerd and the kubelet read into `dir`; `cgroup` is the control group of all pods.
pub fn write(dir: &Path, addresses: Addresses, cgroup: &str) -> Result<()> {
    let at = |name: &str| dir.join(name);
    fs::create_dir_all(at("cni")).context("cannot create cni")?;
    put(&at("cni/10-pods.conflist"), &pod_network(dir, addresses).to_string())?;
    put(&at("containerd.toml"), &containerd(dir))?;
    put(&at("kubelet.yaml"), &kubelet(dir, addresses, cgroup).to_string())?;
    // Pods with dnsPolicy Default get this; the machine's own resolver is not reached from in here.
    put(&at("resolv.conf"), &format!("nameserver {}\n", addresses.dns_service()))
}

/// A link per pod and no bridge: all traffic between pods is routed, so kube-proxy's rules see it whether or not the
/// kernel shows bridged packets to the packet filter.
fn pod_network(dir: &Path, addresses: Addresses) -> serde_json::Value {
    let ranges: Vec<_> = addresses.pods().iter().map(|subnet| json!([{ "subnet": subnet }])).collect();
    json!({ "cniVersion": "0.4.0", "name": "pods", "plugins": [
        { "type": "ptp", "ipMasq": false, "ipam": {
            "type": "host-local", "dataDir": dir.join("ipam"), "ranges": ranges,
            "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }],
        } },
        { "type": "portmap", "capabilities": { "portMappings": true } },
    ] })
}

fn containerd(dir: &Path) -> String {
    let dir = dir.display();
    // Without CAP_SYS_RESOURCE a sandbox with a lower OOM score than containerd's own does not start.
    format!(
        r#"version = 2
root = "{dir}/containerd"
state = "{dir}/containerd-run"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{dir}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{dir}/cni"
"#,
        snapshotter = snapshotter(),
    )
}

/// How images become file systems. An overlay cannot lie on an overlay, as the root of a container is one.
pub fn snapshotter() -> &'static str {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let base = std::env::temp_dir();
    let under = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        base.starts_with(path).then_some((path.len(), kind))
    });
    match under.max_by_key(|(length, _)| *length) {
        Some((_, "overlay")) => "native",
        _ => "overlayfs",
    }
}

fn kubelet(dir: &Path, addresses: Addresses, cgroup: &str) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": format!("unix://{}/containerd.sock", dir.display()),
        "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{cgroup}"), "failCgroupV1": false, "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "authentication": { "anonymous": { "enabled": true }, "webhook": { "enabled": false } },
        "authorization": { "mode": "AlwaysAllow" },
        "clusterDNS": [addresses.dns_service()], "clusterDomain": "cluster.local",
        "resolvConf": dir.join("resolv.conf"),
        "podLogsDir": dir.join("pod-logs"),
        "maxPods": 250, "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        "evictionHard": { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
        // Projected tokens and ConfigMaps reach pods at the next sync.
        "syncFrequency": "5s",
        "kubeAPIQPS": 200, "kubeAPIBurst": 400, "eventRecordQPS": 0,
    })
}

fn put(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
