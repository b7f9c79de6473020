//! What `kubectl get` tells, read without a process for each look: who waits looks many times.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde_json::Value;
use tokio::time::timeout;

use super::Cluster;
use crate::http::encoded;

/// How long the API server may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Kinds that tests look at: the name of one, where their group is, the name of several, and whether they lie in namespaces.
/// Others are left to kubectl.
const KINDS: [(&str, &str, &str, bool); 14] = [
    ("configmap", "/api/v1", "configmaps", true),
    ("event", "/api/v1", "events", true),
    ("namespace", "/api/v1", "namespaces", false),
    ("node", "/api/v1", "nodes", false),
    ("pod", "/api/v1", "pods", true),
    ("secret", "/api/v1", "secrets", true),
    ("service", "/api/v1", "services", true),
    ("serviceaccount", "/api/v1", "serviceaccounts", true),
    ("deployment", "/apis/apps/v1", "deployments", true),
    ("job", "/apis/batch/v1", "jobs", true),
    ("lease", "/apis/coordination.k8s.io/v1", "leases", true),
    ("crd", "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", false),
    ("mesh", "/apis/weft.dev/v1alpha1", "meshes", false),
    ("mutatingwebhookconfiguration", "/apis/admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", false),
];

/// A question that can be asked again and again.
pub(super) struct Look<'a> {
    cluster: &'static Cluster,
    args: &'a [&'a str],
    /// Whom to ask for which path, where it does not take kubectl.
    own: Option<(Client, String)>,
}

impl Cluster {
    /// What `kubectl get ARGS` would be asked for.
    pub(super) async fn look<'a>(&'static self, args: &'a [&'a str]) -> Look<'a> {
        let own = match path(args) {
            Some(path) => Some((self.client().await, path)),
            None => None,
        };
        Look { cluster: self, args, own }
    }
}

impl Look<'_> {
    /// The object or the list, as `kubectl get -o json` prints it; an error with `NotFound` in it when there is none.
    pub(super) async fn get(&self) -> Result<Value, String> {
        let Some((client, path)) = &self.own else {
            let text = self.cluster.try_kubectl(&[&["get", "-o", "json"], self.args].concat()).await?;
            return serde_json::from_str(&text).map_err(|error| error.to_string());
        };
        let request = Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
        let answer = timeout(ANSWER, client.request::<Value>(request)).await;
        let answer = answer.map_err(|_| format!("{path}: no answer within {ANSWER:?}"))?;
        let mut found = answer.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => format!("{path}: NotFound"),
            error => format!("{path}: {error}"),
        })?;
        for object in found.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
            hide_managed_fields(object);
        }
        hide_managed_fields(&mut found);
        Ok(found)
    }
}

fn hide_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// The path and query of what `kubectl get ARGS` reads; nothing for what only kubectl knows.
fn path(args: &[&str]) -> Option<String> {
    let (kind, rest) = args.split_first()?;
    let (_, group, plural, namespaced) =
        KINDS.into_iter().find(|(one, _, several, _)| kind == one || kind == several)?;
    let (mut namespace, mut name, mut query) = (Some("default"), None, Vec::new());
    let mut rest = rest.iter().copied();
    while let Some(arg) = rest.next() {
        match arg {
            "-A" => namespace = None,
            "-n" => namespace = Some(rest.next()?),
            "-l" => query.push(format!("labelSelector={}", encoded(rest.next()?))),
            _ => match arg.strip_prefix("--field-selector=") {
                Some(selector) => query.push(format!("fieldSelector={}", encoded(selector))),
                None if arg.starts_with('-') || name.is_some() => return None,
                None => name = Some(arg),
            },
        }
    }
    let place = namespace.filter(|_| namespaced).map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let name = name.map(|name| format!("/{name}")).unwrap_or_default();
    Some(format!("{group}{place}/{plural}{name}?{}", query.join("&")))
}
