//! Certificates that gateways show to clients from outside, as the admin port tells them (`GET /debug/serving`). Never a
//! key: of a Secret only what any client of the gateway gets to see.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use weft_mesh::Snapshot;
use weft_model::{ObjectRef, mesh::ServingCertificate};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

use crate::credential::{present, shown, usable};

/// Certificates told at most, those that expire first. With the bounds below an answer stays under the 16 MiB that a console
/// reads.
const MOST: usize = 1_000;
/// Names of one certificate, and hosts of one Gateway, told at most.
const MOST_NAMES: usize = 50;
/// Bytes of these names together, and of these hosts.
const NAMES_BYTES: usize = 2_048;
/// Characters of one text of a certificate or a Gateway.
const MOST_CHARS: usize = 256;

/// What gateways with workloads show, by Gateway and Secret: first what cannot be shown, then by expiry. The Secrets are those
/// that the source follows: those that Gateways name, where the gateways run. It takes a while with many of them.
pub fn certificates(snapshot: &Snapshot) -> Vec<ServingCertificate> {
    let mut places: BTreeMap<&BTreeMap<String, String>, BTreeSet<&str>> = BTreeMap::new();
    let mut known: BTreeMap<(&str, &str), ServingCertificate> = BTreeMap::new();
    let mut first: BTreeMap<(u64, &ObjectRef, &str, &str), Vec<&[String]>> = BTreeMap::new();
    for gateway in snapshot.gateways() {
        // A Gateway of no workload in particular says nothing of where its Secrets are.
        if gateway.selector.is_empty() {
            continue;
        }
        for server in &gateway.servers {
            let Some((_, secret)) = server.tls.as_ref().and_then(shown) else { continue };
            let namespaces = places.entry(&gateway.selector).or_insert_with(|| namespaces(snapshot, &gateway.selector));
            for namespace in namespaces.iter().copied() {
                // Only Secrets that are there are kept: of these the source follows so many, of names there is no end.
                let not_after_ms = match present(snapshot, namespace, secret) {
                    true => {
                        let one = known.entry((namespace, secret));
                        one.or_insert_with(|| read(snapshot, namespace, secret)).not_after_ms
                    }
                    false => 0,
                };
                let hosts = first.entry((not_after_ms, gateway.reference(), namespace, secret)).or_default();
                hosts.push(&server.hosts);
                if first.len() > MOST {
                    first.pop_last();
                }
            }
        }
    }
    let whole = first.into_iter().map(|((_, gateway, namespace, secret), hosts)| {
        let one = known.get(&(namespace, secret)).cloned();
        ServingCertificate {
            gateway: gateway.clone(),
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            hosts: bounded(hosts.into_iter().flatten().map(String::as_str)),
            ..one.unwrap_or_else(|| read(snapshot, namespace, secret))
        }
    });
    whole.collect()
}

/// Where workloads with these labels run.
fn namespaces<'s>(snapshot: &'s Snapshot, selector: &BTreeMap<String, String>) -> BTreeSet<&'s str> {
    let workloads = snapshot.workloads().values().filter(|one| one.labels.carry(selector));
    workloads.map(|one| one.reference.namespace.as_str()).collect()
}

/// What a Secret's certificate says, or why there is none to show; nothing else of the Secret is told.
fn read(snapshot: &Snapshot, namespace: &str, secret: &str) -> ServingCertificate {
    let problem = |words: String| ServingCertificate { problem: Some(words), ..ServingCertificate::default() };
    let chain = match usable(snapshot, namespace, secret) {
        Ok(chain) => chain,
        Err(why) => {
            let none = || "there is no such Secret, or the control plane may not read it".to_owned();
            return problem(why.unwrap_or_else(none));
        }
    };
    let leaf = chain.first().and_then(|der| Some((der, x509_parser::parse_x509_certificate(der).ok()?.1)));
    leaf.map_or_else(|| problem("its certificate cannot be read".to_owned()), |(der, parsed)| told(der, &parsed))
}

fn told(der: &CertificateDer<'_>, parsed: &X509Certificate<'_>) -> ServingCertificate {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1000);
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(name);
    ServingCertificate {
        subject: short(&parsed.subject().to_string()),
        names: bounded(names),
        issuer: short(&parsed.issuer().to_string()),
        fingerprint: Sha256::digest(der)
            .iter()
            .fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}")),
        not_before_ms: ms(parsed.validity().not_before.timestamp()),
        not_after_ms: ms(parsed.validity().not_after.timestamp()),
        ..ServingCertificate::default()
    }
}

/// Different texts as they come, as many as there is room for.
fn bounded<T: AsRef<str>>(texts: impl Iterator<Item = T>) -> Vec<String> {
    let (mut kept, mut room) = (Vec::new(), NAMES_BYTES);
    for text in texts {
        let text = short(text.as_ref());
        if kept.contains(&text) {
            continue;
        }
        if kept.len() == MOST_NAMES || text.len() > room {
            break;
        }
        room -= text.len();
        kept.push(text);
    }
    kept
}

/// A text that somebody else wrote, cut, without control characters: JSON would write these at six times the length.
fn short(text: &str) -> String {
    let mut plain = text.chars().filter(|letter| !letter.is_control());
    let mut kept: String = plain.by_ref().take(MOST_CHARS).collect();
    if plain.next().is_some() {
        kept.push('…');
    }
    kept
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
        let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let (own, other) = (made("shop.test"), made("shop.test").signing_key.serialize_pem());
        let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        for (data, why) in [
            (json!({"tls.crt": encoded("hunter2"), "tls.key": encoded("hunter2")}), "none in PEM"),
            (json!({"tls.crt": encoded("hunter2")}), "neither tls.crt and tls.key"),
            (
                json!({"cert": encoded("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"), "key": encoded(&key)}),
                "cannot be read",
            ),
            (json!({"tls.crt": encoded(&certificate), "tls.key": encoded("hunter2")}), "no private key in PEM"),
            (json!({"tls.crt": encoded(&certificate), "tls.key": encoded(&other)}), "do not go together"),
        ] {
            let all = of(&[gateway("shop", &simple), entry(), secret("edge", &data)]);
            assert!(all[0].problem.as_deref().is_some_and(|words| words.contains(why)), "{why}: {all:?}");
            assert_eq!((all[0].not_after_ms, all[0].subject.as_str()), (0, ""));
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

    /// A pair whose certificate ends in `year`.
    fn ending(year: i32, names: Vec<String>) -> Value {
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "o".repeat(2_000));
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        json!({"tls.crt": STANDARD.encode(certificate.pem()), "tls.key": STANDARD.encode(key.serialize_pem())})
    }

    #[test]
    fn of_too_many_those_that_expire_first_are_told() {
        let (late, soon) = (ending(2099, vec!["shop.test".into()]), ending(2098, vec!["shop.test".into()]));
        let named = |object: &mut Value, name: &str| object["metadata"]["name"] = json!(name);
        let of_secret = |name: &str, secret: &str| {
            let mut one = gateway("shop", &json!({"mode": "SIMPLE", "credentialName": secret}));
            named(&mut one, name);
            one
        };
        let mut objects = vec![entry(), secret("edge", &late), secret("edge", &soon), of_secret("z-soon", "soon")];
        named(&mut objects[2], "soon");
        objects.extend((0..MOST).map(|index| of_secret(&format!("late-{index:04}"), "web-tls")));
        objects.push(of_secret("z-none", "none"));
        let all = of(&objects);
        assert_eq!(all.len(), MOST);
        let first: Vec<&str> = all.iter().take(3).map(|one| one.gateway.name.as_str()).collect();
        assert_eq!(first, ["z-none", "z-soon", "late-0000"]);
        assert_eq!(all[1].hosts, ["shop.test", "api.shop.test"]);
    }

    #[test]
    fn texts_of_others_are_bounded() {
        let long: Vec<String> = (0..200).map(|index| format!("{index:03}.{}.test", "n".repeat(60))).collect();
        let mut of_many = gateway("shop", &json!({"mode": "SIMPLE", "credentialName": "web-tls"}));
        of_many["spec"]["servers"][0]["hosts"] = json!(long);
        let all = of(&[of_many, entry(), secret("edge", &ending(2099, long.clone()))]);
        let [one] = &all[..] else { panic!("one Gateway shows one certificate: {all:?}") };
        for texts in [&one.names, &one.hosts] {
            assert!(
                texts.iter().map(String::len).sum::<usize>() <= NAMES_BYTES && texts[..9] == long[..9],
                "{texts:?}"
            );
        }
        assert!(one.subject.ends_with('…') && one.subject.chars().count() == MOST_CHARS + 1, "{}", one.subject);
        assert_eq!(short("a\u{0}\u{1b}b"), "ab");
        assert!(serde_json::to_string(one).unwrap().len() * MOST < 16 << 20);
    }
}
