//! Which DestinationRule holds for a client and a host, and what of it holds for a port of a subset.

use std::collections::BTreeMap;

use weft_api::networking::{
    DestinationRule, Subset, TrafficPolicy,
    traffic_policy::{ClientTls, ConnectionPool, LoadBalancer, OutlierDetection, RetryBudget},
};
use weft_model::Hostname;

use crate::{
    Asked, View,
    snapshot::{Service, Typed, Visibility},
};

/// The rules for one host, merged: the oldest policy, and the subsets of all.
#[derive(Clone, Debug, Default)]
pub struct Rules<'a> {
    rules: Vec<&'a Typed<DestinationRule>>,
}

/// The policy for one port of one subset. Sections are taken whole from the most specific place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Policy<'a> {
    /// How an endpoint is chosen.
    pub load_balancer: Option<&'a LoadBalancer>,
    /// Bounds.
    pub connection_pool: Option<&'a ConnectionPool>,
    /// Ejection.
    pub outlier_detection: Option<&'a OutlierDetection>,
    /// TLS.
    pub tls: Option<&'a ClientTls>,
    /// Bound of concurrent retries.
    pub retry_budget: Option<&'a RetryBudget>,
}

/// The rules that hold: those of the client's namespace, else of the service's, else of the root namespace; within one, an
/// exact host before the longest wildcard. Rules that select workloads come before those that do not.
pub fn rules<'a>(view: &View<'a>, client: &Asked<'_>, host: &Hostname, service: Option<&Service>) -> Rules<'a> {
    let tiers: Vec<Vec<&Typed<DestinationRule>>> =
        patterns(host).iter().map(|pattern| view.destination_rules_of(pattern).collect()).collect();
    // The client is asked about namespaces that have rules, so that for most hosts all clients are alike.
    let own = tiers.iter().flatten().map(|rule| rule.namespace()).find(|namespace| client.is_in(namespace));
    let fixed = service.map(|s| s.namespace.as_str()).into_iter().chain([view.settings().root_namespace.as_str()]);
    let mut seen: Vec<&str> = Vec::new();
    for namespace in own.into_iter().chain(fixed) {
        if seen.contains(&namespace) {
            continue;
        }
        seen.push(namespace);
        let rules = in_namespace(view, client, &tiers, namespace, own == Some(namespace));
        if !rules.is_empty() {
            return Rules { rules };
        }
    }
    Rules::default()
}

/// `tiers` are the rules by pattern, the closest first; `own` says whether it is the client's namespace.
fn in_namespace<'a>(
    view: &View<'a>,
    client: &Asked<'_>,
    tiers: &[Vec<&'a Typed<DestinationRule>>],
    namespace: &str,
    own: bool,
) -> Vec<&'a Typed<DestinationRule>> {
    let defaults = &view.mesh().config.default_destination_rule_export_to;
    for tier in tiers {
        let usable: Vec<_> = tier
            .iter()
            .copied()
            .filter(|r| r.namespace() == namespace)
            .filter(|r| client.sees(&Visibility::read(&r.export_to, namespace, defaults)))
            .collect();
        let selects = |r: &Typed<DestinationRule>| {
            r.workload_selector.as_ref().is_some_and(|s| own && client.carries(&s.match_labels))
        };
        if let Some(rule) = usable.iter().copied().find(|r| selects(r)) {
            return vec![rule];
        }
        let general: Vec<_> = usable.into_iter().filter(|r| r.workload_selector.is_none()).collect();
        if !general.is_empty() {
            return general;
        }
    }
    Vec::new()
}

/// The host itself, then every wildcard that covers it, longest first.
pub fn patterns(host: &Hostname) -> Vec<Hostname> {
    let mut patterns = vec![host.clone()];
    let mut rest = host.as_str().trim_start_matches("*.");
    while let Some((_, parent)) = rest.split_once('.') {
        patterns.push(Hostname::new(format!("*.{parent}")));
        rest = parent;
    }
    patterns.push(Hostname::new("*"));
    patterns.dedup();
    patterns
}

impl<'a> Rules<'a> {
    /// The rules, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &'a Typed<DestinationRule>> + '_ {
        self.rules.iter().copied()
    }

    /// The subsets by name; of several of one name, the oldest rule's.
    pub fn subsets(&self) -> BTreeMap<&'a str, &'a Subset> {
        let mut subsets = BTreeMap::new();
        for rule in &self.rules {
            for subset in &rule.spec.subsets {
                subsets.entry(subset.name.as_str()).or_insert(subset);
            }
        }
        subsets
    }

    /// The policy for a port, and for a subset if one is given.
    pub fn policy(&self, port: u16, subset: Option<&'a Subset>) -> Policy<'a> {
        let general = self.rules.iter().find_map(|r| r.spec.traffic_policy.as_ref());
        let mut policy = Policy::default();
        for layer in general.into_iter().chain(subset.and_then(|s| s.traffic_policy.as_ref())) {
            policy.overlay(layer, port);
        }
        policy
    }
}

impl<'a> Policy<'a> {
    /// A section that `layer` has replaces ours; settings of the port replace all of them, and what they leave out falls
    /// back to the defaults, as Istio documents it.
    fn overlay(&mut self, layer: &'a TrafficPolicy, port: u16) {
        let on_port = layer
            .port_level_settings
            .iter()
            .find(|p| p.port.as_ref().is_some_and(|selector| selector.number == u32::from(port)));
        self.retry_budget = layer.retry_budget.as_ref().or(self.retry_budget);
        match on_port {
            Some(settings) => {
                self.load_balancer = settings.load_balancer.as_ref();
                self.connection_pool = settings.connection_pool.as_ref();
                self.outlier_detection = settings.outlier_detection.as_ref();
                self.tls = settings.tls.as_ref();
            }
            None => {
                self.load_balancer = layer.load_balancer.as_ref().or(self.load_balancer);
                self.connection_pool = layer.connection_pool.as_ref().or(self.connection_pool);
                self.outlier_detection = layer.outlier_detection.as_ref().or(self.outlier_detection);
                self.tls = layer.tls.as_ref().or(self.tls);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_tried_longest_first() {
        let found: Vec<String> = patterns(&"a.b.c".into()).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a.b.c", "*.b.c", "*.c", "*"]);
        let found: Vec<String> = patterns(&"*.b.c".into()).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["*.b.c", "*.c", "*"]);
    }
}
