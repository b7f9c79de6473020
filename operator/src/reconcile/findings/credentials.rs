//! Credentials of Gateways that their gateways cannot show, and of DestinationRules: Secrets that are not there, or that hold
//! no certificate with its key. Lint does not look for them, because it also reads directories, which seldom hold Secrets.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use weft_lint::code::{CREDENTIAL_NOT_FOUND, CREDENTIAL_UNUSABLE};
use weft_mesh::Snapshot;
use weft_model::{Diagnostic, ObjectRef};

use crate::{
    credential::{shown, usable},
    reconcile::{cluster::Cluster, problem::Reason},
};

/// Secrets that are asked for in one round; of more, the others are not told.
const LOOKS: usize = 64;

/// A credential that cannot be used.
pub(super) struct Unmet {
    object: ObjectRef,
    field: String,
    /// Where the pods run that use it.
    namespace: String,
    /// The credential's name.
    secret: String,
    /// The Secrets that were not seen, where that is the reason: any one of them would do.
    absent: Vec<String>,
    /// Who they are, as half a sentence.
    users: &'static str,
    lack: Lack,
    /// What is wrong with what is there; nothing when a Secret was not seen.
    why: Option<String>,
}

/// What a credential is to have and has not.
enum Lack {
    /// What a server shows.
    Pair,
    /// What a client shows.
    ClientPair,
    /// What a server is checked by.
    Roots,
}

/// Every such credential of a snapshot, whose Secrets are those that the source follows.
pub(super) fn unmet(snapshot: &Snapshot) -> Vec<Unmet> {
    let mut found = of_gateways(snapshot);
    found.extend(rules::unmet(snapshot));
    found
}

fn of_gateways(snapshot: &Snapshot) -> Vec<Unmet> {
    let mut found = Vec::new();
    for gateway in snapshot.gateways() {
        let servers = gateway.servers.iter().enumerate();
        let named: Vec<(String, &str)> = servers
            .filter_map(|(index, server)| {
                let (field, secret) = shown(server.tls.as_ref()?)?;
                Some((format!("spec.servers[{index}].tls.{field}"), secret))
            })
            .collect();
        // A Gateway of no workload in particular says nothing of where its Secrets are.
        if named.is_empty() || gateway.selector.is_empty() {
            continue;
        }
        let workloads = snapshot.workloads().values();
        let pods = workloads.filter(|one| one.is_pod() && one.labels.carry(&gateway.selector));
        let namespaces: BTreeSet<&str> = pods.map(|pod| pod.reference.namespace.as_str()).collect();
        for namespace in namespaces {
            for (field, secret) in &named {
                let Err(why) = usable(snapshot, namespace, secret) else { continue };
                found.push(Unmet {
                    object: gateway.reference().clone(),
                    field: field.clone(),
                    namespace: namespace.to_owned(),
                    secret: (*secret).to_owned(),
                    absent: vec![(*secret).to_owned()],
                    users: "the gateway runs",
                    lack: Lack::Pair,
                    why,
                });
            }
        }
    }
    found
}

/// The findings, and whether everything was looked at. A Secret counts as missing when the API server says so as well: one
/// that was named a moment ago has not been read yet, and one that may not be read may well be there.
pub(super) async fn confirmed(cluster: &Cluster, all: Vec<Unmet>) -> (Vec<Diagnostic>, bool) {
    let mut absent: BTreeMap<(String, String), bool> = BTreeMap::new();
    let mut complete = true;
    let unseen = all.iter().filter(|unmet| unmet.why.is_none());
    let wanted = unseen.flat_map(|unmet| unmet.absent.iter().map(move |secret| (&unmet.namespace, secret)));
    for (namespace, secret) in wanted {
        let key = (namespace.clone(), secret.clone());
        if absent.contains_key(&key) || absent.len() >= LOOKS {
            continue;
        }
        let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
        let doing = format!("look for Secret {namespace}/{secret}");
        match cluster.ask(&doing, secrets.get_metadata_opt(secret)).await {
            Ok(found) => {
                absent.insert(key, found.is_none());
            }
            Err(problem) if problem.reason == Reason::Forbidden => {
                absent.insert(key, false);
            }
            Err(problem) => {
                tracing::warn!(%problem, "cannot tell which credentials are missing");
                complete = false;
                break;
            }
        }
    }
    (all.iter().filter(|unmet| unmet.is_sure(&absent)).map(Unmet::finding).collect(), complete)
}

impl Unmet {
    /// Whether it is so, by what the API server says of Secrets (namespace and name): every one that would do is `absent`.
    fn is_sure(&self, absent: &BTreeMap<(String, String), bool>) -> bool {
        let gone = |secret: &String| absent.get(&(self.namespace.clone(), secret.clone())) == Some(&true);
        self.why.is_some() || self.absent.iter().all(gone)
    }

    fn finding(&self) -> Diagnostic {
        let Self { namespace, secret, users, .. } = self;
        let code = if self.why.is_none() { CREDENTIAL_NOT_FOUND } else { CREDENTIAL_UNUSABLE };
        let message = match (&self.lack, &self.why) {
            (Lack::Roots, _) => format!(
                "neither Secret {secret:?} nor \"{secret}-cacert\" in namespace {namespace}, where {users}, has ca.crt: TLS \
                 fails there"
            ),
            (_, None) => {
                format!("there is no Secret {secret:?} in namespace {namespace}, where {users}: TLS fails there")
            }
            (_, Some(why)) => format!("Secret {secret:?} in namespace {namespace} cannot be shown: {why}"),
        };
        let make = format!("kubectl -n {namespace} create secret");
        let suggestion = match (&self.lack, &self.why) {
            (Lack::Roots, _) => {
                format!("{make} generic {secret}-cacert --from-file=ca.crt=FILE gives the server's roots")
            }
            (_, Some(_)) => "put a certificate chain and its key there, in PEM".to_owned(),
            (Lack::Pair, None) => format!("{make} tls {secret} --cert=FILE --key=FILE makes it"),
            (Lack::ClientPair, None) => format!(
                "{make} generic {secret} --from-file=tls.crt=FILE --from-file=tls.key=FILE --from-file=ca.crt=FILE makes it"
            ),
        };
        Diagnostic {
            code: code.id.to_owned(),
            aliases: code.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            severity: code.severity,
            message,
            object: Some(self.object.clone()),
            field: self.field.clone(),
            file: None,
            line: None,
            column: None,
            suggestion: Some(suggestion),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::{Value, json};
    use weft_mesh::{Settings, Store};

    use super::*;

    fn gateway(tls: &Value) -> Value {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [
                {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": tls},
            ]},
        })
    }

    fn pod() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "gw", "namespace": "edge", "labels": {"istio": "ingressgateway"}},
            "spec": {"containers": [{"name": "istio-proxy"}]}, "status": {"phase": "Running", "podIP": "10.0.0.9"},
        })
    }

    fn secret(namespace: &str, certificate: &str, key: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "shop-tls", "namespace": namespace},
            "data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)},
        })
    }

    pub(super) fn found(objects: &[Value]) -> Vec<Unmet> {
        let mut store = Store::new(Settings::default());
        let parsed = objects.iter().map(|object| weft_api::parse(object, "shop").unwrap().object);
        store.apply(parsed.map(|object| weft_api::Change::Put(Arc::new(object))).collect());
        unmet(&store.snapshot())
    }

    #[test]
    fn what_a_gateway_cannot_show_is_found_where_it_runs() {
        let made = rcgen::generate_simple_self_signed(["shop.test".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["shop.test".to_owned()]).unwrap();
        let (certificate, key, strange) =
            (made.cert.pem(), made.signing_key.serialize_pem(), other.signing_key.serialize_pem());
        let simple = gateway(&json!({"mode": "SIMPLE", "credentialName": "shop-tls"}));
        let told = |secret: Value| {
            let found = found(&[simple.clone(), pod(), secret]);
            found.first().map(|unmet| unmet.why.clone())
        };
        assert_eq!(told(secret("edge", &certificate, &key)), None);
        assert_eq!(told(secret("shop", &certificate, &key)), Some(None), "beside the Gateway is not beside its pods");
        for (certificate, key, why) in [
            ("garbage", key.as_str(), "certificate is none in PEM"),
            (certificate.as_str(), "garbage", "no private key in PEM"),
            (certificate.as_str(), strange.as_str(), "do not go together"),
            (certificate.as_str(), "", "neither tls.crt and tls.key"),
        ] {
            let told = told(secret("edge", certificate, key)).flatten().unwrap_or_default();
            assert!(told.contains(why) && !told.contains("garbage"), "{why}: {told}");
        }
        let finding = found(&[simple.clone(), pod()])[0].finding();
        assert_eq!(
            (finding.field.as_str(), finding.aliases.as_slice()),
            ("spec.servers[0].tls.credentialName", &["IST0101".to_owned()][..],)
        );
        assert!(finding.message.contains("\"shop-tls\" in namespace edge"), "{}", finding.message);
    }

    #[test]
    fn who_shows_no_secret_misses_none() {
        for tls in [
            json!({"mode": "PASSTHROUGH", "credentialName": "shop-tls"}),
            json!({"mode": "ISTIO_MUTUAL"}),
            json!({"mode": "SIMPLE", "serverCertificate": "/a", "privateKey": "/b"}),
            json!({"mode": "SIMPLE", "credentialName": "builtin://x"}),
        ] {
            assert!(found(&[gateway(&tls), pod()]).is_empty(), "{tls}");
        }
        let simple = gateway(&json!({"mode": "SIMPLE", "credentialName": "shop-tls"}));
        assert!(found(&[simple]).is_empty(), "nothing runs that would show it");
    }
}
