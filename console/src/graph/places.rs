//! Which node stands for what in each view.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weft_model::graph::{APP, Badge, EXTERNAL, Node, NodeKind, SERVICE, UNREACHED, View};

use super::links::{End, Link, UNKNOWN_ID};
use crate::estate::{Estate, Workload};

/// Finds the node of each end.
pub(super) struct Places<'a> {
    view: View,
    estate: &'a Estate,
    /// The console's own cluster, where several are told apart.
    own: Option<&'a str>,
    /// The service that stands for a workload, by the workload's id.
    services: HashMap<Arc<str>, Arc<str>>,
    known: HashMap<Arc<str>, Arc<str>>,
}

impl<'a> Places<'a> {
    pub fn new(view: View, links: &[Link], estate: &'a Estate, own: Option<&'a str>) -> Self {
        let services = if view == View::Service { services(links, estate) } else { HashMap::new() };
        Self { view, estate, own, services, known: HashMap::new() }
    }

    /// The id of the node that stands for a caller.
    pub fn of_source(&mut self, end: &End) -> Arc<str> {
        match self.view {
            View::Workload => end.id.clone(),
            View::Service => self.services.get(&end.id).unwrap_or(&end.id).clone(),
            View::App | View::VersionedApp => self.app(end),
        }
    }

    /// The id of the node that stands for what is called.
    pub fn of_destination(&mut self, link: &Link) -> Arc<str> {
        let inside = !link.destination.id.starts_with(EXTERNAL);
        if self.view != View::Service || !inside {
            return self.of_source(&link.destination);
        }
        if link.host.is_empty() {
            return self.of_source(&link.destination);
        }
        let suffix = link.destination.peer.suffix();
        if !suffix.is_empty() {
            return format!("{SERVICE}{}{suffix}", link.host).into();
        }
        self.known.entry(link.host.clone()).or_insert_with(|| format!("{SERVICE}{}", link.host).into()).clone()
    }

    fn app(&mut self, end: &End) -> Arc<str> {
        if let Some(known) = self.known.get(&end.id) {
            return known.clone();
        }
        let (app, version) = match self.estate.workloads.get(&*end.id) {
            Some(workload) => (workload.app.as_str(), workload.version.as_str()),
            None => (&*end.peer.app, &*end.peer.version),
        };
        let namespace = end.id.split_once('/').map_or("", |(namespace, _)| namespace);
        let suffix = end.peer.suffix();
        let id: Arc<str> = match (app, self.view) {
            _ if *end.id == *UNKNOWN_ID || end.id.starts_with(EXTERNAL) => end.id.clone(),
            ("", _) => end.id.clone(),
            (app, View::App) => format!("{APP}{namespace}/{app}{suffix}").into(),
            (app, _) => {
                let version = if version.is_empty() { UNKNOWN_ID } else { version };
                format!("{APP}{namespace}/{app}/{version}{suffix}").into()
            }
        };
        self.known.insert(end.id.clone(), id.clone());
        id
    }

    /// What the labels and the configuration say about a node. `workload` is the id of a workload that it stands for.
    pub fn describe(&self, id: &str, end: &End) -> Node {
        let mut node = Node { id: id.to_owned(), ..Node::default() };
        let known = self.estate.workloads.get(&*end.id);
        if let Some(own) = self.own.filter(|_| id != UNKNOWN_ID && !id.starts_with(EXTERNAL)) {
            node.cluster = if end.peer.is_foreign() { end.peer.cluster.to_string() } else { own.to_owned() };
        }
        if id == UNKNOWN_ID {
            node.kind = NodeKind::Unknown;
            node.workload = UNKNOWN_ID.to_owned();
        } else if let Some(host) = id.strip_prefix(EXTERNAL) {
            node.kind = NodeKind::External;
            node.workload = host.to_owned();
            node.host = host.to_owned();
            node.origin = origin(host, self.estate);
        } else if let Some(host) = id.strip_prefix(SERVICE) {
            let host = host.strip_suffix(end.peer.suffix().as_str()).unwrap_or(host);
            let host = host.strip_suffix(UNREACHED).unwrap_or(host);
            let mut parts = host.split('.');
            node.kind = NodeKind::Service;
            node.workload = parts.next().unwrap_or_default().to_owned();
            node.namespace = self.estate.service_namespaces.get(host).cloned().unwrap_or_else(|| {
                if host.contains(".svc.") { parts.next().unwrap_or_default().to_owned() } else { String::new() }
            });
            node.host = host.to_owned();
        } else {
            node.namespace = known.map_or(&*end.peer.namespace, |known| &known.namespace).to_owned();
            node.workload = known.map_or(&*end.peer.workload, |known| &known.name).to_owned();
            node.app = known.map_or(&*end.peer.app, |known| &known.app).to_owned();
            node.version = known.map_or(&*end.peer.version, |known| &known.version).to_owned();
            node.kind = kind(known);
            if id.starts_with(APP) && self.view == View::App {
                node.kind = if node.kind == NodeKind::Workload { NodeKind::App } else { node.kind };
                node.workload.clone_from(&node.app);
                node.version.clear();
            }
            if id.starts_with(APP) && self.view == View::VersionedApp {
                node.parent = Some(format!("{APP}{}/{}{}", node.namespace, node.app, end.peer.suffix()));
            }
        }
        node
    }

    /// Adds what one more workload contributes to the node that stands for it.
    pub fn join(&self, node: &mut Node, end: &End) {
        let is_host = [EXTERNAL, SERVICE].iter().any(|prefix| end.id.starts_with(prefix));
        if *end.id != *node.id && end.id.contains('/') && !is_host {
            node.workloads.push(end.id.to_string());
        }
        let Some(known) = self.estate.workloads.get(&*end.id) else { return };
        // One workload with a proxy makes the whole app a part of the mesh.
        if node.kind == NodeKind::Unmeshed && kind(Some(known)) != NodeKind::Unmeshed {
            node.kind = if self.view == View::App { NodeKind::App } else { kind(Some(known)) };
        }
        let missing = (!known.meshed && !known.gateway).then(|| missing_sidecar(&end.id));
        for badge in known.badges.iter().cloned().chain(missing) {
            if !node.badges.contains(&badge) {
                node.badges.push(badge);
            }
        }
    }

    /// Nodes that belong to the picture even without traffic, each with a workload that it stands for.
    pub fn configured(&mut self) -> Vec<(Arc<str>, End)> {
        let estate = self.estate;
        let listed = estate.workloads.iter().filter(|(_, workload)| workload.listed);
        let end = |id: &str| End { id: id.into(), ..End::default() };
        let ends: Vec<End> = listed.map(|(id, _)| end(id)).collect();
        ends.into_iter().map(|end| (self.of_source(&end), end)).collect()
    }
}

fn kind(known: Option<&Workload>) -> NodeKind {
    match known {
        Some(known) if known.gateway => match known.labels.get("istio") {
            Some("egressgateway") => NodeKind::Egress,
            _ => NodeKind::Gateway,
        },
        Some(known) if !known.meshed => NodeKind::Unmeshed,
        _ => NodeKind::Workload,
    }
}

fn missing_sidecar(id: &str) -> Badge {
    let text = format!("{id} has no proxy: its calls are plaintext and nothing that it serves is counted");
    let namespace = id.split_once('/').map_or("", |(namespace, _)| namespace).to_owned();
    Badge { kind: "missing-sidecar".into(), severity: None, text, namespace }
}

fn origin(host: &str, estate: &Estate) -> String {
    if let Some(entry) = estate.external(host) {
        return format!("configured by ServiceEntry {entry}");
    }
    match host {
        "BlackHoleCluster" => "refused: no ServiceEntry names it and the mesh lets out only what is named".to_owned(),
        _ => "passed through: no ServiceEntry names it".to_owned(),
    }
}

/// The service that each workload is called as: the one with most traffic, else the first one that is configured.
fn services(links: &[Link], estate: &Estate) -> HashMap<Arc<str>, Arc<str>> {
    let mut services: HashMap<Arc<str>, (Arc<str>, f64)> = HashMap::new();
    let mut offer = |workload: Arc<str>, host: &str, rate: f64| {
        let better = services.get(&workload).is_none_or(|(_, known)| rate > *known);
        if better {
            services.insert(workload, (format!("{SERVICE}{host}").into(), rate));
        }
    };
    let mut sums: BTreeMap<(&str, String), f64> = BTreeMap::new();
    for link in links.iter().filter(|link| !link.host.is_empty() && !link.destination.id.starts_with(EXTERNAL)) {
        let host = format!("{}{}", link.host, link.destination.peer.suffix());
        *sums.entry((&link.destination.id, host)).or_default() += link.requests() + link.opened;
    }
    for ((workload, host), rate) in sums {
        offer(workload.into(), &host, rate.max(f64::MIN_POSITIVE));
    }
    for (host, workloads) in &estate.hosts {
        for workload in workloads {
            offer(workload.as_str().into(), host, 0.0);
        }
    }
    services.into_iter().map(|(workload, (node, _))| (workload, node)).collect()
}
