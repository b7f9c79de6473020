//! Credentials of DestinationRules that originate TLS (`tls.credentialName`): what a gateway, or the workloads that the rule
//! selects, show to a server and check it by. Sidecars that no selector names take no credential, as Istio has it.

use std::{collections::BTreeSet, sync::Arc};

use weft_api::networking::{
    DestinationRule, TrafficPolicy,
    credential::{is_secret_name, roots, roots_secret},
    traffic_policy::{ClientTls, ClientTlsMode},
};
use weft_mesh::{
    Snapshot, Typed,
    snapshot::{Visibility, Workload},
};

use super::{Lack, Unmet};
use crate::credential::{present, usable};

/// The label that makes a pod a gateway for rules that select nobody.
const GATEWAY_LABEL: &str = "istio";

/// Every credential of a rule that cannot be used where the rule is in force.
pub(super) fn unmet(snapshot: &Snapshot) -> Vec<Unmet> {
    snapshot.destination_rules().iter().flat_map(|rule| of_rule(snapshot, rule)).collect()
}

fn of_rule(snapshot: &Snapshot, rule: &Typed<DestinationRule>) -> Vec<Unmet> {
    let named = credentials(rule);
    if named.is_empty() {
        return Vec::new();
    }
    let (namespaces, users) = places(snapshot, rule);
    let mut found = Vec::new();
    for (field, tls) in named {
        let lacking: Vec<Unmet> = namespaces
            .iter()
            .filter_map(|namespace| {
                let (lack, absent, why) = lacks(snapshot, namespace, tls)?;
                Some(Unmet {
                    object: rule.reference().clone(),
                    field: field.clone(),
                    namespace: (*namespace).to_owned(),
                    secret: tls.credential_name.clone(),
                    absent,
                    users,
                    lack,
                    why,
                })
            })
            .collect();
        // Which gateway calls that host is not known: while one of them has what it takes, nothing is said.
        if lacking.len() == namespaces.len() {
            found.extend(lacking);
        }
    }
    found
}

/// The namespaces with pods that the rule is for, and who those are.
fn places<'s>(snapshot: &'s Snapshot, rule: &Typed<DestinationRule>) -> (BTreeSet<&'s str>, &'static str) {
    let defaults = &snapshot.mesh().config.default_destination_rule_export_to;
    let seen = Visibility::read(&rule.export_to, rule.namespace(), defaults);
    let pods = snapshot.workloads().values().filter(|workload| workload.is_pod());
    let namespace = |workload: &'s Arc<Workload>| workload.reference.namespace.as_str();
    match &rule.workload_selector {
        Some(selector) => {
            let chosen = |workload: &&Arc<Workload>| {
                let here = workload.reference.namespace.as_str() == rule.namespace();
                here && workload.injected && selector.selects(&workload.labels)
            };
            (pods.filter(chosen).map(namespace).collect(), "the workloads that it selects run")
        }
        None => {
            // Others wear the label without a proxy: Istio's own control plane does.
            let gateway = |workload: &&Arc<Workload>| workload.injected && workload.labels.get(GATEWAY_LABEL).is_some();
            let gateways = pods.filter(gateway).map(namespace);
            (gateways.filter(|namespace| seen.includes(namespace)).collect(), "gateways run")
        }
    }
}

/// The settings that name a credential, each with its field.
fn credentials(rule: &DestinationRule) -> Vec<(String, &ClientTls)> {
    let whole = rule.traffic_policy.iter().map(|policy| ("spec.trafficPolicy".to_owned(), policy));
    let subsets = rule.subsets.iter().enumerate().filter_map(|(index, subset)| {
        Some((format!("spec.subsets[{index}].trafficPolicy"), subset.traffic_policy.as_ref()?))
    });
    whole.chain(subsets).flat_map(|(at, policy)| of_policy(&at, policy)).collect()
}

fn of_policy<'p>(at: &str, policy: &'p TrafficPolicy) -> Vec<(String, &'p ClientTls)> {
    let own = policy.tls.iter().map(|tls| (format!("{at}.tls.credentialName"), tls));
    let ports = policy.port_level_settings.iter().enumerate().filter_map(|(index, port)| {
        Some((format!("{at}.portLevelSettings[{index}].tls.credentialName"), port.tls.as_ref()?))
    });
    let originates = |tls: &ClientTls| matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual);
    own.chain(ports).filter(|(_, tls)| originates(tls) && is_secret_name(&tls.credential_name)).collect()
}

/// What lacks, the Secrets whose absence is the reason, and else what is wrong with what is there.
fn lacks(snapshot: &Snapshot, namespace: &str, tls: &ClientTls) -> Option<(Lack, Vec<String>, Option<String>)> {
    let name = &tls.credential_name;
    if tls.mode == ClientTlsMode::Mutual
        && let Err(why) = usable(snapshot, namespace, name)
    {
        return Some((Lack::ClientPair, vec![name.clone()], why));
    }
    let has_roots = || roots(name, |secret, key| snapshot.secret_value(namespace, secret, key)).is_some();
    if tls.insecure_skip_verify == Some(true) || has_roots() {
        return None;
    }
    let mut absent = vec![name.clone(), roots_secret(name)];
    absent.retain(|secret| !present(snapshot, namespace, secret));
    let why = absent.is_empty().then(|| "none has ca.crt or cacert".to_owned());
    Some((Lack::Roots, absent, why))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::{Value, json};

    use super::super::tests::found;

    fn rule(selector: &Value, tls: &Value) -> Value {
        let mut spec = json!({"host": "bank.test", "trafficPolicy": {"portLevelSettings": [{"port": {"number": 443}, "tls": tls}]}});
        if !selector.is_null() {
            spec["workloadSelector"] = json!({"matchLabels": selector});
        }
        json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": "bank", "namespace": "shop"}, "spec": spec})
    }

    fn pod(namespace: &str, label: &str, value: &str) -> Value {
        let own = namespace.bytes().map(u32::from).sum::<u32>() % 200 + 1;
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{namespace}-{value}"), "namespace": namespace,
                "labels": {label: value, "security.istio.io/tlsMode": "istio"}},
            "spec": {"containers": [{"name": "istio-proxy"}]}, "status": {"phase": "Running", "podIP": format!("10.0.0.{own}")},
        })
    }

    fn secret(namespace: &str, name: &str, keys: &[(&str, &str)]) -> Value {
        let data: serde_json::Map<String, Value> =
            keys.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into())).collect();
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data})
    }

    #[test]
    fn a_rule_without_its_credential_is_found_where_it_is_in_force() {
        let simple = json!({"mode": "SIMPLE", "credentialName": "bank"});
        let gateway = pod("edge", "istio", "egressgateway");
        let told = |objects: &[Value]| -> Vec<String> {
            let found = found(objects);
            found
                .iter()
                .map(|unmet| format!("{}/{} {:?}", unmet.namespace, unmet.absent.join("+"), unmet.why))
                .collect()
        };
        let plain = rule(&Value::Null, &simple);
        assert_eq!(told(&[plain.clone(), gateway.clone()]), ["edge/bank+bank-cacert None"]);
        assert!(told(std::slice::from_ref(&plain)).is_empty(), "nobody originates");
        assert!(told(&[plain.clone(), pod("shop", "app", "web")]).is_empty(), "a sidecar takes none");
        for there in ["bank", "bank-cacert"] {
            let roots = secret("edge", there, &[("ca.crt", "PEM")]);
            assert!(told(&[plain.clone(), gateway.clone(), roots]).is_empty(), "{there}");
        }
        let other = secret("edge", "bank", &[("tls.crt", "PEM")]);
        assert_eq!(told(&[plain.clone(), gateway.clone(), other.clone()]), ["edge/bank-cacert None"]);
        let both = [plain.clone(), gateway.clone(), other, secret("edge", "bank-cacert", &[("x", "y")])];
        assert_eq!(told(&both), ["edge/ Some(\"none has ca.crt or cacert\")"]);
        // Istio's control plane has the label as well, and no proxy.
        let mut pilot = pod("istio-system", "istio", "pilot");
        pilot["metadata"]["labels"].as_object_mut().unwrap().remove("security.istio.io/tlsMode");
        assert!(told(&[plain.clone(), pilot]).is_empty());
        // Another gateway has it, and may be the one that calls.
        let elsewhere =
            [plain, gateway.clone(), pod("out", "istio", "egressgateway"), secret("out", "bank", &[("ca.crt", "PEM")])];
        assert!(told(&elsewhere).is_empty());
        let mut hidden = rule(&Value::Null, &simple);
        hidden["spec"]["exportTo"] = json!(["."]);
        assert!(told(&[hidden, gateway.clone()]).is_empty(), "the gateway does not see it");

        let selected = rule(&json!({"app": "web"}), &simple);
        assert_eq!(told(&[selected, pod("shop", "app", "web"), gateway]), ["shop/bank+bank-cacert None"]);
    }

    #[test]
    fn roots_are_missing_when_neither_secret_is_there() {
        let simple = json!({"mode": "SIMPLE", "credentialName": "bank"});
        let all = found(&[rule(&Value::Null, &simple), pod("edge", "istio", "egressgateway")]);
        let [unmet] = &all[..] else { panic!("one gateway lacks one credential") };
        let sure = |looked: &[(&str, bool)]| {
            let answer = |(secret, absent): &(&str, bool)| (("edge".to_owned(), (*secret).to_owned()), *absent);
            unmet.is_sure(&looked.iter().map(answer).collect())
        };
        assert!(!sure(&[("bank", true), ("bank-cacert", false)]), "it is there, and was not read yet");
        assert!(!sure(&[("bank", true)]), "nobody asked for the other one");
        assert!(sure(&[("bank", true), ("bank-cacert", true)]));
    }

    #[test]
    fn a_client_needs_a_certificate_as_well() {
        let gateway = pod("edge", "istio", "egressgateway");
        let mutual = rule(&Value::Null, &json!({"mode": "MUTUAL", "credentialName": "bank"}));
        let made = rcgen::generate_simple_self_signed(["shop.test".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let pair = [("tls.crt", certificate.as_str()), ("tls.key", key.as_str())];
        let missing = found(&[mutual.clone(), gateway.clone()])[0].finding();
        assert_eq!((missing.code.as_str(), missing.object.unwrap().kind.as_str()), ("WEFT0115", "DestinationRule"));
        assert_eq!(missing.field, "spec.trafficPolicy.portLevelSettings[0].tls.credentialName");
        assert!(
            missing.message.contains("no Secret \"bank\" in namespace edge, where gateways run"),
            "{}",
            missing.message
        );
        let no_roots = found(&[mutual.clone(), gateway.clone(), secret("edge", "bank", &pair)])[0].finding();
        assert!(no_roots.message.contains("\"bank\" nor \"bank-cacert\""), "{}", no_roots.message);
        assert!(no_roots.suggestion.unwrap().contains("--from-file=ca.crt="));
        let whole = secret("edge", "bank", &[&pair[..], &[("ca.crt", certificate.as_str())]].concat());
        assert!(found(&[mutual, gateway.clone(), whole]).is_empty());

        for tls in [
            json!({"mode": "ISTIO_MUTUAL"}),
            json!({"mode": "SIMPLE", "caCertificates": "/a"}),
            json!({"mode": "SIMPLE", "credentialName": "bank", "insecureSkipVerify": true}),
        ] {
            assert!(found(&[rule(&Value::Null, &tls), gateway.clone()]).is_empty(), "{tls}");
        }
    }
}
