//! Istio's kinds for clusters that lack them: versions, names and columns as Istio serves them. Schemas are permissive,
//! because checks are the webhook's, in one place for every source.

use serde_json::{Value, json};

use super::Crd;
use crate::Kind;

/// Name and path of a column, beside `Age`.
type Column = (&'static str, &'static str);

/// Singular, short names and columns of a kind that is Istio's; nothing for kinds that are not.
fn names(kind: Kind) -> Option<(&'static str, &'static [&'static str], &'static [Column])> {
    Some(match kind {
        Kind::VirtualService => {
            ("virtualservice", &["vs"], &[("Gateways", ".spec.gateways"), ("Hosts", ".spec.hosts")])
        }
        Kind::DestinationRule => ("destinationrule", &["dr"], &[("Host", ".spec.host")]),
        Kind::Gateway => ("gateway", &["gw"], &[]),
        Kind::ServiceEntry => (
            "serviceentry",
            &["se"],
            &[("Hosts", ".spec.hosts"), ("Location", ".spec.location"), ("Resolution", ".spec.resolution")],
        ),
        Kind::Sidecar => ("sidecar", &[], &[]),
        Kind::WorkloadEntry => ("workloadentry", &["we"], &[("Address", ".spec.address")]),
        Kind::WorkloadGroup => ("workloadgroup", &["wg"], &[]),
        Kind::EnvoyFilter => ("envoyfilter", &[], &[]),
        Kind::ProxyConfig => ("proxyconfig", &[], &[]),
        Kind::PeerAuthentication => ("peerauthentication", &["pa"], &[("Mode", ".spec.mtls.mode")]),
        Kind::AuthorizationPolicy => ("authorizationpolicy", &["ap"], &[("Action", ".spec.action")]),
        Kind::RequestAuthentication => ("requestauthentication", &["ra"], &[]),
        Kind::Telemetry => ("telemetry", &["telemetry"], &[]),
        Kind::WasmPlugin => ("wasmplugin", &[], &[]),
        _ => return None,
    })
}

pub(super) fn all() -> Vec<Crd> {
    Kind::ALL.iter().filter_map(|kind| crd(*kind)).collect()
}

fn crd(kind: Kind) -> Option<Crd> {
    let (singular, short, columns) = names(kind)?;
    let group = kind.group();
    let name = format!("{}.{group}", kind.plural());
    let mut names = json!({
        "categories": ["istio-io", group.replace('.', "-")],
        "kind": kind.name(),
        "listKind": format!("{kind}List"),
        "plural": kind.plural(),
        "singular": singular,
    });
    if !short.is_empty() {
        names["shortNames"] = json!(short);
    }
    let versions = kind.versions().iter().enumerate();
    let versions: Vec<Value> =
        versions.map(|(index, version)| self::version(kind, version, index == 0, columns)).collect();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": name,
            "annotations": {
                "weft.dev/foreign": "Istio's kind, created because it was absent; Weft never replaces or deletes it",
                "helm.sh/resource-policy": "keep",
            },
        },
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": versions},
    });
    Some(Crd { name, foreign: true, definition })
}

fn version(kind: Kind, version: &str, storage: bool, columns: &[Column]) -> Value {
    let mut shown: Vec<Value> =
        columns.iter().map(|(name, path)| json!({"name": name, "type": "string", "jsonPath": path})).collect();
    shown.push(json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}));
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "name": version,
        "served": true,
        "storage": storage,
        "additionalPrinterColumns": shown,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {
            "type": "object",
            "description": format!("{kind} of Istio's API: https://istio.io/latest/docs/reference/config/"),
            "properties": {"spec": open, "status": open},
        }},
    })
}
