//! Which Secrets are wanted: those that Gateways and DestinationRules name, and those with their roots, in the namespaces where the
//! pods run that they are for.

use std::collections::{BTreeMap, BTreeSet};

use weft_api::{
    Object, Spec, code,
    networking::{
        DestinationRule, Gateway,
        credential::{is_secret_name, roots_secret},
    },
};
use weft_model::{Diagnostic, Severity};

use super::ledger::Name;

/// The Secrets that these objects name together.
pub(super) fn wanted<'o>(
    policies: impl Iterator<Item = &'o Object>,
    pods: impl Iterator<Item = &'o Object>,
) -> BTreeSet<Name> {
    let named: Vec<(Workloads<'_>, Vec<&str>)> = policies.filter_map(credentials).collect();
    let mut wanted = BTreeSet::new();
    if named.is_empty() {
        return wanted;
    }
    for pod in pods {
        for (workloads, credentials) in &named {
            if workloads.include(pod) {
                for credential in credentials {
                    wanted.insert(Name::new(&pod.meta.namespace, credential));
                    wanted.insert(Name::new(&pod.meta.namespace, &roots_secret(credential)));
                }
            }
        }
    }
    wanted
}

/// Whose credentials they are.
enum Workloads<'o> {
    /// Pods with these labels, in any namespace.
    Gateways(&'o BTreeMap<String, String>),
    /// Pods with these labels in one namespace.
    Clients(&'o str, &'o BTreeMap<String, String>),
    /// Every gateway: originating TLS with a credential is a gateway's business unless workloads are selected.
    AnyGateway,
}

impl Workloads<'_> {
    fn include(&self, pod: &Object) -> bool {
        let labels = &pod.meta.labels;
        let has = |wanted: &BTreeMap<String, String>| wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
        match self {
            Self::Gateways(selector) => has(selector),
            Self::Clients(namespace, selector) => pod.meta.namespace == *namespace && has(selector),
            Self::AnyGateway => labels.contains_key("istio"),
        }
    }
}

fn credentials(object: &Object) -> Option<(Workloads<'_>, Vec<&str>)> {
    let (workloads, names) = match &object.spec {
        Spec::Gateway(gateway) => (Workloads::Gateways(&gateway.selector), of_gateway(gateway)),
        Spec::DestinationRule(rule) => {
            let workloads = match &rule.workload_selector {
                Some(selector) => Workloads::Clients(&object.meta.namespace, &selector.match_labels),
                None => Workloads::AnyGateway,
            };
            (workloads, of_rule(rule))
        }
        _ => return None,
    };
    (!names.is_empty()).then_some((workloads, names))
}

fn of_gateway(gateway: &Gateway) -> Vec<&str> {
    let settings = gateway.servers.iter().filter_map(|server| server.tls.as_ref());
    let names = settings.flat_map(|tls| std::iter::once(&tls.credential_name).chain(&tls.credential_names));
    names.map(String::as_str).filter(|name| is_secret_name(name)).collect()
}

fn of_rule(rule: &DestinationRule) -> Vec<&str> {
    let policies = rule.traffic_policy.iter().chain(rule.subsets.iter().filter_map(|s| s.traffic_policy.as_ref()));
    let settings = policies.flat_map(|policy| {
        policy.tls.iter().chain(policy.port_level_settings.iter().filter_map(|port| port.tls.as_ref()))
    });
    settings.map(|tls| tls.credential_name.as_str()).filter(|name| is_secret_name(name)).collect()
}

/// Tells that not every Secret can be followed.
pub(super) fn too_many(limit: usize) -> Diagnostic {
    Diagnostic {
        code: code::UNAVAILABLE.to_owned(),
        aliases: Vec::new(),
        severity: Severity::Error,
        message: format!(
            "Gateways and DestinationRules name more than {} credentials; the last by name are not read",
            limit / 2
        ),
        object: None,
        field: String::new(),
        file: None,
        line: None,
        column: None,
        suggestion: Some("share certificates between servers, or split the gateways among several meshes".to_owned()),
    }
}
