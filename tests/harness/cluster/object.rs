//! Objects of a cluster, read and waited for.

use std::time::Duration;

use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use super::{Cluster, address::Addresses};
use crate::wait::{ensure, until};

impl Cluster {
    /// A client with the administrator's rights. It belongs to the runtime that makes it, so each test makes its own.
    pub async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).expect("kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        // Two crates could each have set one up already; either is the same.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        Client::try_from(config.expect("kubeconfig")).expect("client")
    }

    /// Objects of a kind by group, version and kind; in one namespace or cluster-wide.
    pub async fn api(&self, kind: (&str, &str, &str), namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(kind.0, kind.1, kind.2));
        let client = self.client().await;
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    /// `kubectl get … -o json`; `None` when there is no such object.
    pub async fn read(&'static self, args: &[&str]) -> Option<Value> {
        match self.look(args).await.get().await {
            Ok(found) => Some(found),
            Err(error) if error.contains("NotFound") => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until what `kubectl get … -o json` tells holds; the condition gives what is missing.
    pub async fn wait_for<T>(
        &'static self,
        what: &str,
        args: &[&str],
        limit: Duration,
        condition: impl Fn(&Value) -> Result<T, String>,
    ) -> T {
        let look = self.look(args).await;
        until(what, limit, || async { condition(&look.get().await?) }).await
    }

    /// Waits until an object is gone.
    pub async fn wait_gone(&'static self, args: &[&str], limit: Duration) {
        let look = self.look(args).await;
        until(&format!("{} is gone", args.join(" ")), limit, || async {
            match look.get().await {
                Ok(found) => {
                    let left = names(&found);
                    ensure(left.is_empty(), || left.join(", "))
                }
                Err(error) if error.contains("NotFound") => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await;
    }

    /// Waits until a Deployment's rollout is complete.
    pub async fn rolled_out(&'static self, namespace: &str, name: &str, limit: Duration) {
        self.wait_for(
            &format!("deployment {namespace}/{name}"),
            &["deployment", "-n", namespace, name],
            limit,
            |object| {
                let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
                let wanted = number("/spec/replicas");
                let done = number("/status/observedGeneration") >= number("/metadata/generation")
                    && ["updatedReplicas", "replicas", "readyReplicas"]
                        .iter()
                        .all(|field| number(&format!("/status/{field}")) == wanted);
                if done { Ok(()) } else { Err(object["status"].to_string()) }
            },
        )
        .await;
    }
}

/// The name of an object, or those of a list.
fn names(found: &Value) -> Vec<&str> {
    let all = found.get("items").and_then(Value::as_array).map_or(std::slice::from_ref(found), Vec::as_slice);
    all.iter().filter_map(|object| object["metadata"]["name"].as_str()).collect()
}

/// The condition of a type in an object's status: its status and reason.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    Some((condition["status"].as_str()?, condition["reason"].as_str().unwrap_or_default()))
}

/// The Service `kube-dns` before the cluster's CoreDNS, which is a process on the node and no pod.
pub fn dns_service(addresses: Addresses) -> String {
    let ports = |target: bool| {
        ["UDP", "TCP"].map(|protocol| {
            let mut port =
                json!({ "name": format!("dns-{}", protocol.to_lowercase()), "port": 53, "protocol": protocol });
            if target {
                port["targetPort"] = json!(53);
            }
            port
        })
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "kube-dns", "namespace": "kube-system" },
        "spec": { "clusterIP": addresses.dns_service(), "ports": ports(true) },
    });
    let endpoints = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": "kube-dns", "namespace": "kube-system", "labels": { "kubernetes.io/service-name": "kube-dns" },
        },
        "endpoints": [{ "addresses": [addresses.node()] }],
        "ports": ports(false),
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [service, endpoints] }).to_string()
}
