//! Webhooks. Selectors are Istio's, so that its labels mean the same; the namespaces that a cluster needs to come up and
//! our own are left out in each, so that no failure of ours can keep a cluster from healing.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use weft_api::{Kind, mesh::Profile};

use super::frame::Frame;
use crate::names;

const COMPONENT: &str = "webhooks";
const INJECT: &str = "sidecar.istio.io/inject";
const INJECTION: &str = "istio-injection";

/// A requirement of a selector.
fn on(key: &str, operator: &str, values: &[&str]) -> Value {
    if values.is_empty() {
        json!({"key": key, "operator": operator})
    } else {
        json!({"key": key, "operator": operator, "values": values})
    }
}

pub(super) fn objects(frame: &Frame<'_>) -> Vec<Value> {
    let Some(bundle) = &frame.input.ca_bundle else { return Vec::new() };
    let bundle = STANDARD.encode(bundle);
    let mesh = &frame.input.mesh;
    let own = mesh.revision_label();
    let mut objects = vec![injector(frame, &frame.name(names::INJECTOR_WEBHOOK), own, &bundle)];
    objects.extend(mesh.tags.iter().map(|tag| injector(frame, &format!("weft-revision-tag-{tag}"), tag, &bundle)));
    if mesh.profile() != Profile::Remote {
        objects.push(validator(frame, &bundle));
    }
    objects
}

fn client(frame: &Frame<'_>, path: &str, bundle: &str) -> Value {
    match &frame.input.mesh.remote {
        Some(remote) => {
            json!({"url": format!("https://{}:15017{path}", host(&remote.control_plane)), "caBundle": bundle})
        }
        None => json!({
            "service": {
                "name": frame.name(names::CONTROL_PLANE),
                "namespace": frame.input.namespace,
                "path": path,
                "port": 443,
            },
            "caBundle": bundle,
        }),
    }
}

fn host(address: &str) -> String {
    if address.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{address}]") } else { address.to_owned() }
}

/// Namespaces and pods that ask for `revision`; with the default one, those that name none as well.
fn injector(frame: &Frame<'_>, name: &str, revision: &str, bundle: &str) -> Value {
    let never: Vec<&str> = names::SYSTEM_NAMESPACES.into_iter().chain([frame.input.namespace.as_str()]).collect();
    let webhook = |prefix: &str, mut namespace: Vec<Value>, pod: Vec<Value>| {
        namespace.push(on("kubernetes.io/metadata.name", "NotIn", &never));
        json!({
            "name": format!("{prefix}.sidecar-injector.weft.dev"),
            "clientConfig": client(frame, "/inject", bundle),
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                "scope": "Namespaced",
            }],
            "namespaceSelector": {"matchExpressions": namespace},
            "objectSelector": {"matchExpressions": pod},
            "admissionReviewVersions": ["v1"],
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "reinvocationPolicy": "Never",
            "sideEffects": "None",
            "timeoutSeconds": 10,
        })
    };
    let absent = |key| on(key, "DoesNotExist", &[]);
    let rev = names::REVISION_LABEL;
    let mut webhooks = vec![
        webhook(
            "rev.namespace",
            vec![on(rev, "In", &[revision]), absent(INJECTION)],
            vec![on(INJECT, "NotIn", &["false"])],
        ),
        webhook(
            "rev.object",
            vec![absent(rev), absent(INJECTION)],
            vec![on(INJECT, "NotIn", &["false"]), on(rev, "In", &[revision])],
        ),
    ];
    if revision == weft_api::mesh::DEFAULT_REVISION {
        webhooks.push(webhook(
            "namespace",
            vec![on(INJECTION, "In", &["enabled"])],
            vec![on(INJECT, "NotIn", &["false"])],
        ));
        webhooks.push(webhook(
            "object",
            vec![absent(INJECTION), absent(rev)],
            vec![on(INJECT, "In", &["true"]), absent(rev)],
        ));
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": frame.cluster_meta(COMPONENT, name),
        "webhooks": webhooks,
    })
}

/// What this revision reads: objects of its own name and tags, and those that name no revision, which every revision
/// reads. Of several control planes each is asked about the latter.
fn validator(frame: &Frame<'_>, bundle: &str) -> Value {
    let mesh = &frame.input.mesh;
    let policy = if frame.input.ready { "Fail" } else { "Ignore" };
    // A revision beside the default one must not be able to stop the changes of everybody.
    let shared = if frame.settings.default_revision { policy } else { "Ignore" };
    let rule = |group: &str| {
        let kinds = Kind::ALL.iter().filter(|kind| kind.group() == group);
        let versions: Vec<&str> = kinds.clone().flat_map(|kind| kind.versions().iter().copied()).collect();
        let versions: std::collections::BTreeSet<&str> = versions.into_iter().collect();
        json!({
            "apiGroups": [group],
            "apiVersions": versions,
            "operations": ["CREATE", "UPDATE"],
            "resources": kinds.map(|kind| kind.plural()).collect::<Vec<_>>(),
            "scope": "*",
        })
    };
    let istio: Vec<Value> =
        ["extensions.istio.io", "networking.istio.io", "security.istio.io", "telemetry.istio.io"].map(rule).to_vec();
    let webhook = |name: &str, rules: Vec<Value>, selector: Vec<Value>, policy: &str| {
        json!({
            "name": format!("{name}.weft.dev"),
            "clientConfig": client(frame, "/validate", bundle),
            "rules": rules,
            // An empty list would count as a change each time it is applied: the API server stores none.
            "objectSelector": if selector.is_empty() { json!({}) } else { json!({"matchExpressions": selector}) },
            "admissionReviewVersions": ["v1"],
            "failurePolicy": policy,
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "timeoutSeconds": 10,
        })
    };
    let rev = names::REVISION_LABEL;
    let mut revisions = vec![mesh.revision_label()];
    revisions.extend(mesh.tags.iter().map(String::as_str));
    let webhooks = [
        webhook("rev.validation", istio.clone(), vec![on(rev, "In", &revisions)], policy),
        webhook("validation", istio, vec![on(rev, "DoesNotExist", &[])], shared),
        // A Mesh is what repairs a control plane that is down: it can always be changed.
        webhook("mesh.validation", vec![rule("weft.dev")], Vec::new(), "Ignore"),
    ];
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": frame.cluster_meta(COMPONENT, &frame.name(names::VALIDATOR_WEBHOOK)),
        "webhooks": webhooks,
    })
}

#[cfg(test)]
mod tests;
