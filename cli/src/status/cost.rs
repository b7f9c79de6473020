//! What proxies cost, summed by namespace.

use std::collections::BTreeMap;

use kube::ResourceExt;
use serde::Serialize;

use super::{
    quantity,
    usage::{Usage, Used},
};
use crate::{cluster::pods::Proxied, output::table};

/// Requested and used resources of all proxies.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// By namespace, in order.
    pub namespaces: Vec<Share>,
    /// The sum.
    pub total: Share,
    /// Why `used` is missing, if it is.
    pub problem: Option<String>,
}

/// What the proxies of one namespace cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Namespace; empty in the sum.
    pub namespace: String,
    /// How many proxies.
    pub proxies: usize,
    /// Cores that they request.
    pub requested_cpu: f64,
    /// Bytes that they request.
    pub requested_memory: f64,
    /// Cores that they use; absent when not known.
    pub used_cpu: Option<f64>,
    /// Bytes that they use; absent when not known.
    pub used_memory: Option<f64>,
}

impl Cost {
    /// Sums up. A pod that has ended costs nothing.
    pub fn of<'a>(proxies: impl Iterator<Item = Proxied<'a>>, usage: Usage) -> Self {
        let (usage, problem) = match usage {
            Ok(usage) => (Some(usage), None),
            Err(problem) => (None, Some(problem)),
        };
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        let mut total = Share::default();
        for proxy in proxies.filter(|proxy| !proxy.over()) {
            let namespace = proxy.pod.namespace().unwrap_or_default();
            let requests = proxy.container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
            let requested =
                |name: &str| requests.and_then(|requests| quantity::parse(&requests.get(name)?.0)).unwrap_or_default();
            let used = usage.as_ref().map(|usage| usage.get(&proxy.id()).copied().unwrap_or_default());
            let share = shares.entry(namespace.clone()).or_insert_with(|| Share { namespace, ..Share::default() });
            for share in [share, &mut total] {
                share.add(requested("cpu"), requested("memory"), used);
            }
        }
        Self { namespaces: shares.into_values().collect(), total, problem }
    }

    /// For people.
    pub fn text(&self) -> String {
        let row = |share: &Share| {
            vec![
                if share.namespace.is_empty() { "total".to_owned() } else { share.namespace.clone() },
                share.proxies.to_string(),
                quantity::cores(share.requested_cpu),
                share.used_cpu.map(quantity::cores).unwrap_or_default(),
                quantity::bytes(share.requested_memory),
                share.used_memory.map(quantity::bytes).unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.namespaces.iter().chain([&self.total]).map(row).collect();
        let head = ["NAMESPACE", "PROXIES", "CPU REQUESTED", "CPU USED", "MEMORY REQUESTED", "MEMORY USED"];
        let mut text = table(&head, &rows);
        if let Some(problem) = &self.problem {
            text.push_str(&format!("\nWhat they use is not known: {problem}\n"));
        }
        text
    }
}

impl Share {
    fn add(&mut self, cpu: f64, memory: f64, used: Option<Used>) {
        self.proxies += 1;
        self.requested_cpu += cpu;
        self.requested_memory += memory;
        if let Some(used) = used {
            *self.used_cpu.get_or_insert_default() += used.cpu;
            *self.used_memory.get_or_insert_default() += used.memory;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::pods::{proxied, testing::pod};

    #[test]
    fn proxies_are_summed_by_namespace() {
        let mut done = pod("jobs", "import-x-1", "weft/proxy:1", "default");
        done.status.as_mut().unwrap().phase = Some("Succeeded".into());
        let pods = [
            pod("shop", "web-1-a", "weft/proxy:1", "default"),
            pod("shop", "web-1-b", "weft/proxy:1", "default"),
            pod("pay", "card-1-a", "weft/proxy:1", "default"),
            done,
        ];
        let used = Used { cpu: 0.004, memory: 12.0 * 1_048_576.0 };
        let usage = ["shop/web-1-a", "shop/web-1-b"].map(|id| (id.to_owned(), used)).into();
        let cost = Cost::of(proxied(&pods), Ok(usage));
        assert_eq!(cost.namespaces.len(), 2);
        assert_eq!((cost.total.proxies, cost.total.requested_cpu), (3, 0.15000000000000002));
        let text = cost.text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[2], ["shop", "2", "100m", "8m", "96Mi", "24Mi"]);
        assert_eq!(lines[3], ["total", "3", "150m", "8m", "144Mi", "24Mi"]);

        let unknown = Cost::of(proxied(&pods), Err("cannot read: forbidden".into()));
        assert!(unknown.total.used_cpu.is_none());
        assert!(unknown.text().contains("not known: cannot read: forbidden"), "{}", unknown.text());
    }
}
