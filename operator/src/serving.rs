//! Certificates that gateways show to clients from outside, as the admin port tells them (`GET /debug/serving`). Never a
//! key: of a Secret only what any client of the gateway gets to see.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use weft_api::{
    Kind, ObjectKey,
    networking::{ServerTls, ServerTlsMode},
};
use weft_mesh::{Snapshot, resolve::labels_match};
use weft_model::{ObjectRef, mesh::ServingCertificate};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

/// Certificates told at most.
const MOST: usize = 1_000;
/// Names of one certificate, and hosts of one Gateway, told at most.
const MOST_NAMES: usize = 50;

/// What gateways with workloads show, by Gateway and Secret. The Secrets are those that the source follows: those that
/// Gateways name, where the gateways run.
pub fn certificates(snapshot: &Snapshot) -> Vec<ServingCertificate> {
    let mut found: BTreeMap<(ObjectRef, String, String), ServingCertificate> = BTreeMap::new();
    for gateway in snapshot.gateways() {
        let shown: Vec<(&str, &[String])> = gateway
            .servers
            .iter()
            .filter_map(|server| Some((credential(server.tls.as_ref()?)?.1, server.hosts.as_slice())))
            .collect();
        // A Gateway of no workload in particular says nothing of where its Secrets are.
        if shown.is_empty() || gateway.selector.is_empty() {
            continue;
        }
        let workloads = snapshot.workloads().values().filter(|one| labels_match(&gateway.selector, &one.labels));
        let namespaces: BTreeSet<&str> = workloads.map(|one| one.reference.namespace.as_str()).collect();
        for namespace in namespaces {
            for (secret, hosts) in &shown {
                let key = (gateway.reference().clone(), namespace.to_owned(), (*secret).to_owned());
                if found.len() >= MOST && !found.contains_key(&key) {
                    continue;
                }
                let one = found.entry(key).or_insert_with(|| ServingCertificate {
                    gateway: gateway.reference().clone(),
                    namespace: namespace.to_owned(),
                    secret: (*secret).to_owned(),
                    ..read(snapshot, namespace, secret)
                });
                for host in *hosts {
                    if one.hosts.len() < MOST_NAMES && !one.hosts.contains(host) {
                        one.hosts.push(host.clone());
                    }
                }
            }
        }
    }
    found.into_values().collect()
}

/// The Secret that a server shows, and the field that names it. The first one is shown.
pub(crate) fn credential(tls: &ServerTls) -> Option<(String, &str)> {
    let ends =
        !matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough | ServerTlsMode::IstioMutual);
    let one = std::iter::once(("credentialName".to_owned(), &tls.credential_name));
    let several = tls.credential_names.iter().enumerate();
    let mut all = one.chain(several.map(|(index, name)| (format!("credentialNames[{index}]"), name)));
    let (field, name) = all.find(|(_, name)| !name.is_empty()).filter(|_| ends)?;
    is_name(name).then_some((field, name.as_str()))
}

/// Whether it can be a Secret's name: others, such as paths and URLs, are not looked for.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.bytes().all(plain)
}

/// What a Secret's certificate says, or why there is none to show; nothing else of the Secret is told.
fn read(snapshot: &Snapshot, namespace: &str, secret: &str) -> ServingCertificate {
    let problem = |words: &str| ServingCertificate { problem: Some(words.to_owned()), ..ServingCertificate::default() };
    if snapshot.object(&ObjectKey::new(Kind::Secret, namespace, secret)).is_none() {
        return problem("there is no such Secret, or the control plane may not read it");
    }
    let value = |key: &str| snapshot.secret_value(namespace, secret, key).filter(|value| !value.is_empty());
    // As it is sent: a pair is taken whole.
    let chain = value("tls.crt").filter(|_| value("tls.key").is_some());
    let Some(chain) = chain.or_else(|| value("cert").filter(|_| value("key").is_some())) else {
        return problem("it has neither tls.crt and tls.key nor cert and key");
    };
    let Ok(der) = CertificateDer::from_pem_slice(chain) else { return problem("its certificate is none in PEM") };
    match x509_parser::parse_x509_certificate(&der) {
        Ok((_, parsed)) => told(&der, &parsed),
        Err(_) => problem("its certificate cannot be read"),
    }
}

fn told(der: &CertificateDer<'_>, parsed: &X509Certificate<'_>) -> ServingCertificate {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1000);
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(name);
    ServingCertificate {
        subject: parsed.subject().to_string(),
        names: names.take(MOST_NAMES).collect(),
        issuer: parsed.issuer().to_string(),
        fingerprint: Sha256::digest(der)
            .iter()
            .fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}")),
        not_before_ms: ms(parsed.validity().not_before.timestamp()),
        not_after_ms: ms(parsed.validity().not_after.timestamp()),
        ..ServingCertificate::default()
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(IpAddr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| IpAddr::from(v6).to_string()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::{Value, json};
    use weft_mesh::{Settings, Store};

    use super::*;

    fn gateway(namespace: &str, tls: &Value) -> Value {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "web", "namespace": namespace},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [
                {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["shop.test"], "tls": tls},
                {"port": {"number": 8443, "name": "https-2", "protocol": "HTTPS"}, "hosts": ["shop.test", "api.shop.test"], "tls": tls},
            ]},
        })
    }

    fn entry() -> Value {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
            "metadata": {"name": "gw", "namespace": "edge"},
            "spec": {"address": "127.0.0.9", "labels": {"istio": "ingressgateway"}},
        })
    }

    fn secret(namespace: &str, data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web-tls", "namespace": namespace}, "data": data})
    }

    fn of(objects: &[Value]) -> Vec<ServingCertificate> {
        let mut store = Store::new(Settings::default());
        let parsed = objects.iter().map(|object| weft_api::parse(object, "shop").unwrap().object);
        store.apply(parsed.map(|object| weft_api::Change::Put(Arc::new(object))).collect());
        certificates(&store.snapshot())
    }

    #[test]
    fn what_a_gateway_shows_is_told_without_its_key() {
        let names = ["shop.test".to_owned(), "127.0.0.9".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (STANDARD.encode(made.cert.pem()), STANDARD.encode(made.signing_key.serialize_pem()));
        let simple = json!({"mode": "SIMPLE", "credentialName": "web-tls"});
        let pair = json!({"tls.crt": certificate, "tls.key": key});
        let all = of(&[gateway("shop", &simple), entry(), secret("edge", &pair)]);
        let [one] = &all[..] else { panic!("two servers of one Gateway show one certificate: {all:?}") };
        assert_eq!((one.gateway.namespace.as_str(), one.gateway.name.as_str()), ("shop", "web"));
        assert_eq!((one.namespace.as_str(), one.secret.as_str(), &one.problem), ("edge", "web-tls", &None));
        assert_eq!(one.names, ["shop.test", "127.0.0.9"]);
        assert_eq!(one.hosts, ["shop.test", "api.shop.test"]);
        assert!(one.issuer == one.subject && one.subject.starts_with("CN="), "{one:?}");
        assert!(one.not_before_ms < one.not_after_ms && one.fingerprint.len() == 64);
        let text = serde_json::to_string(&all).unwrap();
        assert!(!text.contains("PRIVATE") && !text.contains(&key), "{text}");
    }

    #[test]
    fn what_cannot_be_shown_says_why_and_nothing_of_the_secret() {
        let simple = json!({"mode": "SIMPLE", "credentialName": "web-tls"});
        let encoded = |text: &str| STANDARD.encode(text);
        for (data, why) in [
            (json!({"tls.crt": encoded("hunter2"), "tls.key": encoded("hunter2")}), "none in PEM"),
            (json!({"tls.crt": encoded("hunter2")}), "neither tls.crt and tls.key"),
            (
                json!({"cert": encoded("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"), "key": encoded("hunter2")}),
                "cannot be read",
            ),
        ] {
            let all = of(&[gateway("shop", &simple), entry(), secret("edge", &data)]);
            assert!(all[0].problem.as_deref().is_some_and(|words| words.contains(why)), "{why}: {all:?}");
            assert!(!format!("{all:?}").contains("hunter2"));
        }
        let beside = of(&[gateway("shop", &simple), entry(), secret("shop", &json!({}))]);
        assert!(beside[0].problem.as_deref().is_some_and(|words| words.contains("no such Secret")), "{beside:?}");
    }

    #[test]
    fn what_shows_no_secret_is_not_told() {
        for tls in [
            json!({"mode": "PASSTHROUGH", "credentialName": "web-tls"}),
            json!({"mode": "ISTIO_MUTUAL"}),
            json!({"mode": "SIMPLE", "serverCertificate": "/a", "privateKey": "/b"}),
            json!({"mode": "SIMPLE", "credentialName": "../etc"}),
        ] {
            assert!(of(&[gateway("shop", &tls), entry()]).is_empty(), "{tls}");
        }
        let simple = json!({"mode": "SIMPLE", "credentialName": "web-tls"});
        assert!(of(&[gateway("shop", &simple)]).is_empty(), "nothing runs that would show it");
    }
}
