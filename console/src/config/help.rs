//! Help for whoever writes an object: its fields, the names that exist, a first text.

use std::collections::BTreeSet;

use weft_api::{Kind, Spec, schema};
use weft_model::edit::{Names, Schema, SchemaField};

use super::View;

/// Names beyond this are not offered: nobody scrolls through more.
const MAX_NAMES: usize = 2_000;

/// What helps with a kind, in a namespace; `sees` tells which namespaces' names may be told.
pub fn schema(view: &View, kind: Kind, namespace: &str, sees: impl Fn(&str) -> bool) -> Schema {
    let field =
        |field: schema::Field| SchemaField { path: field.path, shape: field.shape, doc: field.doc, words: field.words };
    let namespace = if namespace.is_empty() { "default" } else { namespace };
    Schema {
        kind: kind.name().to_owned(),
        fields: schema::fields(kind).into_iter().map(field).collect(),
        template: template(kind, namespace),
        names: names(view, sees),
    }
}

fn names(view: &View, sees: impl Fn(&str) -> bool) -> Names {
    let (mut hosts, mut subsets, mut gateways) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for service in view.snapshot.services().iter().filter(|service| sees(&service.namespace)) {
        hosts.insert(service.host.to_string());
    }
    for (key, object) in view.snapshot.objects().filter(|(key, _)| sees(&key.namespace)) {
        match &object.spec {
            Spec::DestinationRule(rule) => subsets.extend(rule.subsets.iter().map(|subset| subset.name.clone())),
            Spec::Gateway(_) => {
                gateways.insert(format!("{}/{}", key.namespace, key.name));
            }
            _ => {}
        }
    }
    let take = |names: BTreeSet<String>| names.into_iter().take(MAX_NAMES).collect();
    let namespaces = view.estate.namespaces.iter().filter(|name| sees(name)).cloned().collect();
    Names { hosts: take(hosts), subsets: take(subsets), gateways: take(gateways), namespaces: take(namespaces) }
}

/// A first text that is sound but for its names.
fn template(kind: Kind, namespace: &str) -> String {
    let spec = match kind {
        Kind::VirtualService => {
            "  hosts: [my-service]\n  http:\n  - route:\n    - destination:\n        host: my-service\n"
        }
        Kind::DestinationRule => "  host: my-service\n  subsets:\n  - name: v1\n    labels: {version: v1}\n",
        Kind::Gateway => {
            "  selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ['*']\n"
        }
        Kind::ServiceEntry => {
            "  hosts: [api.example.com]\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports:\n  - {number: 443, name: tls, protocol: TLS}\n"
        }
        Kind::Sidecar => "  egress:\n  - hosts: ['./*', 'istio-system/*']\n",
        Kind::WorkloadEntry => "  address: 10.0.0.1\n  labels: {app: my-service}\n  serviceAccount: my-service\n",
        Kind::WorkloadGroup => {
            "  metadata:\n    labels: {app: my-service}\n  template:\n    serviceAccount: my-service\n"
        }
        Kind::PeerAuthentication => "  mtls:\n    mode: STRICT\n",
        Kind::AuthorizationPolicy => {
            "  selector:\n    matchLabels: {app: my-service}\n  action: ALLOW\n  rules:\n  - from:\n    - source:\n        principals: [cluster.local/ns/default/sa/client]\n"
        }
        Kind::RequestAuthentication => {
            "  jwtRules:\n  - issuer: https://issuer.example.com\n    jwksUri: https://issuer.example.com/keys\n"
        }
        Kind::Telemetry => "  tracing:\n  - randomSamplingPercentage: 10\n",
        Kind::Service => "  selector: {app: my-service}\n  ports:\n  - {name: http, port: 80, targetPort: 8080}\n",
        Kind::Mesh => "  profile: default\n",
        _ => "  {}\n",
    };
    let place =
        if kind.scope() == weft_api::Scope::Cluster { String::new() } else { format!("  namespace: {namespace}\n") };
    format!(
        "apiVersion: {}\nkind: {kind}\nmetadata:\n  name: my-{}\n{place}spec:\n{spec}",
        kind.api_version(),
        kind.name().to_lowercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_sound() {
        // A WorkloadGroup is kept as it is written, for `weft vm`.
        let offered = |kind: &&Kind| !schema::fields(**kind).is_empty() || **kind == Kind::WorkloadGroup;
        for kind in Kind::ALL.iter().filter(offered) {
            let draft = weft_source::Draft::read(&template(*kind, "shop"));
            assert!(draft.is_sound(), "{kind}: {:?}", draft.findings());
            assert!(draft.findings().is_empty(), "{kind}: {:?}", draft.findings());
        }
    }
}
