//! The lists. Each row is put together from the graph's nodes and edges, the estate, and what control planes say.

mod asked;
mod rows;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weft_mesh::{
    resolve::mutual_tls::{Mode, mode},
    snapshot::{Service, Workload as Instance},
};
use weft_model::{
    ObjectRef, Severity,
    config::ConfigRow,
    details::{Findings, Proxies, Row, Subject, SyncState},
    graph::{Edge, Node},
};

pub use self::asked::both;

use super::Moment;
use crate::{estate, graph::tamed};

/// Rows of one list, ordered by namespace and name. The caller redacts.
pub struct Lists<'a> {
    moment: &'a Moment,
    nodes: BTreeMap<&'a str, &'a Node>,
    incoming: BTreeMap<&'a str, Vec<&'a Edge>>,
    outgoing: BTreeMap<&'a str, Vec<&'a Edge>>,
    instances: BTreeMap<String, Vec<&'a Instance>>,
    findings: BTreeMap<&'a ObjectRef, &'a ConfigRow>,
}

impl<'a> Lists<'a> {
    /// Sorts a moment by what it is about.
    pub fn of(moment: &'a Moment) -> Self {
        let mut incoming: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
        let mut outgoing: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
        for edge in &moment.graph.edges {
            incoming.entry(&edge.destination).or_default().push(edge);
            outgoing.entry(&edge.source).or_default().push(edge);
        }
        let mut instances: BTreeMap<String, Vec<&Instance>> = BTreeMap::new();
        for instance in moment.view.snapshot.workloads().values() {
            instances.entry(estate::id(instance)).or_default().push(instance);
        }
        let rows = moment.view.list.rows.iter().filter(|row| !row.findings.is_empty());
        Self {
            moment,
            nodes: moment.graph.nodes.iter().map(|node| (node.id.as_str(), node)).collect(),
            incoming,
            outgoing,
            instances,
            findings: rows.map(|row| (&row.object, row)).collect(),
        }
    }

    /// All rows of a kind, ordered by namespace, name and host.
    pub fn rows(&self, subject: Subject) -> Vec<Row> {
        let mut rows: Vec<Row> = match subject {
            Subject::Workload => self.workload_ids().into_iter().map(|id| self.workload(id)).collect(),
            Subject::App => {
                self.apps().into_iter().map(|((ns, app), ids)| self.group(subject, ns, app, &ids)).collect()
            }
            Subject::Namespace => {
                let groups = self.namespaces();
                groups.into_iter().map(|(name, ids)| self.group(subject, name, name, &ids)).collect()
            }
            Subject::Service => {
                self.moment.view.snapshot.services().iter().map(|service| self.service(service)).collect()
            }
        };
        rows.sort_by(|a, b| (&a.namespace, &a.name, &a.host).cmp(&(&b.namespace, &b.name, &b.host)));
        rows
    }

    /// One row.
    pub fn row(&self, subject: Subject, namespace: &str, name: &str) -> Option<Row> {
        match subject {
            Subject::Workload => {
                let id = format!("{namespace}/{name}");
                self.known(&id).then(|| self.workload(&id))
            }
            Subject::App => {
                let ids = self.apps().remove(&(namespace, name))?;
                Some(self.group(subject, namespace, name, &ids))
            }
            Subject::Namespace => {
                let ids = self.namespaces().remove(name)?;
                Some(self.group(subject, name, name, &ids))
            }
            Subject::Service => {
                let services = self.moment.view.snapshot.services_in(namespace);
                // The graph calls a host of a ServiceEntry by its first part, which is not its name.
                let first = |service: &&Arc<Service>| tamed(service.host.as_str()).split('.').next() == Some(name);
                let named = services.iter().find(|service| tamed(&service.name) == name);
                named.or_else(|| services.iter().find(first)).map(|service| self.service(service))
            }
        }
    }

    fn known(&self, id: &str) -> bool {
        self.moment.view.estate.workloads.contains_key(id)
            || (self.nodes.get(id).is_some_and(|node| !node.is_foreign()) && is_workload(id))
    }

    /// Whether an id of the graph is of another cluster, of which there are no lists.
    pub fn is_foreign(&self, id: &str) -> bool {
        self.nodes.get(id).is_some_and(|node| node.is_foreign())
    }

    /// The namespace of what an id of the graph stands for, if it is of one.
    pub fn namespace(&self, id: &str) -> Option<&str> {
        self.nodes.get(id).map(|node| node.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }

    /// Ids of workloads that the mesh has to do with: those of the estate that are listed, and any that were seen in the
    /// console's own cluster.
    fn workload_ids(&self) -> BTreeSet<&'a str> {
        let listed = self.moment.view.estate.workloads.iter().filter(|(_, workload)| workload.listed);
        let listed = listed.map(|(id, _)| id.as_str());
        let seen = self.nodes.iter().filter(|(_, node)| !node.is_foreign()).map(|(id, _)| *id);
        listed.chain(seen.filter(|id| is_workload(id))).collect()
    }

    fn apps(&self) -> BTreeMap<(&'a str, &'a str), Vec<&'a str>> {
        let mut apps: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for id in self.workload_ids() {
            if let Some(known) = self.moment.view.estate.workloads.get(id) {
                apps.entry((&known.namespace, &known.app)).or_default().push(id);
            }
        }
        apps
    }

    fn namespaces(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let configured = self.moment.view.estate.namespaces.iter().map(|name| (name.as_str(), Vec::new()));
        let mut all: BTreeMap<&str, Vec<&str>> = configured.collect();
        for id in self.workload_ids() {
            if let Some((namespace, _)) = id.split_once('/') {
                all.entry(namespace).or_default().push(id);
            }
        }
        all
    }

    /// Instances of a workload, ordered by name.
    pub fn instances(&self, id: &str) -> &[&'a Instance] {
        self.instances.get(id).map_or(&[], Vec::as_slice)
    }

    /// Edges to a workload and from it.
    pub fn edges(&self, id: &str) -> (&[&'a Edge], &[&'a Edge]) {
        (self.incoming.get(id).map_or(&[], Vec::as_slice), self.outgoing.get(id).map_or(&[], Vec::as_slice))
    }

    /// The state of one instance's proxy.
    pub fn sync(&self, instance: &Instance) -> (SyncState, String) {
        let (namespace, name) = (&instance.reference.namespace, &instance.reference.name);
        let known = self.moment.view.estate.workloads.get(&estate::id(instance));
        let gateway = known.is_some_and(|known| known.gateway);
        if instance.has_mutual_tls() || gateway {
            return self.moment.seen.state(namespace, name);
        }
        let asked = !instance.is_pod() || estate::asks_for_proxies(&self.moment.view.snapshot, namespace);
        if !asked {
            return (SyncState::None, "It has no proxy, and its namespace asks for none.".to_owned());
        }
        let remedy =
            if instance.is_pod() { "Start it again to have one injected." } else { "Start one with weft-proxy." };
        let words =
            format!("It has no proxy: its calls are plaintext, and nothing that it serves is counted. {remedy}");
        (SyncState::Missing, words)
    }

    fn proxies(&self, id: &str) -> Proxies {
        let mut proxies = Proxies::default();
        for instance in self.instances(id) {
            proxies.instances += 1;
            let (state, _) = self.sync(instance);
            match state {
                SyncState::None => continue,
                SyncState::Missing => {
                    proxies.missing += 1;
                    continue;
                }
                SyncState::Away => proxies.away += 1,
                SyncState::Stale => proxies.stale += 1,
                SyncState::Refused => proxies.refused += 1,
                SyncState::Synced | SyncState::Unknown => {}
            }
            proxies.present += 1;
        }
        proxies
    }

    /// Findings about the objects that concern any of these workloads, or that `also` accepts.
    fn findings(&self, ids: &[&str], also: impl Fn(&ObjectRef) -> bool) -> Findings {
        let concerned = &self.moment.view.estate.concerned;
        let mut findings = Findings::default();
        for (object, row) in &self.findings {
            let here = concerned.get(*object).is_some_and(|set| ids.iter().any(|id| set.contains(*id)));
            if here || also(object) {
                count(&mut findings, row);
            }
        }
        findings
    }

    /// Counts the findings about one object.
    pub fn findings_of(&self, object: &ObjectRef) -> Findings {
        let mut findings = Findings::default();
        if let Some(row) = self.findings.get(object) {
            count(&mut findings, row);
        }
        findings
    }

    fn mode(&self, ids: &[&str]) -> String {
        let view = weft_mesh::View::new(&self.moment.view.snapshot);
        let estate = &self.moment.view.estate;
        let known = ids.iter().filter_map(|id| estate.workloads.get(*id)).filter(|known| known.meshed);
        let modes: BTreeSet<&str> = known
            .map(|known| match mode(&view, &known.namespace, &known.labels, 0) {
                Mode::Disable => "DISABLE",
                Mode::Permissive => "PERMISSIVE",
                Mode::Strict => "STRICT",
            })
            .collect();
        modes.into_iter().collect::<Vec<_>>().join("/")
    }
}

/// Whether an id of the graph is a workload's.
pub fn is_workload(id: &str) -> bool {
    id.split_once('/')
        .is_some_and(|(namespace, name)| !namespace.is_empty() && !namespace.contains(':') && !name.contains('/'))
}

fn count(findings: &mut Findings, row: &ConfigRow) {
    for finding in &row.findings {
        match finding.severity {
            Severity::Error => findings.errors += 1,
            Severity::Warning => findings.warnings += 1,
            Severity::Info => findings.notes += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_workload;

    #[test]
    fn namespaces_of_any_name_have_workloads() {
        for id in ["shop/cart", "external/web", "service/web", "app/web", "shop/cart@west"] {
            assert!(is_workload(id), "{id}");
        }
        for id in ["unknown", "hidden", "external:a.example", "service:a.shop", "app:shop/cart", "box:shop", "a/b/c"] {
            assert!(!is_workload(id), "{id}");
        }
    }
}
