//! What the API server is filled with: services of two versions each, spread over namespaces and nodes, as the
//! controllers, the kubelets and our own injection would have written them.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weft_install::{InjectConfig, Injection, inject};

/// How much there is.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Services.
    pub services: usize,
    /// Pods of each service; the first half is `v1`, the rest `v2`.
    pub pods: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// Nodes.
    pub nodes: usize,
}

/// Port that every HTTP service has.
pub const HTTP: u16 = 8080;
const GRPC: u16 = 9090;
const DATABASE: u16 = 5432;
const ZONES: [&str; 3] = ["a", "b", "c"];

impl Scale {
    /// Namespace of a service.
    pub fn namespace(&self, service: usize) -> String {
        namespace(service % self.namespaces)
    }

    /// Whether a service has a VirtualService and a DestinationRule.
    pub fn has_rules(&self, service: usize) -> bool {
        service.is_multiple_of(10)
    }

    /// Address of a pod.
    pub fn address(&self, service: usize, pod: usize) -> Ipv4Addr {
        let number = service * self.pods + pod;
        Ipv4Addr::new(10, 128 + (number / 50_000) as u8, (number / 250 % 200) as u8, (number % 250 + 1) as u8)
    }

    fn node(&self, service: usize, pod: usize) -> usize {
        (service * self.pods + pod) % self.nodes
    }

    fn version(&self, pod: usize) -> &'static str {
        if pod * 2 < self.pods { "v1" } else { "v2" }
    }

    /// Name of a pod.
    pub fn pod_name(&self, service: usize, pod: usize) -> String {
        format!("{}-{}-5d9c7bf4c8-{pod:05}", name(service), self.version(pod))
    }

    /// A service.
    pub fn service(&self, service: usize) -> Value {
        let ports: Vec<_> = ports(service)
            .iter()
            .map(|(name, port)| json!({ "name": name, "port": port, "targetPort": port, "protocol": "TCP" }))
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name(service), "namespace": self.namespace(service), "labels": { "app": name(service) } },
            "spec": { "selector": { "app": name(service) }, "ports": ports },
        })
    }

    /// Its endpoints.
    pub fn endpoint_slice(&self, service: usize) -> Value {
        let ports: Vec<_> = ports(service)
            .iter()
            .map(|(name, port)| json!({ "name": name, "port": port, "protocol": "TCP" }))
            .collect();
        let endpoints: Vec<_> = (0..self.pods)
            .map(|pod| {
                let node = self.node(service, pod);
                json!({
                    "addresses": [self.address(service, pod)],
                    "conditions": { "ready": true, "serving": true, "terminating": false },
                    "nodeName": node_name(node), "zone": zone(node),
                    "targetRef": {
                        "kind": "Pod", "name": self.pod_name(service, pod), "namespace": self.namespace(service),
                    },
                })
            })
            .collect();
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": format!("{}-x7k2p", name(service)), "namespace": self.namespace(service),
                "labels": {
                    "app": name(service),
                    "kubernetes.io/service-name": name(service),
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                },
            },
            "endpoints": endpoints, "ports": ports,
        })
    }

    /// A pod as its ReplicaSet makes it.
    pub fn pod(&self, service: usize, pod: usize) -> Value {
        let (app, version) = (name(service), self.version(pod));
        let ports: Vec<_> =
            ports(service).iter().map(|(name, port)| json!({ "name": name, "containerPort": port })).collect();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": self.pod_name(service, pod), "namespace": self.namespace(service),
                "labels": { "app": app, "version": version, "pod-template-hash": "5d9c7bf4c8" },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true, "blockOwnerDeletion": true,
                    "name": format!("{app}-{version}-5d9c7bf4c8"), "uid": "5b7a2c1e-0000-4000-8000-000000000000",
                }],
            },
            "spec": {
                "serviceAccountName": app, "nodeName": node_name(self.node(service, pod)),
                "containers": [{
                    "name": "app", "image": format!("registry.example/{app}:{version}"), "ports": ports,
                    "env": [{ "name": "PORT", "value": "8080" }, { "name": "LEVEL", "value": "info" }],
                    "resources": {
                        "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" },
                    },
                    "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 5 },
                }],
            },
        })
    }

    /// The same pod as injection leaves it and the kubelet runs it.
    ///
    /// # Errors
    /// When the injection leaves it as it is.
    pub fn running_pod(&self, service: usize, pod: usize, config: &InjectConfig) -> Result<Value> {
        let written = self.pod(service, pod);
        let namespace = self.namespace(service);
        let mut running = match inject(&written, &namespace, config).context("injection")? {
            Injection::Patched(pod) => *pod,
            Injection::Skipped(skip) => bail!("the pods get no proxy: {skip}"),
        };
        let started = "2026-01-01T00:00:00Z";
        let state = |list: &str| -> Vec<Value> {
            let containers = running["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default();
            let one = |container: &Value| {
                json!({
                    "name": container["name"], "image": container["image"], "imageID": container["image"],
                    "ready": true, "started": true, "restartCount": 0, "state": { "running": { "startedAt": started } },
                })
            };
            containers.iter().map(one).collect()
        };
        let (containers, init) = (state("containers"), state("initContainers"));
        let address = self.address(service, pod);
        let conditions: Vec<_> =
            ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
                .iter()
                .map(|kind| json!({ "type": kind, "status": "True", "lastTransitionTime": started }))
                .collect();
        running["status"] = json!({
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }], "startTime": started,
            "conditions": conditions, "containerStatuses": containers, "initContainerStatuses": init,
        });
        Ok(running)
    }

    /// The rules of a service: nine of ten requests to `v1`, testers to `v2`.
    pub fn virtual_service(&self, service: usize) -> Value {
        let destination = |subset: &str| json!({ "host": name(service), "subset": subset });
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": { "name": name(service), "namespace": self.namespace(service) },
            "spec": { "hosts": [name(service)], "http": [
                {
                    "name": "testers", "match": [{ "headers": { "x-canary": { "exact": "true" } } }],
                    "route": [{ "destination": destination("v2") }],
                },
                { "name": "all", "timeout": "5s", "retries": { "attempts": 2, "perTryTimeout": "2s" }, "route": [
                    { "destination": destination("v1"), "weight": 90 },
                    { "destination": destination("v2"), "weight": 10 },
                ] },
            ] },
        })
    }

    /// Its versions.
    pub fn destination_rule(&self, service: usize) -> Value {
        let subset = |version: &str| json!({ "name": version, "labels": { "version": version } });
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": { "name": name(service), "namespace": self.namespace(service) },
            "spec": {
                "host": name(service),
                "trafficPolicy": { "outlierDetection": { "consecutive5xxErrors": 5, "interval": "10s" } },
                "subsets": [subset("v1"), subset("v2")],
            },
        })
    }
}

/// Name of a service, of its account and of its rules.
pub fn name(service: usize) -> String {
    format!("svc-{service:04}")
}

/// Name of a namespace.
pub fn namespace(number: usize) -> String {
    format!("team-{number:02}")
}

/// Labels of a namespace whose pods get a proxy.
pub fn injected() -> [(String, String); 1] {
    [("istio-injection".to_owned(), "enabled".to_owned())]
}

/// A node.
pub fn node(number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": node_name(number), "labels": {
            "kubernetes.io/hostname": node_name(number),
            "topology.kubernetes.io/region": "region-1",
            "topology.kubernetes.io/zone": zone(number),
        } },
    })
}

fn node_name(number: usize) -> String {
    format!("node-{number:03}")
}

fn zone(node: usize) -> String {
    format!("region-1{}", ZONES[node % ZONES.len()])
}

/// One service in twenty is a database; one in ten also speaks gRPC.
fn ports(service: usize) -> &'static [(&'static str, u16)] {
    match service % 20 {
        7 => &[("tcp-sql", DATABASE)],
        3 | 13 => &[("http", HTTP), ("grpc", GRPC)],
        _ => &[("http", HTTP)],
    }
}
