//! The lists. Each row is put together from the graph's nodes and edges, the estate, and what control planes say.

use std::collections::{BTreeMap, BTreeSet};

use weft_mesh::{
    resolve::mutual_tls::{Mode, mode},
    snapshot::{Service, Workload as Instance},
};
use weft_model::{
    ObjectRef, Severity,
    config::ConfigRow,
    details::{Findings, Proxies, Row, Subject, SyncState},
    graph::{CodeRate, Edge, Health, Lock, Node},
};

use super::{Moment, words};
use crate::{
    estate,
    graph::{
        Flow, Reporter, error_share,
        health::{Direction, Rules},
    },
};

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
            let id = format!("{}/{}", instance.reference.namespace, instance.name);
            instances.entry(id).or_default().push(instance);
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

    /// All rows of a kind.
    pub fn rows(&self, subject: Subject) -> Vec<Row> {
        match subject {
            Subject::Workload => self.workload_ids().into_iter().map(|id| self.workload(id)).collect(),
            Subject::App => {
                self.apps().into_iter().map(|((ns, app), ids)| self.group(subject, ns, app, &ids)).collect()
            }
            Subject::Namespace => {
                let groups = self.namespaces();
                groups.into_iter().map(|(name, ids)| self.group(subject, name, name, &ids)).collect()
            }
            Subject::Service => {
                let mut rows: Vec<Row> =
                    self.moment.view.snapshot.services().iter().map(|service| self.service(service)).collect();
                rows.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
                rows
            }
        }
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
                services.iter().find(|service| service.name == name).map(|service| self.service(service))
            }
        }
    }

    fn known(&self, id: &str) -> bool {
        self.moment.view.estate.workloads.contains_key(id) || (self.nodes.contains_key(id) && is_workload(id))
    }

    /// Ids of workloads that the mesh has to do with: those of the estate that are listed, and any that were seen.
    fn workload_ids(&self) -> BTreeSet<&'a str> {
        let listed = self.moment.view.estate.workloads.iter().filter(|(_, workload)| workload.listed);
        let listed = listed.map(|(id, _)| id.as_str());
        listed.chain(self.nodes.keys().copied().filter(|id| is_workload(id))).collect()
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
        let id = format!("{namespace}/{}", instance.name);
        let known = self.moment.view.estate.workloads.get(&id);
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

    fn workload(&self, id: &str) -> Row {
        let (namespace, name) = id.split_once('/').unwrap_or(("", id));
        let (incoming, outgoing) = self.edges(id);
        let known = self.moment.view.estate.workloads.get(id);
        let kind = match (known.is_some_and(|known| known.gateway), self.instances(id).first()) {
            (true, _) => "Gateway",
            (false, Some(instance)) if instance.is_pod() => "Pods",
            (false, Some(_)) => "WorkloadEntry",
            (false, None) => "",
        };
        let node = self.nodes.get(id);
        let mut row = Row {
            subject: Subject::Workload,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            health: node.map_or(self.nothing(), |node| node.health),
            rate: node.map_or(0.0, |node| node.rate_in),
            rate_out: node.map_or(0.0, |node| node.rate_out),
            error_share: node.and_then(|node| node.error_share),
            mode: self.mode(&[id]),
            proxies: self.proxies(id),
            versions: known
                .map(|known| known.version.clone())
                .filter(|version| !version.is_empty())
                .into_iter()
                .collect(),
            findings: self.findings(&[id], |_| false),
            workloads: vec![id.to_owned()],
            ..Row::default()
        };
        let sends = incoming.is_empty() && !outgoing.is_empty();
        traffic(&mut row, incoming);
        row.reason = words::reason(row.health, &codes(if sends { outgoing } else { incoming }), sends, self.window_s());
        row
    }

    /// What something is that nobody has seen: idle, or not known when nobody could have been seen.
    fn nothing(&self) -> Health {
        if self.moment.observed.rates_problem.is_some() { Health::Unknown } else { Health::Idle }
    }

    fn window_s(&self) -> u64 {
        self.moment.observed.window_s
    }

    /// Workloads taken together. The worst of them gives the health; its name is in the reason.
    fn group(&self, subject: Subject, namespace: &str, name: &str, ids: &[&str]) -> Row {
        let members: Vec<Row> = ids.iter().map(|id| self.workload(id)).collect();
        let inside: BTreeSet<&str> = ids.iter().copied().collect();
        let of = |all: &BTreeMap<&str, Vec<&'a Edge>>, other: fn(&Edge) -> &String| -> Vec<&'a Edge> {
            let edges = ids.iter().filter_map(|id| all.get(id)).flatten().copied();
            edges.filter(|edge| !inside.contains(other(edge).as_str())).collect()
        };
        // What goes round inside of it is neither in nor out.
        let incoming = of(&self.incoming, |edge| &edge.source);
        let outgoing = of(&self.outgoing, |edge| &edge.destination);
        let worst = members.iter().max_by_key(|row| row.health);
        let mut proxies = Proxies::default();
        for member in &members {
            let one = member.proxies;
            proxies.instances += one.instances;
            proxies.present += one.present;
            proxies.missing += one.missing;
            proxies.away += one.away;
            proxies.stale += one.stale;
            proxies.refused += one.refused;
        }
        let health = worst.map_or(self.nothing(), |row| row.health);
        let mut row = Row {
            subject,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            health,
            reason: match worst {
                Some(worst) if health >= Health::Degraded => format!("{}: {}", worst.name, worst.reason),
                Some(worst) => worst.reason.clone(),
                None => "No workload of it is known to the mesh.".to_owned(),
            },
            rate: incoming.iter().fold(0.0, |sum, edge| sum + edge.rate),
            rate_out: outgoing.iter().fold(0.0, |sum, edge| sum + edge.rate),
            error_share: error_share(&codes(&incoming)),
            mode: self.mode(ids),
            proxies,
            versions: members
                .iter()
                .flat_map(|row| row.versions.clone())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            findings: match subject {
                Subject::Namespace => self.findings(&[], |object| object.namespace == name),
                _ => self.findings(ids, |_| false),
            },
            workloads: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Row::default()
        };
        traffic(&mut row, &incoming);
        row
    }

    fn service(&self, service: &Service) -> Row {
        let host = service.host.as_str();
        let ids: Vec<&str> =
            self.moment.view.estate.hosts.get(host).into_iter().flatten().map(String::as_str).collect();
        let flows = |reporter: Reporter| -> Vec<&Flow> {
            let all = self.moment.observed.requests.iter().chain(&self.moment.observed.tcp);
            all.filter(|flow| &*flow.host == host && matches!(&*flow.what, "" | "opened") && flow.reporter == reporter)
                .collect()
        };
        // As its callers see it, or as it sees itself where no caller has a proxy.
        let (sources, destinations) = (flows(Reporter::Source), flows(Reporter::Destination));
        let counted = if sources.is_empty() { &destinations } else { &sources };
        let codes: Vec<CodeRate> = counted
            .iter()
            .map(|flow| CodeRate {
                code: flow.code.to_string(),
                flags: flow.flags.to_string(),
                rate: flow.rate,
                ..CodeRate::default()
            })
            .collect();
        let defaults = Rules::default();
        let rules = self.moment.view.estate.tolerances.hosts.get(host).map_or(&defaults, |rules| rules);
        let health = match (self.nothing(), rules.judge(&codes, Direction::Inbound)) {
            (Health::Unknown, _) => Health::Unknown,
            (_, health) => health,
        };
        let part = |wanted: bool| {
            destinations.iter().filter(|flow| flow.mutual_tls() == Some(wanted)).fold(0.0, |sum, flow| sum + flow.rate)
        };
        let (mtls, plaintext) = (part(true), part(false));
        let latency = ids.iter().filter_map(|id| self.incoming.get(*id)).flatten().filter_map(|edge| edge.p95_ms);
        let estate = &self.moment.view.estate;
        let versions = ids.iter().filter_map(|id| estate.workloads.get(*id)).map(|known| known.version.clone());
        let mut proxies = Proxies::default();
        for id in &ids {
            let one = self.proxies(id);
            proxies.instances += one.instances;
            proxies.present += one.present;
            proxies.missing += one.missing;
            proxies.away += one.away;
            proxies.stale += one.stale;
            proxies.refused += one.refused;
        }
        Row {
            subject: Subject::Service,
            namespace: service.namespace.clone(),
            name: service.name.clone(),
            kind: service.object.kind.clone(),
            host: host.to_owned(),
            health,
            reason: words::reason(health, &codes, false, self.window_s()),
            rate: codes.iter().fold(0.0, |sum, code| sum + code.rate),
            rate_out: 0.0,
            error_share: error_share(&codes),
            p95_ms: latency.reduce(f64::max),
            lock: lock(mtls, plaintext),
            plaintext_share: (mtls + plaintext > 0.0).then(|| plaintext / (mtls + plaintext)),
            mode: self.mode(&ids),
            proxies,
            versions: versions.filter(|version| !version.is_empty()).collect::<BTreeSet<_>>().into_iter().collect(),
            findings: self.findings(&ids, |object| *object == service.object),
            workloads: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }
}

/// Whether an id of the graph is a workload's.
pub fn is_workload(id: &str) -> bool {
    id.split_once('/').is_some_and(|(namespace, name)| {
        !namespace.is_empty() && !name.contains('/') && !["external", "service", "app", "box"].contains(&namespace)
    })
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

fn lock(mtls: f64, plaintext: f64) -> Lock {
    match (mtls > 0.0, plaintext > 0.0) {
        (true, true) => Lock::Mixed,
        (true, false) => Lock::Mtls,
        (false, true) => Lock::Plaintext,
        (false, false) => Lock::Unknown,
    }
}

/// Latency and encryption of what comes in.
fn traffic(row: &mut Row, incoming: &[&Edge]) {
    row.p95_ms = incoming.iter().filter_map(|edge| edge.p95_ms).reduce(f64::max);
    // Edges that carry only old connections have no rate; each still says what it is.
    let weight = |edge: &Edge| edge.rate.max(1e-9);
    let told = incoming.iter().filter_map(|edge| Some((weight(edge), edge.plaintext_share?)));
    let (all, plaintext) = told.fold((0.0, 0.0), |(all, plain), (rate, share)| (all + rate, plain + rate * share));
    row.lock = lock(all - plaintext, plaintext);
    row.plaintext_share = (all > 0.0).then(|| plaintext / all);
}

fn codes(edges: &[&Edge]) -> Vec<CodeRate> {
    let mut merged: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for code in edges.iter().flat_map(|edge| &edge.codes) {
        *merged.entry((&code.code, &code.flags)).or_default() += code.rate;
    }
    let rate = |((code, flags), rate): ((&str, &str), f64)| CodeRate {
        code: code.to_owned(),
        flags: flags.to_owned(),
        rate,
        ..CodeRate::default()
    };
    merged.into_iter().map(rate).collect()
}
